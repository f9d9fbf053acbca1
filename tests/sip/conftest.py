"""One container a role for the whole session; every test finds its stage as the first one did."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stage.ground import MissingError
from stage.stages import DirectorStage, EdgeStage, FrontEndStage, Stage


def _session(kind: type[Stage]) -> Iterator[Stage]:
    try:
        stage = kind()
    except MissingError as missing:
        pytest.skip(str(missing))
    try:
        yield stage
    finally:
        stage.close()


@pytest.fixture(scope="session")
def _edge() -> Iterator[Stage]:
    yield from _session(EdgeStage)


@pytest.fixture(scope="session")
def _director() -> Iterator[Stage]:
    yield from _session(DirectorStage)


@pytest.fixture(scope="session")
def _front_end() -> Iterator[Stage]:
    yield from _session(FrontEndStage)


def _fresh(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage.reset()
    yield stage
    assert stage.container.alive(), f"Kamailio ended:\n{stage.container.said()}"


@pytest.fixture
def edge(_edge: EdgeStage, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """An Access Edge as first started."""
    yield from _fresh(_edge, request)


@pytest.fixture
def director(_director: DirectorStage, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A Director as first started."""
    yield from _fresh(_director, request)


@pytest.fixture
def front_end(_front_end: FrontEndStage, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A Front End as first started, nobody signed in."""
    yield from _fresh(_front_end, request)

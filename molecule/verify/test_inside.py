"""Testinfra checks of the scenario's hosts from within: the ones that the proof runs everywhere."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from edgewright import machines, plan
from edgewright.model import credentials, load
from edgewright.proof import inside
from edgewright.proof.case import Case
from edgewright.proof.scope import Scope

ROOT = Path(__file__).parents[2]
DEPLOYMENT = load(ROOT / "molecule" / "tiny")
SCOPE = Scope(DEPLOYMENT, plan.make(DEPLOYMENT))
KIND = os.environ.get("MOLECULE_SCENARIO_NAME", "")


def cases() -> list[Case]:
    """The checks of the hosts of this scenario's kind."""
    return [case for case in inside.make(SCOPE) if SCOPE.plan.hosts[case.cell.vantage].kind.startswith(KIND)]


@pytest.fixture(scope="session")
def inspector() -> inside.Inspector:
    """One connection per host, identical commands once."""
    return inside.Inspector(SCOPE, machines.load(credentials.state_folder(DEPLOYMENT)).ssh_config)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.cell.id)
def test_host(case: Case, inspector: inside.Inspector) -> None:
    """A host is as the plan wants it."""
    answer = asyncio.run(inspector.check(case.cell.vantage, case.cell.probe.removeprefix(inside.PROBE)))
    assert answer.observed.allowed, answer.observed.shown

"""Deployments and their plans; a variant is a shipped deployment with some of its topology changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgewright.model import load
from edgewright.plan import make
from edgewright.plan.types import Plan

ROOT = Path(__file__).parents[3]
FOLDERS = {
    "contoso": ROOT / "inventory/contoso",
    "minimal": ROOT / "inventory/minimal",
    "coffee": ROOT / "tests/deployments/coffee",
    "two-of-each": ROOT / "tests/deployments/two-of-each",
}

Change = Callable[[dict[str, Any]], object]


@cache
def _plan(name: str) -> Plan:
    return make(load(FOLDERS[name]))


@pytest.fixture(params=FOLDERS)
def plan(request: pytest.FixtureRequest) -> Plan:
    """Each deployment's plan in turn."""
    return _plan(request.param)


@pytest.fixture
def plan_of() -> Callable[[str], Plan]:
    """The plan of a shipped deployment."""
    return _plan


@pytest.fixture
def variant(tmp_path: Path) -> Callable[..., Plan]:
    """The plan of a deployment after a change of its topology and, if given, of its surroundings."""

    def make_variant(name: str, change: Change, surroundings: Change | None = None) -> Plan:
        folder = tmp_path / "variant" / FOLDERS[name].name
        shutil.rmtree(folder.parent, ignore_errors=True)
        shutil.copytree(FOLDERS[name], folder)
        if name == "contoso":
            shutil.copytree(FOLDERS[name].parent / "fabrikam", folder.parent / "fabrikam")
        for file, edit in (("topology.yml", change), ("surroundings.yml", surroundings)):
            if edit:
                data = yaml.safe_load((folder / file).read_text())
                edit(data)
                (folder / file).write_text(yaml.safe_dump(data))
        return make(load(folder))

    return make_variant

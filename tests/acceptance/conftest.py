"""The engine of `edgewright verify` runs once; each of its cells is a test.

The deployment is `inventory/contoso` unless `--deployment` names another folder. A lab that is up and
was made for this description is used as it is; else it is brought up first. `--read-only` leaves out what
changes or disrupts.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgewright import machines
from edgewright.model import credentials, load
from edgewright.model.deployment import Deployment
from edgewright.proof.results import Results
from edgewright.proof.run import READ, chosen
from edgewright.proof.verify import DISRUPT, cases, verify
from edgewright.provision import policies

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--deployment", default=str(ROOT / "inventory" / "contoso"), help="the deployment's folder"
    )
    parser.addoption("--read-only", action="store_true", help="only cells that change nothing")


def _deployment(config: pytest.Config) -> Deployment:
    return load(Path(config.getoption("--deployment")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        impacts = READ if metafunc.config.getoption("--read-only") else DISRUPT
        found = chosen(cases(_deployment(metafunc.config)), impacts)
        metafunc.parametrize("cell", [case.cell.id for case in found])


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """The deployment with its hosts up: those there are if they were made for it, else made now."""
    found = _deployment(request.config)
    try:
        matches = machines.load(credentials.state_folder(found)).digest == found.digest
    except machines.MachinesError:
        matches = False
    if not matches:
        subprocess.run(
            [sys.executable, "-m", "edgewright.cli", "up", str(found.folder), "--no-verify"],
            cwd=ROOT,
            check=True,
        )
    return found


@pytest.fixture(scope="session")
def results(deployment: Deployment, request: pytest.FixtureRequest) -> Results:
    """Every cell tried and judged, once."""
    if request.config.getoption("--read-only"):
        return verify(deployment, READ)
    return verify(deployment, DISRUPT, enforce=policies.enforcer(deployment))

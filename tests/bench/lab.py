"""A lab that is as described, looked at again: provisioning, configuration, proof; only where it is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from edgewright import machines
from edgewright.model import credentials, load
from edgewright.proof import verify
from edgewright.provision import configure
from edgewright.provision import up as provisioning
from edgewright.provision.progress import Progress
from tests.bench import Figure

FOLDER = Path(__file__).parents[2] / "inventory" / "contoso"


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def run() -> list[Figure]:
    """Seconds by the clock of three runs that change nothing; none if no lab fits the description."""
    deployment = load(FOLDER)
    try:
        if machines.load(credentials.state_folder(deployment)).digest != deployment.digest:
            return []
    except machines.MachinesError:
        return []
    with Progress() as progress:
        folders = [one.folder for one in deployment.together]
        up = _seconds(lambda: [provisioning.up(folder, progress) for folder in folders])
        apply = _seconds(lambda: configure.apply(folders, progress))
    proof = _seconds(lambda: verify(deployment))
    return [
        Figure("no-op provisioning of the lab", up, 15, "s"),
        Figure("no-op configuration of all hosts, partners' too", apply, 60, "s"),
        Figure("verify, read only", proof, 60, "s"),
    ]

"""A second run changes nothing, costs few tasks, and check mode tells the truth."""

from __future__ import annotations

import pytest

from edgewright import plan
from edgewright.model.deployment import Deployment
from edgewright.provision import configure
from edgewright.provision import up as provisioning
from edgewright.provision.configure import Applied
from edgewright.provision.progress import Progress

MOST = {"vantage": 6, "firewall_outer": 6, "firewall_inner": 6}
"""Module tasks per host in a run that changes nothing; 12 for every other kind."""


@pytest.fixture(scope="module")
def again(deployment: Deployment) -> Applied:
    """The playbook run over a lab that is as described, and over its partners'."""
    with Progress() as progress:
        return configure.apply([one.folder for one in deployment.together], progress)


def test_nothing_changes(again: Applied) -> None:
    assert again.failures == []
    assert {name: host.changed for name, host in again.hosts.items() if host.changed} == {}
    assert again.hosts


def test_few_tasks(again: Applied, deployment: Deployment) -> None:
    kinds = {h.name: h.kind for one in deployment.together for h in plan.make(one).hosts.values()}
    too_many = {
        name: host.modules for name, host in again.hosts.items() if host.modules > MOST.get(kinds[name], 12)
    }
    assert too_many == {}


def test_check_mode_agrees(deployment: Deployment) -> None:
    with Progress() as progress:
        found = configure.apply([one.folder for one in deployment.together], progress, check=True)
    assert found.failures == []
    assert not found.changed


def test_provisioning_changes_nothing(deployment: Deployment) -> None:
    with Progress() as progress:
        for one in deployment.together:
            assert not provisioning.up(one.folder, progress).changed

"""A proof that is killed while a setting is turned over: the hosts themselves put it back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from edgewright.model.deployment import Deployment
from edgewright.provision import policies

SAFETY = 25
"""Seconds after which hosts put back what was turned over; in a proof it is longer (`disruption.SAFETY`)."""
CODE = """
import sys
from edgewright import cli
from edgewright.proof import disruption
disruption.SAFETY = int(sys.argv.pop(1))
cli.main()
"""


@pytest.fixture(autouse=True)
def described(deployment: Deployment, request: pytest.FixtureRequest) -> None:
    """Only where the proof may change something; and it begins as described."""
    if request.config.getoption("--read-only"):
        pytest.skip("--read-only")
    policies.apply(policies.target(deployment))


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Raises AssertionError if it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def differing(deployment: Deployment) -> dict[str, str]:
    """What `edgewright status` says of hosts that do not run what is described."""
    found = policies.drift(policies.target(deployment))
    return {one.host: one.state for one in found if not one.good}


def turned(deployment: Deployment) -> bool:
    """Whether a host runs what is not described; one that only stages does not yet."""
    return any("runs other" in state for state in differing(deployment).values())


def kill_in_a_flip(deployment: Deployment) -> None:
    """Run a proof that turns an account over, and kill it while that is in force."""
    for _ in range(4):
        kill_when_turned(deployment)
        # It may have put it back itself while the hosts were being asked.
        if turned(deployment):
            return
        policies.apply(policies.target(deployment))
    pytest.fail("it was never killed in the middle")


def kill_when_turned(deployment: Deployment) -> None:
    """As soon as that is in force."""
    argv = ["verify", str(deployment.folder), "--disrupt", "--only", "policy/*/enabled-*"]
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(SAFETY), *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: turned(deployment) or process.poll() is not None, 90, "nothing was turned over")
        assert process.poll() is None, "it ended before"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def test_the_hosts_put_it_back(deployment: Deployment) -> None:
    kill_in_a_flip(deployment)
    said = differing(deployment)
    assert any("runs other" in state for state in said.values()), "status says so meanwhile"
    wait_for(lambda: not differing(deployment), SAFETY + 20, f"still {differing(deployment)}")
    done = policies.apply(policies.target(deployment))
    assert not any(host.changed for host in done.hosts)


def test_the_next_apply_does_so_sooner(deployment: Deployment) -> None:
    kill_in_a_flip(deployment)
    policies.apply(policies.target(deployment))
    assert not differing(deployment)
    time.sleep(SAFETY + 3)
    assert not differing(deployment), "the hosts' own way back changes nothing any more"

"""The lab for real: engine, provider, podman. The tests build on each other, as an operator's days do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cases
import pytest

from edgewright.provision import up
from edgewright.provision.shell import ProvisionError

if TYPE_CHECKING:
    from conftest import Lab

pytestmark = pytest.mark.lab


def test_hosts_run_and_are_reached_by_pinned_keys(lab: Lab) -> None:
    assert lab.up("full").changed
    for name, host in cases.CASES["full"].hosts.items():
        assert lab.ssh(name, "hostname --fqdn; systemctl is-system-running") == f"{host.fqdn}\nrunning"
        assert lab.addresses(name) == {str(address) for address in host.addresses()}


def test_second_run_changes_nothing(lab: Lab) -> None:
    done = lab.up("full")
    assert not done.changed
    assert set(done.counts) == {"unchanged"}


@pytest.mark.parametrize(
    ("source", "target", "reached"),
    [
        ("alpha1", "198.18.45.4", True),
        ("alpha1", "2001:db8:45::6", True),
        ("only4", "198.18.44.61", True),
        ("only6", "2001:db8:44::61", True),
        ("only4", "2001:db8:44::21", False),
        ("only6", "198.18.44.21", False),
    ],
)
def test_the_only_way_is_through_the_router(lab: Lab, source: str, target: str, reached: bool) -> None:
    answer = lab.ssh(source, f"ping -c 1 -W 2 {target} >/dev/null 2>&1 && echo yes || echo no")
    assert answer == ("yes" if reached else "no")


def test_no_default_route_but_the_given_one(lab: Lab) -> None:
    assert lab.ssh("alpha1", "ip route show default; ip -6 route show default") == ""
    only4 = lab.ssh("only4", "ip route show default; ip -6 route show default")
    assert only4 == "default via 198.18.45.2 dev eth0 proto static metric 50"


def test_addresses_and_routes_survive_a_restart(lab: Lab) -> None:
    before = lab.addresses("alpha1")
    lab.podman("restart", lab.name("alpha1"))
    up.close_connections(lab.place, cases.NAME)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if lab.ssh("alpha1", "systemctl is-system-running") == "running":
                break
        except subprocess.CalledProcessError:
            time.sleep(0.3)
    assert lab.addresses("alpha1") == before
    assert "198.18.45.0/24 via 198.18.44.2" in lab.ssh("alpha1", "ip route")


def test_what_happened_by_hand_is_put_right(lab: Lab) -> None:
    lab.ssh("alpha1", "echo kept >/var/lib/state/file")
    ids = {name: lab.container(name) for name in cases.CASES["full"].hosts}
    lab.ssh("router1", "ip address delete 198.18.45.2/24 dev eth1")
    lab.podman("stop", "--time", "1", lab.name("only4"))
    lab.podman("pause", lab.name("only6"))
    lab.podman("rm", "--force", "--time", "0", lab.name("alpha1"))
    done = lab.up("full")
    assert (done.counts["updated"], done.counts["created"]) == (3, 1)
    assert {name for name in ids if lab.container(name) != ids[name]} == {"alpha1"}
    for name, host in cases.CASES["full"].hosts.items():
        assert lab.addresses(name) == {str(address) for address in host.addresses()}
    assert lab.ssh("alpha1", "cat /var/lib/state/file") == "kept"


def test_a_host_that_died_with_its_keeper_is_made_anew(lab: Lab) -> None:
    """As the kernel's out-of-memory killer leaves it: podman goes on saying that it runs."""
    before = lab.container("alpha1")
    lab.ssh("alpha1", "echo kept >/var/lib/state/file")
    keeper, init = lab.podman(
        "inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", lab.name("alpha1")
    ).split()
    os.kill(int(keeper), signal.SIGKILL)
    os.kill(int(init), signal.SIGKILL)
    up.close_connections(lab.place, cases.NAME)
    done = lab.up("full")
    assert done.counts["updated"] == 1
    assert lab.container("alpha1") != before
    assert lab.addresses("alpha1") == {str(a) for a in cases.CASES["full"].hosts["alpha1"].addresses()}
    assert lab.ssh("alpha1", "cat /var/lib/state/file") == "kept"


def test_addresses_and_routes_change_in_place(lab: Lab) -> None:
    ids = {name: lab.container(name) for name in cases.CASES["full"].hosts}
    done = lab.up("changed")
    assert (done.counts["updated"], done.counts.get("replaced")) == (2, None)
    assert {"198.18.44.101", "2001:db8:44::101"} <= lab.addresses("alpha1")
    assert lab.ssh("only6", "ip -6 route show default") == ""
    assert lab.up("full").counts["updated"] == 2
    assert "198.18.44.101" not in lab.addresses("alpha1")
    assert {name: lab.container(name) for name in ids} == ids


def test_what_is_taken_out_of_the_plan_goes(lab: Lab) -> None:
    assert lab.up("smaller").counts["deleted"] == 3, "two hosts and the component that held them"
    assert sorted(lab.left()) == sorted(
        lab.name(one) for one in ("router1", "alpha1", "a", "b", "alpha1-var-lib-state")
    )


def test_what_is_not_ours_is_left_alone(lab: Lab) -> None:
    image = lab.podman("inspect", "--format", "{{.ImageName}}", lab.name("alpha1"))
    foreign = lab.name("only4")
    lab.podman("run", "--detach", "--name", foreign, "--network", "none", image, "sleep", "600")
    try:
        with pytest.raises(ProvisionError, match="was not made by this lab"):
            lab.up("full")
        assert lab.podman("inspect", "--format", "{{.State.Status}}", foreign) == "running"
    finally:
        lab.podman("rm", "--force", "--time", "0", foreign)
    assert lab.up("full").changed


def test_a_killed_run_is_resumed(lab: Lab) -> None:
    lab.down()
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from pathlib import Path\nimport cases\nfrom edgewright.provision import up\n"
        "from edgewright.provision.progress import Progress\n"
        "up.plan_of = lambda folder: cases.CASES['full']\n"
        f"with Progress() as progress: up.up(Path({str(lab.folder('full'))!r}), progress)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(lab.name("router1") in line for line in lab.left()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert lab.up("full").changed
    assert not lab.up("full").changed
    assert lab.ssh("only6", "echo well") == "well"


def test_down_leaves_nothing(lab: Lab) -> None:
    lab.down()
    assert lab.left() == []
    assert not lab.place.sockets(cases.NAME).exists()
    assert not (lab.place.deployment(cases.NAME) / "machines.json").exists()
    assert lab.down().counts == {}

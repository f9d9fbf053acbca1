"""machines.json and ssh's files beside it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import plans
import pytest

from edgewright import machines as reader
from edgewright.provision import machines
from edgewright.provision.machines import Reached
from edgewright.provision.paths import Paths
from edgewright.provision.shell import ProvisionError

PLAN = plans.every_kind()
REACHED = {
    name: Reached(address=str(host.addresses()[0]), host_key=f"ssh-ed25519 {name}")
    for name, host in PLAN.hosts.items()
    if host.existing is None
} | machines.existing(PLAN)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(Paths, "sockets", lambda self, name: tmp_path / f"run-{name}")
    return Paths(tmp_path, tmp_path / "cache")


def test_what_is_written_is_what_everything_after_reads(place: Paths) -> None:
    machines.write(place, PLAN, REACHED)
    found = reader.load(place.deployment("sample"))
    assert (found.deployment, found.digest, sorted(found.hosts)) == (
        "sample",
        PLAN.digest,
        sorted(PLAN.hosts),
    )
    edge, existing = found.hosts["edge1"], found.hosts["fe2"]
    assert (edge.address, edge.port, edge.user, edge.host_key) == (
        "198.18.40.21",
        22,
        "root",
        "ssh-ed25519 edge1",
    )
    assert edge.interfaces["eth0"]["extra"] == [
        "198.18.40.61", "2001:db8:40::61", "198.18.40.101", "2001:db8:40::101",
    ]  # fmt: skip
    assert (existing.address, existing.port, existing.user) == ("198.18.42.62", 2222, "admin")
    assert found.hosts["client6"].interfaces["eth0"]["ipv4"] is None
    assert found.hosts["client6"].surroundings


def test_a_host_that_was_not_made_is_named() -> None:
    with pytest.raises(ProvisionError, match="edge1"):
        machines.build(PLAN, {name: one for name, one in REACHED.items() if name != "edge1"})


def test_host_keys_are_pinned_for_name_and_address() -> None:
    lines = machines.known_hosts(machines.build(PLAN, REACHED)).splitlines()
    assert "edge1,198.18.40.21 ssh-ed25519 edge1" in lines
    assert "[fe2]:2222,[198.18.42.62]:2222 ssh-ed25519 AAAAexisting" in lines
    assert "client6,2001:db8:40::206 ssh-ed25519 client6" in lines
    assert len(lines) == len(PLAN.hosts)


def test_ssh_is_strict_and_only_lab_hosts_get_our_key(place: Paths) -> None:
    machines.write(place, PLAN, REACHED)
    text = (place.deployment("sample") / "ssh_config").read_text()
    sections = {part.split("\n", 1)[0]: part for part in text.split("Host ")[1:]}
    assert "StrictHostKeyChecking yes" in sections["*"]
    assert "ControlPersist" in sections["*"]
    assert "IdentityFile" in sections["edge1 198.18.40.21"]
    assert "IdentityFile" not in sections["fe2 198.18.42.62"]


def test_the_login_key_is_made_once_and_is_private(place: Paths) -> None:
    first = machines.login_key(place, "sample")
    assert first == machines.login_key(place, "sample")
    assert first.startswith("ssh-ed25519 AAAA")
    file = place.deployment("sample") / "id_ed25519"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_writing_again_gives_the_same_bytes(place: Paths) -> None:
    target = machines.write(place, PLAN, REACHED)
    before = target.read_bytes()
    assert json.loads(before)["schema"] == 1
    assert machines.write(place, PLAN, dict(reversed(REACHED.items()))).read_bytes() == before

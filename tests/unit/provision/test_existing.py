"""A host that is there already beside those that provisioning makes: from the description to ssh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewright.model import InputErrors, load
from edgewright.plan import make
from edgewright.plan.types import Plan
from edgewright.proof import cells
from edgewright.proof.scope import Scope
from edgewright.provision import machines
from edgewright.provision.machines import Reached
from edgewright.provision.paths import Paths

ROOT = Path(__file__).parents[3]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8hXBLMAnrMbPdUgmwbrDJJs10VJsgiLY6y9cnl4Kfs"
FRONT_END = f'{{name: fe1, existing: {{address: 192.0.2.7, host_key: "{KEY}", user: operator, port: 2222}}}}'


def described(folder: Path, front_end: str = FRONT_END) -> Path:
    """The minimal deployment, its Front End given by the operator."""
    mixed = folder / "mixed"
    mixed.mkdir()
    for file in (ROOT / "inventory" / "minimal").iterdir():
        text = file.read_text()
        (mixed / file.name).write_text(text.replace("hosts: [fe1]", f"hosts: [{front_end}]"))
    return mixed


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make(load(described(tmp_path)))


def test_it_is_not_made_but_reached_where_the_operator_says(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Paths, "sockets", lambda self, name: tmp_path / "run")
    given = machines.existing(plan)
    assert given == {"fe1": {"address": "192.0.2.7", "host_key": KEY}}
    made = {name: Reached(address="198.18.8.9", host_key="ssh-ed25519 AAAA") for name in plan.hosts}
    machines.write(Paths(tmp_path, tmp_path), plan, {**made, **given})
    folder = tmp_path / ".edgewright" / "mixed"
    found = json.loads((folder / "machines.json").read_text())["hosts"]
    assert {name: (host["user"], host["port"]) for name, host in found.items()} == {
        "client1": ("root", 22),
        "edge1": ("root", 22),
        "fe1": ("operator", 2222),
        "fwin1": ("root", 22),
    }
    assert f"[fe1]:2222,[192.0.2.7]:2222 {KEY}" in (folder / "known_hosts").read_text()
    config = (folder / "ssh_config").read_text()
    own = config.partition("Host fe1 192.0.2.7\n")[2].partition("Host ")[0]
    assert "User operator" in own
    assert "IdentityFile" not in own, "the operator's own keys"


def test_it_may_ask_for_time_and_packages_and_the_others_may_not(plan: Plan) -> None:
    asking = {host for flow in plan.flows if flow.row in ("L06", "L13") for host in flow.source.hosts}
    assert asking == {"fe1"}


def test_its_own_way_out_is_not_tried_where_the_plan_knows_of_none(tmp_path: Path, plan: Plan) -> None:
    deployment = load(tmp_path / "mixed")
    ids = [case.cell.id for case in cells.make(Scope(deployment, plan))]
    assert not [one for one in ids if "/L06-" in one or "/L13-" in one]


@pytest.mark.parametrize(
    ("front_end", "said"),
    [
        (FRONT_END.replace("address: 192.0.2.7, ", ""), "'address' is missing"),
        (FRONT_END.replace("host_key", "hostkey"), "did you mean 'host_key'?"),
        (FRONT_END.replace("192.0.2.7", "fe1.example"), "192.0.2.7|IP"),
        (FRONT_END.replace("port: 2222", "port: ssh"), "whole number"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, front_end: str, said: str) -> None:
    with pytest.raises(InputErrors) as errors:
        load(described(tmp_path, front_end))
    assert any(word in str(errors.value) for word in said.split("|")), errors.value

"""Inventory checks, and what `apply` makes of the playbook's events."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgewright import machines, model, plan
from edgewright.provision import configure
from edgewright.provision.paths import Paths

ROOT = Path(__file__).parents[3]


def provisioned(clone: Path, name: str) -> dict[str, Any]:
    """The document of machines that were made for a shipped deployment; its hosts."""
    deployment = model.load(ROOT / "inventory" / name)
    planned = plan.make(deployment)
    folder = clone / ".edgewright" / name
    folder.mkdir(parents=True)
    hosts = {
        name: {
            "address": str(host.addresses()[0]),
            "port": 22,
            "user": "root",
            "host_key": "k",
            "kind": host.kind,
            "roles": list(host.roles),
            "interfaces": {
                i.name: {
                    "ipv4": str(i.ipv4) if i.ipv4 else None,
                    "ipv6": str(i.ipv6) if i.ipv6 else None,
                    "extra": [str(address) for address in i.extra],
                }
                for i in host.interfaces
            },
        }
        for name, host in planned.hosts.items()
    }
    document = {"schema": 1, "deployment": name, "digest": deployment.digest, "hosts": hosts}
    (folder / "machines.json").write_text(json.dumps(document))
    return hosts


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A state folder with machines made for the shipped minimal deployment."""
    hosts = provisioned(tmp_path, "minimal")
    hosts["fe1"]["user"] = "admin"
    edit(tmp_path, hosts=hosts)
    return tmp_path


def inventory(clone: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "ansible-inventory"
    return subprocess.run(
        [str(program), "-i", str(ROOT / "inventory/minimal"), "--list"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(clone),
    )


def environment(clone: Path) -> dict[str, str]:
    config = {"EDGEWRIGHT_ROOT": str(clone), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NO_COLOR": "1"}
    return {**os.environ, **config}


def edit(clone: Path, **changes: Any) -> None:
    path = clone / ".edgewright/minimal/machines.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_inventory(clone: Path) -> None:
    done = inventory(clone)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["edge"]["hosts"] == ["edge1"]
    assert set(found["site_office"]["hosts"]) == {"edge1", "fe1", "fwin1"}
    assert found["surroundings"]["hosts"] == ["client1"]
    edge = found["_meta"]["hostvars"]["edge1"]
    assert edge["edgewright_kind"] == "edge"
    assert edge["base"]["fqdn"] == {"__ansible_unsafe": "edge1.inside.minimal.example"}, "never a template"
    assert "-F " in edge["ansible_ssh_common_args"]
    assert edge["ansible_become"] is False
    assert found["_meta"]["hostvars"]["fe1"]["ansible_become"] is True, (
        "an existing host, reached by another user"
    )
    assert "users" not in found, "users.yml is not an inventory"


def test_machines_are_missing(clone: Path) -> None:
    (clone / ".edgewright/minimal/machines.json").unlink()
    done = inventory(clone)
    assert done.returncode != 0
    assert "run `edgewright up minimal` first" in done.stderr


def test_machines_are_of_another_description(clone: Path) -> None:
    path = clone / ".edgewright/minimal/machines.json"
    hosts = json.loads(path.read_text())["hosts"]
    next(iter(hosts["fe1"]["interfaces"].values()))["ipv4"] = "192.0.2.1"
    edit(clone, digest="0" * 64, hosts=hosts)
    done = inventory(clone)
    assert done.returncode != 0
    assert "was changed after its machines were made" in done.stderr
    assert "fe1 has other addresses" in done.stderr


def test_machines_outlive_a_change_of_policy(clone: Path) -> None:
    edit(clone, digest="0" * 64)
    assert inventory(clone).returncode == 0


def test_a_machine_is_missing(clone: Path) -> None:
    path = clone / ".edgewright/minimal/machines.json"
    hosts = json.loads(path.read_text())["hosts"]
    del hosts["fe1"]
    edit(clone, hosts=hosts)
    assert "has no fe1" in inventory(clone).stderr


def test_machines_of_another_schema(clone: Path) -> None:
    edit(clone, schema=7)
    with pytest.raises(machines.MachinesError, match="schema 7"):
        machines.load(clone / ".edgewright/minimal")


class Step:
    def say(self, detail: str) -> None:
        """Show nothing."""


def result(host: str, status: str, **more: Any) -> str:
    given = {
        "event": "result", "host": host, "role": "base", "name": "n", "status": status, "module": True,
        "seconds": 1.0, "message": "", "actions": [], "paths": [], "diff": "", **more,
    }  # fmt: skip
    return json.dumps(given)


def test_events_are_counted() -> None:
    lines = [
        json.dumps({"event": "play", "name": "p", "hosts": ["a", "b", "c"]}),
        json.dumps({"event": "start", "host": "a", "role": "base"}),
        result("a", "changed", actions=["restart d.service"], paths=["/etc/d"], diff="+x"),
        result("a", "ok", module=False),
        result("a", "skipped", module=False, seconds=None),
        json.dumps({"event": "play", "name": "the next", "hosts": ["a"]}),
        result("b", "failed", message="no space"),
        result("c", "ok"),
        json.dumps({"event": "end", "hosts": {}}),
    ]
    done = configure._follow(iter(lines), configure.Applied(check=False), Step())  # type: ignore[arg-type]
    a = done.hosts["a"]
    assert (a.ok, a.changed, a.skipped, a.modules) == (2, 1, 1, 1)
    assert done.changed
    assert not done.good
    assert done.failures == [configure.Failure("b", "base", "n", "no space")]
    assert done.actions == [("a", "restart d.service")]
    assert done.diffs == [("a", "+x")]
    assert configure.summary(done) == "3 hosts, 1 changed, 1 failed"


def test_command_line_is_what_one_would_type() -> None:
    place = Paths(root=ROOT, cache=ROOT)
    argv = configure.command(
        place,
        [Path("inventory/x"), Path("inventory/y")],
        limit=["a", "b"],
        tags=["base"],
        check=True,
        diff=True,
    )
    assert argv[1:] == [
        "-i", "inventory/x", "-i", "inventory/y", str(ROOT / "playbooks/site.yml"), "--limit", "a,b",
        "--tags", "base", "--check", "--diff",
    ]  # fmt: skip
    assert configure.environment(place)["ANSIBLE_STRATEGY"] == "mitogen_linear"


@pytest.fixture
def sysctl(tmp_path: Path) -> Any:
    """The program of role base, with another /proc/sys."""
    text = (ROOT / "roles/base/files/sysctl").read_text().replace('"/proc/sys"', repr(str(tmp_path / "sys")))
    program = tmp_path / "sysctl"
    program.write_text(text)
    (tmp_path / "sys/net").mkdir(parents=True)
    (tmp_path / "sys/net/a").write_text("0\n")

    def run(verb: str, lines: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "conf").write_text(lines)
        argv = [sys.executable, str(program), verb, str(tmp_path / "conf")]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    return run


def test_sysctl_sets_what_differs_and_only_that(sysctl: Any, tmp_path: Path) -> None:
    assert sysctl("check", "# c\nnet.a = 0\nnet.gone = 1\n").returncode == 0
    assert "net.a is not 1" in sysctl("check", "net.a = 1\n").stderr
    assert sysctl("apply", "net.a = 1\n").returncode == 0
    assert (tmp_path / "sys/net/a").read_text() == "1"


def test_deployments_together(clone: Path) -> None:
    """Each host has its own deployment's variables; a name that is in both is said, not merged."""
    script = """
import sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
loader = DataLoader()
inventory = InventoryManager(loader=loader, sources=sys.argv[1:])
variables = VariableManager(loader=loader, inventory=inventory)
for host in inventory.get_hosts():
    print(host.name, variables.get_vars(host=host)["edgewright_deployment"])
"""
    for name in ("contoso", "fabrikam"):
        provisioned(clone, name)

    def listed(*names: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *(str(ROOT / "inventory" / name) for name in names)],
            capture_output=True, text=True, check=False, cwd=ROOT, env=environment(clone),
        )  # fmt: skip

    both = listed("contoso", "fabrikam")
    assert both.returncode == 0, both.stderr
    found = dict(line.split() for line in both.stdout.splitlines())
    assert (found["edge1"], found["fab-edge1"]) == ("contoso", "fabrikam")
    twice = listed("contoso", "minimal")
    assert "minimal has a host edge1 and so has a deployment given before it" in twice.stderr


def test_inventory_plugin_is_the_only_one() -> None:
    spec = importlib.util.spec_from_file_location(
        "edgewright_inventory", ROOT / "plugins/inventory/edgewright.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plugin = module.InventoryModule()
    assert not plugin.verify_file(str(ROOT / "inventory/contoso/users.yml"))
    assert plugin.verify_file(str(ROOT / "inventory/contoso/edgewright.yml"))

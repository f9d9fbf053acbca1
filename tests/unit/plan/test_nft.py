"""Packet filters: the kernel takes them, twice, and its counters go on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from edgewright.plan import nft

needs_kernel = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("unshare"),
    reason="a network namespace of its own needs root, nft and unshare",
)


def in_namespace(script: str) -> str:
    done = subprocess.run(["unshare", "-n", "sh", "-ec", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_kernel
def test_the_kernel_takes_every_ruleset_twice(plan, tmp_path):
    names = []
    for host in plan.hosts.values():
        rules = nft.router_rules if host.forwarding else nft.host_rules
        path = tmp_path / f"{host.name}.nft"
        path.write_text(rules(plan, host))
        names.append(path)
    in_namespace("\n".join(f"nft -f {path}; nft -f {path}; nft flush ruleset" for path in names))


@needs_kernel
def test_counters_outlive_a_reload(plan_of, tmp_path):
    plan = plan_of("contoso")
    path = tmp_path / "edge1.nft"
    path.write_text(nft.host_rules(plan, plan.hosts["edge1"]))
    send = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.bind(('198.18.1.21', 0))\n"
        "s.sendto(b'', ('198.18.1.99', 53))\n"
        "try: s.sendto(b'', ('198.18.1.99', 9))\n"
        "except PermissionError: pass\n"
    )
    out = in_namespace(
        f"""ip link set lo up
        ip link add eth0 type veth peer name far
        ip link set eth0 up; ip link set far up
        ip address add 198.18.1.21/24 dev eth0
        nft -f {path}
        python3 -c "{send}"
        nft -f {path}
        nft -j list counters"""
    )
    counters = {
        c["counter"]["name"]: c["counter"]["packets"] for c in json.loads(out)["nftables"] if "counter" in c
    }
    assert counters["E17-edge"] == 1
    assert counters["drop_out"] == 1
    assert set(counters) == set(nft.counters(plan, plan.hosts["edge1"]))


def test_default_deny_everywhere(plan):
    for host in plan.hosts.values():
        text = nft.host_rules(plan, host)
        assert "hook input priority filter; policy drop;" in text
        assert ("hook output priority filter; policy drop;" in text) == (not host.surroundings)
        if host.forwarding:
            assert "hook forward priority filter; policy drop;" in nft.router_rules(plan, host)


def test_inactive_flows_open_nothing(plan):
    closed = {flow.id for flow in plan.flows if not flow.active}
    for host in plan.hosts.values():
        assert not closed & set(nft.counters(plan, host))


def test_every_active_flow_into_the_organisation_has_its_counters(plan):
    for flow in plan.flows:
        for name in flow.target.hosts if flow.active else ():
            assert flow.id in nft.counters(plan, plan.hosts[name])


def test_outer_and_inner_firewalls_let_different_things_pass(plan_of):
    plan = plan_of("contoso")
    outer = nft.router_rules(plan, plan.hosts["fwout1"])
    inner = nft.router_rules(plan, plan.hosts["fwin1"])
    assert '"E01-edge"' in outer
    assert '"E01-edge"' not in inner
    assert '"I02-edge"' in inner
    assert '"I02-edge"' not in outer
    assert '"L15-fe"' not in outer + inner


def test_what_is_taken_out_is_gone(plan_of, variant):
    plan = variant("contoso", lambda t: t["sites"]["hq"].pop("reverse_proxy"))
    text = nft.router_rules(plan, plan.hosts["fwout1"])
    assert "R01" not in text
    assert "198.18.1.141" not in text

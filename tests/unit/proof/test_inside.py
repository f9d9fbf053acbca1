"""What inside checks make of a host's answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgewright import plan
from edgewright.model import load
from edgewright.plan import nft
from edgewright.proof.inside import CHECKS, Failed
from edgewright.proof.inside.checks import Context, daemons, listeners, written
from edgewright.proof.scope import Scope

ROOT = Path(__file__).parents[3]


@dataclass
class Done:
    stdout: str
    rc: int = 0
    stderr: str = ""


@dataclass
class Host:
    """A host that gives prepared answers: first word(s) of a command -> answer."""

    answers: dict[str, Done] = field(default_factory=dict)

    def run(self, command: str) -> Any:
        for start, done in self.answers.items():
            if command.startswith(start):
                return done
        return Done("", 127, "not prepared")


@pytest.fixture(scope="module")
def scope() -> Scope:
    deployment = load(ROOT / "inventory" / "contoso")
    return Scope(deployment, plan.make(deployment))


def check(scope: Scope, host: str, name: str, answers: dict[str, Done]) -> dict[str, Any] | None:
    return CHECKS[name].run(Context(scope, scope.plan.hosts[host], Host(answers)))


def test_listeners_are_read_from_ss() -> None:
    text = (
        "udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*\n"
        "tcp LISTEN 0 128 198.18.1.21:443 0.0.0.0:*\n"
        "tcp LISTEN 0 128 [2001:db8:0:2::21]:5061 [::]:*\n"
        "tcp LISTEN 0 128 [::1]:5432 [::]:*\n"
        "tcp LISTEN 0 128 *:22 *:*\n"
        "tcp LISTEN 0 128 [fe80::1]%eth0:9 *:*\n"
    )
    assert listeners(text) == {("tcp", 443), ("tcp", 5061), ("tcp", 22), ("tcp", 9)}


def test_a_listener_without_a_flow_fails(scope: Scope) -> None:
    good = "tcp LISTEN 0 128 198.18.1.21:443 0.0.0.0:*\ntcp LISTEN 0 128 *:22 *:*\n"
    assert check(scope, "edge1", "listeners", {"ss": Done(good)}) == {"listens": ["tcp 22", "tcp 443"]}
    with pytest.raises(Failed, match="tcp 8888"):
        check(scope, "edge1", "listeners", {"ss": Done(good + "tcp LISTEN 0 128 0.0.0.0:8888 0.0.0.0:*\n")})


@pytest.mark.parametrize(
    ("mode", "owner", "good"),
    [("640", "0", True), ("600", "0", True), ("644", "0", False), ("660", "0", False), ("640", "101", False)],
)
def test_keys_are_for_their_daemon_alone(scope: Scope, mode: str, owner: str, good: bool) -> None:
    answers = {"find": Done(f"{mode} {owner} kamailio /etc/x/privkey.pem\n")}
    if good:
        assert check(scope, "edge1", "keys", answers) == {"keys": 1}
    else:
        with pytest.raises(Failed, match=r"privkey\.pem"):
            check(scope, "edge1", "keys", answers)


def rules(
    scope: Scope, *, extra: str = "", missing: str = "", policy: str = "drop", hole: bool = False
) -> dict[str, Done]:
    host = scope.plan.hosts["edge1"]
    names = [n for n in nft.counters(scope.plan, host) if n != missing] + ([extra] if extra else [])
    document: list[dict[str, Any]] = [{"counter": {"table": nft.HOST_TABLE, "name": name}} for name in names]
    document.append({"chain": {"table": nft.HOST_TABLE, "name": "input", "hook": "input", "policy": policy}})
    for (table, chain), planned in written(nft.host_rules(scope.plan, host)).items():
        counted = ["", *planned] if hole and chain == "input" else planned
        for name in counted:
            expr = [{"match": {}}, *([{"counter": name}] if name else []), {"accept": None}]
            document.append({"rule": {"table": table, "chain": chain, "expr": expr}})
    return {"nft -j": Done(json.dumps({"nftables": document}))}


def test_loaded_rules_are_compared_with_the_plan(scope: Scope) -> None:
    assert check(scope, "edge1", "firewall", rules(scope))
    faults: list[tuple[dict[str, Any], str]] = [
        ({"extra": "X99"}, "X99"),
        ({"missing": "E01-edge"}, "E01-edge"),
        ({"policy": "accept"}, "accepts"),
        ({"hole": True}, "chain input"),
    ]
    for fault, said in faults:
        with pytest.raises(Failed, match=said):
            check(scope, "edge1", "firewall", rules(scope, **fault))


def test_every_rule_of_the_plan_is_seen(scope: Scope) -> None:
    found = written(nft.host_rules(scope.plan, scope.plan.hosts["edge1"]))
    assert found[nft.HOST_TABLE, "input"][0] == "", "the loopback"
    assert found[nft.HOST_TABLE, "input"][-1] == "drop_in"
    assert "E01-edge" in found[nft.HOST_TABLE, "input"]


def test_a_daemon_that_is_down_and_a_failed_unit_are_found(scope: Scope) -> None:
    units = daemons(scope.plan.hosts["edge1"])
    running = "\n\n".join(f"success\n{unit}\nactive" for unit in units)
    assert check(
        scope, "edge1", "services", {"systemctl show": Done(running), "systemctl --failed": Done("")}
    )
    with pytest.raises(Failed, match=r"kamailio\.service does not run"):
        check(
            scope,
            "edge1",
            "services",
            {"systemctl show": Done(running.replace("kamailio.service\nactive", "kamailio.service\nfailed"))},
        )
    with pytest.raises(Failed, match=r"failed units: lego\.service"):
        check(
            scope,
            "edge1",
            "services",
            {
                "systemctl show": Done(running),
                "systemctl --failed": Done("lego.service loaded failed failed renewal"),
            },
        )


def test_a_command_that_fails_is_a_finding_with_what_it_said(scope: Scope) -> None:
    refused = Done("", 255, "CRITICAL: bad config file")
    with pytest.raises(Failed, match="bad config file"):
        check(scope, "edge1", "configuration", {"/usr/local/sbin/edgewright-kamailio-check": refused})

"""The lab's outside world: partners, impostor, domains astray, and two deployments on one Internet."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from edgewright.model import load
from edgewright.plan import PlanError, make
from edgewright.plan.types import Plan

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def fabrikam() -> Plan:
    return make(load(ROOT / "inventory" / "fabrikam"))


def values(plan: Plan, name: str) -> list[str]:
    return [
        r.value
        for z in plan.zones
        if z.view == "outside"
        for r in z.records
        if (r.name, r.type) == (name, "SRV")
    ]


def test_the_second_deployment_stands_on_the_first_ones_internet(
    plan_of: Callable[[str], Plan], fabrikam: Plan
):
    contoso = plan_of("contoso")
    assert {name: network.joined for name, network in fabrikam.networks.items()} == {
        "outside": "contoso-outside",
        "inside": None,
    }
    assert not any(network.joined for network in contoso.networks.values())
    world = [str(address) for address in contoso.hosts["world1"].addresses()]
    assert fabrikam.settings["fab-edge1"]["base"]["resolvers"] == world
    acme = fabrikam.settings["fab-edge1"]["certificates"]["acme"]
    assert (acme["directory"], acme["ca"], acme["tsig_key"]) == (
        "https://world1.outside.test:14000/dir",
        "world",
        "acme-fabrikam",
    )
    assert not set(contoso.hosts) & set(fabrikam.hosts)


def test_the_world_serves_partners_zones_and_each_deployments_challenges(plan_of: Callable[[str], Plan]):
    plan = plan_of("contoso")
    world = plan.settings["world1"]["lab_world"]
    keys = {zone["name"]: zone["key"] for zone in world["challenges"]}
    assert keys["_acme-challenge.sip.contoso.example"] == "acme"
    assert keys["_acme-challenge.sip.fabrikam.example"] == "acme-fabrikam"
    assert {key["name"] for key in world["keys"]} == {"acme", "acme-fabrikam"}
    strange = {zone.name for zone in plan.zones if zone.surroundings}
    served = {zone["name"] for zone in world["zones"]}
    assert strange <= served
    assert {"fabrikam.example", "wingtip.example", "woodgrove.example", "evil.example"} <= strange
    assert "deaddns.example" not in served
    assert not strange & {zone.name for zone in plan.zones if not zone.surroundings}


def test_names_lead_to_partners_and_astray(plan_of: Callable[[str], Plan]):
    plan = plan_of("contoso")
    srv = "_sipfederationtls._tcp."
    assert values(plan, f"{srv}fabrikam.example") == ["0 0 5061 sip.fabrikam.example."]
    assert values(plan, f"{srv}woodgrove.example") == ["0 0 5061 sip.wingtip.example."]
    assert values(plan, f"{srv}trick.example") == ["0 0 5061 sip.tailspin.example."]
    records = {(r.name, r.value) for z in plan.zones if z.name == "evil.example" for r in z.records}
    assert {("sip.evil.example", str(a)) for a in plan.hosts["impostor1"].addresses()} <= records


def test_partners_have_what_they_need_and_no_more(plan_of: Callable[[str], Plan]):
    plan = plan_of("contoso")
    wingtip, tailspin = (plan.settings[host]["lab_partner"] for host in ("wingtip3", "tailspin2"))
    assert wingtip["domains"] == ["wingtip.example", "woodgrove.example"]
    assert [slot["eku"] for slot in wingtip["slots"]] == [["server", "client"]]
    assert [slot["eku"] for slot in tailspin["slots"]] == [["server"]]
    assert {socket["name"] for socket in tailspin["sockets"]} == {"x6a", "x6b"}
    impostor = plan.settings["impostor1"]["lab_partner"]["slots"]
    assert {slot["name"]: slot["group"] for slot in impostor} == {
        "partner": "kamailio",
        "expired": "root",
        "self_signed": "root",
        "revoked": "root",
        "stranger": "root",
    }
    assert impostor[0]["sans"] == ["sip.impostor.example"]
    assert all("sip.fabrikam.example" in slot["sans"] for slot in impostor[1:])
    for host in ("client1", "edge1"):
        role = "lab_vantage" if host == "client1" else "certificates"
        assert plan.settings[host][role]["outside"] == ["world", "partners"]
    assert plan.settings["edge1"]["certificates"]["revoked"] == ["partners"]


def test_the_world_lets_partners_order_and_swallows_questions_about_dead_names(
    plan_of: Callable[[str], Plan],
):
    plan = plan_of("contoso")
    flow = next(flow for flow in plan.flows if flow.row == "L19")
    assert ip_network("198.18.0.21/32") in flow.source.networks
    rules = plan.settings["world1"]["base"]["filter"]
    assert '198.18.0.21 ip daddr 198.18.0.141 tcp dport 14000 counter name "L19" accept' in rules
    assert rules.count('counter name "drop_question" drop') == 5


def test_an_operators_own_roots_and_lists(variant: Callable[..., Plan]):
    given = {"partner_roots": ["partners.pem"], "revoked": ["partners.crl"]}
    plan = variant("minimal", lambda topology: topology["certificates"].update(given))
    settings = plan.settings["edge1"]["certificates"]
    assert [Path(one).name for one in settings["outside"][-1:] + settings["revoked"]] == [
        "partners.pem",
        "partners.crl",
    ]


def test_no_address_on_the_internet_is_given_twice(variant: Callable[..., Plan]):
    def take(surroundings: dict[str, Any]) -> None:
        surroundings["vantages"]["client1"] = {"addresses": {"ipv4": "198.18.0.21"}}

    with pytest.raises(PlanError, match=r"198\.18\.0\.21 in network outside is already contoso's client1's"):
        variant("contoso", lambda topology: None, take)

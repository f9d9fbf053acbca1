"""Which cells follow from a description: complete, each refusal with its control, nothing secret in them."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from edgewright import plan
from edgewright.model import load
from edgewright.proof import cells, closed, flows, names
from edgewright.proof.case import Case
from edgewright.proof.scope import Scope

ROOT = Path(__file__).parents[3]
FOLDERS = ["inventory/contoso", "inventory/minimal", "tests/deployments/two-of-each"]


@cache
def scope(folder: str) -> Scope:
    deployment = load(ROOT / folder)
    return Scope(deployment, plan.make(deployment))


@cache
def made(folder: str) -> dict[str, Case]:
    return {case.cell.id: case for case in cells.make(scope(folder))}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_refusal_has_a_control_that_must_work(folder: str) -> None:
    cases = made(folder)
    for case in cases.values():
        if not case.cell.expected.allowed:
            assert case.cell.control in cases, case.cell.id
            assert cases[case.cell.control].cell.expected.allowed, case.cell.id


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_cell_carries_a_password_and_all_can_be_written_as_json(folder: str) -> None:
    for case in made(folder).values():
        assert case.cell.arguments.get("password") in (None, "right", "wrong")
        json.dumps(asdict(case.cell))


def test_every_family_of_every_vantage_has_a_seat() -> None:
    seats = [(str(seat), seat.side) for seat in scope("inventory/contoso").seats]
    assert seats == [
        ("client1/ipv4", "outside"),
        ("client1/ipv6", "outside"),
        ("client4/ipv4", "outside"),
        ("client6/ipv6", "outside"),
        ("desk1/ipv4", "inside"),
        ("desk1/ipv6", "inside"),
    ]


@pytest.mark.parametrize("seat", ["client1/ipv4", "client1/ipv6", "client4/ipv4", "client6/ipv6"])
def test_the_sign_ins_that_the_issue_asks_for_are_there(seat: str) -> None:
    cases = made("inventory/contoso")

    def expected(name: str) -> tuple[bool, str | None, str | None]:
        case = cases[f"sign-in/{seat}/{name}"]
        like = case.same_as.rpartition("/")[2] if case.same_as else None
        return case.cell.expected.allowed, case.cell.expected.reason, like

    reference = "alice-wrong-password"
    assert expected("alice") == (True, None, None)
    assert expected("bob") == (True, None, None)
    assert expected("carol") == (False, "outside-access-off", None)
    assert expected("gina")[1:] == ("account-disabled", reference)
    assert expected(reference) == (False, "wrong-password", None)
    assert expected("carol-wrong-password")[1:] == ("wrong-password", reference)
    assert expected("gina-wrong-password")[2] == reference
    assert expected("nobody-has-this-name-wrong-password")[1:] == ("unknown-user", reference)
    assert cases[f"sign-in/{seat}/carol"].cell.expected.shown == {
        "status": 403,
        "ms_diagnostics_public": "4003",
    }


def test_carol_signs_in_inside() -> None:
    assert made("inventory/contoso")["sign-in/desk1/ipv4/carol"].cell.expected.allowed


def test_messages_go_both_ways_between_all_pairs_of_seats() -> None:
    found = [i for i, case in made("inventory/contoso").items() if i.startswith("message/") and case.receiver]
    seats = 6
    assert len([i for i in found if "/alice-to-bob@" in i]) == seats * seats
    assert len([i for i in found if "/bob-to-alice@" in i]) == seats * seats
    assert "message/client4/ipv4/alice-to-bob@client6-ipv6" in found


@pytest.mark.parametrize("seat", ["client1/ipv4", "client1/ipv6", "client4/ipv4", "client6/ipv6"])
def test_every_forgery_is_tried(seat: str) -> None:
    cases = made("inventory/contoso")
    reasons = {
        "spoofed-from": "identity-mismatch",
        "forged-inside-header": "forged-inside-header",
        "forged-dialog": "forged-dialog",
        "relay": "relay-refused",
        "sender-not-registered": "not-registered",
        "callee-not-registered": "callee-unavailable",
        "blocked-domain": "domain-blocked",
    }
    for name, reason in reasons.items():
        assert cases[f"message/{seat}/{name}"].cell.expected.reason == reason
    assert cases[f"message/{seat}/sender-not-registered"].wave == "before", "before its control signs in"


def test_every_record_has_a_name_cell_and_inside_names_are_asked_for_outside() -> None:
    cases, everything = made("inventory/contoso"), scope("inventory/contoso")
    for record in everything.records("outside"):
        if record.type in names.TYPES:
            assert f"name/client1/any/{record.type}-{record.name}" in cases
    inside = cases["name/client1/any/A-fe1.inside.contoso.example"].cell.expected
    assert (inside.allowed, inside.shown) == (False, {"code": "NXDOMAIN", "answers": []})


def test_every_flow_has_a_cell_but_those_that_the_run_itself_comes_by() -> None:
    cases = made("inventory/contoso")
    tried = {i.split("/")[3] for i in cases if i.startswith("flow/")}
    for flow in scope("inventory/contoso").plan.flows:
        mine = [t for t in tried if t.startswith(f"{flow.id}-")]
        own_way = flow.source.label.startswith(flows.MANAGEMENT) or flow.protocol == "icmp"
        own_way = own_way or flow.row == "L19"  # from hosts of another deployment
        assert bool(mine) != own_way, flow.id


def test_closed_ports_cover_every_address_of_ours_from_each_family_outside() -> None:
    cases, everything = made("inventory/contoso"), scope("inventory/contoso")
    for host in everything.ours:
        for address in host.addresses():
            vantage = "client4" if address.version == 4 else "client6"
            for protocol in ("tcp", "udp"):
                case = cases[f"closed/{vantage}/ipv{address.version}/{protocol}-{host.name}-{address}"]
                assert case.cell.arguments["witnesses"], "somebody must have counted"
                assert case.cell.expected == closed.EXPECTED


def test_a_port_that_a_flow_opens_is_not_in_the_sample() -> None:
    case = made("inventory/contoso")["closed/client4/ipv4/tcp-edge1-198.18.1.21"]
    assert 443 not in case.cell.arguments["ports"]
    assert 5061 not in case.cell.arguments["ports"]
    assert 22 in case.cell.arguments["ports"]


def test_a_fallen_edge_reaches_nothing_inside_but_its_next_hop() -> None:
    cases = made("inventory/contoso")
    front_end = cases["closed/edge1/ipv4/tcp-fe1-198.18.3.61"].cell
    director = cases["closed/edge1/ipv6/tcp-director1-2001:db8:0:4::21"].cell
    assert 5061 in front_end.arguments["ports"], "G06: never the Front End"
    assert 5061 not in director.arguments["ports"]
    assert {"edge1", "fwin1", "fe1"} <= set(front_end.arguments["witnesses"])


def test_no_place_tries_what_no_packet_of_its_reaches() -> None:
    addresses = {
        c.cell.arguments["address"]
        for i, c in made("inventory/minimal").items()
        if i.startswith("closed/client1")
    }
    assert addresses == {"198.18.8.21", "2001:db8:8:1::21"}


def test_both_sides_of_the_web_are_asked_for_autodiscover() -> None:
    cases = made("inventory/contoso")
    outside = cases["web/client6/ipv6/autodiscover-carol"].cell.expected
    assert (outside.allowed, outside.reason) == (False, "outside-access-off")
    assert cases["web/desk1/ipv4/autodiscover-carol"].cell.expected.allowed
    assert (
        cases["web/client1/ipv4/autodiscover-gina"].same_as
        == "web/client1/ipv4/autodiscover-alice-wrong-password"
    )


def test_disruptions_only_where_they_say_something() -> None:
    stopped = {i for i in made("inventory/contoso") if i.startswith("disruption/") and "next-hop" in i}
    assert "disruption/client1/ipv4/next-hop-stopped" in stopped
    assert made("inventory/contoso")["disruption/desk1/ipv4/next-hop-stopped"].cell.expected.allowed
    # Where the next hop is the Front End itself there is nothing to compare with.
    assert not [i for i in made("inventory/minimal") if "next-hop" in i]


def test_without_a_resolver_clients_go_to_the_planned_address() -> None:
    arguments = made("inventory/minimal")["sign-in/client1/ipv6/ann"].cell.arguments
    assert arguments["address"] == "2001:db8:8:1::21"
    assert arguments["name"] == "sip.minimal.example"
    assert not [i for i in made("inventory/minimal") if i.startswith("name/")]


def test_ids_are_stable_and_sorted_into_areas() -> None:
    assert list(made("inventory/contoso")) == [c.cell.id for c in cells.make(scope("inventory/contoso"))]
    areas = {i.partition("/")[0] for i in made("inventory/contoso")}
    assert areas == {
        "sign-in", "message", "conversation", "presence", "contacts", "privacy", "meeting", "file", "web",
        "name", "certificate", "flow", "closed", "host", "disruption", "policy", "federation", "public",
        "situation",
    }  # fmt: skip

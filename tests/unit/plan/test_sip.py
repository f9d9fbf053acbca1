"""Settings of the SIP roles: sockets, pools as dispatcher sets, who reaches whom how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgewright.plan import sip
from edgewright.plan.types import Plan

PlanOf = Callable[[str], Plan]


def settings(plan: Plan, role: str) -> dict[str, dict[str, Any]]:
    return {host: found[role] for host, found in plan.settings.items() if role in found}


def test_an_edge_listens_on_both_ports_outside_and_on_one_inside(plan_of: PlanOf) -> None:
    edge = settings(plan_of("contoso"), "access_edge")["edge1"]
    assert [(s["name"], s["address"], s["port"]) for s in edge["outside"]] == [
        ("x4a", "198.18.1.21", 443),
        ("x4b", "198.18.1.21", 5061),
        ("x6a", "2001:db8:0:2::21", 443),
        ("x6b", "2001:db8:0:2::21", 5061),
    ]
    assert [(s["name"], s["address"]) for s in edge["inside"]] == [
        ("p4", "198.18.2.21"),
        ("p6", "2001:db8:0:3::21"),
    ]


def test_an_edge_has_one_next_hop(plan_of: PlanOf) -> None:
    for host, edge in settings(plan_of("two-of-each"), "access_edge").items():
        hop = edge["next_hop"]
        assert len({member["socket"] for member in hop["members"]}) >= 1, host
        assert len({member["host"] for member in hop["members"]}) == 2, host


def test_without_a_director_the_front_end_faces_the_edge(plan_of: PlanOf) -> None:
    plan = plan_of("minimal")
    front_end = settings(plan, "front_end")["fe1"]
    assert front_end["faces_edge"]
    assert front_end["tables"]["via"] == {}
    hop = settings(plan, "access_edge")["edge1"]["next_hop"]
    assert [member["socket"] for member in hop["members"]] == ["p4"], "inside is IPv4 only"


def test_with_directors_the_way_out_leads_through_them(plan_of: PlanOf) -> None:
    front_end = settings(plan_of("contoso"), "front_end")["fe1"]
    assert not front_end["faces_edge"]
    assert front_end["tables"]["via"] == {
        "198.18.2.21": "pool=director.inside.contoso.example",
        "2001:db8:0:3::21": "pool=director.inside.contoso.example",
    }
    assert [pool["pool"] for pool in front_end["pools"]] == ["director.inside.contoso.example"]


def test_a_pool_has_the_same_number_everywhere(plan: Plan) -> None:
    numbers: dict[str, set[int]] = {}
    for found in plan.settings.values():
        for role in ("access_edge", "director", "front_end"):
            values = found.get(role, {})
            known = [*values.get("front_ends", []), *values.get("pools", [])]
            for pool in [*known, values["next_hop"]] if "next_hop" in values else known:
                numbers.setdefault(pool["pool"], set()).add(pool["set"])
    assert all(len(found) == 1 for found in numbers.values())
    assert len({min(found) for found in numbers.values()}) == len(numbers)


def test_a_number_depends_on_the_name_alone() -> None:
    assert sip.set_number("fe.inside.contoso.example") == 606924944


def test_every_director_is_alias_on_every_other(plan_of: PlanOf) -> None:
    directors = settings(plan_of("two-of-each"), "director")
    for found in directors.values():
        own = set(found["own"])
        for other in directors.values():
            if other["pool"] == found["pool"]:
                assert {socket["address"] for socket in other["inside"]} <= own


def test_every_sip_host_is_known_by_address(plan: Plan) -> None:
    for found in plan.settings.values():
        for role in ("access_edge", "director", "front_end"):
            if role in found:
                hosts = found[role]["tables"]["hosts"]
                for host in plan.of_kind("edge", "director", "front_end"):
                    for address in sip.inside_addresses(host):
                        assert hosts[str(address)] == f"role={host.kind};pool={host.pool}"


def test_the_first_front_end_of_a_pool_has_the_database(plan_of: PlanOf) -> None:
    plan = plan_of("two-of-each")
    by_pool: dict[str, list[dict[str, Any]]] = {}
    for found in settings(plan, "front_end").values():
        by_pool.setdefault(found["pool"], []).append(found["database"])
    for databases in by_pool.values():
        local = [database for database in databases if database["local"]]
        assert len(local) <= 1
        if local:
            others = len(databases) - 1
            assert bool(local[0]["clients"]) == bool(others)
            assert bool(local[0]["listen"]) == bool(others), "alone, it listens to nobody"


def test_nat_is_advertised(variant: Callable[..., Plan]) -> None:
    def behind_nat(topology: dict[str, Any]) -> None:
        edge = topology["sites"]["hq"]["edge"]
        edge["hosts"] = [{"name": "edge1", "public": {"access": {"ipv4": "203.0.113.21"}}}]

    edge = settings(variant("contoso", behind_nat), "access_edge")["edge1"]
    assert {s["name"]: s["advertise"] for s in edge["outside"]} == {
        "x4a": "203.0.113.21", "x4b": "203.0.113.21", "x6a": None, "x6b": None,
    }  # fmt: skip


def test_the_way_to_partners(plan_of: PlanOf) -> None:
    """From a Front End by what stands before the federation route's Edge, from a Director to that Edge."""
    edge, director = "edge.inside.contoso.example", "director.inside.contoso.example"
    contoso = plan_of("contoso")
    assert settings(contoso, "front_end")["fe1"]["tables"]["routes"] == {"federation": f"pool={director}"}
    found = settings(contoso, "director")["director1"]
    assert found["tables"]["routes"] == {"federation": f"pool={edge}"}
    assert edge in found["tables"]["pools"]
    assert [pool["pool"] for pool in found["edges"]] == [edge]


def test_without_a_federation_route_nothing_leads_out(variant: Callable[..., Plan]) -> None:
    plan = variant("contoso", lambda topology: topology.pop("routes"))
    assert settings(plan, "front_end")["fe1"]["tables"]["routes"] == {}
    assert settings(plan, "director")["director1"]["edges"] == []


def test_edges_of_a_pool_know_each_other_s_addresses(plan_of: PlanOf) -> None:
    edges = settings(plan_of("two-of-each"), "access_edge")
    for found in edges.values():
        addresses = {s["address"] for e in edges.values() if e["pool"] == found["pool"] for s in e["outside"]}
        assert addresses <= set(found["own"])

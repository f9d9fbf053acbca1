"""Flows: ends, activity, platforms."""

from __future__ import annotations

import pytest

from edgewright.plan import roles
from edgewright.plan.flow_rows import ROWS
from edgewright.plan.flows import SELECTORS


def rows(plan):
    return {flow.row for flow in plan.flows}


def test_rows_name_known_ends_and_services():
    for row in ROWS:
        assert row.source in SELECTORS
        assert row.target in SELECTORS
        assert not row.service or row.service in (roles.__doc__ or "") or row.platform == "windows"


def test_ids_are_unique(plan):
    assert len({flow.id for flow in plan.flows}) == len(plan.flows)


def test_active_means_that_something_listens(plan):
    for flow in plan.flows:
        if flow.active and flow.service and flow.row not in {"L01", "L03", "L04"}:
            hosts = flow.target.hosts or flow.source.hosts
            assert any(flow.service in roles.listens(plan.hosts[name].roles) for name in hosts), flow.id


def test_media_and_conferences_are_planned_and_closed(plan_of):
    closed = {flow.row for flow in plan_of("contoso").flows if not flow.active}
    assert {"E04", "E05", "E07", "E13", "I03", "I04", "I05", "I06", "I08", "L10"} <= closed


def test_the_edge_opens_inward_to_its_next_hop_only(plan_of):
    """I02, G06."""
    plan = plan_of("contoso")
    inward = [f for f in plan.flows if "edge1" in f.source.hosts and "inner" in f.path]
    assert [(f.row, f.target.hosts) for f in inward] == [("I02", ("director1",))]


def test_without_firewalls_between_a_path_has_none(plan_of):
    assert {part for flow in plan_of("minimal").flows for part in flow.path} == {"host", "inner"}


def test_minimal_federates_with_nobody(plan_of):
    assert not {"E02", "E03", "E13", "E14"} & rows(plan_of("minimal"))


def test_windows_has_its_own_rows(variant):
    plan = variant("contoso", lambda t: t["sites"]["hq"]["edge"].update(platform="windows"))
    assert {"I07", "I09", "E12", "E15", "L12"} <= rows(plan)
    assert not {"L10", "L11"} & rows(plan)
    assert plan.hosts["edge1"].roles == ()
    assert not [f for f in plan.flows if f.row == "E01" and f.active]


@pytest.mark.parametrize("row", ["L05", "L09", "L03"])
def test_coffee_has_rows_of_larger_estates(plan_of, row):
    assert row in rows(plan_of("coffee"))


def test_the_first_front_end_keeps_the_database_of_its_pool(variant):
    plan = variant("contoso", lambda t: t["sites"]["hq"]["front_end"].update(hosts=["fe1", "fe2"]))
    flow = next(f for f in plan.flows if f.row == "L05")
    assert (flow.source.hosts, flow.target.hosts) == (("fe2",), ("fe1",))


def test_given_management_networks_replace_the_bridges(plan_of):
    flow = next(f for f in plan_of("coffee").flows if f.id == "L01-perimeter_in")
    assert [str(n) for n in flow.source.networks] == ["198.18.20.0/24"]
    assert flow.path == ("inner", "host")
    bridge = next(f for f in plan_of("contoso").flows if f.id == "L01-perimeter_in")
    assert [str(a) for a in bridge.source.addresses] == ["198.18.2.1", "2001:db8:0:3::1"]

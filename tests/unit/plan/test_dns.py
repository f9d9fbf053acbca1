"""DNS: what the reference demands of names, and zone files that a name server reads."""

from __future__ import annotations

import dns.rdatatype
import dns.zone
import pytest

from edgewright.plan import dns as zones
from edgewright.plan.types import Plan


def records(plan: Plan, view: str, name: str | None = None, kind: str | None = None):
    return [
        r
        for zone in plan.zones
        if zone.view == view and not zone.surroundings
        for r in zone.records
        if name in {None, r.name} and kind in {None, r.type}
    ]


def values(plan: Plan, view: str, name: str) -> list[str]:
    return [r.value for r in records(plan, view, name) if r.type in {"A", "AAAA"}]


def test_zone_files_are_read_by_others(plan):
    for zone in plan.zones:
        read = dns.zone.from_text(zones.text(zone), zone.name, relativize=False, check_origin=True)
        count = sum(len(rdataset) for _, rdataset in read.iterate_rdatasets())
        assert count == len(zone.records)


def test_srv_targets_are_in_their_own_domain_and_resolve(plan):
    """Q03."""
    for view in ("outside", "inside"):
        for record in records(plan, view, kind="SRV"):
            domain = record.name.split(".", 2)[2]
            target = record.value.split()[-1].rstrip(".")
            assert target.endswith(f".{domain}")
            assert values(plan, view, target)


def test_dual_stack_names_have_both_families(plan_of):
    """S05."""
    plan = plan_of("contoso")
    for name in {r.name for r in records(plan, "outside") if r.type in {"A", "AAAA"}}:
        if name.endswith(".contoso.example"):
            assert {r.type for r in records(plan, "outside", name)} == {"A", "AAAA"}


def test_nothing_of_the_inside_is_outside(plan):
    inside = {str(a) for h in plan.hosts.values() for i in h.interfaces[-1:] for a in (i.ipv4, i.ipv6)}
    perimeter = {str(a) for h in plan.hosts.values() if len(h.interfaces) == 2 for a in h.addresses()}
    for record in records(plan, "outside"):
        assert not record.name.startswith(("sipinternal.", "lyncdiscoverinternal.", "_sipinternal"))
        if not record.name.endswith(".test"):
            assert record.value not in inside - perimeter


def test_lyncdiscover_is_outside_only(plan):
    """Q06."""
    assert not [r for r in records(plan, "inside") if r.name.startswith("lyncdiscover.")]


def test_contoso_sip_means_the_edge_outside_and_the_front_end_inside(plan_of):
    plan = plan_of("contoso")
    assert values(plan, "outside", "sip.contoso.example") == ["198.18.1.21", "2001:db8:0:2::21"]
    assert values(plan, "inside", "sip.contoso.example") == ["198.18.3.61", "2001:db8:0:4::61"]


def test_names_of_the_organisation_lead_to_the_primary_site(plan_of):
    """Not to a branch whose name happens to sort first."""
    plan = plan_of("two-of-each")
    front_ends = {str(a) for h in plan.pool_hosts("fe.corp.litware.example") for a in h.addresses()}
    assert set(values(plan, "inside", "sip.litware.example")) <= front_ends


def test_nat_publishes_what_the_internet_sees(plan_of):
    plan = plan_of("coffee")
    assert values(plan, "outside", "sip.coffee.example") == [
        "203.0.113.11",
        "203.0.113.21",
        "2001:db8:16:2::21",
        "2001:db8:16:2::22",
    ]


def test_web_is_never_balanced_by_dns(plan_of):
    """V10: with a balancer the names lead to it, SIP still to each host."""
    plan = plan_of("coffee")
    assert values(plan, "outside", "web.fourthcoffee.example") == ["198.18.17.191", "2001:db8:16:2::191"]
    assert values(plan, "inside", "web-int.fourthcoffee.example") == ["198.18.19.91", "2001:db8:16:4::91"]
    assert len(values(plan, "inside", "fe.corp.fourthcoffee.example")) == 4


def test_pin_point_zones_hold_one_name_each(variant):
    """DI10."""
    plan = variant("contoso", lambda topology: topology.update(dns="pin_point"))
    inside = {zone.name for zone in plan.zones if zone.view == "inside"}
    assert {"sip.contoso.example", "_sipinternaltls._tcp.contoso.example"} <= inside
    assert "contoso.example" not in inside


@pytest.mark.parametrize("row", ["DX01", "DX02", "DX03", "DX04", "DX05", "DX06", "DX07", "DX09", "DX10"])
def test_contoso_has_every_outside_row(plan_of, row):
    assert [r for r in records(plan_of("contoso"), "outside") if r.row == row]


def test_the_serial_follows_the_zone(plan_of, variant):
    def serials(plan):
        return {(z.view, z.name): z.records[0].value.split()[2] for z in plan.zones}

    before = serials(plan_of("contoso"))
    after = serials(variant("contoso", lambda t: t["sites"]["hq"]["front_end"].update(hosts=["fe1", "fe2"])))
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {("inside", "inside.contoso.example"), ("inside", "contoso.example")}

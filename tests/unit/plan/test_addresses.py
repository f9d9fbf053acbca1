"""Addresses: stable numbers, given ones, families, and what cannot be."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.model.topology import Topology
from edgewright.plan import addresses, hosts
from edgewright.plan.types import PlanError


def host_addresses(edges, front_ends, proxies=()):
    """Addresses by host of a small topology with these host numbers."""
    site = {
        "networks": {},
        "edge": {
            "pool": "edge.in.example.com",
            "hosts": [f"edge{n}" for n in edges],
            "next_hop": "fe.in.example.com",
            "access": {"fqdn": "sip.example.com"},
            "av": {"fqdn": "av.example.com"},
        },
        "front_end": {"pool": "fe.in.example.com", "hosts": [f"fe{n}" for n in front_ends]},
    }
    if proxies:
        site["reverse_proxy"] = {"hosts": [f"proxy{n}" for n in proxies]}
    topology = Topology.model_validate(
        {
            "schema": 1,
            "organization": "Example",
            "sip_domains": ["example.com"],
            "internal_domain": "in.example.com",
            "networks": {
                name: {"ipv4": f"10.0.{n}.0/24", "ipv6": f"2001:db8:0:{n}::/64"}
                for n, name in enumerate(("outside", "perimeter_out", "perimeter_in", "inside"))
            },
            "sites": {"hq": site},
        }
    )

    class Deployment:
        surroundings = None
        internet = None

    Deployment.topology = topology
    found = hosts.make(Deployment, addresses.networks(topology), hosts.pools(topology))
    return {host.name: (host.interfaces, host.services) for host in found.values()}


numbers = st.lists(st.integers(1, 39), min_size=1, max_size=12, unique=True)


@given(edges=numbers, front_ends=numbers, proxies=numbers, more=numbers)
def test_a_new_host_renumbers_nobody(edges, front_ends, proxies, more):
    before = host_addresses(edges, front_ends, proxies)
    for after in (
        host_addresses([*more, *(n for n in edges if n not in more)], front_ends, proxies),
        host_addresses(edges, [*more, *(n for n in front_ends if n not in more)], proxies),
        host_addresses(edges[::-1], front_ends[::-1], [*more, *(n for n in proxies if n not in more)]),
    ):
        assert {name: after[name] for name in before} == before


def test_contoso_as_drawn(plan_of):
    edge = plan_of("contoso").hosts["edge1"]
    assert [str(a) for a in edge.addresses("perimeter_out")] == [
        "198.18.1.21",
        "2001:db8:0:2::21",
        "198.18.1.61",
        "2001:db8:0:2::61",
        "198.18.1.101",
        "2001:db8:0:2::101",
    ]
    assert [str(a) for a in edge.addresses("perimeter_in")] == ["198.18.2.21", "2001:db8:0:3::21"]


def test_a_family_that_is_not_there(plan_of):
    plan = plan_of("minimal")
    assert [a.version for a in plan.hosts["edge1"].addresses("outside")] == [4, 6]
    assert [a.version for a in plan.hosts["edge1"].addresses("perimeter")] == [4]
    assert [a.version for a in plan.hosts["fe1"].addresses()] == [4]


def test_only_the_outer_side_of_an_edge_has_a_default_route(plan_of):
    """N02, N03."""
    for route in plan_of("contoso").hosts["edge1"].routes:
        assert (route.to is None) == (route.interface == "eth0")
    for host in plan_of("contoso").hosts.values():
        if host.kind not in {"edge", "reverse_proxy"}:
            assert all(route.to is not None for route in host.routes)


def test_every_way_is_on_link_and_of_its_family(plan):
    for host in plan.hosts.values():
        for route in host.routes:
            interface = next(i for i in host.interfaces if i.name == route.interface)
            network = plan.networks[interface.network]
            assert route.via in (network.ipv4 if route.via.version == 4 else network.ipv6)
            assert route.to is None or route.to.version == route.via.version


def test_vantages_have_the_families_they_say(plan_of):
    hosts_ = plan_of("contoso").hosts
    assert [a.version for a in hosts_["client4"].addresses()] == [4]
    assert [a.version for a in hosts_["client6"].addresses()] == [6]
    assert {r.via.version for r in hosts_["client6"].routes} == {6}


def test_one_shared_address_differs_by_port(variant):
    """N08."""

    def share(topology):
        topology["sites"]["hq"]["edge"]["single_address"] = True

    edge = variant("contoso", share).hosts["edge1"]
    assert [(s.service, s.port) for s in edge.services] == [
        ("access", 5061),
        ("web_conferencing", 444),
        ("av", 443),
    ]
    assert {s.addresses for s in edge.services} == {
        (ip_address("198.18.1.21"), ip_address("2001:db8:0:2::21"))
    }
    assert edge.interfaces[0].extra == ()


def test_a_number_beyond_its_block_asks_for_an_address():
    with pytest.raises(PlanError, match=r"edge40: number 40 is beyond .* give its address there"):
        host_addresses([40], [1])


def test_two_hosts_of_one_number_collide():
    with pytest.raises(PlanError, match=r"edge01: 10\.0\.1\.21 .* already edge1's; give another address"):
        host_addresses(["1", "01"], [1])

"""A small plan with every kind of component, written by hand: provisioning needs no deployment's files."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from edgewright.plan.types import ExistingHost, HostPlan, Interface, NetworkPlan, Plan, Route


def network(name: str, number: int, *, ipv6: bool = True) -> NetworkPlan:
    """198.18.<number>.0/24 and 2001:db8:<number>::/64."""
    return NetworkPlan(
        name=name,
        ipv4=IPv4Network(f"198.18.{number}.0/24"),
        ipv6=IPv6Network(f"2001:db8:{number}::/64") if ipv6 else None,
        bridge4=IPv4Address(f"198.18.{number}.1"),
        bridge6=IPv6Address(f"2001:db8:{number}::1") if ipv6 else None,
        zones=(),
    )


def interface(name: str, on: NetworkPlan, number: int, *extra: int, families: str = "46") -> Interface:
    """An interface with the address of that number in each family."""
    assert on.ipv4 is not None
    more: list[IPv4Address | IPv6Address] = []
    for one in extra:
        more.append(on.ipv4.network_address + one)
        if on.ipv6 is not None:
            more.append(IPv6Address(f"{on.ipv6.network_address}{one}"))
    return Interface(
        name=name,
        network=on.name,
        ipv4=on.ipv4.network_address + number if "4" in families else None,
        ipv6=IPv6Address(f"{on.ipv6.network_address}{number}") if on.ipv6 and "6" in families else None,
        extra=tuple(more),
    )


def host(name: str, kind: str, *interfaces: Interface, **more: object) -> HostPlan:
    """A host of site hq unless said otherwise."""
    fields: dict[str, object] = {
        "roles": ("base",),
        "pool": None,
        "site": "hq",
        "platform": "linux",
        "routes": (),
        "packages": (),
        "volumes": (),
        **more,
    }
    return HostPlan(name=name, fqdn=f"{name}.inside.test", kind=kind, interfaces=interfaces, **fields)  # type: ignore[arg-type]


def plan(name: str, networks: list[NetworkPlan], hosts: list[HostPlan]) -> Plan:
    """Hosts and networks only."""
    return Plan(
        deployment=name,
        digest="0" * 64,
        networks={one.name: one for one in networks},
        hosts={one.name: one for one in hosts},
        zones=(),
        certificates=(),
        flows=(),
        publications=(),
        pools={},
    )


def every_kind() -> Plan:
    """Two Edge hosts, a pool that is half existing, one of everything else, vantages of one family."""
    outside, perimeter, inside = network("outside", 40), network("perimeter", 41), network("inside", 42)
    given = ExistingHost(IPv4Address("198.18.42.62"), "ssh-ed25519 AAAAexisting", "admin", 2222)
    return plan(
        "sample",
        [outside, perimeter, inside, network("unused", 43)],
        [
            host(
                "edge1", "edge", interface("eth0", outside, 21, 61, 101), interface("eth1", perimeter, 21),
                pool="edge.test", packages=("kamailio",), volumes=("/var/lib/edgewright",),
                routes=(Route(None, IPv4Address("198.18.40.2"), "eth0"),),
            ),
            host(
                "edge2", "edge", interface("eth0", outside, 22), interface("eth1", perimeter, 22),
                pool="edge.test",
            ),
            host("director1", "director", interface("eth0", inside, 21), pool="director.test"),
            host("fe1", "front_end", interface("eth0", inside, 61), pool="fe.test", packages=("postgresql",)),
            host("fe2", "front_end", interface("eth0", inside, 62), pool="fe.test", existing=given),
            host("proxy1", "reverse_proxy", interface("eth0", outside, 141)),
            host("fwout1", "firewall_outer", interface("eth0", outside, 2), forwarding=True),
            host("fwin1", "firewall_inner", interface("eth0", perimeter, 3), forwarding=True),
            host("ns1", "dns", interface("eth0", inside, 141)),
            host("world1", "world", interface("eth0", outside, 141), site=None, surroundings=True),
            host(
                "client4", "vantage", interface("eth0", outside, 204, families="4"),
                site=None, surroundings=True,
            ),
            host(
                "client6", "vantage", interface("eth0", outside, 206, families="6"),
                site=None, surroundings=True,
            ),
        ],
    )  # fmt: skip

"""Plans for the tests of the lab: two networks, a router between them, hosts of both and of one family."""

from __future__ import annotations

import sys
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "provision"))

from plans import host, interface, network, plan

from edgewright.plan.types import HostPlan, Plan, Route

NAME = "edgewright-test"
A, B = network("a", 44), network("b", 45)
TO_B = (
    Route(IPv4Network("198.18.45.0/24"), IPv4Address("198.18.44.2"), "eth0"),
    Route(IPv6Network("2001:db8:45::/64"), IPv6Address("2001:db8:44::2"), "eth0"),
)
DEFAULT4 = Route(None, IPv4Address("198.18.45.2"), "eth0")
DEFAULT6 = Route(None, IPv6Address("2001:db8:45::2"), "eth0")


def router() -> HostPlan:
    return host(
        "router1", "firewall_inner", interface("eth0", A, 2), interface("eth1", B, 2), forwarding=True
    )


def alpha(*extra: int) -> HostPlan:
    return host("alpha1", "edge", interface("eth0", A, 21, *extra), routes=TO_B, volumes=("/var/lib/state",))


def only4() -> HostPlan:
    return host(
        "only4", "vantage", interface("eth0", B, 4, families="4"), routes=(DEFAULT4,), surroundings=True
    )


def only6(*routes: Route) -> HostPlan:
    return host("only6", "vantage", interface("eth0", B, 6, families="6"), routes=routes, surroundings=True)


CASES: dict[str, Plan] = {
    "full": plan(NAME, [A, B], [router(), alpha(61), only4(), only6(DEFAULT6)]),
    "changed": plan(NAME, [A, B], [router(), alpha(61, 101), only4(), only6()]),
    "smaller": plan(NAME, [A, B], [router(), alpha(61)]),
}

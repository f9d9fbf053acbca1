"""A sample of everything that no flow opens: lists of ports at our addresses, from outside and perimeter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgewright.plan.types import Address, HostPlan
from edgewright.proof import closed, flows
from edgewright.proof.case import Case, Maker
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell

AREA = "closed"
TCP = (
    21,
    22,
    23,
    25,
    53,
    80,
    110,
    135,
    139,
    389,
    443,
    444,
    445,
    1433,
    3306,
    3389,
    3478,
    4443,
    5060,
    5061,
    5062,
    5269,
    5432,
    5985,
    5986,
    6443,
    8057,
    8080,
    8443,
    9090,
    23456,
    50000,
)
UDP = (53, 69, 111, 123, 137, 161, 443, 500, 1434, 1900, 3478, 5060, 5061, 5353, 50000)


def make(scope: Scope) -> Iterator[Case]:
    """For each outside seat, address of ours and protocol: the ports of the list that no flow opens."""
    opened = flows.opened(scope)
    for seat in scope.at("outside"):
        for host in scope.tried:
            for address in host.addresses():
                way = scope.has_way(scope.plan.hosts[seat.vantage], address)
                if f"ipv{address.version}" == seat.family and way:
                    yield from _address(scope, seat, host, address, opened)
    yield from _beyond(scope, opened)


def _beyond(scope: Scope, opened: Sequence[Cell]) -> Iterator[Case]:
    """From Edges and proxies, should they fall: nothing inside but what a flow names."""
    maker = Maker(AREA, "anonymous", "closed ports")
    for source in scope.tried:
        if source.kind not in ("edge", "reverse_proxy"):
            continue
        for host in scope.tried:
            if host.kind not in ("director", "front_end", "database"):
                continue
            for address in host.addresses():
                if not scope.has_way(source, address):
                    continue
                family = f"ipv{address.version}"
                tried = [port for port in TCP if not _leads(scope, source, address, port)]
                yield Case(
                    maker(
                        f"tcp-{host.name}-{address}",
                        source.name,
                        family,
                        f"{len(tried)} tcp ports of {host.name}, from the perimeter",
                        closed.EXPECTED,
                        "port.scan",
                        {
                            "address": str(address),
                            "ports": tried,
                            "protocol": "tcp",
                            "timeout": 1.5,
                            "witnesses": list(closed.witnesses(scope, source, host, ("inner", "host"))),
                        },
                        control=flows.control(opened, source.name, family, str(address)),
                    )
                )


def _leads(scope: Scope, source: HostPlan, address: Address, port: int) -> bool:
    """Whether a flow leads, or would lead, from a host to that TCP port."""
    return any(
        flow.protocol == "tcp"
        and address in flow.target.addresses
        and (source.name in flow.source.hosts or flow.source.label == "any")
        and _within(flow.ports, port)
        for flow in scope.plan.flows
    )


def _within(ports: str, port: int) -> bool:
    low, _, high = ports.partition("-")
    return int(low) <= port <= int(high or low)


def _address(
    scope: Scope, seat: Seat, host: HostPlan, address: Address, opened: Sequence[Cell]
) -> Iterator[Case]:
    maker = Maker(AREA, "anonymous", "closed ports")
    source = scope.plan.hosts[seat.vantage]
    inside = not _faces(scope, host, address)
    where = "an inside address, directly from outside" if inside else "an outside address"
    control = flows.control(opened, seat.vantage, seat.family, str(address))
    for protocol, ports in (("tcp", TCP), ("udp", UDP)):
        tried = [port for port in ports if not _planned(scope, address, protocol, port)]
        cell = maker.at(
            seat,
            f"{protocol}-{host.name}-{address}",
            f"{len(tried)} {protocol} ports of {where}",
            closed.EXPECTED,
            "port.scan",
            {
                "address": str(address),
                "ports": tried,
                "protocol": protocol,
                "timeout": 1.5,
                "witnesses": list(closed.witnesses(scope, source, host, ("outer", "host"))),
            },
            control=control,
        )
        yield Case(cell)


def _faces(scope: Scope, host: HostPlan, address: Address) -> bool:
    """Whether an address is meant to be reached from outside: on a network of the perimeter's outer side."""
    for interface in host.interfaces:
        if address in (interface.ipv4, interface.ipv6, *interface.extra):
            return bool({"outside", "perimeter_out"} & set(scope.plan.networks[interface.network].zones))
    return False


def _planned(scope: Scope, address: Address, protocol: str, port: int) -> bool:
    """Whether a flow from anybody opens (or would open) that port: then it has a cell of its own."""
    return any(
        flow.protocol == protocol
        and flow.source.label == "any"
        and address in flow.target.addresses
        and _within(flow.ports, port)
        for flow in scope.plan.flows
    )

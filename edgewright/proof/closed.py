"""Closed ports: a sample of everything that no flow opens, with the firewalls' counters as witness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from edgewright.plan.types import Address, HostPlan
from edgewright.proof.case import Case, Maker, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected, Observed
from edgewright.proof.verdict import CLOSED

AREA = "closed"
EXPECTED = Expected(False, CLOSED)
DROPPED = "drop"
"""What the names of counters of refused packets begin with."""

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
Path = tuple[Literal["host", "outer", "inner"], ...]


def make(scope: Scope) -> Iterator[Case]:
    """For each outside seat, address of ours and protocol: the ports of the list that no flow opens."""
    for seat in scope.at("outside"):
        for host in scope.ours:
            for address in host.addresses():
                if f"ipv{address.version}" == seat.family:
                    yield from _address(scope, seat, host, address)


def _address(scope: Scope, seat: Seat, host: HostPlan, address: Address) -> Iterator[Case]:
    maker = Maker(AREA, "anonymous", "closed ports")
    source = scope.plan.hosts[seat.vantage]
    inside = not _faces(scope, host, address)
    where = "an inside address, directly from outside" if inside else "an outside address"
    control = open_port(scope, seat.vantage, seat.family, address)
    for protocol, ports in (("tcp", TCP), ("udp", UDP)):
        tried = [port for port in ports if not _planned(scope, address, protocol, port)]
        cell = maker.at(
            seat,
            f"{protocol}-{host.name}-{address}",
            f"{len(tried)} {protocol} ports of {where}",
            EXPECTED,
            "port.scan",
            {
                "address": str(address),
                "ports": tried,
                "protocol": protocol,
                "timeout": 1.5,
                "witnesses": list(witnesses(scope, source, host, ("outer", "host"))),
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
    for flow in scope.plan.flows:
        if flow.protocol == protocol and flow.source.label == "any" and address in flow.target.addresses:
            low, _, high = flow.ports.partition("-")
            if int(low) <= port <= int(high or low):
                return True
    return False


def open_port(scope: Scope, vantage: str, family: str, address: Address | None = None) -> str | None:
    """Id of the cell of an open port: of `address` if it has one, else of any address of ours."""
    best = None
    for flow in scope.plan.flows:
        if not flow.active or flow.protocol == "icmp":
            continue
        if vantage not in flow.source.hosts and flow.source.label != "any":
            continue
        for target in flow.target.addresses:
            if f"ipv{target.version}" != family:
                continue
            found = identifier("flow", vantage, family, f"{flow.id}-{target}")
            if target == address:
                return found
            best = best or found
    return best


def witnesses(scope: Scope, source: HostPlan, target: HostPlan | None, path: Path) -> tuple[str, ...]:
    """Hosts of ours on the way whose firewall may refuse: the source, the routers of `path`, the target."""
    found = [source] if not source.surroundings else []
    if any(_outside(scope, host) for host in (source, target) if host is not None):
        found += scope.plan.of_kind("firewall_outer")
    if "inner" in path:
        found += scope.plan.of_kind("firewall_inner")
    if target is not None and not target.surroundings:
        found.append(target)
    return tuple(dict.fromkeys(host.name for host in found))


def _outside(scope: Scope, host: HostPlan) -> bool:
    """Whether it is a host of the surroundings outside: beyond the outer firewall."""
    return host.surroundings and "outside" in scope.plan.networks[host.interfaces[0].network].zones


def controlled(cell: Cell, control: str | None) -> Cell:
    """The cell with its positive control."""
    return replace(cell, control=control)


def witnessed(
    cell: Cell, observed: Observed, counted: dict[str, dict[str, int]], demand: int | None = None
) -> Observed:
    """The observation with `port-closed` as its reason where counters of the witnesses grew enough.

    `demand` is how many packets must have been refused (default: one for each port tried).
    """
    if observed.allowed:
        return observed
    wanted = demand if demand is not None else len(cell.arguments["ports"])
    seen = {
        f"{host}:{name}": packets
        for host in cell.arguments.get("witnesses", ())
        for name, packets in counted.get(host, {}).items()
        if name.startswith(DROPPED)
    }
    shown = (observed.shown or {}) | {"witness": seen}
    return replace(observed, shown=shown, reason=CLOSED if sum(seen.values()) >= wanted else None)


def passed(cell: Cell, observed: Observed, counted: dict[str, dict[str, int]]) -> Observed:
    """The observation, allowed where the accepting rule of every host in `passes` counted something."""
    passes: dict[str, str] = cell.arguments["passes"]
    seen = {f"{host}:{name}": counted.get(host, {}).get(name, 0) for host, name in passes.items()}
    shown = (observed.shown or {}) | {"passed": seen}
    allowed = observed.allowed or all(seen.values())
    return replace(observed, allowed=allowed, stage="done" if allowed else observed.stage, shown=shown)

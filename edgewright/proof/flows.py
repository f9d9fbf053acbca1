"""Cells of flows: every active one of the plan works, every inactive one is closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address

from edgewright.plan.types import Address, Flow, HostPlan, Kind
from edgewright.proof import closed
from edgewright.proof.case import Case, Maker
from edgewright.proof.scope import Scope, some
from edgewright.proof.types import Cell, Expected

AREA = "flow"
DNS_QUERY = "123401000001000000000000" + "00" + "0002" + "0001"
"""A query for the root's name servers (RFC 1035 section 4.1): any server answers it somehow."""

NAMES = "53"
MANAGEMENT = "management"
"""Label of the flows that this run itself comes by."""


def family(address: Address) -> str:
    """`ipv4` or `ipv6`."""
    return f"ipv{address.version}"


def make(scope: Scope) -> Iterator[Case]:
    """A cell for each flow, source host and family."""
    cases = _all(scope)
    working = [case.cell for case in cases if case.cell.expected.allowed]
    for case in cases:
        cell = case.cell
        if not cell.expected.allowed:
            near = control(working, cell.vantage, cell.family, cell.arguments["address"])
            yield replace(case, cell=replace(cell, control=near))
        else:
            yield case


def opened(scope: Scope) -> list[Cell]:
    """The cells of the flows that must work."""
    return [case.cell for case in _all(scope) if case.cell.expected.allowed]


def control(working: Sequence[Cell], vantage: str, family: str, address: str) -> str | None:
    """Of cells that must work, the id of the nearest to a closed path.

    From the same place in the same family, to the same address if possible; else from the same place; else
    to the same address; else any.
    """

    def distance(cell: Cell) -> tuple[bool, bool, bool]:
        return cell.vantage != vantage, cell.family != family, cell.arguments["address"] != address

    return min(working, key=distance).id if working else None


def _all(scope: Scope) -> list[Case]:
    return [case for flow in scope.plan.flows for case in _flow(scope, flow)]


def _flow(scope: Scope, flow: Flow) -> Iterator[Case]:
    if flow.protocol == "icmp" or flow.source.label.startswith(MANAGEMENT) or flow.service == "ssh":
        return
    for source in sources(scope, flow):
        for target in _targets(scope, flow, source):
            if any(mine.version == target.version for mine in source.addresses()):
                yield _cell(scope, flow, source, target)


def _cell(scope: Scope, flow: Flow, source: HostPlan, target: Address) -> Case:
    maker = Maker(AREA, "internal" if not source.surroundings else "anonymous", flow.row)
    ports = sorted({int(port) for port in flow.ports.split("-")})
    situation = f"{flow.why} ({flow.protocol} {flow.ports} to {flow.target.label})"
    arguments = {"address": str(target), "ports": ports, "protocol": flow.protocol, "timeout": 2.5}
    name = f"{flow.id}-{target}"
    at = next((h for h in scope.plan.hosts.values() if target in h.addresses()), None)
    if flow.active:
        if flow.protocol == "udp":
            arguments["payload"] = DNS_QUERY
        expected = Expected(True, shown={"open": ports})
        if not flow.target.hosts and not flow.target.addresses and flow.ports != NAMES:
            # Nobody of ours listens there: that it passed is what the accepting rules on the way say.
            expected = Expected(True)
            arguments["passes"] = dict.fromkeys(closed.witnesses(scope, source, at, flow.path), flow.id)
        return Case(
            maker(name, source.name, family(target), situation, expected, "port.scan", arguments),
        )
    witnesses = closed.witnesses(scope, source, at, flow.path)
    cell = maker(
        name,
        source.name,
        family(target),
        f"inactive: {situation}",
        closed.EXPECTED,
        "port.scan",
        arguments | {"witnesses": list(witnesses)},
    )
    return Case(cell)


def sources(scope: Scope, flow: Flow) -> Iterator[HostPlan]:
    """Hosts from which a flow is tried: those named; for anybody the vantages outside.

    None where only networks are named and no host of ours or vantage is in them.
    """
    if flow.source.networks and not flow.source.hosts:
        return
    if flow.source.hosts:
        yield from (scope.plan.hosts[name] for name in some(flow.source.hosts))
    else:
        for vantage in dict.fromkeys(seat.vantage for seat in scope.at("outside")):
            yield scope.plan.hosts[vantage]


def _targets(scope: Scope, flow: Flow, source: HostPlan) -> Iterator[Address]:
    """Addresses of the target; for "any", those of an outside vantage (names: the outside resolver)."""
    if flow.target.addresses:
        for version in (4, 6):
            theirs = [a for a in flow.target.addresses if a.version == version]
            yield from some([a for a in theirs if a not in source.addresses()])
        return
    if flow.target.hosts:
        for name in some(flow.target.hosts):
            if name != source.name:
                yield from (
                    a
                    for a in (
                        scope.plan.hosts[name].interfaces[-1].ipv4,
                        scope.plan.hosts[name].interfaces[-1].ipv6,
                    )
                    if a
                )
        return
    kinds: Kind = "world" if flow.ports == NAMES else "vantage"
    found: dict[int, Address] = {}
    for host in scope.plan.of_kind(kinds):
        if host.existing is None and "outside" in scope.plan.networks[host.interfaces[0].network].zones:
            for address in host.addresses():
                found.setdefault(address.version, ip_address(address))
    for address in found.values():
        # The way out of a machine that we did not make is its operator's: the plan may know of none.
        if source.existing is None or scope.has_way(source, address):
            yield address

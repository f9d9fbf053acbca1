"""What cells are made from: deployment, plan, the seats at the vantages, the accounts that may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Literal, TypeVar

from edgewright.model.deployment import Deployment
from edgewright.model.surroundings import Partner
from edgewright.model.topology import Family
from edgewright.plan.types import Address, HostPlan, Plan, Record

Side = Literal["outside", "inside"]
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
TRUST = "/etc/edgewright/trust/{side}.pem"


@dataclass(frozen=True, slots=True)
class Seat:
    """A vantage and one family: where a client sits."""

    vantage: str
    family: Family
    side: Side

    def __str__(self) -> str:
        return f"{self.vantage}/{self.family}"


Item = TypeVar("Item")
MOST = 3
"""How many of equals are tried: hosts of one pool, ends of one flow."""


def some(items: Sequence[Item]) -> tuple[Item, ...]:
    """All of a few equal things; of many the first ones and the last, so that large estates stay provable."""
    return tuple(items) if len(items) <= MOST else (*items[: MOST - 1], items[-1])


@dataclass(frozen=True)
class Scope:
    """Everything a generator of cells may ask."""

    deployment: Deployment
    plan: Plan

    @cached_property
    def once(self) -> dict[Any, Any]:
        """What generators work out once for all of them, by name."""
        return {}

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """All seats: vantages by name, IPv4 first."""
        found = []
        for name, host in sorted(self.plan.hosts.items()):
            if host.kind != "vantage":
                continue
            side = self._side(host)
            addresses = host.addresses()
            for version, family in ((4, "ipv4"), (6, "ipv6")):
                if any(a.version == version for a in addresses):
                    found.append(Seat(name, family, side))  # type: ignore[arg-type]
        return tuple(found)

    def at(self, side: Side) -> tuple[Seat, ...]:
        """The seats of one side."""
        return tuple(seat for seat in self.seats if seat.side == side)

    @property
    def accounts(self) -> tuple[str, ...]:
        """SIP addresses whose passwords the proof may use, in the order of the file."""
        return self.deployment.surroundings.accounts if self.deployment.surroundings else ()

    @property
    def domain(self) -> str:
        """The first SIP domain."""
        return self.deployment.topology.sip_domains[0]

    def has_names(self, side: Side) -> bool:
        """Whether clients of that side have a resolver that knows our names."""
        if any(host.existing for host in self.plan.of_kind("vantage") if self._side(host) == side):
            return True
        surroundings = self.deployment.surroundings
        if side == "outside":
            return bool(surroundings and (surroundings.world or surroundings.resolvers))
        return bool(self.plan.of_kind("dns"))

    def _side(self, host: HostPlan) -> Side:
        return "inside" if "inside" in self.plan.networks[host.interfaces[0].network].zones else "outside"

    def records(self, side: Side) -> tuple[Record, ...]:
        """All records of one view."""
        return tuple(record for zone in self.plan.zones if zone.view == side for record in zone.records)

    def addresses(self, side: Side, name: str, family: Family) -> tuple[str, ...]:
        """Addresses of a name in one view, through CNAMEs, in the plan's order."""
        kind = "A" if family == "ipv4" else "AAAA"
        found: list[str] = []
        for record in self.records(side):
            if record.name != name:
                continue
            if record.type == kind:
                found.append(str(ip_address(record.value)))
            elif record.type == "CNAME":
                found += self.addresses(side, record.value.rstrip("."), family)
        return tuple(dict.fromkeys(found))

    def service(self, side: Side, srv: str) -> tuple[str, int] | None:
        """Target and port of the first SRV record of that name."""
        for record in self.records(side):
            if record.type == "SRV" and record.name == srv:
                _, _, port, target = record.value.split()
                return target.rstrip("."), int(port)
        return None

    def sip(self, seat: Seat, domain: str) -> dict[str, Any] | None:
        """How a client at `seat` finds the SIP service of `domain`: by SRV, or (no resolver) by address.

        None where there is no such service for this family.
        """
        partner = self._existing_partner(domain)
        if partner is not None and partner.server is not None:
            return self.name(seat, partner.server, partner.port)
        srv = f"_sip._tls.{domain}" if seat.side == "outside" else f"_sipinternaltls._tcp.{domain}"
        found = self.service(seat.side, srv)
        if found is None:
            return None
        target, port = found
        addresses = self.addresses(seat.side, target, seat.family)
        if not addresses:
            return None
        base: dict[str, Any] = {"family": seat.family, "trust": self.trust(seat)}
        if self.has_names(seat.side):
            return base | {"srv": srv}
        return base | {"address": addresses[0], "port": port, "name": target}

    def _existing_partner(self, domain: str) -> Partner | None:
        """A partner that exists: no zone of ours has its names."""
        surroundings = self.deployment.surroundings
        found = surroundings.partners.get(domain) if surroundings else None
        return found if found and found.server else None

    def name(self, seat: Seat, name: str, port: int) -> dict[str, Any]:
        """How a client at `seat` reaches a named service: by name, or (no resolver) by address."""
        base: dict[str, Any] = {"family": seat.family, "trust": self.trust(seat), "port": port, "name": name}
        if self.has_names(seat.side):
            return base | {"server": name}
        addresses = self.addresses(seat.side, name, seat.family)
        return base | ({"address": addresses[0]} if addresses else {"server": name})

    @staticmethod
    def trust(seat: Seat) -> str:
        """The file of trusted roots at a seat (else the system's)."""
        return TRUST.format(side=seat.side)

    def has_way(self, source: HostPlan, address: Address) -> bool:
        """Whether packets of `source` for `address` leave it: on its own networks or by a route."""
        for interface in source.interfaces:
            network = self.plan.networks[interface.network]
            if address in ((network.ipv4 if address.version == 4 else network.ipv6) or ()):
                return True
        return any(
            route.via.version == address.version and (route.to is None or address in route.to)
            for route in source.routes
        )

    @cached_property
    def tried(self) -> tuple[HostPlan, ...]:
        """Hosts of ours whose addresses are tried: some of each pool."""
        pools: dict[tuple[str, str | None], list[HostPlan]] = {}
        for host in self.plan.hosts.values():
            if not host.surroundings:
                pools.setdefault((host.kind, host.pool), []).append(host)
        return tuple(host for hosts in pools.values() for host in some(hosts))

    @cached_property
    def ours(self) -> tuple[HostPlan, ...]:
        """The organisation's Linux hosts: those that log, count and are looked into."""
        return tuple(h for h in self.plan.hosts.values() if not h.surroundings and h.platform == "linux")

"""Role base: what every host has: packages, names, clock, journal, kernel settings, its own packet filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from edgewright.plan import internet, nft, roles, sysctl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgewright.plan.roles import Base
    from edgewright.plan.types import Address, HostPlan

PACKAGES: tuple[str, ...] = ("ca-certificates", "nftables", "openssl", "python3", "tzdata")
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ("ssh",)

TABLES = frozenset({"access_edge", "director", "front_end"})
"""Roles whose policy lies in tables."""


class HostsEntry(BaseModel):
    """A line of /etc/hosts: an address and its names."""

    model_config = ConfigDict(extra="forbid")

    address: str
    """IPv4 or IPv6."""
    names: list[str]
    """The first one is the canonical."""


class Settings(BaseModel):
    """What every host has."""

    model_config = ConfigDict(extra="forbid")

    fqdn: str
    """The host's own name."""
    time_zone: str
    """As in the tz database, e.g. `Europe/Berlin`."""
    packages: list[str]
    """The host's whole Debian package set: no other role installs any."""
    users: list[str]
    """System users and groups of its daemons, as lines of sysusers.d(5)."""
    resolvers: list[str]
    """Name servers; empty: /etc/resolv.conf is left alone."""
    hosts: list[HostsEntry]
    """Names that must not depend on a name server (N06), the host's own first."""
    sysctl: dict[str, str]
    """Kernel settings."""
    filter: str | None
    """Packet filter (nftables): default deny, a named counter per flow; a router's is role firewall's."""
    tables: bool
    """Whether the program `edgewright-tables` is needed."""


def settings(base: Base, host: HostPlan) -> Settings:
    """Every host has them."""
    return Settings(
        fqdn=host.fqdn,
        time_zone=base.topology.time_zone,
        packages=list(host.packages),
        users=sorted({line for role in host.roles for line in getattr(roles.module(role), "USERS", ())}),
        resolvers=[str(address) for address in resolvers(base, host)],
        hosts=list(_entries(base, host)),
        sysctl=sysctl.values(forwarding=host.forwarding) | sysctl.WHERE_POSSIBLE,
        filter=None if host.forwarding else nft.host_rules(base, host),
        tables=bool(TABLES & set(host.roles)),
    )


def resolvers(base: Base, host: HostPlan) -> tuple[Address, ...]:
    """Whom a host asks for names: perimeter and outside hosts the outside resolver (N06)."""
    inside = {site.network("inside") for site in base.topology.sites.values()}
    if host.kind in ("firewall_outer", "firewall_inner"):
        return ()
    if host.interfaces[0].network in inside:
        found = [a for server in base.of_kind("dns") for a in server.addresses()]
    else:
        given = base.deployment.surroundings
        world = internet.of(base.deployment)
        found = list(world.addresses if world else given.resolvers if given else ())
    families = {address.version for address in host.addresses()}
    return tuple(address for address in found if address.version in families)


def _entries(base: Base, host: HostPlan) -> Iterable[HostsEntry]:
    """Its own name; perimeter hosts know the inside by file; everybody does where no DNS server is ours."""
    inner = host.interfaces[-1]
    mine = [str(own) for own in (inner.ipv4, inner.ipv6) if own is not None]
    known = base.once("hosts file", lambda: _inside(base)) if _knows_by_file(base, host) else {}
    for address in mine:
        others = known[address].names if address in known else []
        names = [host.fqdn, host.name, *(name for name in others if name != host.fqdn)]
        yield HostsEntry(address=address, names=names)
    yield from (entry for address, entry in known.items() if address not in mine)


def _inside(base: Base) -> dict[str, HostsEntry]:
    """Every inside address with its names in the internal domain."""
    found: dict[str, dict[str, None]] = {}
    end = f".{base.topology.internal_domain}"
    for zone in base.zones:
        for record in zone.records if zone.view == "inside" else ():
            if record.type in ("A", "AAAA") and record.name.endswith(end):
                found.setdefault(record.value, {})[record.name] = None
    return {address: HostsEntry(address=address, names=list(names)) for address, names in found.items()}


def _knows_by_file(base: Base, host: HostPlan) -> bool:
    if host.surroundings or host.kind in ("firewall_outer", "firewall_inner"):
        return False
    return host.kind in ("edge", "reverse_proxy") or not base.of_kind("dns")

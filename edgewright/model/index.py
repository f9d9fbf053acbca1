"""Where each pool and host of a deployment stands in its file, for checks that compare them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.topology import (
    DnsServers,
    EdgeListener,
    EdgePool,
    EdgeService,
    Existing,
    Host,
    Pool,
    Site,
    Topology,
    Zone,
)

Kind = Literal[
    "edge",
    "director",
    "front_end",
    "reverse_proxy",
    "database",
    "firewall_outer",
    "firewall_inner",
    "dns",
]

ZONES: dict[Kind, tuple[Zone, ...]] = {
    "edge": ("perimeter_out", "perimeter_in"),
    "director": ("inside",),
    "front_end": ("inside",),
    "reverse_proxy": ("perimeter_out", "perimeter_in"),
    "database": ("inside",),
    "firewall_outer": ("outside", "perimeter_out"),
    "firewall_inner": ("perimeter_in", "inside"),
    "dns": ("inside",),
}
"""The networks that hosts of each kind have an interface in, outer one first."""

SERVICES: tuple[EdgeService, ...] = ("access", "web_conferencing", "av")
SHARED_PORTS: dict[EdgeService, int] = {"access": 5061, "web_conferencing": 444, "av": 443}
"""Ports where the external services share one address and the file gives none (N08)."""


@dataclass(frozen=True, slots=True)
class PoolAt:
    """A pool and where it stands in `topology.yml`."""

    site_name: str
    site: Site
    kind: Kind
    pool: Pool
    place: Place

    @property
    def name(self) -> str:
        """The pool's FQDN, or its first host where pools of this kind have no name of their own."""
        return getattr(self.pool, "pool", None) or self.pool.hosts[0].name

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that its hosts are in."""
        return tuple(dict.fromkeys(self.site.network(zone) for zone in ZONES[self.kind]))


@dataclass(frozen=True, slots=True)
class HostAt:
    """A host and where it stands: in `topology.yml` with its pool, or in `surroundings.yml` without one."""

    name: str
    file: str
    place: Place
    pool: PoolAt | None
    host: Host | None
    existing: Existing | None


def pools(topology: Topology) -> Iterator[PoolAt]:
    """Every pool, in the order of the file."""
    for site_name, site in topology.sites.items():
        at: Place = ("sites", site_name)
        for kind in ("edge", "director", "front_end", "reverse_proxy", "database"):
            for index, pool in enumerate(getattr(site, kind)):
                yield PoolAt(site_name, site, kind, pool, (*at, kind, index))
        if site.firewalls.outer:
            place = (*at, "firewalls", "outer")
            yield PoolAt(site_name, site, "firewall_outer", Pool(hosts=site.firewalls.outer), place)
        if site.firewalls.inner:
            place = (*at, "firewalls", "inner")
            yield PoolAt(site_name, site, "firewall_inner", Pool(hosts=site.firewalls.inner), place)
        if isinstance(site.dns, DnsServers):
            yield PoolAt(site_name, site, "dns", site.dns, (*at, "dns"))


def hosts(deployment: Deployment) -> Iterator[HostAt]:
    """Every host, the surroundings' included."""
    for found in pools(deployment.topology):
        inner = () if found.kind.startswith("firewall") else ("hosts",)
        for index, host in enumerate(found.pool.hosts):
            place = (*found.place, *inner, index)
            yield HostAt(host.name, "topology.yml", place, found, host, host.existing)
    surroundings = deployment.surroundings
    if surroundings is None:
        return
    if surroundings.world:
        world = surroundings.world
        yield HostAt(world.host, "surroundings.yml", ("world", "host"), None, None, world.existing)
    for name, vantage in surroundings.vantages.items():
        yield HostAt(name, "surroundings.yml", ("vantages", name), None, None, vantage.existing)
    for name, place, partner in surroundings.hosts():
        yield HostAt(name, "surroundings.yml", (*place, "host"), None, None, partner.existing)


def listeners(pool: EdgePool) -> dict[EdgeService, EdgeListener]:
    """The external services that an Edge pool has."""
    found = {service: getattr(pool, service) for service in SERVICES}
    return {service: listener for service, listener in found.items() if listener is not None}


def port(pool: EdgePool, service: EdgeService) -> int:
    """The port of an external service, with the defaults of N08 where all share one address."""
    listener: EdgeListener = getattr(pool, service)
    if pool.single_address and len(listeners(pool)) > 1 and "port" not in listener.model_fields_set:
        return SHARED_PORTS[service]
    return listener.port

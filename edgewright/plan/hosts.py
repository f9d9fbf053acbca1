"""Pools and hosts: identity, roles, interfaces and routes (reference section 2.4)."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from edgewright.model.index import ZONES, port
from edgewright.model.index import pools as pools_of
from edgewright.model.topology import Addresses, EdgePool, EdgeService
from edgewright.plan import roles
from edgewright.plan.addresses import BOTH, Allocator
from edgewright.plan.addresses import networks as networks_of
from edgewright.plan.internet import DOMAIN, shared_network
from edgewright.plan.roles import lab_vantage
from edgewright.plan.types import (
    ExistingHost,
    HostPlan,
    Interface,
    NetworkPlan,
    PlanError,
    PoolPlan,
    Route,
    ServiceAddress,
    Subnet,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgewright.model import Deployment
    from edgewright.model.surroundings import Impostor, Partner, Vantage, World
    from edgewright.model.topology import EdgeListener, Existing, Host, Topology, Zone
    from edgewright.plan.types import Address, Kind

UNPOOLED: frozenset[Kind] = frozenset({"firewall_outer", "firewall_inner", "dns"})
"""Kinds whose hosts have no name in common."""


def pools(topology: Topology) -> dict[str, PoolPlan]:
    """Every pool by name, sites by name, kinds in a fixed order."""
    found: dict[str, PoolPlan] = {}
    suffix = f".{topology.internal_domain}"
    for at in sorted(pools_of(topology), key=lambda at: at.site_name):
        site, kind, pool = at.site_name, at.kind, at.pool
        hosts = tuple(host.name for host in pool.hosts)
        name = getattr(pool, "pool", None) or f"{hosts[0]}{suffix}"
        plan = PoolPlan(name, name.removesuffix(suffix).replace(".", "-"), kind, site, hosts, pool)
        if name in found:
            raise PlanError((f"two pools are called {name}; pool names are unique in an organisation",))
        found[name] = plan
    return found


def listener(pool: EdgePool, service: EdgeService) -> tuple[str, int] | None:
    """Name and port of an external Edge service, None if the pool does not have it."""
    found: EdgeListener | None = getattr(pool, service)
    if found is None:
        return None
    return found.fqdn, port(pool, service)


class _Builder:
    """Makes the hosts of one deployment."""

    def __init__(self, topology: Topology, networks: dict[str, NetworkPlan]) -> None:
        self.topology = topology
        self.networks = networks
        self.allocator = Allocator(networks)
        self.hosts: dict[str, HostPlan] = {}

    def add(self, plan: HostPlan) -> None:
        if plan.name in self.hosts:
            self.allocator.problems.append(f"two hosts are called {plan.name}; host names are unique")
        self.hosts[plan.name] = plan

    def member(self, pool: PoolPlan, host: Host) -> None:
        """A host of a pool, without routes yet."""
        site = self.topology.sites[pool.site]
        names = list(dict.fromkeys(site.network(zone) for zone in ZONES[pool.kind]))
        services: tuple[ServiceAddress, ...] = ()
        interfaces = []
        for index, network in enumerate(names):
            if isinstance(pool.pool, EdgePool) and index == 0:
                interface, services = self._edge_outside(pool.pool, host, network)
            else:
                families = BOTH
                if isinstance(pool.pool, EdgePool) and pool.pool.internal_ipv6 is False:
                    families = frozenset({"ipv4"})
                ipv4, ipv6 = self.allocator.take(
                    host.name, pool.kind, network, host.addresses.get(network), families
                )
                interface = Interface(f"eth{index}", network, ipv4, ipv6)
            interfaces.append(interface)
        names_of_roles = roles.of_kind(pool.kind) if pool.pool.platform == "linux" else ()
        self.add(
            HostPlan(
                name=host.name,
                fqdn=f"{host.name}.{self.topology.internal_domain}",
                kind=pool.kind,
                roles=names_of_roles,
                pool=pool.name if pool.kind not in UNPOOLED else None,
                site=pool.site,
                platform=pool.pool.platform,
                interfaces=tuple(interfaces),
                routes=(),
                packages=roles.packages(names_of_roles),
                volumes=roles.volumes(names_of_roles),
                forwarding=pool.kind in {"firewall_outer", "firewall_inner"},
                existing=existing(host.existing),
                services=services,
            )
        )

    def _edge_outside(
        self, pool: EdgePool, host: Host, network: str
    ) -> tuple[Interface, tuple[ServiceAddress, ...]]:
        families = frozenset({"ipv4"}) if pool.external_ipv6 is False else BOTH
        services: list[ServiceAddress] = []
        block = "access"
        for service in ("access", "web_conferencing", "av"):
            found = listener(pool, service)
            if found is None:
                continue
            if pool.single_address and services:
                ipv4, ipv6 = services[0].ipv4, services[0].ipv6
            else:
                given = host.services.get(service)
                if service == "access" and given is None:
                    given = host.addresses.get(network)
                block = service
                ipv4, ipv6 = self.allocator.take(host.name, block, network, given, families)
            public = host.public.get(service) or Addresses()
            services.append(ServiceAddress(service, *found, ipv4, ipv6, public.ipv4, public.ipv6))
        first = services[0]
        extra = tuple(a for s in services[1:] for a in s.addresses if a not in first.addresses)
        return Interface("eth0", network, first.ipv4, first.ipv6, extra), tuple(services)

    def surrounding(
        self,
        name: str,
        kind: Kind,
        at: Vantage | World | Partner | Impostor,
        families: frozenset[str] = BOTH,
        silent_about: tuple[str, ...] = (),
    ) -> None:
        """A vantage, the world, or a partner of the lab's."""
        ipv4, ipv6 = self.allocator.take(name, kind, at.network, at.addresses, families)
        inside = any(site.network("inside") == at.network for site in self.topology.sites.values())
        names_of_roles = roles.of_kind(kind)
        self.add(
            HostPlan(
                name=name,
                fqdn=f"{name}.{self.topology.internal_domain if inside else f'{at.network}.{DOMAIN}'}",
                kind=kind,
                roles=names_of_roles,
                pool=None,
                site=None,
                platform="linux",
                interfaces=(Interface("eth0", at.network, ipv4, ipv6),),
                routes=(),
                packages=roles.packages(names_of_roles),
                volumes=roles.volumes(names_of_roles),
                surroundings=True,
                existing=existing(at.existing),
                silent_about=silent_about,
            )
        )

    def clients(self, name: str, vantage: Vantage) -> None:
        """The packages of the real clients that a vantage has."""
        host = self.hosts[name]
        added = {lab_vantage.CLIENTS[client] for client in vantage.clients}
        self.hosts[name] = replace(host, packages=tuple(sorted({*host.packages, *added})))


def existing(host: Existing | None) -> ExistingHost | None:
    """How to reach a host that is already there."""
    return ExistingHost(host.address, host.host_key, host.user, host.port) if host else None


def make(
    deployment: Deployment, networks: dict[str, NetworkPlan], found: dict[str, PoolPlan]
) -> dict[str, HostPlan]:
    """All hosts: the organisation's in the order of pools, then world, then vantages by name.

    Raises:
        PlanError: two hosts want one address or name, or a number does not fit its block.
    """
    builder = _Builder(deployment.topology, networks)
    for address, owner in _taken(deployment).items():
        builder.allocator.reserve(address, owner)
    for pool in found.values():
        for host in pool.pool.hosts:
            builder.member(pool, host)
    surroundings = deployment.surroundings
    if surroundings and surroundings.world:
        dead = tuple(domain for domain, astray in surroundings.astray.items() if astray.dead)
        builder.surrounding(surroundings.world.host, "world", surroundings.world, silent_about=dead)
    if surroundings:
        for name in sorted(surroundings.vantages):
            vantage = surroundings.vantages[name]
            builder.surrounding(name, "vantage", vantage, frozenset(vantage.families))
            builder.clients(name, vantage)
        for name, _, partner in surroundings.hosts():
            kind: Kind = "partner" if partner is not surroundings.impostor else "impostor"
            builder.surrounding(name, kind, partner, frozenset(partner.families))
    if builder.allocator.problems:
        raise PlanError(tuple(builder.allocator.problems))
    return _routed(deployment.topology, networks, builder.hosts)


def _taken(deployment: Deployment) -> dict[Address, str]:
    """Addresses on the Internet of another deployment's lab that are its hosts' already."""
    other = deployment.internet
    shared = shared_network(other) if other else None
    if other is None or shared is None:
        return {}
    alone = replace(other, internet=None, partners={})
    theirs = make(alone, networks_of(alone.topology), pools(alone.topology))
    return {
        address: f"{other.name}'s {host.name}"
        for host in theirs.values()
        for address in host.addresses(shared.name)
    }


class _Router:
    """Works out static routes from sites and firewalls."""

    def __init__(
        self, topology: Topology, networks: dict[str, NetworkPlan], hosts: dict[str, HostPlan]
    ) -> None:
        self.topology = topology
        self.networks = networks
        self.outer = self._first(hosts, "firewall_outer")
        self.inner = self._first(hosts, "firewall_inner")
        self.inside = self._zone("inside") + tuple(
            site.networks["management"] for site in topology.sites.values() if "management" in site.networks
        )

    @staticmethod
    def _first(hosts: dict[str, HostPlan], kind: str) -> dict[str, HostPlan]:
        found: dict[str, HostPlan] = {}
        for host in hosts.values():
            if host.kind == kind and host.site:
                found.setdefault(host.site, host)
        return found

    def _zone(self, zone: Zone) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(self.topology.sites[name].network(zone) for name in sorted(self.topology.sites))
        )

    def _hops(self, network: str, router: HostPlan | None) -> tuple[Address, ...]:
        """The way out of a network: its given gateway, else the router's addresses on it."""
        given = self.topology.networks[network].gateway
        theirs = next((i for i in router.interfaces if i.network == network), None) if router else None
        found = (given.ipv4 or (theirs and theirs.ipv4), given.ipv6 or (theirs and theirs.ipv6))
        return tuple(a for a in found if a)

    def _via(
        self, host: HostPlan, router: HostPlan | None, mine: Interface, targets: Iterable[Subnet | None]
    ) -> Iterator[Route]:
        """Routes (None: the default one) by the way out of an interface's network, none to attached ones."""
        attached = [self.networks[interface.network] for interface in host.interfaces]
        skipped = {subnet for plan in attached for subnet in (plan.ipv4, plan.ipv6)} - {None}
        families = {a.version for a in (mine.ipv4, mine.ipv6) if a is not None}
        for target in targets:
            for via in self._hops(mine.network, router):
                fits = target is None or target.version == via.version
                if fits and target not in skipped and via.version in families:
                    yield Route(target, via, mine.name)

    def _subnets(self, networks: Iterable[str]) -> tuple[Subnet, ...]:
        """The subnets of networks by name."""
        plans = [self.networks[name] for name in dict.fromkeys(networks) if name in self.networks]
        return tuple(n for plan in plans for n in (plan.ipv4, plan.ipv6) if n is not None)

    @cached_property
    def _within(self) -> tuple[Subnet, ...]:
        """All that Edge hosts and proxies reach inward: inside networks and ranges, management (N03)."""
        ranges = (r for name in sorted(self.topology.sites) for r in self.topology.sites[name].inside_ranges)
        given = self.topology.management.networks if self._managed else ()
        return tuple(dict.fromkeys((*self._subnets(self.inside), *ranges, *given)))

    @property
    def _managed(self) -> bool:
        """Whether the management networks are known to lie inside."""
        return any("management" in site.networks for site in self.topology.sites.values())

    def routes(self, host: HostPlan) -> Iterator[Route]:
        """A host's static routes (N02, N03, N04, N09)."""
        first, last = host.interfaces[0], host.interfaces[-1]
        if host.surroundings:
            for name in sorted(self.topology.sites):
                yield from self._surrounding(host, name)
        elif host.site is None:
            return
        elif host.kind in {"edge", "reverse_proxy"}:
            yield from self._via(host, self.outer.get(host.site), first, (None,))
            yield from self._via(host, self.inner.get(host.site), last, self._within)
        elif host.kind == "firewall_outer":
            yield from self._via(host, None, first, (None,))
        elif host.kind == "firewall_inner":
            yield from self._via(host, None, last, self._within)
        else:
            yield from self._inside(host, host.site)

    def _inside(self, host: HostPlan, site: str) -> Iterator[Route]:
        """A host inside: everything through a given gateway, else only the perimeter's inner side."""
        first = host.interfaces[0]
        given = self.topology.networks[first.network].gateway
        if given.ipv4 or given.ipv6:
            yield from self._via(host, None, first, (None,))
        perimeter = self._subnets((self.topology.sites[site].network("perimeter_in"),))
        yield from self._via(host, self.inner.get(site), first, perimeter)

    def _surrounding(self, host: HostPlan, name: str) -> Iterator[Route]:
        site = self.topology.sites[name]
        first = host.interfaces[0]
        if first.network == site.network("inside"):
            yield from self._inside(host, name)
        elif first.network == site.network("outside"):
            # All of it, so that what must be refused reaches the firewall that refuses it.
            behind = (site.network("perimeter_out"), site.network("perimeter_in"), site.network("inside"))
            yield from self._via(host, self.outer.get(name), first, self._subnets(behind))


def _routed(
    topology: Topology, networks: dict[str, NetworkPlan], hosts: dict[str, HostPlan]
) -> dict[str, HostPlan]:
    router = _Router(topology, networks, hosts)
    return {
        name: replace(host, routes=tuple(dict.fromkeys(router.routes(host)))) for name, host in hosts.items()
    }

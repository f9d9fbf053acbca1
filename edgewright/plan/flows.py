"""Flows: the rows of the port tables (reference section 3) and our own L rows, with concrete ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network
from typing import TYPE_CHECKING, Literal

from edgewright.model.topology import EdgePool, FrontEndPool
from edgewright.plan import acme, internet, roles
from edgewright.plan.edges import federation_edge, media_pools, served_pools, xmpp_edge
from edgewright.plan.flow_rows import ROWS, Row
from edgewright.plan.types import Address, End, Flow, HostPlan, PlanError, PoolPlan, Subnet

if TYPE_CHECKING:
    from edgewright.model.topology import Zone
    from edgewright.plan.roles import Base

ANY = End("any")

Path = Literal["host", "outer", "inner"]
SERVERS = ("director", "front_end")


class _Facts:
    """What the ends of flows are made of, worked out once per plan."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.topology = base.topology

    def zone(self, zone: Zone) -> tuple[str, ...]:
        """Names of the networks that play a zone at any site."""
        return tuple(dict.fromkeys(self.topology.sites[s].network(zone) for s in sorted(self.topology.sites)))

    def subnets(self, networks: tuple[str, ...]) -> tuple[Subnet, ...]:
        plans = [self.base.networks[name] for name in networks if name in self.base.networks]
        return tuple(n for n in [p.ipv4 for p in plans] + [p.ipv6 for p in plans] if n is not None)

    @cached_property
    def inside_networks(self) -> tuple[Subnet, ...]:
        ranges = [r for s in sorted(self.topology.sites) for r in self.topology.sites[s].inside_ranges]
        return tuple(dict.fromkeys((*self.subnets(self.zone("inside")), *ranges)))

    @cached_property
    def inside_clients(self) -> tuple[str, ...]:
        inside = set(self.zone("inside"))
        return tuple(h.name for h in self.base.of_kind("vantage") if h.interfaces[0].network in inside)

    @cached_property
    def acme(self) -> acme.Directory | None:
        return acme.directory(self.base)

    def inner(self, hosts: tuple[HostPlan, ...], label: str) -> End | None:
        """The hosts at their inner or only interface."""
        return self._end(hosts, label, -1)

    def outer(self, hosts: tuple[HostPlan, ...], label: str) -> End | None:
        """The hosts at the primary addresses of their outer interface."""
        return self._end(hosts, label, 0)

    @staticmethod
    def _end(hosts: tuple[HostPlan, ...], label: str, index: int) -> End | None:
        if not hosts:
            return None
        ends = [host.interfaces[index] for host in hosts]
        addresses = tuple(a for i in ends for a in (i.ipv4, i.ipv6) if a is not None)
        return End(label, tuple(host.name for host in hosts), (), addresses)

    def hosts(self, pools: tuple[PoolPlan, ...]) -> tuple[HostPlan, ...]:
        return tuple(host for pool in pools for host in self.base.pool_hosts(pool.name))


@dataclass(frozen=True)
class _Context:
    """A row applied to one pool (or, without one, to the deployment)."""

    facts: _Facts
    pool: PoolPlan | None

    @property
    def base(self) -> Base:
        return self.facts.base

    @property
    def own(self) -> PoolPlan:
        if self.pool is None:
            raise AssertionError
        return self.pool

    @property
    def edge(self) -> EdgePool:
        if not isinstance(self.own.pool, EdgePool):
            raise TypeError
        return self.own.pool

    def members(self) -> tuple[HostPlan, ...]:
        return self.base.pool_hosts(self.own.name)


def _service(context: _Context, service: Literal["access", "web_conferencing", "av"]) -> End | None:
    hosts, addresses = [], []
    for host in context.members():
        found = host.service(service)
        if found:
            hosts.append(host.name)
            addresses += list(found.addresses)
    return End(f"{context.own.key} {service}", tuple(hosts), (), tuple(addresses)) if hosts else None


def _next_hop(context: _Context) -> End | None:
    pool = context.base.pools.get(context.edge.next_hop)
    return context.facts.inner(context.base.pool_hosts(pool.name), pool.key) if pool else None


def _partners(context: _Context, route: Callable[[Base], PoolPlan | None]) -> End | None:
    """Anybody, if the Edge pool is the organisation's on that route."""
    return ANY if context.pool is not None and route(context.base) == context.pool else None


def _servers_of_edge(context: _Context) -> End | None:
    facts = context.facts
    return facts.inner(facts.hosts(served_pools(context.base, context.own)), f"servers of {context.own.key}")


def _media_servers(context: _Context) -> End | None:
    facts = context.facts
    return facts.inner(facts.hosts(media_pools(context.base, context.own)), "front ends")


def _xmpp_gateways(context: _Context) -> End | None:
    if xmpp_edge(context.base) != context.pool:
        return None
    return context.facts.inner(context.base.of_kind("front_end"), "front ends")


def _inside(context: _Context) -> End:
    """Clients and servers inside; the Front Ends whose media pass the Edge pool are named."""
    hosts = context.facts.inside_clients
    if context.pool is not None and context.pool.kind == "edge":
        media = context.facts.hosts(media_pools(context.base, context.pool))
        hosts += tuple(host.name for host in media)
    return End("inside", hosts, context.facts.inside_networks)


def _all_servers(context: _Context) -> End | None:
    hosts = context.base.of_kind("director", "front_end")
    if len(hosts) < 2:
        return None
    return End("servers", tuple(host.name for host in hosts), context.facts.inside_networks)


def _proxies_of(context: _Context) -> End | None:
    """The proxies that publish anything of the pool, at their inner interface."""
    names = dict.fromkeys(
        name for p in context.base.publications if p.pool == context.own.name for name in p.proxies
    )
    return context.facts.inner(tuple(context.base.hosts[name] for name in names), "proxies")


def _front_ends(context: _Context) -> End | None:
    return context.facts.inner(context.base.of_kind("front_end"), "front ends")


def _database(context: _Context) -> End | None:
    """The first host of a Front End pool's database pool, else its own first one (no flow with itself)."""
    pool = context.own.pool
    if not isinstance(pool, FrontEndPool):
        return None
    if pool.database:
        found = context.base.pools.get(pool.database)
        return context.facts.inner(context.base.pool_hosts(found.name)[:1], found.key) if found else None
    members = context.members()
    return context.facts.inner(members[:1], context.own.key) if len(members) > 1 else None


def _database_clients(context: _Context) -> End | None:
    pool = context.own.pool
    members = context.members()
    if isinstance(pool, FrontEndPool) and not pool.database:
        members = members[1:]
    return context.facts.inner(members, context.own.key)


def _resolver_clients(context: _Context) -> End:
    """Inside networks; servers of the DNS pool's site, for the first pool those of sites without one too."""
    pools = [pool for pool in context.base.pools.values() if pool.kind == "dns"]
    sites = {pool.site for pool in pools}
    first = pools[0] == context.pool
    hosts = tuple(
        host.name
        for host in context.base.of_kind("director", "front_end", "database")
        if host.site == context.own.site or (first and host.site not in sites)
    )
    return End("inside", hosts + context.facts.inside_clients, context.facts.inside_networks)


def _resolvers(context: _Context) -> End:
    """The outside resolvers: given ones, the world's, else any."""
    surroundings = context.base.deployment.surroundings
    if surroundings and surroundings.resolvers:
        return End("resolvers", (), (), tuple(surroundings.resolvers))
    return _world(context) or ANY


def _world(context: _Context) -> End | None:
    """The lab's Internet, whoever has it."""
    found = internet.of(context.base.deployment)
    return End("world", (found.host,) if found.own else (), (), found.addresses) if found else None


def _partners_acme(context: _Context) -> End | None:
    """Hosts of other deployments that get their certificates here: no place that the proof can try from."""
    hosts = [
        other.hosts[name]
        for other in context.base.others.values()
        for found in other.certificates
        if found.source == "acme" and internet.shares(other.deployment, context.base.deployment)
        for name in found.hosts
    ]
    addresses = [a for host in hosts for a in (host.interfaces[0].ipv4, host.interfaces[0].ipv6) if a]
    return End("partners", (), tuple(ip_network(a) for a in dict.fromkeys(addresses))) if hosts else None


def _forwarders(context: _Context) -> End | None:
    """Where our DNS servers ask for what is not theirs; a lab has no such place."""
    surroundings = context.base.deployment.surroundings
    if surroundings is None or surroundings.world or not surroundings.resolvers:
        return None
    return End("resolvers", (), (), tuple(surroundings.resolvers))


def _acme_clients(context: _Context) -> End | None:
    mine = [c for c in context.base.certificates if c.pool == context.own.name and c.source == "acme"]
    return context.facts.outer(context.members(), context.own.key) if mine else None


def _acme_directory(context: _Context) -> End | None:
    found = context.facts.acme
    if found is None:
        return None
    return _world(context) if found.world else End(found.host)


def _acme_dns(context: _Context) -> End | None:
    found = context.facts.acme
    if found is None:
        return None
    world = tuple(h for h in context.base.of_kind("world") if found.dns_server in h.addresses())
    return End("dns server", tuple(h.name for h in world), (), (found.dns_server,))


def _existing(context: _Context) -> End | None:
    found = tuple(h for h in context.base.hosts.values() if h.existing and not h.surroundings)
    return context.facts.outer(found, "existing hosts")


SELECTORS: dict[str, Callable[[_Context], End | None]] = {
    "any": lambda _: ANY,
    "sip_partner": lambda c: _partners(c, federation_edge),
    "xmpp_partner": lambda c: _partners(c, xmpp_edge),
    "access": lambda c: _service(c, "access"),
    "web_conferencing": lambda c: _service(c, "web_conferencing"),
    "av": lambda c: _service(c, "av"),
    "members_inner": lambda c: c.facts.inner(c.members(), c.own.key),
    "members_outer": lambda c: c.facts.outer(c.members(), c.own.key),
    "av_members": lambda c: c.facts.inner(c.members(), c.own.key) if c.edge.av else None,
    "web_conferencing_members": lambda c: (
        c.facts.inner(c.members(), c.own.key) if c.edge.web_conferencing else None
    ),
    "next_hop": _next_hop,
    "servers_of_edge": _servers_of_edge,
    "media_servers": _media_servers,
    "xmpp_gateways": _xmpp_gateways,
    "inside": _inside,
    "all_servers": _all_servers,
    "proxies_of": _proxies_of,
    "front_ends": _front_ends,
    "database": _database,
    "database_clients": _database_clients,
    "resolver_clients": _resolver_clients,
    "resolvers": _resolvers,
    "forwarders": _forwarders,
    "acme_clients": _acme_clients,
    "acme_directory": _acme_directory,
    "acme_dns": _acme_dns,
    "world": lambda c: _world(c) if c.base.of_kind("world") else None,
    "partners": lambda c: c.facts.outer(c.base.of_kind("partner", "impostor"), "lab partners"),
    "partners_acme": _partners_acme,
    "existing": _existing,
}


def _ports(row: Row, context: _Context) -> str | None:
    """The ports of a row; words stand for what the topology says."""
    if row.ports == "{acme}":
        return str(context.facts.acme.port) if context.facts.acme else None
    if row.ports == "{relay}":
        return context.edge.av.relay_ports if context.edge.av else None
    if row.ports.startswith("{"):
        name = row.ports.strip("{}")
        found = [s for h in context.members() for s in h.services if s.service == name]
        return str(found[0].port) if found else None
    return row.ports


def _active(row: Row, base: Base, source: End, target: End) -> bool:
    """Whether what listens (or, for outgoing rows, what sends) is deployed."""
    if not row.service:
        return True
    end = source if row.at == "source" else target
    if row.at == "target" and not end.hosts and end is not ANY:
        return True  # somebody else's service, such as a public ACME directory
    return any(row.service in roles.listens(base.hosts[name].roles) for name in end.hosts)


def _path(row: Row, context: _Context) -> tuple[Path, ...]:
    """Where it passes; a firewall only where it separates two networks at the pool's site."""
    if context.pool is None:
        return row.path
    site = context.facts.topology.sites[context.pool.site]
    missing = set()
    if site.network("outside") == site.network("perimeter_out"):
        missing.add("outer")
    if site.network("perimeter_in") == site.network("inside"):
        missing.add("inner")
    return tuple(part for part in row.path if part not in missing)


def _flows(row: Row, context: _Context) -> Iterator[Flow]:
    if row.platform and context.pool is not None and context.pool.pool.platform != row.platform:
        return
    if row.balancer and (context.pool is None or context.pool.pool.sip_balancing != "balancer"):
        return
    source, target = SELECTORS[row.source](context), SELECTORS[row.target](context)
    ports = _ports(row, context) if source and target else None
    if source is None or target is None or ports is None:
        return
    for protocol in row.protocols:
        name = row.row if context.pool is None else f"{row.row}-{context.pool.key}"
        yield Flow(
            id=name if len(row.protocols) == 1 else f"{name}-{protocol}",
            row=row.row,
            source=source,
            target=target,
            protocol=protocol,
            ports=ports,
            why=row.why,
            path=_path(row, context),
            active=_active(row, context.base, source, target),
            service=row.service,
        )


def _management(base: Base) -> Iterator[Flow]:
    """L01 and L07: ssh and echo per network, from the management networks or the lab's bridge addresses."""
    given = base.topology.management.networks
    by_network: dict[str, dict[str, list[Address]]] = {}
    for host in base.hosts.values():
        if host.platform == "linux":
            for interface in host.interfaces:
                mine = by_network.setdefault(interface.network, {}).setdefault(host.name, [])
                mine += [a for a in (interface.ipv4, interface.ipv6) if a is not None]
    for network, hosts in by_network.items():
        plan = base.networks[network]
        bridges = tuple(a for a in (plan.bridge4, plan.bridge6) if a is not None)
        source = End("management", (), given, () if given else bridges)
        addresses = tuple(address for found in hosts.values() for address in found)
        target = End(f"hosts on {network}", tuple(hosts), (), addresses)
        path: tuple[Path, ...] = ("host",)
        if given and "perimeter_in" in plan.zones:
            path = ("inner", "host")
        why = "administration over ssh, Ansible"
        yield Flow(f"L01-{network}", "L01", source, target, "tcp", "22", why, path, True, "ssh")
        why = "reachability checks"
        yield Flow(f"L07-{network}", "L07", source, target, "icmp", "echo-request", why, path, True)


def make(base: Base) -> tuple[Flow, ...]:
    """All flows in the order of the rows, then of the pools.

    Raises:
        PlanError: two pools whose names differ only in dots and hyphens would share ids.
    """
    facts = _Facts(base)
    flows: list[Flow] = []
    for row in ROWS:
        if row.per is None:
            flows += _flows(row, _Context(facts, None))
            continue
        for pool in base.pools.values():
            if pool.kind in row.per:
                flows += _flows(row, _Context(facts, pool))
    flows += _management(base)
    seen: set[str] = set()
    twice = {flow.id for flow in flows if flow.id in seen or seen.add(flow.id)}  # type: ignore[func-returns-value]
    if twice:
        raise PlanError(
            tuple(f"{name}: two pools lead to this flow id; rename one" for name in sorted(twice))
        )
    return tuple(flows)

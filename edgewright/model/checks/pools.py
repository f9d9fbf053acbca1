"""Pools refer to each other as the product does, and each Edge pool agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator

from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import Kind, PoolAt, listeners, pools, port
from edgewright.model.messages import nearest
from edgewright.model.topology import EdgePool, FrontEndPool, ProxyPool, Zone

IPV6_FIELDS: tuple[tuple[str, Zone], ...] = (
    ("internal_ipv6", "perimeter_in"),
    ("external_ipv6", "perimeter_out"),
)


class _References:
    """Pools by name, and what is wrong with a reference to one."""

    def __init__(self, deployment: Deployment) -> None:
        self.pools = {at.name: at for at in pools(deployment.topology) if getattr(at.pool, "pool", None)}

    def edge(self, name: str | None) -> EdgePool | None:
        found = self.pools.get(name or "")
        return found.pool if found and isinstance(found.pool, EdgePool) else None

    def wrong(self, place: Place, name: str | None, row: str, *allowed: Kind) -> Iterator[Problem]:
        """What is wrong with `name`, which must be a pool of an allowed kind."""
        if name is None:
            return
        found = self.pools.get(name)
        suitable = [one for one, at in self.pools.items() if at.kind in allowed]
        if found is None:
            yield in_topology(place, f"there is no pool {name}{nearest(name, suitable)}", name)
        elif found.kind not in allowed:
            what = " or ".join(_said(kind) for kind in allowed)
            message = f"{name} is {_said(found.kind)} pool, {what} pool is needed here ({row})"
            yield in_topology(place, message + nearest(name, suitable), name)


def _said(kind: Kind) -> str:
    return ("an " if kind == "edge" else "a ") + kind.replace("_", " ")


def _references(deployment: Deployment) -> Iterator[Problem]:
    """Pools that are named exist and are of the right kind (G05, G06)."""
    references = _References(deployment)
    for found in references.pools.values():
        pool, at = found.pool, found.place
        if isinstance(pool, EdgePool):
            yield from references.wrong((*at, "next_hop"), pool.next_hop, "G06", "director", "front_end")
        if isinstance(pool, FrontEndPool):
            yield from references.wrong((*at, "media"), pool.media, "G05", "edge")
            yield from references.wrong((*at, "database"), pool.database, "section 7", "database")
            edge = references.edge(pool.media)
            if edge and edge.av is None:
                message = f"{edge.pool} has no `av`; describe that service there, or leave `media` out (G05)"
                yield in_topology((*at, "media"), message, found.name)
    yield from _published(deployment, references)


def _published(deployment: Deployment, references: _References) -> Iterator[Problem]:
    webs = {web for at in references.pools.values() if (web := getattr(at.pool, "external_web", None))}
    for found in pools(deployment.topology):
        for index, web in enumerate(found.pool.publishes if isinstance(found.pool, ProxyPool) else ()):
            if web not in webs:
                message = f"no pool has the external web name {web}{nearest(web, webs)}"
                yield in_topology((*found.place, "publishes", index), message, web)


def _routes(deployment: Deployment) -> Iterator[Problem]:
    """The federation and XMPP routes lead to Edge pools that have these switched on (G04, C13)."""
    references = _References(deployment)
    for route, row in (("federation", "G04"), ("xmpp", "C13")):
        name = getattr(deployment.topology.routes, route)
        yield from references.wrong(("routes", route), name, row, "edge")
        edge = references.edge(name)
        if edge and not getattr(edge, route):
            message = f"{name} has `{route}: false`; say true there, or take the route out ({row})"
            yield in_topology(("routes", route), message, name)


def _edges(deployment: Deployment) -> Iterator[Problem]:
    """An Edge pool's own fields agree: ports, ranges, families, balancer (N08, S03, 2.3)."""
    for found in pools(deployment.topology):
        if isinstance(found.pool, EdgePool):
            yield from _ports(found, found.pool)
            yield from _ipv6(deployment, found, found.pool)
            yield from _balancer(found, found.pool)


def _ports(found: PoolAt, pool: EdgePool) -> Iterator[Problem]:
    taken: dict[int, str] = {}
    for service in listeners(pool) if pool.single_address else ():
        other = taken.setdefault(port(pool, service), service)
        if other != service:
            message = (
                f"{service} and {other} share one address and both have port {port(pool, service)}; "
                "use 5061, 444 and 443 (N08)"
            )
            yield in_topology((*found.place, service), message, found.name)
    if pool.av:
        low, high = (int(part) for part in pool.av.relay_ports.split("-"))
        if not 1024 <= low < high <= 65535:
            message = (
                f"relay_ports {pool.av.relay_ports} should be a range within 1024-65535, as in 50000-59999"
            )
            yield in_topology((*found.place, "av", "relay_ports"), message, found.name)


def _ipv6(deployment: Deployment, found: PoolAt, pool: EdgePool) -> Iterator[Problem]:
    for field, zone in IPV6_FIELDS:
        name = found.site.network(zone)
        network = deployment.topology.networks.get(name)
        if getattr(pool, field) and network and network.ipv6 is None:
            message = f"{field} is true, but network {name} has no ipv6; give it a subnet (S03)"
            yield in_topology((*found.place, field), message, found.name)


def _balancer(found: PoolAt, pool: EdgePool) -> Iterator[Problem]:
    if pool.sip_balancing == "dns":
        if pool.virtual:
            message = "`virtual` addresses are a balancer's: say `sip_balancing: balancer`, or take them out"
            yield in_topology((*found.place, "virtual"), message, found.name)
        return
    for service in (*listeners(pool), "internal"):
        if service not in pool.virtual:
            message = f"the balancer's address for {service} is missing: `virtual: {{{service}: {{...}}}}`"
            yield in_topology((*found.place, "sip_balancing"), message, found.name)


EXAMINATIONS = (_references, _routes, _edges)

"""Which Edge pool plays which part for the whole organisation, and who speaks with it inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgewright.model.topology import EdgePool, FrontEndPool

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import Kind, PoolPlan


def edge_pools(base: Base) -> tuple[PoolPlan, ...]:
    """All Edge pools."""
    return tuple(pool for pool in base.pools.values() if pool.kind == "edge")


def federation_edge(base: Base) -> PoolPlan | None:
    """The one Edge pool on the federation route (G04), if it may federate."""
    pool = base.pools.get(base.topology.routes.federation or "")
    return pool if pool and isinstance(pool.pool, EdgePool) and pool.pool.federation else None


def xmpp_edge(base: Base) -> PoolPlan | None:
    """The one Edge pool on the XMPP route, if it may speak XMPP."""
    pool = base.pools.get(base.topology.routes.xmpp or "")
    return pool if pool and isinstance(pool.pool, EdgePool) and pool.pool.xmpp else None


def primary_edge(base: Base) -> PoolPlan | None:
    """The Edge pool that `sip.<domain>` means: the one called so, else the federation route's, else any."""
    found = edge_pools(base)
    names = {f"sip.{domain}" for domain in base.topology.sip_domains}
    for pool in found:
        if isinstance(pool.pool, EdgePool) and pool.pool.access.fqdn in names:
            return pool
    return federation_edge(base) or next(iter(found), None)


def first_pool(base: Base, *kinds: Kind) -> PoolPlan | None:
    """The pool that stands for all: of the first kind there is, at the primary Edge's site if possible."""
    edge = primary_edge(base)
    for kind in kinds:
        found = [pool for pool in base.pools.values() if pool.kind == kind]
        if found:
            return next((pool for pool in found if edge and pool.site == edge.site), found[0])
    return None


def media_pools(base: Base, edge: PoolPlan) -> tuple[PoolPlan, ...]:
    """Front End pools whose media pass an Edge pool (G05); one that names none uses its site's."""
    return tuple(
        pool
        for pool in base.pools.values()
        if isinstance(pool.pool, FrontEndPool)
        and (pool.pool.media == edge.name if pool.pool.media else pool.site == edge.site)
    )


def served_pools(base: Base, edge: PoolPlan) -> tuple[PoolPlan, ...]:
    """Pools that send SIP through an Edge pool: its next hop, media and site; on the routes all."""
    media = {pool.name for pool in media_pools(base, edge)}
    everyone = edge in (federation_edge(base), xmpp_edge(base))
    next_hop = edge.pool.next_hop if isinstance(edge.pool, EdgePool) else None
    return tuple(
        pool
        for pool in base.pools.values()
        if pool.kind in {"director", "front_end"}
        and (everyone or pool.name == next_hop or pool.name in media or pool.site == edge.site)
    )

"""Director: authenticates what an Edge lets in, drops unknown users, routes to the home pool (2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgewright.plan import sip

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES = ("kamailio", "kamailio-sqlite-modules", "kamailio-tls-modules")
VOLUMES = ("/var/lib/edgewright",)
USERS = ("g edgewright -",)
LISTENS = ("sip",)


class Settings(sip.Settings):
    """One Director."""

    fqdn: str
    pool: str
    realm: str
    """The one digest realm of the organisation."""
    inside: tuple[sip.Socket, ...]
    own: tuple[sip.Address, ...]
    """Addresses of every Director of the pool: each may serve the dialogs of all."""
    front_ends: tuple[sip.SipPool, ...]
    """Home pools."""
    edges: tuple[sip.SipPool, ...]
    """The Edge pool through which partners are reached, if there is one."""
    tables: sip.Tables
    """Tables that follow from the plan: `hosts`, `pools`, `routes`."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Settings of a Director."""
    if host.pool is None:
        return None
    front_ends = tuple(sip.sip_pool(base, pool, host) for pool in sip.pools(base, "front_end"))
    edge = sip.federation_hop(base, host)
    edges = (sip.sip_pool(base, edge, host),) if edge else ()
    return Settings(
        fqdn=host.fqdn,
        pool=host.pool,
        realm=base.deployment.realm,
        inside=sip.inside_sockets(host),
        own=tuple(a for member in base.pool_hosts(host.pool) for a in sip.inside_addresses(member)),
        front_ends=front_ends,
        edges=edges,
        tables={
            "hosts": sip.host_table(base),
            "pools": sip.pool_table(*front_ends, *edges),
            "routes": sip.route_table(base, host),
        },
    )

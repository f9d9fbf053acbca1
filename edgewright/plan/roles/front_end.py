"""Front End: home of users, registrar with its locations in PostgreSQL, decides per user (2.2, 9a)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field

from edgewright.plan import files, sip
from edgewright.plan.roles import database

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES = (
    "kamailio",
    "kamailio-outbound-modules",
    "kamailio-postgres-modules",
    "kamailio-presence-modules",
    "kamailio-sqlite-modules",
    "kamailio-tls-modules",
    "postgresql-client",
)
VOLUMES = ("/var/lib/edgewright",)
USERS = (
    "g edgewright -",
    "m postgres kamailio",  # the database of a larger pool shows the same certificate
)
LISTENS = ("sip",)


class Database(sip.Settings):
    """Where the locations of the pool are."""

    host: str
    """FQDN of the host whose PostgreSQL it is."""
    local: bool
    """True on that host itself: by its socket, without a password."""
    address: sip.Address
    port: sip.Port = database.PORT


class Settings(sip.Settings):
    """One Front End."""

    fqdn: str
    pool: str
    realm: str
    """The one digest realm of the organisation."""
    sip_domains: tuple[str, ...]
    """The first one is what dialogs with the server itself (presence) name as their other end."""
    inside: tuple[sip.Socket, ...]
    faces_edge: bool
    """True where an Edge's next hop is this pool: it does the Director's work, too."""
    pools: tuple[sip.SipPool, ...]
    """Other Front End pools, the Directors on the way out, the Edges that this pool faces."""
    database: Database
    tables: sip.Tables = Field(default_factory=dict)
    """Tables that follow from the plan: `files`, `hosts`, `pools`, `routes`, `via`."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Settings of a Front End."""
    if host.pool is None:
        return None
    edges = sip.pools(base, "edge")
    next_hops = {edge.name: sip.next_hop_of(base, edge) for edge in edges}
    others = {pool.name: pool for pool in sip.pools(base, "front_end") if pool.name != host.pool}
    others |= {pool.name: pool for pool in next_hops.values() if pool.name != host.pool}
    partners = sip.federation_hop(base, host)
    if partners and partners.name != host.pool:
        others[partners.name] = partners
    known = tuple(sip.sip_pool(base, others[name], host) for name in sorted(others))
    via = base.once(
        ("via", host.pool),
        lambda: {
            str(address): f"pool={next_hops[edge.name].name}"
            for edge in edges
            if next_hops[edge.name].name != host.pool
            for member in base.pool_hosts(edge.name)
            for address in sip.inside_addresses(member)
        },
    )
    return Settings(
        fqdn=host.fqdn,
        pool=host.pool,
        realm=base.deployment.realm,
        sip_domains=base.topology.sip_domains,
        inside=sip.inside_sockets(host),
        faces_edge=any(pool.name == host.pool for pool in next_hops.values()),
        pools=known,
        database=database_of(base, host),
        tables={
            "hosts": sip.host_table(base),
            "pools": sip.pool_table(*known),
            "routes": sip.route_table(base, host),
            "via": via,
            "files": files.table(base),
        },
    )


def database_of(base: Base, host: HostPlan) -> Database:
    """PostgreSQL of the pool, as seen from one of its hosts."""
    server = database.server(base, base.pools[cast("str", host.pool)])
    return Database(
        host=server.fqdn,
        local=server.name == host.name,
        address=sip.inside_addresses(server)[0],
    )

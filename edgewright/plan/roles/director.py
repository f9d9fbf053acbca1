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
    tables: sip.Tables
    """Tables that follow from the plan: `hosts`, `pools`."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Settings of a Director."""
    if host.pool is None:
        return None
    front_ends = tuple(sip.sip_pool(base, pool, host) for pool in sip.pools(base, "front_end"))
    return Settings(
        fqdn=host.fqdn,
        pool=host.pool,
        realm=base.deployment.realm,
        inside=sip.inside_sockets(host),
        own=tuple(a for member in base.pool_hosts(host.pool) for a in sip.inside_addresses(member)),
        front_ends=front_ends,
        tables={"hosts": sip.host_table(base), "pools": sip.pool_table(*front_ends)},
    )

"""Database: PostgreSQL for Front End pools, on a database host or on the first host of the pool itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edgewright.plan import sip

if TYPE_CHECKING:
    from edgewright.model.topology import FrontEndPool
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan, PoolPlan

PACKAGES = ("postgresql",)
VOLUMES = ("/var/lib/postgresql",)
LISTENS = ("postgresql",)

PORT = 5432


class Settings(sip.Settings):
    """One host with PostgreSQL."""

    serves: bool
    """False on the hosts of a pool whose database is elsewhere: PostgreSQL does not run there."""
    port: sip.Port = PORT
    listen: tuple[sip.Address, ...]
    """Addresses on which it serves other hosts, encrypted; empty: its socket only."""
    clients: tuple[sip.Address, ...]
    """The hosts that may come."""


def server(base: Base, pool: PoolPlan) -> HostPlan:
    """The host that keeps a Front End pool's data."""
    named = cast("FrontEndPool", pool.pool).database
    return (base.pool_hosts(named) if named else base.pool_hosts(pool.name))[0]


def settings(base: Base, host: HostPlan) -> Settings:
    """Settings of a Front End or a database host."""
    served = [pool for pool in sip.pools(base, "front_end") if server(base, pool).name == host.name]
    clients = [
        address
        for pool in served
        for member in base.pool_hosts(pool.name)
        if member.name != host.name
        for address in sip.inside_addresses(member)
    ]
    return Settings(
        serves=bool(served),
        listen=sip.inside_addresses(host) if clients else (),
        clients=tuple(clients),
    )

"""Where files between two people (M17) are: each lies on the Front End that took it, as its address says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgewright.model.topology import FrontEndPool

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan, PoolPlan

PATH = "/files"
"""Where a Front End takes files; `/files/<host>/` are those that a host keeps."""


def address(pool: PoolPlan, host: HostPlan) -> str:
    """What addresses begin with of files that a Front End keeps: as outsiders reach them, if they can."""
    front_end = pool.pool
    assert isinstance(front_end, FrontEndPool)  # its kind says so
    return f"https://{front_end.external_web or host.fqdn}{PATH}/{host.name}/"


def table(base: Base) -> dict[str, str]:
    """Table `files`: `<external web FQDN>/<host>` -> the host's own FQDN, for clients inside."""
    return base.once(
        "file addresses",
        lambda: {
            f"{pool.pool.external_web}/{member.name}": member.fqdn
            for pool in base.pools.values()
            if isinstance(pool.pool, FrontEndPool) and pool.pool.external_web
            for member in base.pool_hosts(pool.name)
        },
    )

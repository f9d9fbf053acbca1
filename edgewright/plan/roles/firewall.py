"""Role firewall: the routers between outside, perimeter and inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from edgewright.plan import nft

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES: tuple[str, ...] = ()
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ()


class Settings(BaseModel):
    """What a router lets pass."""

    model_config = ConfigDict(extra="forbid")

    filter: str
    """Packet filter as nftables text, its own and for what passes: default deny, a named counter per flow."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Only routers have them."""
    return Settings(filter=nft.router_rules(base, host)) if host.forwarding else None

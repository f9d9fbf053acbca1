"""Role dns: the inside name servers, authoritative for the inside view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from edgewright.plan.dns import text

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES: tuple[str, ...] = ("knot",)
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ("dns",)


class Zone(BaseModel):
    """A zone and its file."""

    model_config = ConfigDict(extra="forbid")

    name: str
    text: str
    """The zone file (RFC 1035 section 5)."""


class Settings(BaseModel):
    """What an inside name server answers."""

    model_config = ConfigDict(extra="forbid")

    listen: list[str]
    """Addresses on which it answers, port 53."""
    zones: list[Zone]
    """Its zones."""
    forward: list[str]
    """Where questions about other names go; empty: other names do not exist."""


def settings(base: Base, host: HostPlan) -> Settings:
    """The inside view; the Internet's names come from the operator's resolvers, if given."""
    surroundings = base.deployment.surroundings
    forward = surroundings.resolvers if surroundings and not surroundings.world else ()
    return Settings(
        listen=[str(address) for address in host.addresses()],
        zones=[Zone(name=zone.name, text=text(zone)) for zone in base.zones if zone.view == "inside"],
        forward=[str(address) for address in forward],
    )

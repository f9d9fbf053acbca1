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
    """Without trailing dot; the root is `.`."""
    file: str
    """Its file's name without folder."""
    text: str
    """The zone file (RFC 1035 section 5)."""


class Settings(BaseModel):
    """What an inside name server answers."""

    model_config = ConfigDict(extra="forbid")

    zones: list[Zone]
    """Its zones, with the root zone where no other names exist."""
    forward: list[str]
    """Where questions about other names go; empty: other names do not exist."""


def settings(base: Base, host: HostPlan) -> Settings:
    """The inside view; the Internet's names come from the operator's resolvers, if given."""
    surroundings = base.deployment.surroundings
    forward = surroundings.resolvers if surroundings and not surroundings.world else ()
    return Settings(
        zones=zones(base, "inside", None if forward else host.fqdn),
        forward=[str(address) for address in forward],
    )


def zones(base: Base, view: str, root: str | None) -> list[Zone]:
    """The zones of a view; `root` names the server of an otherwise empty root zone, if there shall be one."""
    found = [
        Zone(name=zone.name, file=f"{zone.name}.zone", text=text(zone))
        for zone in base.zones
        if zone.view == view
    ]
    if root:
        start = f". 300 IN SOA {root}. hostmaster.{root}. 1 3600 600 604800 300\n. 300 IN NS {root}.\n"
        found.append(Zone(name=".", file="root.zone", text=start))
    return found

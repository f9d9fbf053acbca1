"""Role lab_world: the lab's Internet: outside names, and an ACME directory that asks them (pebble)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from edgewright.plan import acme
from edgewright.plan.dns import text
from edgewright.plan.roles.dns import Zone

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES: tuple[str, ...] = ("knot",)
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ("dns", "acme")
USERS: tuple[str, ...] = ('u pebble - "ACME directory" /var/lib/pebble /usr/sbin/nologin',)


class Settings(BaseModel):
    """What the lab's Internet offers."""

    model_config = ConfigDict(extra="forbid")

    fqdn: str
    """The host's own name, in the certificate of the ACME directory."""
    listen: list[str]
    """Addresses on which it answers."""
    zones: list[Zone]
    """The outside view."""
    challenges: list[str]
    """Names for which DNS-01 may be answered by dynamic update: each is a zone `_acme-challenge.NAME`."""
    tsig_key: str
    """Name of the key that authorises the updates (RFC 8945); its secret is `acme.tsig`."""
    acme_port: int
    """Port of the ACME directory."""


def settings(base: Base, host: HostPlan) -> Settings:
    """The outside zones, and a challenge zone for each name that is certified through ACME."""
    names = {san for found in base.certificates if found.source == "acme" for san in found.sans}
    directory = acme.directory(base)
    return Settings(
        fqdn=host.fqdn,
        listen=[str(address) for address in host.addresses()],
        zones=[Zone(name=zone.name, text=text(zone)) for zone in base.zones if zone.view == "outside"],
        challenges=sorted(names),
        tsig_key=directory.tsig_key if directory else "acme",
        acme_port=acme.WORLD_PORT,
    )

"""Role lab_world: the lab's Internet: outside names, and an ACME directory that asks them (pebble)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from edgewright.plan import acme
from edgewright.plan.roles.dns import Zone, zones

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
    zones: list[Zone]
    """The outside view; other names do not exist."""
    challenges: list[Zone]
    """A zone `_acme-challenge.NAME` for each name proven by DNS-01: only dynamic updates write them."""
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
        zones=zones(base, "outside", host.fqdn),
        challenges=[_challenge(name, host.fqdn) for name in sorted(names)],
        tsig_key=directory.tsig_key if directory else "acme",
        acme_port=acme.WORLD_PORT,
    )


def _challenge(name: str, server: str) -> Zone:
    """The zone as it begins: apart from the name's own zone, so that new zone files cannot undo an update."""
    zone = f"_acme-challenge.{name}"
    start = (
        f"{zone}. 60 IN SOA {server}. hostmaster.{server}. 1 3600 600 604800 60\n{zone}. 60 IN NS {server}.\n"
    )
    return Zone(name=zone, file=f"{zone}.zone", text=start)

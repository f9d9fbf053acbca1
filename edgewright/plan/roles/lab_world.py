"""Role lab_world: the lab's Internet: outside names, and an ACME directory that asks them (pebble)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from edgewright.plan import acme, internet
from edgewright.plan.roles.dns import Zone, zones

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES: tuple[str, ...] = ("knot",)
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ("dns", "acme")
USERS: tuple[str, ...] = ('u pebble - "ACME directory" /var/lib/pebble /usr/sbin/nologin',)


class Key(BaseModel):
    """A key that authorises dynamic updates (RFC 8945): each organisation has its own."""

    model_config = ConfigDict(extra="forbid")

    name: str
    """Its name; the secret is `acme.tsig` of the deployment's credentials."""
    folder: str
    """The deployment whose key it is: its folder on the controller."""


class Challenge(Zone):
    """A zone that only dynamic updates write."""

    key: str
    """Name of the key that authorises them."""


class Settings(BaseModel):
    """What the lab's Internet offers."""

    model_config = ConfigDict(extra="forbid")

    fqdn: str
    """The host's own name, in the certificate of the ACME directory."""
    zones: list[Zone]
    """The outside view, that of partners besides; other names do not exist."""
    challenges: list[Challenge]
    """A zone `_acme-challenge.NAME` for each name proven by DNS-01: only dynamic updates write them."""
    keys: list[Key]
    """What authorises the updates."""
    acme_port: int
    """Port of the ACME directory."""


def settings(base: Base, host: HostPlan) -> Settings:
    """The outside zones, and a challenge zone for each name that is certified through ACME."""
    others = (o for o in base.others.values() if internet.shares(o.deployment, base.deployment))
    clients = [base, *others]
    return Settings(
        fqdn=host.fqdn,
        zones=zones(base, "outside", host.fqdn),
        challenges=[_challenge(name, host.fqdn, _key(c).name) for c in clients for name in _certified(c)],
        keys=[_key(client) for client in clients],
        acme_port=acme.WORLD_PORT,
    )


def _certified(base: Base) -> list[str]:
    """The names that a deployment proves by DNS-01."""
    return sorted({san for found in base.certificates if found.source == "acme" for san in found.sans})


def _key(base: Base) -> Key:
    directory = acme.directory(base)
    return Key(name=directory.tsig_key if directory else "acme", folder=str(base.deployment.folder))


def _challenge(name: str, server: str, key: str) -> Challenge:
    """The zone as it begins: apart from the name's own zone, so that new zone files cannot undo an update."""
    zone = f"_acme-challenge.{name}"
    start = (
        f"{zone}. 60 IN SOA {server}. hostmaster.{server}. 1 3600 600 604800 60\n{zone}. 60 IN NS {server}.\n"
    )
    return Challenge(name=zone, file=f"{zone}.zone", text=start, key=key)

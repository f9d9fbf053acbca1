"""Which ACME directory outside certificates come from, and where its DNS-01 answers go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgewright.plan import internet

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import Address

WORLD_PORT = 14000
"""Port of the lab's ACME directory (pebble's own default)."""


@dataclass(frozen=True, slots=True)
class Directory:
    """An ACME directory (RFC 8555), the server for dynamic updates (RFC 2136); `world`: both the lab's."""

    url: str
    host: str
    port: int
    dns_server: Address
    tsig_key: str
    ca_bundle: str | None
    contact: str | None
    profile: str | None
    world: bool


def directory(base: Base) -> Directory | None:
    """The organisation's directory, else the surroundings', else the world's; None: there is none."""
    surroundings = base.deployment.surroundings
    given = base.topology.certificates.acme or (surroundings.acme if surroundings else None)
    if given:
        return Directory(
            str(given.directory),
            given.directory.host or "",
            given.directory.port or 443,
            given.dns_server,
            given.tsig_key,
            given.ca_bundle,
            given.contact,
            given.profile,
            False,
        )
    world = internet.of(base.deployment)
    if world is None:
        return None
    url = f"https://{world.fqdn}:{WORLD_PORT}/dir"
    key = internet.tsig_key(base.deployment)
    return Directory(url, world.fqdn, WORLD_PORT, world.addresses[0], key, None, None, None, True)

"""Access Edge: the only way in for SIP (2.1, 9a): TLS 443 and 5061 outside, mutual TLS inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edgewright.plan import sip

if TYPE_CHECKING:
    from edgewright.model.topology import EdgePool
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES = (
    "kamailio",
    "kamailio-outbound-modules",
    "kamailio-sqlite-modules",
    "kamailio-tls-modules",
)
VOLUMES = ("/var/lib/edgewright",)
USERS = ("g edgewright -",)
LISTENS = ("access", "federation", "sip")


class Settings(sip.Settings):
    """One Edge host's Access Edge."""

    fqdn: str
    pool: str
    access_fqdn: str
    """Public name of the Access Edge."""
    outside: tuple[sip.Socket, ...]
    """Sockets for the Internet: names x4a, x6a (clients) and x4b, x6b (5061)."""
    inside: tuple[sip.Socket, ...]
    """Sockets for our own hosts: p4, p6."""
    next_hop: sip.SipPool
    """The one pool that gets what comes from outside (G06)."""
    own: tuple[sip.Address, ...]
    """Addresses outside of every Edge of the pool: each may serve the dialogs of all."""
    federation_certificate: str
    """Slot of the certificate that partners see."""
    tables: sip.Tables
    """Tables that follow from the plan: `hosts`."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Settings of an Edge host; None where it has no Access Edge address."""
    access = host.service("access")
    if access is None or host.pool is None:
        return None
    ports = {"a": access.port, "b": sip.SIP_TLS_PORT}
    if access.port == sip.SIP_TLS_PORT:
        del ports["a"]
    pool = base.pools[host.pool]
    return Settings(
        fqdn=host.fqdn,
        pool=pool.name,
        access_fqdn=cast("EdgePool", pool.pool).access.fqdn,
        outside=tuple(
            sip.Socket(
                name=f"x{address.version}{letter}",
                address=address,
                port=port,
                advertise=None if public == address else public,
            )
            for address, public in zip(access.addresses, access.public, strict=True)
            for letter, port in ports.items()
        ),
        inside=sip.inside_sockets(host),
        next_hop=sip.sip_pool(base, sip.next_hop_of(base, pool), host),
        own=_own(base, host.pool),
        federation_certificate=_federation_slot(base, host),
        tables={"hosts": sip.host_table(base)},
    )


def _own(base: Base, pool: str) -> tuple[sip.Address, ...]:
    """What partners may find in our Record-Route: addresses of the Access Edges, before and after NAT."""
    services = (member.service("access") for member in base.pool_hosts(pool))
    found = (a for service in services if service for a in (*service.addresses, *service.public))
    return tuple(dict.fromkeys(found))


def _federation_slot(base: Base, host: HostPlan) -> str:
    """One for partners alone where there is one, else the Edge's outside certificate."""
    slots = {found.slot for found in base.certificates if host.name in found.hosts}
    return "federation" if "federation" in slots else "edge_external"

"""Certificate requests (reference section 5): one per pool outside, one per host inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from edgewright.model.topology import CertificateFiles, DirectorPool, EdgePool, FrontEndPool
from edgewright.plan import publications
from edgewright.plan.edges import federation_edge, primary_edge, xmpp_edge
from edgewright.plan.types import CertificatePlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgewright.model.topology import CertificateSlot, CertificateSource
    from edgewright.plan.roles import Base
    from edgewright.plan.types import PoolPlan

OUTSIDE: frozenset[CertificateSlot] = frozenset({"edge_external", "federation", "av", "proxy"})
"""Slots that face the outside; the others face the inside."""

FOLDER = "/etc/edgewright/certificates"
SERVER: tuple[Literal["server", "client"], ...] = ("server",)
BOTH: tuple[Literal["server", "client"], ...] = ("server", "client")


def source(base: Base, slot: CertificateSlot) -> CertificateSource:
    """Where a slot's certificate comes from: its own source, else the default of its side."""
    given = base.topology.certificates
    return given.slots.get(slot) or (given.outside if slot in OUTSIDE else given.inside)


def acme_profile(base: Base) -> str | None:
    """The ACME profile that is asked for, if any."""
    surroundings = base.deployment.surroundings
    acme = base.topology.certificates.acme or (surroundings.acme if surroundings else None)
    return acme.profile if acme else None


def _client_capable(base: Base, given: CertificateSource) -> bool:
    """Whether a source gives clientAuth too; public authorities do so only under a profile that says it."""
    return given == "own_ca" or (given == "acme" and "client" in (acme_profile(base) or ""))


def _limits(base: Base, pool: PoolPlan, slot: CertificateSlot, given: CertificateSource) -> Iterator[str]:
    federation, xmpp = federation_edge(base), xmpp_edge(base)
    if slot not in OUTSIDE or _client_capable(base, given):
        return
    unsure = isinstance(given, CertificateFiles) or given == "windows_store"
    start = "If the given certificate has no clientAuth" if unsure else "Server authentication only"
    carries_federation = slot == "federation" or (
        slot == "edge_external" and "federation" not in base.topology.certificates.slots
    )
    if pool == federation and carries_federation:
        yield (
            f"{start}: a partner or public provider that checks the purpose of our client certificate "
            f"refuses what we send (E03); what it sends works. A certificate with clientAuth in slot "
            f"`federation` cures it."
        )
    if pool == xmpp and slot == "edge_external":
        yield f"{start}: XMPP partners that insist on SASL EXTERNAL refuse us (E14); dialback works."


def make(base: Base) -> tuple[CertificatePlan, ...]:
    """All requests, pools in the order of the plan."""
    found: list[CertificatePlan] = []
    for pool in base.pools.values():
        if isinstance(pool.pool, EdgePool):
            found += _edge(base, pool, pool.pool)
        elif pool.kind == "reverse_proxy":
            found += _proxy(base, pool)
        elif isinstance(pool.pool, DirectorPool | FrontEndPool):
            found += _server(base, pool, pool.pool)
        elif pool.kind == "database":
            found += _per_host(base, pool, "default", "K6", ())
    return tuple(found)


def _one(
    base: Base, pool: PoolPlan, slot: CertificateSlot, row: str, subject: str, sans: list[str], host: str = ""
) -> CertificatePlan:
    given = source(base, slot)
    return CertificatePlan(
        slot=slot,
        row=row,
        pool=pool.name,
        hosts=(host,) if host else pool.hosts,
        subject=subject,
        sans=tuple(dict.fromkeys((subject, *sans))),
        eku=BOTH if slot not in OUTSIDE or _client_capable(base, given) else SERVER,
        source=given,
        shared_key=not host,
        key="rsa-2048" if pool.pool.platform == "windows" else "ecdsa-p256",
        names=tuple(f"{FOLDER}/{slot}/{part}.pem" for part in ("privkey", "cert", "chain", "fullchain")),
        limits=tuple(_limits(base, pool, slot, given)),
    )


def _per_host(
    base: Base, pool: PoolPlan, slot: CertificateSlot, row: str, names: tuple[str, ...], subject: str = ""
) -> Iterator[CertificatePlan]:
    """One request for each host, so that a key never leaves its host and a new host changes no other's."""
    for host in base.pool_hosts(pool.name):
        yield _one(base, pool, slot, row, subject or pool.name, [pool.name, host.fqdn, *names], host.name)


def _edge(base: Base, pool: PoolPlan, edge: EdgePool) -> Iterator[CertificatePlan]:
    """K1 with K4, K2 where apart, K3; never a wildcard (Z01). The A/V name is not needed in K1 (C15)."""
    domains = base.topology.sip_domains
    access = edge.access.fqdn
    sans = [f"sip.{domain}" for domain in domains]
    if edge.web_conferencing:
        sans.append(edge.web_conferencing.fqdn)
    if pool == federation_edge(base) and pool != primary_edge(base):
        sans += [f"sipfed.{domain}" for domain in domains]
    if pool == xmpp_edge(base):
        sans += domains
    yield _one(base, pool, "edge_external", "K1", access, sans)
    slots = base.topology.certificates.slots
    if "federation" in slots and pool == federation_edge(base):
        yield _one(base, pool, "federation", "K1", access, sans)
    if "av" in slots and edge.av:
        yield _one(base, pool, "av", "K2", edge.av.fqdn, [])
    if edge.platform == "windows":
        hosts = [host.fqdn for host in base.pool_hosts(pool.name)]
        yield _one(base, pool, "edge_internal", "K3", pool.name, hosts)
    else:
        yield from _per_host(base, pool, "edge_internal", "K3", ())


def _proxy(base: Base, pool: PoolPlan) -> Iterator[CertificatePlan]:
    """K5: every public host that the pool publishes."""
    hosts = [p.host for p in base.publications if set(p.proxies) & set(pool.hosts)]
    if hosts:
        yield _one(base, pool, "proxy", "K5", hosts[0], hosts)


def _server(base: Base, pool: PoolPlan, server: DirectorPool | FrontEndPool) -> Iterator[CertificatePlan]:
    """K6-K8 of a Front End, K9 of a Director."""
    topology = base.topology
    director = isinstance(server, DirectorPool)
    sip = () if director else tuple(f"sip.{d}" for d in topology.sip_domains)
    discovery = tuple(f"lyncdiscoverinternal.{d}" for d in topology.sip_domains)
    yield from _per_host(base, pool, "default", "K9" if director else "K6", sip)
    urls = tuple(url.host or "" for _, url in publications.simple_urls(base))
    admin = (topology.simple_urls.admin.host or "",) if topology.simple_urls.admin else ()
    internal = server.internal_web or pool.name
    yield from _per_host(
        base, pool, "web_internal", "K9" if director else "K7", (*urls, *admin, *discovery), internal
    )
    if server.external_web:
        outer = tuple(f"lyncdiscover.{d}" for d in topology.sip_domains)
        yield from _per_host(
            base, pool, "web_external", "K9" if director else "K8", (*urls, *outer), server.external_web
        )

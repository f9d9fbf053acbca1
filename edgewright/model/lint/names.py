"""Rules about names: DNS (4.3), simple URLs (Q08), published web names (6.1), certificates (5)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import HttpUrl

from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import pools
from edgewright.model.lint.edge import edges
from edgewright.model.lint.rules import Planned, planned_rule, rule
from edgewright.model.topology import CertificateSlot, CertificateSource, FrontEndPool, Topology

PUBLIC_SLOTS: tuple[CertificateSlot, ...] = ("edge_external", "federation", "proxy")


@rule("Q03", "The Access Edge's name is in a SIP domain: SRV records point into their own domain only")
def _access_name(deployment: Deployment) -> Iterator[Problem]:
    domains = deployment.topology.sip_domains
    for found, pool in edges(deployment):
        if pool.access.fqdn.partition(".")[2] not in domains:
            message = f"{pool.access.fqdn} is not directly in a SIP domain; name it sip.{domains[0]}"
            yield in_topology((*found.place, "access", "fqdn"), message, pool.pool)


@rule("Q08", "Simple URLs are https and have one of the three documented forms")
def _simple_url_forms(deployment: Deployment) -> Iterator[Problem]:
    for field, domain, url, place in _simple_urls(deployment.topology):
        if url.scheme != "https":
            yield in_topology(place, f"{url} should begin with https://", field)
        elif url.query or url.fragment or url.username or url.port != 443:
            yield in_topology(place, f"{url} should be a host and at most a path, on port 443", field)
        elif not _form(deployment.topology, field, domain, url):
            where = f"https://HOST, https://HOST/{field} or https://HOST/{domain or 'SIPDOMAIN'}/{field}"
            yield in_topology(place, f"{url} should have one of the forms {where}", field)


def _simple_urls(topology: Topology) -> Iterator[tuple[str, str | None, HttpUrl, Place]]:
    for field in ("meet", "dialin", "admin"):
        value = getattr(topology.simple_urls, field)
        if isinstance(value, dict):
            for domain, url in value.items():
                yield field, domain, url, ("simple_urls", field, domain)
        elif value is not None:
            yield field, None, value, ("simple_urls", field)


def _form(topology: Topology, field: str, domain: str | None, url: HttpUrl) -> bool:
    parts = [part for part in (url.path or "").lower().split("/") if part]
    if parts in ([], [field]):
        return True
    domains = [domain] if domain else list(topology.sip_domains)
    return len(parts) == 2 and parts[0] in domains and parts[1] == field


@rule("Q08", "Every SIP domain has a Meet URL of its own")
def _meet_for_each(deployment: Deployment) -> Iterator[Problem]:
    domains, meet = dict.fromkeys(deployment.topology.sip_domains), deployment.topology.simple_urls.meet
    if meet is None:
        return
    if not isinstance(meet, dict):
        if len(domains) > 1:
            message = f"there are {len(domains)} SIP domains; write `meet: {{DOMAIN: URL}}` with one for each"
            yield in_topology(("simple_urls", "meet"), message, "meet")
        return
    for domain in domains:
        if domain not in meet:
            yield in_topology(("simple_urls", "meet"), f"the Meet URL of {domain} is missing", domain)
    urls = [str(url) for url in meet.values()]
    for domain, url in meet.items():
        if urls.count(str(url)) > 1:
            message = f"{url} serves two SIP domains; use a host of its own, or https://HOST/{domain}/meet"
            yield in_topology(("simple_urls", "meet", domain), message, domain)


@rule("W1", "The external web name of a Front End pool is published by a reverse proxy", "warning")
def _published(deployment: Deployment) -> Iterator[Problem]:
    proxies = [found.pool for found in pools(deployment.topology) if found.kind == "reverse_proxy"]
    for found in pools(deployment.topology):
        web = getattr(found.pool, "external_web", None)
        if web and not any(not one.publishes or web in one.publishes for one in proxies):  # type: ignore[attr-defined]
            message = (
                f"no reverse proxy publishes {web}; describe a `reverse_proxy`, or add it to `publishes`"
            )
            yield in_topology((*found.place, "external_web"), message, found.name)


@rule("W2", "A Director's external web services are published in addition to the Front End's")
def _director_web(deployment: Deployment) -> Iterator[Problem]:
    published = [
        found.pool.external_web
        for found in pools(deployment.topology)
        if isinstance(found.pool, FrontEndPool) and found.pool.external_web
    ]
    for found in pools(deployment.topology):
        if found.kind == "director" and published and getattr(found.pool, "external_web", None) is None:
            message = (
                f"{found.name} needs an `external_web` name of its own, as {published[0]} is the Front End's"
            )
            yield in_topology((*found.place, "pool"), message, found.name)


@rule("DX12", "Where web services are published, meet and dialin exist (DX12, DX13)", "warning")
def _simple_urls_exist(deployment: Deployment) -> Iterator[Problem]:
    topology = deployment.topology
    published = [found for found in pools(topology) if getattr(found.pool, "external_web", None)]
    for field in ("meet", "dialin") if published else ():
        if getattr(topology.simple_urls, field) is None:
            message = f"the {field} URL is missing: `simple_urls: {{{field}: https://...}}`"
            yield in_topology(("simple_urls",), message, field)


@rule("DX05", "Mobile push needs the federation route and its SRV record", "warning")
def _push(deployment: Deployment) -> Iterator[Problem]:
    push = deployment.policies.push_notification
    for place, one in (
        (("global",), push.global_),
        *((("site", name), at) for name, at in push.site.items()),
    ):
        wanted = one.enable_apple_push_notification_service or one.enable_microsoft_push_notification_service
        if wanted and deployment.topology.routes.federation is None:
            message = "push notifications leave by the federation route, and there is none in topology.yml"
            yield Problem("policies.yml", ("push_notification", *place), message)


@rule("K1", "Certificates that outsiders see come from a public authority", "warning")
def _public_authority(deployment: Deployment) -> Iterator[Problem]:
    topology = deployment.topology
    kinds = {found.kind for found in pools(topology)}
    slots = [slot for slot in PUBLIC_SLOTS if slot != "proxy" or "reverse_proxy" in kinds]
    own = [slot for slot in slots if source(topology, slot) == "own_ca"]
    if own:
        message = (
            f"{', '.join(own)}: the own authority signs what outsiders see; each of them must be given "
            "its root certificate by hand"
        )
        yield in_topology(("certificates", "outside"), message, own[0])


def source(topology: Topology, slot: CertificateSlot) -> CertificateSource:
    """Where a slot's certificate comes from."""
    certificates = topology.certificates
    if slot in certificates.slots:
        return certificates.slots[slot]
    return certificates.outside if slot in (*PUBLIC_SLOTS, "av") else certificates.inside


def _certificate(deployment: Deployment, pool: str) -> Place:
    """The place of a pool, which stands for its certificates."""
    for found in pools(deployment.topology):
        if found.name == pool or pool in {host.name for host in found.pool.hosts}:
            return (*found.place, "pool")
    return ("certificates",)


@planned_rule(
    "Z01", "Wildcards are only for simple URLs: on proxies and web services, never on the Access Edge"
)
def _wildcards(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    for one in plan.certificates:
        wild = [name for name in (one.subject, *one.sans) if name.startswith("*.")]
        if wild and one.slot not in ("proxy", "web_internal", "web_external"):
            message = f"the {one.slot} certificate of {one.pool} has the wildcard {wild[0]}; name each host"
            yield in_topology(_certificate(deployment, one.pool), message, one.pool)


@planned_rule("Z02", "A certificate's subject is also among its alternative names")
def _subjects(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    for one in plan.certificates:
        if one.subject not in one.sans:
            message = f"the {one.slot} certificate of {one.pool} lacks its subject {one.subject} as SAN"
            yield in_topology(_certificate(deployment, one.pool), message, one.pool)


@planned_rule("K1", "The Edge's external certificate has `sip.` before every SIP domain")
def _sip_names(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    wanted = [f"sip.{domain}" for domain in deployment.topology.sip_domains]
    yield from _missing(deployment, plan, ("edge_external",), wanted)


@planned_rule("K4", "With XMPP the Edge's external certificate has the bare SIP domains")
def _xmpp_names(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    able = {pool.pool for _, pool in edges(deployment) if pool.xmpp}
    wanted = list(deployment.topology.sip_domains)
    yield from _missing(deployment, plan, ("edge_external",), wanted, able)


@planned_rule("K5", "The proxy's certificate has every published name")
def _proxy_names(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    topology = deployment.topology
    webs = {web for found in pools(topology) if (web := getattr(found.pool, "external_web", None))}
    urls = {url.host for field, _, url, _ in _simple_urls(topology) if url.host and field != "admin"}
    whole = {
        found.name
        for found in pools(topology)
        if found.kind == "reverse_proxy" and not found.pool.publishes  # type: ignore[attr-defined]
    }
    certificates = [one for one in plan.certificates if one.slot == "proxy"]
    pools_of = {one.pool for one in certificates if one.pool in whole or len(certificates) == 1}
    yield from _missing(deployment, plan, ("proxy",), sorted(webs | urls), pools_of)


def _missing(
    deployment: Deployment,
    plan: Planned,
    slots: tuple[CertificateSlot, ...],
    wanted: list[str],
    only: set[str] | None = None,
) -> Iterator[Problem]:
    for one in plan.certificates:
        if one.slot not in slots or (only is not None and one.pool not in only):
            continue
        lacking = [name for name in wanted if not _covered(name, one.sans, wild=one.slot == "proxy")]
        if lacking:
            message = f"the {one.slot} certificate of {one.pool} lacks the SAN {', '.join(lacking)}"
            yield in_topology(_certificate(deployment, one.pool), message, one.pool)


def _covered(name: str, sans: tuple[str, ...], *, wild: bool) -> bool:
    return name in sans or (wild and "*." + name.partition(".")[2] in sans)


@planned_rule("Z11", "Hosts authenticate to each other by certificate, so inside ones are client ones too")
def _inside_clients(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    for one in plan.certificates:
        if one.slot in ("edge_internal", "default") and "client" not in one.eku:
            message = (
                f"the {one.slot} certificate of {one.pool} is for servers only; its peers would refuse it"
            )
            yield in_topology(_certificate(deployment, one.pool), message, one.pool)


@planned_rule("E03", "A federated partner may ask for a client certificate", "warning")
def _partner_accepts(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    route = deployment.topology.routes.federation
    own = [one for one in plan.certificates if one.slot == "federation" and one.pool == route]
    for one in own or [one for one in plan.certificates if one.slot == "edge_external" and one.pool == route]:
        if "client" not in one.eku:
            message = (
                f"the {one.slot} certificate of {one.pool} is for servers only: a partner that checks client "
                "certificates refuses connections from here; order one with both uses, or agree with it"
            )
            yield in_topology(_certificate(deployment, one.pool), message, one.pool)

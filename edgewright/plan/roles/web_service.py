"""Web services of Front End and Director (W1-W5): one site for outside, one for inside, by listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from edgewright.model.topology import CertificateSlot, DirectorPool, FrontEndPool
from edgewright.plan import files
from edgewright.plan.edges import edge_pools, primary_edge
from edgewright.plan.roles import front_end

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan, PoolPlan

PACKAGES = (
    "nginx",
    "python3-httptools",
    "python3-jinja2",
    "python3-psycopg2",
    "python3-python-multipart",
    "python3-starlette",
    "python3-uvicorn",
)
VOLUMES = ("/var/lib/edgewright",)
USERS = ("g edgewright -", 'u edgewright-web - "Edgewright web services"')
"""They read the tables by group `edgewright` and own nothing."""
LISTENS = ("web_external", "web_internal", "web_internal_http")

SERVED = ("/", "/user", "/Autodiscover/AutodiscoverService.svc/root")
"""Paths of the external site that exist: each with everything below it, except `/`, which is itself alone."""
HOME_SERVED = ("/xcap-root", files.PATH)
"""Paths that exist besides where users are homed: their own documents and files."""
BODIES = {"/xcap-root": "320k"}
"""Paths where a client may send more than anywhere else, and how much (nginx's size): a little more than the
service itself takes, so that the service is who refuses."""

EXTERNAL_PORT, INTERNAL_PORT, INTERNAL_HTTP_PORT = 4443, 443, 80
SIP_PORT = 5061

Port = Annotated[int, Field(ge=1, le=65535)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Access(_Model):
    """A SIP entrance."""

    fqdn: str
    port: Port


class Home(_Model):
    """What a user of a Front End pool is told about it (9a step 3)."""

    pool: str
    sip_internal: Access
    sip_external: dict[str, Access]
    """By SIP domain; empty where no Edge leads to the pool."""
    web_internal: str | None
    web_external: str | None


class Site(_Model):
    """One web site: where it listens, the host names that it answers, its own name for links."""

    fqdn: str
    names: tuple[str, ...]
    listen: tuple[str, ...]
    """Addresses, IPv6 without brackets."""
    port: Port
    certificate: CertificateSlot
    """Slot under /etc/edgewright/certificates/."""


class Settings(_Model):
    """The web services of one host."""

    organization: str
    realm: str
    """The one digest realm of the organisation."""
    domains: tuple[str, ...]
    """SIP domains."""
    pool: str
    """Pool FQDN: the name by which the reverse proxies verify the external site's certificate."""
    external: Site | None
    """None: the pool has no external web FQDN, so nothing of it is published."""
    internal: Site
    internal_http_port: Port = INTERNAL_HTTP_PORT
    """Redirects to the internal site (D04)."""
    proxies: tuple[str, ...]
    """Addresses from which the reverse proxies come; only they may name the client and the request."""
    homes: tuple[Home, ...]
    database: front_end.Database | None
    """Where the documents of the pool's users are; None on a Director."""
    files: str | None
    """What addresses of files begin with that lie here; None on Directors."""
    bodies: dict[str, str] = BODIES
    """By path: the largest body (nginx's size) where it may be larger than elsewhere."""


def served(pool: PoolPlan) -> tuple[str, ...]:
    """The paths of a pool's external site that exist."""
    return SERVED + (HOME_SERVED if pool.kind == "front_end" else ())


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Settings of the web services of a Front End or Director."""
    pool = base.pools.get(host.pool or "")
    if pool is None or not isinstance(pool.pool, DirectorPool | FrontEndPool):
        return None
    return Settings(
        organization=base.topology.organization,
        realm=base.deployment.realm,
        domains=base.topology.sip_domains,
        pool=pool.name,
        external=_external(base, host, pool, pool.pool),
        internal=_internal(base, host, pool, pool.pool),
        proxies=_proxies(base, pool),
        homes=base.once(
            "web homes",
            lambda: tuple(_home(base, home) for home in base.pools.values() if home.kind == "front_end"),
        ),
        database=front_end.database_of(base, host) if pool.kind == "front_end" else None,
        files=files.address(pool, host) if pool.kind == "front_end" else None,
    )


def _listen(host: HostPlan) -> tuple[str, ...]:
    interface = host.interfaces[-1]
    return tuple(str(address) for address in (interface.ipv4, interface.ipv6) if address is not None)


def _external(base: Base, host: HostPlan, pool: PoolPlan, server: DirectorPool | FrontEndPool) -> Site | None:
    """The site behind the reverse proxies; it answers the public names that are published to the pool."""
    if server.external_web is None:
        return None
    published = sorted(
        p.host for p in base.publications if p.pool == pool.name and p.host != server.external_web
    )
    return Site(
        fqdn=server.external_web,
        names=(server.external_web, *published),
        listen=_listen(host),
        port=EXTERNAL_PORT,
        certificate="web_external",
    )


def _internal(base: Base, host: HostPlan, pool: PoolPlan, server: DirectorPool | FrontEndPool) -> Site:
    """The site for inside clients: it answers the names that its certificate carries (K7, K9)."""
    fqdn = server.internal_web or pool.name
    carried = next(
        (c.sans for c in base.certificates if c.slot == "web_internal" and host.name in c.hosts), (host.fqdn,)
    )
    return Site(
        fqdn=fqdn,
        names=(fqdn, *(name for name in carried if name != fqdn and "*" not in name)),
        listen=_listen(host),
        port=INTERNAL_PORT,
        certificate="web_internal",
    )


def _proxies(base: Base, pool: PoolPlan) -> tuple[str, ...]:
    """Inner addresses of the proxies that publish a pool."""
    names = dict.fromkeys(name for p in base.publications if p.pool == pool.name for name in p.proxies)
    return tuple(address for name in names for address in _listen(base.hosts[name]))


def _home(base: Base, pool: PoolPlan) -> Home:
    front_end = pool.pool
    assert isinstance(front_end, FrontEndPool)  # its kind says so
    return Home(
        pool=pool.name,
        sip_internal=Access(fqdn=pool.name, port=SIP_PORT),
        sip_external=_entrances(base, pool),
        web_internal=front_end.internal_web or pool.name,
        web_external=front_end.external_web,
    )


def _entrances(base: Base, pool: PoolPlan) -> dict[str, Access]:
    """The Access Edge for each SIP domain: of the pool's site if there is one, else the organisation's."""
    edge = next((e for e in edge_pools(base) if e.site == pool.site), None) or primary_edge(base)
    hosts = base.pool_hosts(edge.name) if edge else ()
    access = hosts[0].service("access") if hosts else None
    if edge is None or access is None:
        return {}
    return {
        domain: Access(
            fqdn=f"sip.{domain}" if edge == primary_edge(base) else access.fqdn,
            port=access.port,
        )
        for domain in base.topology.sip_domains
    }

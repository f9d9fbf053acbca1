"""Reverse proxy (section 6): publishes named hosts and paths, verifies its backends, refuses all else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from edgewright.plan.roles.web_service import BODIES

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan, Publication

PACKAGES = ("nginx",)
VOLUMES = ()
LISTENS = ("web_proxy", "web_proxy_http")

HTTPS_PORT, HTTP_PORT = 443, 80

Port = Annotated[int, Field(ge=1, le=65535)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Upstream(_Model):
    """A pool's external web site: one server per host of the pool, tried in turn when one fails (V10)."""

    name: str
    tls_name: str
    """The name that each backend's certificate must carry."""
    servers: tuple[str, ...]
    """`address:port`, IPv6 in brackets."""
    hosts: tuple[str, ...]
    """Their hosts, in the same order: what a host keeps is asked of that one (`/files/<host>/`)."""


class Site(_Model):
    """A published host name (W1-W5)."""

    host: str
    upstream: str
    """Name of an upstream."""
    paths: tuple[str, ...]
    """A path stands for itself and what is below it, in any case; `/` for itself alone, `/*` for all."""


class Settings(_Model):
    """One reverse proxy."""

    listen: tuple[str, ...]
    """Outside addresses, IPv6 without brackets."""
    port: Port = HTTPS_PORT
    http_port: Port = HTTP_PORT
    """Redirects to `port` (V07)."""
    upstreams: tuple[Upstream, ...]
    sites: tuple[Site, ...]
    bodies: dict[str, str] = BODIES
    """By path: the largest body (nginx's size) where it may be larger than elsewhere."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Settings of a reverse proxy; it refuses everything where nothing is published."""
    published = [p for p in base.publications if host.name in p.proxies]
    outside = host.interfaces[0]
    upstreams = {_name(p): _upstream(base, host, p) for p in published}
    return Settings(
        listen=tuple(str(address) for address in (outside.ipv4, outside.ipv6) if address is not None),
        upstreams=tuple(upstreams[name] for name in sorted(upstreams)),
        sites=tuple(Site(host=p.host, upstream=_name(p), paths=p.paths) for p in published),
    )


def _name(publication: Publication) -> str:
    return f"{publication.pool}_{publication.backend_port}"


def _upstream(base: Base, host: HostPlan, publication: Publication) -> Upstream:
    return Upstream(
        name=_name(publication),
        tls_name=publication.backend_name,
        servers=tuple(
            _server(host, base.hosts[name], publication.backend_port) for name in publication.backends
        ),
        hosts=tuple(publication.backends),
    )


def _server(proxy: HostPlan, backend: HostPlan, port: int) -> str:
    """A backend's address in a family that both have inside, IPv4 first (S14: an inside may lack IPv6)."""
    mine, theirs = proxy.interfaces[-1], backend.interfaces[-1]
    if (mine.ipv4 and theirs.ipv4) or not theirs.ipv6:
        return f"{theirs.ipv4}:{port}"
    return f"[{theirs.ipv6}]:{port}"

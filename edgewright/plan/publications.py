"""What the reverse proxies publish (reference section 6): hosts and paths, and the pool behind each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgewright.model.topology import DirectorPool, FrontEndPool, ProxyPool
from edgewright.plan.edges import primary_edge
from edgewright.plan.roles import web_service
from edgewright.plan.types import Publication

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import HttpUrl

    from edgewright.plan.roles import Base
    from edgewright.plan.types import PoolPlan

DOCUMENTED_PATHS = (
    "/",
    "/abs",
    "/Autodiscover",
    "/CertProv",
    "/dialin",
    "/GroupExpansion",
    "/Mcx",
    "/meet",
    "/Reach",
    "/Scheduler",
    "/ucwa",
    "/WebTicket",
)
"""Paths under an external web FQDN that the genuine product serves: section 6.2."""

EVERYTHING = "/*"


@dataclass
class _Rule:
    row: str
    pool: PoolPlan
    proxies: tuple[str, ...]
    paths: list[str] = field(default_factory=list)


def external_web(pool: PoolPlan) -> str | None:
    """The external web FQDN of a Director or Front End pool."""
    return pool.pool.external_web if isinstance(pool.pool, DirectorPool | FrontEndPool) else None


def web_home(base: Base) -> PoolPlan | None:
    """The pool that answers simple URLs and Autodiscover: a Director, else a Front End (W3-W5)."""
    edge = primary_edge(base)
    found = [pool for pool in base.pools.values() if external_web(pool)]
    found.sort(key=lambda pool: (pool.kind != "director", edge is None or pool.site != edge.site))
    return next(iter(found), None)


def paths(pool: PoolPlan) -> tuple[str, ...]:
    """The paths of a pool's external web site whose service exists; a proxy lets nothing else in."""
    return DOCUMENTED_PATHS if pool.pool.platform == "windows" else web_service.served(pool)


def simple_urls(base: Base) -> Iterator[tuple[str, HttpUrl]]:
    """The published simple URLs with their rows; `admin` is inside only (section 4.1)."""
    urls = base.topology.simple_urls
    if isinstance(urls.meet, dict):
        for domain in sorted(urls.meet):
            yield "W3", urls.meet[domain]
    elif urls.meet:
        yield "W3", urls.meet
    if urls.dialin:
        yield "W4", urls.dialin


def _proxies(base: Base, pool: PoolPlan, host: str) -> tuple[str, ...]:
    """The proxies that publish a host of a pool: those that name it, and those of its site that name none."""
    found: list[str] = []
    for proxy in base.pools.values():
        if isinstance(proxy.pool, ProxyPool):
            named = proxy.pool.publishes
            if ({host, external_web(pool)} & {*named}) if named else (proxy.site == pool.site):
                found += proxy.hosts
    return tuple(found)


def make(base: Base) -> tuple[Publication, ...]:
    """All publications: web names of the pools, simple URLs, Autodiscover; one for each public host."""
    rules: dict[str, _Rule] = {}

    def publish(row: str, host: str, pool: PoolPlan, *published: str) -> None:
        proxies = _proxies(base, pool, host)
        if proxies:
            rule = rules.setdefault(host, _Rule(row, pool, proxies))
            rule.paths += [path for path in published if path not in rule.paths]

    for row, kind in (("W1", "front_end"), ("W2", "director")):
        for pool in base.pools.values():
            host = external_web(pool)
            if pool.kind == kind and host:
                publish(row, host, pool, *paths(pool))
    home = web_home(base)
    if home:
        discovery = [path for path in paths(home) if path == "/" or path.startswith("/Autodiscover")]
        for row, url in simple_urls(base):
            path = (url.path or "/").rstrip("/")
            publish(row, url.host or "", home, path or EVERYTHING)
        for domain in base.topology.sip_domains:
            publish("W5", f"lyncdiscover.{domain}", home, *discovery)
    return tuple(
        Publication(
            row=rule.row,
            host=host,
            proxies=rule.proxies,
            pool=rule.pool.name,
            backends=rule.pool.hosts,
            backend_name=rule.pool.name,
            paths=(EVERYTHING,) if EVERYTHING in rule.paths else tuple(rule.paths),
        )
        for host, rule in rules.items()
    )

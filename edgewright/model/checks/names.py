"""Hosts, pools, domains and URLs have names that fit each other."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator

from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import HostAt, PoolAt, hosts, listeners, pools
from edgewright.model.messages import nearest
from edgewright.model.topology import EdgePool


def _names(deployment: Deployment) -> Iterator[Problem]:
    """Hosts, pools and the names that clients use are each given once."""
    seen: dict[str, HostAt] = {}
    for host in hosts(deployment):
        other = seen.setdefault(host.name, host)
        if other is not host:
            where = f"already in {_home(other)}; a host belongs to one pool (G09): give this one another name"
            yield Problem(host.file, host.place, f"host {host.name} is {where}", host.name)
    topology = deployment.topology
    owners: dict[str, str] = {}
    for found in pools(topology):
        name = getattr(found.pool, "pool", None)
        if name:
            yield from _name(owners, name, f"{found.kind} pool at {found.site_name}", (*found.place, "pool"))
            yield from _pool_name(topology.internal_domain, found, seen)
        for field in ("external_web", "internal_web"):
            web = getattr(found.pool, field, None)
            if web and not (field == "internal_web" and web == name):
                yield from _name(owners, web, f"{field} of {found.name}", (*found.place, field))
        if isinstance(found.pool, EdgePool):
            for service, listener in listeners(found.pool).items():
                if not (found.pool.single_address and owners.get(listener.fqdn, "").endswith(found.name)):
                    what = f"{service} of {found.name}"
                    yield from _name(owners, listener.fqdn, what, (*found.place, service, "fqdn"))
    for host_name, place in _simple_url_hosts(deployment):
        owner = owners.get(host_name)
        if owner:
            message = f"the simple URL's host {host_name} is already the {owner}; use a name of its own (Q08)"
            yield in_topology(("simple_urls", *place), message, host_name)


def _name(owners: dict[str, str], name: str, what: str, place: Place) -> Iterator[Problem]:
    other = owners.setdefault(name, what)
    if other != what:
        message = f"{name} is already the {other}; each needs a name of its own"
        yield in_topology(place, message, name, _rule(what, other))


def _rule(one: str, other: str) -> str:
    """The rule that keeps two web names apart: of one pool (W1), of Director and Front End (K9)."""
    webs = [what for what in (one, other) if "_web of " in what]
    if not webs or any(
        not what.startswith(("director", "front_end")) for what in (one, other) if what not in webs
    ):
        return ""
    return (
        "W1"
        if one.rsplit(" of ", maxsplit=1)[-1] == other.rsplit(" of ", maxsplit=1)[-1] or " pool " in other
        else "K9"
    )


def _pool_name(internal_domain: str, found: PoolAt, seen: dict[str, HostAt]) -> Iterator[Problem]:
    place = (*found.place, "pool")
    if not found.name.endswith("." + internal_domain):
        first = found.name.split(".", maxsplit=1)[0]
        message = f"pool {found.name} is not in the internal domain; name it {first}.{internal_domain}"
        yield in_topology(place, message, found.name)
        return
    label = found.name.removesuffix("." + internal_domain)
    host = seen.get(label)
    if host and [one.name for one in found.pool.hosts] != [label]:
        message = f"pool {found.name} has the name of host {label}; only a pool of that one host may (G12)"
        yield in_topology(place, message, found.name)


def _home(host: HostAt) -> str:
    return f"{host.pool.kind} pool {host.pool.name}" if host.pool else "surroundings.yml"


def _simple_url_hosts(deployment: Deployment) -> Iterator[tuple[str, Place]]:
    urls = deployment.topology.simple_urls
    for field in ("meet", "dialin", "admin"):
        value = getattr(urls, field)
        for key, url in value.items() if isinstance(value, dict) else (((), value),):
            if url is not None and url.host:
                yield url.host, (field, *((key,) if key else ()))


def _domains(deployment: Deployment) -> Iterator[Problem]:
    """SIP domains, internal domain and DNS mode fit each other."""
    topology = deployment.topology
    for index, domain in enumerate(topology.sip_domains):
        if domain in topology.sip_domains[:index]:
            yield in_topology(("sip_domains", index), f"{domain} is given twice; keep one of them", domain)
    if topology.dns == "separate" and topology.internal_domain in topology.sip_domains:
        message = (
            f"the internal domain {topology.internal_domain} is also a SIP domain: say `dns: split_brain` or "
            "`dns: pin_point`, or use another internal domain"
        )
        yield in_topology(("dns",) if "dns" in topology.model_fields_set else ("internal_domain",), message)
    meet = topology.simple_urls.meet
    for domain in meet if isinstance(meet, dict) else ():
        if domain not in topology.sip_domains:
            message = f"{domain} is no SIP domain of this organisation{nearest(domain, topology.sip_domains)}"
            yield in_topology(("simple_urls", "meet", domain), message, domain)
    known = zoneinfo.available_timezones()
    if known and topology.time_zone not in known:
        matches = [zone for zone in known if zone.lower() == topology.time_zone.lower()]
        hint = f"; did you mean '{matches[0]}'?" if matches else "; write it as in Europe/Berlin"
        yield in_topology(("time_zone",), f"time zone '{topology.time_zone}' is unknown{hint}")


EXAMINATIONS = (_names, _domains)

"""DNS zones of both views (reference section 4): real addresses, a serial that follows the content."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from edgewright.model.topology import (
    Addresses,
    DirectorPool,
    EdgePool,
    EdgeService,
    FrontEndPool,
    Host,
)
from edgewright.plan import internet, publications
from edgewright.plan.edges import edge_pools, federation_edge, first_pool, primary_edge, xmpp_edge
from edgewright.plan.types import Record, ZonePlan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from edgewright.plan.roles import Base
    from edgewright.plan.types import Address, HostPlan, PoolPlan, Publication

    View = Literal["outside", "inside"]
    Part = EdgeService | Literal["sip", "web"]

OUR_ROW = "L02"
"""Row of records that only the name servers themselves need."""

SERVICE_ROWS: dict[EdgeService, str] = {"access": "DX01", "web_conferencing": "DX02", "av": "DX03"}
PUBLICATION_ROWS = {"W1": "DX10", "W2": "DX11", "W3": "DX12", "W4": "DX13", "W5": "DX09"}

SOA_TIMES = "3600 600 604800 300"
SIP_TLS = 5061
XMPP = 5269


class _Zones:
    """Collects the records of one view; a name belongs to the longest zone that it ends with."""

    def __init__(self, view: View, apexes: Iterable[str], servers: tuple[str, ...]) -> None:
        self.view = view
        self.servers = servers
        self.records: dict[str, dict[tuple[str, str, str], Record]] = {apex: {} for apex in apexes}

    def zone(self, name: str) -> str:
        """The zone of a name: an existing one, else one of its own (pin-point, DI10)."""
        labels = name.split(".")
        for start in range(len(labels)):
            apex = ".".join(labels[start:])
            if apex in self.records:
                return apex
        self.records[name] = {}
        return name

    def add(self, row: str, name: str, kind: Literal["A", "AAAA", "SRV", "NS"], value: str) -> None:
        record = Record(name, kind, value, row)
        self.records[self.zone(name)].setdefault((name, kind, value), record)

    def addresses(self, row: str, name: str, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self.add(row, name, "A" if isinstance(address, IPv4Address) else "AAAA", str(address))

    def has(self, name: str) -> bool:
        return any(key[0] == name for key in self.records[self.zone(name)])

    def plans(self) -> tuple[ZonePlan, ...]:
        return tuple(self._plan(apex) for apex, records in self.records.items() if records)

    def _plan(self, apex: str) -> ZonePlan:
        servers = self.servers or (f"ns1.{apex}",)
        records = [Record(apex, "NS", f"{server}.", OUR_ROW) for server in servers]
        records += sorted(self.records[apex].values(), key=_order)
        digest = hashlib.sha256(repr([(r.name, r.type, r.value, r.ttl) for r in records]).encode()).digest()
        serial = int.from_bytes(digest[:4], "big") or 1
        soa = f"{servers[0]}. hostmaster.{apex}. {serial} {SOA_TIMES}"
        return ZonePlan(self.view, apex, (Record(apex, "SOA", soa, OUR_ROW), *records))


def _order(record: Record) -> tuple[list[str], str]:
    """Names from the apex down, types by name; equal ones stay in the order of the hosts."""
    return record.name.split(".")[::-1], record.type


def _outside(base: Base) -> _Zones:
    topology = base.topology
    world = internet.of(base.deployment)
    names = {topology.internal_domain, *topology.sip_domains}
    apexes = [*topology.sip_domains]
    strangers = tuple(
        host
        for host in base.of_kind("world", "vantage", "partner", "impostor")
        if host.fqdn.endswith(f".{internet.DOMAIN}")
    )
    apexes += dict.fromkeys(host.fqdn.partition(".")[2] for host in strangers)
    zones = _Zones("outside", apexes, (world.fqdn,) if world else ())

    def publish(row: str, name: str, addresses: Iterable[Address]) -> None:
        parent = name.partition(".")[2]
        if name not in names and not any(name.endswith(f".{apex}") for apex in zones.records):
            zones.records.setdefault(parent, {})
        zones.addresses(row, name, addresses)

    primary = primary_edge(base)
    for pool in edge_pools(base):
        for host in base.pool_hosts(pool.name):
            for service in host.services:
                found = balanced(pool, service.service) or service.public
                publish(SERVICE_ROWS[service.service], service.fqdn, found)
    for domain in topology.sip_domains:
        _outside_sip(base, zones, primary, domain)
    for publication in base.publications:
        publish(PUBLICATION_ROWS[publication.row], publication.host, _proxy_addresses(base, publication))
    for host in strangers:
        zones.addresses("L08", host.fqdn, host.addresses())
    return zones


def _outside_sip(base: Base, zones: _Zones, primary: PoolPlan | None, domain: str) -> None:
    """DX01, DX04-DX07 of one SIP domain; SRV targets stay in the record's own domain (Q03)."""
    if primary is None:
        return
    sip = f"sip.{domain}"
    if not zones.has(sip):
        zones.addresses("DX01", sip, access_addresses(base, primary))
    port = next(s.port for h in base.pool_hosts(primary.name) for s in h.services if s.service == "access")
    zones.add("DX04", f"_sip._tls.{domain}", "SRV", f"0 0 {port} {sip}.")
    federation = federation_edge(base)
    if federation:
        target = sip
        if federation.name != primary.name:
            target = f"sipfed.{domain}"
            zones.addresses("DX05", target, access_addresses(base, federation))
        zones.add("DX05", f"_sipfederationtls._tcp.{domain}", "SRV", f"0 0 {SIP_TLS} {target}.")
    xmpp = xmpp_edge(base)
    if xmpp:
        zones.add("DX06", f"_xmpp-server._tcp.{domain}", "SRV", f"0 0 {XMPP} xmpp.{domain}.")
        zones.addresses("DX07", f"xmpp.{domain}", access_addresses(base, xmpp))


def balanced(pool: PoolPlan, part: Part) -> tuple[Address, ...]:
    """The balancer's addresses for a part of a pool (V10, G01); empty: DNS names the hosts."""
    if isinstance(pool.pool, EdgePool):
        return _both(pool.pool.virtual.get("internal" if part == "sip" or part == "web" else part))
    if part == "sip" and pool.pool.sip_balancing != "balancer":
        return ()
    return _both(getattr(pool.pool, "balancer", None))


def _both(addresses: Addresses | None) -> tuple[Address, ...]:
    return tuple(a for a in (addresses.ipv4, addresses.ipv6) if a is not None) if addresses else ()


def _proxy_addresses(base: Base, publication: Publication) -> tuple[Address, ...]:
    """Where a published name leads: the balancer of each proxy pool, else its hosts."""
    addresses: list[Address] = []
    for pool in base.pools.values():
        hosts = [host for host in pool.pool.hosts if host.name in publication.proxies]
        if hosts:
            addresses += balanced(pool, "web") or [a for host in hosts for a in _proxy(base, host)]
    return tuple(addresses)


def _proxy(base: Base, host: Host) -> tuple[Address, ...]:
    """A proxy as the Internet sees it: its public addresses where there is NAT, else its own."""
    interface = base.hosts[host.name].interfaces[0]
    public = host.public.get("web") or Addresses()
    return _both(Addresses(ipv4=public.ipv4 or interface.ipv4, ipv6=public.ipv6 or interface.ipv6))


def access_addresses(base: Base, pool: PoolPlan) -> tuple[Address, ...]:
    """What the Internet calls an Edge pool's Access Edge: its balancer, else every host, both families."""
    return balanced(pool, "access") or tuple(
        address
        for host in base.pool_hosts(pool.name)
        for service in host.services
        if service.service == "access"
        for address in service.public
    )


def inside_addresses(host: HostPlan) -> tuple[Address, ...]:
    """The addresses of a host's inner (or only) interface: what its name means inside."""
    interface = host.interfaces[-1]
    return tuple(a for a in (interface.ipv4, interface.ipv6) if a is not None)


def _inside(base: Base) -> _Zones:
    topology = base.topology
    apexes = [topology.internal_domain]
    if topology.dns != "pin_point":
        apexes += [domain for domain in topology.sip_domains if domain not in apexes]
    zones = _Zones("inside", apexes, tuple(host.fqdn for host in base.of_kind("dns")))
    rows = {"edge": "DI01", "reverse_proxy": "DI09"}
    for host in base.hosts.values():
        if not host.surroundings:
            zones.addresses(rows.get(host.kind, "DI02"), host.fqdn, inside_addresses(host))
    for pool in base.pools.values():
        if pool.kind not in {"firewall_outer", "firewall_inner", "dns"}:
            zones.addresses(rows.get(pool.kind, "DI02"), pool.name, _members(base, pool, "sip"))
        if isinstance(pool.pool, DirectorPool | FrontEndPool) and pool.pool.internal_web:
            zones.addresses("DI08", pool.pool.internal_web, _members(base, pool, "web"))
    _inside_sip(base, zones)
    for publication in base.publications:
        if publication.row in {"W1", "W2"} and not zones.has(publication.host):
            zones.addresses("DI08", publication.host, _proxy_addresses(base, publication))
    return zones


def _inside_sip(base: Base, zones: _Zones) -> None:
    """DI03-DI07: clients go to the Front End at once, web services to the Director if there is one."""
    topology = base.topology
    registrar = first_pool(base, "front_end")
    web = first_pool(base, "director", "front_end")
    for domain in topology.sip_domains:
        if registrar:
            zones.add("DI03", f"_sipinternaltls._tcp.{domain}", "SRV", f"0 0 {SIP_TLS} sip.{domain}.")
            for name in (f"sipinternal.{domain}", f"sip.{domain}"):
                zones.addresses("DI05", name, _members(base, registrar, "sip"))
        if web:
            zones.addresses("DI06", f"lyncdiscoverinternal.{domain}", _members(base, web, "web"))
    if web:
        for url in (*(url for _, url in publications.simple_urls(base)), topology.simple_urls.admin):
            if url and url.host and not zones.has(url.host):
                zones.addresses("DI07", url.host, _members(base, web, "web"))


def _members(base: Base, pool: PoolPlan, part: Part) -> tuple[Address, ...]:
    """What a pool's name means inside: its balancer, else every host."""
    return balanced(pool, part) or tuple(
        address for host in base.pool_hosts(pool.name) for address in inside_addresses(host)
    )


def _strange(base: Base) -> tuple[ZonePlan, ...]:
    """What the lab's Internet has besides: the zones of partners, and those that lead astray."""
    world = internet.of(base.deployment)
    surroundings = base.deployment.surroundings
    if world is None or not world.own or surroundings is None:
        return ()
    domains = dict.fromkeys(
        domain
        for name, partner in surroundings.partners.items()
        for domain in (name, *partner.also)
        if partner.host
    )
    impostor = surroundings.impostor
    apexes = [*domains, *([impostor.domain] if impostor else []), *surroundings.astray]
    zones = _Zones("outside", apexes, (world.fqdn,))
    for name, partner in surroundings.partners.items():
        if partner.host:
            _stranger(zones, base.hosts[partner.host], name, partner.also)
    if impostor:
        _stranger(zones, base.hosts[impostor.host], impostor.domain)
    for domain, astray in surroundings.astray.items():
        if astray.srv:
            zones.add("L08", f"_sipfederationtls._tcp.{domain}", "SRV", f"0 0 {SIP_TLS} {astray.srv}.")
        if astray.srv and astray.at:
            zones.addresses("L08", astray.srv, base.hosts[astray.at].addresses())
    here = (o for o in base.others.values() if internet.shares(o.deployment, base.deployment))
    others = (zone for other in here for zone in other.zones if zone.view == "outside")
    return tuple(replace(zone, surroundings=True) for zone in (*others, *zones.plans()))


def _stranger(zones: _Zones, host: HostPlan, name: str, also: Iterable[str] = ()) -> None:
    """The names of a partner of the lab's: all its domains lead to one server."""
    zones.addresses("L08", f"sip.{name}", host.addresses())
    for domain in (name, *also):
        zones.add("L08", f"_sip._tls.{domain}", "SRV", f"0 0 443 sip.{name}.")
        zones.add("L08", f"_sipfederationtls._tcp.{domain}", "SRV", f"0 0 {SIP_TLS} sip.{name}.")


def make(base: Base) -> tuple[ZonePlan, ...]:
    """The outside zones, then those of the lab's Internet, then the inside ones."""
    return (*_outside(base).plans(), *_strange(base), *_inside(base).plans())


def text(zone: ZonePlan) -> str:
    """A zone as a zone file (RFC 1035 section 5) with absolute names; rows as comments."""
    lines = [f"$TTL {zone.records[0].ttl}"]
    lines += [f"{r.name}. {r.ttl} IN {r.type} {r.value} ; {r.row}" for r in zone.records]
    return "\n".join([*lines, ""])

"""The topology: SIP domains, sites, networks, pools, hosts, routes, certificates.

Only data and what a single object can check of itself. What several objects must agree on is in `model.check`
(errors) and `model.lint` (documented rules); what follows from the topology is in `edgewright.plan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, HttpUrl

from edgewright.model.base import Model

Platform = Literal["linux", "windows"]
Role = Literal["edge", "director", "front_end", "reverse_proxy", "database", "firewall", "dns"]
Family = Literal["ipv4", "ipv6"]
Zone = Literal["outside", "perimeter_out", "perimeter_in", "inside", "management"]
EdgeService = Literal["access", "web_conferencing", "av"]
PublicService = Literal["access", "web_conferencing", "av", "web"]

Fqdn = Annotated[
    str,
    Field(
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        max_length=253,
        description="lower-case DNS name of two labels or more, such as sip.contoso.example",
    ),
]
"""A lower-case DNS name of at least two labels without a trailing dot (RFC 1123 section 2.1)."""

HostName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="lower-case DNS label, such as edge1",
    ),
]
"""One DNS label: letters, digits, hyphen (G11)."""


class Addresses(Model):
    """An address for each family that exists at this place."""

    ipv4: IPv4Address | None = None
    ipv6: IPv6Address | None = None


class Network(Model):
    """One subnet with IPv4, IPv6 or both; a family that is left out does not exist there."""

    ipv4: IPv4Network | None = None
    ipv6: IPv6Network | None = None
    gateway: Addresses = Addresses()
    """The router that leads out of this network where other people run it; else: the firewall of the site."""


class Existing(Model):
    """A host that is already there: how to reach it. Without this, provisioning makes the host."""

    address: IPv4Address | IPv6Address
    host_key: str = Field(pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/=]+$")
    user: str = "root"
    port: int = Field(default=22, ge=1, le=65535)


class Host(Model):
    """One machine of a pool.

    `addresses` by network name, `services` by Edge service (external side, per family: N02); what is left out
    is derived from the number that ends the name, so that adding a host never renumbers another.
    `public` gives the address that the Internet sees where there is NAT (N10, N12, S10).
    """

    name: HostName
    addresses: dict[str, Addresses] = {}
    services: dict[EdgeService, Addresses] = {}
    public: dict[PublicService, Addresses] = {}
    """What the Internet sees where there is NAT; `web` is a reverse proxy's."""
    existing: Existing | None = None


def _host(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _list(value: Any) -> Any:
    return [value] if isinstance(value, dict | str) else value


Hosts = Annotated[
    tuple[Annotated[Host, BeforeValidator(_host)], ...], BeforeValidator(_list), Field(min_length=1)
]


class Pool(Model):
    """What pools of every role share. A pool of one host is still a pool."""

    hosts: Hosts
    platform: Platform = "linux"
    sip_balancing: Literal["dns", "balancer"] = "dns"
    """How SIP spreads over the hosts (Q05, G01); web traffic is never balanced by DNS (V10)."""


class EdgeListener(Model):
    """An external Edge service: its name, and its port where all three share one address (N08)."""

    fqdn: Fqdn
    port: int = Field(default=443, ge=1, le=65535)


class AvListener(EdgeListener):
    """The A/V Edge; `relay_ports` is the range of E09-E12."""

    relay_ports: str = Field(default="50000-59999", pattern=r"^\d{1,5}-\d{1,5}$")


class EdgePool(Pool):
    """Edge hosts: two interfaces, default gateway outside only, inside networks routed inward (N01-N03)."""

    pool: Fqdn
    next_hop: Fqdn
    """The one pool that gets what comes from outside: a Director, else a Front End (G06)."""
    access: EdgeListener
    web_conferencing: EdgeListener | None = None
    av: AvListener | None = None
    single_address: bool = False
    """True: the three services share one external address per family and differ by port (N08)."""
    federation: bool = True
    xmpp: bool = True
    internal_ipv6: bool | None = None
    """Whether the internal side has IPv6 (S03, S14); left out: as its network has."""
    external_ipv6: bool | None = None
    """Whether the external side has IPv6 (S03, S14); left out: as its network has."""
    virtual: dict[EdgeService | Literal["internal"], Addresses] = {}
    """A balancer's addresses by service and for the internal side, with `sip_balancing: balancer`."""


class DirectorPool(Pool):
    """Directors: pre-authenticate, route, home nobody; single-homed (COLO)."""

    pool: Fqdn
    external_web: Fqdn | None = None
    internal_web: Fqdn | None = None
    balancer: Addresses = Addresses()
    """A balancer's address for web (G13, V10), and for SIP too with `sip_balancing: balancer`."""


class FrontEndPool(Pool):
    """Front Ends: home of users; `media` names the Edge pool for A/V (G05)."""

    pool: Fqdn
    media: Fqdn | None = None
    database: Fqdn | None = None
    """Pool of database hosts; None: PostgreSQL on the first host of this pool."""
    external_web: Fqdn | None = None
    internal_web: Fqdn | None = None
    balancer: Addresses = Addresses()
    """A balancer's address for web (G13, V10), and for SIP too with `sip_balancing: balancer`."""


class DatabasePool(Pool):
    """PostgreSQL hosts for Front End pools."""

    pool: Fqdn


class ProxyPool(Pool):
    """Reverse proxies (section 6): `publishes` limits them to some external names; empty: all."""

    pool: Fqdn | None = None
    publishes: tuple[Fqdn, ...] = ()
    balancer: Addresses = Addresses()
    """A balancer's external address, needed where there are several proxies (V10)."""


class Firewalls(Model):
    """Routers that Edgewright makes and configures; leave out where other people run the firewalls."""

    outer: Hosts | None = None
    inner: Hosts | None = None


class DnsServers(Pool):
    """Inside DNS servers that Edgewright makes and configures; leave out where there are others."""


def _pools(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Site(Model):
    """A site: its pools and which network plays which part (default: the one of the same name)."""

    networks: dict[Zone, str] = {}
    inside_ranges: tuple[IPv4Network | IPv6Network, ...] = ()
    """Further inside subnets (clients, servers) to which Edge hosts and proxies route inward (N03, N09)."""
    edge: Annotated[tuple[EdgePool, ...], BeforeValidator(_pools)] = ()
    director: Annotated[tuple[DirectorPool, ...], BeforeValidator(_pools)] = ()
    front_end: Annotated[tuple[FrontEndPool, ...], BeforeValidator(_pools)] = ()
    reverse_proxy: Annotated[tuple[ProxyPool, ...], BeforeValidator(_pools)] = ()
    database: Annotated[tuple[DatabasePool, ...], BeforeValidator(_pools)] = ()
    firewalls: Firewalls = Firewalls()
    dns: DnsServers | None = None

    def network(self, zone: Zone) -> str:
        """Name of the network that plays `zone` at this site."""
        return self.networks.get(zone, zone)


class Routes(Model):
    """One federation and one XMPP route for the organisation: pool FQDNs of Edge pools (G04, C13)."""

    federation: Fqdn | None = None
    xmpp: Fqdn | None = None


class SimpleUrls(Model):
    """Simple URLs in one of the three forms of Q08; `meet` may be per SIP domain. `admin` is inside only."""

    meet: HttpUrl | dict[Fqdn, HttpUrl] | None = None
    dialin: HttpUrl | None = None
    admin: HttpUrl | None = None


CertificateSlot = Literal[
    "edge_external", "federation", "av", "edge_internal", "proxy", "default", "web_internal", "web_external"
]
"""Slots of section 5: K1 (federation and av may be apart: K2), K3, K5, K6/K9 default, K7/K9, K8/K9."""


class CertificateFiles(Model):
    """Certificates that the operator brings: paths on the controller, relative to the deployment's folder.

    `key` must be vaulted or outside the repository; `{host}` and `{pool}` in a path are replaced.
    """

    certificate: str
    key: str
    chain: str | None = None


CertificateSource = Literal["acme", "own_ca", "windows_store"] | CertificateFiles


class Acme(Model):
    """The ACME directory for outside names and how DNS-01 is answered (RFC 8555, RFC 2136).

    Left out: taken from the surroundings (the lab's directory). The TSIG secret is in the credentials.
    """

    directory: HttpUrl
    contact: str | None = None
    dns_server: IPv4Address | IPv6Address
    tsig_key: str = "acme"
    ca_bundle: str | None = None
    """PEM file on the controller that verifies the directory itself; None: the system's."""
    profile: str | None = None


class Certificates(Model):
    """Source per slot; `outside` and `inside` are the defaults for slots facing that side."""

    outside: CertificateSource = "acme"
    inside: CertificateSource = "own_ca"
    slots: dict[CertificateSlot, CertificateSource] = {}
    acme: Acme | None = None
    renew_before_days: int = Field(default=30, ge=1, le=365)


class Waiver(Model):
    """A lint finding that the operator accepts: rule id, reason, optionally only for one object."""

    rule: str
    reason: str = Field(min_length=5)
    subject: str | None = None


class Management(Model):
    """From where hosts are administered by ssh: subnets; empty: the lab's own bridge addresses."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()


class Topology(Model):
    """One organisation's hosts, names and networks: `topology.yml`."""

    renamed: ClassVar[dict[str, str]] = {
        "organisation": "organization",
        "domains": "sip_domains",
        "subnets": "networks",
        "firewalls": "sites: {SITE: {firewalls: ...}}",
    }

    schema_: Literal[1] = Field(alias="schema")
    organization: str = Field(min_length=1)
    sip_domains: tuple[Fqdn, ...] = Field(min_length=1)
    internal_domain: Fqdn
    dns: Literal["separate", "split_brain", "pin_point"] = "separate"
    networks: dict[str, Network]
    sites: dict[str, Site] = Field(min_length=1)
    routes: Routes = Routes()
    simple_urls: SimpleUrls = SimpleUrls()
    certificates: Certificates = Certificates()
    management: Management = Management()
    time_zone: str = "Etc/UTC"
    waivers: tuple[Waiver, ...] = ()

    def pools(self) -> Iterator[tuple[str, Role, Pool]]:
        """Every pool as (site name, role, pool), in a stable order: sites by name, roles as declared."""
        for site_name in sorted(self.sites):
            site = self.sites[site_name]
            for role in ("edge", "director", "front_end", "reverse_proxy", "database"):
                for pool in getattr(site, role):
                    yield site_name, role, pool
            for hosts in (site.firewalls.outer, site.firewalls.inner):
                if hosts:
                    yield site_name, "firewall", Pool(hosts=hosts)
            if site.dns:
                yield site_name, "dns", site.dns

"""The topology: SIP domains, sites, networks, pools, hosts, routes, certificates.

Only data and what a single object can check of itself. What several objects must agree on is in `model.check`
(errors) and `model.lint` (documented rules); what follows from the topology is in `edgewright.plan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, HttpUrl

from edgewright.model.base import Model, Words

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
    ),
    Words("lower-case DNS name of two labels or more", "sip.contoso.example"),
]
"""A lower-case DNS name of at least two labels without a trailing dot (RFC 1123 section 2.1)."""

Name = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$"),
    Words("short name of lower-case letters, digits, _ and -", "perimeter_out"),
]
"""A name of ours for a network or a site; it becomes part of file names, rules and comments on hosts."""

Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=250), Words("line of text")]
"""Free text that is shown to people."""

HostName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
    ),
    Words("lower-case DNS label", "edge1"),
]
"""One DNS label: letters, digits, hyphen (G11)."""


class Addresses(Model):
    """An address for each family that exists at this place."""

    ipv4: IPv4Address | None = None
    """The IPv4 address; left out: derived, or none where the network has no IPv4."""
    ipv6: IPv6Address | None = None
    """The IPv6 address; left out: derived, or none where the network has no IPv6."""


class Network(Model):
    """One subnet with IPv4, IPv6 or both; a family that is left out does not exist there."""

    ipv4: IPv4Network | None = None
    """The IPv4 subnet, e.g. `198.18.1.0/24`."""
    ipv6: IPv6Network | None = None
    """The IPv6 subnet, e.g. `"2001:db8:0:2::/64"`."""
    gateway: Addresses = Addresses()
    """The router that leads out of this network where other people run it; else: the firewall of the site."""


class Existing(Model):
    """A host that is already there: how to reach it. Without this, provisioning makes the host."""

    address: IPv4Address | IPv6Address
    """Where ssh reaches it from the controller."""
    host_key: str = Field(pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/=]+$")
    """Its public host key, as in `ssh-keyscan`: type and base64."""
    user: str = Field(default="root", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    """The user to log in as: root, or one that may use sudo."""
    port: int = Field(default=22, ge=1, le=65535)
    """The port of its ssh server."""


class Host(Model):
    """One machine of a pool.

    `addresses` by network name, `services` by Edge service (external side, per family: N02); what is left out
    is derived from the number that ends the name, so that adding a host never renumbers another.
    `public` gives the address that the Internet sees where there is NAT (N10, N12, S10).
    """

    name: HostName
    """Its name, unique in the organisation; a number at its end decides the derived addresses."""
    addresses: dict[str, Addresses] = {}
    """Addresses by network name, where they are not to be derived."""
    services: dict[EdgeService, Addresses] = {}
    """External addresses by Edge service, where they are not to be derived (N02)."""
    public: dict[PublicService, Addresses] = {}
    """What the Internet sees where there is NAT (N10, N12); `web` is a reverse proxy's."""
    existing: Existing | None = None
    """A machine that is already there; left out: provisioning makes it."""


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
    """Its hosts: names, or mappings of a host's fields."""
    platform: Platform = "linux"
    """What runs there: our Linux components, or the genuine product on Windows."""
    sip_balancing: Literal["dns", "balancer"] = "dns"
    """How SIP spreads over the hosts (Q05, G01); web traffic is never balanced by DNS (V10)."""


class EdgeListener(Model):
    """An external Edge service: its name, and its port where all three share one address (N08)."""

    fqdn: Fqdn
    """The name that outside clients use."""
    port: int = Field(default=443, ge=1, le=65535)
    """Its port; with `single_address` the defaults are 5061, 444 and 443."""


class AvListener(EdgeListener):
    """The A/V Edge; `relay_ports` is the range of E09-E12."""

    relay_ports: str = Field(default="50000-59999", pattern=r"^\d{1,5}-\d{1,5}$")
    """First and last port of the range for media (E09-E12)."""


class EdgePool(Pool):
    """Edge hosts: two interfaces, default gateway outside only, inside networks routed inward (N01-N03)."""

    pool: Fqdn
    """The pool's name on its internal side, in the internal domain (G12)."""
    next_hop: Fqdn
    """The one pool that gets what comes from outside: a Director, else a Front End (G06)."""
    access: EdgeListener
    """Access Edge: SIP of clients and partners; XMPP shares its address."""
    web_conferencing: EdgeListener | None = None
    """Web Conferencing Edge; left out: not deployed."""
    av: AvListener | None = None
    """A/V Edge; left out: not deployed."""
    single_address: bool = False
    """True: the three services share one external address per family and differ by port (N08)."""
    federation: bool = True
    """Whether SIP federation passes here (5061); only one pool can be the route (G04)."""
    xmpp: bool = True
    """Whether XMPP federation passes here (5269)."""
    internal_ipv6: bool | None = None
    """Whether the internal side has IPv6 (S03, S14); left out: as its network has."""
    external_ipv6: bool | None = None
    """Whether the external side has IPv6 (S03, S14); left out: as its network has."""
    virtual: dict[EdgeService | Literal["internal"], Addresses] = {}
    """A balancer's addresses by service and for the internal side, with `sip_balancing: balancer`."""


class DirectorPool(Pool):
    """Directors: pre-authenticate, route, home nobody; single-homed (COLO)."""

    pool: Fqdn
    """The pool's name, in the internal domain."""
    external_web: Fqdn | None = None
    """Name of its web services outside, published by the proxy in addition to the Front End's (W2)."""
    internal_web: Fqdn | None = None
    """Name of its web services inside; left out: the pool's."""
    balancer: Addresses = Addresses()
    """A balancer's address for web (G13, V10), and for SIP too with `sip_balancing: balancer`."""


class FrontEndPool(Pool):
    """Front Ends: home of users; `media` names the Edge pool for A/V (G05)."""

    pool: Fqdn
    """The pool's name, in the internal domain; users have it as their home."""
    media: Fqdn | None = None
    """The Edge pool through which audio and video of its users go (G05)."""
    database: Fqdn | None = None
    """Pool of database hosts; left out: PostgreSQL on the first host of this pool."""
    external_web: Fqdn | None = None
    """Name of its web services outside, published by the proxy (W1); never the internal one."""
    internal_web: Fqdn | None = None
    """Name of its web services inside; left out: the pool's."""
    balancer: Addresses = Addresses()
    """A balancer's address for web (G13, V10), and for SIP too with `sip_balancing: balancer`."""


class DatabasePool(Pool):
    """PostgreSQL hosts for Front End pools."""

    pool: Fqdn
    """The pool's name, in the internal domain."""


class ProxyPool(Pool):
    """Reverse proxies, which publish web services to the Internet (reference section 6)."""

    pool: Fqdn | None = None
    """A name for them all, in the internal domain; left out: that of the first host."""
    publishes: tuple[Fqdn, ...] = ()
    """External web names that they publish; left out: all."""
    balancer: Addresses = Addresses()
    """A balancer's external address, needed where there are several proxies (V10)."""


class Firewalls(Model):
    """Routers that Edgewright makes and configures; leave out where other people run the firewalls."""

    outer: Hosts | None = None
    """Between the Internet and the perimeter."""
    inner: Hosts | None = None
    """Between the perimeter and the inside."""


class DnsServers(Pool):
    """Inside DNS servers that Edgewright makes and configures; leave out where there are others."""


def _pools(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Site(Model):
    """A site: its pools and which network plays which part (default: the one of the same name)."""

    networks: dict[Zone, str] = {}
    """Which network plays which part; a part that is left out is played by the network of its name."""
    inside_ranges: tuple[IPv4Network | IPv6Network, ...] = ()
    """Further inside subnets (clients, servers) to which Edge hosts and proxies route inward (N03, N09)."""
    edge: Annotated[tuple[EdgePool, ...], BeforeValidator(_pools)] = ()
    """Edge pools: one mapping, or a list of them."""
    director: Annotated[tuple[DirectorPool, ...], BeforeValidator(_pools)] = ()
    """Director pools; a site may have none."""
    front_end: Annotated[tuple[FrontEndPool, ...], BeforeValidator(_pools)] = ()
    """Front End pools, the homes of users."""
    reverse_proxy: Annotated[tuple[ProxyPool, ...], BeforeValidator(_pools)] = ()
    """Reverse proxies."""
    database: Annotated[tuple[DatabasePool, ...], BeforeValidator(_pools)] = ()
    """Database hosts apart from the Front Ends."""
    firewalls: Firewalls = Firewalls()
    """Routers that we make; left out: other people run the firewalls."""
    dns: DnsServers | None = None
    """Inside DNS servers that we make; left out: there are others."""

    def network(self, zone: Zone) -> str:
        """Name of the network that plays `zone` at this site."""
        return self.networks.get(zone, zone)


class Routes(Model):
    """One federation and one XMPP route for the organisation: pool FQDNs of Edge pools (G04, C13)."""

    federation: Fqdn | None = None
    """The Edge pool through which all federated and public IM signalling goes (G04)."""
    xmpp: Fqdn | None = None
    """The Edge pool through which all XMPP goes (C13)."""


class SimpleUrls(Model):
    """Simple URLs in one of the three forms of Q08; `meet` may be per SIP domain. `admin` is inside only."""

    meet: HttpUrl | dict[Fqdn, HttpUrl] | None = None
    """Where meetings are joined; with several SIP domains a mapping from each to its URL."""
    dialin: HttpUrl | None = None
    """The dial-in page."""
    admin: HttpUrl | None = None
    """The control panel, inside only, never published."""


CertificateSlot = Literal[
    "edge_external", "federation", "av", "edge_internal", "proxy", "default", "web_internal", "web_external"
]
"""Slots of section 5: K1 (federation and av may be apart: K2), K3, K5, K6/K9 default, K7/K9, K8/K9."""


class CertificateFiles(Model):
    """Certificates that the operator brings: paths on the controller, relative to the deployment's folder.

    `key` must be vaulted or outside the repository; `{host}` and `{pool}` in a path are replaced.
    """

    certificate: str
    """PEM file of the certificate."""
    key: str
    """PEM file of its key, encrypted with Vault or outside the repository."""
    chain: str | None = None
    """PEM file of the intermediate certificates."""


CertificateSource = Literal["acme", "own_ca", "windows_store"] | CertificateFiles


class Acme(Model):
    """The ACME directory for outside names and how DNS-01 is answered (RFC 8555, RFC 2136).

    Left out: taken from the surroundings (the lab's directory). The TSIG secret is in the credentials.
    """

    directory: HttpUrl
    """URL of the ACME directory."""
    contact: Text | None = None
    """Contact of the account, e.g. `mailto:certificates@contoso.example`."""
    dns_server: IPv4Address | IPv6Address
    """The server that takes dynamic updates of the outside zones (RFC 2136)."""
    tsig_key: str = Field(default="acme", pattern=r"^[A-Za-z0-9.-]{1,63}$")
    """Name of the key that signs these updates; its secret is in the credentials."""
    ca_bundle: str | None = None
    """PEM file on the controller that verifies the directory itself; None: the system's."""
    profile: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,63}$")
    """Profile of certificates to ask for, where the directory offers several."""


class Certificates(Model):
    """Source per slot; `outside` and `inside` are the defaults for slots facing that side.

    Paths are on the controller, relative to the deployment's folder.
    """

    outside: CertificateSource = "acme"
    """Source for what outsiders see."""
    inside: CertificateSource = "own_ca"
    """Source for what only insiders and our own hosts see."""
    slots: dict[CertificateSlot, CertificateSource] = {}
    """Another source for single slots."""
    acme: Acme | None = None
    """The ACME directory; left out: the surroundings'."""
    renew_before_days: int = Field(default=30, ge=1, le=365)
    """Renew when fewer days than this are left."""
    partner_roots: tuple[str, ...] = ()
    """PEM files with further roots of partners' certificates, besides those of the outside source."""
    revoked: tuple[str, ...] = ()
    """PEM files with revocation lists of authorities that certify partners (RFC 5280 section 5)."""


class Waiver(Model):
    """A lint finding that the operator accepts: rule id, reason, optionally only for one object."""

    rule: str
    """The id of the rule, as the finding shows it."""
    reason: Text = Field(min_length=5)
    """Why that is accepted."""
    subject: str | None = None
    """Only for this pool, host, network or name; left out: for all."""


class Management(Model):
    """From where hosts are administered by ssh: subnets; empty: the lab's own bridge addresses."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Subnets from which ssh to the hosts is allowed."""


class Topology(Model):
    """One organisation's hosts, names and networks: `topology.yml`."""

    renamed: ClassVar[dict[str, str]] = {
        "organisation": "organization",
        "domains": "sip_domains",
        "subnets": "networks",
        "firewalls": "sites: {SITE: {firewalls: ...}}",
    }

    schema_: Literal[1] = Field(alias="schema")
    """Version of this format: 1."""
    organization: Text = Field(min_length=1)
    """The organisation's name, for people."""
    sip_domains: tuple[Fqdn, ...] = Field(min_length=1)
    """The domains of its users; the first is the realm of digest authentication."""
    internal_domain: Fqdn
    """The domain that pools and hosts are named in."""
    dns: Literal["separate", "split_brain", "pin_point"] = "separate"
    """How inside and outside names relate: two domains, one domain in two views, or single names (DI10)."""
    networks: dict[Name, Network]
    """The subnets, by a name of your own; a family that does not exist is left out."""
    sites: dict[Name, Site] = Field(min_length=1)
    """The places with their pools, by a name of your own."""
    routes: Routes = Routes()
    """The one way to federated partners, and the one to XMPP partners."""
    simple_urls: SimpleUrls = SimpleUrls()
    """The short URLs for people."""
    certificates: Certificates = Certificates()
    """Where certificates come from."""
    management: Management = Management()
    """From where hosts are administered."""
    time_zone: str = "Etc/UTC"
    """Time zone of the hosts, e.g. `Europe/Berlin`."""
    waivers: tuple[Waiver, ...] = ()
    """Findings of the documented rules that you accept."""

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

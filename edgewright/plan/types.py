"""The plan: everything that follows from a deployment without asking anyone. Pure data, deterministic order."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal

from edgewright.model.topology import CertificateSlot, CertificateSource, Platform, Zone

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """One subnet. `bridge4`/`bridge6`: first address, kept free for the lab's own bridge (management path)."""

    name: str
    ipv4: IPv4Network | None
    ipv6: IPv6Network | None
    bridge4: IPv4Address | None
    bridge6: IPv6Address | None
    zones: tuple[Zone, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """A host's interface: primary address per family, `extra` ones (Edge services: N02)."""

    name: str
    network: str
    ipv4: IPv4Address | None
    ipv6: IPv6Address | None
    extra: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A static route; `to` None is the default route of the family of `via`."""

    to: Subnet | None
    via: Address
    interface: str


@dataclass(frozen=True, slots=True)
class ExistingHost:
    """How to reach a host that is not provisioned."""

    address: Address
    host_key: str
    user: str
    port: int


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host: identity, roles (Ansible role names, in order of application), network, packages, volumes.

    `packages` is the union of its roles' Debian packages (the image's package set); `volumes` are the state
    directories that outlive the machine; `forwarding` is true for routers; `surroundings` for hosts that are not
    the organisation's.
    """

    name: str
    fqdn: str
    kind: str
    """edge, director, front_end, reverse_proxy, firewall_outer, firewall_inner, dns, vantage, world"""
    roles: tuple[str, ...]
    pool: str | None
    site: str | None
    platform: Platform
    interfaces: tuple[Interface, ...]
    routes: tuple[Route, ...]
    packages: tuple[str, ...]
    volumes: tuple[str, ...]
    forwarding: bool = False
    surroundings: bool = False
    existing: ExistingHost | None = None

    def addresses(self, network: str | None = None) -> tuple[Address, ...]:
        """All addresses, or those on one network; IPv4 before IPv6 per interface, extra ones last."""
        found: list[Address] = []
        for interface in self.interfaces:
            if network in (None, interface.network):
                found += [a for a in (interface.ipv4, interface.ipv6, *interface.extra) if a is not None]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Record:
    """A DNS record. `name` is absolute without trailing dot; `value` as in a zone file; `row` DXnn or DInn."""

    name: str
    type: Literal["A", "AAAA", "SRV", "CNAME", "NS", "SOA", "TXT"]
    value: str
    row: str
    ttl: int = 300


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """A zone of one view."""

    view: Literal["outside", "inside"]
    name: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    """One certificate request: a slot of a pool (the same key on each of `hosts` where `shared_key`)."""

    slot: CertificateSlot
    row: str
    pool: str
    hosts: tuple[str, ...]
    subject: str
    sans: tuple[str, ...]
    eku: tuple[Literal["server", "client"], ...]
    source: CertificateSource
    shared_key: bool
    names: tuple[str, ...] = ()
    """Where it lies on the host: /etc/edgewright/certificates/<slot>/{privkey,cert,chain,fullchain}.pem"""
    limits: tuple[str, ...] = ()
    """What cannot work with it, e.g. server-only EKU towards partners that ask for a client certificate."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a flow: host names or a zone, and the addresses that stand for it ('any' when empty)."""

    label: str
    hosts: tuple[str, ...] = ()
    networks: tuple[Subnet, ...] = ()
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """One permitted packet path (rows of section 3, or an `L` row of our own).

    `id` is unique and stable, e.g. `E01-edge`; `row` is the table row; `ports` like `443` or `50000-59999`;
    `path` lists where it passes: host (both ends), outer, inner. Inactive flows are planned but closed.
    """

    id: str
    row: str
    source: End
    target: End
    protocol: Literal["tcp", "udp", "icmp"]
    ports: str
    why: str
    path: tuple[Literal["host", "outer", "inner"], ...]
    active: bool
    service: str = ""
    """What listens: access, web_conferencing, av, sip, web_external, web_internal, dns, ssh, postgresql ..."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A reverse-proxy rule (W rows): public host and paths to a pool's external web site."""

    row: str
    host: str
    proxies: tuple[str, ...]
    pool: str
    backends: tuple[str, ...]
    backend_name: str
    paths: tuple[str, ...]
    port: int = 443
    backend_port: int = 4443


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything derived. `settings`: host -> role name -> that role's one typed dict (JSON-able)."""

    deployment: str
    digest: str
    networks: dict[str, NetworkPlan]
    hosts: dict[str, HostPlan]
    zones: tuple[ZonePlan, ...]
    certificates: tuple[CertificatePlan, ...]
    flows: tuple[Flow, ...]
    publications: tuple[Publication, ...]
    settings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

"""The plan: everything that follows from a deployment without asking anyone: pure data, stable order."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal, TypeVar

from edgewright.model.findings import Unplannable
from edgewright.model.index import Kind as PoolKind
from edgewright.model.topology import CertificateSlot, CertificateSource, EdgeService, Platform, Pool, Zone

T = TypeVar("T")

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


Kind = PoolKind | Literal["vantage", "world", "partner", "impostor"]
"""Kinds of hosts: those of pools, and the surroundings'."""


class PlanError(Unplannable):
    """What cannot be planned as described; `problems` are sentences that say what would be right."""


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """One subnet. `bridge4`/`bridge6`: first address, kept for the lab's own bridge (management path)."""

    name: str
    ipv4: IPv4Network | None
    ipv6: IPv6Network | None
    bridge4: IPv4Address | None
    bridge6: IPv6Address | None
    zones: tuple[Zone, ...]
    joined: str | None = None
    """Name of the lab's network where another deployment makes it; None: made for this one."""


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
class ServiceAddress:
    """An external Edge service on one host: name, port, addresses; public ones where there is NAT."""

    service: EdgeService
    fqdn: str
    port: int
    ipv4: IPv4Address | None
    ipv6: IPv6Address | None
    public4: IPv4Address | None
    public6: IPv6Address | None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The host's own addresses."""
        return tuple(a for a in (self.ipv4, self.ipv6) if a is not None)

    @property
    def public(self) -> tuple[Address, ...]:
        """The addresses to publish: the public ones where there is NAT (N10, N12), else its own."""
        return tuple(a for a in (self.public4 or self.ipv4, self.public6 or self.ipv6) if a is not None)


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool of the topology under its name: the pool FQDN, or its first host's FQDN if it has none (G12)."""

    name: str
    key: str
    """Short name for ids: the name without the internal domain, labels joined by hyphens."""
    kind: PoolKind
    site: str
    hosts: tuple[str, ...]
    pool: Pool


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
    directories that outlive the machine; `forwarding` is true for routers; `surroundings` for hosts that are
    not the organisation's.
    """

    name: str
    fqdn: str
    kind: Kind
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
    services: tuple[ServiceAddress, ...] = ()
    """The external services of an Edge host, those deployed, in the order access, web_conferencing, av."""
    silent_about: tuple[str, ...] = ()
    """Domains about which the world never answers a question, as if their name servers were dead."""

    def service(self, name: EdgeService) -> ServiceAddress | None:
        """The external Edge service of that name, if the host has it."""
        return next((s for s in self.services if s.service == name), None)

    def addresses(self, network: str | None = None) -> tuple[Address, ...]:
        """All addresses, or those on one network; IPv4 before IPv6 per interface, extra ones last."""
        found: list[Address] = []
        for interface in self.interfaces:
            if network in (None, interface.network):
                found += [a for a in (interface.ipv4, interface.ipv6, *interface.extra) if a is not None]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Record:
    """A DNS record: absolute `name` without trailing dot, `value` as in a zone file, `row` DXnn or DInn."""

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
    surroundings: bool = False
    """Whether it is not the organisation's: only the lab's Internet has it."""


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
    key: Literal["ecdsa-p256", "rsa-2048"] = "ecdsa-p256"
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
    """What listens: see `edgewright.plan.roles`; empty: nothing of ours does (outgoing)."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A reverse-proxy rule (W rows): public host and paths to a pool's external web site.

    `proxies` and `backends` are host names, `backend_name` the name in the backends' certificate. A path
    stands for itself and all below it, `/` for the root alone, `/*` for everything; case does not matter.
    """

    row: str
    host: str
    proxies: tuple[str, ...]
    pool: str
    backends: tuple[str, ...]
    backend_name: str
    paths: tuple[str, ...]
    port: int = 443
    backend_port: int = 4443


class Planned:
    """What a plan and a plan in the making (`roles.Base`) have in common."""

    networks: dict[str, NetworkPlan]
    pools: dict[str, PoolPlan]
    hosts: dict[str, HostPlan]
    flows: tuple[Flow, ...]

    @cached_property
    def _flows_by_host(self) -> dict[str, tuple[Flow, ...]]:
        found: dict[str, list[Flow]] = {}
        for flow in self.flows:
            for host in dict.fromkeys(flow.source.hosts + flow.target.hosts):
                found.setdefault(host, []).append(flow)
        return {host: tuple(flows) for host, flows in found.items()}

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, worked out once for this key: for what many hosts have in common."""
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]
        return found

    def flows_of(self, host: str) -> tuple[Flow, ...]:
        """The flows that begin or end at a host, in the order of the plan."""
        return self._flows_by_host.get(host, ())

    def pool_hosts(self, pool: str) -> tuple[HostPlan, ...]:
        """The hosts of a pool by the pool's name; empty if there is no such pool."""
        plan = self.pools.get(pool)
        return tuple(self.hosts[name] for name in plan.hosts) if plan else ()

    def of_kind(self, *kinds: Kind) -> tuple[HostPlan, ...]:
        """All hosts of some kinds, in the order of the plan."""
        return tuple(host for host in self.hosts.values() if host.kind in kinds)


@dataclass(frozen=True)
class Plan(Planned):
    """Everything derived. `settings`: host -> role name -> that role's one typed dict (JSON-able)."""

    deployment: str
    digest: str
    networks: dict[str, NetworkPlan]
    pools: dict[str, PoolPlan]
    hosts: dict[str, HostPlan]
    zones: tuple[ZonePlan, ...]
    certificates: tuple[CertificatePlan, ...]
    flows: tuple[Flow, ...]
    publications: tuple[Publication, ...]
    settings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

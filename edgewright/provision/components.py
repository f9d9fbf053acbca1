"""The components of a deployment, as an operator thinks of them: sites, networks, pools, surroundings.

Type tokens and logical names are for ever (`tests/unit/provision/test_components.py` pins them): renaming one
replaces every machine below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pulumi

from edgewright.plan.types import HostPlan, NetworkPlan
from edgewright.provision.adapter import Adapter, Machine


@dataclass(frozen=True, slots=True)
class NetworkArgs:
    """A network: its plan and who makes it."""

    plan: NetworkPlan
    adapter: Adapter


class Network(pulumi.ComponentResource):
    """One network of the deployment."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make it with its adapter."""
        super().__init__("edgewright:index:Network", name, None, opts)
        args.adapter.network(args.plan, self)
        families = [str(subnet) for subnet in (args.plan.ipv4, args.plan.ipv6) if subnet is not None]
        self.register_outputs({"subnets": families})


@dataclass(frozen=True, slots=True)
class PoolArgs:
    """A pool: the plans of its hosts, in the order of their names, and who makes each."""

    hosts: Sequence[HostPlan]
    adapters: Mapping[str, Adapter]
    """Host name -> adapter: a pool may have existing hosts beside new ones."""


class Pool(pulumi.ComponentResource):
    """Hosts that do one duty together: one or many, nothing depends on how many."""

    KIND: ClassVar[str] = "edgewright:index:Pool"
    machines: dict[str, Machine]

    def __init__(self, name: str, args: PoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make its hosts."""
        super().__init__(self.KIND, name, None, opts)
        self.machines = {host.name: args.adapters[host.name].host(host, self) for host in args.hosts}
        self.register_outputs({"hosts": [host.name for host in args.hosts]})


class EdgePool(Pool):
    """Edge servers: Access, Web Conferencing and A/V Edge."""

    KIND = "edgewright:index:EdgePool"


class DirectorPool(Pool):
    """Directors: authenticate and route, home nobody."""

    KIND = "edgewright:index:DirectorPool"


class FrontEndPool(Pool):
    """Front Ends: home users."""

    KIND = "edgewright:index:FrontEndPool"


class ReverseProxyPool(Pool):
    """Reverse proxies: the web from outside."""

    KIND = "edgewright:index:ReverseProxyPool"


class DatabasePool(Pool):
    """Database hosts of their own."""

    KIND = "edgewright:index:DatabasePool"


class Firewalls(Pool):
    """Routers with the plan's flows: outer or inner."""

    KIND = "edgewright:index:Firewalls"


class NameServers(Pool):
    """Name servers."""

    KIND = "edgewright:index:NameServers"


class Surroundings(Pool):
    """What is not the organisation's, but needed to prove it: vantages and the outside world."""

    KIND = "edgewright:index:Surroundings"


POOLS: Mapping[str, type[Pool]] = {
    "edge": EdgePool,
    "director": DirectorPool,
    "front_end": FrontEndPool,
    "reverse_proxy": ReverseProxyPool,
    "database": DatabasePool,
    "firewall_outer": Firewalls,
    "firewall_inner": Firewalls,
    "dns": NameServers,
}
"""Component of each kind of host; any other kind is a plain `Pool`."""


@dataclass(frozen=True, slots=True)
class SiteArgs:
    """A site: its hosts."""

    hosts: Sequence[HostPlan]
    adapters: Mapping[str, Adapter]


class Site(pulumi.ComponentResource):
    """One site with its pools."""

    machines: dict[str, Machine]

    def __init__(self, name: str, args: SiteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make its pools, each named by its FQDN or, where it has none, by site and kind."""
        super().__init__("edgewright:index:Site", name, None, opts)
        self.machines = {}
        groups: dict[tuple[str, str], list[HostPlan]] = {}
        for host in args.hosts:
            pool = host.pool or f"{name}-{host.kind.replace('_', '-')}"
            groups.setdefault((host.kind, pool), []).append(host)
        for (kind, pool), hosts in sorted(groups.items()):
            component = POOLS.get(kind, Pool)(
                pool, PoolArgs(hosts, args.adapters), pulumi.ResourceOptions(parent=self)
            )
            self.machines |= component.machines
        self.register_outputs({"pools": sorted(pool for _, pool in groups)})

"""The platform `lab`: plans become bridges and systemd hosts in podman on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pulumi

from edgewright.plan.types import Address, HostPlan, Interface, NetworkPlan
from edgewright.provision.adapter import Machine
from edgewright.provision.lab.resources import Host, InterfaceArgs, Network, RouteArgs, Volume, VolumeArgs


class LabAdapter:
    """Names are prefixed by the stack's: two labs live side by side on one machine."""

    def __init__(self, stack: str, image: Callable[[Iterable[str]], str], authorized_key: str) -> None:
        """Make hosts for `stack` from the image that `image` names for a package set."""
        self._stack = stack
        self._image = image
        self._key = authorized_key
        self._networks: dict[str, pulumi.Input[str]] = {}
        self._plans: dict[str, NetworkPlan] = {}

    def network(self, plan: NetworkPlan, parent: pulumi.Resource) -> None:
        """A bridge of podman's that leads nowhere: what crosses it goes through the lab's own routers.

        One that another deployment makes is only joined: `down` of this one leaves it.
        """
        self._plans[plan.name] = plan
        if plan.joined is not None:
            self._networks[plan.name] = plan.joined
            return
        self._networks[plan.name] = Network(
            plan.name,
            name=f"{self._stack}-{plan.name}",
            ipv4=_text(plan.ipv4),
            ipv6=_text(plan.ipv6),
            bridge4=_text(plan.bridge4),
            bridge6=_text(plan.bridge6),
            opts=pulumi.ResourceOptions(parent=parent),
        ).name

    def host(self, plan: HostPlan, parent: pulumi.Resource) -> Machine:
        """A container with its volumes, which belong to the stack: a host that changes its pool keeps its."""
        volumes = []
        for path in plan.volumes:
            slug = path.strip("/").replace("/", "-")
            volume = Volume(f"{plan.name}-{slug}", name=f"{self._stack}-{plan.name}-{slug}")
            volumes.append(VolumeArgs(name=volume.name, path=path))
        host = Host(
            plan.name,
            name=f"{self._stack}-{plan.name}",
            hostname=plan.fqdn,
            image=self._image(plan.packages),
            interfaces=[self._interface(interface) for interface in plan.interfaces],
            routes=[
                RouteArgs(to=str(route.to or "default"), via=str(route.via), interface=route.interface)
                for route in plan.routes
            ],
            volumes=volumes,
            forwarding=plan.forwarding,
            authorized_key=self._key,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        return Machine(host.address, host.hostKey)

    def _interface(self, interface: Interface) -> InterfaceArgs:
        return InterfaceArgs(
            name=interface.name,
            network=self._networks[interface.network],
            ipv4=self._with_prefix(interface.ipv4, interface.network),
            ipv6=self._with_prefix(interface.ipv6, interface.network),
            extra=[self._with_prefix(address, interface.network) for address in interface.extra],
        )

    def _with_prefix(self, address: Address | None, network: str) -> str:
        if address is None:
            return ""
        plan = self._plans[network]
        subnet = plan.ipv4 if address.version == 4 else plan.ipv6
        if subnet is None:
            raise ValueError(f"{address} is on network {network}, which has no IPv{address.version}")
        return f"{address}/{subnet.prefixlen}"


def networks_in_use(networks: Mapping[str, NetworkPlan], hosts: Iterable[HostPlan]) -> dict[str, NetworkPlan]:
    """Networks on which the lab has hosts; the others need no bridge."""
    used = {interface.network for host in hosts for interface in host.interfaces}
    return {name: plan for name, plan in networks.items() if name in used}


def _text(value: object) -> str:
    return "" if value is None else str(value)

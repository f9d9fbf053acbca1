"""The lab's Internet as a deployment sees it: its own world, or another deployment's on the same one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgewright.plan import addresses

if TYPE_CHECKING:
    from edgewright.model import Deployment
    from edgewright.plan.types import Address, NetworkPlan

DOMAIN = "test"
"""Top-level domain of the lab's own hosts on the Internet (RFC 6761 section 6.2)."""


@dataclass(frozen=True, slots=True)
class Internet:
    """Where the world is: its name and addresses, and in whose deployment its host is."""

    fqdn: str
    addresses: tuple[Address, ...]
    deployment: Deployment
    own: bool
    """Whether the world is a host of the deployment that looks at it."""

    @property
    def host(self) -> str:
        """Name of the world's host in its deployment."""
        return self.fqdn.partition(".")[0]


def of(deployment: Deployment) -> Internet | None:
    """The lab's Internet on which a deployment is; None: it is on the real one, or on none."""
    whose = deployment if deployment.internet is None else deployment.internet
    world = whose.surroundings.world if whose.surroundings else None
    if world is None:
        return None
    networks = addresses.networks(whose.topology)
    taken = addresses.Allocator(networks).take(world.host, "world", world.network, world.addresses)
    return Internet(
        f"{world.host}.{world.network}.{DOMAIN}",
        tuple(address for address in taken if address is not None),
        whose,
        whose is deployment,
    )


def shares(partner: Deployment, deployment: Deployment) -> bool:
    """Whether a partner is on the Internet that a deployment's lab makes."""
    return partner.internet is not None and partner.internet.folder == deployment.folder


def tsig_key(deployment: Deployment) -> str:
    """Name of the key with which a deployment answers DNS-01 in the world: each has one of its own."""
    return "acme" if deployment.internet is None else f"acme-{deployment.name}"


def networks(deployment: Deployment) -> dict[str, NetworkPlan]:
    """The networks of a deployment; one with the subnets of the shared Internet is joined, not made."""
    found = addresses.networks(deployment.topology)
    other = deployment.internet
    shared = shared_network(other) if other else None
    if other is None or shared is None:
        return found
    subnets = (shared.ipv4, shared.ipv6)
    name = f"{other.name}-{shared.name}"
    return {
        key: replace(plan, joined=name) if (plan.ipv4, plan.ipv6) == subnets else plan
        for key, plan in found.items()
    }


def shared_network(deployment: Deployment) -> NetworkPlan | None:
    """The network of a deployment's world, which others may join."""
    world = deployment.surroundings.world if deployment.surroundings else None
    return addresses.networks(deployment.topology).get(world.network) if world else None

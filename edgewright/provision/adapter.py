"""The seam to platforms: what a component asks of whoever makes networks and hosts.

An adapter turns plans into resources of its platform. Lab and existing hosts are there; a cloud is one more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pulumi

from edgewright.plan.types import HostPlan, NetworkPlan


@dataclass(frozen=True, slots=True)
class Machine:
    """A host as the rest of the world needs it; becomes its entry in `machines.json`."""

    address: pulumi.Input[str]
    """Where the controller reaches it by ssh."""
    host_key: pulumi.Input[str]
    """Its pinned ssh key: `ssh-ed25519 AAAA...`."""


class Adapter(Protocol):
    """Makes networks and hosts on one platform. `parent` is the component to which the resource belongs."""

    def network(self, plan: NetworkPlan, parent: pulumi.Resource) -> None:
        """Make a network; called for all networks before any host."""

    def host(self, plan: HostPlan, parent: pulumi.Resource) -> Machine:
        """Make a host on networks made before."""


class ExistingAdapter:
    """Hosts that are there already: nothing is made, the topology says how to reach them."""

    def network(self, plan: NetworkPlan, parent: pulumi.Resource) -> None:
        """There is nothing to make."""

    def host(self, plan: HostPlan, parent: pulumi.Resource) -> Machine:  # noqa: ARG002
        """What the topology says."""
        if plan.existing is None:
            raise ValueError(f"host {plan.name} is not an existing host")
        return Machine(str(plan.existing.address), plan.existing.host_key)

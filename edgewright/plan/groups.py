"""Groups of the Ansible inventory: named here once, for the inventory and for whoever checks a `--limit`."""

from __future__ import annotations

from edgewright.plan.types import HostPlan


def of_deployment(name: str) -> str:
    """The group of all hosts of a deployment."""
    return f"deployment_{name.replace('-', '_')}"


def of_host(host: HostPlan) -> list[str]:
    """The groups that follow from what a host is and where it stands."""
    found = [str(host.kind)]
    found += [f"site_{host.site.replace('-', '_')}"] if host.site else []
    return [*found, "surroundings"] if host.surroundings else found


def of_role(role: str) -> str:
    """The group of all hosts with a role."""
    return f"role_{role}"

"""The Pulumi program: a plan becomes components, and its stack outputs become `machines.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from edgewright.plan.types import Plan
from edgewright.provision import machines, paths
from edgewright.provision.adapter import Adapter, ExistingAdapter, Machine
from edgewright.provision.components import Network, NetworkArgs, PoolArgs, Site, SiteArgs, Surroundings
from edgewright.provision.lab.adapter import LabAdapter, networks_in_use
from edgewright.provision.lab.images import Images
from edgewright.provision.lab.podman import Podman
from edgewright.provision.planning import plan_of

OUTPUT = "machines"


def declare(plan: Plan, lab: Adapter) -> dict[str, Machine]:
    """Declare all resources of a plan, and say how each host is reached; existing ones are passed on."""
    existing = ExistingAdapter()
    adapters = {name: lab if host.existing is None else existing for name, host in plan.hosts.items()}
    made = [host for host in plan.hosts.values() if host.existing is None]
    for name, network in networks_in_use(plan.networks, made).items():
        Network(name, NetworkArgs(network, lab))
    hosts = [plan.hosts[name] for name in sorted(plan.hosts)]
    found: dict[str, Machine] = {}
    for site in sorted({host.site for host in hosts if host.site and not host.surroundings}):
        own = [host for host in hosts if host.site == site and not host.surroundings]
        found |= Site(site, SiteArgs(own, adapters)).machines
    others = [host for host in hosts if host.surroundings or not host.site]
    if others:
        found |= Surroundings("surroundings", PoolArgs(others, adapters)).machines
    return found


def main() -> None:
    """Run for a stack, which has the name of its deployment.

    The configuration `edgewright:deployment` is its folder, relative to the Pulumi project; without it, the
    folder of that name in `inventory/`.
    """
    place = paths.find()
    stack = pulumi.get_stack()
    configured = pulumi.Config("edgewright").get("deployment")
    folder = (Path.cwd() / (configured or f"../inventory/{stack}")).resolve()
    plan = plan_of(folder)
    if stack != plan.deployment:
        raise pulumi.RunError(f"stack {stack} is configured for the deployment {plan.deployment}: {folder}")
    images = Images(place, Podman(place.containers_conf))
    declared = declare(plan, LabAdapter(stack, images.name, machines.login_key(place, plan.deployment)))

    def document(found: Any) -> Any:
        if not pulumi.runtime.is_dry_run():
            machines.write(place, plan, found)
        return found

    # Written here, too, so that Ansible and the proof can follow a bare `pulumi up`.
    reached = {name: {"address": one.address, "host_key": one.host_key} for name, one in declared.items()}
    pulumi.export(OUTPUT, pulumi.Output.from_input(reached).apply(document))

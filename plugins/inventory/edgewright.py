"""The inventory: hosts and settings from the plan, addresses from `machines.json`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

from edgewright import machines, model, plan
from edgewright.plan import groups as inventory_groups
from edgewright.plan.roles import ORDER

DOCUMENTATION = """
name: edgewright
short_description: A deployment as Edgewright plans it
author: Edgewright
description:
  - Loads and plans the deployment whose folder holds C(edgewright.yml); addresses are C(machines.json)'s.
  - Groups are C(deployment_NAME), the kinds of hosts, C(site_NAME), C(surroundings), and C(role_NAME) for
    those with that role.
  - Deployments may be given together (C(-i inventory/contoso -i inventory/fabrikam)); no two may have a
    host of one name.
options:
  plugin: {description: Always C(edgewright)., required: true, choices: [edgewright]}
"""


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """One line in `inventory/<deployment>/edgewright.yml` switches it on: `plugin: edgewright`."""

    NAME = "edgewright"

    def verify_file(self, path: str) -> bool:
        """Only `edgewright.yml` is ours."""
        return bool(super().verify_file(path)) and Path(path).name == "edgewright.yml"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory; any finding in the description stops everything."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        folder = Path(path).resolve().parent
        try:
            deployment = model.load(folder)
            planned = plan.make(deployment)
        except (model.InputErrors, plan.PlanError) as errors:
            raise AnsibleParserError(f"the description has errors:\n{errors}") from errors
        state = Path(os.environ.get("EDGEWRIGHT_ROOT") or Path(__file__).parents[2]).resolve() / ".edgewright"
        try:
            made = machines.load(state / deployment.name)
        except machines.MachinesError as error:
            raise AnsibleParserError(str(error)) from error
        check(planned, made)
        group = self._group(planned, made, folder)
        if deployment.internet is not None:
            self.inventory.set_variable(group, "edgewright_world", str(state / deployment.internet.name))
        self._fill(planned, made, group)

    def _group(self, planned: plan.Plan, made: machines.Machines, folder: Path) -> str:
        """The group of all the deployment's hosts, with what holds for them all; its name."""
        group = str(self.inventory.add_group(inventory_groups.of_deployment(planned.deployment)))
        self.inventory.set_variable(group, "edgewright_folder", str(folder))
        self.inventory.set_variable(group, "edgewright_deployment", planned.deployment)
        self.inventory.set_variable(group, "edgewright_state", str(made.folder))
        return group

    def _fill(self, planned: plan.Plan, made: machines.Machines, group_of_all: str) -> None:
        """Hosts, groups and variables."""
        inventory = self.inventory
        for role in ORDER:
            inventory.add_group(inventory_groups.of_role(role))
        for name, host in planned.hosts.items():
            if host.platform != "linux":
                continue
            if name in inventory.hosts:
                raise AnsibleParserError(
                    f"{planned.deployment} has a host {name} and so has a deployment given before it; "
                    "configure them one after the other"
                )
            inventory.add_host(name)
            roles = planned.settings.get(name, {})
            groups = [group_of_all, *inventory_groups.of_host(host), *map(inventory_groups.of_role, roles)]
            for group in groups:
                inventory.add_child(inventory.add_group(group), name)
            for key, value in variables(made.hosts[name], made, host.kind).items():
                # Settings stay data, never templates; these are ours, and testinfra wants them plain.
                inventory.set_variable(
                    name, key, trust_as_template(value) if isinstance(value, str) else value
                )
            inventory.set_variable(name, "edgewright_roles", list(roles))
            for role, settings in roles.items():
                inventory.set_variable(name, role, settings)


def check(planned: plan.Plan, made: machines.Machines) -> None:
    """Machines and description must be of one another."""
    again = f"run `edgewright up {planned.deployment}` (or `pulumi up`) first"
    missing = sorted(n for n, h in planned.hosts.items() if h.platform == "linux" and n not in made.hosts)
    if missing:
        raise AnsibleParserError(f"{made.folder}/machines.json has no {', '.join(missing)}; {again}")
    if made.digest != planned.digest and (unlike := machines.unlike(made, planned.hosts)):
        raise AnsibleParserError(
            f"the description of {planned.deployment} was changed after its machines were made "
            f"({'; '.join(unlike[:3])}); {again}"
        )


def variables(machine: machines.Machine, made: machines.Machines, kind: str) -> dict[str, Any]:
    """How Ansible reaches a host: by the generated ssh_config with its pinned key and control socket."""
    return {
        "ansible_host": machine.name if made.ssh_config.exists() else machine.address,
        "ansible_port": machine.port,
        "ansible_user": machine.user,
        "ansible_become": machine.user != "root",
        "ansible_ssh_common_args": f"-F {shlex.quote(str(made.ssh_config))}",
        "edgewright_kind": kind,
        "edgewright_address": machine.address,
    }

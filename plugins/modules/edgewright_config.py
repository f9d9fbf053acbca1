#!/usr/bin/python
"""The host's side of `edgewright_config`: files put in place together, validated, daemons brought to them.

Nothing is replaced before everything is written beside its target and every validator has passed on a staged
copy. What each daemon last started with is remembered under `/var/lib/edgewright/applied/`, so a run that is
interrupted between replacing and restarting restarts at the next run.
"""

from __future__ import annotations

import errno
from typing import Any

from ansible.module_utils.edgewright.daemons import Daemons
from ansible.module_utils.edgewright.host import ConfigError, unit_name
from ansible.module_utils.edgewright.packages import Packages
from ansible.module_utils.edgewright.staging import Staging

DOCUMENTATION = r"""
module: edgewright_config
short_description: Files, folders and daemons of one duty of a host, in one step
description:
  - Used through the action plugin of the same name, which renders the files on the controller.
author: Edgewright
options:
  files: {description: Rendered files., type: list, elements: dict, default: []}
  directories: {description: Folders to make., type: list, elements: dict, default: []}
  links: {description: Symbolic links., type: list, elements: dict, default: []}
  exclusive: {description: Folders in which nothing else may be., type: list, elements: str, default: []}
  keep: {description: Patterns that exclusive folders spare., type: list, elements: str, default: []}
  absent: {description: Paths to remove., type: list, elements: str, default: []}
  includes: {description: Folders with the operator's own additions., type: list, elements: str, default: []}
  validate: {description: Commands run against a staged copy., type: list, elements: str, default: []}
  commands: {description: Commands to run when files changed., type: list, elements: dict, default: []}
  services: {description: Units and what a change means for them., type: list, elements: dict, default: []}
  transfers: {description: Large files already on the host, by digest., type: dict, default: {}}
  packages: {description: Debian packages that must be there., type: list, elements: str, default: []}
  duty: {description: Name under which is remembered what daemons run with., type: str, default: host}
  root: {description: Prefix of every path (tests)., type: str, default: /}
"""


class Config(Packages, Staging, Daemons):
    """One application of the wanted state."""

    def apply(self) -> dict[str, Any]:
        """Do it all; the result for Ansible."""
        missing = self.needs()
        if missing and not self.check:
            return {"changed": False, "needs": missing}
        first = any(self.read(e["path"]) is None for e in self.files if not e.get("seed"))
        had_state = any(self.applied(unit_name(s["name"])) for s in self.params.get("services") or [])
        if not self.check:
            self.sweep()
        self.install_packages()
        try:
            self.make_directories()
            files, links, unwanted = self.changed_files(), self.changed_links(), self.unwanted()
            if not self.check:
                for entry in files:
                    self.write_beside(entry)
                self.write_links_beside(links)
            if files or links or unwanted or self.includes_changed():
                self.validate(first)
            if not self.check:
                self.replace_all(unwanted)
        except OSError as problem:
            self.discard()
            self.roll_back()
            space = "; nothing was replaced" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise ConfigError(
                f"{problem.strerror}: {problem.filename or 'while writing'}{space}"
            ) from problem
        except ConfigError:
            self.discard()
            self.roll_back()
            raise
        self.bring_daemons(had_state)
        self.forget_backups()
        return self.result()

    def bring_daemons(self, had_state: bool) -> None:
        """Commands, then services; when a daemon refuses what a working one ran with before, go back."""
        try:
            self.run_commands()
            self.settle_services()
        except ConfigError as problem:
            if not (had_state and self.backups):
                self.forget_backups()
                raise
            self.roll_back()
            self.run_command(["systemctl", "daemon-reload"])
            for entry in self.params.get("services") or []:
                if entry.get("state", "started") == "started" and entry.get("on_change", "restart") != "none":
                    self.run_command(["systemctl", "reset-failed", unit_name(entry["name"])])
                    self.run_command(["systemctl", "restart", unit_name(entry["name"])])
            raise ConfigError(
                f"{problem}\nThe former configuration was put back and its daemons restarted."
            ) from problem

    def result(self) -> dict[str, Any]:
        """What Ansible shows."""
        found: dict[str, Any] = {
            "changed": self.changed,
            "paths": self.changed_paths,
            "actions": self.actions,
        }
        if self.want_diff:
            done = [{"prepared": "\n".join(self.actions) + "\n"}] if self.actions else []
            found["diff"] = [*self.diffs, *done]
        if self.actions:
            found["msg"] = "; ".join(self.actions)
        return found


def main() -> None:
    """Ansible's entry point."""
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - tests run without it

    lists = ("files", "directories", "links", "commands", "services")
    spec: dict[str, Any] = {name: {"type": "list", "elements": "dict", "default": []} for name in lists}
    spec |= {
        name: {"type": "list", "elements": "str", "default": []}
        for name in ("exclusive", "keep", "absent", "includes", "validate", "packages")
    }
    spec |= {"transfers": {"type": "dict", "default": {}}, "root": {"type": "str", "default": "/"}}
    spec |= {"duty": {"type": "str", "default": "host"}}

    # Arguments hold whole files, secret ones too. The parameter `no_log` of AnsibleModule would not do:
    # Ansible overwrites it with the task's.
    class Silent(AnsibleModule):  # type: ignore[misc]
        """A module that writes nothing to the host's journal; what it returns is chosen below."""

        def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
            """Nothing."""

    module = Silent(argument_spec=spec, supports_check_mode=True)
    config = Config(module.params, module.check_mode, module._diff)
    try:
        result = config.apply()
    except ConfigError as problem:
        module.fail_json(msg=str(problem), actions=config.actions, paths=config.changed_paths, invocation={})
    for warning in config.warnings:
        module.warn(warning)
    module.exit_json(**result, invocation={})


if __name__ == "__main__":
    main()

"""`edgewright_tables`: bring a host's policy tables to what deployment and credentials say.

`tables`: those that follow from the plan (name -> key -> value; by default all that the settings of the
host's roles have); those that follow from policy, directory and credentials are computed here. Nothing of
them is written on the controller: they travel on the standard input of `edgewright-tables`, and only if the
host's checksums differ. One command when they do not.

`phase`, for hosts that change together: `stage` (gives `before` and `staged`, checksums), `commit` and
`back`, both with `to`, the checksum that is meant. Without it everything that one host needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from edgewright import model
from edgewright.model import credentials
from edgewright.plan import tables
from edgewright.plan.roles import ORDER

PROGRAM = "/usr/local/sbin/edgewright-tables"
PHASES = (None, "stage", "commit", "back")


@dataclass(frozen=True)
class _Host:
    """What of a host decides its tables, from its variables."""

    roles: tuple[str, ...]
    pool: str | None


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side; the host's is services/tables."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, then stage and commit what differs, or what the phase says of it."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        if unknown := set(self._task.args) - {"tables", "phase", "to"}:
            raise AnsibleActionFail(
                f"edgewright_tables: unknown {sorted(unknown)}; there are tables, phase and to"
            )
        phase = self._task.args.get("phase")
        if phase not in PHASES:
            raise AnsibleActionFail(
                f"edgewright_tables: no phase {phase!r}; there are stage, commit and back"
            )
        if phase in ("commit", "back"):
            return result | self._switch("rollback" if phase == "back" else "commit")
        wanted = self._wanted(variables)
        there = self._status()
        found = there.get("tables", {})
        digests = {name: table.digest for name, table in wanted.items()}
        empty = tables.Table({}).digest
        differing = {name for name, digest in digests.items() if found.get(name) != digest}
        differing |= {name for name, digest in found.items() if name not in wanted and digest != empty}
        pending = set(there.get("pending", ()))
        result["changed"] = bool(differing or pending)
        result["tables"] = sorted(differing | pending)
        result["before"] = result["staged"] = there.get("committed")
        if not result["changed"]:
            return result
        result["diff"] = [{"prepared": _said(differing, pending, wanted)}]
        if self._task.check_mode:
            return result
        if differing:
            document = json.dumps(tables.bundle(wanted), ensure_ascii=False).encode()
            result["staged"] = self._program("stage", document)["staged"]
        if phase is None:
            result["told"] = self._program("commit")["told"]
        return result

    def _switch(self, verb: str) -> dict[str, Any]:
        """Commit or go back, to what is meant and to nothing else."""
        checksum = self._task.args.get("to")
        if self._task.check_mode:
            return {"changed": False, "told": {}}
        if not checksum:
            raise AnsibleActionFail("edgewright_tables: the host had no tables before")
        done = self._program(f"{verb} --checksum {checksum}")
        result = {"changed": bool(done["told"]), "told": done["told"]}
        # The tables are in force; going back for this would let in again whom they keep out.
        return result | ({"warnings": [done["unfinished"]]} if done["unfinished"] else {})

    def _wanted(self, variables: dict[str, Any]) -> dict[str, tables.Table]:
        roles = tuple(role for role in ORDER if role in variables)
        pools = [variables[role]["pool"] for role in roles if "pool" in variables[role]]
        try:
            deployment = model.load(Path(str(variables["edgewright_folder"])))
            secret = credentials.load(deployment)
        except (model.InputErrors, credentials.CredentialsError) as error:
            raise AnsibleActionFail(str(error)) from None
        made = tables.make(deployment, secret, _Host(roles, str(pools[0]) if pools else None))
        given = self._task.args.get("tables")
        if given is None:
            given = {}
            for role in tables.READERS & set(roles):
                given |= variables[role].get("tables") or {}
        return made | {
            str(name): tables.Table({str(key): str(value) for key, value in rows.items()})
            for name, rows in given.items()
        }

    def _status(self) -> dict[str, Any]:
        """What the host has; in check mode the program may not be there yet."""
        try:
            return self._program("status")
        except AnsibleActionFail:
            if self._task.check_mode:
                return {}
            raise

    def _program(self, verb: str, data: bytes | None = None) -> dict[str, Any]:
        ran = self._low_level_execute_command(f"{PROGRAM} {verb}", in_data=data)
        if ran["rc"]:
            # With a terminal, standard error comes as standard output, and ssh's farewell as standard error.
            lines = f"{ran.get('stdout') or ''}\n{ran.get('stderr') or ''}".splitlines()
            said = "\n".join(line for line in lines if line and not line.startswith("Shared connection"))[
                -2000:
            ]
            raise AnsibleActionFail(f"edgewright-tables {verb}: {said or 'ended with ' + str(ran['rc'])}")
        answer: dict[str, Any] = json.loads(ran["stdout"].strip().splitlines()[-1])
        return answer


def _said(differing: set[str], pending: set[str], wanted: dict[str, tables.Table]) -> str:
    """What changes, without any row."""
    lines = [
        f"table {name}: {len(wanted[name].rows)} rows" if name in wanted else f"table {name}: emptied"
        for name in sorted(differing)
    ]
    lines += [f"table {name}: its daemon is told" for name in sorted(pending - differing)]
    return "\n".join(lines) + "\n"

"""`edgewright_world_trust`: keep the roots of the lab's ACME directory, every one that it ever had.

The directory makes a new root at each start, and what the former ones signed must stay verifiable.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from edgewright import authority, slots
from edgewright.model.files import write_private

ROOTS = "/var/lib/pebble/roots.pem"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Reads the host's file and adds what is new to the controller's; this changes nothing on the host."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One module run."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        arguments = {"src": ROOTS}
        returned = self._execute_module("ansible.legacy.slurp", module_args=arguments, task_vars=variables)
        if returned.get("failed"):
            if self._task.check_mode:
                return {**result, "changed": False, "msg": "the directory has not run yet"}
            raise AnsibleActionFail(
                f"the lab's ACME directory has left no root in {ROOTS}: {returned.get('msg')}"
            )
        found = slots.parse(base64.b64decode(returned["content"]).decode())
        folder = Path(str(variables["edgewright_state"])) / "trust"
        path = folder / "world.pem"
        with authority.locked(folder):
            known = slots.parse(path.read_text(encoding="ascii") if path.exists() else None)
            merged = slots.text([*known, *(c for c in found if c not in known)])
            if not path.exists() or path.read_text(encoding="ascii") != "".join(merged):
                write_private(path, "".join(merged))
        return {**result, "changed": False}

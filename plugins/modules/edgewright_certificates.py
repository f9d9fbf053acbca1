#!/usr/bin/python
"""The host's side of `edgewright_certificates`: ask certificates.pyz; keys go by standard input only."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

DOCUMENTATION = r"""
module: edgewright_certificates
short_description: Ask the host's certificate program
description:
  - Used through the action plugin of the same name.
author: Edgewright
options:
  verb: {description: What to do., type: str, required: true, choices: [inspect, request, install, order]}
  asked: {description: The program's input., type: dict, default: {}}
"""

PROGRAM = "/usr/local/lib/edgewright/certificates.pyz"


def main() -> None:
    """Ansible's entry point."""
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - only on the host

    spec: dict[str, Any] = {
        "verb": {"type": "str", "required": True, "choices": ["inspect", "request", "install", "order"]},
        "asked": {"type": "dict", "default": {}},
    }

    # Arguments hold keys. The parameter `no_log` of AnsibleModule would not do: Ansible overwrites it.
    class Silent(AnsibleModule):  # type: ignore[misc]
        """A module that writes nothing to the host's journal."""

        def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
            """Nothing."""

    module = Silent(argument_spec=spec, supports_check_mode=True)
    if not os.path.exists(PROGRAM):
        if module.check_mode:
            module.exit_json(changed=False, answer={"slots": {}, "strangers": []}, invocation={})
        module.fail_json(msg=f"{PROGRAM} is missing: role base installs it", invocation={})
    done = subprocess.run(
        ["/usr/bin/python3", "-I", PROGRAM, module.params["verb"]],
        input=json.dumps(module.params["asked"]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        module.fail_json(msg=done.stderr.strip() or f"exit {done.returncode}", invocation={})
    module.exit_json(changed=False, answer=json.loads(done.stdout), invocation={})


if __name__ == "__main__":
    main()

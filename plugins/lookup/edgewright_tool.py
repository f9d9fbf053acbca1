"""`lookup('edgewright_tool', 'pebble')`: path of a program that provisioning built for the lab."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from edgewright.provision import paths, tools

DOCUMENTATION = """
name: edgewright_tool
short_description: A program that provisioning built, by name
author: Edgewright
description: [Only C(pebble) is there.]
options:
  _terms: {description: Names of programs., required: true}
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Paths on the controller."""
        self.set_options(var_options=variables, direct=kwargs)
        if list(terms) != ["pebble"]:
            raise AnsibleLookupError(f"edgewright_tool: {terms}: there is only pebble")
        found = tools.Tools(paths.find()).find_pebble()
        if found is None:
            raise AnsibleLookupError("pebble has not been built yet: run `edgewright up`")
        return [str(found.path)]

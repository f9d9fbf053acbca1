"""`lookup('edgewright_secret', 'edge.flow')`: a secret of the deployment, in templates of secret files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from edgewright import model
from edgewright.model import credentials

DOCUMENTATION = """
name: edgewright_secret
short_description: A secret of the deployment, by name
author: Edgewright
description:
  - Reads the deployment's encrypted credentials on the controller. What it gave out in a task is masked
    in that task's results by the action C(edgewright_config).
options:
  _terms: {description: "Names of secrets, e.g. C(edge.flow).", required: true}
  deployment: {description: "Folder of another deployment whose secret it is."}
"""


@functools.cache
def _secrets(folder: str) -> dict[str, str]:
    return dict(credentials.load(model.load(Path(folder))).secrets)


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup."""

    used: ClassVar[set[str]] = set()
    """Every secret that this process gave out: what must be masked."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """The secrets of `terms`, in order."""
        self.set_options(var_options=variables, direct=kwargs)
        folder = kwargs.get("deployment") or (variables or {}).get("edgewright_folder")
        if not folder:
            raise AnsibleLookupError(
                "edgewright_secret: no edgewright_folder; is the inventory Edgewright's?"
            )
        secrets = _secrets(str(folder))
        found = []
        for term in terms:
            if term not in secrets:
                raise AnsibleLookupError(
                    f"there is no secret {term!r} in the credentials; there are {sorted(secrets)}"
                )
            self.used.add(secrets[term])
            found.append(secrets[term])
        return found

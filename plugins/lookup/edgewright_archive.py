"""`lookup('edgewright_archive', 'services/web')`: path of a project's zip application, built if changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from edgewright import archives

DOCUMENTATION = """
name: edgewright_archive
short_description: A zip application of one of our own projects
author: Edgewright
description:
  - Builds C(src/) of a project folder (C(probes), C(services/web)) into C(.edgewright/archives/) on the
    controller and returns the file's path, for C(source) of C(edgewright_config).
options:
  _terms: {description: Project folders relative to the repository., required: true}
"""

PROJECT = Path(__file__).resolve().parents[2]


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """The archives of `terms`, in order."""
        self.set_options(var_options=variables, direct=kwargs)
        built = []
        for term in terms:
            target = PROJECT / ".edgewright" / "archives" / f"{Path(term).name}.pyz"
            try:
                built.append(str(archives.write(archives.archive(PROJECT / term / "src"), target)))
            except OSError as problem:
                raise AnsibleLookupError(f"edgewright_archive: {term}: {problem}") from problem
        return built

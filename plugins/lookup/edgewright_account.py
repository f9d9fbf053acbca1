"""`lookup('edgewright_account', 'walt@wingtip.example')`: the digest hash of a partner's account."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from edgewright import model
from edgewright.model import credentials

DOCUMENTATION = """
name: edgewright_account
short_description: H(user:domain:password) with MD5 of a test account
author: Edgewright
description:
  - The realm is the account's own domain. The password stays on the controller; the hash is masked.
options:
  _terms: {description: SIP addresses., required: true}
"""


@functools.cache
def _passwords(folder: str) -> dict[str, str]:
    return credentials.accounts(model.load(Path(folder)))


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup."""

    used: ClassVar[set[str]] = set()
    """Every hash that this process gave out: what must be masked."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """The hashes of `terms`, in order."""
        self.set_options(var_options=variables, direct=kwargs)
        passwords = _passwords(str((variables or {})["edgewright_folder"]))
        found = []
        for term in terms:
            if term not in passwords:
                raise AnsibleLookupError(
                    f"{term} is no test account that has a password; run `edgewright up`"
                )
            found.append(credentials.digest(term, term.partition("@")[2], passwords[term]).md5)
        self.used.update(found)
        return found

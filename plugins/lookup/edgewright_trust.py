"""`lookup('edgewright_trust', ['world'])`: a PEM file on the controller with their roots."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from edgewright import authority
from edgewright.model import credentials

DOCUMENTATION = """
name: edgewright_trust
short_description: Roots that a host shall trust, as a file on the controller
author: Edgewright
description:
  - C(own_ca) is the organisation's own CA, C(world) the roots of the lab's ACME directory, all it ever had,
    C(world_service) the CA of that directory's own address, C(partners) that of the lab's partners and
    C(partners_crl) its revocation list, C(system) the public ones; else a path.
  - The lab's are kept where the deployment is whose Internet it is (C(edgewright_world)).
options:
  _terms: {description: Whose roots., required: true}
"""

NOT_KNOWN = "# the lab's directory has not been configured yet\n"


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """One path: all terms in one file."""
        self.set_options(var_options=variables, direct=kwargs)
        found = variables or {}
        state, deployment = Path(str(found["edgewright_state"])), str(found["edgewright_deployment"])
        world = Path(str(found.get("edgewright_world") or state))
        names: list[str] = []
        for term in terms:
            names += [str(t) for t in term] if isinstance(term, list | tuple) else [str(term)]
        if names == ["system"]:
            return [str(_system())]
        folder = state / "trust"
        text = "".join(_roots(name, state, deployment, world) for name in names)
        path = folder / f"{'-'.join(n.replace('/', '_') for n in names)}.bundle.pem"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        return [str(path)]


def _roots(name: str, state: Path, deployment: str, world: Path) -> str:
    """PEM text of one of them."""
    if name == "own_ca":
        return _authority(state / "ca/inside", deployment).pem
    if name == "world_service":
        return _authority(world / "ca/world", world.name).pem
    if name.startswith("partners"):
        partners = _authority(world / "ca/partners", world.name)
        return partners.pem if name == "partners" else partners.revocation_list()
    if name == "world":
        path = world / "trust/world.pem"
        return path.read_text(encoding="ascii") if path.exists() else NOT_KNOWN
    path = _system() if name == "system" else Path(name)
    if not path.is_file():
        raise AnsibleLookupError(f"edgewright_trust: there is no file {path}")
    return path.read_text(encoding="utf-8")


def _authority(folder: Path, deployment: str) -> authority.Authority:
    return authority.Authority(folder, f"{deployment} {folder.name} CA", credentials.vault_password())


def _system() -> Path:
    """The controller's own bundle of public roots."""
    found = ssl.get_default_verify_paths()
    path = Path(found.cafile or found.openssl_cafile)
    debian = Path("/etc/ssl/certs/ca-certificates.crt")
    return debian if debian.is_file() else path

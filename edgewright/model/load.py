"""Loading a deployment's folder: every error of every file at once, each with its line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from edgewright.model import credentials
from edgewright.model import users as users_csv
from edgewright.model.base import Model
from edgewright.model.checks import examine
from edgewright.model.deployment import Deployment
from edgewright.model.directory import Directory
from edgewright.model.documents import Document, Place, read
from edgewright.model.findings import Finding, InputErrors
from edgewright.model.ldap import LdapDirectory
from edgewright.model.messages import nearest, translate
from edgewright.model.policy import Policies
from edgewright.model.surroundings import Surroundings
from edgewright.model.topology import Topology

M = TypeVar("M", bound=Model)

FILES: dict[str, type[Model]] = {
    "topology.yml": Topology,
    "policies.yml": Policies,
    "users.yml": Directory,
    "surroundings.yml": Surroundings,
    "ldap.yml": LdapDirectory,
}
"""The files that an operator writes in a deployment's folder, and their types."""

OTHER_FILES = ("users.csv", "credentials.yml", "accounts.yml", "edgewright.yml")


def load(path: Path) -> Deployment:
    """Read and validate a deployment's folder: each object by itself, and all of them together.

    Raises:
        InputErrors: with every finding of every file.
    """
    deployment, findings = attempt(path)
    if deployment is not None:
        findings = [*findings, *examine(deployment)]
    if findings or deployment is None:
        raise InputErrors(findings)
    return deployment


def attempt(path: Path, source: Directory | None = None) -> tuple[Deployment | None, list[Finding]]:
    """Read a folder, and those that it leans on, without comparing objects.

    The deployment is None where there is not enough for one. Where there is `ldap.yml`, its users and groups
    are those of `source`, else those last read from there.
    """
    deployment, findings = _alone(path, source)
    if deployment is None or deployment.surroundings is None:
        return deployment, findings
    internet, partners = None, {}
    if deployment.surroundings.internet is not None:
        internet = _other(deployment, deployment.surroundings.internet, ("internet",), findings)
    for domain, partner in deployment.surroundings.partners.items():
        if partner.deployment is not None:
            place = ("partners", domain, "deployment")
            other = _other(deployment, partner.deployment, place, findings)
            if other is not None:
                partners[domain] = _on(other, deployment)
    summed = hashlib.sha256(deployment.digest.encode())
    for domain in sorted(partners):
        summed.update(f"{domain}={partners[domain].digest}".encode())
    whole = summed.hexdigest() if partners else deployment.digest
    return replace(deployment, internet=internet, partners=partners, digest=whole), findings


def _other(deployment: Deployment, folder: str, place: Place, findings: list[Finding]) -> Deployment | None:
    """Another deployment's folder; what is wrong there is its own operator's, here it is one finding."""
    path = deployment.folder / folder
    other, theirs = _alone(path) if path.is_dir() else (None, [])
    if other is not None and not theirs and not (theirs := examine(other)):
        return other
    says = f"{folder} has errors; `edgewright check` there shows them" if theirs else f"there is no {folder}"
    document = deployment.documents.get("surroundings.yml")
    line = document.line(place) if document else 1
    findings.append(Finding(deployment.folder / "surroundings.yml", line, says))
    return None


def _on(partner: Deployment, deployment: Deployment) -> Deployment:
    """A partner with this deployment's Internet, if it says that it is there."""
    given = partner.surroundings.internet if partner.surroundings else None
    if given is None or (partner.folder / given).resolve() != deployment.folder:
        return partner
    return replace(partner, internet=deployment)


def _alone(path: Path, source: Directory | None = None) -> tuple[Deployment | None, list[Finding]]:
    """Read one folder by itself."""
    folder = path.resolve()
    if not folder.is_dir():
        return None, [
            Finding(path, 1, "there is no such folder; give a deployment's folder, e.g. inventory/contoso")
        ]
    findings = _strangers(folder)
    documents: dict[str, Document] = {}
    topology = _file(folder, "topology.yml", Topology, documents, findings)
    policies = _file(
        folder, "policies.yml", Policies, documents, findings, absent=Policies.model_validate({"schema": 1})
    )
    directory = _file(folder, "users.yml", Directory, documents, findings, absent=Directory())
    surroundings = None
    given = (folder / "surroundings.yml").exists()
    if given:
        surroundings = _file(folder, "surroundings.yml", Surroundings, documents, findings)
    if (folder / "users.csv").exists() and directory is not None:
        directory = _with_csv(folder / "users.csv", directory, documents, findings)
    if (folder / "ldap.yml").exists() and directory is not None:
        directory = _with_ldap(folder, directory, source, documents, findings)
    if directory is not None:
        directory = _ordered(directory)
    if topology is None or policies is None or directory is None or (given and surroundings is None):
        return None, findings
    deployment = Deployment(
        name=folder.name,
        folder=folder,
        topology=topology,
        policies=policies,
        directory=directory,
        surroundings=surroundings,
        digest=digest(topology, policies, directory, surroundings),
        documents=documents,
    )
    return deployment, findings


def read_file(folder: Path, name: str) -> tuple[Model | None, list[Finding]]:
    """One file of a deployment's folder by itself; None where it is missing or wrong."""
    findings: list[Finding] = []
    return _file(folder, name, FILES[name], {}, findings), findings


def digest(
    topology: Topology, policies: Policies, directory: Directory, surroundings: Surroundings | None
) -> str:
    """SHA-256 over the canonical content: order of keys and comments do not count, order of lists does."""
    summed = hashlib.sha256()
    for part in (topology, policies, surroundings):
        content = part.model_dump(mode="json", by_alias=True) if part is not None else None
        summed.update(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
        summed.update(b"\0")
    summed.update(directory.model_dump_json(by_alias=True).encode())
    return summed.hexdigest()


def _file(
    folder: Path,
    name: str,
    model: type[M],
    documents: dict[str, Document],
    findings: list[Finding],
    absent: M | None = None,
) -> M | None:
    path = folder / name
    if absent is not None and not path.exists():
        return absent
    document = documents[name] = read(path)
    if document.findings:
        findings += document.findings
        if document.data is None:
            return None
        document.findings = []
    value = None
    try:
        value = model.model_validate(document.data)
    except ValidationError as error:
        translate(error, document, model)
    findings += document.findings
    return value


def _with_csv(
    path: Path, directory: Directory, documents: dict[str, Document], findings: list[Finding]
) -> Directory | None:
    users, lines, wrong = users_csv.read(path)
    findings += wrong
    for address in sorted(users.keys() & directory.users.keys()):
        findings.append(
            Finding(
                path, lines[address], f"'{address}' is in users.yml too; keep one of them", subject=address
            )
        )
    documents["users.csv"] = Document(path, lines={(address,): line for address, line in lines.items()})
    if wrong:
        return None
    return directory.model_copy(update={"users": {**directory.users, **users}})


def imported_file(folder: Path) -> Path:
    """Where the directory is kept that was last read for the deployment in `folder`."""
    return credentials.state() / folder.name / "directory.json"


def imported(folder: Path) -> Directory | None:
    """The directory that was last read from where `ldap.yml` says; None: never, or it is damaged."""
    try:
        document = json.loads(imported_file(folder).read_text(encoding="utf-8"))
        return Directory.model_validate(document["directory"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _with_ldap(
    folder: Path,
    directory: Directory,
    source: Directory | None,
    documents: dict[str, Document],
    findings: list[Finding],
) -> Directory | None:
    path = folder / "ldap.yml"
    if _file(folder, "ldap.yml", LdapDirectory, documents, findings) is None:
        return None
    found = source if source is not None else imported(folder)
    if found is None:
        findings.append(
            Finding(path, 1, f"the directory was never read; run `edgewright directory {folder.name}`")
        )
        return None
    document = documents["ldap.yml"]
    line = document.line(("users",), key=True)
    document.lines |= {(address,): line for address in found.users}
    document.lines |= {("group", name): document.line(("groups",), key=True) for name in found.groups}
    for kind, mine, theirs in (
        ("user", directory.users, found.users),
        ("group", directory.groups, found.groups),
    ):
        findings += [
            Finding(path, line, f"{kind} '{name}' is in another file too; keep one of them", subject=name)
            for name in sorted(mine.keys() & theirs.keys())
        ]
    return directory.model_copy(
        update={
            "users": {**directory.users, **found.users},
            "groups": {**directory.groups, **found.groups},
        }
    )


def _ordered(directory: Directory) -> Directory:
    """The same directory by name: the order in the files has no meaning."""
    fields = ("users", "groups", "group_policies")
    return directory.model_copy(
        update={field: dict(sorted(getattr(directory, field).items())) for field in fields}
    )


def _strangers(folder: Path) -> list[Finding]:
    """Files that look like part of the description but are not read."""
    known = [*FILES, *OTHER_FILES]
    return [
        Finding(path, 1, f"is not read: unknown file '{path.name}'{nearest(path.name, known)}")
        for path in sorted(folder.iterdir())
        if path.suffix in (".yml", ".yaml", ".csv", ".json") and path.name not in known
    ]

"""Credentials: digest hashes of users and the secrets that hosts share, encrypted with Ansible Vault.

They lie apart from the description: `credentials.yml` in the deployment's folder (the operator's), else in
`.edgewright/<deployment>/` (made for a lab, beside `accounts.yml` with the test accounts' passwords). The
password of the vault is in the file that `EDGEWRIGHT_VAULT_PASSWORD_FILE` names, else in
`.edgewright/vault-password`.

A digest user name is the part of the SIP address before the `@`: that is what phones send and what Kamailio
compares with the From header; the realm is the organisation's first SIP domain (RFC 7616 section 3.4.2). No
clear password of a user is ever stored, except those of a lab's test accounts, which the proof needs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets as random
import subprocess
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from edgewright.model import vault
from edgewright.model.deployment import Deployment
from edgewright.model.files import write_private

PASSWORD_FILE = "EDGEWRIGHT_VAULT_PASSWORD_FILE"  # noqa: S105  (the name of a variable)
MINIMUM_LENGTH = 8

SECRETS: dict[str, str] = {
    "edge.flow": "signs the Edge's flow tokens (RFC 5626 section 5.2)",
    "director.nonce": "makes a nonce of one Director good on all of them",
    "web.nonce": "makes a nonce of one web service good on the whole pool",
    "dialog.key": "proves that an in-dialog request belongs to a dialog of ours",
    "inside.header": "authenticates X-Edgewright-Origin between our hosts",
    "acme.tsig": "key of the dynamic DNS updates that answer ACME's DNS-01 (RFC 8945)",
    "postgresql.kamailio": "password of the database user of the Front End's registrar",
    "postgresql.web": "password of the database user of the Front End's web services",
}
"""The secrets that hosts share, and what each is for."""


class CredentialsError(Exception):
    """Credentials are missing, cannot be read, or do not fit the deployment; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Digest:
    """H(user:realm:password), hexadecimal, for both algorithms of RFC 7616."""

    md5: str
    sha256: str


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What is in `credentials.yml`: digests by SIP address, secrets by name (see `SECRETS`)."""

    realm: str
    users: dict[str, Digest]
    secrets: dict[str, str]


@dataclass(slots=True)
class Made:
    """What a run of `make_lab` or `add_secrets` changed, by name only."""

    passwords: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.passwords or self.secrets or self.removed)


def digest(address: str, realm: str, password: str) -> Digest:
    """The digests of one user's password."""
    user = address.partition("@")[0]
    text = f"{user}:{realm}:{unicodedata.normalize('NFC', password)}".encode()
    return Digest(
        md5=hashlib.md5(text, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(text).hexdigest(),
    )


def state_folder(deployment: Deployment) -> Path:
    """`.edgewright/<deployment>/` of this clone of the project (`EDGEWRIGHT_ROOT` names another)."""
    return state() / deployment.name


def location(deployment: Deployment) -> Path:
    """Where the credentials are, or would be made."""
    own = deployment.folder / "credentials.yml"
    made = state_folder(deployment) / "credentials.yml"
    if own.exists():
        return own
    return made if made.exists() or _wanted(deployment) else own


def _wanted(deployment: Deployment) -> tuple[str, ...]:
    """Test accounts whose passwords a lab makes: its users', and those of the partners that it makes."""
    given = deployment.surroundings
    if given is None:
        return ()
    return (*given.accounts, *(address for _, _, partner in given.hosts() for address in partner.accounts))


def load(deployment: Deployment) -> Credentials:
    """The deployment's credentials, decrypted.

    Raises:
        CredentialsError: missing, damaged, another vault password, or made for another realm.
    """
    path = location(deployment)
    if not path.exists():
        raise CredentialsError(
            f"{path}: there are no credentials; make them with `edgewright secrets {deployment.name}` and "
            "`edgewright user password ADDRESS`"
        )
    found = _parse(path)
    if found.realm != deployment.realm:
        raise CredentialsError(
            f"{path}: made for the realm {found.realm}, but the first SIP domain is {deployment.realm}; put "
            "the domains back in their order, or set every password anew (a digest belongs to its realm)"
        )
    return found


def accounts(deployment: Deployment) -> dict[str, str]:
    """Passwords of the test accounts by SIP address; they stay here and travel only to the probes' stdin.

    With those of partners that are deployments of their own.

    Raises:
        CredentialsError: as for `load`.
    """
    found: dict[str, str] = {}
    for one in reversed(deployment.together):
        found |= _accounts(_accounts_file(one))
    return found


def make_lab(deployment: Deployment) -> Made:
    """Make what a lab needs and does not have: vault password, secrets, passwords of the test accounts.

    What exists is kept; accounts that the surroundings no longer name are dropped. Credentials that
    lie in the deployment's folder are the operator's and are left alone.

    Raises:
        CredentialsError: what exists cannot be read.
    """
    made = Made()
    path = location(deployment)
    wanted = _wanted(deployment)
    if path.parent == deployment.folder or not wanted:
        return made
    _password(create=True)
    existing = _parse(path) if path.exists() else Credentials(deployment.realm, {}, {})
    passwords_file = _accounts_file(deployment)
    passwords = _accounts(passwords_file) if passwords_file.exists() else {}
    kept = {address: password for address, password in passwords.items() if address in wanted}
    made.removed = sorted(passwords.keys() - set(wanted))
    for address in wanted:
        if address not in kept:
            kept[address] = random.token_urlsafe(18)
            made.passwords.append(address)
    own = deployment.surroundings.accounts if deployment.surroundings else ()
    tested = {address: digest(address, deployment.realm, kept[address]) for address in own}
    others = {
        address: known
        for address, known in existing.users.items()
        if existing.realm == deployment.realm
        and address in deployment.directory.users
        and address not in passwords
    }
    users = dict(sorted({**others, **tested}.items()))
    shared, made.secrets = _complete(existing.secrets)
    credentials = Credentials(deployment.realm, users, shared)
    if credentials != existing:
        _write(path, credentials)
    if kept != passwords:
        _write_document(passwords_file, {"schema": 1, "accounts": dict(sorted(kept.items()))})
    return made


def add_secrets(deployment: Deployment, rotate: tuple[str, ...] = ()) -> Made:
    """`edgewright secrets`: add the secrets that are missing, and replace those in `rotate`.

    Raises:
        CredentialsError: an unknown name, or what exists cannot be read.
    """
    unknown = set(rotate) - SECRETS.keys()
    if unknown:
        raise CredentialsError(f"unknown secret {', '.join(sorted(unknown))}; known are {', '.join(SECRETS)}")
    path = location(deployment)
    _password(create=True)
    existing = _parse(path) if path.exists() else Credentials(deployment.realm, {}, {})
    kept = {name: value for name, value in existing.secrets.items() if name not in rotate}
    shared, added = _complete(kept)
    if added:
        _write(path, Credentials(existing.realm, existing.users, shared))
    return Made(secrets=added)


def set_password(deployment: Deployment, address: str, password: str) -> Path:
    """`edgewright user password`: store the digests of a user's password; the file that was changed.

    Raises:
        CredentialsError: nobody has this address, or the password cannot be used.
    """
    if address not in deployment.directory.users:
        raise CredentialsError(
            f"{address} is not in the directory; write the full SIP address, e.g. alice@{deployment.realm}"
        )
    if len(password) < MINIMUM_LENGTH:
        raise CredentialsError(f"the password is too short: use {MINIMUM_LENGTH} characters or more")
    if any(unicodedata.category(character) == "Cc" for character in password):
        raise CredentialsError("the password has control characters; no phone could send it")
    path = location(deployment)
    _password(create=True)
    existing = load(deployment) if path.exists() else Credentials(deployment.realm, {}, {})
    users = {**existing.users, address: digest(address, deployment.realm, password)}
    shared, _ = _complete(existing.secrets)
    _write(path, Credentials(deployment.realm, users, shared))
    passwords_file = _accounts_file(deployment)
    if passwords_file.exists() and address in (passwords := _accounts(passwords_file)):
        _write_document(passwords_file, {"schema": 1, "accounts": {**passwords, address: password}})
    return path


def _complete(existing: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """All secrets, and the names of the new ones."""
    added = [name for name in SECRETS if name not in existing]
    fresh = {name: _fresh(name) for name in added}
    return dict(sorted({**existing, **fresh}.items())), added


def _fresh(name: str) -> str:
    if name.startswith("postgresql."):
        return random.token_hex(24)  # stands in connection URLs, where base64's characters would need quoting
    return base64.b64encode(random.token_bytes(32)).decode()


def put_digests(deployment: Deployment, digests: dict[str, Digest], gone: Collection[str] = ()) -> bool:
    """Keep digests that were taken from a directory; whether anything changed.

    Args:
        deployment: Whose they are.
        digests: By SIP address.
        gone: Addresses whose digest the directory no longer has.

    Raises:
        CredentialsError: what exists cannot be read.
    """
    path = location(deployment)
    _password(create=True)
    existing = load(deployment) if path.exists() else Credentials(deployment.realm, {}, {})
    users = {**{a: one for a, one in existing.users.items() if a not in gone}, **digests}
    if users == existing.users:
        return False
    shared, _ = _complete(existing.secrets)
    _write(path, Credentials(deployment.realm, users, shared))
    return True


def state() -> Path:
    """`.edgewright/` of this clone of the project (`EDGEWRIGHT_ROOT` names another)."""
    given = os.environ.get("EDGEWRIGHT_ROOT")
    return (Path(given) if given else Path(__file__).parents[2]).resolve() / ".edgewright"


def _accounts_file(deployment: Deployment) -> Path:
    own = deployment.folder / "accounts.yml"
    return own if own.exists() else state_folder(deployment) / "accounts.yml"


def password_file() -> Path:
    """The file with the vault's password."""
    given = os.environ.get(PASSWORD_FILE)
    return Path(given).expanduser() if given else state() / "vault-password"


def vault_password() -> bytes:
    """The vault's password, made if this clone has none yet: it also encrypts keys that we keep.

    Raises:
        CredentialsError: it is named by the environment, but is not there.
    """
    return _password(create=True)


def _password(*, create: bool = False) -> bytes:
    """The vault's password; as with Ansible, an executable file is run and its output taken."""
    path = password_file()
    if not path.exists():
        if not create or os.environ.get(PASSWORD_FILE):
            raise CredentialsError(
                f"{path}: the vault password file is missing; put it back, or name it in {PASSWORD_FILE}"
            )
        write_private(path, random.token_urlsafe(32) + "\n")
    if os.access(path, os.X_OK):
        ran = subprocess.run([path.resolve()], check=False, capture_output=True)
        if ran.returncode:
            raise CredentialsError(
                f"{path}: ended with {ran.returncode}: {ran.stderr.decode(errors='replace').strip()}"
            )
        password = ran.stdout.strip()
    else:
        password = path.read_bytes().strip()
    if not password:
        raise CredentialsError(f"{path}: the vault password is empty")
    return password


def _document(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read: {error.strerror}") from None
    if not vault.encrypted(text):
        raise CredentialsError(f"{path}: is not encrypted; run `ansible-vault encrypt {path}`")
    try:
        plain = vault.decrypt(text, _password())
    except vault.VaultError as error:
        raise CredentialsError(f"{path}: {error}") from None
    try:
        found = json.loads(plain)
    except ValueError:
        try:
            found = yaml.load(plain, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        except yaml.YAMLError:
            raise CredentialsError(f"{path}: is not YAML inside; see it with `ansible-vault edit`") from None
    if not isinstance(found, dict) or found.get("schema") != 1:
        raise CredentialsError(f"{path}: should have `schema: 1` inside; see it with `ansible-vault edit`")
    return found


def _parse(path: Path) -> Credentials:
    found = _document(path)
    try:
        return Credentials(
            realm=str(found["realm"]),
            users={str(a): Digest(str(d["md5"]), str(d["sha256"])) for a, d in found["users"].items()},
            secrets={str(name): str(value) for name, value in found["secrets"].items()},
        )
    except (KeyError, TypeError, AttributeError):
        raise CredentialsError(
            f"{path}: should have realm, users (address: md5, sha256) and secrets inside; "
            "see it with `ansible-vault edit`"
        ) from None


def _accounts(path: Path) -> dict[str, str]:
    found = _document(path).get("accounts")
    if not isinstance(found, dict):
        raise CredentialsError(f"{path}: should have `accounts` (address: password) inside")
    return {str(address): str(password) for address, password in found.items()}


def _write(path: Path, credentials: Credentials) -> None:
    _write_document(
        path,
        {
            "schema": 1,
            "realm": credentials.realm,
            "users": {a: {"md5": d.md5, "sha256": d.sha256} for a, d in sorted(credentials.users.items())},
            "secrets": dict(sorted(credentials.secrets.items())),
        },
    )


def _write_document(path: Path, content: dict[str, Any]) -> None:
    # JSON is YAML, and is written and read a hundred times faster.
    write_private(path, vault.encrypt(json.dumps(content, indent=1, ensure_ascii=False) + "\n", _password()))

"""Reading the directory that `ldap.yml` names; the last good one stays in force while none can be read.

Only `refresh` asks a server, and only the command line calls it; `load` takes the last good directory, which
is in `.edgewright/<deployment>/directory.json` and holds no password and no digest. Digests go into the
credentials. The password for `bind` is one line in the file that `EDGEWRIGHT_LDAP_PASSWORD_FILE` names, else
in `.edgewright/ldap-password`.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.core.tls import Tls

from edgewright.model import credentials
from edgewright.model.checks import examine
from edgewright.model.deployment import Deployment
from edgewright.model.directory import Directory
from edgewright.model.files import write_private
from edgewright.model.findings import Finding, InputErrors
from edgewright.model.ldap import Attributes, LdapDirectory, Read, understand
from edgewright.model.load import attempt, imported, imported_file

PASSWORD_FILE = "EDGEWRIGHT_LDAP_PASSWORD_FILE"  # noqa: S105  (the name of a variable)
FILE = "ldap.yml"
PAGE = 1000
SMALL_LOSS = 5
"""This many users (or members of groups) may always go; per cents of few mean nothing."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class LdapDownError(Exception):
    """No server could be asked, or none let us in; the last good directory stays in force."""


class LossError(LdapDownError):
    """So much is gone that the answer is taken for a broken one; the last good directory stays in force."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a reading brought, against the last good one."""

    users: int
    groups: int
    added: int
    removed: int
    changed: int
    digests: int


def used(folder: Path) -> bool:
    """Whether a deployment has such a source."""
    return (folder / FILE).exists()


def last_good(folder: Path) -> str:
    """When the directory in force was read (ISO 8601); empty if never."""
    folder = folder.resolve()
    return str(_kept(folder).get("read", "")) if imported(folder) else ""


def refresh(folder: Path, *, accept_loss: bool = False) -> Refreshed:
    """Read the directory anew; it is in force from now on if nothing is wrong with it.

    Args:
        folder: The deployment's folder.
        accept_loss: Take it also where more is gone than `largest_loss`.

    Raises:
        LdapDownError: it could not be read, or (LossError) not believed.
        InputErrors: `ldap.yml` is wrong, or what was read is; nothing was changed.
        CredentialsError: digests were read and could not be kept.
    """
    folder = folder.resolve()
    source = _source(folder)
    found = _read(folder, source)
    fresh = found.directory
    deployment = _whole(folder, source, found, fresh)
    document = _kept(folder)
    old = imported(folder) or Directory()
    if not accept_loss and (lost := _loss(source, old, fresh)):
        raise LossError(lost)
    # Credentials first: interrupted in between, the next reading does both again.
    gone = set(document.get("digests", ())) - found.digests.keys()
    if found.digests or gone:
        credentials.put_digests(deployment, found.digests, gone)
    document = {
        "schema": 1,
        "read": datetime.now(UTC).isoformat(timespec="seconds"),
        "directory": fresh.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "digests": sorted(found.digests),
    }
    write_private(imported_file(folder), json.dumps(document, ensure_ascii=False) + "\n")
    both = old.users.keys() & fresh.users.keys()
    return Refreshed(
        users=len(fresh.users),
        groups=len(fresh.groups),
        added=len(fresh.users.keys() - old.users.keys()),
        removed=len(old.users.keys() - fresh.users.keys()),
        changed=sum(old.users[address] != fresh.users[address] for address in both),
        digests=len(found.digests),
    )


def _kept(folder: Path) -> dict[str, Any]:
    """What the last good reading left; empty if there was none."""
    try:
        document = json.loads(imported_file(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _whole(folder: Path, source: LdapDirectory, found: Read, fresh: Directory) -> Deployment:
    """The deployment with what was read.

    Raises:
        InputErrors: an entry is wrong, or does not fit the deployment, or there is nobody.
    """
    path = folder / FILE
    wrong = list(found.wrong)
    if not wrong and not found.users:
        wrong.append("the filter finds no user at all; correct users.base or users.filter")
    elif not wrong and not any(user.enabled for user in found.users.values()):
        named = " and ".join(name for name in (source.users.enabled, source.users.account_control) if name)
        wrong.append(
            f"none of the {len(found.users)} users found is enabled; may {named} be read? "
            "Set users.enabled or users.account_control to null where there is no such attribute"
        )
    if wrong:
        raise InputErrors([Finding(path, 1, sentence) for sentence in wrong])
    deployment, findings = attempt(folder, fresh)
    if deployment is not None:
        findings = [*findings, *examine(deployment)]
    if findings or deployment is None:
        raise InputErrors(findings)
    return deployment


def _loss(source: LdapDirectory, old: Directory, fresh: Directory) -> str:
    """A sentence where a reading takes away more than is believed; a half answer must sign nobody out.

    Members of groups count as users do: without them, grants would be gone.
    """
    enabled = [{a for a, user in each.users.items() if user.enabled} for each in (old, fresh)]
    members = [{(g, m) for g, those in each.groups.items() for m in those} for each in (old, fresh)]
    for what, (before, now) in (("enabled users", enabled), ("members of groups", members)):
        lost = len(before - now)
        if lost > max(SMALL_LOSS, len(before) * source.largest_loss // 100):
            limit = f"more than largest_loss ({source.largest_loss} %)"
            return (
                f"the directory's answer is not believed: {lost} of {len(before)} {what} are gone, {limit}; "
                "if that is right: `edgewright directory --accept-loss`"
            )
    return ""


def _source(folder: Path) -> LdapDirectory:
    """`ldap.yml`, checked.

    Raises:
        InputErrors: it is wrong, or another file is.
    """
    deployment, findings = attempt(folder, Directory())
    document = deployment.documents.get(FILE) if deployment else None
    if document is None:
        raise InputErrors(findings or [Finding(folder / FILE, 1, "is missing")])
    return LdapDirectory.model_validate(document.data)


def _read(folder: Path, source: LdapDirectory) -> Read:
    why = []
    for url in source.servers:
        try:
            with _connected(folder, source, url) as connection:
                users = list(
                    _entries(connection, source.users.base, source.users.filter, source.users.attributes())
                )
                groups = source.groups
                lists = (
                    list(_entries(connection, groups.base, groups.filter, [groups.name, groups.member]))
                    if groups
                    else []
                )
        except (LDAPException, OSError) as error:
            why.append(f"{url}: {error}")
        else:
            return understand(source, users, lists)
    raise LdapDownError(f"the directory cannot be read ({'; '.join(why)})")


def _connected(folder: Path, source: LdapDirectory, url: str) -> Any:
    """A connection that is signed in and reads only.

    Raises:
        LDAPException: refused, or no encryption.
    """
    parts = urlsplit(url)
    trust = str(folder / source.trust) if source.trust else None
    tls = Tls(validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=trust)
    secure = parts.scheme == "ldaps"
    server = ldap3.Server(
        parts.hostname,
        port=parts.port or (636 if secure else 389),
        use_ssl=secure,
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=source.timeout,
    )
    start = not secure and parts.hostname not in _LOOPBACK
    return ldap3.Connection(
        server,
        user=source.bind,
        password=_password() if source.bind else None,
        auto_bind=ldap3.AUTO_BIND_TLS_BEFORE_BIND if start else ldap3.AUTO_BIND_NO_TLS,
        read_only=True,
        raise_exceptions=True,
        receive_timeout=source.timeout,
        check_names=False,
        auto_referrals=False,  # our password is for the servers that were named
    )


def _password() -> str:
    given = os.environ.get(PASSWORD_FILE)
    path = Path(given).expanduser() if given else credentials.state() / "ldap-password"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LdapDownError(f"{path}: the password for `bind` cannot be read: {error.strerror}") from None


def _entries(
    connection: Any, base: str, filter_: str, attributes: list[str]
) -> Iterator[tuple[str, Attributes]]:
    """All entries, page by page (RFC 2696)."""
    pages = connection.extend.standard.paged_search(
        base, filter_, search_scope=ldap3.SUBTREE, attributes=attributes, paged_size=PAGE, generator=True
    )
    for entry in pages:
        if entry.get("type") == "searchResEntry":
            yield (
                entry["dn"],
                {name.lower(): list(values) for name, values in entry["raw_attributes"].items()},
            )

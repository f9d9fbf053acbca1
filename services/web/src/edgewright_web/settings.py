"""What the role wrote for this host: `/etc/edgewright/web/settings.json` and the nonce secret."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Site = Literal["external", "internal"]
"""Which listener a request came through; never taken from a header."""


@dataclass(frozen=True, slots=True)
class Access:
    """A SIP entrance: name and TCP port."""

    fqdn: str
    port: int


@dataclass(frozen=True, slots=True)
class Home:
    """A Front End pool as its users need it; what does not exist is None."""

    pool: str
    sip_internal: Access
    sip_external: dict[str, Access]
    """By SIP domain."""
    web_internal: str | None
    web_external: str | None


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Files between two people: where they lie, what their addresses begin with, how much for how long."""

    folder: Path
    base: str
    quota_mb: int
    user_quota_mb: int
    days: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that follows from the topology; users and policies are in the tables."""

    organization: str
    realm: str
    domains: tuple[str, ...]
    pool: str
    database: dict[str, str] | None
    """Where the documents of the pool's users are (libpq's parameters); None: it homes nobody."""
    web: dict[Site, str]
    """This pool's own web FQDN per site, for links."""
    homes: dict[str, Home]
    tables: Path
    nonce_secret: bytes
    files: FileSettings | None
    """None on Directors: files lie in home pools."""


def _home(value: dict[str, Any]) -> Home:
    return Home(
        pool=value["pool"],
        sip_internal=Access(**value["sip_internal"]),
        sip_external={domain: Access(**access) for domain, access in value["sip_external"].items()},
        web_internal=value["web_internal"],
        web_external=value["web_external"],
    )


def load(path: Path, nonce_secret: Path) -> Settings:
    """Read the settings and the pool's nonce secret (base64, at least 32 bytes).

    Raises:
        OSError, ValueError, KeyError: unreadable or not what the role writes; the daemon must not start.
    """
    document = json.loads(path.read_text())
    secret = base64.b64decode(nonce_secret.read_text().strip(), validate=True)
    if len(secret) < 32:
        raise ValueError("the nonce secret is shorter than 32 bytes")
    return Settings(
        organization=document["organization"],
        realm=document["realm"],
        domains=tuple(document["domains"]),
        pool=document["pool"],
        database=document["database"],
        web=document["web"],
        homes={home["pool"]: _home(home) for home in document["homes"]},
        tables=Path(document["tables"]),
        nonce_secret=secret,
        files=_files(document["files"]),
    )


def _files(value: dict[str, Any] | None) -> FileSettings | None:
    return FileSettings(**(value | {"folder": Path(value["folder"])})) if value else None

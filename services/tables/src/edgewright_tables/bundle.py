"""The bundle: what the controller hands over. Its checksums are the identity of tables everywhere.

    {"schema": 1, "checksum": "<hex>", "tables": {"<name>": {"<key>": "<value>", ...}, ...}}

`checksum` covers every table; a table's own digest covers its rows. Both are SHA-256 over canonical JSON
(keys sorted, no spaces, UTF-8), so equal content has equal checksums, whoever computes them.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

SCHEMA = 1
Rows = dict[str, str]

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,30}$")
_RESERVED = {"meta", "version"}


class BundleError(Exception):
    """The bundle cannot be used; nothing was changed."""


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest(rows: Rows) -> str:
    """Digest of one table."""
    return _sha256(rows)


def checksum(digests: dict[str, str]) -> str:
    """Checksum of all tables, from their digests."""
    return _sha256(digests)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Validated tables and their identity."""

    tables: dict[str, Rows]
    digests: dict[str, str]
    checksum: str


def make(tables: dict[str, Rows]) -> Bundle:
    """A bundle of tables that are known to be well formed."""
    digests = {name: digest(rows) for name, rows in sorted(tables.items())}
    return Bundle(tables, digests, checksum(digests))


def parse(data: bytes) -> Bundle:
    """Read and validate a bundle.

    Raises:
        BundleError: not JSON, another schema version, a malformed table, or a checksum that does not fit.
    """
    try:
        document = json.loads(data)
    except ValueError as error:
        raise BundleError(f"the bundle is not JSON: {error}") from None
    if not isinstance(document, dict) or set(document) != {"schema", "checksum", "tables"}:
        raise BundleError("the bundle should have exactly schema, checksum and tables")
    if document["schema"] != SCHEMA:
        raise BundleError(
            f"schema {document['schema']!r} is not known here; this program reads schema {SCHEMA}"
        )
    tables = document["tables"]
    if not isinstance(tables, dict):
        raise BundleError("tables should be an object of tables by name")
    for name, rows in tables.items():
        _check(name, rows)
    made = make(tables)
    if made.checksum != document["checksum"]:
        raise BundleError("the checksum does not fit the tables: the bundle was damaged or cut short")
    return made


def _check(name: str, rows: Any) -> None:
    if not _NAME.match(name) or name in _RESERVED:
        raise BundleError(f"{name!r} cannot be the name of a table: small letters, digits and _, at most 31")
    if not isinstance(rows, dict):
        raise BundleError(f"table {name} should be an object of values by key")
    for key, value in rows.items():
        if not key or not isinstance(value, str) or "\0" in key or "\0" in value:
            raise BundleError(f"table {name}: keys are non-empty text and values text, without NUL")

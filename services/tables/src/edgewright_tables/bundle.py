"""The bundle: what the controller hands over. Its checksums are the identity of tables everywhere.

    {"schema": 1, "checksum": "<hex>", "tables": {"<name>": {"<key>": "<value>", ...}, ...}}

`checksum` covers every table; a table's own digest covers its rows. Both are SHA-256 over canonical JSON
(keys sorted, no spaces, UTF-8), so equal content has equal checksums, whoever computes them.

Where only some rows differ, `changes` says which, against the tables whose checksum is `base`; a table
without changes is named with none. `checksum` is that of the outcome, so a difference that does not fit is
noticed:

    {"schema": 1, "checksum": "<hex>", "base": "<hex>", "tables": {...whole ones...},
     "changes": {"<name>": {"set": {"<key>": "<value>", ...}, "remove": ["<key>", ...]}, ...}}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
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


def document(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, of a schema that is known here.

    Raises:
        BundleError: it is none.
    """
    try:
        found = json.loads(data)
    except ValueError as error:
        raise BundleError(f"the bundle is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BundleError("the bundle should be an object")
    if "schema" in found and found["schema"] != SCHEMA:
        raise BundleError(f"schema {found['schema']!r} is not known here; this program reads schema {SCHEMA}")
    return found


def parse(data: bytes, base: Callable[[str], dict[str, Rows]] | None = None) -> Bundle:
    """Read and validate a bundle; `base` gives the tables that a difference starts from, by their checksum.

    Raises:
        BundleError: not JSON, another schema version, a malformed table, or a checksum that does not fit.
    """
    found = document(data)
    keys = {"schema", "checksum", "tables"}
    differs = set(found) == keys | {"base", "changes"} and base is not None
    if set(found) != keys and not differs:
        raise BundleError("the bundle should have exactly schema, checksum and tables")
    tables = found["tables"]
    if not isinstance(tables, dict):
        raise BundleError("tables should be an object of tables by name")
    for name, rows in tables.items():
        _check(name, rows)
    if differs and base is not None:
        tables = {**tables, **_changed(base(str(found["base"])), found["changes"])}
    made = make(tables)
    if made.checksum != found["checksum"]:
        raise BundleError("the checksum does not fit the tables: the bundle was damaged or cut short")
    return made


def _changed(base: dict[str, Rows], changes: Any) -> dict[str, Rows]:
    """The tables of `base` that `changes` names, with these changes."""
    if not isinstance(changes, dict):
        raise BundleError("changes should be an object by name of table")
    made: dict[str, Rows] = {}
    for name, change in changes.items():
        if not isinstance(change, dict) or set(change) != {"set", "remove"}:
            raise BundleError(f"changes of table {name} should have exactly set and remove")
        _check(name, change["set"])
        if not isinstance(change["remove"], list) or name not in base:
            raise BundleError(f"there is no table {name} that could be changed")
        gone = set(change["remove"])
        made[name] = {key: value for key, value in base[name].items() if key not in gone} | change["set"]
    return made


def _check(name: str, rows: Any) -> None:
    if not _NAME.match(name) or name in _RESERVED:
        raise BundleError(f"{name!r} cannot be the name of a table: small letters, digits and _, at most 31")
    if not isinstance(rows, dict):
        raise BundleError(f"table {name} should be an object of values by key")
    for key, value in rows.items():
        if not key or not isinstance(value, str) or "\0" in key or "\0" in value:
            raise BundleError(f"table {name}: keys are non-empty text and values text, without NUL")

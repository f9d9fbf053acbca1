"""The tables on disk: one SQLite file, replaced as a whole by rename: a reader sees the old or the new ones.

Each table has the layout that Kamailio's htable module loads (key_name, key_type, value_type, key_value,
expires); `meta` holds schema version, checksum and the digest of each table.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgewright_tables.bundle import SCHEMA, Bundle, Rows, make

_TABLE = (
    'CREATE TABLE "{}" (id INTEGER PRIMARY KEY AUTOINCREMENT, key_name TEXT NOT NULL UNIQUE, '
    "key_type INTEGER NOT NULL DEFAULT 0, value_type INTEGER NOT NULL DEFAULT 0, "
    "key_value TEXT NOT NULL DEFAULT '', expires INTEGER NOT NULL DEFAULT 0)"
)


class StoreError(Exception):
    """The tables could not be written or read; those in use are as they were."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file of tables says of itself."""

    checksum: str
    digests: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def _opened(path: Path, *, readonly: bool) -> Iterator[sqlite3.Connection]:
    mode = "ro" if readonly else "rwc"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def identity(path: Path) -> Identity | None:
    """What is in a file of tables; None where there is none, or none that can be read."""
    if not path.exists():
        return None
    try:
        with _opened(path, readonly=True) as database:
            meta = dict(database.execute("SELECT name, value FROM meta"))
    except sqlite3.Error:
        return None
    if meta.get("schema") != str(SCHEMA) or "checksum" not in meta:
        return None
    digests = {
        name.removeprefix("table:"): value for name, value in meta.items() if name.startswith("table:")
    }
    return Identity(meta["checksum"], digests)


def read(path: Path) -> dict[str, Rows]:
    """All tables of a file.

    Raises:
        StoreError: the file is damaged.
    """
    found = identity(path)
    if found is None:
        return {}
    try:
        with _opened(path, readonly=True) as database:
            return {
                name: dict(database.execute(f'SELECT key_name, key_value FROM "{name}"'))  # noqa: S608
                for name in found.digests
            }
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None


def rows(path: Path, table: str) -> Rows:
    """One table of a file; empty where there is none.

    Raises:
        StoreError: the file is damaged.
    """
    found = identity(path)
    if found is None or table not in found.digests:
        return {}
    try:
        with _opened(path, readonly=True) as database:
            return dict(database.execute(f'SELECT key_name, key_value FROM "{table}"'))  # noqa: S608
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None


def changes(old: Path, new: Path, table: str) -> dict[str, tuple[str | None, str | None]]:
    """Rows of one table that differ between two files: key -> value before and after, None: none.

    Raises:
        StoreError: a file is damaged.
    """
    before, after = rows(old, table), rows(new, table)
    return {
        key: (before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def write(path: Path, bundle: Bundle, group: int) -> None:
    """Write a bundle to `path` (readable by `group` too), whole or not at all.

    Raises:
        StoreError: no space, no permission; `path` is as it was.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with _opened(beside, readonly=False) as database:
            _fill(database, bundle)
        os.chown(beside, -1, group)
        beside.chmod(0o640)
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written ({error}); the tables in use are as they were") from None


def _fill(database: sqlite3.Connection, bundle: Bundle) -> None:
    # No journal beside the new file: nobody reads it before it is complete, and a torn one is thrown away.
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    for name, rows in bundle.tables.items():
        database.execute(_TABLE.format(name))
        database.executemany(
            f'INSERT INTO "{name}" (key_name, key_value) VALUES (?, ?)',  # noqa: S608
            sorted(rows.items()),
        )
    meta = {"schema": str(SCHEMA), "checksum": bundle.checksum}
    meta |= {f"table:{name}": digest for name, digest in bundle.digests.items()}
    database.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
    database.execute("COMMIT")


def ensure(path: Path, names: frozenset[str], group: int) -> bool:
    """Add empty tables that are missing in a file, or make the file; True if anything was done."""
    present = identity(path)
    if present is not None and names <= set(present.digests):
        return False
    tables = {**{name: {} for name in sorted(names)}, **read(path)}
    write(path, make(tables), group)
    return True


def keep(path: Path, as_: Path) -> None:
    """Let `as_` be the file that `path` now is."""
    beside = as_.with_name(f".{as_.name}.new")
    beside.unlink(missing_ok=True)
    os.link(path, beside)
    beside.replace(as_)


def switch(new: Path, path: Path) -> None:
    """Let `new` take the place of `path`, lastingly."""
    new.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

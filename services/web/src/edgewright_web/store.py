"""Files between two people (M17), kept until they expire: who may keep how much, and where they lie.

Each file has a name that nobody can guess (`token`, 256 bits); on disk and in the index it is called by that
name's SHA-256, so that neither tells a token. Both sites, two processes, share one folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

TOKEN = re.compile(r"[0-9a-f]{64}")

_TABLE = """CREATE TABLE IF NOT EXISTS files (
    key TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, size INTEGER NOT NULL,
    until INTEGER NOT NULL, whole INTEGER NOT NULL)"""
_USED = """SELECT coalesce(sum(size), 0), coalesce(sum(size) FILTER (WHERE owner = ?), 0) FROM files"""


class FullError(Exception):
    """There is no room: the owner's share (`mine`) or the whole store is used up."""

    def __init__(self, *, mine: bool) -> None:
        super().__init__("the owner's share" if mine else "the store")
        self.mine = mine


@dataclass(frozen=True, slots=True)
class Stored:
    """A file: `until` is when it goes, in seconds since 1970."""

    name: str
    type: str
    size: int
    until: int
    path: Path


@dataclass(frozen=True, slots=True)
class Store:
    """The folder; sizes in bytes, `seconds`: how long a file stays."""

    folder: Path
    quota: int
    share: int
    seconds: int
    clock: Callable[[], float] = time.time

    @contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.folder / "files.sqlite", timeout=5, isolation_level=None)) as index:
            index.execute("PRAGMA journal_mode = WAL")
            index.execute(_TABLE)
            yield index

    def path(self, key: str) -> Path:
        """Where the bytes of a file are."""
        return self.folder / f"{key}.bin"

    def reserve(self, owner: str, most: int) -> str:
        """Room for one file of up to `most` bytes; its token.

        Raises:
            FullError: there is none.
        """
        self.expire()
        token = secrets.token_hex(32)
        # What is still being sent goes after an hour, should nobody finish it.
        row = (_key(token), owner, "", "", most, int(self.clock()) + 3600, 0)
        with self._index() as index:
            index.execute("BEGIN IMMEDIATE")
            used, mine = index.execute(_USED, (owner,)).fetchone()
            room = mine + most <= self.share and used + most <= self.quota
            if room:
                index.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            index.execute("COMMIT")
        if not room:
            raise FullError(mine=mine + most > self.share)
        return token

    def write(self, token: str) -> int:
        """A descriptor to write the bytes to, anew."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.path(_key(token)), flags, 0o600)

    def keep(self, token: str, name: str, kind: str, size: int) -> Stored:
        """The bytes are all there: from now on it can be fetched."""
        until = int(self.clock()) + self.seconds
        with self._index() as index:
            index.execute(
                "UPDATE files SET name = ?, type = ?, size = ?, until = ?, whole = 1 WHERE key = ?",
                (name, kind, size, until, _key(token)),
            )
        return Stored(name, kind, size, until, self.path(_key(token)))

    def drop(self, token: str) -> None:
        """Nothing of it stays."""
        with self._index() as index:
            index.execute("DELETE FROM files WHERE key = ?", (_key(token),))
        self.path(_key(token)).unlink(missing_ok=True)

    def find(self, token: str) -> Stored | None:
        """The file of that name, if it is whole and has not expired."""
        if not TOKEN.fullmatch(token):
            return None
        key = _key(token)
        with self._index() as index:
            row = index.execute(
                "SELECT name, type, size, until FROM files WHERE key = ? AND whole = 1 AND until > ?",
                (key, int(self.clock())),
            ).fetchone()
        if row is None:
            return None
        name, kind, size, until = row
        return Stored(name, kind, size, until, self.path(key))

    def expire(self) -> int:
        """Remove what has expired, and bytes that no row knows; how many went."""
        with self._index() as index:
            gone = index.execute(
                "DELETE FROM files WHERE until <= ? RETURNING key", (int(self.clock()),)
            ).fetchall()
            known = {key for (key,) in index.execute("SELECT key FROM files")}
        stray = [path for path in self.folder.glob("*.bin") if path.stem not in known]
        for path in stray:
            path.unlink(missing_ok=True)
        return max(len(gone), len(stray))


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

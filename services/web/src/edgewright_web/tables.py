"""Users and policies, read from what `edgewright-tables` committed.

Each question opens the file anew (0.1 ms), so that a new commit counts at once, whether the file was changed
in place or replaced. Kamailio's htable layout: one SQL table each, `key_name` and `key_value`.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote


class TablesError(Exception):
    """No tables were committed yet, or they cannot be read: nobody is let in, nobody refused for cause."""


@dataclass(frozen=True, slots=True)
class User:
    """One row of `web_user`: `policy` has the effective settings by their Lync name in snake_case."""

    address: str
    name: str
    home: str
    enabled: bool
    digests: dict[str, str]
    """HA1 in lower-case hexadecimal by algorithm (RFC 7616 section 3.4.2)."""
    policy: dict[str, Any]

    def allows(self, setting: str) -> bool:
        """An effective setting; what is not said is not allowed."""
        return self.policy.get(setting) is True

    def number(self, setting: str) -> int:
        """An effective setting that counts; what is not said is nothing."""
        value = self.policy.get(setting)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0


@dataclass(frozen=True, slots=True)
class Tables:
    """The committed tables at `path`."""

    path: Path

    def _rows(self, statement: str, *parameters: str) -> list[tuple[str, str]]:
        try:
            uri = f"file:{quote(str(self.path))}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=2)) as database:
                return database.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise TablesError(str(error)) from error

    def user(self, address: str) -> User | None:
        """The user with this full SIP address, or None."""
        rows = self._rows("SELECT key_name, key_value FROM web_user WHERE key_name = ?", address)
        if not rows:
            return None
        value = json.loads(rows[0][1])
        digests = {"MD5": value["md5"], "SHA-256": value["sha256"]}
        return User(address, value["name"], value["home"], value["enabled"], digests, value["policy"])

    def outside_users(self) -> bool:
        """The organisation's switch AllowOutsideUsers (section 8.2); not said is not allowed."""
        statement = "SELECT key_name, key_value FROM web_setting WHERE key_name = ?"
        rows = self._rows(statement, "allow_outside_users")
        return bool(rows) and rows[0][1] == "1"

    def check(self) -> None:
        """Ask the tables that every request needs.

        Raises:
            TablesError: they cannot be read.
        """
        self.outside_users()
        self._rows("SELECT key_name, key_value FROM web_user LIMIT 1")

"""Tables of a small organisation, written in the layout of `edgewright-tables`."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

REALM = "contoso.example"
PASSWORD = "correct horse"
EVERYTHING = {
    "enable_outside_access": True,
    "enable_federation_access": True,
    "enable_mobility": True,
    "allow_anonymous_participants_in_meetings": True,
    "enable_p2p_file_transfer": True,
    "max_file_size_mb": 1,
}


def user_row(address: str, name: str = "", *, enabled: bool = True, **policy: bool) -> str:
    """A value of `web_user`."""
    text = f"{address.partition('@')[0]}:{REALM}:{PASSWORD}".encode()
    return json.dumps(
        {
            "name": name,
            "home": "fe.inside.contoso.example",
            "enabled": enabled,
            "md5": hashlib.md5(text).hexdigest(),
            "sha256": hashlib.sha256(text).hexdigest(),
            "policy": {**EVERYTHING, **policy},
        }
    )


USERS = {
    "alice@contoso.example": user_row("alice@contoso.example", "Alice <Adams>"),
    "carol@contoso.example": user_row("carol@contoso.example", "Carol Chen", enable_outside_access=False),
    "gina@contoso.example": user_row("gina@contoso.example", "Gina Gray", enabled=False),
    "hans@second.example": user_row("hans@second.example", "Hans Hase"),
}


def write_tables(path: Path, users: dict[str, str], *, outside_users: bool = True) -> None:
    """Write tables as `edgewright-tables` does: a new file in the place of the old one."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with sqlite3.connect(beside) as database:
        for table in ("web_user", "web_setting"):
            database.execute(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, key_name TEXT NOT NULL UNIQUE, "
                "key_type INTEGER NOT NULL DEFAULT 0, value_type INTEGER NOT NULL DEFAULT 0, "
                "key_value TEXT NOT NULL DEFAULT '', expires INTEGER NOT NULL DEFAULT 0)"
            )
        database.executemany("INSERT INTO web_user (key_name, key_value) VALUES (?, ?)", users.items())
        settings = {"allow_outside_users": "1" if outside_users else "0"}
        database.executemany("INSERT INTO web_setting (key_name, key_value) VALUES (?, ?)", settings.items())
    database.close()
    beside.replace(path)

"""The role's policy tables, changed as `edgewright-tables` changes single rows of them, and put back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "services" / "tables" / "src"))

from edgewright_tables import bundle, rpc, store

Rows = Mapping[str, str]


class Tables:
    """Tables in force.

    Args:
        control: Kamailio's control socket.
        rows: What is in them, by table; tests find it again.
    """

    def __init__(self, control: Path, rows: Mapping[str, Rows]) -> None:
        self._control, self._rows = control, rows
        self._changed: set[tuple[str, str]] = set()

    def rpc(self, method: str, *arguments: str | int) -> list[Any]:
        """Any remote procedure call of Kamailio, e.g. `rpc("htable.dump", "domains")`."""
        with rpc.connected(self._control) as kamailio:
            return kamailio.call(method, *arguments)

    def get(self, table: str, key: str) -> str:
        """A row as the deployment has it."""
        return self._rows[table][key]

    def set(self, table: str, key: str, value: str) -> None:
        """A row gets another value, or comes to be, until the test ends."""
        assert table in self._rows, f"no table {table}; there are {sorted(self._rows)}"
        self._changed.add((table, key))
        self.rpc("htable.sets", table, key, value)

    def change(self, table: str, key: str, **columns: str) -> None:
        """Some columns of a row get other values, until the test ends."""
        row = dict(part.partition("=")[::2] for part in self._rows[table][key].split(";"))
        self.set(table, key, ";".join(f"{name}={value}" for name, value in (row | columns).items()))

    def remove(self, table: str, key: str) -> None:
        """A row is not there, until the test ends."""
        self._changed.add((table, key))
        self.rpc("htable.delete", table, key)

    def reset(self) -> None:
        """Rows as they were; what Kamailio learned by itself (tables that are not ours) is forgotten."""
        for table, key in self._changed:
            if key in self._rows[table]:
                self.rpc("htable.sets", table, key, self._rows[table][key])
            else:
                self.rpc("htable.delete", table, key)
        self._changed.clear()
        for found in self.rpc("htable.listTables"):
            if isinstance(found, dict) and found.get("name") not in self._rows:
                self.rpc("htable.flush", str(found["name"]))


def file(folder: Path, rows: Mapping[str, Rows], declared: set[str]) -> bytes:
    """The file of tables that a commit of these leaves; a declared table that is missing is empty."""
    complete = {name: dict(values) for name, values in rows.items()}
    complete |= {name: {} for name in declared - set(rows)}
    path = folder / "tables.sqlite"
    store.write(path, bundle.make(complete), -1)
    return path.read_bytes()

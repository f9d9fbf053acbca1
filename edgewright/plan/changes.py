"""What of a table must travel to a host that has an older one (the host's half: services/tables, `compare`).

Both sides sum rows up in buckets; the host tells digests of its rows in the buckets that differ; then only
rows that are new, changed or gone are sent. What this misses is found by the checksum of the outcome.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgewright.plan import tables
from edgewright.plan.tables import Table

ROWS_PER_BUCKET = 32


@dataclass(frozen=True, slots=True)
class Change:
    """Rows to set and keys to remove."""

    set: Mapping[str, str]
    remove: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows travel."""
        return len(self.set) + len(self.remove)


NOTHING = Change({})


def sums(table: Table) -> list[str]:
    """The sums of a table's buckets: 16 hexadecimal digits each."""
    count = 1 + len(table.rows) // ROWS_PER_BUCKET
    found = [0] * count
    for key, value in table.rows.items():
        found[_bucket(key, count)] ^= _row(key, value)
    return [f"{value:016x}" for value in found]


def difference(table: Table, told: Mapping[str, Any]) -> Change:
    """What a host must change that answered the sums of this table with `told` (`buckets` and `rows`)."""
    count = 1 + len(table.rows) // ROWS_PER_BUCKET
    unequal, rows = set(told["buckets"]), told["rows"]
    return Change(
        {
            key: value
            for key, value in table.rows.items()
            if _bucket(key, count) in unequal and rows.get(key) != f"{_row(key, value):016x}"
        },
        tuple(sorted(rows.keys() - table.rows.keys())),
    )


def bundle(wanted: Mapping[str, Table], base: str, changes: Mapping[str, Change]) -> dict[str, Any]:
    """What `edgewright-tables stage` reads: changes against the tables `base`, the other tables whole."""
    return {
        "schema": tables.SCHEMA,
        "checksum": tables.checksum(wanted),
        "base": base,
        "tables": {name: dict(table.rows) for name, table in wanted.items() if name not in changes},
        "changes": {
            name: {"set": dict(change.set), "remove": list(change.remove)} for name, change in changes.items()
        },
    }


def _row(key: str, value: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{key}\0{value}".encode()).digest()[:8], "big")


def _bucket(key: str, count: int) -> int:
    return zlib.crc32(key.encode()) % count

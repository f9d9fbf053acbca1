"""Which rows differ, without sending them: both sides sum rows up in buckets, then look into unequal ones.

The controller sends, by table, the sums of its buckets (`{"<table>": ["<16 hex digits>", ...]}`). The answer
has, by table, null where most buckets differ (then the whole table is sent), else `{"<key>": "<16 hex
digits>"}` of every row here that is in a bucket which differs. A key's bucket is its CRC-32 modulo their
number; a row's digest is the beginning of the SHA-256 of key, NUL, value; a bucket's sum is the XOR of its
rows'. A difference that this misses is found when the outcome's checksum does not fit.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

from edgewright_tables.bundle import BundleError, Rows

MOST = 0.5
"""Where more buckets than this differ, the rows of large tables are not told one by one."""
LARGE = 1000


def row(key: str, value: str) -> int:
    """A row's digest."""
    return int.from_bytes(hashlib.sha256(f"{key}\0{value}".encode()).digest()[:8], "big")


def bucket(key: str, count: int) -> int:
    """Which bucket a key belongs to."""
    return zlib.crc32(key.encode()) % count


def sums(rows: Rows, count: int) -> list[str]:
    """The sums of all buckets."""
    found = [0] * count
    for key, value in rows.items():
        found[bucket(key, count)] ^= row(key, value)
    return [f"{value:016x}" for value in found]


def differing(rows: Rows, theirs: list[str]) -> dict[str, Any] | None:
    """The buckets that differ and digests of our rows in them; None where most do.

    Raises:
        BundleError: not a list of sums.
    """
    if not isinstance(theirs, list) or not theirs:
        raise BundleError("there should be a list of sums by table")
    count = len(theirs)
    unequal = [n for n, pair in enumerate(zip(sums(rows, count), theirs, strict=True)) if pair[0] != pair[1]]
    if len(unequal) > MOST * count and len(rows) > LARGE:
        return None
    wanted = set(unequal)
    told = {key: f"{row(key, value):016x}" for key, value in rows.items() if bucket(key, count) in wanted}
    return {"buckets": unequal, "rows": told}

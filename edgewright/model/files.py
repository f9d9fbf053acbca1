"""Writing files whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PRIVATE = 0o600


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one step: nobody ever sees half of it, and it has its mode from the first byte on.

    Folders that are missing are made, for a private file private ones.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if mode == PRIVATE else 0o777)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_private(path: Path, text: str) -> None:
    """`write`; only its owner may read it."""
    write(path, text, PRIVATE)

"""Zip applications (PEP 441) of our own small projects (probe, daemons), each for the host's Python.

The same sources give the same bytes, so that a digest tells whether anything changed.
"""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
_IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache"}


def archive(sources: Path) -> bytes:
    """The zip application of a project's `src` folder (with `__main__.py`); everything in it goes in.

    Raises:
        FileNotFoundError: there is no `__main__.py`.
    """
    if not (sources / "__main__.py").is_file():
        raise FileNotFoundError(f"{sources / '__main__.py'}: a zip application starts there")
    files = [
        path
        for path in sources.rglob("*")
        if path.is_file() and not _IGNORED & set(path.parts) and path.suffix != ".pyc"
    ]
    made = io.BytesIO()
    made.write(b"#!/usr/bin/python3 -I\n")
    with zipfile.ZipFile(made, "a", zipfile.ZIP_STORED) as bundle:
        for path in sorted(files, key=lambda item: item.relative_to(sources).as_posix()):
            entry = zipfile.ZipInfo(path.relative_to(sources).as_posix(), _EPOCH)
            entry.external_attr = 0o100644 << 16
            bundle.writestr(entry, path.read_bytes())
    return made.getvalue()


def write(content: bytes, target: Path) -> Path:
    """Put an archive in its place unless it is there already; several may do so at once."""
    if not target.is_file() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        beside.write_bytes(content)
        beside.replace(target)
    return target

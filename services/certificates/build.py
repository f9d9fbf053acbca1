"""Build certificates.pyz: the same bytes from the same sources, so that its hash tells whether it changed."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "src"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def archive() -> bytes:
    """The zip application; entries sorted, times and modes fixed."""
    made = io.BytesIO()
    made.write(b"#!/usr/bin/python3 -I\n")
    with zipfile.ZipFile(made, "a", zipfile.ZIP_STORED) as bundle:
        for path in sorted(SOURCES.rglob("*.py"), key=lambda item: item.relative_to(SOURCES).as_posix()):
            entry = zipfile.ZipInfo(path.relative_to(SOURCES).as_posix(), _EPOCH)
            entry.external_attr = 0o100644 << 16
            bundle.writestr(entry, path.read_bytes())
    return made.getvalue()


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "certificates.pyz").write_bytes(archive())

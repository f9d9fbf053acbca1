"""Certificates that their authorities revoked: from the lists of a file into Kamailio's table `revoked`.

A key is `<common name of the issuer>|<serial number, decimal>`, as the Edge's configuration asks for it; what
was revoked stays so until Kamailio starts anew. OpenSSL reads the lists; whether their signatures are good
was looked at by whoever put them there. A list that cannot be read is an error: nothing of the file is taken.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from edgewright_tables import rpc

TABLE = "revoked"
PATIENCE = 10.0
"""Seconds in which a daemon that is just starting may refuse."""

_LIST = re.compile(r"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_SERIAL = re.compile(r"^\s*Serial Number: ([0-9A-F]+)\s*$", re.MULTILINE)


class RevokedError(Exception):
    """A list cannot be read."""


def keys(text: str) -> list[str]:
    """All that the lists of a PEM file name.

    Raises:
        RevokedError: there is something else in it.
    """
    found = [key for block in _LIST.findall(text) for key in _keys(block)]
    if not found and text.strip() and not _LIST.search(text):
        raise RevokedError("there is no revocation list in the file")
    return found


def _keys(block: str) -> Iterator[str]:
    argv = ["openssl", "crl", "-noout", "-issuer", "-nameopt", "sep_multiline,utf8", "-text"]
    ran = subprocess.run(argv, input=block, check=False, capture_output=True, text=True)
    name = re.search(r"^ *(?:CN|commonName) *= *(.*)$", ran.stdout, re.MULTILINE)
    if ran.returncode or not name:
        raise RevokedError(f"openssl cannot read a revocation list: {ran.stderr.strip()[-200:]}")
    for serial in _SERIAL.findall(ran.stdout):
        yield f"{name[1].strip()}|{int(serial, 16)}"


def tell(path: Path) -> int:
    """Tell Kamailio of the lists in a file, if there is one; how many certificates they name.

    Raises:
        RevokedError: a list cannot be read.
        rpc.RpcError: Kamailio could not be told.
    """
    if not path.exists():
        return 0
    found = keys(path.read_text(encoding="ascii"))
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with rpc.connected() as kamailio:
                kamailio.calls([("htable.sets", TABLE, key, "1") for key in found])
                return len(found)
        except rpc.RpcError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)

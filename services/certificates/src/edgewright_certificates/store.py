"""Slots on the host: `/etc/edgewright/certificates/<slot>/{privkey,cert,chain,fullchain}.pem`."""

from __future__ import annotations

import contextlib
import grp
import os
import shutil
from pathlib import Path
from typing import Any

from edgewright_certificates import pem

FOLDER = Path("/etc/edgewright/certificates")
KEY_MODE = 0o640
PUBLIC_MODE = 0o644


class Store:
    """All slots of this host."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """`folder` is another one in tests."""
        self.folder = folder

    def slots(self) -> list[str]:
        """Names of the slots that are there."""
        return sorted(p.name for p in self.folder.iterdir()) if self.folder.is_dir() else []

    def key(self, slot: str) -> Path:
        """Where the slot's private key lies."""
        return self.folder / slot / "privkey.pem"

    def chain(self, slot: str) -> str | None:
        """The certificate and its issuers; None if there is none."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / slot / "fullchain.pem").read_text(encoding="ascii")
        return None

    def inspect(self, wanted: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """What is there: of each wanted slot its chain, its key's digest, whether its modes are right."""
        return {
            "slots": {
                slot: {
                    "fullchain": self.chain(slot),
                    "key": pem.key_digest(self.key(slot)),
                    "modes": self._modes_right(slot, group(entry["group"], missing=-1)),
                }
                for slot, entry in wanted.items()
            },
            "strangers": [slot for slot in self.slots() if slot not in wanted],
        }

    def _modes_right(self, slot: str, gid: int) -> bool:
        try:
            found = self.key(slot).stat()
        except FileNotFoundError:
            return False
        return (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (KEY_MODE, os.geteuid(), gid)

    def request(self, slot: str, entry: dict[str, Any]) -> str:
        """A certificate request with the slot's key, which is made if there is none that can be used."""
        if entry.get("new_key") or pem.key_digest(self.key(slot)) is None:
            self.write(self.key(slot), pem.make_key(entry["key_type"]), KEY_MODE, group(entry["group"]))
        return pem.make_request(self.key(slot), entry["subject"], entry["sans"])

    def install(self, slot: str, entry: dict[str, Any]) -> None:
        """Put a key, if given, and a chain in place; the key must be that of the certificate.

        Raises:
            CertificateError: it is not; nothing was changed.
        """
        gid = group(entry["group"])
        key, chain = entry.get("key"), entry.get("fullchain")
        if key is not None:
            self.write(self.key(slot), key.encode(), KEY_MODE, gid)
        if chain is not None:
            blocks = pem.split(chain)
            if not blocks or pem.certificate_digest(blocks[0]) != pem.key_digest(self.key(slot)):
                raise pem.CertificateError(
                    f"slot {slot}: the certificate does not belong to the key on this host"
                )
            folder = self.folder / slot
            self.write(folder / "cert.pem", blocks[0].encode(), PUBLIC_MODE, gid)
            self.write(folder / "chain.pem", "".join(blocks[1:]).encode(), PUBLIC_MODE, gid)
            self.write(folder / "fullchain.pem", "".join(blocks).encode(), PUBLIC_MODE, gid)
        if self.key(slot).exists():
            os.chown(self.key(slot), os.geteuid(), gid)
            self.key(slot).chmod(KEY_MODE)

    def remove(self, slot: str) -> None:
        """Take a slot away."""
        shutil.rmtree(self.folder / slot, ignore_errors=True)

    def write(self, path: Path, data: bytes, mode: int, gid: int) -> None:
        """Replace a file so that nobody sees half of it, or sees it with a wider mode."""
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fchown(stream.fileno(), os.geteuid(), gid)
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def group(name: str, missing: int | None = None) -> int:
    """Number of a group.

    Raises:
        CertificateError: there is no such group, and `missing` does not stand for it.
    """
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if missing is not None:
            return missing
        raise pem.CertificateError(
            f"there is no group {name} on this host: is its daemon's package there?"
        ) from None

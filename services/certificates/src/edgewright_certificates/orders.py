"""Orders and renewals of this host's slots: what is due; the old one stays until the new is there."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

from edgewright_certificates import pem
from edgewright_certificates.store import Store

SETTINGS = Path("/etc/edgewright/acme.json")
SECRET = Path("/etc/edgewright/acme.tsig")
STATE = Path("/var/lib/edgewright/acme")
ACCOUNT = "account.pem"
"""Our key at the directory; only its file name."""


class Client:
    """Orders for this host's slots."""

    def __init__(self, store: Store, settings: dict[str, Any]) -> None:
        """`settings` is the content of acme.json, which the role writes."""
        self.store = store
        self.settings = settings

    @classmethod
    def configured(cls, store: Store) -> Client:
        """With the settings that the role wrote."""
        return cls(store, json.loads(SETTINGS.read_text(encoding="utf-8")))

    def due(self, slot: str, now: dt.datetime) -> str | None:
        """Why a slot must be ordered anew; None: it need not."""
        entry = self.settings["slots"][slot]
        chain = self.store.chain(slot)
        blocks = pem.split(chain or "")
        key = pem.key_digest(self.store.key(slot))
        if not blocks or pem.certificate_digest(blocks[0]) != key:
            return "there is no certificate of its key"
        if pem.names(blocks[0]) != set(entry["sans"]):
            return "its names have changed"
        begin, end = pem.dates(blocks[0])
        # At most a third of its life, or a short-lived one would be ordered every day. The first host of
        # a pool renews for all; the others step in when that did not reach them.
        early = min(dt.timedelta(days=self.settings["renew_before_days"]), (end - begin) / 3)
        early = early if self.settings["first"] else early / 2
        return f"it ends in {(end - now).days} days" if end - now < early else None

    def renew(self, now: dt.datetime) -> list[str]:
        """Order what is due; what was ordered.

        Raises:
            CertificateError: some could not be had; the others were.
        """
        done, problems = [], []
        for slot in self.settings["slots"]:
            because = self.due(slot, now)
            if because is None:
                continue
            sys.stderr.write(f"slot {slot}: {because}; ordering\n")
            try:
                self.order(slot)
                done.append(slot)
            except pem.CertificateError as problem:
                problems.append(f"slot {slot}: {problem}")
        if problems:
            raise pem.CertificateError("\n".join(problems))
        return done

    def order(self, slot: str) -> str:
        """Order a slot's certificate for the key that is there and install it; the chain."""
        # Only hosts that order have the libraries for it.
        from edgewright_certificates.directory import Directory  # noqa: PLC0415
        from edgewright_certificates.dns01 import Updates  # noqa: PLC0415

        entry = self.settings["slots"][slot]
        STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (STATE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ca = self.settings.get("ca")
            directory = Directory(
                self.settings["directory"],
                self.settings["contact"],
                self._account(),
                Path(ca) if ca else None,
                self.settings.get("profile"),
            )
            secret = SECRET.read_text(encoding="ascii")
            updates = Updates(self.settings["dns_server"], self.settings["tsig_key"], secret)
            chain = directory.order(self.store.request(slot, entry), updates.published)
        blocks = pem.split(chain)
        self.store.install(slot, {**entry, "fullchain": "".join(blocks)})
        return "".join(blocks)

    def _account(self) -> bytes:
        """The key of our account; made once."""
        path = STATE / ACCOUNT
        if not path.exists():
            self.store.write(path, pem.make_key("rsa-2048"), 0o600, os.getegid())
        return path.read_bytes()

"""Orders and renewals at an ACME directory (RFC 8555) by DNS-01 with dynamic updates (RFC 2136), by lego."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from edgewright_certificates import pem
from edgewright_certificates.store import Store

SETTINGS = Path("/etc/edgewright/acme.json")
SECRET = Path("/etc/edgewright/acme.tsig")
STATE = Path("/var/lib/edgewright/acme")
SECONDS = 300


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
        entry = self.settings["slots"][slot]
        STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (STATE / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=STATE) as work:
            fcntl.flock(lock, fcntl.LOCK_EX)
            request = Path(work) / "request.pem"
            request.write_text(self.store.request(slot, entry), encoding="ascii")
            said = self._lego(work, request)
            if said is not None and "accountDoesNotExist" in said:
                # The directory has forgotten us (a test directory does so at every start): a new account.
                shutil.rmtree(STATE / "accounts", ignore_errors=True)
                said = self._lego(work, request)
            if said is not None:
                raise pem.CertificateError(f"lego: {said[-1500:]}")
            found = [
                p for p in Path(work, "certificates").glob("*.crt") if not p.name.endswith(".issuer.crt")
            ]
            if len(found) != 1:
                raise pem.CertificateError("lego left no certificate")
            blocks = pem.split(found[0].read_text(encoding="ascii"))
        self.store.install(slot, {**entry, "fullchain": "".join(blocks)})
        return "".join(blocks)

    def _lego(self, work: str, request: Path) -> str | None:
        """Run lego; what it said if it failed. Its account outlives the order."""
        accounts = STATE / "accounts"
        accounts.mkdir(mode=0o700, exist_ok=True)
        link = Path(work, "accounts")
        if not link.is_symlink():
            link.symlink_to(accounts)
        settings = self.settings
        server = settings["dns_server"]
        environment = {
            **os.environ,
            "RFC2136_NAMESERVER": f"[{server}]:53" if ":" in server else f"{server}:53",
            "RFC2136_TSIG_KEY": settings["tsig_key"],
            "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
            "RFC2136_TSIG_SECRET_FILE": str(SECRET),
            "RFC2136_POLLING_INTERVAL": "1",
            "RFC2136_TTL": "60",
            "RFC2136_SEQUENCE_INTERVAL": "0",  # a minute between names otherwise
        }
        if settings.get("ca"):
            environment["LEGO_CA_CERTIFICATES"] = settings["ca"]
        argv = ["lego", "--accept-tos", "--path", work, "--server", settings["directory"]]
        argv += ["--email", settings["contact"], "--dns", "rfc2136", "--csr", str(request), "run"]
        try:
            done = subprocess.run(
                argv, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"no end after {SECONDS} s"
        return None if done.returncode == 0 else (done.stderr + done.stdout).strip()

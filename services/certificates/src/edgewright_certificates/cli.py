"""Verbs: `inspect`, `request`, `install`, `order` (JSON in and out: Ansible's), `renew` (the timer's)."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Any

from edgewright_certificates.orders import Client
from edgewright_certificates.pem import CertificateError
from edgewright_certificates.reload import reload_watchers
from edgewright_certificates.store import Store


def answer(verb: str, asked: dict[str, Any], store: Store) -> dict[str, Any]:
    """Do what Ansible asks; `asked["slots"]` has an entry for each slot concerned."""
    slots: dict[str, dict[str, Any]] = asked.get("slots") or {}
    if verb == "inspect":
        return store.inspect(slots)
    if verb == "request":
        return {"requests": {slot: store.request(slot, entry) for slot, entry in slots.items()}}
    if verb == "install":
        for slot, entry in slots.items():
            store.install(slot, entry)
        for slot in asked.get("remove") or []:
            store.remove(slot)
        return {}
    client = Client.configured(store)
    return {"chains": {slot: client.order(slot) for slot in slots}}


def renew(store: Store) -> int:
    """Order what is due, then let the daemons read it; the exit code."""
    failed = []
    try:
        Client.configured(store).renew(dt.datetime.now(dt.timezone.utc))  # noqa: UP017
    except CertificateError as problem:
        failed.append(str(problem))
    units, problems = reload_watchers()
    for unit in units:
        sys.stderr.write(f"reloaded {unit}\n")
    failed += problems
    for line in failed:
        sys.stderr.write(f"edgewright-certificates: {line}\n")
    return 1 if failed else 0


def main() -> int:
    """Exit code 0: done; 1: a problem, one sentence on standard error; 2: wrong usage."""
    verb = sys.argv[1] if len(sys.argv) == 2 else ""
    store = Store()
    if verb == "renew":
        return renew(store)
    if verb not in ("inspect", "request", "install", "order"):
        sys.stderr.write("usage: certificates.pyz inspect|request|install|order|renew\n")
        return 2
    try:
        json.dump(answer(verb, json.load(sys.stdin), store), sys.stdout)
    except (CertificateError, OSError) as problem:
        sys.stderr.write(f"edgewright-certificates: {problem}\n")
        return 1
    return 0

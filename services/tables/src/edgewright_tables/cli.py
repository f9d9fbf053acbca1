"""edgewright-tables: the verbs. JSON on standard output; one sentence on standard error if it went wrong."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from edgewright_tables import bundle, hooks, leave, revoked, rpc, store, switch

_VERBS = {
    "compare": "read sums of tables (JSON) from standard input and tell the digests of rows that may differ",
    "stage": "read a bundle (JSON) from standard input and write it beside the tables in use",
    "commit": "put the staged tables in use and tell the daemons of those that changed",
    "rollback": "put the tables before the last commit in use again",
    "status": "checksums and digests of the tables",
    "leave": "sign out whom changed rows (JSON on standard input) no longer let in; a hook's program",
    "revoked": "tell the SIP daemon which certificates the revocation lists of a file name",
    "ensure": "make missing tables that the daemons of this host need (they run it before they start)",
}

_FAILURES = (
    bundle.BundleError,
    store.StoreError,
    switch.SwitchError,
    hooks.HookError,
    revoked.RevokedError,
    rpc.RpcError,
    OSError,
    ValueError,
)

_CHOSEN = {
    "commit": "only if this is staged, or in use already",
    "rollback": "only to these, and not at all if they are in use already",
}


def _run(arguments: argparse.Namespace) -> object:
    places = switch.default_places()
    checksum = getattr(arguments, "checksum", None)
    match arguments.verb:
        case "leave":
            return {"asked": leave.act(arguments.table, json.load(sys.stdin))}
        case "revoked":
            return {"revoked": revoked.tell(arguments.file)}
        case "compare":
            return switch.compare(places, bundle.document(sys.stdin.buffer.read()))
        case "stage":
            return switch.stage_data(places, sys.stdin.buffer.read())
        case "commit":
            return switch.commit(places, checksum)
        case "rollback":
            return switch.rollback(places, checksum)
        case "ensure":
            return {"changed": switch.ensure(places)}
        case _:
            return switch.status(places)


def main() -> int:
    """Exit code 0, or 1 with the reason."""
    parser = argparse.ArgumentParser(prog="edgewright-tables", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, text in _VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text)
        if name == "leave":
            verb.add_argument("table", choices=("users", "switches", "domains", "providers"))
        if name == "revoked":
            verb.add_argument("file", type=Path, help="PEM; need not be there")
        if name in _CHOSEN:
            verb.add_argument("--checksum", help=_CHOSEN[name])
    arguments = parser.parse_args()
    os.umask(0o077)
    try:
        print(json.dumps(_run(arguments), sort_keys=True))
    except _FAILURES as error:
        print(f"edgewright-tables: {error}", file=sys.stderr)
        return 1
    return 0

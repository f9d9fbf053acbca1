"""Who may no longer be signed in is signed out: registrations are taken away, connections closed.

The daemons refuse such a user's requests and deliver nothing to him from the moment they have the new rows.
This clears away what is left: it asks the SIP server on this host, by a request to itself with the header
`X-Edgewright-Leave`, to end it. To do so twice does no harm. The server says in shared variables (`$shv`)
where it is: `self`, a SIP URI, and on an Edge `outside`, its addresses towards the Internet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgewright_tables import rpc
from edgewright_tables.hooks import Changes

HEADER = "X-Edgewright-Leave"


def users(changes: Changes) -> Iterator[tuple[str, str]]:
    """Addresses that must be signed out, `all` of their devices or those `outside`.

    All: the account is gone, disabled, homed elsewhere, or has another password.
    """
    for address, (before, after) in changes.items():
        old, new = _columns(before), _columns(after)
        if "enabled" not in old:
            continue
        if new.get("enabled") != "1" or any(
            old.get(c) and old[c] != new.get(c) for c in ("home", "md5", "sha256")
        ):
            yield address, "all"
        elif old.get("outside") == "1" and new.get("outside") != "1":
            yield address, "outside"


def nobody_outside(changes: Changes) -> bool:
    """Whether the organisation's switch for users outside was turned off."""
    before, after = changes.get("allow_outside_users", (None, None))
    return before == "1" and after != "1"


def act(table: str, changes: Changes) -> int:
    """Sign out whom the changed rows of `table` (users, switches) concern; how many requests it took.

    Raises:
        rpc.RpcError: the SIP server could not be asked.
    """
    gone = list(users(changes)) if table == "users" else []
    if not gone and not (table == "switches" and nobody_outside(changes)):
        return 0
    with rpc.connected() as kamailio:
        here = _variable(kamailio, "self")
        if table == "users":
            asked = [_request(f"sip:{address}", here, which) for address, which in gone]
            return len(kamailio.calls(asked))
        outside = _variable(kamailio, "outside").split()
        connections = _from_outside(kamailio.call("core.tcp_list"), outside)
        return len(kamailio.calls([_request(target, here, socket) for target, socket in connections]))


def _from_outside(connections: list[Any], outside: list[str]) -> Iterator[tuple[str, str]]:
    """Connections that came to one of our addresses outside: the peer as a URI, our socket."""
    for found in connections:
        if isinstance(found, dict) and found.get("dst_port") and found.get("dst_ip") in outside:
            peer = f"{_host(found['src_ip'])}:{found['src_port']}"
            yield f"sip:gone@{peer};transport=tls", f"tls:{_host(found['dst_ip'])}:{found['dst_port']}"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _request(target: str, here: str, what: str) -> tuple[str, ...]:
    headers = f"From: <sip:policy@edgewright.invalid>\r\nTo: <{target}>\r\n{HEADER}: {what}\r\n"
    return ("tm.t_uac_start", "OPTIONS", target, here, ".", headers, "")


def _variable(kamailio: rpc.Kamailio, name: str) -> str:
    found = kamailio.call("pv.shvGet", name)
    return str(found[0]["value"])


def _columns(row: str | None) -> dict[str, str]:
    return dict(part.split("=", 1) for part in (row or "").split(";") if "=" in part)

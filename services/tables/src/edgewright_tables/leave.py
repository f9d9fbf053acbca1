"""Who may no longer be signed in is signed out: registrations and connections end; partners' too.

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


def partners(table: str, changes: Changes) -> Iterator[str]:
    """Partners to whom nobody may talk any more: a domain (with all below it), `unlisted` ones, or `all`.

    Unlisted: they came by discovery or are a provider's; whoever still may has a new connection soon.
    """
    for key, (before, after) in changes.items():
        old, new = _columns(before), _columns(after)
        if table == "domains" and new.get("class") != old.get("class"):
            if new.get("class") == "blocked" or old.get("class") == "allowed":
                yield key
        elif table == "domains" and old.get("proxy") != new.get("proxy"):
            yield key
        elif table == "providers" and old.get("enabled") == "1" and new.get("enabled") != "1":
            yield "unlisted"
        elif table == "switches" and before == "1" and after != "1":
            if key in ("allow_federated_users", "federation"):
                yield "all"
            elif key == "enable_partner_discovery":
                yield "unlisted"


def act(table: str, changes: Changes) -> int:
    """Sign out, or cut off, whom the changed rows of `table` concern; how many requests it took.

    Of `users`: those who may no longer be signed in; of `switches`: everybody outside; of these, `domains`
    and `providers`: partners.

    Raises:
        rpc.RpcError: the SIP server could not be asked.
    """
    gone = list(users(changes)) if table == "users" else []
    cut = list(dict.fromkeys(partners(table, changes)))
    everybody = table == "switches" and nobody_outside(changes)
    if not gone and not cut and not everybody:
        return 0
    with rpc.connected() as kamailio:
        here = _variable(kamailio, "self")
        if table == "users":
            asked = [request(f"sip:{address}", here, which) for address, which in gone]
            return len(kamailio.calls(asked))
        asked = [request("sip:partners@edgewright.invalid", here, f"partners {which}") for which in cut]
        if not everybody:
            return len(kamailio.calls(asked))
        outside = _variable(kamailio, "outside").split()
        connections = _from_outside(kamailio.call("core.tcp_list"), outside)
        asked += [request(target, here, socket) for target, socket in connections]
        return len(kamailio.calls(asked))


def _from_outside(connections: list[Any], outside: list[str]) -> Iterator[tuple[str, str]]:
    """Connections that came to one of our addresses outside: the peer as a URI, our socket."""
    for found in connections:
        if isinstance(found, dict) and found.get("dst_port") and found.get("dst_ip") in outside:
            peer = f"{_host(found['src_ip'])}:{found['src_port']}"
            yield f"sip:gone@{peer};transport=tls", f"tls:{_host(found['dst_ip'])}:{found['dst_port']}"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def request(target: str, here: str, what: str) -> tuple[str, ...]:
    """The call that makes Kamailio send itself the request; `here`: its URI, `what`: the header's value."""
    headers = f"From: <sip:policy@edgewright.invalid>\r\nTo: <{target}>\r\n{HEADER}: {what}\r\n"
    return ("tm.t_uac_start", "OPTIONS", target, here, ".", headers, "")


def _variable(kamailio: rpc.Kamailio, name: str) -> str:
    found = kamailio.call("pv.shvGet", name)
    return str(found[0]["value"])


def _columns(row: str | None) -> dict[str, str]:
    return dict(part.split("=", 1) for part in (row or "").split(";") if "=" in part)

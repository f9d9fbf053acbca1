"""SIP messages that tests send, and what they look for in those that arrive."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "probes" / "src"))

from edgewright_probe.sip_message import Message, read

__all__ = [
    "Message", "absent", "ack", "check", "invite", "message", "options", "publish", "read", "register",
    "request", "subscribe",
]  # fmt: skip

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
absent = None
"""In what is expected: the header must not be there."""


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items()) if isinstance(headers, Mapping) else list(headers)


def request(
    method: str,
    sender: str,
    to: str,
    *,
    uri: str | None = None,
    headers: Headers = (),
    body: str | bytes = b"",
    call_id: str | None = None,
    from_tag: str | None = None,
    to_tag: str = "",
    cseq: int = 1,
    forwards: int = 70,
) -> Message:
    """A request between two addresses (`alice@contoso.example`); the connection that sends it adds Via.

    `headers` come after those that every request has; `to_tag` makes it one within a dialog.
    """
    whom = f"<sip:{to}>" + (f";tag={to_tag}" if to_tag else "")
    lines = [
        ("Max-Forwards", str(forwards)),
        ("From", f"<sip:{sender}>;tag={from_tag or secrets.token_hex(4)}"),
        ("To", whom),
        ("Call-ID", call_id or f"{secrets.token_hex(8)}@test"),
        ("CSeq", f"{cseq} {method}"),
        *_pairs(headers),
    ]
    data = body.encode() if isinstance(body, str) else body
    return Message(f"{method} {uri or f'sip:{to}'} SIP/2.0", lines, data)


def message(sender: str, to: str, text: str = "hello", *, headers: Headers = (), **more: object) -> Message:
    """MESSAGE (RFC 3428) with plain text, unless `headers` name another type."""
    given = _pairs(headers)
    if not any(name.lower() == "content-type" for name, _ in given):
        given.append(("Content-Type", "text/plain"))
    return request("MESSAGE", sender, to, headers=given, body=text, **more)  # type: ignore[arg-type]


def register(user: str, contact: str = "198.51.100.7:5061", *, expires: int = 600, **more: object) -> Message:
    """REGISTER of one device (RFC 3261 section 10); no outbound parameters unless `headers` have them."""
    given = _pairs(more.pop("headers", ()))  # type: ignore[arg-type]
    name, _, domain = user.partition("@")
    given = [("Contact", f"<sip:{name}@{contact};transport=tls>"), ("Expires", str(expires)), *given]
    return request("REGISTER", user, user, uri=f"sip:{domain}", headers=given, **more)  # type: ignore[arg-type]


def options(uri: str, sender: str = "ping@contoso.example", **more: object) -> Message:
    """OPTIONS to a server."""
    return request("OPTIONS", sender, uri.partition(":")[2], uri=uri, **more)  # type: ignore[arg-type]


def subscribe(
    sender: str, to: str, event: str = "presence", *, expires: int = 600, **more: object
) -> Message:
    """SUBSCRIBE (RFC 6665)."""
    given = [
        ("Event", event),
        ("Expires", str(expires)),
        ("Contact", f"<sip:{sender.partition('@')[0]}@198.51.100.7:5061;transport=tls>"),
        *_pairs(more.pop("headers", ())),  # type: ignore[arg-type]
    ]
    return request("SUBSCRIBE", sender, to, headers=given, **more)  # type: ignore[arg-type]


def publish(
    sender: str, body: str, *, event: str = "presence", expires: int = 600, **more: object
) -> Message:
    """PUBLISH (RFC 3903) of a presence document."""
    given = [
        ("Event", event),
        ("Expires", str(expires)),
        ("Content-Type", "application/pidf+xml"),
        *_pairs(more.pop("headers", ())),  # type: ignore[arg-type]
    ]
    return request("PUBLISH", sender, sender, headers=given, body=body, **more)  # type: ignore[arg-type]


_OFFER = "v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\nm=audio 4000 RTP/AVP 0\n"
SDP = _OFFER.replace("\n", "\r\n")


def invite(sender: str, to: str, *, body: str = SDP, **more: object) -> Message:
    """INVITE with an offer of audio, or another body."""
    given = [
        ("Contact", f"<sip:{sender.partition('@')[0]}@198.51.100.7:5061;transport=tls>"),
        ("Content-Type", "application/sdp"),
        *_pairs(more.pop("headers", ())),  # type: ignore[arg-type]
    ]
    return request("INVITE", sender, to, headers=given, body=body, **more)  # type: ignore[arg-type]


def ack(invitation: Message, answer: Message) -> Message:
    """ACK to a 2xx (RFC 3261 section 13.2.2.4), along the routes that the answer recorded."""
    target = re.search(r"<([^>]*)>", answer.get("Contact"))
    routes = [("Route", value) for value in reversed(answer.all("Record-Route"))]
    lines = [
        ("Max-Forwards", "70"),
        ("From", invitation.get("From")),
        ("To", answer.get("To")),
        ("Call-ID", invitation.get("Call-ID")),
        ("CSeq", invitation.get("CSeq").replace("INVITE", "ACK")),
        *routes,
    ]
    return Message(f"ACK {target[1] if target else invitation.start.split()[1]} SIP/2.0", lines)


def text_of(found: Message) -> str:
    """As it was on the wire, lines ended by a line feed."""
    return found.encode().decode("utf-8", "replace").replace("\r\n", "\n")


def check(
    found: Message, headers: Mapping[str, str | None] | None = None, must_not: Iterable[str] = ()
) -> Message:
    """Look at a message.

    Args:
        found: The message.
        headers: Name -> regular expression that one of its values matches whole; None: it is not there.
        must_not: Regular expressions that match nowhere, line by line, in any case of letters.

    Raises:
        AssertionError: with the whole message.
    """
    for name, pattern in (headers or {}).items():
        values = found.all(name)
        if pattern is None:
            assert not values, f"{name} should not be there:\n{text_of(found)}"
        else:
            hit = any(re.fullmatch(pattern, value) for value in values)
            assert hit, f"no {name} matches {pattern!r}: {values}\n{text_of(found)}"
    for pattern in must_not:
        hit2 = re.search(pattern, text_of(found), re.MULTILINE | re.IGNORECASE)
        assert not hit2, f"{hit2[0]!r} must not be there:\n{text_of(found)}"  # type: ignore[index]
    return found

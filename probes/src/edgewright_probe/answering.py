"""What a client answers: calls are accepted, watchers told, messages taken (RFC 3261, 6665)."""

from __future__ import annotations

import re
import secrets

from .sip_message import Message

TAKEN = ("MESSAGE", "OPTIONS", "NOTIFY", "INFO", "BYE", "CANCEL", "UPDATE")
PIDF = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="{entity}">
<tuple id="probe"><status><basic>open</basic></status></tuple>
</presence>
"""


def sdp(local: str, name: str, media: tuple[str, ...] = ("audio",)) -> bytes:
    """A session description (RFC 8866) for the address of `local` (host:port); `name` is its subject."""
    host = local.rpartition(":")[0].strip("[]")
    kind = "IP6" if ":" in host else "IP4"
    lines = ["v=0", f"o=probe 1 1 IN {kind} {host}", f"s={name}", f"c=IN {kind} {host}", "t=0 0"]
    for number, one in enumerate(media):
        codec = ("0", "PCMU/8000") if one == "audio" else ("96", "VP8/90000")
        port = 49170 + 2 * number
        lines += [f"m={one} {port} RTP/AVP {codec[0]}", f"a=rtpmap:{codec[0]} {codec[1]}", "a=inactive"]
    return ("\r\n".join(lines) + "\r\n").encode()


def offered(body: bytes) -> tuple[str, ...]:
    """The kinds of media in a session description."""
    return tuple(re.findall(r"^m=(\w+)", body.decode("utf-8", "replace"), re.MULTILINE))


def answers(message: Message, local: str, tag: str, *, busy: bool = False) -> list[Message]:
    """What goes back for a request that arrived: responses, and what has to follow them.

    A SUBSCRIBE is answered as a client with no presence server would: accepted, and told once. Who is `busy`
    takes no call.
    """
    if busy and message.method == "INVITE":
        return [message.reply(486, "Busy Here", tag=tag)]
    contact = (("Contact", f"<{message.start.split(' ')[1]}>"),)
    if message.method == "INVITE":
        body = sdp(local, "answer", offered(message.body) or ("audio",))
        accepted = (*contact, ("Content-Type", "application/sdp"))
        return [message.reply(180, "Ringing", contact, tag=tag),
                message.reply(200, "OK", accepted, tag=tag, body=body)]  # fmt: skip
    if message.method == "SUBSCRIBE":
        expires = message.get("Expires") or "300"
        accepted = (*contact, ("Expires", expires))
        return [message.reply(200, "OK", accepted, tag=tag), _notify(message, local, tag, expires, contact)]
    if message.method in TAKEN:
        return [message.reply(200, "OK", tag=tag)]
    return [message.reply(405, "Method Not Allowed", tag=tag)]


def _notify(
    subscribe: Message, local: str, tag: str, expires: str, contact: tuple[tuple[str, str], ...]
) -> Message:
    """The first NOTIFY of a subscription (RFC 6665 section 4.2.1.2), its note the Subject's words."""
    over = expires == "0"
    state = "terminated;reason=timeout" if over else f"active;expires={expires}"
    to = subscribe.get("To")
    mine = to if "tag=" in to else f"{to};tag={tag}"
    entity = re.sub(r"^.*<|[>;].*$", "", to)
    target = re.sub(r"^.*<|>.*$", "", subscribe.get("Contact"))
    return Message(
        f"NOTIFY {target} SIP/2.0",
        [
            ("Via", f"SIP/2.0/TLS {local};branch=z9hG4bK{secrets.token_hex(8)};rport;alias"),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in subscribe.all("Record-Route")),
            ("From", mine),
            ("To", subscribe.get("From")),
            ("Call-ID", subscribe.get("Call-ID")),
            ("CSeq", "1 NOTIFY"),
            *contact,
            ("Event", subscribe.get("Event") or "presence"),
            ("Subscription-State", state),
            ("Content-Type", "application/pidf+xml"),
        ],
        PIDF.format(entity=entity).encode(),
    )

"""SIP messages as text: parsing from a stream, building, and the comparable form of an answer (RFC 3261)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

_COMPACT = {
    "v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact",
    "l": "Content-Length", "c": "Content-Type", "k": "Supported",
    "s": "Subject", "e": "Content-Encoding", "o": "Event", "u": "Allow-Events", "r": "Refer-To",
}  # fmt: skip
_LIMIT = 256 * 1024


@dataclass
class Message:
    """A request or response: first line, headers in order (compact names expanded), body."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def status(self) -> int:
        """Status code of a response, 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Method of a request, or that of the request a response answers."""
        return self.get("CSeq").split(" ")[-1] if self.status else self.start.split(" ", 1)[0]

    def get(self, name: str) -> str:
        """First value of a header, or the empty string."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def encode(self) -> bytes:
        """The message as sent; Content-Length says how long the body is."""
        kept = [f"{n}: {v}" for n, v in self.headers if n.lower() != "content-length"]
        lines = [self.start, *kept, f"Content-Length: {len(self.body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body

    def reply(
        self, status: int, phrase: str, extra: tuple[tuple[str, str], ...] = (), *,
        tag: str = "probe", body: bytes = b"",
    ) -> Message:  # fmt: skip
        """A response to this request (RFC 3261 section 8.2.6); `tag` names the dialog's end here."""
        kept = [
            (n, v) for n, v in self.headers if n.lower() in ("via", "from", "call-id", "cseq", "record-route")
        ]
        to = self.get("To")
        kept.append(("To", to if "tag=" in to else f"{to};tag={tag}"))
        return Message(f"SIP/2.0 {status} {phrase}", [*kept, *extra], body)


def parse(head: str) -> Message:
    """The message that starts with `head` (first line and headers, no body); folded lines are joined."""
    lines = re.sub(r"\r?\n[ \t]+", " ", head).replace("\r\n", "\n").split("\n")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.append((_COMPACT.get(name.strip().lower(), name.strip()), value.strip()))
    return Message(lines[0].strip(), headers)


async def read(reader: asyncio.StreamReader) -> Message | None:
    """The next message of a stream; None at its end. Keep-alives (RFC 5626 section 3.5.1) are skipped.

    Raises:
        ValueError: for a message that is not SIP or too long.
    """
    while True:
        try:
            head = await reader.readuntil(b"\r\n")
            if head == b"\r\n":
                continue
            head += await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError as error:
            raise ValueError("headers too long") from error
        message = parse(head.decode("utf-8", "replace")[:-4])
        length = message.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > _LIMIT or "SIP/2.0" not in message.start:
            raise ValueError(f"not a SIP message: {message.start[:60]}")
        try:
            message.body = await reader.readexactly(int(length))
        except asyncio.IncompleteReadError:
            return None
        return message


_CHANGING = (
    (re.compile(r'\b(nonce|opaque|cnonce)="[^"]*"', re.IGNORECASE), r'\1="*"'),
    (re.compile(r"\b(tag|branch|received|rport|i|did|dk)=[^;,>\s]*", re.IGNORECASE), r"\1=*"),
    (re.compile(r"(SIP/2\.0/TLS\s+)[^;]*", re.IGNORECASE), r"\1*"),
    (re.compile(r"<sips?:[^>]*>", re.IGNORECASE), "<*>"),
)


def comparable(message: Message) -> list[str]:
    """Headers as `name: value` in the order shown, without what differs from one request to the next.

    Two refusals with equal comparable headers cannot be told apart by an outsider: nonces, tags, branches,
    the asked-for address, Call-ID, CSeq number and Date are blanked, everything else stays.
    """
    shown = []
    for name, value in message.headers:
        kept = value
        for pattern, replacement in _CHANGING:
            kept = pattern.sub(replacement, kept)
        if name.lower() in ("call-id", "date"):
            kept = "*"
        if name.lower() == "cseq":
            kept = "* " + value.split(" ")[-1]
        shown.append(f"{name.lower()}: {kept}")
    return shown

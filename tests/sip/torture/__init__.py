"""SIP torture messages: the exact bytes of RFC 4475 (sections 3.1 to 3.4) and RFC 5118 (section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DOMAINS = re.compile(
    rb"(?<=@)(?:[a-z0-9-]+\.)*(?:example\.(?:com|net|org)|company\.com)"
    rb"|(?<= sip:)(?:registrar\.)?example\.com"
)
_SDP = (
    "v=0\no=mhandley 29739 7272939 IN IP4 {0}\ns=-\nc=IN IP4 {0}\nt=0 0\nm=audio 49217 RTP/AVP 0 12\n"
    "m=video 3227 RTP/AVP 31\na=rtpmap:31 LPC"
)


@dataclass(frozen=True)
class Torture:
    """One of them: its name and section, and what is sent."""

    name: str
    section: str
    data: bytes

    def ours(self, domain: str) -> bytes:
        """The same between users of a domain: what is refused for its domain goes further then."""
        return _DOMAINS.sub(domain.encode(), self.data)


def read(name: str) -> Iterator[Torture]:
    """All messages of `rfc4475` or `rfc5118`."""
    text = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
    for part in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        name, section = title.split()
        yield Torture(name, section, encode(body))


def encode(text: str) -> bytes:
    """The notation of RFC 4475 section 2 as bytes; each line ends with CRLF."""
    text = re.sub(r"<sdp ([^>]*)>", lambda match: _SDP.format(match[1]), text)
    text = re.sub(
        r"<allOneLine>\n(.*?)\n</allOneLine>", lambda match: match[1].replace("\n", ""), text, flags=re.DOTALL
    )
    text = re.sub(r"<repeat count=(\d+)>(.*?)</repeat>", lambda match: match[2] * int(match[1]), text)
    made = b""
    for index, piece in enumerate(re.split(r"<hex>(.*?)</hex>", text)):
        made += bytes.fromhex(piece) if index % 2 else piece.replace("\n", "\r\n").encode()
    return made

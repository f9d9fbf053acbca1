"""HTTP Digest authentication (RFC 7616) with nonces that need no shared state.

A nonce is time, randomness and a keyed hash over both and the site, so every host of the pool accepts it and
nobody else can make one. Its count is remembered by the process that accepted it, until the nonce is too old:
a replay there is refused. Another host of the pool would accept a replay within that time; before that stand
TLS and the proxy, which sends a client to the same host.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from edgewright_web.tables import User

ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"""In order of preference (RFC 7616 section 3.7)."""

NONCE_SECONDS = 300
NONCE_COUNTS = 4096
"""Requests with one nonce; then a fresh one is asked for."""

_PARAMETER = re.compile(r'\s*([A-Za-z0-9*_-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_HA1 = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_PAYLOAD = struct.Struct(">Q8s")
_MAC_BYTES = 16

Failure = Literal["unknown-user", "wrong-password", "account-disabled", "malformed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an Authorization header proved.

    `user` is set only when the password is proven, the account enabled and the request no replay. Otherwise
    `failure` says why it is refused, or is None where the client merely has to answer again (`stale`).
    """

    user: User | None = None
    failure: Failure | None = None
    stale: bool = False
    claimed: str | None = None
    """Address of an existing account that the request named, for the log; never shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The parameters of an Authorization header that count."""

    username: str
    nonce: str
    uri: str
    response: str
    cnonce: str
    nc: str
    algorithm: str


def parse(header: str, realm: str, target: str) -> Answer | None:
    """An Authorization header for this realm and request target; None if it is not a usable Digest answer."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest" or len(rest) > 4096:
        return None
    found: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None or match[1].lower() in found:
            return None
        found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        position = match.end()
    answer = Answer(
        username=found.get("username", ""),
        nonce=found.get("nonce", ""),
        uri=found.get("uri", ""),
        response=found.get("response", "").lower(),
        cnonce=found.get("cnonce", ""),
        nc=found.get("nc", "").lower(),
        algorithm=found.get("algorithm", "MD5").upper(),
    )
    usable = (
        found.get("realm") == realm
        and found.get("qop") == "auth"
        and answer.algorithm in ALGORITHMS
        and re.fullmatch(r"[0-9a-f]{8}", answer.nc)
        and re.fullmatch(r"[0-9a-f]{32,64}", answer.response)
        and answer.cnonce
        and answer.username
        and _path(answer.uri) == target
    )
    return answer if usable else None


def _path(uri: str) -> str:
    """Path and query of a digest uri, which may be absolute (RFC 7616 section 3.4.6)."""
    return re.sub(r"^https?://[^/?#]*", "", uri, flags=re.IGNORECASE)


@dataclass(slots=True)
class Nonces:
    """Nonces of one site; `secret` is the pool's."""

    secret: bytes
    site: str
    clock: Callable[[], float] = time.time
    _seen: OrderedDict[str, tuple[float, set[int]]] = field(default_factory=OrderedDict)

    def _mac(self, payload: bytes) -> bytes:
        message = b"edgewright web nonce\0" + self.site.encode() + b"\0" + payload
        return hmac.digest(self.secret, message, "sha256")[:_MAC_BYTES]

    def make(self) -> str:
        """A fresh nonce."""
        payload = _PAYLOAD.pack(int(self.clock()), secrets.token_bytes(8))
        return base64.urlsafe_b64encode(payload + self._mac(payload)).decode().rstrip("=")

    def age(self, nonce: str) -> float | None:
        """Seconds since one of the pool's hosts made it; None if none of them did."""
        try:
            raw = base64.b64decode(nonce + "=" * (-len(nonce) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        if len(raw) != _PAYLOAD.size + _MAC_BYTES:
            return None
        payload, mac = raw[: _PAYLOAD.size], raw[_PAYLOAD.size :]
        if not hmac.compare_digest(mac, self._mac(payload)):
            return None
        made: int = _PAYLOAD.unpack(payload)[0]
        return self.clock() - made

    def use(self, nonce: str, count: int) -> bool:
        """Spend one count of a valid nonce; False if it was spent before. Order does not matter (HTTP/2)."""
        now = self.clock()
        while self._seen and next(iter(self._seen.values()))[0] < now:
            self._seen.popitem(last=False)
        # The nonce's own bytes as the key: base64 has several spellings of its last character.
        key = nonce[:-1]
        _, counts = self._seen.setdefault(key, (now + NONCE_SECONDS + 1, set()))
        if count in counts or len(counts) >= NONCE_COUNTS:
            return False
        counts.add(count)
        return True


@dataclass(slots=True)
class Digest:
    """Challenges and checks for one realm; `find` gives the user with an address."""

    realm: str
    domains: tuple[str, ...]
    nonces: Nonces

    def challenges(self, *, stale: bool = False) -> list[str]:
        """Values of WWW-Authenticate, strongest first; they never depend on who is asking."""
        tail = ", stale=true" if stale else ""
        return [
            f'Digest realm="{self.realm}", qop="auth", algorithm={algorithm}, nonce="{self.nonces.make()}", '
            f"charset=UTF-8, userhash=false{tail}"
            for algorithm in ALGORITHMS
        ]

    def check(self, header: str, method: str, target: str, find: Callable[[str], User | None]) -> Outcome:
        """Judge an Authorization header for `method` and the request target as it was sent.

        The digest user name is the user part of the SIP address; with several SIP domains each account of
        that name is tried. The work done does not depend on whether an account exists, is enabled, or the
        password is right.
        """
        answer = parse(header, self.realm, target)
        age = self.nonces.age(answer.nonce) if answer else None
        if answer is None or age is None:
            return Outcome(failure="malformed")
        matched: User | None = None
        claimed: User | None = None
        for domain in self.domains:
            user = find(f"{answer.username.lower()}@{domain}")
            ha1 = self._ha1(user, answer)
            right = hmac.compare_digest(self._response(answer, ha1, method), answer.response)
            claimed = claimed or user
            if user and right and matched is None:
                matched = user
        name = claimed.address if claimed else None
        if matched is None:
            return Outcome(failure="wrong-password" if claimed else "unknown-user", claimed=name)
        if not matched.enabled:
            return Outcome(failure="account-disabled", claimed=matched.address)
        if not 0 <= age <= NONCE_SECONDS or not self.nonces.use(answer.nonce, int(answer.nc, 16)):
            return Outcome(stale=True, claimed=matched.address)
        return Outcome(user=matched, claimed=matched.address)

    def _ha1(self, user: User | None, answer: Answer) -> str:
        """The account's digest; where there is no account or no password, one that nobody can know."""
        known = user.digests.get(answer.algorithm, "") if user else ""
        if _HA1.fullmatch(known):
            return known
        return hmac.new(self.nonces.secret, b"nobody\0" + answer.username.encode(), "sha256").hexdigest()

    @staticmethod
    def _response(answer: Answer, ha1: str, method: str) -> str:
        digest = ALGORITHMS[answer.algorithm]
        ha2 = digest(f"{method}:{answer.uri}".encode())
        return digest(f"{ha1}:{answer.nonce}:{answer.nc}:{answer.cnonce}:auth:{ha2}".encode())

"""Digest authentication for SIP and HTTP: MD5 and SHA-256 (RFC 2617, RFC 7616, RFC 8760)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_STRENGTH = ("SHA-256", "MD5")
_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def parse(value: str) -> dict[str, str]:
    """Parameters of a `Digest ...` challenge or answer, names in lower case; empty for other schemes."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    return {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(rest)}


def choose(values: Iterable[str], algorithm: str | None = None) -> dict[str, str] | None:
    """The challenge to answer: `algorithm` if given, else the strongest that is known."""
    known = [c for c in map(parse, values) if c and c.get("algorithm", "MD5").upper() in _HASHES]
    for wanted in (algorithm,) if algorithm else _STRENGTH:
        for challenge in known:
            if challenge.get("algorithm", "MD5").upper() == wanted:
                return challenge
    return None


def answer(challenge: dict[str, str], method: str, uri: str, user: str, password: str, count: int = 1) -> str:
    """The value of Authorization or Proxy-Authorization; `count` is the nonce count."""
    algorithm = challenge.get("algorithm", "MD5").upper()

    def h(text: str) -> str:
        return _HASHES[algorithm](text.encode()).hexdigest()

    realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")
    ha1, ha2 = h(f"{user}:{realm}:{password}"), h(f"{method}:{uri}")
    fields = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"']
    if "auth" in [q.strip() for q in challenge.get("qop", "").split(",")]:
        cnonce, nc = secrets.token_hex(8), f"{count:08x}"
        fields += [f'response="{h(f"{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}")}"', "qop=auth", f"nc={nc}"]
        fields.append(f'cnonce="{cnonce}"')
    else:
        fields.append(f'response="{h(f"{ha1}:{nonce}:{ha2}")}"')
    if "algorithm" in challenge:
        fields.append(f"algorithm={challenge['algorithm']}")
    if "opaque" in challenge:
        fields.append(f'opaque="{challenge["opaque"]}"')
    return "Digest " + ", ".join(fields)

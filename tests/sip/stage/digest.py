"""Answers to challenges (RFC 7616), as a client gives them."""

from __future__ import annotations

from edgewright_probe import digest

from .messages import Message


def authorized(
    asked: Message,
    challenge: Message,
    password: str,
    *,
    user: str | None = None,
    algorithm: str | None = None,
) -> Message:
    """The request again, next CSeq, answering a 401 or 407; `user` is the one in From unless given."""
    name = "WWW-Authenticate" if challenge.status == 401 else "Proxy-Authenticate"
    chosen = digest.choose(challenge.all(name), algorithm)
    assert chosen, f"no challenge with {algorithm or 'a known algorithm'}: {challenge.start}"
    method, uri = asked.start.split()[:2]
    who = user or asked.get("From").partition("sip:")[2].partition("@")[0]
    value = digest.answer(chosen, method, uri, who, password)
    number = int(asked.get("CSeq").split()[0]) + 1
    headers = [(n, f"{number} {method}" if n == "CSeq" else v) for n, v in asked.headers]
    headers.append(("Authorization" if challenge.status == 401 else "Proxy-Authorization", value))
    return Message(asked.start, headers, asked.body)

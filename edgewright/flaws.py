"""Certificates with one thing wrong, which a lab's impostor shows: everything else about them is right."""

from __future__ import annotations

import datetime as dt
from typing import Any

from edgewright import authority, slots

EXPIRED_DAYS = 30
"""Life of an expired certificate: it ended as long ago as it had lived."""


def wrong(
    wanted: dict[str, Any],
    chain: str | None,
    key: str | None,
    now: dt.datetime,
    known: authority.Authority,
    stranger: authority.Authority,
) -> str | None:
    """Why a slot with a flaw needs a new certificate; None: it has this flaw and no other.

    Arguments are those of `slots.wrong`; `stranger` is an authority that nobody trusts.
    """
    found = slots.parse(chain)
    flaw = wanted["flaw"]
    if flaw == "expired" and found:
        ended = found[0].not_valid_after_utc < now
        before = found[0].not_valid_before_utc + dt.timedelta(seconds=1)
        return slots.wrong(wanted, chain, key, before, 0, known) or (None if ended else "it has not expired")
    if flaw == "self_signed":
        because = slots.wrong({**wanted, "source": "self"}, chain, key, now, 0, known)
        return because or (None if found[0].issuer == found[0].subject else "somebody else signed it")
    if flaw == "stranger":
        return slots.wrong(wanted, chain, key, now, 0, stranger)
    because = slots.wrong(wanted, chain, key, now, 0, known)
    return because or (None if found[0].serial_number in known.revoked() else "it is not revoked")


def certify(
    wanted: dict[str, Any],
    key: authority.PrivateKey,
    now: dt.datetime,
    known: authority.Authority,
    stranger: authority.Authority,
) -> str:
    """The chain for a key: with the flaw that is wanted."""
    sans, eku, flaw = wanted["sans"], wanted["eku"], wanted["flaw"]
    if flaw == "self_signed":
        return authority.self_signed(key, sans)
    request = authority.request_for(key, sans)
    if flaw == "stranger":
        return stranger.sign(request, sans, eku) + stranger.pem
    if flaw == "expired":
        begun = now - 2 * dt.timedelta(days=EXPIRED_DAYS)
        return known.sign(request, sans, eku, EXPIRED_DAYS, begun) + known.pem
    chain = known.sign(request, sans, eku)
    known.revoke(slots.parse(chain)[0].serial_number)
    return chain + known.pem

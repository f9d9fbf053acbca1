"""Cells of what instant messages may carry (M02): kinds of content, size, every device of a user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgewright.access.request import Request
from edgewright.proof import expect, messages, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, Receiver
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Expected

AREA = "conversation"
WRAPPER = "message/cpim"


@dataclass(frozen=True, slots=True)
class Body:
    """A kind of body: `decides` is the type that a decision looks at, `shown` the one on the outside."""

    name: str
    situation: str
    shown: str
    decides: str
    wraps: str | None = None
    size: int = 0


BODIES = (
    Body("utf-8", "text in many scripts", "text/plain;charset=UTF-8", "text/plain"),
    Body("html", "html", "text/html;charset=UTF-8", "text/html"),
    Body(
        "typing", "the sender is typing", "application/im-iscomposing+xml", "application/im-iscomposing+xml"
    ),
    Body(
        "asks-for-report", "text that asks for a report", WRAPPER, "text/plain", "text/plain; charset=utf-8"
    ),
    Body("report", "a report of delivery", WRAPPER, "message/imdn+xml", "message/imdn+xml"),
    Body("unknown-type", "a kind of content that nobody takes", "application/x-probe", "application/x-probe"),
    Body("wrapped-unknown-type", "the same, wrapped", WRAPPER, "application/x-probe", "application/x-probe"),
)


def make(scope: Scope) -> Iterator[Case]:
    """What messages may carry, from every seat to another person at the same seat; and to all his devices."""
    pair = sign_in.talkers(scope)
    if len(pair) < 2:
        return
    seats = [seat for seat in scope.seats if scope.sip(seat, scope.domain) is not None]
    limit = scope.deployment.policies.instant_messaging.max_message_size
    sizes = (
        Body(
            "largest",
            f"{limit} bytes, as many as may be",
            "text/plain;charset=UTF-8",
            "text/plain",
            size=limit,
        ),
        Body("too-large", "a byte more", "text/plain;charset=UTF-8", "text/plain", size=limit + 1),
    )
    for seat in seats:
        for body in (*BODIES, *sizes):
            yield _carried(scope, seat, pair[0], pair[1], body)
        yield _devices(scope, seat, pair[0], pair[1], seats)


def _carried(scope: Scope, seat: Seat, sender: str, to: str, body: Body) -> Case:
    size = body.size or 500
    request = Request(
        expect.party(seat), messages.FEATURE, who=sender, to=to, content_type=body.decides, size=size
    )
    expected = expect.of(scope.deployment, request)
    if expected.allowed:
        kind = body.shown.partition(";")[0]
        expected = Expected(
            True, shown={"status": 200, "from": sender, "content_type": kind, "unchanged": True}
        )
    more = {"content_type": body.shown, "wraps": body.wraps, "size": body.size}
    where = scope.sip(seat, sender.partition("@")[2]) or {}
    arguments = where | {
        "user": sender,
        "password": RIGHT,
        "to": to,
        "session": sign_in.session(sender, seat),
    }
    cell = Maker(AREA, expect.party(seat), messages.FEATURE).at(
        seat,
        body.name,
        f"{body.situation}, to {sign_in.name(to)}",
        expected,
        "sip.message",
        arguments | {name: value for name, value in more.items() if value},
        control=None if expected.allowed else messages.message_id(seat, sender, seat, to),
    )
    receiver = Receiver(seat.vantage, sign_in.session(to, seat)) if expected.allowed else None
    return Case(
        cell, needs=(sign_in.sign_in_id(seat, sender), sign_in.sign_in_id(seat, to)), receiver=receiver
    )


def _devices(scope: Scope, seat: Seat, sender: str, to: str, seats: list[Seat]) -> Case:
    expected = expect.of(scope.deployment, Request(expect.party(seat), messages.FEATURE, who=sender, to=to))
    if expected.allowed:
        expected = Expected(True, shown={"status": 200, "from": sender})
    where = scope.sip(seat, sender.partition("@")[2]) or {}
    cell = Maker(AREA, expect.party(seat), messages.FEATURE).at(
        seat,
        "every-device",
        f"to {sign_in.name(to)}, who has {len(seats)} devices: each gets it",
        expected,
        "sip.message",
        where | {"user": sender, "password": RIGHT, "to": to, "session": sign_in.session(sender, seat)},
        control=None if expected.allowed else sign_in.sign_in_id(seat, sender),
    )
    first, *others = (Receiver(there.vantage, sign_in.session(to, there)) for there in seats)
    needs = (sign_in.sign_in_id(seat, sender), *(sign_in.sign_in_id(there, to) for there in seats))
    return Case(cell, needs=needs, receiver=first, also=tuple(others))

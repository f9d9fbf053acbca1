"""Cells of instant messages (M02): between all seats and families, and what must not get through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgewright.access.request import Request
from edgewright.proof import expect, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, Receiver, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Expected

AREA = "message"
FEATURE = "M02"
INSIDE_HEADER = "X-Edgewright-Origin"
FORGED_ORIGIN = "inside;class=internal;level=verified;t=1;h=" + "0" * 64
FOREIGN = "nowhere.example"
"""A domain that no deployment lists (RFC 2606)."""


def make(scope: Scope) -> Iterator[Case]:
    """Message cells of every pair of seats, and the forgeries from each outside seat."""
    pair = sign_in.talkers(scope)
    if len(pair) < 2:
        return
    seats = [seat for seat in scope.seats if scope.sip(seat, scope.domain) is not None]
    for here in seats:
        for there in seats:
            yield _between(scope, here, pair[0], there, pair[1])
            yield _between(scope, here, pair[1], there, pair[0])
    for seat in seats:
        if seat.side == "outside":
            yield from _refused(scope, seat, *pair)


def message_id(here: Seat, sender: str, there: Seat, to: str) -> str:
    """Id of the cell in which `sender` at `here` sends a message to `to`, who also sits at `there`."""
    label = f"{sign_in.name(sender)}-to-{sign_in.name(to)}@{there.vantage}-{there.family}"
    return identifier(AREA, here.vantage, here.family, label)


def _arguments(scope: Scope, seat: Seat, user: str, to: str, /, **more: Any) -> dict[str, Any]:
    where = scope.sip(seat, user.partition("@")[2]) or {}
    return where | {"user": user, "password": RIGHT, "to": to} | more


def _between(scope: Scope, here: Seat, sender: str, there: Seat, to: str) -> Case:
    expected = expect.of(scope.deployment, Request(expect.party(here), FEATURE, who=sender, to=to))
    if expected.allowed:
        expected = Expected(True, shown={"status": 200, "from": sender})
    cell = Maker(AREA, expect.party(here), FEATURE).at(
        here,
        f"{sign_in.name(sender)}-to-{sign_in.name(to)}@{there.vantage}-{there.family}",
        f"to {sign_in.name(to)} at {there}",
        expected,
        "sip.message",
        _arguments(scope, here, sender, to, session=sign_in.session(sender, here)),
        control=None if expected.allowed else sign_in.sign_in_id(here, sender),
    )
    needs = (sign_in.sign_in_id(here, sender), sign_in.sign_in_id(there, to))
    return Case(cell, needs=needs, receiver=Receiver(there.vantage, sign_in.session(to, there)))


def _refused(scope: Scope, seat: Seat, alice: str, bob: str) -> Iterator[Case]:
    maker = Maker(AREA, expect.party(seat), FEATURE)
    # What differs is the one thing forged: the control is the same sender, seat and recipient.
    control = message_id(seat, alice, seat, bob)
    needs = (sign_in.sign_in_id(seat, alice), sign_in.sign_in_id(seat, bob))
    held = {"session": sign_in.session(alice, seat)}

    def cell(label: str, situation: str, expected: Expected, arguments: dict[str, Any], **more: Any) -> Any:
        given = {"control": control} | more
        return maker.at(seat, label, situation, expected, "sip.message", arguments, **given)

    def decided(**facts: Any) -> Expected:
        return expect.of(scope.deployment, Request(expect.party(seat), FEATURE, **facts))

    yield Case(
        cell(
            "spoofed-from",
            f"From claims to be {sign_in.name(bob)}",
            expect.refused("identity-mismatch", sip=True),
            _arguments(scope, seat, alice, bob, sender=bob, **held),
        ),
        needs=needs,
    )
    yield Case(
        cell(
            "forged-inside-header",
            f"carries {INSIDE_HEADER}",
            expect.refused("forged-inside-header", sip=True),
            _arguments(scope, seat, alice, bob, headers=[[INSIDE_HEADER, FORGED_ORIGIN]], **held),
        ),
        needs=needs,
    )
    yield Case(
        cell(
            "forged-dialog",
            "pretends to be in a dialog, Route to the front end",
            expect.refused("forged-dialog", sip=True),
            _arguments(scope, seat, alice, bob, to_tag="forged", headers=[["Route", _route(scope, seat)]]),
        ),
        needs=needs,
    )
    yield Case(
        cell(
            "relay",
            "a password-less sender in our name, to a foreign domain",
            expect.refused("relay-refused", sip=True),
            _arguments(scope, seat, alice, f"victim@{FOREIGN}", password=None),
        ),
        needs=needs,
    )
    for blocked in scope.deployment.policies.blocked_domains[:1]:
        to = f"somebody@{blocked.domain}"
        expected = decided(who=alice, to=to)
        arguments = _arguments(scope, seat, alice, to, **held)
        yield Case(cell("blocked-domain", f"to {blocked.domain}", expected, arguments), needs=needs)
    spare = [a for a in sign_in.admitted(scope, seat) if a not in (alice, bob)]
    if spare:
        yield from _unregistered(scope, seat, spare, bob, cell, decided)


def _unregistered(
    scope: Scope, seat: Seat, spare: list[str], bob: str, cell: Any, decided: Any
) -> Iterator[Case]:
    dave = spare[0]
    label = f"{sign_in.name(dave)}-to-{sign_in.name(bob)}"
    positive = Case(
        cell(
            label,
            "signed in",
            Expected(True, shown={"status": 200, "from": dave}),
            _arguments(scope, seat, dave, bob, session=sign_in.session(dave, seat)),
            control=None,
        ),
        needs=(sign_in.sign_in_id(seat, bob),),
        receiver=Receiver(seat.vantage, sign_in.session(bob, seat)),
    )
    yield positive
    yield Case(
        cell(
            "sender-not-registered",
            "right password, not signed in",
            decided(who=dave, to=bob, registered=False),
            _arguments(scope, seat, dave, bob, forget=True),
            control=positive.cell.id,
        ),
        wave="before",
        needs=(sign_in.sign_in_id(seat, bob),),
    )
    if len(spare) > 1:
        erin = spare[-1]
        yield Case(
            cell(
                "callee-not-registered",
                f"to {sign_in.name(erin)}, who is not signed in",
                decided(who=dave, to=erin, callee_available=False),
                _arguments(scope, seat, dave, erin, session=sign_in.session(dave, seat)),
                control=positive.cell.id,
            ),
        )


def _route(scope: Scope, seat: Seat) -> str:
    """A Route through an Edge to a front end, as somebody would forge it who knows the inside addresses."""
    version = 4 if seat.family == "ipv4" else 6
    hops = []
    for kind, port in (("edge", 443), ("front_end", 5061)):
        for host in scope.plan.of_kind(kind)[:1]:  # type: ignore[arg-type]
            interface = host.interfaces[0]
            address = (interface.ipv4 if version == 4 else interface.ipv6) or interface.ipv4
            if address is not None:
                shown = f"[{address}]" if address.version == 6 else str(address)
                hops.append(f"<sip:{shown}:{port};transport=tls;lr>")
    return ", ".join(hops)

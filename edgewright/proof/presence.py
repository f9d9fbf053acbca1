"""Cells of presence (M01): who sees whom from every seat, what is refused, and that a restart loses nothing.

At every seat the first of two people subscribes to the second, who then publishes at each seat in turn, so
that every state crosses from one vantage and family to another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgewright.access.request import Request
from edgewright.proof import disruption, expect, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, Receiver, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected

AREA = "presence"
FEATURE = "M01"
DOCUMENT_LIMIT = 8192
"""Bytes of a published state that are accepted."""

_PIDF = 'xmlns="urn:ietf:params:xml:ns:pidf"'
_TUPLE = '<tuple id="t"><status><basic>open</basic></status></tuple>'


def make(scope: Scope) -> Iterator[Case]:
    """Presence cells of every seat."""
    pair = sign_in.talkers(scope)
    seats = [seat for seat in scope.seats if scope.sip(seat, scope.domain) is not None]
    if len(pair) < 2 or not seats:
        return
    people = _People(scope, pair[0], pair[1])
    before: tuple[str, ...] = tuple(people.id(seat, "subscribe") for seat in seats)
    for seat, there in zip(seats, [*seats[1:], seats[0]], strict=True):
        yield people.subscribes(seat)
        published = people.publishes(seat, there, before)
        yield published
        yield people.notified(there, seat, published.cell.id)
        before = (published.cell.id, people.id(there, "notified"))
    for seat in seats:
        yield from people.more(seat, before)
        yield from people.refused(seat)
    yield from people.restarted(seats)


@dataclass(frozen=True)
class _People:
    """The cells in which `watcher` watches `user`."""

    scope: Scope
    watcher: str
    user: str

    def id(self, seat: Seat, name: str) -> str:
        """Id of a cell of this module."""
        return identifier(AREA, seat.vantage, seat.family, name)

    def at(self, seat: Seat, account: str, /, **more: Any) -> dict[str, Any]:
        """Arguments of what an account does in the session that it holds at a seat."""
        where = self.scope.sip(seat, account.partition("@")[2]) or {}
        held = {"user": account, "password": RIGHT, "session": sign_in.session(account, seat)}
        return where | held | more

    def expected(self, seat: Seat, who: str, to: str, **shown: Any) -> Expected:
        """What `access` says of `who` at a seat and presence of `to`."""
        found = expect.of(self.scope.deployment, Request(expect.party(seat), FEATURE, who=who, to=to))
        return Expected(True, shown=shown or None) if found.allowed else found

    def cell(
        self,
        seat: Seat,
        name: str,
        situation: str,
        expected: Expected,
        probe: str,
        arguments: dict[str, Any],
        **more: Any,
    ) -> Cell:
        """A cell of M01."""
        return Maker(AREA, expect.party(seat), FEATURE).at(
            seat, name, situation, expected, probe, arguments, **more
        )

    def subscribes(self, seat: Seat) -> Case:
        """The watcher subscribes and stays subscribed."""
        expected = self.expected(seat, self.watcher, self.user, status=200, subscription="active")
        arguments = self.at(seat, self.watcher, to=self.user, dialog="buddy")
        cell = self.cell(
            seat, "subscribe", f"to {sign_in.name(self.user)}", expected, "sip.subscribe", arguments
        )
        return Case(cell, needs=(sign_in.sign_in_id(seat, self.watcher),))

    def publishes(self, seat: Seat, there: Seat, before: tuple[str, ...]) -> Case:
        """The user publishes at a seat; the watcher is told at another."""
        cell = self.cell(
            seat,
            "publish",
            f"in a meeting; {sign_in.name(self.watcher)} is told at {there}",
            self.expected(seat, self.user, self.watcher, status=200, delivered=True),
            "sip.publish",
            self.at(seat, self.user, state="busy"),
        )
        return Case(
            cell,
            needs=(sign_in.sign_in_id(seat, self.user), self.id(there, "subscribe")),
            receiver=Receiver(there.vantage, sign_in.session(self.watcher, there)),
            after=before,
        )

    def notified(self, seat: Seat, from_: Seat, published: str) -> Case:
        """What a colleague sees of it: the state, and nothing about where."""
        wanted = {"subscription": "active", "basic": "open", "activities": ["busy"], "places": 0}
        cell = self.cell(
            seat,
            "notified",
            f"busy, as published at {from_}",
            self.expected(seat, self.watcher, self.user, **wanted),
            "sip.look",
            {"session": sign_in.session(self.watcher, seat), "dialog": "buddy", "wanted": wanted},
        )
        return Case(cell, needs=(self.id(seat, "subscribe"), published), after=(published,))

    def more(self, seat: Seat, before: tuple[str, ...]) -> Iterator[Case]:
        """Refreshing, and who watches me."""
        subscribed = self.id(seat, "subscribe")
        cell = self.cell(
            seat,
            "refresh",
            "within the dialog",
            self.expected(seat, self.watcher, self.user, status=200, subscription="active", basic="open"),
            "sip.subscribe",
            self.at(seat, self.watcher, to=self.user, dialog="buddy"),
        )
        yield Case(cell, needs=(subscribed, self.id(seat, "publish")), after=before)
        cell = self.cell(
            seat,
            "watchers",
            "who watches me",
            Expected(
                True,
                shown={"status": 200, "subscription": "terminated", "watchers": {self.watcher: "active"}},
            ),
            "sip.subscribe",
            self.at(seat, self.user, to=self.user, package="presence.winfo", expires=0),
        )
        yield Case(cell, needs=(subscribed, sign_in.sign_in_id(seat, self.user)), after=before)

    def refused(self, seat: Seat) -> Iterator[Case]:
        """What nobody may do, and documents that are not taken."""
        subscribed, published = self.id(seat, "subscribe"), self.id(seat, "publish")
        other = sign_in.name(self.user)

        def case(name: str, situation: str, reason: str, probe: str, control: str, /, **more: Any) -> Case:
            account = self.user if probe == "sip.publish" else self.watcher
            cell = self.cell(
                seat,
                name,
                situation,
                expect.refused(reason, sip=True),
                probe,
                self.at(seat, account, **more),
                control=control,
            )
            return Case(cell, needs=(sign_in.sign_in_id(seat, account),))

        yield case(
            "watchers-of-another", f"who watches {other}", "not-own-document", "sip.subscribe", subscribed,
            to=self.user, package="presence.winfo",
        )  # fmt: skip
        yield case(
            "forged-subscription", "pretends to be in a dialog", "forged-dialog", "sip.subscribe", subscribed,
            to=self.user, to_tag="forged",
        )  # fmt: skip
        yield case(
            "publish-for-another", f"a state of {sign_in.name(self.watcher)}", "identity-mismatch",
            "sip.publish", published, to=self.watcher,
        )  # fmt: skip
        yield case(
            "unknown-package", "an event that nobody serves", "event-not-served", "sip.publish", published,
            package="x-nonsense",
        )  # fmt: skip
        for name, (situation, reason, more) in documents(self.user, self.watcher).items():
            yield case(name, situation, reason, "sip.publish", published, **more)

    def restarted(self, seats: list[Seat]) -> Iterator[Case]:
        """The Front Ends start anew: states and subscriptions are still there."""
        for broken in disruption.all_of(self.scope):
            if broken.name != disruption.FRONT_END_RESTARTED:
                continue
            for seat in seats:
                if seat.side == "inside":
                    continue
                cell = self.cell(
                    seat,
                    "after-restart",
                    "the Front Ends were started anew; refreshed, the state as published before",
                    self.expected(
                        seat, self.watcher, self.user, status=200, subscription="active", basic="open"
                    ),
                    "sip.subscribe",
                    self.at(seat, self.watcher, to=self.user, dialog="buddy"),
                    impact="disrupts",
                )
                needs = (self.id(seat, "subscribe"), self.id(seat, "publish"))
                yield Case(cell, broken.after, needs, within=disruption.RECOVERY)


def documents(owner: str, other: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Published documents that must be refused: name -> (in words, reason, what is published)."""
    entity = f'entity="sip:{owner}"'
    right = f"<presence {_PIDF} {entity}>{_TUPLE}</presence>"
    noted = right.replace(_TUPLE, f"{_TUPLE}<note>&x;</note>")
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE presence [<!ENTITY e0 "ha">{levels}]>'
    return {
        "bomb": (
            "entities that grow without end", "document-invalid",
            {"body": f"{bomb}<presence {_PIDF} {entity}>{_TUPLE}<note>&e9;</note></presence>"},
        ),
        "external-entity": (
            "an entity of this server's files", "document-invalid",
            {"body": f'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>{noted}'},
        ),
        "hidden-bomb": (
            "the same in UTF-16", "document-invalid",
            {"body": f"\ufeff{bomb}<presence {_PIDF} {entity}>{_TUPLE}</presence>", "encoding": "utf-16-le"},
        ),
        "other-encoding": (
            "an encoding that hides markup", "document-invalid",
            {"body": f'<?xml version="1.0" encoding="UTF-7"?>{right}'},
        ),
        "not-xml": ("no XML", "document-invalid", {"body": right[:-4]}),
        "of-another": (
            "a document about somebody else", "document-invalid", {"body": right.replace(owner, other)},
        ),
        "no-tuple": ("no state in it", "document-invalid", {"body": right.replace(_TUPLE, "")}),
        "wrong-type": ("another content type", "document-type", {"body": right, "type": "text/plain"}),
        "too-large": (
            "more than may be", "document-too-large",
            {"body": right.replace(_TUPLE, f"{_TUPLE}<note>{'x' * DOCUMENT_LIMIT}</note>")},
        ),
    }  # fmt: skip

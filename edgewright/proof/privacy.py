"""Cells of privacy (M01, M32): one user's rules decide what another one sees of him, at once and everywhere.

The user of `presence`'s cells changes his rules from one seat; the watcher looks at what he is told at each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgewright.proof import contacts, expect, presence, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected

AREA = "privacy"
WAVE = "privacy"

_RULESET = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<cr:ruleset xmlns:cr="urn:ietf:params:xml:ns:common-policy" '
    'xmlns:pr="urn:ietf:params:xml:ns:pres-rules">{}</cr:ruleset>'
)
_RULE = (
    '<cr:rule id="{id}"><cr:conditions><cr:identity>{whom}</cr:identity></cr:conditions>'
    "<cr:actions><pr:sub-handling>{handling}</pr:sub-handling></cr:actions>"
    "<cr:transformations>{shown}</cr:transformations></cr:rule>"
)
_LEVELS = {
    "external": "",
    "colleagues": "<pr:provide-note>true</pr:provide-note>",
    "workgroup": "<pr:provide-all-attributes/>",
}


def rules(watcher: str, handling: str, level: str = "colleagues") -> str:
    """Rules for one watcher; everybody else sees what colleagues do."""
    one = _RULE.format(
        id="one", whom=f'<cr:one id="sip:{watcher}"/>', handling=handling, shown=_LEVELS[level]
    )
    rest = _RULE.format(
        id="rest",
        whom=f'<cr:many><cr:except id="sip:{watcher}"/></cr:many>',
        handling="allow",
        shown=_LEVELS["colleagues"],
    )
    return _RULESET.format(one + rest)


def make(scope: Scope) -> Iterator[Case]:
    """One level after the other: set at one seat, looked at from all."""
    pair = sign_in.talkers(scope)
    seats = [seat for seat in scope.seats if scope.sip(seat, scope.domain) is not None]
    if len(pair) < 2:
        return
    at = next((s for s in seats if contacts.place(scope, s, pair[1], "") is not None), None)
    if at is not None:
        yield from _Cells(scope, at, tuple(seats), pair[0], pair[1]).all_of()


@dataclass(frozen=True)
class _Cells:
    scope: Scope
    at: Seat
    seats: tuple[Seat, ...]
    watcher: str
    user: str

    def all_of(self) -> Iterator[Case]:
        """Every level in turn; at the end as before."""
        who = sign_in.name(self.watcher)
        before: tuple[str, ...] = ()
        levels: list[tuple[str, str, str | None, dict[str, Any]]] = [
            ("workgroup", f"{who} sees all", rules(self.watcher, "allow", "workgroup"), {"places": 1}),
            (
                "external",
                f"{who} sees the state alone",
                rules(self.watcher, "allow", "external"),
                {"places": 0, "basic": "open", "activities": ["busy"], "notes": []},
            ),
            (
                "blocked",
                f"{who} sees somebody who is offline",
                rules(self.watcher, "polite-block"),
                {"subscription": "active", "basic": "closed", "activities": [], "notes": []},
            ),
            ("confirm", f"{who} has to wait", rules(self.watcher, "confirm"), {"subscription": "pending"}),
            ("default", "no rules: as colleagues", None, {"subscription": "active", "basic": "open"}),
            ("rejected", f"{who} is refused", rules(self.watcher, "block"), {"subscription": "terminated"}),
        ]
        for name, situation, document, wanted in levels:
            put = self.put(name, situation, document)
            yield Case(put, WAVE, self.held(self.at), after=before)
            looks = [self.look(seat, name, situation, wanted) for seat in self.seats]
            for seat, look in zip(self.seats, looks, strict=True):
                yield Case(look, WAVE, (*self.held(seat), put.id), after=(put.id,))
            before = tuple(look.id for look in looks)
            if name == "blocked":
                yield from self.unseen(before)
                before = tuple(self.id(seat, "blocked-unseen") for seat in self.seats)
            if name == "confirm":
                waits = self.waiting()
                yield Case(waits, WAVE, (put.id,), after=before)
                before = (waits.id,)
        refused = [self.subscribe(seat) for seat in self.seats]
        for cell in refused:
            yield Case(cell, WAVE, (self.id(self.at, "set-rejected"),), after=before)
        end = self.put("nothing", "no rules, as before", None)
        yield Case(end, WAVE, after=tuple(cell.id for cell in refused))

    def id(self, seat: Seat, name: str) -> str:
        """Id of a cell of this module."""
        return identifier(AREA, seat.vantage, seat.family, name)

    def held(self, seat: Seat) -> tuple[str, ...]:
        """The presence cells that must have run: the watcher's subscription, and something published."""
        last = self.seats[-1]
        return tuple(
            identifier(presence.AREA, s.vantage, s.family, name)
            for s, name in ((seat, "subscribe"), (last, "publish"))
        )

    def cell(
        self, seat: Seat, name: str, situation: str, expected: Expected, probe: str,
        arguments: dict[str, Any],
        **more: Any,
    ) -> Cell:  # fmt: skip
        """A cell of M01 that changes what a test account has stored."""
        maker = Maker(AREA, expect.party(seat), presence.FEATURE)
        return maker.at(seat, name, situation, expected, probe, arguments, impact="changes", **more)

    def put(self, name: str, situation: str, document: str | None) -> Cell:
        """The user sets his rules, or takes them away."""
        where = (
            contacts.place(self.scope, self.at, self.user, contacts.path_of(self.user, "pres-rules")) or {}
        )
        more: dict[str, Any] = {"method": "DELETE"}
        if document is not None:
            more = {"method": "PUT", "body": document, "headers": [["Content-Type", contacts.RULES]]}
        return self.cell(
            self.at,
            f"set-{name}",
            situation,
            Expected(True, shown={"status": contacts.STORED}),
            "http.request",
            where | {"user": self.user, "password": RIGHT} | more,
        )

    def look(self, seat: Seat, name: str, situation: str, wanted: dict[str, Any]) -> Cell:
        """What the watcher is told at a seat."""
        arguments = {
            "session": sign_in.session(self.watcher, seat),
            "dialog": "buddy",
            "wanted": wanted,
            "timeout": 8,
        }
        return self.cell(seat, name, situation, Expected(True, shown=wanted), "sip.look", arguments)

    def unseen(self, before: tuple[str, ...]) -> Iterator[Case]:
        """Who is blocked sees nothing of what is published meanwhile, and cannot tell that he is blocked."""
        where = self.scope.sip(self.at, self.scope.domain) or {}
        session = sign_in.session(self.user, self.at)
        published = self.cell(
            self.at,
            "blocked-publish",
            "published while the watcher is blocked",
            Expected(True, shown={"status": 200}),
            "sip.publish",
            where | {"user": self.user, "password": RIGHT, "session": session, "state": "away"},
        )
        yield Case(published, WAVE, after=before)
        for seat in self.seats:
            where = self.scope.sip(seat, self.scope.domain) or {}
            session = sign_in.session(self.watcher, seat)
            cell = self.cell(
                seat,
                "blocked-unseen",
                "asks meanwhile",
                Expected(True, shown={"status": 200, "basic": "closed", "activities": [], "notes": []}),
                "sip.subscribe",
                where
                | {
                    "user": self.watcher,
                    "password": RIGHT,
                    "session": session,
                    "to": self.user,
                    "expires": 0,
                },
            )
            yield Case(cell, WAVE, self.held(seat), after=(published.id,))

    def waiting(self) -> Cell:
        """The user sees who waits for his answer."""
        where = self.scope.sip(self.at, self.scope.domain) or {}
        session = sign_in.session(self.user, self.at)
        more = {"to": self.user, "package": "presence.winfo", "expires": 0}
        return self.cell(
            self.at,
            "confirm-waiting",
            "who waits for me",
            Expected(True, shown={"status": 200, "watchers": {self.watcher: "pending"}}),
            "sip.subscribe",
            where | {"user": self.user, "password": RIGHT, "session": session} | more,
        )

    def subscribe(self, seat: Seat) -> Cell:
        """Who is refused is told no more than that the other one cannot be reached."""
        where = self.scope.sip(seat, self.scope.domain) or {}
        session = sign_in.session(self.watcher, seat)
        return self.cell(
            seat,
            "rejected-subscribe",
            "subscribes anew",
            expect.refused("recipient-refused", sip=True),
            "sip.subscribe",
            where | {"user": self.watcher, "password": RIGHT, "session": session, "to": self.user},
            control=identifier(presence.AREA, seat.vantage, seat.family, "subscribe"),
        )

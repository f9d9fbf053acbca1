"""Cells of meetings by instant message (M03, M04): opened, entered, talked in, left, ended at every seat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgewright.access.request import Meeting, Request
from edgewright.model import resolve
from edgewright.proof import expect, sign_in
from edgewright.proof.case import RIGHT, RUN, Case, Maker, Receiver, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected

AREA = "meeting"
OPEN, INVITE, JOIN, TALK, LEAVE, END = WAVES = tuple(
    f"meeting-{step}" for step in ("open", "invite", "join", "talk", "leave", "end")
)
"""Each begins when the one before is over."""

FEW = 2
"""A meeting that so many may attend can be filled by the proof."""


def room(organiser: str, seat: Seat, name: str = "proof") -> str:
    """Address of a meeting that only this run and this seat have."""
    user, _, domain = organiser.partition("@")
    return f"room.{user}.{name}-{RUN}-{seat.vantage}-{seat.family}@{domain}".lower()


def make(scope: Scope) -> Iterator[Case]:
    """Meeting cells of every seat."""
    pair = sign_in.talkers(scope)
    if len(pair) < 2:
        return
    for seat in scope.seats:
        if scope.sip(seat, scope.domain) is not None:
            yield from _Steps(scope, seat, pair[0], pair[1]).all()


@dataclass(frozen=True, slots=True)
class _Steps:
    scope: Scope
    seat: Seat
    alice: str
    bob: str

    def all(self) -> Iterator[Case]:
        """A meeting of Alice's from the first word to the last, and one with too few seats."""
        alice, bob, here = self.alice, self.bob, room(self.alice, self.seat)
        mine = {"meeting": Meeting(alice, kind="meet_now")}
        yield self.works("opened", "M04", alice, here, "#create", f"This is the meeting {here}", OPEN, mine)
        yield self.works(
            "invited", "M04", alice, here, f"#invite {bob}", f"meeting {here}", INVITE, mine, to=bob
        )
        outside = Meeting(alice, kind="meet_now", joined=False)
        for label, text in (("writes-from-outside", ""), ("roster-from-outside", "#members")):
            yield self.refused(label, "M03", bob, here, text, INVITE, {"meeting": outside}, "said-by-bob")
        yield self.works(
            "joined", "M03", bob, here, "#join", f"{bob} has joined {here}", JOIN, mine, to=alice
        )
        none = room(alice, self.seat, "none")
        unknown = Meeting(alice, kind="meet_now", known=False)
        yield self.refused("unknown", "M03", bob, none, "#join", JOIN, {"meeting": unknown}, "joined")
        yield self.works("said-by-alice", "M03", alice, here, "", None, TALK, mine, to=bob)
        yield self.works("said-by-bob", "M03", bob, here, "", None, TALK, mine, to=alice)
        yield self.works("roster", "M03", bob, here, "#members", f"In {here}:\n*{alice}\n{bob}", TALK, mine)
        yield self.case(
            "ended-by-another", "M09", bob, here, expect.refused("not-presenter", sip=True), "#destroy", TALK,
            control="said-by-bob",
        )  # fmt: skip
        yield self.case(
            "speaks-as-room", "M03", alice, bob, expect.refused("identity-mismatch", sip=True), "", TALK,
            control="said-by-alice", sender=here,
        )  # fmt: skip
        yield self.works("left", "M03", bob, here, "#leave", f"{bob} has left {here}", LEAVE, mine, to=alice)
        yield self.works("ended", "M04", alice, here, "#destroy", None, END, mine, silent=True)
        yield from self.full()

    def full(self) -> Iterator[Case]:
        """The organiser's policy says how many may be there."""
        found = [a for a in sign_in.admitted(self.scope, self.seat)[1:-1] if self.size(a) == FEW]
        found = [account for account in found if account not in (self.alice, self.bob)]
        if not found:
            return
        erin, alice, bob = found[0], self.alice, self.bob
        here = room(erin, self.seat)
        seated = Meeting(erin, kind="meet_now")
        signed = self.maker("sign-in").at(
            self.seat,
            f"{sign_in.name(erin)}-signs-in",
            "right password, stays",
            sign_in.request(self.scope, self.seat, erin),
            "sip.register",
            self.arguments(erin),
        )
        yield Case(signed, "before")
        mine = {"meeting": seated}
        there = f"This is the meeting {here}"
        yield self.works("small-opened", "M04", erin, here, "#create", there, OPEN, mine, needs=(signed.id,))
        heard = f"{alice} has joined {here}"
        yield self.works("small-joined", "M03", alice, here, "#join", heard, INVITE, mine, to=erin)
        full = {"meeting": Meeting(erin, kind="meet_now", participants=FEW)}
        yield self.refused("full", "M03", bob, here, "#join", JOIN, full, "small-joined")
        gone = f"The meeting {here} has ended"
        yield self.works("small-ended", "M04", erin, here, "#destroy", gone, END, mine, to=alice)

    def size(self, account: str) -> int:
        """How many may attend a meeting of this account's."""
        return int(resolve.effective(self.scope.deployment, "conferencing", account)[0].max_meeting_size)

    def maker(self, feature: str) -> Maker:
        """Cells of a feature at this seat."""
        return Maker(AREA, expect.party(self.seat), feature)

    def arguments(self, user: str, **more: Any) -> dict[str, Any]:
        """How somebody is reached and signs in, in a session that stays."""
        where = self.scope.sip(self.seat, user.partition("@")[2]) or {}
        held = {"session": sign_in.session(user, self.seat)}
        return where | {"user": user, "password": RIGHT} | held | more

    def decided(self, feature: str, who: str, facts: dict[str, Any]) -> Expected:
        """What access says of it."""
        return expect.of(self.scope.deployment, Request(expect.party(self.seat), feature, who=who, **facts))

    def works(
        self,
        label: str,
        feature: str,
        who: str,
        here: str,
        text: str,
        awaits: str | None,
        wave: str,
        facts: dict[str, Any],
        *,
        to: str | None = None,
        silent: bool = False,
        needs: tuple[str, ...] = (),
    ) -> Case:
        """Something allowed; `to` (default: who asks) hears `awaits` of the room, or the text itself."""
        expected = self.decided(feature, who, facts)
        if expected.allowed:
            expected = Expected(True, shown={"status": 200} | ({} if silent else {"from": here}))
        receiver = Receiver(self.seat.vantage, sign_in.session(to or who, self.seat))
        more = {"awaits": awaits} if awaits else {}
        return self.case(
            label, feature, who, here, expected, text, wave,
            control=None if expected.allowed else "sign-in", needs=needs,
            receiver=None if silent else receiver, **more,
        )  # fmt: skip

    def refused(
        self,
        label: str,
        feature: str,
        who: str,
        here: str,
        text: str,
        wave: str,
        facts: dict[str, Any],
        control: str,
    ) -> Case:
        """Something that access refuses."""
        expected = self.decided(feature, who, facts)
        return self.case(label, feature, who, here, expected, text, wave, control=control)

    def case(
        self,
        label: str,
        feature: str,
        who: str,
        to: str,
        expected: Expected,
        text: str,
        wave: str,
        *,
        control: str | None = None,
        receiver: Receiver | None = None,
        needs: tuple[str, ...] = (),
        **more: Any,
    ) -> Case:
        """One request; `control` is the label of another one at this seat."""
        more |= {"begins": text} if text else {}
        cell: Cell = self.maker(feature).at(
            self.seat,
            label,
            f"{sign_in.name(who)}: {text or 'a message'}",
            expected,
            "sip.message",
            self.arguments(who, to=to, **more),
            control=None if control is None else self.identity(control),
        )
        return Case(
            cell, wave, (self.identity("opened"), *needs) if label != "opened" else (), receiver=receiver
        )

    def identity(self, label: str) -> str:
        """Id of a cell at this seat."""
        if label == "sign-in":
            return sign_in.sign_in_id(self.seat, self.alice)
        return identifier(AREA, self.seat.vantage, self.seat.family, label)

"""Cells of meetings by instant message with people of other organisations (M03, M04).

One of ours opens a meeting and invites somebody outside, who comes in, talks and is told of its end; public
providers have no meetings. What happens among ourselves is tried in `rooms`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgewright.access.request import Meeting, Request
from edgewright.proof import crossing, expect, federation, peers, sign_in
from edgewright.proof.case import Case, Maker, identifier
from edgewright.proof.crossing import Person
from edgewright.proof.rooms import END, INVITE, JOIN, OPEN, TALK, room
from edgewright.proof.scope import Scope
from edgewright.proof.types import Expected

JOINS, ESCALATES = "M03", "M04"


def make(scope: Scope) -> Iterator[Case]:
    """A meeting at each of our seats with somebody of each partner and provider whom one may write to."""
    account = next(iter(sign_in.talkers(scope)), None)
    if account is None:
        return
    for (party, reason), peer in federation.standings(scope).items():
        if reason is not None:
            continue
        theirs = list(federation.people(scope, peer))
        for number, seat in enumerate(peers.ours(scope)):
            meeting = _Meeting(scope, Person(account, seat), theirs[number % len(theirs)])
            yield from meeting.opened()
            yield from meeting.public() if party == "public" else meeting.federated()


@dataclass(frozen=True, slots=True)
class _Meeting:
    scope: Scope
    ours: Person
    theirs: Person

    @property
    def room(self) -> str:
        """A meeting of its own for each seat and domain."""
        assert self.theirs.peer is not None
        # A dot ends the name of whoever opened it.
        return room(self.ours.account, self.ours.seat, self.theirs.peer.domain.replace(".", "-"))

    def opened(self) -> Iterator[Case]:
        """Ours opens it, and ends it when all is said: a partner who is there is told."""
        there = f"This is the meeting {self.room}"
        yield self.case("opened", ESCALATES, self.ours, "#create", OPEN, to=self.ours, awaits=there)
        assert self.theirs.peer is not None
        told = f"The meeting {self.room} has ended"
        if self.theirs.peer.party(self.scope.deployment) == "public":
            yield self.case("ended", ESCALATES, self.ours, "#destroy", END)
        else:
            yield self.case("ended", ESCALATES, self.ours, "#destroy", END, to=self.theirs, awaits=told)

    def federated(self) -> Iterator[Case]:
        """A partner's user is a member like others; only inviting more is for our own."""
        ours, theirs = self.ours, self.theirs
        invited = f"meeting {self.room}"
        yield self.case(
            "invited", ESCALATES, ours, f"#invite {theirs.account}", INVITE, to=theirs, awaits=invited
        )
        come = f"{theirs.account} has joined {self.room}"
        yield self.case("joined", JOINS, theirs, "#join", JOIN, to=ours, awaits=come)
        yield self.case("said-by-ours", JOINS, ours, "", TALK, to=theirs)
        yield self.case("said-by-theirs", JOINS, theirs, "", TALK, to=ours)
        yield self.case(
            "theirs-invites", ESCALATES, theirs, f"#invite {ours.account}", TALK,
            outcome=expect.refused("not-presenter", sip=True), control="said-by-theirs",
        )  # fmt: skip

    def public(self) -> Iterator[Case]:
        """Public IM is between two people (X01): no invitation leaves, nobody comes in."""
        ours, theirs = self.ours, self.theirs
        told = f"{theirs.account} could not be invited to {self.room}"
        yield self.case(
            "not-invited", ESCALATES, ours, f"#invite {theirs.account}", INVITE, to=ours, awaits=told
        )
        assert theirs.peer is not None
        meeting = Meeting(ours.account, kind="meet_now")
        request = Request("public", JOINS, who=theirs.account, meeting=meeting, srv_target=theirs.peer.target)
        outcome = expect.of(self.scope.deployment, request)
        yield self.case("joined", JOINS, theirs, "#join", JOIN, outcome=outcome, control="opened")

    def case(
        self,
        label: str,
        feature: str,
        who: Person,
        text: str,
        wave: str,
        *,
        to: Person | None = None,
        awaits: str | None = None,
        outcome: Expected | None = None,
        control: str | None = None,
    ) -> Case:
        """One request to the meeting; `to` hears `awaits`, or the text itself, from the meeting."""
        shown: dict[str, Any] = {"status": 200} | ({"from": self.room} if to else {})
        if to is not None and to.peer is not None:
            shown["leaked"] = []
        more = {"begins": text} if text else {}
        more |= {"awaits": awaits} if awaits else {}
        peer = self.theirs.peer
        assert peer is not None
        party = expect.party(who.seat) if who.peer is None else peer.party(self.scope.deployment)
        cell = Maker(federation.area(self.scope, peer), party, feature).at(
            who.seat,
            self.name(label),
            f"meeting with {self.theirs.account}; {who.account}: {text or 'a message'}",
            outcome or Expected(True, shown=shown),
            "sip.message",
            who.where(self.scope) | {"to": self.room} | more,
            control=None if control is None else self.identity(control),
        )
        needs = (*federation.needs(self.scope, self.ours), *federation.needs(self.scope, self.theirs))
        before = (self.identity("opened"),) if label != "opened" else ()
        receiver = crossing.receiver(self.scope, to) if to is not None else None
        return Case(cell, wave, (*needs, *before), receiver=receiver)

    def name(self, label: str) -> str:
        """The last part of an id: which meeting, and what is done."""
        assert self.theirs.peer is not None
        seat = self.ours.seat
        return f"meeting-{self.theirs.peer.domain}-at-{seat.vantage}-{seat.family}-{label}"

    def identity(self, label: str) -> str:
        """Id of a cell of this meeting."""
        theirs = label == "said-by-theirs" or (label == "joined" and self.theirs.peer is not None)
        who = self.theirs if theirs else self.ours
        assert self.theirs.peer is not None
        area = federation.area(self.scope, self.theirs.peer)
        return identifier(area, who.seat.vantage, who.seat.family, self.name(label))

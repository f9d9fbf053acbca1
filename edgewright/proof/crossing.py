"""Crossing between organisations: what is tried, what must happen, and who must have logged why.

Used for the deployment as described (`federation`), and with settings turned over (`flips`, `situations`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from edgewright.access.decide import decide
from edgewright.access.decision import Decision
from edgewright.access.request import Party, Request
from edgewright.model.deployment import Deployment
from edgewright.plan.tables import FILE_TYPE
from edgewright.proof import expect, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, Receiver
from edgewright.proof.peers import Peer
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected, Impact

Mark = Literal["verifiable", "unverifiable", "none"]

UNTOLD = (
    "callee-unavailable",
    "federation-access-off",
    "public-access-off",
    "public-media-off",
    "not-a-contact",
)
"""Reasons about a user of ours: outsiders get one answer for all of them."""

MARK = "ms-source-verified-user"
"""Header that says whether the sending organisation has verified who sends."""
DISCLAIMER = "ms-archiving-disclaimer"
"""Header that says that messages may be archived."""

NOBODY = 404
FORBIDDEN = 403
SECOND_HAND = {503: 500}
"""What a proxy makes of another's status on its way to its own users (RFC 3261 section 16.7)."""


@dataclass(frozen=True)
class Way:
    """Something that is tried: the row of the matrix when ours or theirs begin, and how it is tried."""

    name: str
    outward: str
    inward: str
    probe: str
    arguments: dict[str, Any] = field(default_factory=dict)
    arrives: bool = True
    """Whether it reaches a session of the other one."""

    def feature(self, *, inbound: bool) -> str:
        """The row that is asked about."""
        return self.inward if inbound else self.outward


MESSAGE = Way("message", "M31", "M02", "sip.message")
CALL = Way("call", "M14", "M14", "sip.call")
FILE_TRANSFER = Way("file", "M17", "M17", "sip.message", {"content_type": FILE_TYPE})
PRESENCE = Way("presence", "M01", "M01", "sip.subscribe", {"expires": 60}, arrives=False)
WAYS = (MESSAGE, CALL, FILE_TRANSFER, PRESENCE)


@dataclass(frozen=True)
class Person:
    """Somebody at a seat; `peer` None: one of ours. `session`: name of the registration held there."""

    account: str
    seat: Seat
    peer: Peer | None = None
    session: str = ""

    @property
    def name(self) -> str:
        """How ids call them: ours by name, others by address."""
        return sign_in.name(self.account) if self.peer is None else self.account

    @property
    def held(self) -> str:
        """The held session."""
        return self.session or sign_in.session(self.account, self.seat)

    def where(self, scope: Scope) -> dict[str, Any]:
        """How a client finds the service of its own organisation, and who it is there."""
        found = scope.sip(self.seat, self.account.partition("@")[2]) or {}
        return found | {"user": self.account, "password": RIGHT, "session": self.held}


def expected(
    scope: Scope,
    deployment: Deployment,
    way: Way,
    sender: Person,
    to: Person,
    *,
    available: bool = True,
    mark: Mark | None = None,
    contact: bool = False,
) -> Expected:
    """What must happen when `sender` does `way` to `to`, and what each side's hosts must log.

    One of the two is ours. `available`: ours is signed in, where ours is the recipient. `mark`: what the
    message says of its sender; left out: what the other side says by itself. `contact`: the sender stands in
    the recipient's contact list.
    """
    inbound = sender.peer is not None
    peer = sender.peer or to.peer
    assert peer is not None
    ours, theirs = (to, sender) if inbound else (sender, to)
    refused = peer.against(scope, way.feature(inbound=inbound), theirs.account, ours.account, inbound=inbound)
    decision = decide(
        deployment,
        Request(
            peer.party(deployment) if inbound else expect.party(ours.seat),
            way.feature(inbound=inbound),
            who=sender.account,
            to=to.account,
            srv_target=peer.target,
            callee_available=available,
            peer_agrees=inbound or refused is None,
            contact=contact,
            mark=mark or ("verifiable" if peer.deployment is not None else "none"),
        ),
    )
    if inbound and refused is not None:
        return _stopped_there(peer, refused)
    if decision.allowed:
        shown: dict[str, Any] = {"status": 200, "from": sender.account}
        if not inbound:
            shown |= {"leaked": [], "says": says(deployment, peer)}
        if way.probe == "sip.call":
            shown["bye"] = 200
        if not way.arrives:
            shown = {"status": 200, "subscription": "active"}
        return Expected(True, shown=shown)
    if inbound:
        return _refused_inward(scope, peer, decision)
    return _refused_outward(scope, peer, decision, refused)


def says(deployment: Deployment, peer: Peer) -> list[str]:
    """Headers in which our Edge says something to the other organisation (8.2).

    An Access Edge of our making keeps the mark, which is meant for it, from its users.
    """
    edge = deployment.policies.access_edge
    found = {
        DISCLAIMER: edge.enable_archiving_disclaimer,
        MARK: edge.mark_source_verifiable_on_outgoing_messages and peer.deployment is None,
    }
    return sorted(name for name, said in found.items() if said)


def _stopped_there(peer: Peer, reason: str) -> Expected:
    """Their own side does not let it leave: ours never hears of it."""
    return Expected(False, None, {"logged": {peer.domain: reason}})


def _refused_inward(scope: Scope, peer: Peer, decision: Decision) -> Expected:
    """We refuse; their Access Edge, where it is one of our making, says that its peer refused."""
    reason = decision.reason or ""
    status = inward_status(decision)
    logged = {scope.deployment.name: reason}
    if peer.deployment is not None and status == FORBIDDEN:
        logged[peer.domain] = "peer-refused"
    shown = SECOND_HAND.get(status, status)
    return Expected(False, reason, {"status": shown, "logged": logged})


def inward_status(decision: Decision) -> int:
    """What an outsider is answered: of our users nothing, but that a known one who may talk is not there."""
    reason = decision.reason or ""
    status = int((expect.refused(reason, sip=True).shown or {})["status"])
    if reason not in UNTOLD:
        return status
    absent = all(link.name == "callee_available" for link in decision.against if link.reason == reason)
    return status if absent and reason == "callee-unavailable" else NOBODY


def _refused_outward(scope: Scope, peer: Peer, decision: Decision, refused: str | None) -> Expected:
    """We refuse, and nothing reaches them; or they do, and both sides say so."""
    reason = decision.reason or ""
    if reason != "peer-refused" or refused is None:
        made = expect.refused(reason, sip=True)
        return replace(
            made, shown=(made.shown or {}) | {"logged": {scope.deployment.name: reason}, "reached": []}
        )
    told = refused in UNTOLD
    logged = {peer.domain: refused} | ({} if told else {scope.deployment.name: reason})
    return Expected(
        False, None if told else reason, {"status": NOBODY if told else FORBIDDEN, "logged": logged}
    )


def secrets(scope: Scope) -> tuple[str, ...]:
    """What nobody outside may read in a header."""
    return (scope.deployment.topology.internal_domain,)


def receiver(scope: Scope, to: Person) -> Receiver:
    """Whose session gets it; an outsider's is looked through for what must not leave."""
    return Receiver(to.seat.vantage, to.held, secrets(scope) if to.peer is not None else ())


def label(way: Way, sender: Person, to: Person) -> str:
    """The last part of an id: who does what to whom, and where that one sits."""
    return f"{way.name}-{sender.name}-to-{to.name}-at-{to.seat.vantage}-{to.seat.family}"


def cell(
    scope: Scope,
    area: str,
    way: Way,
    sender: Person,
    to: Person,
    outcome: Expected,
    *,
    name: str | None = None,
    situation: str = "",
    impact: Impact = "read",
) -> Cell:
    """The cell at the sender's seat; its control is put in later (`controlled`)."""
    party: Party = expect.party(sender.seat) if sender.peer is None else sender.peer.party(scope.deployment)
    arguments = sender.where(scope) | {"to": to.account} | way.arguments
    return Maker(area, party, way.feature(inbound=sender.peer is not None)).at(
        sender.seat,
        name or label(way, sender, to),
        situation or f"{way.name} from {sender.account} to {to.account} at {to.seat}",
        outcome,
        way.probe,
        arguments,
        impact=impact,
    )


def controlled(cases: Iterable[Case]) -> list[Case]:
    """The cases, each refusal with the nearest cell that must work as its control.

    Nearest: of the same direction, from the same seat, the same way, to the same seat or person.
    """
    found = list(cases)
    working = [case.cell for case in found if case.cell.expected.allowed and "to" in case.cell.arguments]

    def distance(one: Cell, other: Cell) -> tuple[bool, ...]:
        mine, theirs = one.arguments, other.arguments
        return (
            one.party != other.party and "remote" in (one.party, other.party),
            (one.vantage, one.family) != (other.vantage, other.family),
            one.probe != other.probe or mine.get("content_type") != theirs.get("content_type"),
            mine["to"] != theirs["to"] and mine["user"] != theirs["user"],
            mine["to"] != theirs["to"],
        )

    made = []
    for case in found:
        one = case.cell
        if one.expected.allowed or one.control is not None or not working:
            made.append(case)
            continue
        near = min(working, key=lambda other: distance(one, other))
        made.append(replace(case, cell=replace(one, control=near.id)))
    return made

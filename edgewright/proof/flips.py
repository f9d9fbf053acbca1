"""Flips: a setting is turned over live, under clients that stay connected, and always put back.

Which settings is not written here: each one of the model that has a direction is turned over in memory, one
at a time, and asked about; those that change the answer to anything that is deployed and tried here are
flipped for real. So a setting of a later feature is proven as soon as that feature has an ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from edgewright.access.request import Request
from edgewright.model.deployment import Deployment
from edgewright.plan.types import Plan
from edgewright.proof import (
    contacts,
    crossing,
    expect,
    federation,
    files,
    messages,
    peers,
    presence,
    sign_in,
    web,
)
from edgewright.proof.case import RIGHT, Case, Maker, Receiver
from edgewright.proof.crossing import CALL, MESSAGE, Person, Way
from edgewright.proof.peers import Peer
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.turned import candidates, switched_on
from edgewright.proof.types import Cell, Expected

AREA = "policy"
CLOSES = 5.0
"""Seconds within which a connection must be closed that may no longer be there."""


@dataclass(frozen=True)
class Flip:
    """One setting turned over: what it is called, and the deployment as it is meanwhile."""

    name: str
    situation: str
    described: Deployment
    changed: Deployment
    hosts: tuple[str, ...] = ()
    """Those that have tables."""

    @property
    def before(self) -> str:
        """The wave before it is turned over."""
        return f"{self.name}:before"

    @property
    def during(self) -> str:
        """The wave meanwhile."""
        return f"{self.name}:during"

    @property
    def returned(self) -> str:
        """The wave in which everybody comes back."""
        return f"{self.name}:returned"

    @property
    def after(self) -> str:
        """The wave when it is as described again."""
        return f"{self.name}:after"


@dataclass(frozen=True)
class Ask:
    """Something that is deployed: how a decision about it is asked for, and how it is tried."""

    name: str
    expected: Callable[[Scope, Deployment, Seat, str, str], Expected]
    cell: Callable[[Scope, Seat, Maker, str, Expected, str, str], Cell | None]
    delivers: bool = False
    """Whether it must arrive."""
    receiver: Callable[[Scope, Deployment, Seat, str, str], Receiver | None] | None = None
    """Where it must arrive; left out: at the other one."""
    needs: tuple[str, ...] = ()
    everywhere: bool = True
    """Whether it is tried at every seat, also where the answer stays the same."""


def people(scope: Scope) -> tuple[str, str] | None:
    """Who is concerned, and another one who is not; somebody who talks in no other cell, if there is one."""
    # As with the organisation's switches on: they concern everybody, and where one is off it is flipped on.
    on = switched_on(scope.deployment)
    admitted = {account: len(_where(scope, on, account)) for account in scope.accounts}
    most = max(admitted.values(), default=0)
    best = [account for account in scope.accounts if most and admitted[account] == most]
    if len(best) < 2:
        return None
    # Somebody who may talk to partners has more to lose.
    open_ = [account for account in best[2:] if _federates(scope, on, account)]
    return next(iter([*open_, *best[2:]]), best[1]), best[0]


def _federates(scope: Scope, deployment: Deployment, account: str) -> bool:
    return any(
        crossing.expected(scope, deployment, MESSAGE, theirs, Person(account, peers.ours(scope)[0])).allowed
        for peer in peers.all_of(scope)
        for theirs in federation.people(scope, peer)
    )


def _where(scope: Scope, deployment: Deployment, account: str) -> tuple[Seat, ...]:
    """The seats where an account may sign in."""
    return tuple(s for s in peers.ours(scope) if _signs_in(scope, deployment, s, account, "").allowed)


def hosts(plan: Plan) -> tuple[str, ...]:
    """The hosts that have tables."""
    return tuple(
        name
        for name, settings in plan.settings.items()
        if any(isinstance(role.get("tables"), dict) for role in settings.values())
    )


def all_of(scope: Scope) -> tuple[Flip, ...]:
    """The flips that change anything which is tried here."""
    found = people(scope)
    if found is None:
        return ()
    subject, other = found
    domains = tuple(peer.domain for peer in federation.standings(scope).values())
    # Decisions do not depend on the family.
    sides = {seat.side: seat for seat in peers.ours(scope)}.values()
    described = [
        (ask, seat, ask.expected(scope, scope.deployment, seat, subject, other).allowed)
        for ask in asks(scope)
        for seat in sides
    ]
    return tuple(
        Flip(name, situation, scope.deployment, changed, hosts(scope.plan))
        for name, situation, changed in candidates(scope.deployment, subject, domains)
        if any(
            ask.expected(scope, changed, seat, subject, other).allowed != allowed
            for ask, seat, allowed in described
        )
    )


# -- what is tried --------------------------------------------------------------------------


def _signs_in(_: Scope, deployment: Deployment, seat: Seat, subject: str, __: str) -> Expected:
    return expect.of(deployment, Request(expect.party(seat), "sign-in", who=subject))


def _sends(_: Scope, deployment: Deployment, seat: Seat, subject: str, other: str) -> Expected:
    request = Request(expect.party(seat), messages.FEATURE, who=subject, to=other)
    return _challenged(expect.of(deployment, request))


def _reaches(scope: Scope, deployment: Deployment, seat: Seat, subject: str, other: str) -> Expected:
    """The other one writes: it arrives wherever the subject may still be signed in."""
    there = set(_where(scope, deployment, subject)) & set(_where(scope, scope.deployment, subject))
    request = Request(
        expect.party(seat), messages.FEATURE, who=other, to=subject, callee_available=bool(there)
    )
    return _challenged(expect.of(deployment, request))


def _challenged(expected: Expected) -> Expected:
    """What a REGISTER is challenged with as 401, other requests are with 407 (RFC 3261 section 22)."""
    if expected.shown and expected.shown.get("status") == 401:
        return replace(expected, shown=expected.shown | {"status": 407})
    return expected


def _discovers(_: Scope, deployment: Deployment, seat: Seat, subject: str, __: str) -> Expected:
    return expect.web(deployment, Request(expect.party(seat), "sign-in", who=subject))


def _watches(_: Scope, deployment: Deployment, seat: Seat, subject: str, other: str) -> Expected:
    request = Request(expect.party(seat), presence.FEATURE, who=subject, to=other)
    return _challenged(expect.of(deployment, request))


def _edits_contacts(_: Scope, deployment: Deployment, seat: Seat, subject: str, __: str) -> Expected:
    return expect.web(deployment, Request(expect.party(seat), contacts.FEATURE, who=subject))


def _at(scope: Scope, seat: Seat, user: str, **more: Any) -> dict[str, Any]:
    where = scope.sip(seat, user.partition("@")[2]) or {}
    return where | {"user": user, "password": RIGHT} | more


def _sign_in_cell(
    scope: Scope, seat: Seat, maker: Maker, name: str, expected: Expected, subject: str, _: str
) -> Cell:
    return maker.at(seat, name, "", expected, "sip.register", _at(scope, seat, subject), impact="changes")


def _message_cell(
    scope: Scope, seat: Seat, maker: Maker, name: str, expected: Expected, subject: str, other: str
) -> Cell:
    held = {"session": session(subject, seat)} if expected.allowed else {}
    arguments = _at(scope, seat, subject, to=other, **held)
    return maker.at(seat, name, "", expected, "sip.message", arguments, impact="changes")


def _autodiscover_cell(
    scope: Scope, seat: Seat, maker: Maker, name: str, expected: Expected, subject: str, _: str
) -> Cell | None:
    arguments = web.user_document(scope, seat, subject)
    if arguments is None:
        return None
    return maker.at(
        seat,
        name,
        "",
        expected,
        "http.request",
        arguments | {"user": subject, "password": RIGHT},
        impact="changes",
    )


def _watch_cell(
    scope: Scope, seat: Seat, maker: Maker, name: str, expected: Expected, subject: str, other: str
) -> Cell:
    held = {"session": session(subject, seat)} if expected.allowed else {}
    arguments = _at(scope, seat, subject, to=other, expires=0, **held)
    return maker.at(seat, name, "", expected, "sip.subscribe", arguments, impact="changes")


def _contacts_cell(
    scope: Scope, seat: Seat, maker: Maker, name: str, expected: Expected, subject: str, _: str
) -> Cell | None:
    where = contacts.place(scope, seat, subject, contacts.path_of(subject))
    if where is None:
        return None
    # Whether there is a list or none: it is served.
    arguments = where | {"user": subject, "password": RIGHT, "accept": [200, 404]}
    return maker.at(seat, name, "", expected, "http.request", arguments, impact="changes")


def _sends_files(_: Scope, deployment: Deployment, seat: Seat, subject: str, other: str) -> Expected:
    return expect.web(deployment, Request(expect.party(seat), files.FEATURE, who=subject, to=other))


def _files_cell(
    scope: Scope, seat: Seat, maker: Maker, name: str, expected: Expected, subject: str, _: str
) -> Cell | None:
    arguments = files.asking(scope, seat, subject)
    if arguments is None:
        return None
    return maker.at(seat, name, "", expected, "http.request", arguments, impact="changes")


def _reached_cell(
    scope: Scope, seat: Seat, maker: Maker, name: str, expected: Expected, subject: str, other: str
) -> Cell:
    return _message_cell(scope, seat, maker, name, expected, other, subject)


ASKS = (
    Ask("sign-in", _signs_in, _sign_in_cell),
    Ask("message", _sends, _message_cell, delivers=True),
    Ask("message-to", _reaches, _reached_cell),
    Ask("autodiscover", _discovers, _autodiscover_cell),
    Ask("presence", _watches, _watch_cell),
    Ask("contacts", _edits_contacts, _contacts_cell),
    Ask("files", _sends_files, _files_cell),
)


def asks(scope: Scope) -> tuple[Ask, ...]:
    """Everything that is tried: what is here, and the same across organisations."""
    return (*ASKS, *_across(scope))


# -- across organisations -------------------------------------------------------------------


def _across(scope: Scope) -> Iterator[Ask]:
    """Messages and calls between outsiders and both of ours: the one who is concerned and the other one."""
    for peer in federation.standings(scope).values():
        for way in (MESSAGE, CALL):
            for inbound in (False, True):
                for concerned in (True, False):
                    yield _crossing(scope, peer, way, inbound=inbound, concerned=concerned)


def _crossing(scope: Scope, peer: Peer, way: Way, *, inbound: bool, concerned: bool) -> Ask:
    def both(seat: Seat, subject: str, other: str) -> tuple[Person, Person]:
        account = subject if concerned else other
        ours = Person(account, seat, None, session(account, seat))
        theirs = _opposite(scope, peer, seat)
        return (theirs, ours) if inbound else (ours, theirs)

    def there(deployment: Deployment, seat: Seat, account: str) -> bool:
        """Whether one of ours is signed in at a seat: he may be, and might before."""
        key = ("where", account)
        if key not in scope.once:
            scope.once[key] = _where(scope, scope.deployment, account)
        return seat in scope.once[key] and _signs_in(scope, deployment, seat, account, "").allowed

    def expected(_: Scope, deployment: Deployment, seat: Seat, subject: str, other: str) -> Expected:
        sender, to = both(seat, subject, other)
        account = to.account if inbound else sender.account
        here = there(deployment, seat, account)
        if not inbound and not here:
            # Who cannot sign in has nobody to ask for (another ask tries that): never let through.
            return Expected(False, None)
        anywhere = here or any(there(deployment, s, account) for s in peers.ours(scope))
        outcome = crossing.expected(scope, deployment, way, sender, to, available=anywhere)
        return Expected(True) if outcome.allowed and not here else outcome

    def cell(
        _: Scope, seat: Seat, maker: Maker, name: str, outcome: Expected, subject: str, other: str
    ) -> Cell | None:
        sender, to = both(seat, subject, other)
        if not outcome.allowed and outcome.shown is None:
            return None
        if inbound:
            name = f"{name}-at-{seat.vantage}-{seat.family}"
        made = crossing.cell(scope, AREA, way, sender, to, outcome, name=name, impact="changes")
        return replace(made, feature=maker.feature)

    def receiver(_: Scope, deployment: Deployment, seat: Seat, subject: str, other: str) -> Receiver | None:
        _sender, to = both(seat, subject, other)
        if inbound and not there(deployment, seat, to.account):
            return None
        return crossing.receiver(scope, to)

    who = "" if concerned else "-other"
    direction = "from" if inbound else "to"
    arrivals = tuple(federation.arrival_id(person) for person in federation.people(scope, peer))
    return Ask(
        f"{way.name}-{direction}-{peer.domain}{who}",
        expected,
        cell,
        delivers=True,
        receiver=receiver,
        needs=arrivals,
        everywhere=concerned and way is MESSAGE,
    )


def _opposite(scope: Scope, peer: Peer, seat: Seat) -> Person:
    """Where somebody of another organisation sits: in the other family, if his server has it."""
    found = list(federation.people(scope, peer))
    return next((person for person in found if person.seat.family != seat.family), found[0])


def session(account: str, seat: Seat) -> str:
    """Name of the registration that is held while settings are flipped."""
    return f"flip {account} {seat}"


def make(scope: Scope) -> Iterator[Case]:
    """Cells of every flip at every seat."""
    found = people(scope)
    for flip in all_of(scope):
        if found is not None:
            asked = asks(scope)
            for seat in peers.ours(scope):
                yield from _flipped(scope, flip, seat, found, asked)


def _flipped(
    scope: Scope, flip: Flip, seat: Seat, who: tuple[str, str], asked: tuple[Ask, ...]
) -> Iterator[Case]:
    subject, other = who
    maker = Maker(AREA, expect.party(seat), flip.name)

    def signs_in(account: str, wave: str, **more: Any) -> Cell:
        return maker.at(
            seat,
            f"{flip.name}-{wave}-{sign_in.name(account)}",
            f"{sign_in.name(account)} signs in and stays connected",
            Expected(True),
            "sip.register",
            _at(scope, seat, account, session=session(account, seat), **more),
            impact="changes",
        )

    held = [a for a in (subject, other) if _signs_in(scope, flip.described, seat, a, "").allowed]
    before = {account: signs_in(account, "before", mark=flip.name) for account in held}
    returned = {account: signs_in(account, "returned") for account in held}
    for account in held:
        stays = _signs_in(scope, flip.changed, seat, account, "").allowed
        yield Case(before[account], flip.before)
        yield Case(_stays(maker, flip, seat, account, stays=stays), flip.during, (before[account].id,))
        yield Case(returned[account], flip.returned, within=CLOSES)
    both = set(_where(scope, flip.changed, other)) & set(_where(scope, flip.described, other))
    there = seat if other in held else next(iter(s for s in peers.ours(scope) if s in both), None)
    receiver = Receiver(there.vantage, session(other, there)) if there else None
    needs = tuple(cell.id for cell in before.values()), tuple(cell.id for cell in returned.values())
    for ask in asked:
        yield from _asked(scope, flip, maker, seat, ask, who, needs, receiver)
    yield from _open_calls(scope, flip, maker, seat, who)


def _open_calls(scope: Scope, flip: Flip, maker: Maker, seat: Seat, who: tuple[str, str]) -> Iterator[Case]:
    """A call with somebody outside that is open when it is forbidden: what is said in it is refused, too."""
    for peer in federation.standings(scope).values():
        for account in who:
            ours = Person(account, seat, None, session(account, seat))
            theirs = _opposite(scope, peer, seat)
            signed_in = [
                _signs_in(scope, deployment, seat, account, "").allowed
                for deployment in (flip.described, flip.changed)
            ]
            back = crossing.expected(scope, flip.described, CALL, ours, theirs)
            now = crossing.expected(scope, flip.changed, CALL, ours, theirs)
            if not all(signed_in) or not back.allowed or now.allowed:
                continue
            arrivals = tuple(federation.arrival_id(person) for person in federation.people(scope, peer))
            label = f"{flip.name}-{{}}-call-of-{ours.name}-to-{peer.domain}"
            hold = {"hold": f"{flip.name} {account} {seat} {peer.domain}"}
            opened = crossing.cell(
                scope, AREA, CALL, ours, theirs, Expected(True, shown={"status": 200}),
                name=label.format("open"), situation="a call that stays open", impact="changes",
            )  # fmt: skip
            opened = replace(opened, feature=flip.name, arguments=opened.arguments | hold)
            hung_up = maker.at(
                seat, label.format("hung-up"), "as described again; the open call is hung up",
                Expected(True, shown={"status": 200}), "sip.within", hold | {"method": "BYE"},
                impact="changes",
            )  # fmt: skip
            refused = replace(now, shown={"status": (now.shown or {}).get("status")})
            said = maker.at(
                seat, label.format("within"), f"{flip.situation}; something is said in the open call",
                refused, "sip.within", hold, control=hung_up.id, impact="changes",
            )  # fmt: skip
            yield Case(opened, flip.before, arrivals)
            yield Case(said, flip.during, (opened.id,))
            yield Case(hung_up, flip.after, (opened.id,))


def _stays(maker: Maker, flip: Flip, seat: Seat, account: str, *, stays: bool) -> Cell:
    """The connection that was there before: still the same, or closed by us."""
    who = sign_in.name(account)
    return maker.at(
        seat,
        f"{flip.name}-{'stays' if stays else 'signed-out'}-{who}",
        f"{flip.situation}; {who}'s connection {'stays' if stays else 'is closed at once'}",
        Expected(True),
        "sip.same" if stays else "sip.gone",
        {"session": session(account, seat), "mark": flip.name, "timeout": CLOSES},
        impact="changes",
    )


def _asked(
    scope: Scope,
    flip: Flip,
    maker: Maker,
    seat: Seat,
    ask: Ask,
    who: tuple[str, str],
    needs: tuple[tuple[str, ...], tuple[str, ...]],
    receiver: Receiver | None,
) -> Iterator[Case]:
    """One ask while the setting is turned over and when it is back; a refusal has the other as control."""
    now = ask.expected(scope, flip.changed, seat, *who)
    back = ask.expected(scope, flip.described, seat, *who)
    if (not now.allowed and not back.allowed) or (ask.delivers and receiver is None):
        return
    if not ask.everywhere and now.allowed == back.allowed and seat != peers.ours(scope)[0]:
        return
    flipped = ask.cell(scope, seat, maker, f"{flip.name}-flipped-{ask.name}", now, *who)
    restored = ask.cell(scope, seat, maker, f"{flip.name}-back-{ask.name}", back, *who)
    if flipped is None or restored is None:
        return
    flipped = replace(
        flipped, situation=f"{flip.situation}; {ask.name}", control=None if now.allowed else restored.id
    )
    restored = replace(
        restored, situation=f"as described again; {ask.name}", control=None if back.allowed else flipped.id
    )

    def to(deployment: Deployment, outcome: Expected) -> Receiver | None:
        if not ask.delivers or not outcome.allowed:
            return None
        return receiver if ask.receiver is None else ask.receiver(scope, deployment, seat, *who)

    yield Case(flipped, flip.during, (*needs[0], *ask.needs), receiver=to(flip.changed, now))
    yield Case(restored, flip.after, (*needs[1], *ask.needs), receiver=to(flip.described, back))

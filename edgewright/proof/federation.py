"""Cells across organisations: partners and public providers, both ways, over every pair of families.

Every domain in which there are accounts is tried with everything that can be tried, whatever the lists say of
it: what must happen is decided, not written here. Then everybody of ours with one of each kind of outsider.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgewright.proof import crossing, expect, peers, sign_in
from edgewright.proof.case import Case, Maker, identifier
from edgewright.proof.crossing import CALL, MESSAGE, WAYS, Person, Way
from edgewright.proof.peers import Peer
from edgewright.proof.scope import Scope
from edgewright.proof.types import Expected

AREA = "federation"
PUBLIC = "public"
GATHER, ACROSS = "gather", "across"
"""Waves: everybody signs in; then they talk."""


def area(scope: Scope, peer: Peer) -> str:
    """Cells of public providers are an area of their own."""
    return PUBLIC if peer.party(scope.deployment) == "public" else AREA


def make(scope: Scope) -> Iterator[Case]:
    """Cells of every partner and provider; none where there is nobody to talk to."""
    found = peers.all_of(scope)
    pair = sign_in.talkers(scope)
    if not found or len(pair) < 2:
        return
    cases = [case for peer in found for case in _arrivals(scope, peer)]
    yield from cases
    cases += [case for peer in found for case in _between(scope, peer, pair[0])]
    for peer in _examples(scope):
        cases += _everybody(scope, peer, pair)
    arrived = sum(case.wave == "sign-in" for case in cases)
    yield from crossing.controlled(cases[arrived:])
    yield from gathering(scope, pair)


def arrival_id(person: Person) -> str:
    """Id of the cell in which somebody signs in at another organisation."""
    return identifier(AREA, person.seat.vantage, person.seat.family, f"{person.account}-signs-in")


def people(scope: Scope, peer: Peer) -> Iterator[Person]:
    """The first account of a domain at each of its seats."""
    for seat in peers.seats(scope, peer):
        yield Person(peer.accounts[0], seat, peer)


def _arrivals(scope: Scope, peer: Peer) -> Iterator[Case]:
    maker = Maker(AREA, peer.party(scope.deployment), "sign-in")
    for person in people(scope, peer):
        yield Case(
            maker.at(
                person.seat,
                f"{person.account}-signs-in",
                f"{person.account} signs in at {peer.domain}",
                Expected(True),
                "sip.register",
                person.where(scope),
            ),
            "sign-in",
        )


def needs(scope: Scope, person: Person) -> tuple[str, ...]:
    """The cell in which somebody signs in."""
    if person.peer is not None:
        return (arrival_id(person),)
    if person.account in sign_in.talkers(scope):
        return (sign_in.sign_in_id(person.seat, person.account),)
    return (gather_id(person),)


def _case(scope: Scope, way: Way, sender: Person, to: Person, outcome: Expected) -> Case:
    peer = sender.peer or to.peer
    assert peer is not None
    delivered = outcome.allowed and way.arrives
    return Case(
        crossing.cell(scope, area(scope, peer), way, sender, to, outcome),
        ACROSS,
        (*needs(scope, sender), *needs(scope, to)),
        receiver=crossing.receiver(scope, to) if delivered else None,
    )


def _between(scope: Scope, peer: Peer, account: str) -> Iterator[Case]:
    """One of ours and one of theirs, both ways, every way, from each of our seats to each of theirs."""
    for theirs in people(scope, peer):
        for seat in peers.ours(scope):
            ours = Person(account, seat)
            for way in WAYS:
                for sender, to in ((ours, theirs), (theirs, ours)):
                    outcome = crossing.expected(scope, scope.deployment, way, sender, to)
                    yield _case(scope, way, sender, to, outcome)


def standings(scope: Scope) -> dict[tuple[str, str | None], Peer]:
    """The first domain of each standing: what its people are to us, and why they are refused."""
    if "standings" not in scope.once:
        scope.once["standings"] = _standings(scope)
    made: dict[tuple[str, str | None], Peer] = scope.once["standings"]
    return made


def _standings(scope: Scope) -> dict[tuple[str, str | None], Peer]:
    account = next(iter(sign_in.talkers(scope)), None)
    if account is None:
        return {}
    found: dict[tuple[str, str | None], Peer] = {}
    for peer in peers.all_of(scope):
        theirs = next(people(scope, peer), None)
        if theirs is not None:
            ours = Person(account, peers.ours(scope)[0])
            outcome = crossing.expected(scope, scope.deployment, MESSAGE, theirs, ours)
            found.setdefault((peer.party(scope.deployment), outcome.reason), peer)
    return found


def _examples(scope: Scope) -> tuple[Peer, ...]:
    """One domain of each party: one that somebody of ours may talk to, if there is one."""
    best: dict[str, Peer] = {}
    for (party, reason), peer in standings(scope).items():
        if reason is None or party not in best:
            best[party] = peer
    return tuple(best.values())


# -- everybody ------------------------------------------------------------------------------


def gather_id(person: Person) -> str:
    """Id of the cell in which one of ours signs in to talk to outsiders."""
    return identifier(AREA, person.seat.vantage, person.seat.family, f"{person.name}-signs-in")


def present(scope: Scope, pair: tuple[str, ...]) -> tuple[Person, ...]:
    """Each account at the first seat where it may sign in; the last one who would be there stays away."""
    found = []
    for account in scope.accounts:
        seat = next((s for s in peers.ours(scope) if sign_in.request(scope, s, account).allowed), None)
        if seat is not None:
            found.append(Person(account, seat))
    away = next((p for p in reversed(found) if p.account not in pair and _reachable(scope, p)), None)
    return tuple(person for person in found if person is not away)


def _reachable(scope: Scope, person: Person) -> bool:
    """Whether one of any other organisation may write to this person."""
    return any(
        crossing.expected(scope, scope.deployment, MESSAGE, theirs, person).allowed
        for peer in peers.all_of(scope)
        for theirs in people(scope, peer)
    )


def gathering(scope: Scope, pair: tuple[str, ...]) -> Iterator[Case]:
    """The cells in which those of ours sign in who do not talk in other cells."""
    for person in present(scope, pair):
        if person.account in pair:
            continue
        maker = Maker(AREA, expect.party(person.seat), "sign-in")
        yield Case(
            maker.at(
                person.seat,
                f"{person.name}-signs-in",
                f"{person.name} signs in and stays",
                sign_in.request(scope, person.seat, person.account),
                "sip.register",
                person.where(scope),
            ),
            GATHER,
        )


def _everybody(scope: Scope, peer: Peer, pair: tuple[str, ...]) -> Iterator[Case]:
    """Each of our accounts, and nobody's, with one outsider, both ways."""
    theirs = next(people(scope, peer))
    there = {person.account: person for person in present(scope, pair)}
    for account in (*scope.accounts, f"{sign_in.UNKNOWN}@{scope.domain}"):
        if account == pair[0]:
            continue
        ours = there.get(account)
        if ours is not None:
            outcome = crossing.expected(scope, scope.deployment, MESSAGE, ours, theirs)
            yield _case(scope, MESSAGE, ours, theirs, outcome)
        at = ours or Person(account, peers.ours(scope)[0])
        available = ours is not None
        for way in (MESSAGE, CALL):
            outcome = crossing.expected(scope, scope.deployment, way, theirs, at, available=available)
            case = _case(scope, way, theirs, at, outcome)
            yield case if ours is not None else replace(case, needs=needs(scope, theirs))

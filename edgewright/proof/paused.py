"""A partner's Access Edge stands still without a word (no FIN): only those who write to it notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from edgewright.proof import crossing, disruption, expect, federation, peers, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, Receiver
from edgewright.proof.crossing import MESSAGE, Person
from edgewright.proof.disruption import PATIENCE, RECOVERY, SIP_DAEMON, Disruption
from edgewright.proof.scope import Scope
from edgewright.proof.types import Expected

NAME = "partner-paused"
PROMPT = 3.0
"""Seconds in which others get through meanwhile."""
FORGIVEN = 10.0
"""Seconds for which nobody tries again after a partner did not answer (docs/federation.md)."""


def all_of(scope: Scope) -> tuple[Disruption, ...]:
    """The pause, where there is a partner whose hosts are ours to stop."""
    found = _paused(scope)
    if found is None or found.speaker is None:
        return ()
    stop, go = (f"systemctl kill --signal={signal} {SIP_DAEMON}" for signal in ("STOP", "CONT"))
    return (Disruption(NAME, (found.speaker[0],), stop, go),)


def _paused(scope: Scope) -> peers.Peer | None:
    for (_, reason), peer in federation.standings(scope).items():
        if reason is None and peer.speaker is not None:
            return peer
    return None


def make(scope: Scope) -> Iterator[Case]:
    """Cells while it stands still, and when it goes on."""
    paused = _paused(scope)
    pair = sign_in.talkers(scope)
    if paused is None or len(pair) < 2:
        return
    wave = all_of(scope)[0]
    theirs = next(federation.people(scope, paused))
    for seat in peers.ours(scope):
        ours = Person(pair[0], seat)
        again = _cell(scope, wave.after, ours, theirs, "partner-goes-on", "the partner's Edge goes on")
        yield replace(again, within=RECOVERY + FORGIVEN)
        down = _cell(scope, wave.during, ours, theirs, NAME, "the partner's Edge stands still")
        refused = expect.refused("partner-down", sip=True)
        shown: dict[str, Any] = (refused.shown or {}) | {"logged": {scope.deployment.name: "partner-down"}}
        cell = replace(down.cell, expected=replace(refused, shown=shown), control=again.cell.id)
        yield replace(down, cell=cell, receiver=None, late=True)
        yield from _others(scope, wave, ours, pair[1])


def _others(scope: Scope, wave: Disruption, ours: Person, colleague: str) -> Iterator[Case]:
    """Whoever is not concerned: another partner, a colleague."""
    for (_, reason), peer in federation.standings(scope).items():
        if reason is None and peer is not _paused(scope):
            theirs = next(federation.people(scope, peer))
            name = f"message-to-{peer.domain}-meanwhile"
            yield _promptly(_cell(scope, wave.during, ours, theirs, name, "another partner meanwhile"))
    seat = ours.seat
    cell = Maker(disruption.AREA, expect.party(seat), MESSAGE.inward).at(
        seat,
        f"message-to-{sign_in.name(colleague)}-meanwhile",
        "a colleague, while a partner's Edge stands still",
        Expected(True, shown={"status": 200, "from": ours.account}),
        "sip.message",
        (scope.sip(seat, scope.domain) or {})
        | {"user": ours.account, "password": RIGHT, "to": colleague, "session": ours.held},
        impact="disrupts",
    )
    needs = (sign_in.sign_in_id(seat, ours.account), sign_in.sign_in_id(seat, colleague))
    receiver = Receiver(seat.vantage, sign_in.session(colleague, seat))
    yield _promptly(Case(cell, wave.during, needs, receiver=receiver))


def _cell(scope: Scope, wave: str, ours: Person, theirs: Person, name: str, situation: str) -> Case:
    outcome = crossing.expected(scope, scope.deployment, MESSAGE, ours, theirs)
    cell = crossing.cell(
        scope,
        disruption.AREA,
        MESSAGE,
        ours,
        theirs,
        outcome,
        name=name,
        situation=f"{situation}; {ours.account} writes to {theirs.account}",
        impact="disrupts",
    )
    cell = replace(cell, arguments=cell.arguments | {"timeout": PATIENCE})
    needs = (*federation.needs(scope, ours), *federation.needs(scope, theirs))
    return Case(cell, wave, needs, receiver=crossing.receiver(scope, theirs))


def _promptly(case: Case) -> Case:
    """The case, which must also be quick."""
    expected = case.cell.expected
    shown = (expected.shown or {}) | {"prompt": True}
    cell = replace(
        case.cell,
        expected=replace(expected, shown=shown),
        arguments=case.cell.arguments | {"prompt": PROMPT},
    )
    return replace(case, cell=cell)

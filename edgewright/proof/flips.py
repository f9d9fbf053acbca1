"""Flips: a setting is turned over live, under clients that stay connected, and always put back.

Which settings is not written here: each one of the model that has a direction is turned over in memory, one
at a time, and asked about; those that change the answer to anything that is deployed and tried here are
flipped for real. So a setting of a later feature is proven as soon as that feature has an ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from edgewright.access.request import Request
from edgewright.model import resolve
from edgewright.model.deployment import Deployment
from edgewright.model.directory import PolicyKind
from edgewright.model.policy import AccessEdge
from edgewright.model.setting import PolicyObject, Setting
from edgewright.proof import contacts, expect, messages, presence, sign_in, web
from edgewright.proof.case import RIGHT, Case, Maker, Receiver
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected

AREA = "policy"
TAG = "edgewright-proof"
"""Name of the user policy that a flip grants; it exists only in memory and, meanwhile, in tables."""
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
    """Whether it must arrive at the other one."""


def seats(scope: Scope) -> tuple[Seat, ...]:
    """One seat of each side and family: policies do not depend on more."""
    found: dict[tuple[str, str], Seat] = {}
    for seat in scope.seats:
        if scope.sip(seat, scope.domain) is not None:
            found.setdefault((seat.side, seat.family), seat)
    return tuple(found.values())


def people(scope: Scope) -> tuple[str, str] | None:
    """Who is concerned, and another one who is not; somebody who talks in no other cell, if there is one."""
    # As with the organisation's switches on: they concern everybody, and where one is off it is flipped on.
    policies = scope.deployment.policies
    switches = {n: v for n, v in _turned(policies.access_edge) if v is True}
    edge = policies.access_edge.model_copy(update=switches)
    on = replace(scope.deployment, policies=policies.model_copy(update={"access_edge": edge}))
    admitted = {account: len(_where(scope, on, account)) for account in scope.accounts}
    most = max(admitted.values(), default=0)
    best = [account for account in scope.accounts if most and admitted[account] == most]
    if len(best) < 2:
        return None
    return (best[2] if len(best) > 2 else best[1]), best[0]


def _where(scope: Scope, deployment: Deployment, account: str) -> tuple[Seat, ...]:
    """The seats where an account may sign in."""
    return tuple(s for s in seats(scope) if _signs_in(scope, deployment, s, account, "").allowed)


def all_of(scope: Scope) -> tuple[Flip, ...]:
    """The flips that change anything which is tried here."""
    found = people(scope)
    if found is None:
        return ()
    subject, other = found
    hosts = tuple(
        name
        for name, settings in scope.plan.settings.items()
        if any(isinstance(role.get("tables"), dict) for role in settings.values())
    )
    return tuple(
        Flip(name, situation, scope.deployment, changed, hosts)
        for name, situation, changed in candidates(scope.deployment, subject)
        if any(
            ask.expected(scope, scope.deployment, seat, subject, other).allowed
            != ask.expected(scope, changed, seat, subject, other).allowed
            for ask in ASKS
            for seat in seats(scope)
        )
    )


def candidates(deployment: Deployment, subject: str) -> Iterator[tuple[str, str, Deployment]]:
    """Every setting turned over by itself: its name, in words, and the deployment with it."""
    policies, directory = deployment.policies, deployment.directory
    for name, value in _turned(policies.access_edge):
        changed = policies.access_edge.model_copy(update={name: value})
        yield (
            name,
            f"{name}: {_word(value)}",
            replace(deployment, policies=policies.model_copy(update={"access_edge": changed})),
        )
    user = directory.users[subject]

    def with_user(update: dict[str, Any] | None) -> Deployment:
        users = {a: u for a, u in directory.users.items() if a != subject}
        if update is not None:
            users[subject] = user.model_copy(update=update)
        return replace(
            deployment, directory=directory.model_copy(update={"users": dict(sorted(users.items()))})
        )

    for kind in get_args(PolicyKind):
        mine, _ = resolve.effective(deployment, kind, subject)
        scoped = getattr(policies, kind)
        for name, value in _turned(mine):
            tagged = {**scoped.user, TAG: mine.model_copy(update={name: value})}
            granted = with_user({"policies": {**user.policies, kind: TAG}})
            changed_kind = {kind: scoped.model_copy(update={"user": tagged})}
            yield (
                name,
                f"{kind} policy of {sign_in.name(subject)}, {name}: {_word(value)}",
                replace(granted, policies=policies.model_copy(update=changed_kind)),
            )
    yield (
        "enabled",
        f"{sign_in.name(subject)}'s account, enabled: {_word(not user.enabled)}",
        with_user({"enabled": not user.enabled}),
    )
    yield "removed", f"{sign_in.name(subject)} is not in the directory", with_user(None)


def _turned(policy: PolicyObject | AccessEdge) -> Iterator[tuple[str, Any]]:
    """Each setting that can change a decision, with another value: a stricter one, else the opposite."""
    for name, field in type(policy).model_fields.items():
        setting = next((m for m in field.metadata if isinstance(m, Setting)), None)
        if setting is None or setting.direction in ("neutral", "selects"):
            continue
        value = getattr(policy, name)
        stricter = setting.stricter(value)
        if stricter:
            yield name, stricter[0]
        elif isinstance(value, bool):
            yield name, not value


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
)


def session(account: str, seat: Seat) -> str:
    """Name of the registration that is held while settings are flipped."""
    return f"flip {account} {seat}"


def make(scope: Scope) -> Iterator[Case]:
    """Cells of every flip at every seat."""
    found = people(scope)
    for flip in all_of(scope):
        if found is not None:
            for seat in seats(scope):
                yield from _flipped(scope, flip, seat, *found)


def _flipped(scope: Scope, flip: Flip, seat: Seat, subject: str, other: str) -> Iterator[Case]:
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
    there = seat if other in held else next(iter(s for s in seats(scope) if s in both), None)
    receiver = Receiver(there.vantage, session(other, there)) if there else None
    needs = tuple(cell.id for cell in before.values()), tuple(cell.id for cell in returned.values())
    for ask in ASKS:
        yield from _asked(scope, flip, maker, seat, ask, (subject, other), needs, receiver)


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
    to = receiver if ask.delivers else None
    yield Case(flipped, flip.during, needs[0], receiver=to if now.allowed else None)
    yield Case(restored, flip.after, needs[1], receiver=to if back.allowed else None)

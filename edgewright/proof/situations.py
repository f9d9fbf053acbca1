"""Situations: several settings turned over at once, live, for what one alone does not show.

Partners that are only discovered, how far their word about senders counts, what restrains them, domains whose
names lead astray; calls with a public provider that has them; a block below an allowed domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from edgewright.access.decide import decide
from edgewright.access.request import Request
from edgewright.model.deployment import Deployment
from edgewright.model.policy import BlockedDomain
from edgewright.proof import contacts, crossing, expect, federation, flips, peers, pretenders, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, identifier
from edgewright.proof.crossing import CALL, MESSAGE, Mark, Person, Way
from edgewright.proof.flips import Flip
from edgewright.proof.peers import Peer
from edgewright.proof.scope import Scope
from edgewright.proof.turned import with_policies
from edgewright.proof.types import Cell, Expected

AREA = "situation"
MANY = 60
"""Messages at once: three times what a discovered partner may send in a second."""
RATE = 5
"""Messages a second that a discovered partner may send while that is tried."""
PROMPT = 3.0
"""Seconds in which others get through while somebody's names are not answered."""
PATIENCE = 16
NOWHERE = "nowhere.example"


@dataclass(frozen=True)
class Situation:
    """What is turned over, and the cells meanwhile."""

    flip: Flip
    cases: tuple[Case, ...]


def all_of(scope: Scope) -> tuple[Flip, ...]:
    """The situations that a deployment can be put into."""
    return tuple(situation.flip for situation in _situations(scope))


def make(scope: Scope) -> Iterator[Case]:
    """Cells of every situation."""
    for situation in _situations(scope):
        yield from situation.cases


def _situations(scope: Scope) -> tuple[Situation, ...]:
    if "situations" not in scope.once:
        scope.once["situations"] = tuple(_made(scope))
    made: tuple[Situation, ...] = scope.once["situations"]
    return made


def _made(scope: Scope) -> Iterator[Situation]:
    if len(sign_in.talkers(scope)) < 2:
        return
    stranger = next(iter(_strangers(scope)), None)
    if stranger is not None:
        yield from _discovered(scope, stranger)
    for (party, reason), peer in federation.standings(scope).items():
        if party == "public" and reason is None:
            yield from _calls(scope, peer)
    yield from _below(scope)
    yield from _told(scope)
    yield from _theirs(scope)


def _flip(scope: Scope, name: str, words: str, changed: Deployment) -> Flip:
    return Flip(name, words, scope.deployment, changed, flips.hosts(scope.plan))


def _strangers(scope: Scope) -> tuple[Peer, ...]:
    """Domains that nobody listed, in which there are accounts."""
    return tuple(
        peer
        for peer in peers.all_of(scope)
        for person in list(federation.people(scope, peer))[:1]
        if crossing.expected(scope, scope.deployment, MESSAGE, person, _ours(scope), mark="none").reason
        == "domain-not-federated"
    )


def _ours(scope: Scope) -> Person:
    return Person(sign_in.talkers(scope)[0], peers.ours(scope)[0])


def _cell(
    scope: Scope,
    flip: Flip,
    way: Way,
    sender: Person,
    to: Person,
    *,
    mark: Mark = "none",
    contact: bool = False,
    control: str | None = None,
    name: str | None = None,
) -> Case:
    """One crossing in a situation."""
    outcome = crossing.expected(scope, flip.changed, way, sender, to, mark=mark, contact=contact)
    label = f"{flip.name}-{name or crossing.label(way, sender, to)}"
    cell = crossing.cell(
        scope,
        AREA,
        way,
        sender,
        to,
        outcome,
        name=label,
        situation=f"{flip.situation}; {way.name} from {sender.account} to {to.account} at {to.seat}",
        impact="changes",
    )
    if mark != "none":
        said = "verified" if mark == "verifiable" else "unverified"
        cell = replace(cell, arguments=cell.arguments | {"headers": [[crossing.MARK, said]]})
    return Case(
        replace(cell, control=None if outcome.allowed else control),
        flip.during,
        (*federation.needs(scope, sender), *federation.needs(scope, to)),
        receiver=crossing.receiver(scope, to) if outcome.allowed else None,
    )


# -- partners that are only discovered --------------------------------------------------------


def _edge(scope: Scope, **settings: Any) -> Deployment:
    """The deployment with discovery on and more settings of the organisation."""
    base = scope.deployment.policies.access_edge
    update = {"enable_partner_discovery": True, **settings}
    return with_policies(scope.deployment, access_edge=base.model_copy(update=update))


def _discovered(scope: Scope, stranger: Peer) -> Iterator[Situation]:
    level = "discovered_partner_verification_level"
    found = _flip(
        scope,
        "discovered",
        "partners are discovered, and their word about senders counts",
        _edge(scope, **{level: "always_verifiable"}),
    )
    theirs = next(federation.people(scope, stranger))
    open_ = _cell(scope, found, MESSAGE, theirs, _ours(scope))
    yield Situation(found, (*_welcome(scope, found), *_astray(scope, found)))
    yield from _levels(scope, theirs, open_.cell.id)
    yield from _restrained(scope, theirs, open_.cell.id)


def _welcome(scope: Scope, flip: Flip) -> Iterator[Case]:
    """Each stranger and one of ours, both ways, from each of our seats."""
    cases = []
    for peer in _strangers(scope):
        before: tuple[str, ...] = ()
        for theirs in federation.people(scope, peer):
            for seat in peers.ours(scope):
                ours = replace(_ours(scope), seat=seat)
                for way in (MESSAGE, CALL):
                    cases.append(_cell(scope, flip, way, ours, theirs))
                    # One after the other: a stranger may not say much in a second.
                    inward = replace(_cell(scope, flip, way, theirs, ours), after=before)
                    before = (inward.cell.id,)
                    cases.append(inward)
    yield from crossing.controlled(cases)


def _astray(scope: Scope, flip: Flip) -> Iterator[Case]:
    """Domains whose names lead elsewhere, to another certificate, or nowhere; others get through."""
    surroundings = scope.deployment.surroundings
    ours = _ours(scope)
    partner = next((p for (_, why), p in federation.standings(scope).items() if why is None), None)
    if surroundings is None or partner is None:
        return
    theirs = next(federation.people(scope, partner))
    meanwhile = _cell(scope, flip, MESSAGE, ours, theirs, name="others-meanwhile")
    shown = (meanwhile.cell.expected.shown or {}) | {"prompt": True}
    arguments = meanwhile.cell.arguments | {"prompt": PROMPT}
    cell = replace(
        meanwhile.cell, expected=replace(meanwhile.cell.expected, shown=shown), arguments=arguments
    )
    yield replace(meanwhile, cell=cell)
    known = {NOWHERE: False} | {domain: not astray.dead for domain, astray in surroundings.astray.items()}
    for domain, leads in known.items():
        request = Request(
            expect.party(ours.seat),
            MESSAGE.outward,
            who=ours.account,
            to=f"victim@{domain}",
            peer_found=leads,
            peer_trusted=False,
        )
        refused = expect.of(flip.changed, request)
        shown = {"logged": {scope.deployment.name: refused.reason}, "reached": []}
        where = ours.where(scope) | {"to": f"victim@{domain}", "timeout": PATIENCE}
        yield Case(
            Maker(AREA, expect.party(ours.seat), MESSAGE.outward).at(
                ours.seat,
                f"{flip.name}-to-{domain}",
                f"{flip.situation}; to {domain}, whose names lead astray",
                replace(refused, shown=(refused.shown or {}) | shown),
                "sip.message",
                where,
                control=cell.id,
                impact="changes",
            ),
            flip.during,
            federation.needs(scope, ours),
        )


def _levels(scope: Scope, theirs: Person, control: str) -> Iterator[Situation]:
    """How far a partner's word about senders counts (8.7)."""
    level = "discovered_partner_verification_level"
    ours = _ours(scope)
    marked = _flip(
        scope,
        "discovered-marks",
        "partners are discovered, and the mark of a message counts",
        _edge(scope, **{level: "use_source_verification"}),
    )
    good = _cell(scope, marked, MESSAGE, theirs, ours, mark="verifiable", name="marked-verified")
    yield Situation(
        marked,
        (
            good,
            _cell(
                scope,
                marked,
                MESSAGE,
                theirs,
                ours,
                mark="unverifiable",
                name="marked-unverified",
                control=good.cell.id,
            ),
            _cell(scope, marked, MESSAGE, theirs, ours, name="unmarked", control=good.cell.id),
        ),
    )
    never = _flip(
        scope,
        "discovered-unverified",
        "partners are discovered, and nobody vouches for their senders",
        _edge(scope, **{level: "always_unverifiable"}),
    )
    yield Situation(never, tuple(_strangers_and_contacts(scope, never, theirs, ours, control)))


def _strangers_and_contacts(
    scope: Scope, flip: Flip, theirs: Person, ours: Person, control: str
) -> Iterator[Case]:
    """Who stands in nobody's contact list is refused; put into it, the same person gets through."""
    where = contacts.place(scope, ours.seat, ours.account, contacts.path_of(ours.account))
    if where is None:
        yield _cell(scope, flip, MESSAGE, theirs, ours, name="no-contact", control=control)
        return
    maker = Maker(AREA, expect.party(ours.seat), contacts.FEATURE)

    def edited(name: str, method: str, status: list[int], **more: Any) -> Cell:
        words = f"{flip.situation}; {ours.name}'s contact list, {method}"
        own = where | {"method": method, "user": ours.account, "password": RIGHT} | more
        expected = Expected(True, shown={"status": status})
        return maker.at(
            ours.seat, f"{flip.name}-{name}", words, expected, "http.request", own, impact="changes"
        )

    body = {"body": contacts.contact_list(theirs.account), "headers": [["Content-Type", contacts.LISTS]]}
    put = edited("list-put", "PUT", contacts.STORED, **body)
    known = _cell(scope, flip, MESSAGE, theirs, ours, contact=True, name="contact")
    unknown = _cell(scope, flip, MESSAGE, theirs, ours, name="no-contact", control=known.cell.id)
    deleted = edited("list-deleted", "DELETE", [200])
    yield unknown
    yield Case(put, flip.during, after=(unknown.cell.id,))
    yield replace(known, needs=(*known.needs, put.id), after=(put.id,))
    yield Case(deleted, flip.during, (put.id,), after=(known.cell.id,))


def _restrained(scope: Scope, theirs: Person, control: str) -> Iterator[Situation]:
    """Messages a second, and recipients in a period (8.2); a listed partner is not restrained."""
    open_ = {"discovered_partner_verification_level": "always_verifiable"}
    ours = _ours(scope)
    fast = _flip(
        scope,
        "discovered-too-fast",
        f"a discovered partner may send {RATE} messages a second",
        _edge(scope, **open_, discovered_partner_standard_rate=RATE),
    )
    listed = next((p for (_, why), p in federation.standings(scope).items() if why is None), None)
    cases = []
    if listed is not None:
        other = next(federation.people(scope, listed))
        cases.append(_burst(scope, fast, other, [ours.account], Expected(True, shown={"status": 200}), None))
        control = cases[0].cell.id
    reason = "partner-too-fast"
    statuses = [503, crossing.SECOND_HAND[503]]
    cases.append(
        _burst(
            scope,
            fast,
            theirs,
            [ours.account],
            Expected(False, reason, {"status": statuses, "some_passed": True}),
            control,
        )
    )
    yield Situation(fast, tuple(cases))
    many = _flip(
        scope,
        "discovered-too-many",
        "a discovered partner may write to one of ours in a period",
        _edge(scope, **open_, max_contacts_per_discovered_partner=1),
    )
    reason = "partner-too-many-contacts"
    outcome = Expected(False, reason, {"status": int(expect.refused(reason, sip=True).shown["status"])})  # type: ignore[index]
    targets = list(scope.accounts)
    yield Situation(many, (_burst(scope, many, theirs, targets, outcome, control, count=len(targets)),))


def _burst(
    scope: Scope,
    flip: Flip,
    sender: Person,
    targets: list[str],
    outcome: Expected,
    control: str | None,
    *,
    count: int = MANY,
) -> Case:
    assert sender.peer is not None
    cell = Maker(AREA, sender.peer.party(flip.changed), MESSAGE.inward).at(
        sender.seat,
        f"{flip.name}-burst-of-{sender.account}",
        f"{flip.situation}; {count} messages at once from {sender.account}",
        outcome,
        "sip.burst",
        sender.where(scope) | {"to": targets[0], "targets": targets, "count": count, "timeout": PATIENCE},
        control=control,
        impact="changes",
    )
    return Case(cell, flip.during, (*federation.needs(scope, sender), *federation.needs(scope, _ours(scope))))


# -- public providers -----------------------------------------------------------------------


def _calls(scope: Scope, provider: Peer) -> Iterator[Situation]:
    """A provider that can do audio, and users who may (8.1, X03); still no files, and no video."""
    policies = scope.deployment.policies
    named = {
        name: policy
        for name, policy in policies.public_providers.items()
        if policy.proxy_fqdn == provider.target and policy.network == "other"
    }
    if not named:
        return
    able = {
        name: policy.model_copy(update={"capabilities": ("presence", "im", "audio")})
        for name, policy in named.items()
    }
    access = policies.external_access
    may = access.global_.model_copy(update={"enable_public_cloud_audio_video_access": True})
    changed = with_policies(
        scope.deployment,
        public_providers={**policies.public_providers, **able},
        external_access=access.model_copy(update={"global_": may}),
    )
    words = f"{', '.join(named)} can do audio, and users may call public providers"
    flip = _flip(scope, "public-audio", words, changed)
    cases = []
    video = Way("video-call", "M14-video", "M14-video", "sip.call", {"media": ["audio", "video"]})
    for theirs in federation.people(scope, provider):
        for seat in peers.ours(scope):
            ours = replace(_ours(scope), seat=seat)
            for way in (CALL, video, crossing.FILE_TRANSFER, MESSAGE):
                cases.append(_cell(scope, flip, way, ours, theirs))
                cases.append(_cell(scope, flip, way, theirs, ours))
    yield Situation(flip, tuple(crossing.controlled(cases)))


# -- lists ----------------------------------------------------------------------------------


def _below(scope: Scope) -> Iterator[Situation]:
    """A block below an allowed domain stops that one, and leaves the domain itself alone."""
    honest = pretenders.honest(scope)
    if honest is None or honest.speaker is None:
        return
    sub = f"sub.{honest.domain}"
    blocked = (*scope.deployment.policies.blocked_domains, BlockedDomain(domain=sub))
    words = f"{sub} is blocked, {honest.domain} is allowed"
    flip = _flip(scope, "blocked-below", words, with_policies(scope.deployment, blocked_domains=blocked))
    ours, theirs = _ours(scope), next(federation.people(scope, honest))
    itself = _cell(scope, flip, MESSAGE, theirs, ours)
    cases = [itself]
    request = Request("federated", MESSAGE.inward, who=f"x@{sub}", to=ours.account, contact=False)
    reason = decide(flip.changed, request).reason or ""
    for family in honest.families:
        speaker = pretenders.Speaker(honest.speaker[0], family, honest.speaker[1], f"x@{sub}")
        cell = Maker(AREA, "federated", MESSAGE.inward)(
            f"{flip.name}-from-{sub}",
            speaker.host,
            family,
            f"{words}; From is in {sub}",
            expect.refused(reason, sip=True),
            "sip.peer",
            speaker.arguments(scope, ours.account),
            control=itself.cell.id,
            impact="changes",
        )
        cases.append(Case(cell, flip.during))
    outward = _outward(scope, flip, ours, f"x@{sub}", itself.cell.id)
    yield Situation(flip, (*cases, outward))


def _told(scope: Scope) -> Iterator[Situation]:
    """What is said to other organisations about messages: that they may be archived, not who was verified."""
    edge = scope.deployment.policies.access_edge
    update = {
        "enable_archiving_disclaimer": not edge.enable_archiving_disclaimer,
        "mark_source_verifiable_on_outgoing_messages": not edge.mark_source_verifiable_on_outgoing_messages,
    }
    changed = with_policies(scope.deployment, access_edge=edge.model_copy(update=update))
    flip = _flip(
        scope, "disclaimer", "the archiving disclaimer and the mark of senders are turned over", changed
    )
    cases = [
        _cell(scope, flip, MESSAGE, _ours(scope), next(federation.people(scope, peer)))
        for (_, reason), peer in federation.standings(scope).items()
        if reason is None
    ]
    if cases:
        yield Situation(flip, tuple(cases))


# -- the other side -------------------------------------------------------------------------


def _theirs(scope: Scope) -> Iterator[Situation]:
    """Both sides must agree (J07): a partner's own switches, where his hosts are ours to change."""
    for (_, reason), peer in federation.standings(scope).items():
        if reason is not None or peer.deployment is None:
            continue
        policies = peer.deployment.policies
        edge = policies.access_edge.model_copy(update={"allow_federated_users": False})
        users = policies.external_access
        nobody = users.global_.model_copy(update={"enable_federation_access": False})
        yield _other_side(
            scope,
            peer,
            "partner-closed",
            f"{peer.domain} admits no federated users",
            with_policies(peer.deployment, access_edge=edge),
        )
        yield _other_side(
            scope,
            peer,
            "partner-user-closed",
            f"{peer.domain} lets its users talk to no partners",
            with_policies(peer.deployment, external_access=users.model_copy(update={"global_": nobody})),
        )


def _other_side(scope: Scope, peer: Peer, name: str, words: str, changed: Deployment) -> Situation:
    assert peer.deployment is not None
    flip = Flip(name, words, peer.deployment, changed, flips.hosts(peers.abroad(peer.deployment)))
    meanwhile = replace(peer, deployment=changed)
    cases = []
    for theirs in federation.people(scope, peer):
        for seat in peers.ours(scope):
            ours = Person(sign_in.talkers(scope)[0], seat)
            closed = replace(theirs, peer=meanwhile)
            for sender, to in ((ours, closed), (closed, ours)):
                label = crossing.label(MESSAGE, sender, to)
                cell = crossing.cell(
                    scope,
                    AREA,
                    MESSAGE,
                    sender,
                    to,
                    crossing.expected(scope, scope.deployment, MESSAGE, sender, to),
                    name=f"{name}-{label}",
                    situation=f"{words}; message from {sender.account} to {to.account}",
                    impact="changes",
                )
                where = sender.seat
                control = identifier(federation.area(scope, peer), where.vantage, where.family, label)
                needs = (*federation.needs(scope, sender), *federation.needs(scope, to))
                cases.append(Case(replace(cell, control=control), flip.during, needs))
    return Situation(flip, tuple(cases))


def _outward(scope: Scope, flip: Flip, ours: Person, to: str, control: str) -> Case:
    """One of ours writes to somebody there."""
    request = Request(expect.party(ours.seat), MESSAGE.outward, who=ours.account, to=to)
    outcome = expect.of(flip.changed, request)
    cell = Maker(AREA, expect.party(ours.seat), MESSAGE.outward).at(
        ours.seat,
        f"{flip.name}-to-{to}",
        f"{flip.situation}; to {to}",
        outcome,
        "sip.message",
        ours.where(scope) | {"to": to},
        control=control,
        impact="changes",
    )
    return Case(cell, flip.during, federation.needs(scope, ours))

"""Other organisations as the proof sees them: who somebody there can be, and which hosts are theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgewright import plan
from edgewright.access import partners
from edgewright.access.decide import decide
from edgewright.access.request import Party, Request, domain
from edgewright.model.deployment import Deployment
from edgewright.model.topology import Family
from edgewright.plan.types import Plan
from edgewright.proof.scope import FAMILIES, Scope, Seat

SRV = "_sipfederationtls._tcp."
CERTIFICATES = "/etc/edgewright/certificates"
PARTNER = "partner"
"""Slot of the certificate of the lab's small partners, and of the impostor's good one."""


@dataclass(frozen=True)
class Peer:
    """A domain in which the proof has accounts.

    `target`: where the domain's federation SRV leads. `hosts`: those whose journals can be read. `speaker`:
    the host that speaks for the domain on 5061, and the folder of its certificate. `families`: those in
    which its server can be reached.
    """

    domain: str
    accounts: tuple[str, ...]
    target: str | None = None
    families: tuple[Family, ...] = ()
    hosts: tuple[str, ...] = ()
    speaker: tuple[str, str] | None = None
    deployment: Deployment | None = None

    def party(self, deployment: Deployment) -> Party:
        """What its people are to a deployment."""
        return partners.classify(deployment, self.domain, self.target).kind

    def against(self, scope: Scope, feature: str, theirs: str, ours: str, *, inbound: bool) -> str | None:
        """The reason for which their side refuses (J07); None where it agrees, or where nothing is known.

        Signalling is tried here, no media: what their topology lacks for media does not count.
        """
        if self.deployment is None:
            return None
        found = scope.service("outside", SRV + domain(ours))
        target = found[0] if found else None
        if inbound:
            feature = "M31" if feature == "M02" else feature
            asked = Request("remote", feature, who=theirs, to=ours, srv_target=target)
        else:
            feature = "M02" if feature == "M31" else feature
            asked = Request("federated", feature, who=ours, to=theirs, srv_target=target)
        refusing = [link for link in decide(self.deployment, asked).against if link.kind != "topology"]
        return refusing[0].reason if refusing else None


def all_of(scope: Scope) -> tuple[Peer, ...]:
    """Every domain of partners, providers and the impostor in which there are accounts."""
    if "peers" not in scope.once:
        scope.once["peers"] = tuple(_peers(scope))
    made: tuple[Peer, ...] = scope.once["peers"]
    return made


def _peers(scope: Scope) -> Iterator[Peer]:
    for name, accounts in scope.deployment.partner_accounts.items():
        for own in dict.fromkeys(domain(account) for account in accounts):
            theirs = tuple(account for account in accounts if domain(account) == own)
            found = scope.service("outside", SRV + own)
            target = found[0] if found else None
            families = tuple(f for f in FAMILIES if target and scope.addresses("outside", target, f))
            deployment = scope.deployment.partners.get(name)
            hosts, speaker = _hosts(scope, name) if deployment is None else _deployed(deployment)
            yield Peer(own, theirs, target, families, hosts, speaker, deployment)


def _hosts(scope: Scope, name: str) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    """The one host of a partner that the lab makes; none of one that exists."""
    surroundings = scope.deployment.surroundings
    partner = surroundings.partners.get(name) if surroundings else None
    host = partner.host if partner else None
    if surroundings and surroundings.impostor and surroundings.impostor.domain == name:
        host = surroundings.impostor.host
    return ((host,), (host, f"{CERTIFICATES}/{PARTNER}")) if host else ((), None)


def _deployed(deployment: Deployment) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    """The hosts of a partner that is a deployment of its own; its first Edge speaks for it."""
    planned = abroad(deployment)
    hosts = tuple(h.name for h in planned.hosts.values() if not h.surroundings and h.platform == "linux")
    edges = planned.of_kind("edge")
    if not edges:
        return hosts, None
    slots = {found.slot for found in planned.certificates if edges[0].name in found.hosts}
    slot = "federation" if "federation" in slots else "edge_external"
    return hosts, (edges[0].name, f"{CERTIFICATES}/{slot}")


_plans: dict[str, Plan] = {}


def abroad(deployment: Deployment) -> Plan:
    """The plan of a partner's deployment, made once."""
    if deployment.digest not in _plans:
        _plans[deployment.digest] = plan.make(deployment)
    return _plans[deployment.digest]


def seats(scope: Scope, peer: Peer) -> tuple[Seat, ...]:
    """Where its people sit: a seat outside for each family of their server, the last vantage that has it."""
    key = ("seats", peer.domain)
    if key not in scope.once:
        found = {s.family: s for s in scope.at("outside") if scope.sip(s, peer.domain) is not None}
        scope.once[key] = tuple(found.values())
    made: tuple[Seat, ...] = scope.once[key]
    return made


def ours(scope: Scope) -> tuple[Seat, ...]:
    """Where our people sit: one seat of each side and family, since policies do not depend on more."""
    if "ours" not in scope.once:
        found: dict[tuple[str, str], Seat] = {}
        for seat in scope.seats:
            if scope.sip(seat, scope.domain) is not None:
                found.setdefault((seat.side, seat.family), seat)
        scope.once["ours"] = tuple(found.values())
    made: tuple[Seat, ...] = scope.once["ours"]
    return made

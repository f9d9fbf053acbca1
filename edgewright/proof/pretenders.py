"""Cells of whoever pretends: wrong certificates, foreign names, relays, loops; straight at port 5061.

The probe runs on the host that has the certificate and shows it as a partner's Access Edge would. Control of
all is the same request of a partner with its own certificate and in its own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from edgewright.access.decide import decide
from edgewright.access.request import Request
from edgewright.model.topology import Family
from edgewright.proof import crossing, expect, messages, peers, sign_in
from edgewright.proof.case import Case, Maker, Receiver, identifier
from edgewright.proof.federation import ACROSS, AREA
from edgewright.proof.peers import CERTIFICATES, PARTNER, SRV, Peer
from edgewright.proof.scope import Scope
from edgewright.proof.types import Cell, Expected

WRONG = {
    "expired": "a certificate that has ended",
    "self_signed": "a certificate of its own making",
    "revoked": "a certificate that its authority has revoked",
    "stranger": "a certificate of an authority that nobody knows",
}
"""What the impostor's host has in the name of the domain that it impersonates."""

UNTRUSTED = "untrusted-peer"


@dataclass(frozen=True)
class Speaker:
    """A host that speaks to us on 5061: with which certificate, in whose name, over which family."""

    host: str
    family: Family
    certificate: str | None
    sender: str

    def arguments(self, scope: Scope, to: str, **more: Any) -> dict[str, Any]:
        """What `sip.peer` is told."""
        target, port = scope.service("outside", SRV + scope.domain) or ("", 0)
        return {
            "address": scope.addresses("outside", target, self.family)[0],
            "port": port,
            "name": target,
            "family": self.family,
            "insecure": True,
            "certificate": self.certificate,
            "sender": self.sender,
            "to": to,
            **more,
        }


def make(scope: Scope) -> Iterator[Case]:
    """Cells of a partner's own Edge and of the impostor, where there is a partner that we can speak as."""
    pair = sign_in.talkers(scope)
    partner = honest(scope)
    if len(pair) < 2 or partner is None:
        return
    for family in partner.families:
        if not _reached(scope, family):
            continue
        assert partner.speaker is not None
        speaker = Speaker(partner.speaker[0], family, partner.speaker[1], partner.accounts[0])
        control = _control(scope, speaker, partner, pair[0])
        yield control
        yield from _alike(scope, speaker, control.cell)
        yield from _names(scope, speaker, partner, control.cell, pair)
        yield from _impostor(scope, family, partner, control.cell, pair)


def honest(scope: Scope) -> Peer | None:
    """A partner as which we can speak and who may write to us."""
    account = next(iter(sign_in.talkers(scope)), "")
    for peer in peers.all_of(scope):
        if peer.speaker is not None and _decides(scope, peer, peer.accounts[0], account) is None:
            return peer
    return None


def _decides(scope: Scope, peer: Peer, sender: str, to: str, feature: str = "M02") -> str | None:
    """The reason for which a sender's request is refused, None: it is not."""
    party = peer.party(scope.deployment)
    request = Request(party, feature, who=sender, to=to, srv_target=peer.target, contact=False)
    return decide(scope.deployment, request).reason


def _reached(scope: Scope, family: Family) -> bool:
    found = scope.service("outside", SRV + scope.domain)
    return found is not None and bool(scope.addresses("outside", found[0], family))


def _maker() -> Maker:
    return Maker(AREA, "federated", messages.FEATURE)


def _cell(
    speaker: Speaker, name: str, situation: str, expected: Expected, arguments: dict[str, Any], control: str
) -> Cell:
    return _maker()(
        name, speaker.host, speaker.family, situation, expected, "sip.peer", arguments, control=control
    )


def _control(scope: Scope, speaker: Speaker, peer: Peer, to: str) -> Case:
    """The partner's own Edge, its own certificate, its own user: heard."""
    seat = next(s for s in peers.ours(scope) if s.family == speaker.family)
    cell = _maker()(
        f"{peer.domain}-itself",
        speaker.host,
        speaker.family,
        f"{peer.domain}'s own certificate and name",
        Expected(True, shown={"status": 200, "from": speaker.sender}),
        "sip.peer",
        speaker.arguments(scope, to),
    )
    receiver = Receiver(seat.vantage, sign_in.session(to, seat))
    return Case(cell, ACROSS, (sign_in.sign_in_id(seat, to),), receiver=receiver)


def _alike(scope: Scope, speaker: Speaker, control: Cell) -> Iterator[Case]:
    """Unknown, disabled, not allowed to federate: an outsider is answered the same, header for header."""
    users = scope.deployment.directory.users
    nobody = f"{sign_in.UNKNOWN}@{scope.domain}"
    kinds: dict[str, str] = {"unknown": nobody}
    for address in users:
        if not users[address].enabled:
            kinds.setdefault("disabled", address)
            continue
        request = Request("federated", messages.FEATURE, who=speaker.sender, to=address)
        if decide(scope.deployment, request).reason == "federation-access-off":
            kinds.setdefault("not-federated", address)
    for method in ("MESSAGE", "INVITE", "SUBSCRIBE"):
        first = identifier(AREA, speaker.host, speaker.family, f"{method.lower()}-to-unknown")
        for kind, to in kinds.items():
            request = Request("federated", messages.FEATURE, who=speaker.sender, to=to)
            reason = decide(scope.deployment, request).reason
            same = kind != "unknown"
            shown = {"status": crossing.NOBODY} if not same else None
            cell = _cell(
                speaker,
                f"{method.lower()}-to-{kind}",
                f"{method} to {sign_in.name(to)}: {kind}",
                Expected(False, reason, shown),
                speaker.arguments(scope, to, method=method),
                control.id,
            )
            yield Case(cell, ACROSS, same_as=first if same else None)


def _names(
    scope: Scope, speaker: Speaker, honest: Peer, control: Cell, pair: tuple[str, ...]
) -> Iterator[Case]:
    """What a partner may not say: other names, other recipients, marks and dialogs of ours."""

    def tried(name: str, situation: str, reason: str, *, sender: str = "", to: str = "", **more: Any) -> Case:
        who = Speaker(speaker.host, speaker.family, speaker.certificate, sender or speaker.sender)
        expected = expect.refused(reason, sip=True)
        arguments = who.arguments(scope, to or pair[0], **more)
        return Case(_cell(speaker, name, situation, expected, arguments, control.id), ACROSS)

    for peer in peers.all_of(scope):
        if peer is honest:
            continue
        # Where the lists would let it in the certificate stops it. That a domain is a provider's by its SRV
        # record is asked only of whom the provider's certificate vouches for (decision 7).
        reason = _decides(scope, replace(peer, target=None), peer.accounts[0], pair[0]) or UNTRUSTED
        yield tried(
            f"in-the-name-of-{peer.domain}",
            f"From is {peer.accounts[0]}, the certificate {honest.domain}'s",
            reason,
            sender=peer.accounts[0],
        )
    yield tried(
        "in-the-name-of-a-subdomain",
        f"From is in sub.{honest.domain}: allowed is {honest.domain} alone",
        _stranger(scope, f"sub.{honest.domain}", pair[0]),
        sender=f"x@sub.{honest.domain}",
    )
    for blocked in scope.deployment.policies.blocked_domains[:1]:
        yield tried(
            "in-the-name-of-a-blocked-subdomain",
            f"From is in sub.{blocked.domain}: blocked counts below, too",
            _stranger(scope, f"sub.{blocked.domain}", pair[0]),
            sender=f"x@sub.{blocked.domain}",
        )
    yield tried(
        "relay",
        "to a third domain",
        "relay-refused",
        to=f"victim@{messages.FOREIGN}",
    )
    yield tried("back", "to its own domain, by us", "relay-refused", to=honest.accounts[-1])
    yield tried(
        "loop",
        "it has left us before",
        "loop-detected",
        headers=[["Via", _own_via(scope, speaker.family)]],
    )
    yield tried(
        "forged-inside-header",
        f"carries {messages.INSIDE_HEADER}",
        "forged-inside-header",
        headers=[[messages.INSIDE_HEADER, messages.FORGED_ORIGIN]],
    )
    yield tried(
        "forged-dialog",
        "pretends to be in a dialog",
        "forged-dialog",
        to_tag="forged",
    )


def _own_via(scope: Scope, family: Family) -> str:
    target, port = scope.service("outside", SRV + scope.domain) or ("", 0)
    address = scope.addresses("outside", target, family)[0]
    host = f"[{address}]" if family == "ipv6" else address
    return f"SIP/2.0/TLS {host}:{port};branch=z9hG4bKbefore"


def _stranger(scope: Scope, domain: str, to: str) -> str:
    """The reason for which somebody of a domain without accounts is refused."""
    request = Request("federated", messages.FEATURE, who=f"x@{domain}", to=to, contact=False, mark="none")
    return decide(scope.deployment, request).reason or UNTRUSTED


def _impostor(
    scope: Scope, family: Family, honest: Peer, control: Cell, pair: tuple[str, ...]
) -> Iterator[Case]:
    """Another host says that it is the partner; its certificates are wrong, each in another way."""
    surroundings = scope.deployment.surroundings
    impostor = surroundings.impostor if surroundings else None
    if impostor is None or family not in impostor.families:
        return
    if impostor.impersonates != honest.domain:
        return

    def tried(
        name: str, situation: str, expected: Expected, certificate: str | None, sender: str, **more: Any
    ) -> Case:
        folder = f"{CERTIFICATES}/{certificate}" if certificate else None
        speaker = Speaker(impostor.host, family, folder, sender)
        arguments = speaker.arguments(scope, pair[0], **more)
        return Case(_cell(speaker, name, situation, expected, arguments, control.id), ACROSS)

    refused = expect.refused(UNTRUSTED, sip=True)
    for name, situation in WRONG.items():
        yield tried(f"certificate-{name.replace('_', '-')}", situation, refused, name, honest.accounts[0])
    yield tried(
        "certificate-of-another-name",
        "a good certificate of another domain",
        refused,
        PARTNER,
        honest.accounts[0],
    )
    yield tried("no-certificate", "no certificate at all", refused, None, honest.accounts[0])
    yield tried(
        "in-our-name",
        f"From is {pair[1]}, the certificate a stranger's server's",
        expect.refused("identity-mismatch", sip=True),
        PARTNER,
        pair[1],
    )

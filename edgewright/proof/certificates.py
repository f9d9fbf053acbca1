"""Cells of certificates: every listener that a seat can reach shows the planned one and no old TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgewright.model.topology import CertificateSlot
from edgewright.plan.types import CertificatePlan
from edgewright.proof.case import Case, Maker
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Expected

AREA = "certificate"
FEATURE = "certificate"
OLD = "TLSv1_1"
_KEYS = {"ecdsa-p256": "EC secp256r1", "rsa-2048": "RSA 2048"}


@dataclass(frozen=True, slots=True)
class _Listener:
    """A TLS listener of one host: the name to ask for and the certificate it must show."""

    name: str
    address: str
    port: int
    certificate: CertificatePlan
    label: str


def make(scope: Scope) -> Iterator[Case]:
    """Chain and version cells of every seat and listener."""
    for seat in scope.seats:
        for listener in _listeners(scope, seat):
            yield from _cells(scope, seat, listener)


def _cells(scope: Scope, seat: Seat, listener: _Listener) -> Iterator[Case]:
    maker = Maker(AREA, "internal" if seat.side == "inside" else "anonymous", FEATURE)
    where: dict[str, Any] = {
        "address": listener.address,
        "port": listener.port,
        "name": listener.name,
        "family": seat.family,
        "trust": scope.trust(seat),
    }
    chain = maker.at(
        seat,
        listener.label,
        f"chain, names, key and dates of {listener.certificate.slot}",
        Expected(True, shown=planned(listener.certificate)),
        "tls.chain",
        where,
    )
    yield Case(chain)
    yield Case(
        maker.at(
            seat,
            f"{listener.label}-tls1.1",
            "TLS 1.1 offered at most",
            Expected(False),
            "tls.handshake",
            where | {"maximum": OLD},
            control=chain.id,
        )
    )


def planned(certificate: CertificatePlan) -> dict[str, Any]:
    """What `served.leaf` must say of a certificate."""
    return {
        "names": sorted(certificate.sans),
        "eku": sorted(certificate.eku),
        "key": _KEYS.get(certificate.key, certificate.key),
        "key_strong": True,
        "in_time": True,
    }


def _slot(scope: Scope, host: str, *slots: CertificateSlot) -> CertificatePlan | None:
    for slot in slots:
        for certificate in scope.plan.certificates:
            if certificate.slot == slot and host in certificate.hosts:
                return certificate
    return None


_SERVICES: dict[str, tuple[CertificateSlot, ...]] = {
    "access": ("edge_external",),
    "federation": ("federation", "edge_external"),
    "sip": ("default",),
    "web_proxy": ("proxy",),
    "web_internal": ("web_internal",),
}
"""Which certificate the listener of a flow's service shows, first choice first."""


def _listeners(scope: Scope, seat: Seat) -> Iterator[_Listener]:
    """The listeners of active flows that a seat may use, one for each address and public name."""
    version = 4 if seat.family == "ipv4" else 6
    for flow in scope.plan.flows:
        slots = _SERVICES.get(flow.service)
        reaches = seat.vantage in flow.source.hosts or (flow.source.label == "any" and seat.side == "outside")
        if not flow.active or slots is None or not reaches:
            continue
        for address in flow.target.addresses:
            host = next((h for h in scope.plan.hosts.values() if address in h.addresses()), None)
            certificate = _slot(scope, host.name, *slots) if host else None
            if host is None or certificate is None or address.version != version:
                continue
            names = certificate.sans if flow.service == "web_proxy" else certificate.sans[:1]
            for name in names:
                label = f"{host.name}:{flow.ports}" + (f"-{name}" if len(names) > 1 else "")
                yield _Listener(name, str(address), int(flow.ports), certificate, label)

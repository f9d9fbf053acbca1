"""Role lab_partner: somebody else's small SIP server, or an impostor's with false certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgewright.authority import Flaw
from edgewright.model.surroundings import Partner
from edgewright.plan import sip
from edgewright.plan.roles.certificates import Slot, outside_roots

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES: tuple[str, ...] = ("kamailio", "kamailio-tls-modules", "python3-dnspython")
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ("partner",)
FLAWS: tuple[Flaw, ...] = ("expired", "self_signed", "revoked", "stranger")
"""What is wrong with an impostor's certificates: each lies in a slot of that name."""


class PartnerSlot(Slot):
    """A certificate of the partners' authority."""

    flaw: str | None = None
    """What is wrong with it, if anything: `expired`, `self_signed`, `revoked`, `stranger`."""


class Settings(sip.Settings):
    """One partner's server."""

    fqdn: str
    """The host's own name."""
    server: str
    """The server's name, to which the SRV records of its domains lead."""
    domains: list[str]
    """The SIP domains that it serves."""
    users: list[str]
    """Its users, by SIP address; their passwords are test accounts'."""
    sockets: tuple[sip.Socket, ...]
    """Sockets: names x4a, x6a (users, 443) and x4b, x6b (other Edges, 5061)."""
    slots: list[PartnerSlot]
    """Its certificates: `partner` is the one that it shows."""
    roots: list[str]
    """Whose roots /etc/edgewright/trust/outside.pem has."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Settings of a partner's or the impostor's host."""
    surroundings = base.deployment.surroundings
    if surroundings is None:
        return None
    place, found = next((place, found) for name, place, found in surroundings.hosts() if name == host.name)
    if isinstance(found, Partner):
        domains = [place[1], *found.also]
        slots = [_slot([f"sip.{domains[0]}"], server_only=found.server_only)]
    else:
        domains = [found.domain]
        slots = [_slot([f"sip.{found.domain}"])]
        slots += [_slot([f"sip.{found.domain}", f"sip.{found.impersonates}"], flaw) for flaw in FLAWS]
    return Settings(
        fqdn=host.fqdn,
        server=f"sip.{domains[0]}",
        domains=domains,
        users=list(found.accounts),
        sockets=tuple(
            sip.Socket(name=f"x{address.version}{letter}", address=address, port=port)
            for address in host.addresses()
            for letter, port in (("b", sip.SIP_TLS_PORT), ("a", sip.CLIENT_PORT))
        ),
        slots=slots,
        roots=outside_roots(base),
    )


def _slot(sans: list[str], flaw: Flaw | None = None, *, server_only: bool = False) -> PartnerSlot:
    return PartnerSlot(
        name=flaw or "partner",
        subject=sans[0],
        sans=sans,
        eku=["server"] if server_only else ["server", "client"],
        key_type="ecdsa-p256",
        source="own_ca",
        files=None,
        shared=None,
        group="root" if flaw else "kamailio",
        flaw=flaw,
    )

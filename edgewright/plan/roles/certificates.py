"""Role certificates: keys and certificates of a host, by slot, and how they are renewed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from edgewright.model.topology import CertificateFiles
from edgewright.plan import acme, internet
from edgewright.plan.certificates import OUTSIDE

if TYPE_CHECKING:
    from edgewright.model.topology import CertificateSlot
    from edgewright.plan.roles import Base
    from edgewright.plan.types import CertificatePlan, HostPlan

PACKAGES: tuple[str, ...] = ("openssl", "python3-acme", "python3-dnspython")
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ()

KAMAILIO = ("access_edge", "director", "front_end")
KEY_GROUPS: dict[CertificateSlot, tuple[tuple[str, ...], str]] = {
    "edge_external": (KAMAILIO, "kamailio"),
    "federation": (KAMAILIO, "kamailio"),
    "edge_internal": (KAMAILIO, "kamailio"),
    "default": (KAMAILIO, "kamailio"),
}
"""Groups that may read a slot's key, where one of the roles is; other daemons read it as root."""


class Files(BaseModel):
    """What the operator brings: absolute paths on the controller."""

    model_config = ConfigDict(extra="forbid")

    certificate: str
    """PEM, its issuers may follow it."""
    key: str
    """PEM, may be vaulted."""
    chain: str | None
    """The issuers, where they are apart."""


class Slot(BaseModel):
    """A certificate of this host: /etc/edgewright/certificates/NAME/."""

    model_config = ConfigDict(extra="forbid")

    name: str
    """The slot."""
    subject: str
    """Common name, the first of `sans`."""
    sans: list[str]
    """DNS names."""
    eku: list[Literal["server", "client"]]
    """What it may be used for."""
    key_type: Literal["ecdsa-p256", "rsa-2048"]
    """Kind of key."""
    source: Literal["acme", "own_ca", "files"]
    """Where it comes from."""
    files: Files | None
    """With source `files`."""
    shared: str | None
    """Name under which hosts of a pool share one key and one order; None: the key never leaves its host."""
    group: str
    """Group that may read the key."""


class Acme(BaseModel):
    """The ACME directory and where DNS-01 is answered."""

    model_config = ConfigDict(extra="forbid")

    directory: str
    """URL of the directory (RFC 8555)."""
    contact: str
    """Address for warnings of the directory."""
    dns_server: str
    """Where DNS-01 is answered by dynamic update (RFC 2136)."""
    tsig_key: str
    """Name of the key for it; its secret is `acme.tsig`."""
    ca: str
    """What verifies the directory: `world` (the lab's), `system`, or an absolute path on the controller."""
    profile: str | None
    """Profile to ask for, if any."""
    renews: list[str]
    """Slots that this host renews by itself."""
    first: bool
    """Whether it is the first host of its pool: the others renew only what the first failed to."""


class Settings(BaseModel):
    """The host's certificates; a slot that is not here is removed."""

    model_config = ConfigDict(extra="forbid")

    slots: list[Slot]
    """All of them."""
    acme: Acme | None
    """Where outside certificates are ordered; empty: none are."""
    renew_before_days: int
    """So long before its end, at the latest, a certificate is renewed."""
    outside: list[str]
    """Whose roots /etc/edgewright/trust/outside.pem has.

    `world` and `partners` are the lab's, `system` the public ones, `own_ca` the organisation's; else paths on
    the controller.
    """
    revoked: list[str]
    """Whose revocation lists /etc/edgewright/trust/outside.crl has: `partners` (the lab's), or paths."""


def settings(base: Base, host: HostPlan) -> Settings | None:
    """Hosts that have no slot keep none."""
    mine = [found for found in base.certificates if host.name in found.hosts]
    directory = acme.directory(base)
    renews = [found.slot for found in mine if found.source == "acme"]
    return Settings(
        slots=[_slot(base, host, found) for found in mine],
        acme=_acme(base, host, directory, renews) if directory and renews else None,
        renew_before_days=base.topology.certificates.renew_before_days,
        outside=outside_roots(base),
        revoked=revocation_lists(base),
    )


def outside_roots(base: Base) -> list[str]:
    """Who certifies outside names: the lab's directory or the public ones; the own CA; partners'."""
    found = ["world" if internet.of(base.deployment) else "system"]
    if _lab_partners(base):
        found.append("partners")
    if any(c.source == "own_ca" and c.slot in OUTSIDE for c in base.certificates):
        found.append("own_ca")
    return found + _paths(base, base.topology.certificates.partner_roots)


def revocation_lists(base: Base) -> list[str]:
    """Who says which certificates of partners are good no more."""
    found = ["partners"] if _lab_partners(base) else []
    return found + _paths(base, base.topology.certificates.revoked)


def _lab_partners(base: Base) -> bool:
    """Whether there are partners on this Internet that the lab's authority for them certifies."""
    found = internet.of(base.deployment)
    surroundings = found.deployment.surroundings if found else None
    return surroundings is not None and any(surroundings.hosts())


def _paths(base: Base, given: tuple[str, ...]) -> list[str]:
    return [str(base.deployment.folder / path) for path in given]


def _slot(base: Base, host: HostPlan, found: CertificatePlan) -> Slot:
    files = found.source if isinstance(found.source, CertificateFiles) else None
    return Slot(
        name=found.slot,
        subject=found.subject,
        sans=list(found.sans),
        eku=list(found.eku),
        key_type=found.key,
        source="files" if files else "acme" if found.source == "acme" else "own_ca",
        files=_files(base, host, found, files) if files else None,
        shared=f"{found.pool}-{found.slot}" if found.shared_key and not files else None,
        group=_group(host, found.slot),
    )


def _group(host: HostPlan, slot: CertificateSlot) -> str:
    if host.kind == "database":
        return "postgres"
    roles, group = KEY_GROUPS.get(slot, ((), "root"))
    return group if set(roles) & set(host.roles) else "root"


def _files(base: Base, host: HostPlan, found: CertificatePlan, files: CertificateFiles) -> Files:
    """Relative paths are of the deployment's folder; `{host}` and `{pool}` are replaced."""

    def path(text: str) -> str:
        return str(base.deployment.folder / text.format(host=host.name, pool=found.pool))

    return Files(
        certificate=path(files.certificate),
        key=path(files.key),
        chain=path(files.chain) if files.chain else None,
    )


def _acme(base: Base, host: HostPlan, directory: acme.Directory, renews: list[CertificateSlot]) -> Acme:
    bundle = str(base.deployment.folder / directory.ca_bundle) if directory.ca_bundle else "system"
    pool = base.pool_hosts(host.pool or "")
    return Acme(
        directory=directory.url,
        contact=directory.contact or f"hostmaster@{base.topology.sip_domains[0]}",
        dns_server=str(directory.dns_server),
        tsig_key=directory.tsig_key,
        ca="world" if directory.world else bundle,
        profile=directory.profile,
        renews=list(renews),
        first=not pool or pool[0].name == host.name,
    )

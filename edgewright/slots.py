"""Whether the certificate in a slot is what the plan wants, and if not, why: judged on the controller."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edgewright.authority import USAGE, Authority


def parse(chain: str | None) -> list[x509.Certificate]:
    """The certificates of a PEM chain; none if there is none or it is damaged."""
    try:
        return x509.load_pem_x509_certificates(chain.encode()) if chain else []
    except ValueError:
        return []


def text(chain: Sequence[x509.Certificate]) -> list[str]:
    """Each certificate as PEM."""
    return [one.public_bytes(serialization.Encoding.PEM).decode() for one in chain]


def key_digest(public: Any) -> str:
    """SHA-256 of a public key as SubjectPublicKeyInfo."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public.public_bytes(encoding, form)).hexdigest()


def wrong(
    wanted: dict[str, Any],
    chain: str | None,
    key: str | None,
    now: dt.datetime,
    renew_before_days: int,
    authority: Authority,
) -> str | None:
    """Why a slot needs a new certificate; None: it does not.

    Args:
        wanted: The slot's settings: sans, eku, key_type, source.
        chain: What is on the host, PEM.
        key: Digest of the public key of the private key that is there.
        now: The time to judge by.
        renew_before_days: So long before its end a certificate is renewed.
        authority: The own CA.
    """
    found = parse(chain)
    if not found:
        return "there is none" if not chain else "it is damaged"
    if key is None:
        return "its key is missing"
    leaf = found[0]
    left = leaf.not_valid_after_utc - now
    for fails, because in (
        (key_digest(leaf.public_key()) != key, "it does not belong to the key"),
        (_names(leaf) != set(wanted["sans"]), "its names have changed"),
        (_kind(leaf) != wanted["key_type"], f"its key should be {wanted['key_type']}"),
        (left < dt.timedelta(0), "it has expired"),
        (left < _margin(leaf, renew_before_days), f"it ends in {left.days} days"),
        (wanted["source"] == "own_ca" and not authority.issued(leaf), "it is not of the own CA"),
        (
            wanted["source"] == "own_ca" and _purposes(leaf) != _oids(wanted["eku"]),
            "its purposes have changed",
        ),
        (wanted["source"] == "acme" and authority.issued(leaf), "it is of the own CA, not of the directory"),
    ):
        if fails:
            return because
    return None


def _margin(leaf: x509.Certificate, days: int) -> dt.timedelta:
    """Not more than a third of its life: short-lived certificates would be renewed at every run."""
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    return min(dt.timedelta(days=days), life / 3)


def _names(leaf: x509.Certificate) -> set[str]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return set(found.get_values_for_type(x509.DNSName))


def _purposes(leaf: x509.Certificate) -> set[x509.ObjectIdentifier]:
    try:
        return set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return set()


def _oids(eku: Sequence[str]) -> set[x509.ObjectIdentifier]:
    return {USAGE[purpose] for purpose in eku}


def _kind(leaf: x509.Certificate) -> str:
    public = leaf.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return f"rsa-{public.key_size}"
    return "ecdsa-p256" if isinstance(public, ec.EllipticCurvePublicKey) else "other"

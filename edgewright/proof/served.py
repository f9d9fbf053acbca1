"""What a shown certificate chain says, for comparison with the plan (section 5)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}
SMALLEST_RSA = 2048
"""Z06."""


def describe(chain: list[str]) -> dict[str, Any]:
    """Of a chain (base64 DER, leaf first): what `shown` says of its leaf."""
    if not chain:
        return {"names": [], "eku": [], "key": "", "key_strong": False, "in_time": False}
    return leaf(x509.load_der_x509_certificate(base64.b64decode(chain[0])), datetime.now(UTC))


def leaf(certificate: x509.Certificate, now: datetime, renew_before_days: int = 30) -> dict[str, Any]:
    """Names (sorted), `eku`, key type and whether it is strong enough, issuer, expiry, and `in_time`.

    `in_time`: valid now and not past the moment by which renewal must have happened (a third of its life,
    at most `renew_before_days`, less two days for the timer).
    """
    try:
        sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = sorted({str(name).lower() for name in sans.get_values_for_type(x509.DNSName)})
    except x509.ExtensionNotFound:
        names = []
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        eku = sorted(_USAGES.get(oid, oid.dotted_string) for oid in usage)
    except x509.ExtensionNotFound:
        eku = []
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    margin = min((end - begin) / 3, timedelta(days=renew_before_days)) - timedelta(days=2)
    key, strong = _key(certificate)
    return {
        "names": names,
        "eku": eku,
        "key": key,
        "key_strong": strong,
        "in_time": begin <= now <= end - max(margin, timedelta(0)),
        "expires": end.isoformat(timespec="minutes"),
        "issuer": certificate.issuer.rfc4514_string(),
    }


def _key(certificate: x509.Certificate) -> tuple[str, bool]:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}", key.curve.key_size >= 256
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}", key.key_size >= SMALLEST_RSA
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", True
    return type(key).__name__, False

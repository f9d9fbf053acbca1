"""What a certificate says, at the moments that matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgewright.proof import served

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def make(
    days: int = 90, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None
) -> x509.Certificate:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sip.x.example")])
    sans = [x509.DNSName("SIP.x.example"), x509.DNSName("a.x.example")]
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(sans), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(key, hashes.SHA256())
    )


@pytest.mark.parametrize(
    ("lifetime", "age", "in_time"),
    [
        (90, 1, True),
        (90, 61, True),  # renewed 30 days before its end, with two days for the timer
        (90, 63, False),  # the renewal is overdue
        (90, 91, False),  # expired
        (90, -1, False),  # not yet valid
        (6, 3, True),  # short-lived: a third of its life counts, less the two days
        (6, 7, False),
        (365, 336, True),
        (365, 338, False),
    ],
)
def test_in_time_means_valid_and_not_overdue(lifetime: int, age: int, in_time: bool) -> None:
    assert served.leaf(make(lifetime), BEGIN + timedelta(days=age))["in_time"] is in_time


def test_names_and_usages_are_sorted_and_lower_case() -> None:
    found = served.leaf(make(), BEGIN + timedelta(days=1))
    assert found["names"] == ["a.x.example", "sip.x.example"]
    assert found["eku"] == ["client", "server"]
    assert (found["key"], found["key_strong"]) == ("EC secp256r1", True)


def test_a_short_rsa_key_is_not_strong() -> None:
    key = rsa.generate_private_key(65537, 1024)
    found = served.leaf(make(key=key), BEGIN + timedelta(days=1))
    assert (found["key"], found["key_strong"]) == ("RSA 1024", False)


def test_no_chain_is_described_as_nothing() -> None:
    assert served.describe([])["names"] == []

"""Certificates with one thing wrong: each has its flaw and no other, and keeps it at a second run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from edgewright import authority, flaws, slots

NOW = dt.datetime.now(dt.UTC)
FLAWS = ("expired", "self_signed", "revoked", "stranger")


def wanted(flaw: str) -> dict[str, Any]:
    sans = ["sip.impostor.example", "sip.fabrikam.example"]
    kind = {"key_type": "ecdsa-p256", "source": "own_ca", "flaw": flaw}
    return {"subject": sans[0], "sans": sans, "eku": ["server", "client"], **kind}


@pytest.fixture
def known(tmp_path: Path) -> authority.Authority:
    return authority.Authority(tmp_path / "partners", "partners CA", b"password")


@pytest.fixture
def stranger(tmp_path: Path) -> authority.Authority:
    return authority.Authority(tmp_path / "strangers", "strangers CA", b"password")


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_is_what_is_wanted_and_no_other(
    known: authority.Authority, stranger: authority.Authority, flaw: str
) -> None:
    key = authority.make_key("ecdsa-p256")
    digest = slots.key_digest(key.public_key())
    chain = flaws.certify(wanted(flaw), key, NOW, known, stranger)
    for other in FLAWS:
        because = flaws.wrong(wanted(other), chain, digest, NOW, known, stranger)
        assert (because is None) == (other == flaw), (other, because)
    leaf = slots.parse(chain)[0]
    assert known.issued(leaf) == (flaw in ("expired", "revoked"))
    assert (leaf.not_valid_after_utc < NOW) == (flaw == "expired")
    assert (leaf.serial_number in known.revoked()) == (flaw == "revoked")
    good = known.sign(
        authority.request_for(key, wanted("")["sans"]), wanted("")["sans"], ["server", "client"]
    )
    assert flaws.wrong(wanted(flaw), good, digest, NOW, known, stranger) is not None


def test_the_revocation_list_is_signed_and_only_grows(known: authority.Authority) -> None:
    empty = x509.load_pem_x509_crl(known.revocation_list().encode())
    assert len(empty) == 0
    known.revoke(7)
    known.revoke(9)
    made = x509.load_pem_x509_crl(known.revocation_list().encode())
    assert {one.serial_number for one in made} == {7, 9} == known.revoked()
    public = known.certificate.public_key()
    assert isinstance(public, authority.ec.EllipticCurvePublicKey)
    assert made.is_signature_valid(public)

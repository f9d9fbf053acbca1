"""The own CA, and whether a slot's certificate is what the plan wants."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from edgewright import authority, slots

WANTED: dict[str, Any] = {
    "subject": "a.example",
    "sans": ["a.example", "b.example"],
    "eku": ["server", "client"],
    "key_type": "ecdsa-p256",
    "source": "own_ca",
}
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.Authority(tmp_path_factory.mktemp("ca"), "test CA", b"password")


@pytest.fixture(scope="module")
def key() -> authority.PrivateKey:
    return authority.make_key("ecdsa-p256")


def issue(ca: authority.Authority, key: authority.PrivateKey, days: int = 397, **more: Any) -> str:
    wanted = {**WANTED, **more}
    return ca.sign(authority.request_for(key, wanted["sans"]), wanted["sans"], wanted["eku"], days)


def judge(
    ca: authority.Authority, key: authority.PrivateKey, chain: str | None, now: dt.datetime = NOW, **more: Any
) -> str | None:
    return slots.wrong({**WANTED, **more}, chain, slots.key_digest(key.public_key()), now, 30, ca)


def test_the_authority_is_made_once_and_its_key_is_encrypted(tmp_path: Path) -> None:
    first = authority.Authority(tmp_path, "one", b"password")
    again = authority.Authority(tmp_path, "two", b"password")
    assert first.pem == again.pem
    text = (tmp_path / "ca.key").read_text()
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match=r"(?i)password|decrypt"):
        authority.Authority(tmp_path, "one", b"another")


def test_what_is_issued(ca: authority.Authority, key: authority.PrivateKey) -> None:
    leaf = slots.parse(issue(ca, key))[0]
    assert ca.issued(leaf)
    get = leaf.extensions.get_extension_for_class
    assert get(x509.BasicConstraints).value.ca is False
    assert set(get(x509.ExtendedKeyUsage).value) == {authority.USAGE["server"], authority.USAGE["client"]}
    assert get(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == WANTED["sans"]
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc


def test_a_request_that_its_key_did_not_sign_is_refused(
    ca: authority.Authority, key: authority.PrivateKey
) -> None:
    good = authority.request_for(key, ["a.example"])
    lines = good.splitlines()
    flipped = "B" if lines[-2][4] != "B" else "C"
    lines[-2] = lines[-2][:4] + flipped + lines[-2][5:]
    with pytest.raises(ValueError, match=r"not signed|parsing|error"):
        ca.sign("\n".join(lines) + "\n", ["a.example"], ["server"])


def test_a_good_one_stays(ca: authority.Authority, key: authority.PrivateKey) -> None:
    assert judge(ca, key, issue(ca, key)) is None


@pytest.mark.parametrize(
    ("issued", "wanted", "because"),
    [
        ({}, {"sans": ["a.example"]}, "its names have changed"),
        ({}, {"eku": ["server"]}, "its purposes have changed"),
        ({}, {"key_type": "rsa-2048"}, "its key should be rsa-2048"),
        ({}, {"source": "acme"}, "it is of the own CA, not of the directory"),
    ],
)
def test_what_changed(
    ca: authority.Authority,
    key: authority.PrivateKey,
    issued: dict[str, Any],
    wanted: dict[str, Any],
    because: str,
) -> None:
    assert judge(ca, key, issue(ca, key, **issued), **wanted) == because


def test_time(ca: authority.Authority, key: authority.PrivateKey) -> None:
    chain = issue(ca, key)
    assert judge(ca, key, chain, NOW + dt.timedelta(days=366)) is None
    assert judge(ca, key, chain, NOW + dt.timedelta(days=370)) == "it ends in 27 days"
    assert judge(ca, key, chain, NOW + dt.timedelta(days=400)) == "it has expired"
    assert judge(ca, key, issue(ca, key, days=6)) is None, "a short life is not renewed at every run"


def test_damage(ca: authority.Authority, key: authority.PrivateKey, tmp_path: Path) -> None:
    chain = issue(ca, key)
    assert judge(ca, key, None) == "there is none"
    assert judge(ca, key, chain[:100]) == "it is damaged"
    assert slots.wrong(WANTED, chain, None, NOW, 30, ca) == "its key is missing"
    other = authority.make_key("ecdsa-p256")
    assert judge(ca, other, chain) == "it does not belong to the key"
    stranger = authority.Authority(tmp_path, "test CA", b"password")
    assert judge(stranger, key, chain) == "it is not of the own CA"

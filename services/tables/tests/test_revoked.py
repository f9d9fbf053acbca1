"""Revocation lists, made by OpenSSL itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from edgewright_tables import revoked

CONFIGURATION = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
default_md = sha256
default_crl_days = 30
"""


@pytest.fixture
def made(tmp_path: Path) -> str:
    """A list of an authority called "Some CA, of ours" with two certificates in it."""
    (tmp_path / "openssl.cnf").write_text(CONFIGURATION.format(folder=tmp_path))
    serials = ("0A", "7F3C9D2E4B5A69788796A5B4C3D2E1F0")
    lines = (f"R\t360101000000Z\t260101000000Z\t{s}\tunknown\t/CN=x" for s in serials)
    (tmp_path / "index.txt").write_text("".join(f"{line}\n" for line in lines))
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    making = ["ca", "-gencrl", "-config", f"{tmp_path}/openssl.cnf", "-out", f"{tmp_path}/list.pem"]
    for argv in (
        [*request, "-subj", "/O=Ours/CN=Some CA, of ours"],
        [*making, "-cert", str(certificate), "-keyfile", str(key)],
    ):
        subprocess.run(["openssl", *argv], check=True, capture_output=True)
    return (tmp_path / "list.pem").read_text()


def test_issuers_and_serial_numbers(made: str) -> None:
    wanted = ["Some CA, of ours|10", f"Some CA, of ours|{0x7F3C9D2E4B5A69788796A5B4C3D2E1F0}"]
    assert revoked.keys(made) == wanted
    assert revoked.keys(f"# a comment\n{made}{made}") == wanted * 2
    assert revoked.keys("") == []


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(revoked.RevokedError):
        revoked.keys(text)


def test_without_a_file_nothing_is_revoked(tmp_path: Path) -> None:
    assert revoked.tell(tmp_path / "none") == 0

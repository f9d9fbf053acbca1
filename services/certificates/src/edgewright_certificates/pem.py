"""What openssl says about keys and certificates."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import subprocess
from pathlib import Path

BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


class CertificateError(Exception):
    """Something the operator must know."""


def openssl(*arguments: str, stdin: bytes | None = None) -> bytes:
    """Standard output of an openssl command.

    Raises:
        CertificateError: it failed; the text is what it said.
    """
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise CertificateError(
            f"openssl {arguments[0]}: {done.stderr.decode(errors='replace').strip()[-800:]}"
        )
    return done.stdout


def split(text: str) -> list[str]:
    """The certificates in a PEM text, each ending with a newline."""
    return [block if block.endswith("\n") else block + "\n" for block in BLOCK.findall(text)]


def key_digest(key: Path) -> str | None:
    """SHA-256 of the public key (SubjectPublicKeyInfo) of a private key; None if there is no usable key."""
    try:
        return hashlib.sha256(openssl("pkey", "-in", str(key), "-pubout", "-outform", "DER")).hexdigest()
    except CertificateError:
        return None


def certificate_digest(certificate: str) -> str:
    """The same of a certificate."""
    public = openssl("x509", "-noout", "-pubkey", stdin=certificate.encode())
    return hashlib.sha256(openssl("pkey", "-pubin", "-pubout", "-outform", "DER", stdin=public)).hexdigest()


def dates(certificate: str) -> tuple[dt.datetime, dt.datetime]:
    """When a certificate begins and ends."""
    asked = ("x509", "-noout", "-startdate", "-enddate", "-dateopt", "iso_8601")
    lines = openssl(*asked, stdin=certificate.encode()).decode().split("\n")
    begin, end = (
        dt.datetime.strptime(line.partition("=")[2] + "+0000", "%Y-%m-%d %H:%M:%SZ%z") for line in lines[:2]
    )
    return begin, end


def names(certificate: str) -> set[str]:
    """Its DNS names."""
    said = openssl("x509", "-noout", "-ext", "subjectAltName", stdin=certificate.encode()).decode()
    return set(re.findall(r"DNS:([^\s,]+)", said))


def make_key(kind: str) -> bytes:
    """A new private key, `ecdsa-p256` or `rsa-2048`, as PEM (PKCS 8)."""
    if kind == "rsa-2048":
        return openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def make_request(key: Path, subject: str, sans: list[str]) -> str:
    """A certificate request; the subject is left empty where it would be too long (RFC 5280: 64)."""
    name = f"/CN={subject}" if len(subject) <= 64 else "/"
    extension = "subjectAltName=" + ",".join(f"DNS:{san}" for san in sans)
    return openssl("req", "-new", "-sha256", "-key", str(key), "-subj", name, "-addext", extension).decode()

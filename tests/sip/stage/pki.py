"""Throw-away certificate authorities, and contexts for TLS made from them."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
HOUR, YEAR = dt.timedelta(hours=1), dt.timedelta(days=365)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


@dataclass(frozen=True)
class Certificate:
    """A leaf with its key and the chain that is shown with it."""

    leaf: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    issuers: str = ""

    @property
    def chain(self) -> str:
        """PEM: the leaf, then what stands between it and the root."""
        return self.leaf.public_bytes(serialization.Encoding.PEM).decode() + self.issuers

    @property
    def key_text(self) -> str:
        """PEM of the private key."""
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, form, none).decode()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf, hexadecimal."""
        return hashlib.sha256(self.leaf.public_bytes(serialization.Encoding.DER)).hexdigest()

    def load(self, context: ssl.SSLContext) -> None:
        """Let a context show it (the ssl module reads certificates from files only)."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "both.pem"
            path.write_text(self.key_text + self.chain)
            context.load_cert_chain(path)


class Authority:
    """A root that certifies whatever it is asked to."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(name)
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._subject)
            .issuer_name(self._subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - HOUR)
            .not_valid_after(now + YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self.certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.revoked: list[int] = []

    def issue(
        self,
        *sans: str,
        eku: Sequence[x509.ObjectIdentifier] = (SERVER, CLIENT),
        subject: str | None = None,
        begins: dt.timedelta = -HOUR,
        ends: dt.timedelta = YEAR,
    ) -> Certificate:
        """A certificate for some DNS names; `begins` and `ends` count from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject or (sans[0] if sans else "nobody")))
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(own, critical=False)
        )
        if sans:
            names = x509.SubjectAlternativeName([x509.DNSName(san) for san in sans])
            builder = builder.add_extension(names, critical=False)
        if eku:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(eku)), critical=False)
        return Certificate(builder.sign(self._key, hashes.SHA256()), key)

    def revoke(self, certificate: Certificate) -> None:
        """Put a certificate on the list that `crl` gives."""
        self.revoked.append(certificate.leaf.serial_number)

    def crl(self) -> str:
        """The revocation list, PEM."""
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._subject)
            .last_update(now - HOUR)
            .next_update(now + YEAR)
        )
        for number in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now - HOUR)
            builder = builder.add_revoked_certificate(entry.build())
        made = builder.sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()


def server_context(own: Certificate, *trusted: Authority, required: bool = True) -> ssl.SSLContext:
    """For a listener; asks for a certificate of `trusted` if any are given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load(context)
    for authority in trusted:
        context.load_verify_locations(cadata=authority.pem)
    if trusted:
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def client_context(own: Certificate | None, *trusted: Authority) -> ssl.SSLContext:
    """For connecting; the server's chain and name are checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if own:
        own.load(context)
    for authority in trusted:
        context.load_verify_locations(cadata=authority.pem)
    return context

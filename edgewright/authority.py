"""Certificate authorities on the controller: the organisation's own, and the lab's for its surroundings.

The key is kept encrypted under `.edgewright/<deployment>/ca/` with the vault's password. Keys of certificates
that a pool shares are kept the same way, beside the chain that goes with them.
"""

from __future__ import annotations

import datetime as dt
import fcntl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgewright.model.files import write_private

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Eku = Literal["server", "client"]
Flaw = Literal["expired", "self_signed", "revoked", "stranger"]
"""What may be wrong with a certificate that a lab's impostor shows."""

USAGE = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
CA_DAYS = 3650
LEAF_DAYS = 397
BACKDATED = dt.timedelta(hours=1)
"""Clocks of hosts may be a little behind the controller's."""


class Authority:
    """A certificate authority; made at its first use.

    Args:
        folder: Where its certificate and encrypted key lie.
        name: Common name.
        password: Encrypts the key.
    """

    def __init__(self, folder: Path, name: str, password: bytes) -> None:
        self._folder = folder
        with locked(folder):
            if not (folder / "ca.pem").exists():
                _make_authority(folder, name, password)
        self.pem = (folder / "ca.pem").read_text(encoding="ascii")
        self.certificate = x509.load_pem_x509_certificate(self.pem.encode())
        self._key = load_key((folder / "ca.key").read_bytes(), password)

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether this authority signed a certificate."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except Exception:
            return False
        return True

    def sign(
        self,
        request: str,
        sans: Sequence[str],
        eku: Iterable[Eku],
        days: int = LEAF_DAYS,
        now: dt.datetime | None = None,
    ) -> str:
        """A certificate for the key of a request, with the names and purposes given here, not the request's.

        It begins `now` and ends `days` later.

        Raises:
            ValueError: the request is not signed by its own key.
        """
        asked = x509.load_pem_x509_csr(request.encode())
        if not asked.is_signature_valid:
            raise ValueError("the certificate request is not signed by its own key")
        public = asked.public_key()
        now = now or dt.datetime.now(dt.UTC)
        name = [x509.NameAttribute(NameOID.COMMON_NAME, sans[0])] if len(sans[0]) <= 64 else []
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(name))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + dt.timedelta(days=days), self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False, rsa_key=isinstance(public, rsa.RSAPublicKey)), critical=True)
            .add_extension(x509.ExtendedKeyUsage([USAGE[purpose] for purpose in eku]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(san) for san in sans]), critical=not name
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        made = builder.sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def revoked(self) -> frozenset[int]:
        """Serial numbers of the certificates that are good no more."""
        path = self._folder / "crl.pem"
        if not path.exists():
            return frozenset()
        return frozenset(one.serial_number for one in x509.load_pem_x509_crl(path.read_bytes()))

    def revocation_list(self) -> str:
        """The revocation list as PEM (RFC 5280 section 5); an empty one is made at the first call."""
        if not (self._folder / "crl.pem").exists():
            self._revoke(())
        return (self._folder / "crl.pem").read_text(encoding="ascii")

    def revoke(self, serial: int) -> None:
        """Put a certificate on the revocation list."""
        self._revoke((serial,))

    def _revoke(self, serials: Iterable[int]) -> None:
        now = dt.datetime.now(dt.UTC)
        with locked(self._folder):
            builder = (
                x509.CertificateRevocationListBuilder()
                .issuer_name(self.certificate.subject)
                .last_update(now - BACKDATED)
                .next_update(self.certificate.not_valid_after_utc)
            )
            for serial in sorted({*self.revoked(), *serials}):
                entry = (
                    x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - BACKDATED)
                )
                builder = builder.add_revoked_certificate(entry.build())
            made = builder.sign(self._key, hashes.SHA256())
            text = made.public_bytes(serialization.Encoding.PEM).decode()
            write_private(self._folder / "crl.pem", text)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time works in a folder, which is made if need be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_key(kind: str) -> PrivateKey:
    """A new private key: `ecdsa-p256` or `rsa-2048`."""
    if kind == "rsa-2048":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def key_text(key: PrivateKey, password: bytes | None = None) -> str:
    """A private key as PEM (PKCS 8), encrypted where a password is given."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def load_key(data: bytes, password: bytes | None = None) -> PrivateKey:
    """A private key from PEM.

    Raises:
        ValueError: wrong password or damaged. TypeError: a kind of key that is not ours.
    """
    key = serialization.load_pem_private_key(data, password)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError("neither an EC nor an RSA key")
    return key


def self_signed(key: PrivateKey, sans: Sequence[str]) -> str:
    """A certificate that its own key has signed: it proves nothing to anybody."""
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, sans[0])])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=LEAF_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(san) for san in sans]), critical=False)
        .add_extension(x509.ExtendedKeyUsage(USAGE.values()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def request_for(key: PrivateKey, sans: Sequence[str]) -> str:
    """A certificate request for a key that is on the controller."""
    name = [x509.NameAttribute(NameOID.COMMON_NAME, sans[0])] if len(sans[0]) <= 64 else []
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(name)).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


def _make_authority(folder: Path, name: str, password: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True, rsa_key=False), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / "ca.key", key_text(key, password))
    write_private(folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())


def _key_usage(*, ca: bool, rsa_key: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=rsa_key,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )

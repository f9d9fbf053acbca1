"""A certificate authority and a SIP registrar on loopback: what the probe's client talks to in its tests."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

sys.path.insert(0, str(Path(__file__).parents[3] / "probes" / "src"))

from edgewright_probe import digest
from edgewright_probe.sip_message import Message, read

REALM = "lab.example"


@dataclass
class Authority:
    """A CA with its PEM file, the files of one server certificate, and the folder of a peer's certificate."""

    trust: Path
    certificate: Path
    key: Path
    peer: Path


def _make(folder: Path, names: list[str], *, days: int = 30) -> Authority:
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=days))
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    sans = [x509.DNSName(n) for n in names] + [x509.IPAddress(ip_address("127.0.0.1"))]
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), key.public_key())
        .add_extension(x509.SubjectAlternativeName(sans), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    peer = folder / "peer"
    peer.mkdir()
    made = Authority(folder / "ca.pem", peer / "fullchain.pem", peer / "privkey.pem", peer)
    made.trust.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return _make(tmp_path_factory.mktemp("authority"), ["sip.lab.example"])


@dataclass
class Registrar:
    """A registrar and proxy for one domain: digest, bindings, requests to who is bound.

    On `peers`, a port of its own, whoever shows a certificate of the CA may send to who is bound; of more
    than `rate` messages the rest gets 503.
    """

    passwords: dict[str, str]
    refused: set[str] = field(default_factory=set)
    port: int = 0
    peers: int = 0
    rate: int = 1000
    seen: list[Message] = field(default_factory=list)
    bound: dict[str, set[asyncio.StreamWriter]] = field(default_factory=dict)
    pending: dict[str, tuple[asyncio.StreamWriter, list[str]]] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trusted = writer.get_extra_info("sockname")[1] == self.peers
        try:
            while (message := await read(reader)) is not None:
                self.seen.append(message)
                if message.status:
                    self._back(message)
                elif trusted or message.method == "ACK":
                    self._forward(message, writer)
                else:
                    self._take(message, writer)
        except (OSError, ValueError):
            pass
        finally:
            for writers in self.bound.values():
                writers.discard(writer)
            writer.close()

    def _take(self, message: Message, writer: asyncio.StreamWriter) -> None:
        user = message.get("From").split("sip:")[1].split("@")[0]
        register = message.method == "REGISTER"
        given = digest.parse(message.get("Authorization" if register else "Proxy-Authorization"))
        if not given or not self._right(given, message.method):
            status, name = (401, "WWW-Authenticate") if register else (407, "Proxy-Authenticate")
            challenges = tuple(
                (
                    name,
                    (
                        f'Digest realm="{REALM}", nonce="{secrets.token_hex(8)}", qop="auth", '
                        f"algorithm={algorithm}"
                    ),
                )
                for algorithm in ("SHA-256", "MD5")
            )
            writer.write(message.reply(status, "Unauthorized", challenges).encode())
        elif user in self.refused:
            why = (("ms-diagnostics-public", '4003;reason="no outside access"'),)
            writer.write(message.reply(403, "Forbidden", why).encode())
        elif register:
            writers = self.bound.setdefault(user, set())
            (writers.discard if message.get("Expires") == "0" else writers.add)(writer)
            writer.write(message.reply(200, "OK").encode())
        elif message.method == "PUBLISH":
            self.states[user] = message.body
            writer.write(message.reply(200, "OK", (("SIP-ETag", secrets.token_hex(4)),)).encode())
        elif message.method == "SUBSCRIBE":
            self._subscribe(message, writer)
        else:
            self._forward(message, writer)

    def _subscribe(self, message: Message, writer: asyncio.StreamWriter) -> None:
        """Answers and tells at once, with a Route to come back by."""
        recorded = ("Record-Route", "<sip:one.lab.example;lr>, <sip:two.lab.example;lr>")
        answer = message.reply(200, "OK", (("Contact", "<sip:lab.example>"), recorded))
        writer.write(answer.encode())
        body = self.states.get(message.get("To").split("sip:")[1].split("@")[0], b"")
        ended = message.get("Expires") == "0"
        headers = [
            ("Via", "SIP/2.0/TLS lab.example;branch=z9hG4bKx"),
            ("From", answer.get("To")),
            ("To", answer.get("From")),
            ("Call-ID", message.get("Call-ID")),
            ("CSeq", "1 NOTIFY"),
            ("Event", message.get("Event")),
            ("Subscription-State", "terminated;reason=timeout" if ended else "active;expires=300"),
            *([("Content-Type", "application/pidf+xml")] if body else []),
        ]
        writer.write(Message("NOTIFY sip:probe SIP/2.0", headers, body).encode())

    def _right(self, given: dict[str, str], method: str) -> bool:
        user = given["username"]
        if user not in self.passwords:
            return False
        h = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[given["algorithm"]]
        ha1 = h(f"{user}:{REALM}:{self.passwords[user]}".encode()).hexdigest()
        ha2 = h(f"{method}:{given['uri']}".encode()).hexdigest()
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth"
        return given["response"] == h(f"{ha1}:{middle}:{ha2}".encode()).hexdigest()

    def _forward(self, message: Message, writer: asyncio.StreamWriter) -> None:
        self.rate -= message.method == "MESSAGE"
        if self.rate < 0:
            writer.write(message.reply(503, "Service Unavailable").encode())
            return
        writers = self.bound.get(message.start.split("sip:")[1].split("@")[0])
        if not writers:
            writer.write(message.reply(480, "Temporarily Unavailable").encode())
            return
        if message.method != "ACK":
            self.pending[message.get("Call-ID")] = (writer, message.all("Via"))
        for other in writers:
            other.write(message.encode())

    def _back(self, message: Message) -> None:
        call_id = message.get("Call-ID")
        found = self.pending.get(call_id) if message.status < 200 else self.pending.pop(call_id, None)
        if found:
            found[0].write(message.encode())


@pytest.fixture
def registrar(authority: Authority) -> Iterator[Registrar]:
    made = Registrar({"alice": "wonder", "bob": "builder", "carol": "inside"}, {"carol"})
    loop = asyncio.new_event_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    mutual = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mutual.load_cert_chain(authority.certificate, authority.key)
    mutual.load_verify_locations(authority.trust)
    mutual.verify_mode = ssl.CERT_REQUIRED

    async def start() -> list[asyncio.Server]:
        return [await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=c) for c in (context, mutual)]

    servers = loop.run_until_complete(start())
    made.port, made.peers = (server.sockets[0].getsockname()[1] for server in servers)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield made

    async def stop() -> None:
        for server in servers:
            server.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(stop(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()

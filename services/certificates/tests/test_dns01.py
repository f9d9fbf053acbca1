"""Updates at a name server of our own (dnspython both ends): TSIG checked, a second server that lags."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import dns.tsigkeyring
import dns.update
import pytest
from edgewright_certificates import dns01, pem

SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0"
ZONE = dns.name.from_text("a.example")


class Server:
    """One zone, over UDP and TCP; `lags`: so many questions are answered as if nothing had been updated."""

    def __init__(self, address: str, port: int, texts: set[tuple[str, str]], lags: int = 0) -> None:
        self.texts, self.lags, self.asked = texts, lags, 0
        self.ring = dns.tsigkeyring.from_text({"acme": SECRET})
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.create_server((address, self.port))
        for work in (self._datagrams, self._streams):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        """Also for threads that wait in it."""
        for one in (self.udp, self.tcp):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _datagrams(self) -> None:
        while True:
            try:
                wire, sender = self.udp.recvfrom(4096)
                if not wire:  # closed
                    return
                self.udp.sendto(self._answer(wire), sender)
            except OSError:
                return

    def _streams(self) -> None:
        while True:
            try:
                stream, _ = self.tcp.accept()
            except OSError:
                return
            with stream:
                (length,) = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))
                answer = self._answer(stream.recv(length, socket.MSG_WAITALL))
                stream.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, wire: bytes) -> bytes:
        try:
            query = dns.message.from_wire(wire, keyring=self.ring)
        except dns.exception.DNSException:
            bare = dns.message.from_wire(wire, keyring=False)  # type: ignore[arg-type]
            reply = dns.message.make_response(bare)
            reply.set_rcode(dns.rcode.NOTAUTH)
            return reply.to_wire()
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        if isinstance(query, dns.update.UpdateMessage):
            self._update(query, reply)
        else:
            self._look(query.question[0], reply)
        return reply.to_wire()

    def _update(self, query: dns.update.UpdateMessage, reply: dns.message.Message) -> None:
        if not query.had_tsig or query.zone[0].name != ZONE:
            reply.set_rcode(dns.rcode.REFUSED)
            return
        for rrset in query.update:
            for entry in rrset:
                text = (str(rrset.name), entry.to_text().strip('"'))
                (self.texts.discard if rrset.deleting else self.texts.add)(text)

    def _look(self, question: Any, reply: dns.message.Message) -> None:
        name, kind = question.name, question.rdtype
        if not name.is_subdomain(ZONE):
            reply.set_rcode(dns.rcode.REFUSED)
        elif kind == dns.rdatatype.SOA and name == ZONE:
            reply.answer.append(
                dns.rrset.from_text(name, 1, "IN", "SOA", "ns.a.example. h.a.example. 1 1 1 1 1")
            )
        elif kind == dns.rdatatype.NS:
            reply.answer.append(dns.rrset.from_text(name, 1, "IN", "NS", "second.a.example."))
        elif kind == dns.rdatatype.TXT:
            self.asked += 1
            found = [f'"{value}"' for owner, value in self.texts if owner == str(name)]
            if found and self.asked > self.lags:
                reply.answer.append(dns.rrset.from_text(name, 1, "IN", "TXT", *found))


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Server]]:
    """The one that takes updates, and a second that shows them late."""
    texts: set[tuple[str, str]] = set()
    first = Server("127.0.0.1", 0, texts)
    second = Server("127.0.0.2", first.port, texts, lags=2)

    def resolve(name: Any, kind: str) -> Any:
        if str(name) == "second.a.example." and kind == "A":
            return [type("A", (), {"address": "127.0.0.2"})]
        if str(name) == "_acme-challenge.b.example." and kind == "CNAME":
            return [type("CNAME", (), {"target": dns.name.from_text("b.a.example")})]
        raise dns.resolver.NXDOMAIN

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    yield first, second
    first.close()
    second.close()


def updates(server: Server, secret: str = SECRET) -> dns01.Updates:
    return dns01.Updates("127.0.0.1", "acme", secret, server.port)


def test_records_are_on_every_server_while_needed(servers: tuple[Server, Server]) -> None:
    first, second = servers
    records = [
        ("_acme-challenge.a.example", "one"),
        ("_acme-challenge.a.example", "two"),
        ("_acme-challenge.b.example", "three"),
    ]
    with updates(first).published(records):
        assert first.texts == {
            ("_acme-challenge.a.example.", "one"),
            ("_acme-challenge.a.example.", "two"),
            ("b.a.example.", "three"),
        }
        assert second.asked > 2, "the second had not got them at first"
    assert first.texts == set()


def test_they_go_when_the_order_fails(servers: tuple[Server, Server]) -> None:
    def fails() -> None:
        with updates(servers[0]).published([("_acme-challenge.a.example", "one")]):
            assert servers[0].texts
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert servers[0].texts == set()


def test_a_server_out_of_reach_is_not_waited_for(
    servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    servers[1].close()
    monkeypatch.setattr(dns01, "ANSWER", 0.3)
    with updates(servers[0]).published([("_acme-challenge.a.example", "one")]):
        assert servers[0].texts
    assert "not waited for: name server 127.0.0.2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "secret", "says"),
    [
        ("_acme-challenge.c.example", SECRET, r"127\.0\.0\.1 has no zone for _acme-challenge\.c\.example"),
        ("_acme-challenge.a.example", "b3RoZXI=", r"update of a\.example\. at 127\.0\.0\.1: "),
        ("_acme-challenge.a.example", "abc", "not base64"),
    ],
)
def test_refusals(
    servers: tuple[Server, Server], name: str, secret: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(pem.CertificateError, match=says),
        updates(servers[0], secret).published([(name, "x")]),
    ):
        pytest.fail("it was published")
    assert servers[0].texts == set()
    assert "stay behind" not in capsys.readouterr().err, "what was never there cannot"


def test_a_server_that_stays_behind(servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    servers[1].lags = 1000
    monkeypatch.setattr(dns01, "SECONDS", 0.2)
    with (
        pytest.raises(pem.CertificateError, match=r"127\.0\.0\.2 did not show the new records"),
        updates(servers[0]).published([("_acme-challenge.a.example", "one")]),
    ):
        pytest.fail("it went on")
    assert servers[0].texts == set()

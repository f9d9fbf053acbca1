"""Input that no honest peer sends: the sender loses his connection at most, everybody else is served on."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from stage.messages import Message, message, options, register
from stage.parties import Connection
from stage.pki import client_context
from stage.stages import DirectorStage, EdgeStage

ALICE, BOB = "alice@contoso.example", "bob@contoso.example"


@pytest.fixture
def unharmed(edge: EdgeStage) -> Iterator[EdgeStage]:
    """The Edge; afterwards it has the same processes, and routes a request of a new client."""
    before = edge.container.processes()
    yield edge
    assert edge.container.processes() == before
    edge.next_hop.forget()
    sent = edge.client().send(register(ALICE))
    edge.next_hop.expect("REGISTER").reply(200)
    sent.expect(200)


def raw(text: Message, *changes: tuple[bytes, bytes]) -> bytes:
    """A message with a Via, its bytes changed."""
    via = ("Via", f"SIP/2.0/TLS 198.51.100.7:5061;branch=z9hG4bK{next(_NUMBERS)}")
    data = Message(text.start, [via, *text.headers], text.body).encode()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data


_NUMBERS = itertools.count()
HELLO = message(ALICE, BOB)
WEBSOCKET = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
TRICKS = b"Max-Forwards: 70\r\nSubject: %n%n%s$(var(x){s.eval})"
GARBAGE: dict[str, tuple[bytes, set[int]]] = {
    "nul-in-display-name": (raw(HELLO, (b"From: <", b'From: "a\0b" <')), {0, 400, 403}),
    "nul-in-user": (raw(HELLO, (b"sip:alice@", b"sip:al\0ce@")), {0, 400, 403}),
    "nul-in-header-name": (raw(HELLO, (b"Max-Forwards", b"Max-For\0wards")), {0, 400}),
    "not-utf-8-in-display-name": (raw(HELLO, (b"From: <", b'From: "\xff\xfe\x80" <')), {0, 200, 400}),
    "not-utf-8-in-user": (raw(HELLO, (b"sip:alice@", b"sip:\xc0\xaf@")), {0, 400, 403}),
    "line-feeds-only": (raw(HELLO).replace(b"\r\n", b"\n"), {0, 400, 403}),
    "header-of-70-kB": (raw(HELLO, (b"To:", b"X-Long: " + b"a" * 70_000 + b"\r\nTo:")), {0, 400, 413}),
    "3000-headers": (raw(HELLO, (b"To:", b"X-Many: 1\r\n" * 3000 + b"To:")), {0, 200, 400, 413}),
    "body-of-1-MB": (raw(message(ALICE, BOB, "x" * 1_000_000)), {0, 413}),
    "length-of-2-to-the-40": (raw(HELLO, (b"Length: 5", b"Length: 1099511627776")), {0, 400, 413}),
    "length-that-is-none": (raw(HELLO, (b"Content-Length: 5", b"Content-Length: five")), {0, 400}),
    "no-length": (raw(HELLO, (b"Content-Length: 5\r\n", b"")), {0, 400, 411}),
    "no-via": (HELLO.encode(), {0, 400}),
    "no-call-id": (raw(HELLO, (b"Call-ID:", b"X-Call:")), {0, 400}),
    "empty-call-id": (raw(HELLO, (HELLO.get("Call-ID").encode(), b"")), {0, 400}),
    "request-uri-of-8-kB": (raw(HELLO, (b"sip:bob@", b"sip:" + b"b" * 8000 + b"@")), {0, 200, 400, 414}),
    "no-request-line": (b"\r\n\r\n" + raw(HELLO).partition(b"\r\n")[2], {0}),
    "http": (b"GET / HTTP/1.1\r\nHost: sip.contoso.example\r\n\r\n", {0, 400, 404}),
    "websocket": (WEBSOCKET, {0, 400, 404}),
    "msrp": (b"MSRP a786hjs2 SEND\r\nTo-Path: msrp://b;tcp\r\n-------a786hjs2$\r\n", {0}),
    "smtp": (b"EHLO mail.contoso.example\r\nMAIL FROM:<a@b>\r\n", {0}),
    "proxy-protocol": (b"PROXY TCP4 198.18.3.21 198.18.3.61 5061 5061\r\n" + raw(HELLO), {0}),
    "random-4-kB": (os.urandom(4096), {0}),
    "format-string": (raw(HELLO, (b"Max-Forwards: 70", TRICKS)), {200}),
    "line-feed-for-the-journal": (
        raw(HELLO, (HELLO.get("Call-ID").encode(), b"a%0aedgewright decision=allowed")), {0, 200, 400},
    ),
}  # fmt: skip


def answered(edge: EdgeStage, connection: Connection, seconds: float) -> list[int]:
    """Statuses that come back (0: closed); what is forwarded to the Director meanwhile is answered there."""
    deadline = time.monotonic() + seconds
    outcome: list[int] = []
    while not outcome and time.monotonic() < deadline:
        with contextlib.suppress(AssertionError):
            edge.next_hop.expect("MESSAGE", timeout=0.05).reply(200)
        outcome = connection.outcome(0.05)
    return outcome


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(unharmed: EdgeStage, name: str) -> None:
    data, allowed = GARBAGE[name]
    connection = unharmed.client().connect()
    connection.write(data)
    outcome = answered(unharmed, connection, 3 if 200 in allowed else 0.5)
    assert set(outcome) <= allowed, outcome
    assert outcome or 200 not in allowed, "neither answered nor closed"
    unharmed.next_hop.nothing(within=0)
    assert not any(line.startswith("edgewright decision=allowed") for line in unharmed.journal.lines)


def test_twenty_requests_in_one_write(unharmed: EdgeStage) -> None:
    connection = unharmed.client().connect()
    connection.write(b"".join(raw(options("sip:contoso.example")) for _ in range(20)))
    assert connection.outcome(3, answers=20) == [200] * 20


def test_a_request_in_pieces_of_a_byte(unharmed: EdgeStage) -> None:
    connection = unharmed.client().connect()
    for byte in raw(options("sip:contoso.example")):
        connection.write(bytes([byte]))
        time.sleep(0.001)
    assert connection.outcome(3) == [200]


@pytest.mark.parametrize("size", [1000, 16000, 56000])
def test_large_messages_come_through(unharmed: EdgeStage, size: int) -> None:
    sent = unharmed.client().send(message(ALICE, BOB, "x" * size))
    came = unharmed.next_hop.expect("MESSAGE", of=sent)
    assert len(came.body) == size
    came.reply(200)
    sent.expect(200)


@pytest.mark.parametrize("size", [57300, 64500])
def test_messages_that_could_not_grow_on_their_way_are_refused(unharmed: EdgeStage, size: int) -> None:
    sent = unharmed.client().send(message(ALICE, BOB, "x" * size))
    sent.expect(413)
    unharmed.refused(sent, "message-too-large", status="413")
    unharmed.next_hop.nothing()


def test_no_tls_at_all(unharmed: EdgeStage) -> None:
    for port in (443, 5061):
        with socket.create_connection((_address(unharmed), port), 3) as channel:
            channel.settimeout(5)
            channel.sendall(raw(HELLO))
            assert channel.recv(4096)[:1] in (b"", b"\x15"), "closed, or an alert of TLS"


def test_old_versions_of_tls(unharmed: EdgeStage) -> None:
    context = client_context(None, unharmed.outside)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    channel = socket.create_connection((_address(unharmed), 443), 3)
    with channel, pytest.raises(OSError, match=r"(?i)alert|protocol|reset|EOF"):
        context.wrap_socket(channel, server_hostname=unharmed.name)


def test_a_hundred_connections_at_once_that_say_nothing(unharmed: EdgeStage) -> None:
    channels = [socket.create_connection((_address(unharmed), 443), 3) for _ in range(100)]
    unharmed.client().send(options("sip:contoso.example")).expect(200)
    for channel in channels:
        channel.close()


def test_who_is_slow_loses_his_connection_and_nobody_else_does(unharmed: EdgeStage) -> None:
    """Bare TCP, half a ClientHello, TLS without a word, half a request, half a body: 20 to 30 s."""
    client = unharmed.client()
    sent = client.send(register(ALICE))
    unharmed.next_hop.expect("REGISTER").reply(200)
    sent.expect(200)
    context = client_context(None, unharmed.outside)

    def closed_after(data: bytes, *, tls: bool) -> float:
        start = time.monotonic()
        with socket.create_connection((_address(unharmed), 443), 3) as bare:
            channel = context.wrap_socket(bare, server_hostname=unharmed.name) if tls else bare
            channel.settimeout(40)
            if data:
                channel.sendall(data)
            try:
                while channel.recv(4096):
                    pass
            except (ConnectionError, ssl.SSLError):
                pass
            return time.monotonic() - start

    slow = [
        (b"", False),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", False),
        (b"", True),
        (b"MESSAGE sip:bob@contoso.example SIP/2.0\r\nVia: SIP", True),
        (raw(HELLO, (b"Content-Length: 5", b"Content-Length: 500")), True),
    ]
    with ThreadPoolExecutor(len(slow)) as pool:
        waits = [pool.submit(closed_after, data, tls=tls) for data, tls in slow]
        times = [wait.result() for wait in waits]
    assert max(times) < 35, times
    assert not client.connections[0].closed
    client.send(options("sip:contoso.example")).expect(200)


def test_a_director_gets_garbage_from_an_edge(director: DirectorStage) -> None:
    before = director.container.processes()
    for data, _ in GARBAGE.values():
        connection = director.edge.connect()
        connection.write(data)
        connection.outcome(0.1)
        connection.close()
    assert director.container.processes() == before
    director.edge.connect().send(options("sip:director.inside.contoso.example")).expect(200)
    director.front_end.nothing(within=0)


def _address(edge: EdgeStage) -> str:
    return str(edge.settings["access_edge"]["outside"][0]["address"])

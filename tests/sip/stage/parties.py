"""Neighbours of the role under test, played over real TLS by one event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from .messages import Message, check, read, text_of
from .pki import Authority, Certificate, client_context, server_context

T = TypeVar("T")
PATIENCE = 4.0
"""Seconds in which what is expected has to come."""


class Loop:
    """The event loop of all neighbours; tests stay synchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 10) -> T:
        """Run a coroutine there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Call something there, without waiting."""
        self._loop.call_soon_threadsafe(call, *arguments)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


class Arrived:
    """A request that came to a neighbour."""

    def __init__(self, message: Message, connection: Connection) -> None:
        self.message = message
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.message, name)

    def reply(
        self, status: int, phrase: str = "Fine", headers: Mapping[str, str] | None = None, body: str = ""
    ) -> Message:
        """Answer it; the answer that was sent."""
        answer = self.message.reply(status, phrase, tuple((headers or {}).items()))
        if status == 100:
            answer.headers = [(n, v) for n, v in answer.headers if n != "To"]
            answer.headers.append(("To", self.message.get("To")))
        answer.body = body.encode()
        self.connection.write(answer.encode())
        return answer


class Sent:
    """A request that a neighbour sent."""

    def __init__(self, message: Message, connection: Connection) -> None:
        self.message = message
        self.call_id = message.get("Call-ID")
        self._connection = connection
        self._changed = threading.Condition()
        self.answers: list[Message] = []

    def take(self, message: Message) -> None:
        """An answer came (called by the connection)."""
        with self._changed:
            self.answers.append(message)
            self._changed.notify_all()

    def answer(self, timeout: float = PATIENCE) -> Message:
        """The first final answer.

        Raises:
            AssertionError: none in time, or the connection was closed.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                final = next((one for one in self.answers if one.status >= 200), None)
                if final:
                    return final
                left = deadline - time.monotonic()
                assert not self._connection.closed, f"closed after:\n{text_of(self.message)}"
                assert left > 0, f"no answer to:\n{text_of(self.message)}"
                self._changed.wait(min(left, 0.05))

    def expect(
        self,
        status: int,
        headers: Mapping[str, str | None] | None = None,
        must_not: Iterable[str] = (),
        timeout: float = PATIENCE,
    ) -> Message:
        """The final answer, which has this status (see `messages.check`)."""
        found = self.answer(timeout)
        assert found.status == status, f"{found.start} instead of {status}:\n{text_of(found)}"
        return check(found, headers, must_not)


class Connection:
    """One TLS connection of a neighbour."""

    def __init__(
        self, party: Party, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, loop: Loop
    ) -> None:
        self.party = party
        self._reader, self._writer, self._loop = reader, writer, loop
        self._sent: dict[tuple[str, str], Sent] = {}
        self._changed = threading.Condition()
        self.answers: list[Message] = []
        self.closed = False
        self.ended = threading.Event()
        host, port = writer.get_extra_info("sockname")[:2]
        self.local = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.family = 6 if ":" in host else 4
        self.peer = writer.get_extra_info("ssl_object")
        self.peer_address: tuple[str, int] = writer.get_extra_info("peername")[:2]
        self._task = asyncio.ensure_future(self._listen())

    @property
    def peer_names(self) -> list[str]:
        """DNS names in the certificate that the other end showed."""
        shown = self.peer.getpeercert() if self.peer else None
        return [value for kind, value in (shown or {}).get("subjectAltName", ()) if kind == "DNS"]

    async def _listen(self) -> None:
        try:
            while (message := await read(self._reader)) is not None:
                self._take(message)
        except (OSError, ValueError, asyncio.CancelledError):
            pass
        finally:
            self.closed = True
            self._writer.close()
            self.ended.set()
            with self._changed:
                self._changed.notify_all()

    def _take(self, message: Message) -> None:
        if message.status:
            with self._changed:
                self.answers.append(message)
                self._changed.notify_all()
            if sent := self._sent.get((message.get("Call-ID"), message.get("CSeq"))):
                sent.take(message)
            return
        self.party.take(Arrived(message, self))

    def send(self, message: Message) -> Sent:
        """Send a request, with a Via of this connection on top."""
        if message.start.split()[0] != "ACK" or not any(n == "Via" for n, _ in message.headers):
            via = f"SIP/2.0/TLS {self.local};branch=z9hG4bK{secrets.token_hex(6)};rport;alias"
            message = Message(message.start, [("Via", via), *message.headers], message.body)
        sent = Sent(message, self)
        self._sent[sent.call_id, message.get("CSeq")] = sent
        self.write(message.encode())
        return sent

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._loop.soon(self._writer.write, data)

    def outcome(self, timeout: float, answers: int = 1) -> list[int]:
        """Statuses of the final answers to whatever was written; 0 at the end: the other end closed it.

        Waits until it is closed, until there are so many answers, or for `timeout` seconds.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.closed or len(self._final()) >= answers, timeout)
            return [*self._final(), *([0] if self.closed else [])]

    def _final(self) -> list[int]:
        return [message.status for message in self.answers if message.status >= 200]

    def wait_closed(self, timeout: float = PATIENCE) -> bool:
        """Whether the other end closes it in time."""
        return self.ended.wait(timeout)

    def close(self) -> None:
        """Close it."""
        self._loop.soon(self._task.cancel)
        self.ended.wait(2)


class Party:
    """Somebody at the other end: listens, connects, and keeps what arrives until it is asked for.

    Args:
        loop: Where its connections live.
        name: For messages of failed tests.
        addresses: Its own, IPv4 and IPv6; connections come from them.
        certificate: What it shows; None: nothing.
        trusted: Who certifies those it talks to.
        targets: Where `connect` goes, by family: (address, port).
        server_name: The name that the server's certificate must have.
    """

    def __init__(
        self, loop: Loop, name: str, addresses: Iterable[str], certificate: Certificate | None,
        trusted: Iterable[Authority], targets: Mapping[int, tuple[str, int]], server_name: str,
    ) -> None:  # fmt: skip
        self._loop, self.name, self.certificate = loop, name, certificate
        self.addresses = {6 if ":" in address else 4: address for address in addresses}
        self._trusted = tuple(trusted)
        self._targets, self._server_name = dict(targets), server_name
        self._servers: list[asyncio.AbstractServer] = []
        self._changed = threading.Condition()
        self._inbox: list[Arrived] = []
        self.connections: list[Connection] = []
        self.pings = 0
        self.answers_pings = True
        self.serves = False

    # -- connections ---------------------------------------------------------------------

    def listen(self, port: int = 5061, *, certificate: Certificate | None = None) -> Party:
        """Accept connections on all its addresses; the other end has to show a certificate."""
        own = certificate or self.certificate
        self.serves = True
        assert own, f"{self.name} has no certificate to listen with"
        context = server_context(own, *self._trusted)
        for address in self.addresses.values():
            self._servers.append(self._loop.run(self._accept(address, port, context)))
        return self

    async def _accept(self, address: str, port: int, context: ssl.SSLContext) -> asyncio.AbstractServer:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections.append(Connection(self, reader, writer, self._loop))

        return await asyncio.start_server(accepted, address, port, ssl=context)

    @property
    def listening(self) -> bool:
        """Whether it accepts connections."""
        return bool(self._servers)

    def stop(self) -> None:
        """Close listeners and connections: who connects is refused."""
        for server in self._servers:
            self._loop.soon(server.close)
        self._servers.clear()
        self.close()

    def connect(
        self, family: int = 4, port: int | None = None, *, verify: bool = True, source: str | None = None
    ) -> Connection:
        """A connection to the role under test.

        Raises:
            OSError: refused; ssl.SSLError: the handshake failed.
        """
        connection = self._loop.run(self._connect(family, port, verify, source))
        self.connections.append(connection)
        return connection

    async def _connect(self, family: int, port: int | None, verify: bool, source: str | None) -> Connection:
        host, usual = self._targets[family]
        context = client_context(self.certificate, *self._trusted)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            host, port or usual, ssl=context, server_hostname=self._server_name, ssl_handshake_timeout=5,
            local_addr=(source or self.addresses[family], 0),
        )  # fmt: skip
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Connection(self, reader, writer, self._loop)

    def close(self) -> None:
        """Close its connections."""
        for connection in self.connections:
            if not connection.closed:
                connection.close()
        self.connections.clear()

    # -- messages ------------------------------------------------------------------------

    def send(self, message: Message, family: int = 4) -> Sent:
        """Send a request on its open connection to the role under test, made now if there is none."""
        own = next((c for c in self.connections if not c.closed and c.family == family), None)
        return (own or self.connect(family)).send(message)

    def take(self, arrived: Arrived) -> None:
        """A request came (called by the connection)."""
        if arrived.message.method == "OPTIONS" and "@" not in arrived.message.start:
            self.pings += 1
            if self.answers_pings:
                arrived.reply(200)
            return
        with self._changed:
            self._inbox.append(arrived)
            self._changed.notify_all()

    def expect(
        self,
        method: str,
        headers: Mapping[str, str | None] | None = None,
        must_not: Iterable[str] = (),
        *,
        uri: str | None = None,
        of: Sent | None = None,
        timeout: float = PATIENCE,
    ) -> Arrived:
        """The next request with this method (and the Call-ID of `of`), which must look like this.

        For `headers` and `must_not` see `messages.check`.

        Raises:
            AssertionError: none comes in time.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                there = [one for one in self._inbox if of is None or one.get("Call-ID") == of.call_id]
                found = next((one for one in there if one.message.method == method), None)
                if found:
                    self._inbox.remove(found)
                    break
                left = deadline - time.monotonic()
                assert left > 0, (
                    f"{self.name} got no {method}; there is {[a.message.start for a in self._inbox]}"
                )
                self._changed.wait(left)
        if uri is not None:
            assert found.message.start.split()[1] == uri, found.message.start
        check(found.message, headers, must_not)
        return found

    def nothing(self, method: str | None = None, *, within: float = 0.2) -> None:
        """Nothing (with this method) arrives; waits that long for it."""
        time.sleep(within)
        with self._changed:
            there = [a for a in self._inbox if method in (None, a.message.method)]
        assert not there, f"{self.name} got:\n{text_of(there[0].message)}"

    def forget(self) -> None:
        """Throw away what has arrived."""
        with self._changed:
            self._inbox.clear()

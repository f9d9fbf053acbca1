"""A SIP user agent over TLS: one task owns each connection (never two threads on one TLS socket)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import answering, digest, net
from .observation import HaltError, Transcript
from .sip_message import Message, read

AGENT = "Edgewright-Probe"
PLAIN = "text/plain;charset=UTF-8"
EXPIRES = 300
"""Seconds: longer than a run, short enough that a run which dies leaves nothing for long."""


@dataclass
class Answer:
    """The final response, how often the client was challenged, the Call-ID, the algorithm answered with."""

    final: Message
    challenges: int
    call_id: str
    algorithm: str = ""
    credentials: list[tuple[str, str]] = field(default_factory=list)
    """Headers of the last attempt: an ACK to a 2xx carries the same (RFC 3261 section 22.1)."""


@dataclass
class Arrival:
    """A request that came to this client: method, From header, text."""

    method: str
    sender: str
    text: str
    headers: list[tuple[str, str]]

    def has(self, token: str) -> bool:
        """Whether `token` is in its text or Subject."""
        return token in self.text or any(token in v for n, v in self.headers if n.lower() == "subject")


@dataclass
class Request:
    """What to send. `headers` are added after the ones every request has; `to_tag` makes it in-dialog.

    `timeout`: seconds to wait for a final response; 0: as long as the agent waits.
    """

    method: str
    uri: str
    to: str
    sender: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    to_tag: str = ""
    call_id: str = ""
    cseq: int = 1
    from_tag: str = ""
    timeout: float = 0


class Connection:
    """One TLS connection: sends requests, pairs responses with them, answers what arrives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[str, asyncio.Queue[Message | None]] = {}
        self._transcripts: dict[str, Transcript] = {}
        self._task = asyncio.create_task(self._listen())
        self._changed = asyncio.Event()
        self.arrivals: list[Arrival] = []
        self.stays = True
        """Whether it lasts: a call is accepted only by who will still be there."""
        self.late: list[Message] = []
        """Final answers to INVITEs for which nobody waits any more: further devices that accepted."""
        self.closed = False
        self.why = "closed"
        """What ended it: `closed`, or the alert or error in a few words."""
        self.tag = secrets.token_hex(5)
        self.name = name
        # A server that refuses this client's certificate may have closed already: then there is no name.
        host, port = (writer.get_extra_info("sockname") or ("closed.invalid", 0))[:2]
        self.local = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @classmethod
    async def open(cls, arguments: dict[str, Any], transcript: Transcript) -> Connection:
        """Find, connect, secure (see `net`).

        Raises:
            HaltError: at stage `resolve`, `connect` or `tls`.
        """
        target = await net.find(arguments, transcript)
        reader, writer = await net.open_tls(target, arguments, transcript)
        return cls(reader, writer, target.name)

    async def _listen(self) -> None:
        try:
            while (message := await read(self._reader)) is not None:
                self._take(message)
        except (OSError, ValueError) as error:
            self.why = net.tls_word(error)
        finally:
            self.closed = True
            for queue in self._waiting.values():
                queue.put_nowait(None)
            self._changed.set()
            self._writer.close()

    def _take(self, message: Message) -> None:
        call_id = message.get("Call-ID")
        if message.status:
            if transcript := self._transcripts.get(call_id):
                transcript.add("< " + message.encode().decode("utf-8", "replace"))
            if queue := self._waiting.get(call_id):
                queue.put_nowait(message)
            elif message.method == "INVITE" and 200 <= message.status < 300:
                self.late.append(message)
            return
        if message.method == "ACK":
            return
        self.arrivals.append(
            Arrival(
                message.method, message.get("From"), message.body.decode("utf-8", "replace"), message.headers
            )
        )
        for reply in answering.answers(message, self.local, self.tag, busy=not self.stays):
            self._writer.write(reply.encode())
        self._changed.set()

    def send(self, message: Message, transcript: Transcript) -> None:
        """Send what has no answer (ACK)."""
        transcript.add("> " + message.encode().decode("utf-8", "replace"))
        if not self.closed:
            self._writer.write(message.encode())

    async def exchange(self, request: Message, transcript: Transcript, timeout: float) -> Message:
        """Send a request and wait for its final response.

        Raises:
            HaltError: at stage `protocol`: closed, no answer.
        """
        call_id = request.get("Call-ID")
        queue = self._waiting.setdefault(call_id, asyncio.Queue())
        self._transcripts[call_id] = transcript
        transcript.add("> " + request.encode().decode("utf-8", "replace"))
        try:
            if self.closed:
                raise HaltError("protocol", self.why)
            self._writer.write(request.encode())
            await self._writer.drain()
            async with asyncio.timeout(timeout):
                while True:
                    response = await queue.get()
                    if response is None:
                        raise HaltError("protocol", self.why)
                    if response.status >= 200 and response.get("CSeq") == request.get("CSeq"):
                        if response.status >= 300 and request.method == "INVITE":
                            self.send(_acknowledged(request, response), transcript)
                        return response
        except TimeoutError as error:
            raise HaltError("protocol", "no answer") from error
        except OSError as error:
            # What ended the connection is what was read last from it.
            await asyncio.wait({self._task}, timeout=1)
            raise HaltError("protocol", self.why if self.closed else net.word(error)) from error
        finally:
            self._waiting.pop(call_id, None)
            self._transcripts.pop(call_id, None)

    async def arrival(self, token: str, timeout: float) -> Arrival | None:
        """The first request whose text contains `token`; None when none comes within `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    for arrived in self.arrivals:
                        if arrived.has(token):
                            return arrived
                    if self.closed:
                        return None
                    self._changed.clear()
                    await self._changed.wait()
        return None

    async def until(self, fits: Callable[[], bool], timeout: float) -> bool:
        """Whether `fits` becomes true within `timeout` seconds; asked again at each arrival."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not fits():
                    if self.closed:
                        return False
                    self._changed.clear()
                    await self._changed.wait()
                return True
        return False

    async def ended(self, timeout: float) -> bool:
        """Whether the other end closes it within `timeout` seconds."""
        await asyncio.wait({self._task}, timeout=timeout)
        return self._task.done()

    async def close(self) -> None:
        """Close and wait for the reading task."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


def _acknowledged(request: Message, response: Message) -> Message:
    """The ACK to a refused INVITE: of the same transaction (RFC 3261 section 17.1.1.3)."""
    names = ("via", "from", "call-id", "max-forwards", "route")
    kept = [(n, v) for n, v in request.headers if n.lower() in names]
    number = request.get("CSeq").split(" ")[0]
    uri = request.start.split(" ")[1]
    return Message(f"ACK {uri} SIP/2.0", [*kept, ("To", response.get("To")), ("CSeq", f"{number} ACK")])


class Agent:
    """One account at one connection: registers, sends, answers challenges with `password` if it has one.

    `timeout`: seconds to wait for a final response.
    """

    def __init__(
        self, connection: Connection, aor: str, password: str | None, arguments: dict[str, Any]
    ) -> None:
        self.connection = connection
        self.aor = aor
        self.domain = aor.partition("@")[2]
        self._password = password
        self._user = arguments.get("auth_user") or aor.partition("@")[0]
        self._algorithm = arguments.get("algorithm")
        self.timeout = float(arguments.get("timeout", 8))
        self._instance = uuid.uuid5(
            uuid.NAMESPACE_URL, f"{aor} {arguments.get('instance', connection.local)}"
        )
        self._register_id = f"{secrets.token_hex(10)}@probe"
        self._register_tag = secrets.token_hex(5)
        self._cseq = 0
        self.routes: list[str] = []

    @property
    def contact(self) -> str:
        """The Contact URI of this connection."""
        return f"sip:{self.aor.partition('@')[0]}@{self.connection.local};transport=tls"

    async def register(self, transcript: Transcript, expires: int = EXPIRES) -> Answer:
        """REGISTER with outbound parameters (RFC 5626); `expires` 0 takes the binding away."""
        contact = f'<{self.contact}>;+sip.instance="<urn:uuid:{self._instance}>";reg-id=1'
        self._cseq += 1
        request = Request(
            "REGISTER", f"sip:{self.domain}", f"sip:{self.aor}", f"sip:{self.aor}",
            [("Contact", contact), ("Expires", str(expires)), ("Supported", "path, outbound")],
            call_id=self._register_id, cseq=self._cseq, from_tag=self._register_tag,
        )  # fmt: skip
        result = await self.send(request, transcript)
        self._cseq = request.cseq
        if result.final.status == 200:
            self.routes = result.final.all("Service-Route")
        return result

    async def forget(self, transcript: Transcript) -> Answer:
        """Take away every binding of the account, whoever made it: asked for, then named one by one.

        RFC 3261 sections 10.2.3 and 10.2.2; not `Contact: *`, which Kamailio 6.0 refuses in outbound mode.
        """
        answer = await self._bindings([], transcript)
        found = re.findall(r"<[^>]*>", ", ".join(answer.final.all("Contact")))
        if found:
            gone = ", ".join(f"{uri};expires=0" for uri in found)
            answer = await self._bindings([("Contact", gone)], transcript)
        return answer

    async def _bindings(self, headers: list[tuple[str, str]], transcript: Transcript) -> Answer:
        aor = f"sip:{self.aor}"
        return await self.send(Request("REGISTER", f"sip:{self.domain}", aor, aor, headers), transcript)

    async def message(
        self, to: str, text: str, transcript: Transcript, *, sender: str | None = None,
        headers: list[tuple[str, str]] | None = None, to_tag: str = "", uri: str | None = None,
        content_type: str = PLAIN, timeout: float = 0,
    ) -> Answer:  # fmt: skip
        """MESSAGE (RFC 3428) to the address `to`; `sender` is what From claims."""
        routes = [("Route", route) for route in self.routes]
        request = Request(
            "MESSAGE", uri or f"sip:{to}", f"sip:{to}", f"sip:{sender or self.aor}",
            [*routes, *(headers or []), ("Content-Type", content_type)], text.encode(), to_tag,
            timeout=timeout,
        )  # fmt: skip
        return await self.send(request, transcript)

    async def send(self, request: Request, transcript: Transcript) -> Answer:
        """Send, answer challenges, and return the final response.

        A client gives up when its answer is challenged again, unless the nonce was stale (RFC 7616 section
        3.3).

        Raises:
            HaltError: at stage `protocol`.
        """
        request.call_id = request.call_id or f"{secrets.token_hex(10)}@probe"
        request.from_tag = request.from_tag or secrets.token_hex(5)
        challenges, answered, algorithm = 0, False, ""
        credentials: list[tuple[str, str]] = []
        while True:
            try:
                response = await self.connection.exchange(
                    self.build(request, credentials), transcript, request.timeout or self.timeout
                )
            except HaltError as halt:
                halt.correlation = [request.call_id]
                raise
            if response.status not in (401, 407):
                return Answer(response, challenges, request.call_id, algorithm, credentials)
            challenges += 1
            name = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
            challenge = digest.choose(response.all(name), self._algorithm)
            stale = challenge is not None and challenge.get("stale", "").lower() == "true"
            if challenge is None or self._password is None or (answered and not stale) or challenges > 4:
                return Answer(response, challenges, request.call_id, algorithm, credentials)
            value = digest.answer(challenge, request.method, request.uri, self._user, self._password)
            answered, algorithm = True, challenge.get("algorithm", "MD5")
            credentials = [("Authorization" if response.status == 401 else "Proxy-Authorization", value)]
            request.cseq += 1

    def build(self, request: Request, credentials: list[tuple[str, str]]) -> Message:
        """The message for a request, with a branch of its own."""
        to = f"<{request.to}>" + (f";tag={request.to_tag}" if request.to_tag else "")
        local = self.connection.local
        return Message(
            f"{request.method} {request.uri} SIP/2.0",
            [
                ("Via", f"SIP/2.0/TLS {local};branch=z9hG4bK{secrets.token_hex(8)};rport;alias"),
                ("Max-Forwards", "70"),
                ("From", f"<{request.sender}>;tag={request.from_tag}"),
                ("To", to),
                ("Call-ID", request.call_id),
                ("CSeq", f"{request.cseq} {request.method}"),
                ("User-Agent", AGENT),
                *request.headers,
                *credentials,
            ],
            request.body,
        )

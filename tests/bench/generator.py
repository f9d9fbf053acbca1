"""SIP users by the thousand: asyncio, one TLS connection each (Debian's sipp cannot do TLS).

Not a module of figures itself. Responses are found by Call-ID and CSeq; what arrives is answered with 200.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

_FIRST = re.compile(rb"SIP/2\.0 (\d{3})")
_KEY = re.compile(rb"^(?:Call-ID|CSeq|i)\s*:\s*(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_NONCE = re.compile(rb'^(?:WWW|Proxy)-Authenticate:.*nonce="([^"]+)".*algorithm=MD5', re.MULTILINE)
_LENGTH = re.compile(rb"^(?:Content-Length|l)\s*:\s*(\d+)", re.MULTILINE | re.IGNORECASE)
_COPIED = re.compile(
    rb"^(?:Via|v|From|f|To|t|Call-ID|i|CSeq|Record-Route)\s*:.*?\r\n", re.MULTILINE | re.IGNORECASE
)
TIMEOUT = 30.0
"""Seconds for one answer."""


class UserError(Exception):
    """A user was not served: no answer, another status than 200, or the connection is gone."""


@dataclass(frozen=True)
class Door:
    """Where users connect: address and port, the context, the name in the certificate."""

    address: str
    port: int
    context: ssl.SSLContext
    name: str


class User:
    """One user with one connection."""

    _numbers = itertools.count()

    def __init__(self, name: str, domain: str, password: str, door: Door, source: str) -> None:
        self.name, self.domain, self.door, self.source = name, domain, door, source
        self._ha1 = hashlib.md5(f"{name}:{domain}:{password}".encode(), usedforsecurity=False).hexdigest()
        self._nonce = b""
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._call = f"{secrets.token_hex(8)}@bench"
        self._cseq = 0
        self.got = 0
        self.connected = False
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """TLS, with the server's certificate checked."""
        self._reader, self._writer = await asyncio.open_connection(
            self.door.address, self.door.port, ssl=self.door.context, server_hostname=self.door.name,
            local_addr=(self.source, 0), ssl_handshake_timeout=TIMEOUT, limit=2**17,
        )  # fmt: skip
        host, port = self._writer.get_extra_info("sockname")[:2]
        self._local = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.connected = True
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            while True:
                head = await self._reader.readuntil(b"\r\n\r\n")
                if found := _LENGTH.search(head):
                    await self._reader.readexactly(int(found[1]))
                self._take(head.lstrip())
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.connected = False
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.cancel()

    def _take(self, head: bytes) -> None:
        if not head.startswith(b"SIP/2.0 "):
            self.got += 1
            copied = b"".join(_COPIED.findall(head))
            tagged = re.sub(rb"^(To:[^\r;]*)\r", rb"\1;tag=b\r", copied, flags=re.MULTILINE)
            self._writer.write(b"SIP/2.0 200 OK\r\n" + tagged + b"Content-Length: 0\r\n\r\n")
            return
        waiting = self._waiting.get(b" ".join(sorted(_KEY.findall(head))))
        if waiting and not waiting.done() and not head.startswith(b"SIP/2.0 1"):
            waiting.set_result(head)

    async def _exchange(self, text: str, call: str, cseq: str) -> bytes:
        key = b" ".join(sorted((call.encode(), cseq.encode())))
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[key] = waiting
        try:
            self._writer.write(text.encode())
            return await asyncio.wait_for(waiting, TIMEOUT)
        except (TimeoutError, asyncio.CancelledError, OSError) as error:
            raise UserError(f"{self.name}: no answer ({type(error).__name__})") from None
        finally:
            del self._waiting[key]

    async def _send(
        self, method: str, uri: str, to: str, call: str, headers: Sequence[str], body: str = ""
    ) -> None:
        for _ in range(3):
            self._cseq += 1
            cseq = f"{self._cseq} {method}"
            lines = [
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/TLS {self._local};branch=z9hG4bK{next(self._numbers):x};rport;alias",
                "Max-Forwards: 70",
                f"From: <sip:{self.name}@{self.domain}>;tag=b{self._call[:6]}",
                f"To: <sip:{to}@{self.domain}>",
                f"Call-ID: {call}",
                f"CSeq: {cseq}",
                *headers,
                *self._proof(method, uri),
                f"Content-Length: {len(body)}",
            ]
            answer = await self._exchange("\r\n".join(lines) + "\r\n\r\n" + body, call, cseq)
            found = _FIRST.match(answer)
            status = int(found[1]) if found else 0
            if status not in (401, 407):
                break
            challenge = _NONCE.search(answer)
            self._nonce = challenge[1] if challenge else b""
        if status != 200:
            raise UserError(f"{self.name}: {method} {status}")

    def _proof(self, method: str, uri: str) -> list[str]:
        if not self._nonce:
            return []
        nonce = self._nonce.decode()
        ha2 = hashlib.md5(f"{method}:{uri}".encode(), usedforsecurity=False).hexdigest()
        text = f"{self._ha1}:{nonce}:00000001:bench:auth:{ha2}"
        response = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        name = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
        who = f'username="{self.name}", realm="{self.domain}", nonce="{nonce}", uri="{uri}"'
        what = f'response="{response}", qop=auth, nc=00000001, cnonce="bench", algorithm=MD5'
        return [f"{name}: Digest {who}, {what}"]

    async def register(self) -> None:
        """REGISTER on the connection; a nonce that is known is used at once."""
        instance = f'+sip.instance="<urn:uuid:00000000-0000-4000-8000-{int(self.name[1:]):012}>";reg-id=1'
        headers = [
            f"Contact: <sip:{self.name}@{self._local};transport=tls>;{instance}",
            "Expires: 600",
            "Supported: path, outbound",
        ]
        await self._send("REGISTER", f"sip:{self.domain}", self.name, self._call, headers)

    async def message(self, to: str, text: str = "hello") -> None:
        """MESSAGE to another user, answered by that one's client."""
        call = f"{secrets.token_hex(8)}@bench"
        uri = f"sip:{to}@{self.domain}"
        await self._send("MESSAGE", uri, to, call, ["Content-Type: text/plain"], text)

    async def close(self) -> None:
        """Close the connection without a word."""
        if self._task:
            self._writer.transport.abort()
            self._task.cancel()


@dataclass(frozen=True)
class Load:
    """What came of a load: how many, how long, how each fared."""

    done: int
    seconds: float
    times: list[float]
    failed: list[str]

    @property
    def rate(self) -> float:
        """Per second."""
        return self.done / self.seconds

    @property
    def median(self) -> float:
        """Milliseconds."""
        return sorted(self.times)[len(self.times) // 2] * 1000 if self.times else 0.0


async def loaded(work: Iterable[Callable[[], Awaitable[None]]], in_flight: int) -> Load:
    """Do all of it, so many at a time."""
    pending = iter(work)
    times: list[float] = []
    failed: list[str] = []

    async def worker() -> None:
        for one in pending:
            start = time.monotonic()
            try:
                await one()
                times.append(time.monotonic() - start)
            except (UserError, OSError, TimeoutError, ssl.SSLError) as error:
                failed.append(str(error))

    began = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return Load(len(times), time.monotonic() - began, times, failed)

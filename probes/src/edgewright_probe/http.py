"""The HTTP verb: one request over TLS or plain, to an address of the wanted family, with digest if asked."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import io
import re
import secrets
import urllib.parse
from dataclasses import dataclass
from typing import Any

from . import digest, net
from .observation import HaltError, Observation, Transcript

_LIMIT = 1 << 20
_CHANGING = re.compile(r'\b(nonce|opaque|cnonce)="[^"]*"', re.IGNORECASE)
_UNCOMPARED = {"date", "x-request-id", "content-length", "age", "set-cookie", "connection"}


class _Bytes:
    """What `http.client.HTTPResponse` wants of a socket: the answer as a file."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO(self._raw)


@dataclass
class Answer:
    """Status, headers in order, body (text, and the SHA-256 of its bytes)."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    sha256: str = ""

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [v for n, v in self.headers if n.lower() == name]


async def request(arguments: dict[str, Any], transcript: Transcript) -> Observation:
    """GET (or `method`) `url`; where to connect as in `net.find` (default: the URL's host and port).

    `body` is sent as UTF-8 (`encoding` names another), its type is among `headers`. `host` overrides the Host
    header, `sni` the TLS name, `headers` is a list of [name, value]; with `user`
    and `password` a digest challenge is answered. Redirects are shown, not followed. Allowed: a status of
    `accept` (default: 2xx). `form`: {name, size, seed, says?} is sent as a file (RFC 7578), its bytes as
    `content` makes them; `says`: the length that is announced, where it is not the real one.
    `shown`: status, challenges, location, content_type, headers (comparable); body in `data`.
    """
    url = urllib.parse.urlsplit(arguments["url"])
    secure = url.scheme == "https"
    where = {
        "server": url.hostname,
        "port": url.port or (443 if secure else 80),
        "name": url.hostname,
    } | arguments
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    method = arguments.get("method", "GET")
    body = str(arguments.get("body", "")).encode(arguments.get("encoding", "utf-8"))
    correlation = secrets.token_hex(16)
    headers = [
        ("Host", arguments.get("host", url.netloc)),
        ("User-Agent", "Edgewright-Probe"),
        ("Accept", "application/json, text/html;q=0.8, */*;q=0.5"),
        ("X-Request-Id", correlation),
        *((str(n), str(v)) for n, v in arguments.get("headers", [])),
        ("Connection", "close"),
    ]
    if "body" in arguments:
        headers.append(("Content-Length", str(len(body))))
    elif form := arguments.get("form"):
        sent_as, body = _form(form)
        headers += [("Content-Type", sent_as), ("Content-Length", str(form.get("says", len(body))))]
    elif method == "POST":
        headers.append(("Content-Length", "0"))
    target = await net.find(where, transcript)
    correlations = [correlation]
    challenges, answered = 0, False
    credentials: list[tuple[str, str]] = []
    while True:
        answer = await _one(target, where, secure, method, path, headers + credentials, body, transcript)
        correlations += [v for v in answer.all("x-request-id") if v not in correlations]
        if answer.status != 401:
            break
        challenges += 1
        challenge = digest.choose(answer.all("www-authenticate"), arguments.get("algorithm"))
        stale = challenge is not None and challenge.get("stale", "").lower() == "true"
        password = arguments.get("password")
        if challenge is None or password is None or (answered and not stale) or challenges > 4:
            break
        user = arguments.get("auth_user") or arguments["user"].partition("@")[0]
        credentials = [("Authorization", digest.answer(challenge, method, path, user, password))]
        answered = True
    accepted = arguments.get("accept") or range(200, 300)
    allowed = answer.status in accepted
    shown: dict[str, Any] = {"status": answer.status, "challenges": challenges, "headers": comparable(answer)}
    if location := answer.all("location"):
        shown["location"] = location[0]
    if kind := answer.all("content-type"):
        shown["content_type"] = kind[0].partition(";")[0]
    data = {"body": answer.body[:20000], "headers": answer.headers, "sha256": answer.sha256}
    return Observation("done" if allowed else "policy", allowed, shown, correlations, data)


def content(seed: str, size: int) -> bytes:
    """The bytes of a file that only `seed` and `size` decide."""
    block = hashlib.sha256(seed.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def _form(form: dict[str, Any]) -> tuple[str, bytes]:
    """Content type and body of a form with one file, as RCC.07 and Linphone send it."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="File"; filename="{form["name"]}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content(str(form["seed"]), int(form["size"])) + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def comparable(answer: Answer) -> list[str]:
    """Headers as `name: value` without what differs from one request to the next."""
    return [
        f"{n.lower()}: {_CHANGING.sub(_blank, v)}" for n, v in answer.headers if n.lower() not in _UNCOMPARED
    ]


def _blank(match: re.Match[str]) -> str:
    return f'{match[1]}="*"'


async def _one(
    target: net.Target, where: dict[str, Any], secure: bool, method: str, path: str,
    headers: list[tuple[str, str]], body: bytes, transcript: Transcript,
) -> Answer:  # fmt: skip
    timeout = float(where.get("timeout", 8))
    if secure:
        reader, writer = await net.open_tls(target, where, transcript)
    else:
        sock = await net.connect(target.address, target.port, timeout)
        transcript.add(f"connected to {target}")
        reader, writer = await asyncio.open_connection(sock=sock)
    try:
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers)]) + "\r\n\r\n"
        transcript.add("> " + head)
        try:
            writer.write(head.encode() + body)
            async with asyncio.timeout(timeout):
                raw = await _rest(reader)
        except TimeoutError as error:
            raise HaltError("protocol", "no answer") from error
        except OSError as error:
            raise HaltError("protocol", net.tls_word(error)) from error
    finally:
        writer.close()
    if not raw:
        raise HaltError("protocol", "closed")
    try:
        parsed = http.client.HTTPResponse(_Bytes(raw), method=method)  # type: ignore[arg-type]
        parsed.begin()
        raw_body = parsed.read(_LIMIT)
        text = raw_body.decode("utf-8", "replace")
    except (http.client.HTTPException, ValueError) as error:
        raise HaltError("protocol", f"not HTTP: {type(error).__name__}") from error
    answer = Answer(parsed.status, parsed.getheaders(), text, hashlib.sha256(raw_body).hexdigest())
    shown = "\n".join(f"{n}: {v}" for n, v in answer.headers)
    transcript.add(f"< HTTP/1.1 {parsed.status} {parsed.reason}\n{shown}\n\n{text[:1500]}")
    return answer


async def _rest(reader: asyncio.StreamReader) -> bytes:
    raw = b""
    while len(raw) < _LIMIT and (piece := await reader.read(65536)):
        raw += piece
    return raw

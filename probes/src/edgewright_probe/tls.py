"""TLS verbs: the chain that a listener shows, and whether it still speaks an old version."""

from __future__ import annotations

import asyncio
import base64
import functools
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import net
from .observation import HaltError, Observation, Transcript

_DER = 2


async def chain(arguments: dict[str, Any], transcript: Transcript) -> Observation:
    """Handshake with chain and name check; the chain as shown (base64 DER, leaf first) in `data`.

    A chain that does not verify is looked at once more without checking, so that the evidence can say what
    was shown. `starttls` is not spoken here.
    """
    target = await net.find(arguments, transcript)
    halt: HaltError | None = None
    try:
        shown, data = await _look(target, arguments, transcript)
    except HaltError as error:
        if error.stage != "tls":
            raise
        halt = error
        transcript.add(f"refused by this client: {error.detail}")
        try:
            shown, data = await _look(target, arguments | {"insecure": True}, transcript)
        except HaltError:
            raise halt from None
    if halt:
        return Observation("tls", False, shown | {"error": halt.detail}, data=data)
    return Observation("done", True, shown, data=data)


async def _look(
    target: net.Target, arguments: dict[str, Any], transcript: Transcript
) -> tuple[dict[str, Any], dict[str, Any]]:
    secured = await _secured(target, arguments, transcript)
    return {"version": secured.version, "cipher": secured.cipher}, {"chain": secured.chain}


async def handshake(arguments: dict[str, Any], transcript: Transcript) -> Observation:
    """Only whether a handshake succeeds with `maximum`/`minimum` versions; the chain is not judged."""
    target = await net.find(arguments, transcript)
    secured = await _secured(target, arguments | {"insecure": True}, transcript)
    return Observation("done", True, {"version": secured.version})


@dataclass(frozen=True)
class _Secured:
    """What a handshake agreed on, and the chain that was shown (base64 DER, leaf first)."""

    version: str
    cipher: str
    chain: list[str]


async def _secured(target: net.Target, arguments: dict[str, Any], transcript: Transcript) -> _Secured:
    """A handshake in a thread of its own.

    OpenSSL queues errors per thread: the alert of a listener that wants a client certificate would otherwise
    end some other connection of this process.

    Raises:
        HaltError: at stage `connect` or `tls`.
    """
    timeout = float(arguments.get("timeout", 6))
    context = net.context(arguments)
    sock = await net.connect(target.address, target.port, timeout)
    transcript.add(f"connected to {target}")
    name = arguments.get("sni", target.name)
    with ThreadPoolExecutor(1) as thread:
        work = functools.partial(_shake, sock, context, name, timeout)
        try:
            secured = await asyncio.get_running_loop().run_in_executor(thread, work)
        except (OSError, ValueError) as error:
            raise HaltError("tls", net.tls_word(error)) from error
        finally:
            sock.close()
    transcript.add(f"{secured.version} {secured.cipher}")
    return secured


def _shake(sock: socket.socket, context: ssl.SSLContext, name: str, timeout: float) -> _Secured:
    sock.settimeout(timeout)
    with context.wrap_socket(sock, server_hostname=name or None) as secured:
        # Public since Python 3.13; before that the same method of the object behind it.
        inner: Any = secured if hasattr(secured, "get_unverified_chain") else vars(secured)["_sslobj"]
        raw = inner.get_unverified_chain() or []
        ders = [item if isinstance(item, bytes) else item.public_bytes(_DER) for item in raw]
        cipher = secured.cipher()
        return _Secured(
            secured.version() or "",
            cipher[0] if cipher else "",
            [base64.b64encode(der).decode() for der in ders],
        )

"""TLS verbs: the chain that a listener shows, and whether it still speaks an old version."""

from __future__ import annotations

import base64
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
    _, writer = await net.open_tls(target, arguments, transcript)
    try:
        secured = writer.get_extra_info("ssl_object")
        inner = secured if hasattr(secured, "get_unverified_chain") else secured._sslobj
        raw = inner.get_unverified_chain() or []
        ders = [item if isinstance(item, bytes) else item.public_bytes(_DER) for item in raw]
        return (
            {"version": secured.version(), "cipher": secured.cipher()[0]},
            {"chain": [base64.b64encode(der).decode() for der in ders]},
        )
    finally:
        writer.close()


async def handshake(arguments: dict[str, Any], transcript: Transcript) -> Observation:
    """Only whether a handshake succeeds with `maximum`/`minimum` versions; the chain is not judged."""
    target = await net.find(arguments, transcript)
    _, writer = await net.open_tls(target, arguments | {"insecure": True}, transcript)
    version = writer.get_extra_info("ssl_object").version()
    writer.close()
    return Observation("done", True, {"version": version})

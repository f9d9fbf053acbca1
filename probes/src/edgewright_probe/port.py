"""The port verb: how many of a list of ports answer, TCP or UDP, without a service's own protocol."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from . import net
from .observation import HaltError, Observation, Transcript


async def scan(arguments: dict[str, Any], transcript: Transcript) -> Observation:
    """Try every port of `ports` at `address` by `protocol`; allowed when any is open.

    TCP: open, or how it failed (refused, timeout, unreachable, prohibited). UDP: one datagram (`payload`,
    hex) per port; open when something answers, refused on ICMP, else silent. `timeout` seconds per port,
    `tries` for silence.
    """
    address, protocol = arguments["address"], arguments.get("protocol", "tcp")
    timeout = float(arguments.get("timeout", 1.5))
    gate = asyncio.Semaphore(int(arguments.get("parallel", 64)))

    async def one(port: int) -> tuple[int, str]:
        async with gate:
            if protocol == "udp":
                return port, await _udp(address, port, bytes.fromhex(arguments.get("payload", "00")), timeout)
            try:
                (await net.connect(address, port, timeout)).close()
            except HaltError as halt:
                return port, halt.detail
            return port, "open"

    results = dict(await asyncio.gather(*(one(int(port)) for port in arguments["ports"])))
    for how in sorted(set(results.values())):
        ports = " ".join(str(port) for port, result in sorted(results.items()) if result == how)
        transcript.add(f"{protocol} {address} {how}: {ports}")
    opened = [port for port, result in sorted(results.items()) if result == "open"]
    shown = {
        "open": opened,
        "closed": len(results) - len(opened),
        "how": sorted(set(results.values()) - {"open"}),
    }
    return Observation("done" if opened else "connect", bool(opened), shown, data={"ports": results})


async def _udp(address: str, port: int, payload: bytes, timeout: float) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, (address, port))
            await loop.sock_sendall(sock, payload)
            await asyncio.wait_for(loop.sock_recv(sock, 2048), timeout)
        except TimeoutError:
            return "silent"
        except OSError as error:
            return net.word(error)
    return "open"

"""Cells in, observations out (JSON lines); or one verb by hand.

With no arguments: every line of standard input is `{"id", "verb", "arguments"}`; each is begun at once (at
most `PARALLEL` at a time) and answered by `{"id", "stage", "allowed", "shown", "correlation", "data",
"transcript", "seconds"}` when done. The end of input ends the sessions that are held. The first line out is
`{"probe": 1, "python": "3.13.5"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from . import burst, call, http, names, peer, port, presence, sip, tls, transfer
from .observation import HaltError, Observation, Transcript

PARALLEL = 48
Verb = Callable[[dict[str, Any], Transcript], Awaitable[Observation]]


def verbs(sessions: sip.Sessions, presences: presence.Presences | None = None) -> dict[str, Verb]:
    """Every verb by name; they share the registrations of `sessions` and what `presences` holds."""
    states = presences or presence.Presences(sessions)

    def held(verb: Callable[[dict[str, Any], sip.Sessions, Transcript], Awaitable[Observation]]) -> Verb:
        return lambda arguments, transcript: verb(arguments, sessions, transcript)

    return {
        "sip.register": held(sip.register),
        "sip.message": held(sip.message),
        "sip.wait": held(sip.wait),
        "sip.received": held(sip.received),
        "sip.drop": held(sip.drop),
        "sip.same": held(sip.same),
        "sip.gone": held(sip.gone),
        "sip.call": held(call.call),
        "sip.within": held(call.within),
        "sip.burst": held(burst.burst),
        "sip.peer": peer.peer,
        "sip.publish": lambda arguments, transcript: presence.publish(arguments, states, transcript),
        "sip.subscribe": lambda arguments, transcript: presence.subscribe(arguments, states, transcript),
        "sip.look": lambda arguments, transcript: presence.look(arguments, states, transcript),
        "tls.chain": tls.chain,
        "tls.handshake": tls.handshake,
        "dns.lookup": names.lookup,
        "http.request": http.request,
        "file.send": held(transfer.send),
        "file.wait": held(transfer.wait),
        "port.scan": port.scan,
    }


async def attempt(verb: Verb, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run one verb; whatever ends it is an observation."""
    transcript, start = Transcript(), time.monotonic()
    try:
        result = await verb(arguments, transcript)
    except HaltError as halt:
        transcript.add(f"stopped at {halt.stage}: {halt.detail}")
        result = Observation.halted(halt)
    except Exception as error:  # a fault of the probe is told, never mistaken for a refusal
        transcript.add(f"fault of the probe: {type(error).__name__}: {error}")
        result = Observation("resolve", False, {"fault": f"{type(error).__name__}: {error}"})
    return asdict(result) | {"transcript": transcript.lines, "seconds": round(time.monotonic() - start, 3)}


async def serve() -> int:
    """Answer standard input until it ends."""
    sessions = sip.Sessions()
    presences = presence.Presences(sessions)
    known = verbs(sessions, presences)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 22)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    gate = asyncio.Semaphore(PARALLEL)
    running: set[asyncio.Task[None]] = set()

    def say(document: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    async def one(cell: dict[str, Any]) -> None:
        verb = known.get(cell["verb"])
        if verb is None:
            say({"id": cell["id"], "stage": "resolve", "allowed": False, "shown": {"fault": "unknown verb"}})
            return
        # Waiting for a message must not keep the message from being sent.
        async with contextlib.nullcontext() if cell["verb"] in ("sip.wait", "sip.look") else gate:
            say({"id": cell["id"], **await attempt(verb, cell.get("arguments", {}))})

    say({"probe": 1, "python": platform.python_version()})
    try:
        while line := await reader.readline():
            if line.strip():
                task = asyncio.create_task(one(json.loads(line)))
                running.add(task)
                task.add_done_callback(running.discard)
        if running:
            await asyncio.gather(*running)
    finally:
        await presences.close()
        await sessions.close()
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="probe.pyz", description="Without arguments: cells in, observations out."
    )
    parser.add_argument("verb", choices=["sip", "tls", "dns", "http", "port"])
    parser.add_argument("action", help="sip: register|message|listen|peer; tls: chain|handshake; "
                                       "dns: lookup; http: request; port: scan")  # fmt: skip
    parser.add_argument("--server", help="name or address, with :port if not the default")
    parser.add_argument("--address", help="address to connect to, whatever the name says")
    parser.add_argument("--name", help="name that the certificate must carry")
    parser.add_argument("--port", type=int)
    parser.add_argument("--srv", help="look this up to find the server")
    parser.add_argument("--family", choices=["ipv4", "ipv6"], default="ipv4")
    parser.add_argument("--resolver")
    parser.add_argument("--trust", help="PEM file of trusted roots")
    parser.add_argument("--insecure", action="store_true", help="do not check the certificate")
    parser.add_argument("--certificate", help="sip peer: folder with fullchain.pem and privkey.pem")
    parser.add_argument("--maximum", help="highest TLS version, e.g. TLSv1_1")
    parser.add_argument("--user", help="address of record, e.g. alice@contoso.example")
    parser.add_argument("--auth-user", help="user name for digest (default: the part before @)")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.add_argument("--algorithm", choices=["MD5", "SHA-256"])
    parser.add_argument("--to")
    parser.add_argument("--text", default="hello")
    parser.add_argument("--sender", help="what From claims")
    parser.add_argument("--to-tag")
    parser.add_argument("--header", action="append", default=[], help="Name: value, repeatable")
    parser.add_argument("--registered", action="store_true", help="sip message: sign in first")
    parser.add_argument("--seconds", type=float, default=60, help="sip listen: for how long")
    parser.add_argument("--type", default="A", help="dns: record type")
    parser.add_argument("--url")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--ports", default="", help="port: comma-separated")
    parser.add_argument("--protocol", choices=["tcp", "udp"], default="tcp")
    return parser.parse_args(argv)


def _cell(options: argparse.Namespace) -> dict[str, Any]:
    given = {k: v for k, v in vars(options).items() if v not in (None, False, "", [])}
    server = given.get("server", "")
    if server and not server.startswith("[") and server.count(":") == 1:
        given["server"], given["port"] = server.split(":")[0], int(server.split(":")[1])
    elif server.startswith("["):
        host, _, number = server[1:].partition("]")
        given["server"] = host
        if number:
            given["port"] = int(number[1:])
    given["headers"] = [[part.strip() for part in h.split(":", 1)] for h in options.header]
    given["ports"] = [int(p) for p in options.ports.split(",") if p]
    if options.verb == "dns":
        given["name"] = options.name or options.server
    if options.password_stdin:
        given["password"] = sys.stdin.readline().rstrip("\n")
    return given


async def by_hand(options: argparse.Namespace) -> int:
    """Run one verb and print its transcript and what was shown; 0 when it was allowed."""
    arguments = _cell(options)
    sessions = sip.Sessions()
    known = verbs(sessions)
    name = f"{options.verb}.{options.action}"
    if name == "sip.listen" or options.registered:
        arguments["session"] = "hand"
    result = await attempt(known["sip.register" if name == "sip.listen" else name], arguments)
    print("\n".join(result["transcript"]))
    print(
        json.dumps({k: result[k] for k in ("stage", "allowed", "shown", "correlation", "seconds")}, indent=2)
    )
    if name == "sip.listen" and result["allowed"]:
        agent = sessions.held("hand")
        end, seen = time.monotonic() + options.seconds, 0
        while agent and time.monotonic() < end and not agent.connection.closed:
            await asyncio.sleep(0.2)
            for arrived in agent.connection.arrivals[seen:]:
                print(f"\n{arrived.method} from {arrived.sender}: {arrived.text}", flush=True)
            seen = len(agent.connection.arrivals)
    await sessions.close()
    return 0 if result["allowed"] else 1


def main(argv: list[str]) -> int:
    """Entry: no arguments serve standard input, else one verb by hand."""
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(by_hand(_arguments(argv)) if argv else serve())
    return 130

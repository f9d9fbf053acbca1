"""The scripted name server: answers what the test said, and can be slow, dead or broken."""

from __future__ import annotations

import asyncio
from collections import Counter

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

DEAD, BROKEN = "dead", "broken"


class Resolver:
    """Name server of the role under test; unknown names do not exist.

    `asked` counts questions as (name, type).
    """

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], list[str]] = {}
        self._delays: dict[str, float] = {}
        self._states: dict[str, str] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self._servers: list[asyncio.AbstractServer | asyncio.DatagramTransport] = []

    def add(self, name: str, kind: str, *values: str) -> None:
        """Records, e.g. `add("sip.fabrikam.example", "A", "198.19.128.101")`."""
        self._records.setdefault((name.lower(), kind), []).extend(values)

    def federation(self, domain: str, target: str, *addresses: str, port: int = 5061) -> None:
        """What a partner publishes: `_sipfederationtls._tcp` and the addresses of its target (9d, Q)."""
        self.add(f"_sipfederationtls._tcp.{domain}", "SRV", f"0 0 {port} {target}.")
        self.host(target, *addresses)

    def host(self, name: str, *addresses: str) -> None:
        """A and AAAA records."""
        for address in addresses:
            self.add(name, "AAAA" if ":" in address else "A", address)

    def dead(self, suffix: str) -> None:
        """Questions about this name, or below it, are not answered."""
        self._states[suffix.lower()] = DEAD

    def broken(self, suffix: str) -> None:
        """They are answered with SERVFAIL."""
        self._states[suffix.lower()] = BROKEN

    def slow(self, suffix: str, seconds: float) -> None:
        """They are answered late."""
        self._delays[suffix.lower()] = seconds

    def reset(self) -> None:
        """Forget everything."""
        for kept in (self._records, self._delays, self._states, self.asked):
            kept.clear()

    # -- on the wire ---------------------------------------------------------------------

    async def listen(self, *addresses: str) -> None:
        """Serve port 53 of these addresses, UDP and TCP."""
        loop = asyncio.get_running_loop()
        for address in addresses:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(address, 53)
            )
            self._servers += [transport, await asyncio.start_server(self._stream, address, 53)]

    async def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.close()

    def _of(self, name: str, given: dict[str, str] | dict[str, float]) -> str | float | None:
        return next((v for k, v in given.items() if name == k or name.endswith(f".{k}")), None)

    async def answer(self, data: bytes) -> bytes | None:
        """The answer to a question; None: silence."""
        question = dns.message.from_wire(data)
        asked = question.question[0]
        name = asked.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(asked.rdtype)
        self.asked[name, kind] += 1
        if delay := self._of(name, self._delays):
            await asyncio.sleep(float(delay))
        state = self._of(name, self._states)
        if state == DEAD:
            return None
        response = dns.message.make_response(question, recursion_available=True)
        if state == BROKEN:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif values := self._records.get((name, kind)):
            response.answer.append(dns.rrset.from_text_list(asked.name, 60, "IN", kind, values))
        elif not any(known == name for known, _ in self._records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                if reply := await self.answer(await reader.readexactly(length)):
                    writer.write(len(reply).to_bytes(2, "big") + reply)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        task = asyncio.ensure_future(self._reply(data, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, data: bytes, address: tuple[str, int]) -> None:
        if reply := await self._resolver.answer(data):
            self._transport.sendto(reply, address)  # type: ignore[attr-defined]

"""Kamailio's binary RPC over its control socket: calls without a process each, and nothing in arguments.

A packet is `magic 0xA|version 1`, `type|lengths`, the payload's length, a cookie, then records; a record is
`S|size|type` in one byte, a length if S is set, and the value (see binrpc.h of Kamailio's module ctl).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONTROL = Path("/run/kamailio/kamailio_ctl")
PATIENCE = 15.0
"""Seconds for one answer."""
AT_ONCE = 100
"""Calls that are sent before their answers are read; these must fit into the socket's buffer."""

_REQUEST, _REPLY = 0, 1
_INTEGER, _TEXT, _DOUBLE, _STRUCT, _ARRAY, _NAME, _BYTES = range(7)


class RpcError(Exception):
    """Kamailio did not answer, or answered with a fault."""


@contextmanager
def connected(path: Path = CONTROL) -> Iterator[Kamailio]:
    """A connection to Kamailio's control socket.

    Raises:
        RpcError: nobody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(PATIENCE)
        try:
            channel.connect(str(path))
        except OSError as error:
            raise RpcError(f"{path}: {error.strerror}") from None
        yield Kamailio(channel)


class Kamailio:
    """One connection; calls follow one another."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._received = b""

    def call(self, method: str, *arguments: str | int) -> list[Any]:
        """The records of the answer: int, float, str, dict, list.

        Raises:
            RpcError: a fault, or no answer.
        """
        return self.calls([(method, *arguments)])[0]

    def calls(self, many: Sequence[tuple[str | int, ...]]) -> list[list[Any]]:
        """Several calls, each a method and its arguments, and their answers; not one round trip each.

        Raises:
            RpcError: a fault, or no answer; calls after it may have been carried out.
        """
        found = []
        for start in range(0, len(many), AT_ONCE):
            some = many[start : start + AT_ONCE]
            try:
                self._channel.sendall(b"".join(map(_packet, some)))
                found += [self._answer(str(method)) for method, *_ in some]
            except OSError as error:
                raise RpcError(f"{some[0][0]}: {error}") from None
        return found

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            piece = self._channel.recv(65536)
            if not piece:
                raise RpcError("Kamailio closed its control socket")
            self._received += piece
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _answer(self, method: str) -> list[Any]:
        magic, kind = self._take(2)
        if magic != 0xA1:
            raise RpcError(f"{method}: not an answer")
        length = int.from_bytes(self._take((kind >> 2 & 3) + 1), "big")
        self._take((kind & 3) + 1)
        found = list(_Reader(self._take(length)).records())
        if kind >> 4 != _REPLY:
            raise RpcError(f"{method}: {' '.join(map(str, found))}")
        return found


def _packet(call: tuple[str | int, ...]) -> bytes:
    payload = b"".join(map(_record, call))
    length = len(payload).to_bytes(4, "big")
    return bytes([0xA1, _REQUEST << 4 | (len(length) - 1) << 2]) + length + b"\x01" + payload


def _record(value: str | int) -> bytes:
    if isinstance(value, int):
        raw, kind = value.to_bytes((value.bit_length() + 7) // 8, "big"), _INTEGER
    else:
        raw, kind = value.encode() + b"\0", _TEXT
    if len(raw) < 8:
        return bytes([len(raw) << 4 | kind]) + raw
    length = len(raw).to_bytes((len(raw).bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(length) << 4 | kind]) + length + raw


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def records(self) -> Iterator[Any]:
        """Values until the data or the enclosing list ends."""
        while self._at < len(self._data):
            kind, value = self._one()
            if value is _END:
                return
            yield self._value(kind, value)

    def _value(self, kind: int, value: Any) -> Any:
        if kind == _STRUCT:
            return dict(self._pairs())
        return list(self.records()) if kind == _ARRAY else value

    def _pairs(self) -> Iterator[tuple[str, Any]]:
        while self._at < len(self._data):
            _, name = self._one()
            if name is _END:
                return
            kind, value = self._one()
            yield name, self._value(kind, value)

    def _one(self) -> tuple[int, Any]:
        first = self._data[self._at]
        self._at += 1
        size, kind = first >> 4 & 7, first & 15
        if kind in (_STRUCT, _ARRAY):
            return kind, _END if first & 0x80 else None
        if first & 0x80:
            size = int.from_bytes(self._bytes(size), "big")
        raw = self._bytes(size)
        if kind == _INTEGER:
            return kind, int.from_bytes(raw, "big", signed=len(raw) == 4)
        if kind == _DOUBLE:
            return kind, int.from_bytes(raw, "big", signed=len(raw) == 4) / 1000
        return kind, raw.rstrip(b"\0").decode("utf-8", "replace")

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]


_END = object()

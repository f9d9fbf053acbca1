"""Who must be signed out, and how Kamailio is asked: over its own protocol, by a server that speaks it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from edgewright_tables import leave, rpc

ALICE = "alice@contoso.example"
ROW = "home=fe.contoso.example;enabled=1;outside=1;md5=aa;sha256=bb"


@pytest.mark.parametrize(
    ("before", "after", "which"),
    [
        (ROW, None, "all"),
        (ROW, ROW.replace("enabled=1", "enabled=0"), "all"),
        (ROW, ROW.replace("md5=aa", "md5=ac"), "all"),
        (ROW, ROW.replace("fe.", "fe2."), "all"),
        (ROW, "home=fe2.contoso.example", "all"),
        (ROW, ROW.replace("outside=1", "outside=0"), "outside"),
        (ROW.replace("outside=1", "outside=0"), ROW, None),
        (None, ROW, None),
        ("home=fe.contoso.example;enabled=1;outside=1", ROW, None),
        ("home=fe.contoso.example", None, None),
    ],
    ids=[
        *("removed", "disabled", "password", "moved", "moved-away"),
        *("withdrawn", "given", "new", "first-password", "elsewhere"),
    ],
)
def test_who_must_leave(before: str | None, after: str | None, which: str | None) -> None:
    assert dict(leave.users({ALICE: (before, after)})) == ({ALICE: which} if which else {})


@pytest.mark.parametrize(("after", "off"), [("0", True), ("1", False), (None, True)])
def test_the_switch(after: str | None, off: bool) -> None:
    assert leave.nobody_outside({"allow_outside_users": ("1", after)}) is off
    assert not leave.nobody_outside({"allow_federated_users": ("1", "0")})


FEDERATED, BLOCKED = "class=allowed;product=lync_2013", "class=blocked"
PROVIDER = "kind=public;name=wingtip;enabled=1"


@pytest.mark.parametrize(
    ("table", "key", "before", "after", "cut"),
    [
        ("domains", "fabrikam.example", FEDERATED, None, "fabrikam.example"),
        ("domains", "fabrikam.example", FEDERATED, BLOCKED, "fabrikam.example"),
        (
            "domains",
            "fabrikam.example",
            FEDERATED,
            f"{FEDERATED};proxy=edge.fabrikam.example",
            "fabrikam.example",
        ),
        ("domains", "fabrikam.example", FEDERATED, "class=allowed;product=ocs_2007", None),
        ("domains", "fabrikam.example", None, BLOCKED, "fabrikam.example"),
        ("domains", "fabrikam.example", None, FEDERATED, None),
        ("domains", "fabrikam.example", BLOCKED, None, None),
        (
            "providers",
            "sip.wingtip.example",
            PROVIDER,
            PROVIDER.replace("enabled=1", "enabled=0"),
            "unlisted",
        ),
        ("providers", "sip.wingtip.example", PROVIDER, None, "unlisted"),
        ("providers", "sip.wingtip.example", None, PROVIDER, None),
        ("switches", "allow_federated_users", "1", "0", "all"),
        ("switches", "allow_federated_users", "0", "1", None),
        ("switches", "enable_partner_discovery", "1", "0", "unlisted"),
        ("switches", "allow_outside_users", "1", "0", None),
    ],
)
def test_which_partners_are_cut_off(
    table: str, key: str, before: str | None, after: str | None, cut: str | None
) -> None:
    assert list(leave.partners(table, {key: (before, after)})) == ([cut] if cut else [])


def reply(*records: bytes, kind: int = 1) -> bytes:
    payload = b"".join(records)
    return bytes([0xA1, kind << 4]) + bytes([len(payload)]) + b"\x01" + payload


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, list[bytes], list[bytes]]]:
    """A control socket: what it will answer, and what it was asked."""
    path, answers, asked = tmp_path / "ctl", list[bytes](), list[bytes]()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            channel, _ = listener.accept()
            with channel:
                for answer in answers:
                    head = channel.recv(2)
                    length = int.from_bytes(channel.recv((head[1] >> 2 & 3) + 1), "big")
                    channel.recv(1)
                    asked.append(channel.recv(length))
                    channel.sendall(answer[:3])
                    channel.sendall(answer[3:])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path, answers, asked
        thread.join(2)


# {name: self, type: string, value: sip:192.0.2.1:5061}
SELF = b"\x03\x55name\0\x51self\0\x55type\0\x71string\0\x65value\0\x91\x13sip:192.0.2.1:5061\0\x83"


def test_values_are_read_and_written(server: tuple[Path, list[bytes], list[bytes]]) -> None:
    path, answers, asked = server
    answers += [reply(SELF), reply(b"\x04\x10\x07\x00\x84", b"\x20\x12\x34")]
    with rpc.connected(path) as kamailio:
        assert kamailio.call("pv.shvGet", "self") == [
            {"name": "self", "type": "string", "value": "sip:192.0.2.1:5061"}
        ]
        assert kamailio.call("x", "a" * 300, 4660, 0, "") == [[7, 0], 0x1234]
    assert asked[0] == b"\x91\x0apv.shvGet\0\x51self\0"
    assert (
        asked[1] == b"\x21x\0" + b"\xa1\x01\x2d" + b"a" * 300 + b"\0" + b"\x20\x12\x34" + b"\x00" + b"\x11\0"
    )


def test_many_calls_are_sent_before_answers_are_read(server: tuple[Path, list[bytes], list[bytes]]) -> None:
    path, answers, asked = server
    answers += [reply(bytes([0x10, n % 251])) for n in range(250)]
    with rpc.connected(path) as kamailio:
        assert kamailio.calls([("y", n) for n in range(250)]) == [[n % 251] for n in range(250)]
        assert kamailio.calls([]) == []
    assert len(asked) == 250


def test_a_fault_is_an_error(server: tuple[Path, list[bytes], list[bytes]]) -> None:
    path, answers, _ = server
    answers.append(reply(b"\x20\x01\x94", b"\x91\x0aNot found\0", kind=3))
    with rpc.connected(path) as kamailio, pytest.raises(rpc.RpcError, match=r"pv\.shvGet: 404 Not found"):
        kamailio.call("pv.shvGet", "nothing")


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(rpc.RpcError), rpc.connected(tmp_path / "none"):
        pass

"""Calls, bursts, and peers with certificates, against the registrar on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edgewright_probe import answering, burst, net
from edgewright_probe.main import attempt, verbs
from edgewright_probe.sip import Sessions
from edgewright_probe.sip_message import Message, parse

INVITE = """INVITE sip:bob@127.0.0.1:5;transport=tls SIP/2.0
Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKx
From: <sip:alice@lab.example>;tag=a
To: <sip:bob@lab.example>
Call-ID: one
CSeq: 1 INVITE
Record-Route: <sip:first;lr>
Record-Route: <sip:second;lr>
Contact: <sip:alice@127.0.0.1:9;transport=tls>"""


def account(registrar: Any, authority: Any, user: str, password: str, **more: Any) -> dict[str, Any]:
    return {
        "address": "127.0.0.1",
        "port": registrar.port,
        "name": "sip.lab.example",
        "trust": str(authority.trust),
        "user": f"{user}@lab.example",
        "password": password,
        "session": user,
        "timeout": 3,
    } | more


def peer(registrar: Any, authority: Any, **more: Any) -> dict[str, Any]:
    return {
        "address": "127.0.0.1",
        "port": registrar.peers,
        "name": "sip.lab.example",
        "trust": str(authority.trust),
        "certificate": str(authority.peer),
        "sender": "dana@fabrikam.example",
        "to": "bob@lab.example",
        "text": "token",
        "timeout": 3,
    } | more


def run(*steps: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What each verb gave, one after the other, in one probe."""

    async def all_of_them() -> list[dict[str, Any]]:
        sessions = Sessions()
        known = verbs(sessions)
        try:
            return [await attempt(known[verb], arguments) for verb, arguments in steps]
        finally:
            await sessions.close()

    return asyncio.run(all_of_them())


@pytest.fixture
def bob(registrar: Any, authority: Any) -> tuple[str, dict[str, Any]]:
    """The step in which bob signs in."""
    return "sip.register", account(registrar, authority, "bob", "builder")


@pytest.fixture
def alice(registrar: Any, authority: Any) -> dict[str, Any]:
    """The arguments of alice, who calls or writes to bob."""
    return account(registrar, authority, "alice", "wonder", to="bob@lab.example", text="token")


def methods(registrar: Any) -> list[str]:
    return [message.method for message in registrar.seen if not message.status]


def test_a_call_is_answered_with_a_session_and_hung_up(registrar, bob, alice):
    _, called, arrived = run(
        bob, ("sip.call", alice), ("sip.wait", {"session": "bob", "token": "token", "timeout": 1})
    )
    assert (called["stage"], called["shown"]["status"]) == ("done", 200)
    assert (called["shown"]["media"], called["shown"]["bye"]) == (["audio"], 200)
    assert arrived["allowed"], "the callee finds the token in the session's name"
    assert "ACK" in methods(registrar)


def test_video_is_offered_and_answered(bob, alice):
    called = run(bob, ("sip.call", alice | {"media": ["audio", "video"]}))[-1]
    assert called["shown"]["media"] == ["audio", "video"]


def test_a_held_call_takes_requests_until_it_is_hung_up(bob, alice):
    held = {"hold": "talk"}
    _, _, info, bye, gone = run(
        bob,
        ("sip.call", alice | held),
        ("sip.within", held),
        ("sip.within", held | {"method": "BYE"}),
        ("sip.within", held),
    )
    assert (info["shown"]["status"], bye["shown"]["status"]) == (200, 200)
    assert (gone["allowed"], gone["shown"]) == (False, {"error": "the call is gone"})


def test_a_refused_call_is_acknowledged_and_says_why(registrar, alice):
    called = run(("sip.call", alice))[-1]
    assert (called["stage"], called["shown"]["status"]) == ("policy", 480)
    assert methods(registrar).count("ACK") == 2, "of the challenge and of the refusal"


def test_each_device_that_accepts_too_is_hung_up(registrar, authority, alice):
    two = [
        ("sip.register", account(registrar, authority, "bob", "builder", session=session))
        for session in ("one", "two")
    ]
    called = run(*two, ("sip.call", alice))[-1]
    assert called["shown"]["bye"] == 200
    # The registrar on loopback passes on the first answer only; what matters is that one call is left.
    assert methods(registrar).count("BYE") >= 1


def test_a_peer_with_a_certificate_is_heard(registrar, authority, bob):
    _, sent, arrived = run(
        bob,
        ("sip.peer", peer(registrar, authority)),
        ("sip.wait", {"session": "bob", "token": "token", "timeout": 1}),
    )
    assert (sent["stage"], sent["shown"]["status"]) == ("done", 200)
    assert "dana@fabrikam.example" in arrived["shown"]["from"]


@contextlib.contextmanager
def strict(authority: Any) -> Iterator[int]:
    """The port of a server that ends handshakes without a certificate with an alert; asyncio's send none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    context.load_verify_locations(authority.trust)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listening.accept()
                with context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as tls:
                    with contextlib.suppress(ssl.SSLError):
                        tls.do_handshake()
                    # Closed with something unread, it would send a reset that overtakes the alert.
                    socket.socket.settimeout(tls, 2)
                    while socket.socket.recv(tls, 4096):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(3)


def test_a_peer_without_one_is_refused_by_tls(registrar, authority):
    with strict(authority) as port:
        seen = run(("sip.peer", peer(registrar, authority, certificate=None, port=port)))[-1]
    assert seen["stage"] == "tls", seen
    assert "certificate required" in seen["shown"]["error"]


def test_a_certificate_that_cannot_be_read_is_a_fault_and_no_refusal(registrar, authority, tmp_path: Path):
    seen = run(("sip.peer", peer(registrar, authority, certificate=str(tmp_path))))[-1]
    assert "fault" in seen["shown"]


def test_a_peer_sends_several_requests_and_shows_the_first_that_was_refused(registrar, authority, bob):
    requests = [{"method": "SUBSCRIBE"}, {"to": "carol@lab.example"}, {"method": "INVITE"}]
    seen = run(bob, ("sip.peer", peer(registrar, authority, requests=requests)))[-1]
    assert (seen["allowed"], seen["shown"]["status"]) == (False, 480)
    assert seen["shown"]["statuses"] == [200, 480, 200]
    assert len(set(seen["correlation"])) == 3


def test_a_burst_says_how_many_passed(registrar, bob, alice):
    registrar.rate = 5
    seen = run(bob, ("sip.burst", alice | {"count": 12}))[-1]
    assert (seen["allowed"], seen["shown"]["status"], seen["shown"]["some_passed"]) == (False, 503, True)
    assert seen["shown"]["statuses"] == {"200": 5, "503": 7}
    assert len(set(seen["correlation"])) == 12


def test_a_burst_is_bounded(registrar, bob, alice):
    seen = run(bob, ("sip.burst", alice | {"count": 100000}))[-1]
    assert (seen["allowed"], seen["shown"]["statuses"]) == (True, {"200": burst.MOST})


def test_a_body_of_another_type_carries_the_token(registrar, bob, alice):
    body = {"content_type": "application/x"}
    _, sent, got = run(
        bob,
        ("sip.message", alice | body),
        ("sip.received", {"session": "bob"}),
    )
    assert sent["allowed"]
    assert got["data"]["texts"] == ["token"]
    assert any(m.get("Content-Type") == "application/x" for m in registrar.seen)


def test_a_watcher_is_told_within_the_dialog_of_the_subscription():
    subscribe = parse(INVITE.replace("INVITE", "SUBSCRIBE"))
    accepted, notify = answering.answers(subscribe, "127.0.0.1:5", "mine")
    assert (accepted.status, accepted.get("Expires")) == (200, "300")
    assert notify.start == "NOTIFY sip:alice@127.0.0.1:9;transport=tls SIP/2.0"
    assert notify.get("From") == accepted.get("To") == "<sip:bob@lab.example>;tag=mine"
    assert notify.get("To") == "<sip:alice@lab.example>;tag=a"
    assert notify.all("Route") == ["<sip:first;lr>", "<sip:second;lr>"]
    assert notify.get("Subscription-State") == "active;expires=300"
    assert b'entity="sip:bob@lab.example"' in notify.body


def test_a_call_is_accepted_with_the_media_that_were_offered():
    invite = parse(INVITE)
    invite.body = answering.sdp("[2001:db8::1]:9", "x", ("audio", "video"))
    ringing, accepted = answering.answers(invite, "[2001:db8::1]:5", "mine")
    assert (ringing.status, accepted.status) == (180, 200)
    assert accepted.get("Contact") == "<sip:bob@127.0.0.1:5;transport=tls>"
    assert answering.offered(accepted.body) == ("audio", "video")
    assert b"c=IN IP6 2001:db8::1" in accepted.body


def test_what_no_client_takes_is_refused():
    assert answering.answers(Message("FOO sip:a@b SIP/2.0"), "127.0.0.1:5", "mine")[0].status == 405


def test_contexts_with_different_certificates_are_different(authority):
    with_one = net.context({"trust": str(authority.trust), "certificate": str(authority.peer)})
    assert with_one is not net.context({"trust": str(authority.trust)})

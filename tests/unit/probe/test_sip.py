"""The SIP client against a real TLS peer on loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from edgewright_probe import digest, sip_message
from edgewright_probe.main import attempt, verbs
from edgewright_probe.sip import Sessions

PROBES = Path(__file__).parents[3] / "probes"


def where(registrar: Any, authority: Any, user: str, password: str | None, **more: Any) -> dict[str, Any]:
    base = {
        "address": "127.0.0.1",
        "port": registrar.port,
        "name": "sip.lab.example",
        "trust": str(authority.trust),
    }
    return base | {"user": f"{user}@lab.example", "password": password, "timeout": 3} | more


def run(verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
    async def once() -> dict[str, Any]:
        sessions = Sessions()
        try:
            return await attempt(verbs(sessions)[verb], arguments)
        finally:
            await sessions.close()

    return asyncio.run(once())


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", None])
def test_the_right_password_signs_in_after_one_challenge(registrar, authority, algorithm):
    seen = run("sip.register", where(registrar, authority, "alice", "wonder", algorithm=algorithm))
    assert (seen["stage"], seen["allowed"]) == ("done", True)
    assert (seen["shown"]["status"], seen["shown"]["challenges"]) == (200, 1)
    assert registrar.seen[-1].get("Expires") == "0", "and signs out again"


def test_a_wrong_password_and_an_unknown_user_are_shown_the_same(registrar, authority):
    wrong = run("sip.register", where(registrar, authority, "alice", "nonsense"))
    unknown = run("sip.register", where(registrar, authority, "nobody", "nonsense"))
    assert wrong["shown"] == unknown["shown"]
    assert (wrong["stage"], wrong["shown"]["status"], wrong["shown"]["challenges"]) == ("policy", 401, 2)


def test_a_refusal_by_policy_carries_the_public_diagnostics(registrar, authority):
    seen = run("sip.register", where(registrar, authority, "carol", "inside"))
    assert seen["shown"]["status"] == 403
    assert seen["shown"]["ms_diagnostics_public"] == "4003"


def test_no_password_reaches_the_transcript(registrar, authority):
    seen = run("sip.register", where(registrar, authority, "alice", "wonder"))
    text = "\n".join(seen["transcript"])
    assert "REGISTER sip:lab.example" in text
    assert "wonder" not in text
    assert 'response="..."' in text


def test_a_message_goes_from_one_held_session_to_another(registrar, authority):
    async def exchange() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        sessions = Sessions()
        known = verbs(sessions)
        alice = where(registrar, authority, "alice", "wonder", session="alice-here")
        bob = where(registrar, authority, "bob", "builder", session="bob-there")
        assert (await attempt(known["sip.register"], bob))["allowed"]
        sent, got = await asyncio.gather(
            attempt(known["sip.message"], alice | {"to": "bob@lab.example", "text": "token-1 hello"}),
            attempt(known["sip.wait"], {"session": "bob-there", "token": "token-1", "timeout": 3}),
        )
        all_of_it = await attempt(known["sip.received"], {"session": "bob-there"})
        await sessions.close()
        return sent, got, all_of_it

    sent, got, all_of_it = asyncio.run(exchange())
    assert (sent["allowed"], sent["shown"]["status"]) == (True, 200)
    assert got["allowed"]
    assert "alice@lab.example" in got["shown"]["from"]
    assert all_of_it["data"]["texts"] == ["token-1 hello"]


def test_a_message_to_nobody_is_refused(registrar, authority):
    seen = run("sip.message", where(registrar, authority, "alice", "wonder", to="bob@lab.example", text="x"))
    assert (seen["stage"], seen["shown"]["status"]) == ("policy", 480)


def test_another_name_in_the_certificate_stops_at_tls(registrar, authority):
    seen = run("sip.register", where(registrar, authority, "alice", "wonder", name="sip.other.example"))
    assert seen["stage"] == "tls"
    assert "certificate" in seen["shown"]["error"]


def test_an_unknown_authority_stops_at_tls(registrar, authority):
    seen = run("sip.register", where(registrar, authority, "alice", "wonder", trust=None))
    assert seen["stage"] == "tls"


def test_a_closed_port_stops_at_connect(authority):
    seen = run("sip.register", {"address": "127.0.0.1", "port": 1, "user": "a@lab.example", "timeout": 2})
    assert (seen["stage"], seen["shown"]) == ("connect", {"error": "refused"})


def test_tls_1_1_is_refused_and_1_2_is_not(registrar, authority):
    base = where(registrar, authority, "alice", None)
    old = run("tls.handshake", base | {"maximum": "TLSv1_1"})
    new = run("tls.handshake", base | {"maximum": "TLSv1_2"})
    assert (old["stage"], old["allowed"]) == ("tls", False)
    assert new["shown"] == {"version": "TLSv1.2"}


def test_the_chain_is_given_for_judgement_even_when_it_does_not_verify(registrar, authority):
    good = run("tls.chain", where(registrar, authority, "alice", None))
    bad = run("tls.chain", where(registrar, authority, "alice", None, name="sip.other.example"))
    assert good["allowed"]
    assert (bad["stage"], bad["allowed"]) == ("tls", False)
    assert good["data"]["chain"] == bad["data"]["chain"]


def test_ports(registrar):
    seen = run("port.scan", {"address": "127.0.0.1", "ports": [registrar.port, 1], "timeout": 1})
    assert seen["shown"] == {"open": [registrar.port], "closed": 1, "how": ["refused"]}


def test_cells_in_observations_out(registrar, authority, tmp_path):
    probe = tmp_path / "probe.pyz"
    subprocess.run([sys.executable, PROBES / "build.py", probe], check=True)
    first = probe.read_bytes()
    subprocess.run([sys.executable, PROBES / "build.py", probe], check=True)
    assert probe.read_bytes() == first, "the same sources give the same bytes"
    cells = [
        {"id": "a", "verb": "sip.register", "arguments": where(registrar, authority, "alice", "wonder")},
        {"id": "b", "verb": "sip.register", "arguments": where(registrar, authority, "bob", "nonsense")},
        {"id": "c", "verb": "nonsense"},
    ]
    lines = "".join(json.dumps(cell) + "\n" for cell in cells)
    done = subprocess.run(
        [sys.executable, probe], input=lines, capture_output=True, text=True, check=True, timeout=30
    )
    hello, *rest = [json.loads(line) for line in done.stdout.splitlines()]
    assert hello["probe"] == 1
    assert {item["id"]: item["allowed"] for item in rest} == {"a": True, "b": False, "c": False}


def test_by_hand_the_password_comes_on_standard_input(registrar, authority):
    argv = [
        sys.executable,
        PROBES / "src",
        "sip",
        "register",
        "--address",
        "127.0.0.1",
        "--port",
        str(registrar.port),
    ]
    argv += [
        "--name",
        "sip.lab.example",
        "--trust",
        authority.trust,
        "--user",
        "alice@lab.example",
        "--password-stdin",
    ]
    done = subprocess.run(argv, input="wonder\n", capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status": 200' in done.stdout


def test_digest_of_rfc_7616_section_3_9_1(monkeypatch):
    challenge = {
        "realm": "http-auth@example.org", "qop": "auth, auth-int", "algorithm": "SHA-256",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    }  # fmt: skip
    monkeypatch.setattr(digest.secrets, "token_hex", lambda _: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    made = digest.parse(digest.answer(challenge, "GET", "/dir/index.html", "Mufasa", "Circle of Life"))
    assert made["response"] == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_the_strongest_challenge_is_answered_and_basic_never():
    offered = [
        'Basic realm="x"',
        'Digest realm="x", nonce="1"',
        'Digest realm="x", nonce="2", algorithm=SHA-256',
    ]
    assert digest.choose(offered)["nonce"] == "2"
    assert digest.choose(offered, "MD5")["nonce"] == "1"
    assert digest.choose(offered[:1]) is None


def test_messages_are_read_across_pieces_and_keep_alives():
    async def pieces() -> list[str]:
        reader = asyncio.StreamReader()
        text = b"\r\n\r\nSIP/2.0 200 OK\r\nv: SIP/2.0/TLS x\r\nSubject: a\r\n b\r\nl: 4\r\n\r\nbody"
        text += b"SIP/2.0 180 R\r\nCSeq: 1 X\r\n\r\n"
        for start in range(0, len(text), 7):
            reader.feed_data(text[start : start + 7])
        reader.feed_eof()
        first, second = await sip_message.read(reader), await sip_message.read(reader)
        assert await sip_message.read(reader) is None
        return [first.get("Via"), first.get("Subject"), first.body.decode(), str(second.status)]

    assert asyncio.run(pieces()) == ["SIP/2.0/TLS x", "a b", "body", "180"]


def test_what_changes_between_requests_is_not_compared():
    def answer(user: str, salt: str) -> sip_message.Message:
        return sip_message.parse(
            f"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/TLS 198.18.0.{salt}:4{salt};branch=z{salt};"
            f"received=1.2.3.{salt}"
            f"\r\nFrom: <sip:{user}@x.example>;tag={salt}\r\nTo: <sip:{user}@x.example>;tag=q{salt}"
            f"\r\nCall-ID: {salt}@h"
            f'\r\nCSeq: {salt} REGISTER\r\nWWW-Authenticate: Digest realm="x", nonce="{salt}", algorithm=MD5'
        )

    assert sip_message.comparable(answer("alice", "1")) == sip_message.comparable(answer("nobody", "22"))
    other = answer("alice", "1")
    other.headers.append(("X-Hint", "disabled"))
    assert sip_message.comparable(other) != sip_message.comparable(answer("alice", "1"))

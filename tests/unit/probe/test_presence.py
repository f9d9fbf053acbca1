"""The presence verbs against a TLS peer on loopback, and how they read what they are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from edgewright_probe.main import attempt, verbs
from edgewright_probe.presence import Presences, described, pidf
from edgewright_probe.sip import Sessions
from edgewright_probe.sip_client import Arrival

BOB = "bob@lab.example"


def where(registrar: Any, authority: Any, user: str, password: str, **more: Any) -> dict[str, Any]:
    base = {
        "address": "127.0.0.1",
        "port": registrar.port,
        "name": "sip.lab.example",
        "trust": str(authority.trust),
    }
    session = {"session": f"{user}-here", "user": f"{user}@lab.example", "password": password, "timeout": 2}
    return base | session | more


def run(*steps: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    async def all_of_them() -> list[dict[str, Any]]:
        sessions = Sessions()
        presences = Presences(sessions)
        known = verbs(sessions, presences)
        try:
            return [await attempt(known[verb], arguments) for verb, arguments in steps]
        finally:
            await presences.close()
            await sessions.close()

    return asyncio.run(all_of_them())


def arrival(text: str, state: str = "active;expires=300", kind: str = "application/pidf+xml") -> Arrival:
    return Arrival("NOTIFY", "", text, [("Subscription-State", state), ("Content-Type", kind)])


def test_what_is_published_is_told_and_taken_back_at_the_end(registrar, authority):
    bob = where(registrar, authority, "bob", "builder")
    alice = where(registrar, authority, "alice", "wonder", to=BOB, dialog="buddy")
    first, told, again = run(
        ("sip.publish", bob | {"state": "dnd", "text": "not now"}),
        ("sip.subscribe", alice),
        ("sip.subscribe", alice),
    )
    assert (first["allowed"], first["shown"]["status"]) == (True, 200)
    expected = {
        "status": 200, "subscription": "active", "basic": "open", "activities": ["busy", "other"],
        "notes": ["not now"], "places": 1,
    }  # fmt: skip
    assert told["shown"].items() >= expected.items()
    assert again["allowed"]
    asked = [m for m in registrar.seen if m.method == "SUBSCRIBE" and m.get("Proxy-Authorization")]
    begun, renewed, ended = asked
    assert "tag=" not in begun.get("To")
    assert renewed.start == "SUBSCRIBE sip:lab.example SIP/2.0"
    assert renewed.all("Route") == ["<sip:two.lab.example;lr>", "<sip:one.lab.example;lr>"]
    assert renewed.get("Call-ID") == ended.get("Call-ID") == begun.get("Call-ID")
    assert "tag=" in renewed.get("To")
    assert [m.get("Expires") for m in asked] == ["300", "300", "0"]
    withdrawn = [m for m in registrar.seen if m.method == "PUBLISH"][-1]
    assert (withdrawn.get("Expires"), bool(withdrawn.get("SIP-If-Match")), withdrawn.body) == ("0", True, b"")


def test_waiting_for_a_state(registrar, authority):
    alice = where(registrar, authority, "alice", "wonder", to=BOB, dialog="buddy")
    look = {"session": "alice-here", "dialog": "buddy", "timeout": 0.3}
    _, _, right, wrong, unknown = run(
        ("sip.publish", where(registrar, authority, "bob", "builder", state="away")),
        ("sip.subscribe", alice),
        ("sip.look", look | {"wanted": {"activities": ["away"]}}),
        ("sip.look", look | {"wanted": {"basic": "closed"}}),
        ("sip.look", look | {"dialog": "nobody", "wanted": {}}),
    )
    assert right["allowed"]
    assert (wrong["allowed"], wrong["shown"]["basic"]) == (False, "open")
    assert not unknown["allowed"]


def test_asking_once_leaves_nothing(registrar, authority):
    (once,) = run(("sip.subscribe", where(registrar, authority, "alice", "wonder", to=BOB, expires=0)))
    assert (once["allowed"], once["shown"]["subscription"]) == (True, "terminated")
    assert "basic" not in once["shown"]


def test_a_document_of_ones_own(registrar, authority):
    bob = where(registrar, authority, "bob", "builder", body="\ufeffhi", encoding="utf-16-le", type="x/y")
    run(("sip.publish", bob))
    sent = next(m for m in registrar.seen if m.method == "PUBLISH" and m.get("Proxy-Authorization"))
    assert (sent.body, sent.get("Content-Type")) == (b"\xff\xfeh\x00i\x00", "x/y")


@pytest.mark.parametrize("state", ["available", "busy", "away", "dnd", "offline"])
def test_states_read_as_they_are_written(state):
    shown = described(arrival(pidf(BOB, state, "a < b").decode()))
    assert shown["basic"] == ("closed" if state == "offline" else "open")
    assert shown["notes"] == ["a < b"]
    assert bool(shown["activities"]) == (state in ("busy", "away", "dnd"))


def test_watchers():
    text = (
        '<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">'
        '<watcher-list resource="sip:bob@lab.example" package="presence">'
        '<watcher id="1" event="subscribe" status="pending">sip:alice@lab.example</watcher>'
        "</watcher-list></watcherinfo>"
    )
    assert described(arrival(text, kind="application/watcherinfo+xml"))["watchers"] == {
        "alice@lab.example": "pending"
    }


def test_a_list_of_resources():
    kind = 'multipart/related;type="application/rlmi+xml";start="<l@x>";boundary="b"'
    rlmi = (
        '<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:alice@x" version="0" fullState="true">'
        '<resource uri="sip:bob@lab.example"><instance id="1" state="active" cid="1@x"/></resource>'
        '<resource uri="sip:egon@else.example"/></list>'
    )
    text = (
        f"--b\r\nContent-ID: <l@x>\r\nContent-Type: application/rlmi+xml\r\n\r\n{rlmi}\r\n"
        f"--b\r\nContent-ID: <1@x>\r\nContent-Type: application/pidf+xml\r\n\r\n"
        f"{pidf(BOB, 'away').decode()}\r\n"
        "--b--\r\n"
    )
    assert described(arrival(text, kind=kind))["resources"] == {
        "bob@lab.example": "open",
        "egon@else.example": "",
    }


@pytest.mark.parametrize("text", ["<presence", '<!DOCTYPE p [<!ENTITY a "b">]><p>&a;</p>'])
def test_what_is_not_understood_is_said(text):
    assert "not understood" in described(arrival(text))["error"]

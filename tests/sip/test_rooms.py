"""Meetings by instant message, at the Front End that keeps them."""

from __future__ import annotations

import secrets

import pytest
from stage.messages import message, request
from stage.parties import Sent
from stage.stages import FrontEndStage, Party
from test_front_end import ALICE, BOB, inside, said

DANA = "dana@fabrikam.example"
DAVE = "dave@contoso.example"


@pytest.fixture
def room(front_end: FrontEndStage) -> str:
    """Address of a room of Alice's that nobody has opened."""
    front_end.tables.change("users", ALICE, meeting_size="10")
    return f"room.alice.plan-{secrets.token_hex(4)}@contoso.example"


def do(client: Party, who: str, room: str, text: str, **more: object) -> Sent:
    return said(client, message(who, room, text, **more))


def heard(client: Party, room: str, pattern: str) -> str:
    """What the room tells a client next."""
    came = client.expect("MESSAGE", {"From": rf"<sip:{room}>;tag=.*"}, must_not=["^X-"])
    came.reply(200)
    text = came.body.decode()
    assert pattern in text, text
    return text


def opened(front_end: FrontEndStage, room: str, more: str = "") -> tuple[Party, Party]:
    """Alice's room with Alice; and Bob, who is not in it."""
    alice, bob = inside(front_end, ALICE), inside(front_end, BOB)
    do(alice, ALICE, room, f"#create {more}").expect(200)
    heard(alice, room, room)
    return alice, bob


def joined(front_end: FrontEndStage, room: str) -> tuple[Party, Party]:
    alice, bob = opened(front_end, room)
    do(bob, BOB, room, "#join").expect(200)
    heard(alice, room, f"{BOB} has joined")
    return alice, bob


def test_from_the_first_invitation_to_the_end(front_end: FrontEndStage, room: str) -> None:
    alice, bob = opened(front_end, room)
    do(alice, ALICE, room, f"#invite {BOB}").expect(200)
    heard(bob, room, f"{ALICE} invites you")
    heard(alice, room, f"{BOB} has been invited")
    do(bob, BOB, room, "#join").expect(200)
    heard(alice, room, f"{BOB} has joined")
    do(bob, BOB, room, "Grüße, 你好").expect(200)
    assert heard(alice, room, "") == f"{BOB}: Grüße, 你好"
    do(alice, ALICE, room, "<b>hi</b>", headers={"Content-Type": "text/html;charset=utf-8"}).expect(200)
    came = bob.expect("MESSAGE", {"Content-Type": "text/html;charset=utf-8"})
    came.reply(200)
    assert came.body.decode() == f"<p>{ALICE}:</p><b>hi</b>"
    do(bob, BOB, room, "#members").expect(200)
    assert heard(bob, room, "").splitlines()[1:] == [f"*{ALICE}", BOB]
    do(bob, BOB, room, "#leave").expect(200)
    heard(alice, room, f"{BOB} has left")
    do(alice, ALICE, room, "#destroy").expect(200)
    sent = do(alice, ALICE, room, "hello?")
    sent.expect(404)
    front_end.refused(sent, "unknown-meeting")


def test_who_is_not_there_neither_reads_nor_writes(front_end: FrontEndStage, room: str) -> None:
    alice, bob = opened(front_end, room)
    for text in ("hello", "#members", "#leave", f"#invite {DAVE}"):
        sent = do(bob, BOB, room, text)
        sent.expect(403)
        front_end.refused(sent, "not-joined")
    do(alice, ALICE, room, "secret").expect(200)
    bob.nothing("MESSAGE")


def test_only_the_organiser(front_end: FrontEndStage, room: str) -> None:
    alice, bob = joined(front_end, room)
    for text in (f"#remove {ALICE}", "#destroy"):
        sent = do(bob, BOB, room, text)
        sent.expect(403)
        front_end.refused(sent, "not-presenter")
    other = room.replace("alice", "dave")
    sent = do(bob, BOB, other, "#create")
    sent.expect(403)
    front_end.refused(sent, "not-presenter")
    do(alice, ALICE, room, f"#remove {BOB}").expect(200)
    heard(bob, room, "You have been removed")
    sent = do(bob, BOB, room, "still here?")
    sent.expect(403)
    front_end.refused(sent, "not-joined")


def test_a_private_room_takes_only_who_was_invited(front_end: FrontEndStage, room: str) -> None:
    alice, bob = opened(front_end, room, "private")
    sent = do(bob, BOB, room, "#join")
    sent.expect(403)
    front_end.refused(sent, "not-invited")
    do(alice, ALICE, room, "#invite bob").expect(200)
    heard(bob, room, "invites you")
    do(bob, BOB, room, "#join").expect(200)


def test_a_full_room(front_end: FrontEndStage, room: str) -> None:
    _, bob = opened(front_end, room)
    front_end.tables.change("users", ALICE, meeting_size="1")
    sent = do(bob, BOB, room, "#join")
    sent.expect(486)
    front_end.refused(sent, "meeting-full")
    front_end.tables.change("users", ALICE, meeting_size="2")
    do(bob, BOB, room, "#join").expect(200)


def test_rooms_that_are_not_there(front_end: FrontEndStage, room: str) -> None:
    bob = inside(front_end, BOB)
    for there in (room, "room.nobody.x@contoso.example", "room.gina.x@contoso.example"):
        sent = do(bob, BOB, there, "#join")
        sent.expect(404)
        front_end.refused(sent, "unknown-meeting")


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("#invite o'brien@x.example", 400, "malformed"),
        ("#invite room.alice.y", 400, "malformed"),
        ("#invite nobody", 480, "callee-unavailable"),
        ("#invite someone@adatum.example", 403, "domain-blocked"),
    ],
)
def test_invitations_that_make_no_sense(
    front_end: FrontEndStage, room: str, text: str, status: int, reason: str
) -> None:
    alice, _ = opened(front_end, room)
    sent = do(alice, ALICE, room, text)
    sent.expect(status)
    front_end.refused(sent, reason)


def test_an_invitation_that_does_not_arrive(front_end: FrontEndStage, room: str) -> None:
    alice, _ = opened(front_end, room)
    do(alice, ALICE, room, f"#invite {DAVE}").expect(200)
    said = {heard(alice, room, "***"), heard(alice, room, "***")}
    assert said == {f"*** {DAVE} has been invited.", f"*** {DAVE} could not be invited to {room} (480)."}


def test_what_is_no_text_is_not_passed_on(front_end: FrontEndStage, room: str) -> None:
    alice, bob = joined(front_end, room)
    for kind in ("application/im-iscomposing+xml", "application/vnd.gsma.rcs-ft-http+xml"):
        sent = do(alice, ALICE, room, "<x/>", headers={"Content-Type": kind})
        sent.expect(415, {"Accept": "text/plain, text/html"})
        front_end.refused(sent, "content-type-not-allowed")
    do(alice, ALICE, room, "x" * 32000).expect(200)
    assert bob.expect("MESSAGE").body.decode() == f"{ALICE}: " + "x" * 32000
    sent = do(alice, ALICE, room, "x" * 32001)
    sent.expect(413)
    front_end.refused(sent, "message-too-large")
    bob.nothing("MESSAGE")


def test_a_room_is_no_user(front_end: FrontEndStage, room: str) -> None:
    alice, _ = opened(front_end, room)
    sent = said(alice, request("INVITE", ALICE, room))
    sent.expect(405, {"Allow": "MESSAGE"})
    front_end.refused(sent, "method-not-allowed")


def test_nobody_can_speak_as_a_room(front_end: FrontEndStage, room: str) -> None:
    alice, bob = opened(front_end, room)
    asked = message(room, BOB, "*** trust me")
    alice.send(asked).expect(407)
    sent = front_end.director.send(front_end.stamp(message(room, BOB, "*** trust me"), "room"))
    sent.expect(403)
    front_end.refused(sent, "forged-inside-header")
    bob.nothing("MESSAGE")


def test_a_partner_takes_part(front_end: FrontEndStage, room: str) -> None:
    alice, _ = opened(front_end, room)
    do(alice, ALICE, room, f"#invite {DANA}").expect(200)
    asked = front_end.director.expect("MESSAGE", {"X-Edgewright-Origin": "outbound;class=none[+]federated.*"})
    asked.reply(200)
    assert f"{ALICE} invites you" in asked.body.decode()
    heard(alice, room, f"{DANA} has been invited")

    def dana(text: str) -> Sent:
        sent = message(DANA, room, text)
        return front_end.director.send(front_end.stamp(sent, "federated", klass="allowed", level="verified"))

    dana("#join").expect(200)
    heard(alice, room, f"{DANA} has joined")
    dana("hello from outside").expect(200)
    assert heard(alice, room, "") == f"{DANA}: hello from outside"
    do(alice, ALICE, room, "welcome").expect(200)
    came = front_end.director.expect("MESSAGE", {"From": f"<sip:{room}>;tag=.*"}, uri=f"sip:{DANA}")
    came.reply(200)
    assert came.body.decode() == f"{ALICE}: welcome"
    sent = dana(f"#invite {BOB}")
    sent.expect(403)
    front_end.refused(sent, "not-presenter")
    front_end.tables.change("users", ALICE, federation="0", meeting_size="10")
    sent = dana("still here?")
    sent.expect(404)
    front_end.refused(sent, "federation-access-off")


@pytest.mark.parametrize("origin", ["public", "xmpp"])
def test_public_providers_and_xmpp_have_no_meetings(front_end: FrontEndStage, room: str, origin: str) -> None:
    opened(front_end, room)
    sent = front_end.director.send(front_end.stamp(message("kim@wingtip.example", room, "#join"), origin))
    sent.expect(488)
    front_end.refused(sent, "feature-not-supported")

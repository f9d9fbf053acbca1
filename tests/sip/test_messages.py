"""What a message may carry, at the Front End: kinds, size, wrapped bodies, every device of a user."""

from __future__ import annotations

import pytest
from stage.messages import Message, message, register
from stage.parties import Sent
from stage.stages import FrontEndStage, Party
from test_front_end import ALICE, BOB, inside, remote, said

LIMIT = 32768
TYPING = "<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'><state>active</state></isComposing>"
REPORT = "<imdn xmlns='urn:ietf:params:xml:ns:imdn'><message-id>1</message-id></imdn>"
FILE = "application/vnd.gsma.rcs-ft-http+xml"


def wrapped(kind: str, body: str = "hello", *more: str) -> str:
    """A message/cpim that asks for a report (RFC 3862, RFC 5438)."""
    outer = [
        "From: <sip:alice@contoso.example>",
        "NS: imdn <urn:ietf:params:imdn>",
        "imdn.Disposition-Notification: positive-delivery",
    ]
    return "\r\n".join([*outer, "", *([f"Content-type: {kind}"] if kind else []), *more, "", body])


def send(front_end: FrontEndStage, kind: str, body: str, **headers: str) -> tuple[Sent, Party]:
    alice, bob = inside(front_end, ALICE), inside(front_end, BOB)
    given = ({"Content-Type": kind} if kind else {"X-None": "x", "Content-Type": ""}) | headers
    return said(alice, message(ALICE, BOB, body, headers=given)), bob


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain;charset=UTF-8", "Grüße, ¡hola!, привет, 你好 🙂"),
        ("Text/Plain", "hello"),
        ("text/html; charset=utf-8", "<p>hi <b>there</b></p>"),
        ("application/im-iscomposing+xml", TYPING),
        ("message/imdn+xml", REPORT),
        ("message/cpim", wrapped("text/plain; charset=utf-8")),
        ("message/cpim", wrapped("message/imdn+xml", REPORT, "Content-Disposition: notification")),
        ("message/cpim", wrapped(FILE, "<file/>")),
        ("text/plain", "x" * LIMIT),
    ],
)
def test_what_passes_passes_unchanged(front_end: FrontEndStage, kind: str, body: str) -> None:
    sent, bob = send(front_end, kind, body)
    came = bob.expect("MESSAGE", {"Content-Type": kind.replace("+", r"\+")})
    assert came.body.decode() == body
    came.reply(200)
    sent.expect(200)


@pytest.mark.parametrize("size", [LIMIT + 1, 55000])
def test_a_message_that_is_too_large(front_end: FrontEndStage, size: int) -> None:
    sent, bob = send(front_end, "text/plain", "x" * size)
    sent.expect(413)
    front_end.refused(sent, "message-too-large", status="413")
    bob.nothing("MESSAGE")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/octet-stream", "hello"),
        ("multipart/mixed;boundary=x", "--x\r\n\r\nhello\r\n--x--"),
        ("", "hello"),
        ("message/cpim", wrapped("application/octet-stream")),
        ("message/cpim", wrapped("message/cpim")),
        ("message/cpim", wrapped("")),
        ("message/cpim", wrapped("text/plain", "hello", f"Content-Type: {FILE}")),
        ("message/cpim", wrapped("text/plain", "aGVsbG8=", "Content-Transfer-Encoding: base64")),
        ("message/cpim", "Content-Type: text/plain"),
        ("message/cpim", "a: b\r\n" * 80 + "\r\n" + "Content-Type: text/plain\r\n\r\nhello"),
    ],
)
def test_kinds_that_are_not_taken(front_end: FrontEndStage, kind: str, body: str) -> None:
    sent, bob = send(front_end, kind, body)
    sent.expect(415, {"Accept": r"text/plain, text/html, .*"})
    front_end.refused(sent, "content-type-not-allowed", status="415")
    bob.nothing("MESSAGE")


def test_an_encoded_body_is_not_taken(front_end: FrontEndStage) -> None:
    sent, _ = send(front_end, "text/plain", "hello", **{"Content-Encoding": "deflate"})
    sent.expect(415)
    front_end.refused(sent, "content-type-not-allowed")


def test_two_content_types_are_none(front_end: FrontEndStage) -> None:
    alice, bob = inside(front_end, ALICE), inside(front_end, BOB)
    asked = message(ALICE, BOB, headers=[("Content-Type", "text/plain"), ("c", "application/octet-stream")])
    said(alice, asked).expect(415)
    bob.nothing("MESSAGE")


def test_without_its_table_nothing_passes(front_end: FrontEndStage) -> None:
    front_end.tables.remove("im", "max_message_size")
    sent, bob = send(front_end, "text/plain", "hello")
    sent.expect(413)
    front_end.tables.reset()
    front_end.tables.remove("im", "type:text/plain")
    sent, bob = send(front_end, "text/plain", "hello")
    sent.expect(415)
    bob.nothing("MESSAGE")


def test_the_same_from_outside(front_end: FrontEndStage) -> None:
    remote(front_end, ALICE)
    remote(front_end, BOB, "other")
    asked: Message = message(BOB, ALICE, headers={"Content-Type": "image/png"})
    sent = front_end.director.send(front_end.stamp(asked))
    sent.expect(415)
    front_end.refused(sent, "content-type-not-allowed", party="remote")


def test_every_device_gets_it_and_one_is_enough(front_end: FrontEndStage) -> None:
    alice = inside(front_end, ALICE)
    desk, phone = inside(front_end, BOB), front_end.client(BOB)
    asked = register(BOB, "198.51.100.8:5061")
    said(phone, asked).expect(200)
    sent = said(alice, message(ALICE, BOB))
    desk.expect("MESSAGE").reply(486)
    phone.expect("MESSAGE").reply(200)
    sent.expect(200)
    sent = said(alice, message(ALICE, BOB))
    desk.expect("MESSAGE").reply(486)
    phone.expect("MESSAGE").reply(486)
    sent.expect(486)


DOCUMENT = (
    '<file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp"><file-info type="file"><file-size>5</file-size>'
    '<data url="{}" until="2030-01-01T00:00:00Z"/></file-info></file>'
)
OUTSIDE = f"https://web.contoso.example/files/fe1/{'0' * 64}"
INSIDE = f"https://fe1.inside.contoso.example/files/fe1/{'0' * 64}"


@pytest.mark.parametrize("wrap", [True, False])
def test_a_client_inside_is_told_where_it_reaches_a_file(front_end: FrontEndStage, wrap: bool) -> None:
    document = DOCUMENT.format(OUTSIDE)
    sent, bob = send(
        front_end, "message/cpim" if wrap else FILE, wrapped(FILE, document) if wrap else document
    )
    came = bob.expect("MESSAGE")
    came.reply(200)
    assert came.body.decode().endswith(DOCUMENT.format(INSIDE))
    sent.expect(200)


@pytest.mark.parametrize(
    "url", ["https://web.fabrikam.example/files/fe1/0", "https://web.contoso.example/files/fe9/0"]
)
def test_where_others_files_are_stays_as_it_is(front_end: FrontEndStage, url: str) -> None:
    _, bob = send(front_end, FILE, DOCUMENT.format(url))
    assert bob.expect("MESSAGE").body.decode() == DOCUMENT.format(url)


def test_a_client_outside_is_told_the_published_address(front_end: FrontEndStage) -> None:
    remote(front_end, ALICE)
    remote(front_end, BOB, "other")
    asked = message(BOB, ALICE, DOCUMENT.format(OUTSIDE), headers={"Content-Type": FILE})
    front_end.director.send(front_end.stamp(asked))
    assert front_end.director.expect("MESSAGE").body.decode() == DOCUMENT.format(OUTSIDE)


@pytest.mark.parametrize("who", [ALICE, BOB])
@pytest.mark.parametrize("wrap", [True, False])
def test_who_has_no_files(front_end: FrontEndStage, who: str, wrap: bool) -> None:
    front_end.tables.change("users", who, files="0")
    document = DOCUMENT.format(OUTSIDE)
    sent, bob = send(
        front_end, "message/cpim" if wrap else FILE, wrapped(FILE, document) if wrap else document
    )
    sent.expect(403)
    front_end.refused(sent, "file-transfer-off")
    bob.nothing("MESSAGE")

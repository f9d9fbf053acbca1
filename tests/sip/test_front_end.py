"""The Front End: who is where, and who may reach whom."""

from __future__ import annotations

import time

import pytest
from stage.digest import authorized
from stage.messages import Message, absent, message, options, register
from stage.parties import Sent
from stage.stages import PASSWORD, FrontEndStage, Party

ALICE, BOB, CAROL, GINA = (f"{name}@contoso.example" for name in ("alice", "bob", "carol", "gina"))


def token(front_end: FrontEndStage, name: str = "token") -> str:
    """A Path as an Edge gives it."""
    return f"sip:{name}@{front_end.edge.addresses[4]}:5061;transport=tls;lr;ob"


def remote(front_end: FrontEndStage, user: str, name: str = "token") -> None:
    """Signs a remote user in, through the Director."""
    headers = {"Path": f"<{token(front_end, name)}>", "Supported": "path"}
    front_end.director.send(front_end.stamp(register(user, headers=headers))).expect(200)


def inside(front_end: FrontEndStage, user: str) -> Party:
    """A client inside that is signed in."""
    client = front_end.client(user)
    asked = register(user)
    first = client.send(asked)
    client.send(authorized(asked, first.answer(), PASSWORD)).expect(200)
    return client


def said(client: Party, asked: Message) -> Sent:
    """Sends a request of a client inside, and answers the challenge."""
    first = client.send(asked)
    return client.send(authorized(asked, first.answer(), PASSWORD))


def test_a_remote_user_is_registered_with_the_path_of_his_edge(front_end: FrontEndStage) -> None:
    headers = {"Path": f"<{token(front_end)}>", "Supported": "path"}
    sent = front_end.director.send(front_end.stamp(register(ALICE, headers=headers)))
    sent.expect(
        200, {"Contact": r"<sip:alice@198\.51\.100\.7:5061;transport=tls>;expires=600.*", "Path": absent}
    )
    front_end.not_refused(sent)


def test_a_message_to_a_remote_user_goes_by_his_token_through_a_director(front_end: FrontEndStage) -> None:
    remote(front_end, ALICE)
    remote(front_end, BOB, "other")
    sent = front_end.director.send(front_end.stamp(message(BOB, ALICE)))
    came = front_end.director.expect(
        "MESSAGE",
        {"Route": rf"<{token(front_end)}>".replace(".", r"\.")},
        uri="sip:alice@198.51.100.7:5061;transport=tls",
    )
    came.reply(200)
    sent.expect(200)


def test_between_clients_inside(front_end: FrontEndStage) -> None:
    alice, bob = inside(front_end, ALICE), inside(front_end, BOB)
    sent = said(alice, message(ALICE, BOB, "grüß dich"))
    came = bob.expect("MESSAGE", must_not=["^X-", "^Route", "^P-Asserted", "^Proxy-Authorization"])
    assert came.body.decode() == "grüß dich"
    came.reply(200)
    sent.expect(200, must_not=["^X-", "^Server"])


def test_a_user_without_a_device(front_end: FrontEndStage) -> None:
    alice = inside(front_end, ALICE)
    sent = said(alice, message(ALICE, BOB))
    sent.expect(480)
    front_end.refused(sent, "callee-unavailable")


@pytest.mark.parametrize(
    ("user", "origin", "reason"),
    [
        (CAROL, "remote", "outside-access-off"),
        (GINA, "remote", "account-disabled"),
        (GINA, "internal", "account-disabled"),
        ("nobody@contoso.example", "internal", "unknown-user"),
    ],
)
def test_the_home_decides_again(front_end: FrontEndStage, user: str, origin: str, reason: str) -> None:
    sent = front_end.director.send(front_end.stamp(register(user), origin))
    sent.expect(403)
    front_end.refused(sent, reason, party=origin)


def test_a_sender_has_to_be_signed_in(front_end: FrontEndStage) -> None:
    sent = front_end.director.send(front_end.stamp(message(BOB, ALICE)))
    sent.expect(403)
    front_end.refused(sent, "not-registered")


def test_without_a_stamp(front_end: FrontEndStage) -> None:
    sent = front_end.director.send(message(BOB, ALICE))
    sent.expect(403)
    front_end.refused(sent, "forged-inside-header", party="peer")


def test_a_device_whose_connection_is_gone_is_forgotten(front_end: FrontEndStage) -> None:
    remote(front_end, ALICE)
    remote(front_end, BOB, "other")
    sent = front_end.director.send(front_end.stamp(message(BOB, ALICE)))
    front_end.director.expect("MESSAGE").reply(430, "Flow Failed")
    sent.expect(480)
    again = front_end.director.send(front_end.stamp(message(BOB, ALICE)))
    again.expect(480)
    front_end.director.nothing("MESSAGE")


@pytest.mark.parametrize("named", [True, False], ids=["a device's name", "no name"])
def test_a_device_that_comes_back_pushes_nobody_out(front_end: FrontEndStage, named: bool) -> None:
    """Of ten devices; without a name (RFC 5626 section 4.1) it is an eleventh, and another makes room."""

    def signed_in(number: int, port: int) -> str:
        contact = f"<sip:alice@198.51.100.7:{port};transport=tls>"
        if named or number:
            contact += f';+sip.instance="<urn:uuid:00000000-0000-1000-8000-{number:012}>";reg-id=1'
        headers = {"Path": f"<{token(front_end, f't{port}')}>", "Supported": "path, outbound"}
        asked = register(ALICE, headers=headers)
        asked.headers = [(n, contact if n == "Contact" else v) for n, v in asked.headers]
        sent = front_end.director.send(front_end.stamp(asked))
        sent.expect(200)
        return str(sent.answer())

    for number in range(1, 10):
        signed_in(number, 5000 + number)
    time.sleep(1.1)  # who renewed longest ago is known to the second
    signed_in(0, 5000)
    there = signed_in(0, 6000)
    assert there.count("sip:alice@198.51.100.7:") == 10
    others = sum(f"198.51.100.7:{port};" in there for port in range(5001, 5010))
    assert (others, "198.51.100.7:5000;" in there) == ((9, False) if named else (8, True))
    assert "198.51.100.7:6000;" in there


def test_a_client_inside_proves_himself(front_end: FrontEndStage) -> None:
    client = front_end.client()
    asked = register(ALICE)
    client.send(asked).expect(401)
    wrong = client.send(authorized(asked, client.send(asked).answer(), "wrong"))
    wrong.expect(401)
    front_end.refused(wrong, "wrong-password", party="internal")


def test_a_client_inside_forges_the_inside_header(front_end: FrontEndStage) -> None:
    sent = front_end.client().send(front_end.stamp(message(ALICE, BOB), "internal"))
    sent.expect(403)
    front_end.refused(sent, "forged-inside-header")


def test_an_edge_that_has_a_director_may_not_come_here(front_end: FrontEndStage) -> None:
    sent = front_end.edge.send(front_end.stamp(message(ALICE, BOB)))
    sent.expect(403)
    front_end.refused(sent, "untrusted-peer")


def test_keep_alives(front_end: FrontEndStage) -> None:
    front_end.director.send(options("sip:fe.inside.contoso.example")).expect(200)
    front_end.client().send(options("sip:contoso.example")).expect(200)

"""The Director: authenticates what an Edge lets in, drops who is unknown, routes to the home pool."""

from __future__ import annotations

import time

import pytest
from stage.digest import authorized
from stage.messages import Message, absent, message, options, register
from stage.stages import PASSWORD, DirectorStage

ALICE, BOB, CAROL, GINA = (f"{name}@contoso.example" for name in ("alice", "bob", "carol", "gina"))
STAMP = r"remote;class=local;level=none;t=\d+;h=\S{43}"


def challenged(director: DirectorStage, asked: Message, password: str = PASSWORD, **more: str) -> Message:
    """The same request with an answer to the Director's challenge."""
    first = director.edge.send(director.stamp(asked))
    return director.stamp(authorized(asked, first.answer(), password, **more))


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
@pytest.mark.parametrize("make", [lambda: register(ALICE), lambda: message(ALICE, BOB)])
def test_who_proves_himself_goes_to_the_home_pool(
    director: DirectorStage, make: object, algorithm: str
) -> None:
    asked: Message = make()  # type: ignore[operator]
    sent = director.edge.send(challenged(director, asked, algorithm=algorithm))
    came = director.front_end.expect(
        asked.method, {"X-Edgewright-Origin": STAMP}, must_not=["^(Proxy-)?Authorization:", "^Route:"]
    )
    assert director.plan.hosts["director1"].fqdn in came.connection.peer_names
    came.reply(200)
    sent.expect(200)


def test_the_challenge_offers_both_algorithms(director: DirectorStage) -> None:
    sent = director.edge.send(director.stamp(register(ALICE)))
    found = sent.expect(401)
    offered = found.all("WWW-Authenticate")
    assert ["algorithm=SHA-256" in offered[0], "algorithm=MD5" in offered[1]] == [True, True]
    assert all('realm="contoso.example"' in one for one in offered)
    director.front_end.nothing()


@pytest.mark.parametrize(
    ("agent", "algorithms"),
    [("baresip v1.1.0 (x86_64/linux)", ["MD5"]), ("baresip v3.10.0 (x86_64/linux)", ["SHA-256", "MD5"])],
)
def test_a_client_that_gives_up_at_what_it_does_not_know(
    director: DirectorStage, agent: str, algorithms: list[str]
) -> None:
    """libre of baresip 1 ends with an error at any challenge but MD5; RFC 8760 section 2.4: pass it over."""
    sent = director.edge.send(director.stamp(register(ALICE, headers={"User-Agent": agent})))
    offered = sent.expect(401).all("WWW-Authenticate")
    assert [one.rpartition("algorithm=")[2] for one in offered] == algorithms


@pytest.mark.parametrize(
    ("user", "password", "reason"),
    [
        (ALICE, "wrong", "wrong-password"),
        ("nobody@contoso.example", PASSWORD, "unknown-user"),
        (GINA, PASSWORD, "account-disabled"),
    ],
)
def test_who_does_not_is_challenged_again_alike(
    director: DirectorStage, user: str, password: str, reason: str
) -> None:
    asked = challenged(director, register(user), password)
    sent = director.edge.send(asked)
    found = sent.expect(401, {"ms-diagnostics": absent, "ms-diagnostics-public": absent})
    assert len(found.all("WWW-Authenticate")) == 2
    director.refused(sent, reason, party="remote")
    director.front_end.nothing()


def test_no_access_from_outside(director: DirectorStage) -> None:
    sent = director.edge.send(challenged(director, register(CAROL)))
    sent.expect(403, {"ms-diagnostics-public": "4003;.*"})
    director.refused(sent, "outside-access-off")


def test_nobody_speaks_for_another(director: DirectorStage) -> None:
    sent = director.edge.send(challenged(director, message(BOB, "carol@contoso.example"), user="alice"))
    sent.expect(403)
    director.refused(sent, "identity-mismatch")
    director.front_end.nothing()


@pytest.mark.parametrize("change", ["none", "key", "old", "future", "call"])
def test_without_a_good_stamp_nothing_comes_in(director: DirectorStage, change: str) -> None:
    asked = message(ALICE, BOB)
    now = int(time.time())
    stamped = {
        "none": lambda: asked,
        "key": lambda: director.stamp(asked, key="not the key"),
        "old": lambda: director.stamp(asked, at=now - 400),
        "future": lambda: director.stamp(asked, at=now + 400),
        "call": lambda: _moved(director.stamp(message(ALICE, BOB)), asked),
    }[change]()
    sent = director.edge.send(stamped)
    sent.expect(403)
    director.refused(sent, "forged-inside-header", party="peer")
    director.front_end.nothing()


def _moved(stamped: Message, to: Message) -> Message:
    """Another message's stamp."""
    value = stamped.get("X-Edgewright-Origin")
    return Message(to.start, [*to.headers, ("X-Edgewright-Origin", value)], to.body)


def test_a_message_as_if_in_a_dialog_that_is_none_of_ours(director: DirectorStage) -> None:
    asked = message(
        ALICE, BOB, to_tag="made-up", headers={"Route": f"<sip:{_own(director)}:5061;transport=tls;lr>"}
    )
    sent = director.edge.send(director.stamp(asked))
    sent.expect(481)
    director.refused(sent, "forged-dialog")
    director.front_end.nothing()


def _own(director: DirectorStage) -> str:
    return str(director.settings["director"]["own"][0])


def test_a_ping_is_answered(director: DirectorStage) -> None:
    director.edge.send(options("sip:director.inside.contoso.example")).expect(200)


def test_a_host_that_is_none_of_ours(director: DirectorStage) -> None:
    sent = director.stranger("proxy1.inside.contoso.example").send(message(ALICE, BOB))
    sent.expect(403)
    director.refused(sent, "untrusted-peer")


def test_out_goes_only_to_an_edge(director: DirectorStage) -> None:
    edge = director.edge.addresses[4]
    way = {"Route": f"<sip:token@{edge}:5061;transport=tls;lr;ob>"}
    uri = "sip:alice@198.51.100.7:5061;transport=tls"
    sent = director.front_end.send(message(BOB, ALICE, uri=uri, headers=way))
    director.edge.expect("MESSAGE", {"Route": r"<sip:token@.*"}, uri=uri).reply(200)
    sent.expect(200)
    lost = director.front_end.send(
        message(BOB, ALICE, uri=uri, headers={"Route": "<sip:198.51.100.66:5061;lr>"})
    )
    lost.expect(403)
    director.refused(lost, "relay-refused")

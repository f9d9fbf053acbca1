"""The Access Edge and clients: in to the one next hop, out by the connection's token only."""

from __future__ import annotations

import re
import ssl

import pytest
from stage.ground import wait_for
from stage.messages import absent, invite, message, options, register, request
from stage.parties import Party
from stage.stages import EdgeStage

ALICE, BOB = "alice@contoso.example", "bob@contoso.example"
STAMP = r"remote;class=local;level=none;t=\d+;h=\S{43}"


def signed_in(edge: EdgeStage, user: str = ALICE, family: int = 4) -> tuple[Party, str]:
    """A client that is registered, and the Path by which it is reached."""
    client = edge.client(user)
    sent = client.send(register(user), family)
    came = edge.next_hop.expect("REGISTER")
    came.reply(200, "OK")
    sent.expect(200)
    return client, came.get("Path").strip("<>")


@pytest.mark.parametrize("family", [4, 6])
def test_a_request_from_outside_goes_to_the_next_hop_stamped_and_with_a_token(
    edge: EdgeStage, family: int
) -> None:
    sent = edge.client().send(register(ALICE), family)
    came = edge.next_hop.expect(
        "REGISTER",
        {"X-Edgewright-Origin": STAMP, "Path": r"<sip:\S+@\S+:5061;transport=tls;lr;ob>"},
        must_not=[r"^Route:"],
        uri="sip:contoso.example",
    )
    assert edge.plan.hosts["edge1"].fqdn in came.connection.peer_names
    came.reply(401, "Unauthorized", {"WWW-Authenticate": 'Digest realm="contoso.example", nonce="n"'})
    sent.expect(401, {"WWW-Authenticate": ".*"})
    edge.not_refused(sent)


def test_a_keep_alive_is_answered_by_the_edge_itself(edge: EdgeStage) -> None:
    edge.client().send(options("sip:contoso.example")).expect(200)
    edge.next_hop.nothing()


def test_routes_of_a_client_do_not_count(edge: EdgeStage) -> None:
    lured = message(ALICE, BOB, headers={"Route": "<sip:198.51.100.66:5061;transport=tls;lr>"})
    sent = edge.client().send(lured)
    edge.next_hop.expect("MESSAGE", {"X-Edgewright-Origin": STAMP}, must_not=[r"198\.51\.100\.66"]).reply(200)
    sent.expect(200)


@pytest.mark.parametrize(
    "name", ["X-Edgewright-Origin", "x-edgewright-origin", "X-Edgewright-Leave", "X-Edgewright-Anything"]
)
def test_a_forged_inside_header_is_refused(edge: EdgeStage, name: str) -> None:
    forged = message(ALICE, BOB, headers={name: "internal;class=local;level=none;t=1;h=x"})
    sent = edge.client().send(forged)
    sent.expect(403, {"ms-diagnostics": absent})
    edge.refused(sent, "forged-inside-header", party="remote", method="MESSAGE", status="403")
    edge.next_hop.nothing()


def test_identity_headers_of_a_client_go_no_further(edge: EdgeStage) -> None:
    given = {"P-Asserted-Identity": f"<sip:{BOB}>", "P-Preferred-Identity": f"<sip:{BOB}>", "X-Mine": "1"}
    sent = edge.client().send(message(ALICE, BOB, headers=given))
    edge.next_hop.expect("MESSAGE", must_not=["^P-", "^X-Mine"]).reply(200)
    sent.expect(200)


@pytest.mark.parametrize(
    ("sender", "to", "reason"),
    [
        (ALICE, "somebody@nowhere.example", "relay-refused"),
        (ALICE, "somebody@adatum.example", "domain-blocked"),
    ],
)
def test_no_relay(edge: EdgeStage, sender: str, to: str, reason: str) -> None:
    sent = edge.client().send(message(sender, to))
    sent.expect(403)
    edge.refused(sent, reason)
    edge.next_hop.nothing()


def test_nobody_is_let_in_while_outside_users_are_off(edge: EdgeStage) -> None:
    client = edge.client()
    edge.tables.set("switches", "allow_outside_users", "0")
    sent = client.send(register(ALICE))
    sent.expect(403)
    edge.refused(sent, "outside-users-off")
    edge.tables.set("switches", "allow_outside_users", "1")
    again = client.send(register(ALICE))
    edge.next_hop.expect("REGISTER").reply(200)
    again.expect(200)


@pytest.mark.parametrize("family", [4, 6])
def test_out_by_the_token_and_nothing_of_ours_with_it(edge: EdgeStage, family: int) -> None:
    client, path = signed_in(edge, family=family)
    ours = {"Route": f"<{path}>", "X-Edgewright-Origin": "internal;h=x", "P-Asserted-Identity": "<sip:a@b>"}
    sent = edge.next_hop.send(
        message(BOB, ALICE, uri="sip:alice@198.51.100.7:5061;transport=tls", headers=ours)
    )
    came = client.expect("MESSAGE", must_not=["^X-", "^P-Asserted", "^Route:"])
    came.reply(200, "OK", {"Server": "client"})
    sent.expect(200)


def test_answers_to_a_client_carry_nothing_of_ours(edge: EdgeStage) -> None:
    sent = edge.client().send(message(ALICE, BOB))
    ours = {
        "Server": "inside",
        "X-Inside": "1",
        "ms-diagnostics": "1;reason=x",
        "P-Asserted-Identity": "<sip:a@b>",
    }
    edge.next_hop.expect("MESSAGE").reply(404, "Not Found", ours)
    sent.expect(404, must_not=["^Server:", "^X-", "^ms-diagnostics:", "^P-Asserted"])


def test_a_token_whose_connection_is_gone(edge: EdgeStage) -> None:
    client, path = signed_in(edge)
    client.close()
    uri = "sip:alice@198.51.100.7:5061;transport=tls"
    sent = edge.next_hop.send(message(BOB, ALICE, uri=uri, headers={"Route": f"<{path}>"}))
    sent.expect(430)
    edge.journal.wait("event=flow-gone")


def test_a_changed_token_leads_nowhere(edge: EdgeStage) -> None:
    client, path = signed_in(edge)
    forged = re.sub(r"sip:....", "sip:AAAA", path, count=1)
    uri = "sip:alice@198.51.100.7:5061;transport=tls"
    sent = edge.next_hop.send(message(BOB, ALICE, uri=uri, headers={"Route": f"<{forged}>"}))
    assert sent.answer().status >= 400
    client.nothing()


def test_a_dialog_goes_both_ways(edge: EdgeStage) -> None:
    client = edge.client()
    sent = client.send(invite(ALICE, BOB))
    came = edge.next_hop.expect("INVITE", {"Record-Route": r"<sip:\S+@\S+:5061;transport=tls;\S*lr\S*>"})
    routes = [("Route", value) for value in came.all("Record-Route")]
    to_tag = "callee"
    came.message.headers = [(n, f"{v};tag={to_tag}" if n == "To" else v) for n, v in came.message.headers]
    came.reply(200, "OK", {"Contact": "<sip:bob@198.51.100.9:5061;transport=tls>"})
    sent.expect(200)
    bye = request(
        "BYE", BOB, ALICE, uri="sip:alice@198.51.100.7:5061;transport=tls", call_id=sent.call_id,
        from_tag=to_tag, to_tag="caller", headers=routes,
    )  # fmt: skip
    ended = edge.next_hop.send(bye)
    client.expect("BYE").reply(200)
    ended.expect(200)


@pytest.mark.parametrize(
    "names",
    [(), ("stranger.inside.contoso.example",), ("sip.contoso.example",), ("proxy1.inside.contoso.example",)],
)
def test_inside_sockets_are_for_our_hosts(edge: EdgeStage, names: tuple[str, ...]) -> None:
    stranger = edge.stranger(*names)
    sent = None
    try:
        sent = stranger.send(message(BOB, ALICE))
        sent.expect(403)
        edge.refused(sent, "untrusted-peer", party="peer")
    except (OSError, AssertionError):
        assert not names, "a certificate of the inside CA completes the handshake"
        assert sent is None or stranger.connections[-1].wait_closed(), "without one there is no connection"


def test_a_certificate_of_another_authority_does_not_enter(edge: EdgeStage) -> None:
    stranger = edge.stranger("director1.inside.contoso.example", authority=edge.outside)
    try:
        connection = stranger.connect()
    except (OSError, ssl.SSLError):
        return
    connection.send(message(BOB, ALICE))
    assert connection.wait_closed()


def test_the_next_hop_is_down_and_comes_back(edge: EdgeStage) -> None:
    edge.next_hop.stop()
    client = edge.client()
    sent = client.send(register(ALICE))
    assert sent.answer().status in (503, 504)
    assert edge.journal.refusals(sent.call_id)[0]["reason"] == "next-hop-down"
    edge.next_hop.listen()
    before = edge.next_hop.pings
    wait_for(lambda: edge.next_hop.pings >= before + len(edge.next_hop.addresses), 6, "no ping")
    again = client.send(register(ALICE))
    edge.next_hop.expect("REGISTER").reply(200)
    again.expect(200)

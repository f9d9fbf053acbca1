"""Director and Front End, for partners: nobody is challenged, the home decides per user."""

from __future__ import annotations

import re

import pytest
from stage.digest import authorized
from stage.messages import Message, absent, invite, message, register, request, subscribe
from stage.parties import Party, Sent
from stage.stages import PASSWORD, DirectorStage, FrontEndStage

ALICE, BOB, CAROL, DAVE, GINA, NOBODY = (
    f"{name}@contoso.example" for name in ("alice", "bob", "carol", "dave", "gina", "nobody")
)
DANA = "dana@fabrikam.example"
ALL = r"none\+federated\+public\+xmpp"


def outbound(classes: str) -> dict[str, str | None]:
    """The inside header on the way out."""
    return {"X-Edgewright-Origin": f"outbound;class={classes};level=none;t=[0-9]+;h=.+"}


# -- Director --------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["federated", "public"])
def test_a_partner_is_not_challenged(director: DirectorStage, origin: str) -> None:
    asked = director.stamp(message(DANA, ALICE), origin, klass="allowed", level="verified")
    sent = director.edge.send(asked)
    director.front_end.expect("MESSAGE", {"X-Edgewright-Origin": f"{origin};class=allowed;.*"}).reply(200)
    sent.expect(200)


def test_whom_nobody_knows_the_director_drops(director: DirectorStage) -> None:
    sent = director.edge.send(director.stamp(message(DANA, NOBODY), "federated", klass="allowed"))
    found = sent.expect(404, {"ms-diagnostics": absent, "ms-diagnostics-public": absent})
    assert not found.all("WWW-Authenticate") + found.all("Proxy-Authenticate")
    director.refused(sent, "callee-unavailable", party="federated")
    director.front_end.nothing()


def test_the_director_is_nobody_s_relay(director: DirectorStage) -> None:
    for to in ("lee@litware.example", "zoe@nowhere.example"):
        sent = director.edge.send(director.stamp(message(DANA, to), "federated", klass="allowed"))
        sent.expect(403)
        director.refused(sent, "relay-refused")
    forged = director.front_end.send(director.stamp(message(ALICE, DANA), "remote"))
    forged.expect(403)
    director.refused(forged, "relay-refused")
    director.front_end.nothing()


def test_what_a_front_end_decided_leaves_by_the_edge(director: DirectorStage) -> None:
    asked = director.stamp(invite(ALICE, DANA), "outbound", klass="none+federated")
    sent = director.front_end.send(asked)
    came = director.edge.expect("INVITE", {"Record-Route": ".*dk=.*", **outbound(r"none\+federated")})
    came.reply(200, "OK", {"Contact": "<sip:dana@198.51.100.9:5061;transport=tls>"})
    sent.expect(200)


def test_without_a_route_nothing_leaves(director: DirectorStage) -> None:
    director.tables.remove("routes", "federation")
    sent = director.front_end.send(director.stamp(message(ALICE, DANA), "outbound", klass="none+federated"))
    sent.expect(403)
    director.refused(sent, "federation-not-deployed")


def test_shared_domains_lead_to_the_hosting_provider(director: DirectorStage) -> None:
    director.tables.set("domains", "contoso.example", "class=local;shared=1")
    sent = director.edge.send(director.stamp(message(DANA, NOBODY), "federated", klass="allowed"))
    director.edge.expect("MESSAGE", outbound("shared")).reply(200)
    sent.expect(200)
    back = director.edge.send(director.stamp(message(DANA, NOBODY), "federated", klass="hosting"))
    back.expect(404)
    director.refused(back, "callee-unavailable")


# -- Front End -------------------------------------------------------------------------------


def inside(front_end: FrontEndStage, user: str) -> Party:
    """A client inside that is signed in."""
    client = front_end.client(user)
    asked = register(user)
    client.send(authorized(asked, client.send(asked).answer(), PASSWORD)).expect(200)
    return client


def said(client: Party, asked: Message) -> Sent:
    """Sends a request of a client inside, and answers the challenge."""
    return client.send(authorized(asked, client.send(asked).answer(), PASSWORD))


def from_partner(
    front_end: FrontEndStage, asked: Message, origin: str = "federated", level: str = "verified"
) -> Sent:
    """A request as the Director hands it over."""
    return front_end.director.send(front_end.stamp(asked, origin, klass="allowed", level=level))


def test_out_with_what_the_sender_may(front_end: FrontEndStage) -> None:
    alice = inside(front_end, ALICE)
    for to in (DANA, "zoe@unlisted.example", "zoe@adatum.example"):
        sent = said(alice, message(ALICE, to, "hi"))
        came = front_end.director.expect("MESSAGE", outbound(ALL), ["^Proxy-Authorization"], uri=f"sip:{to}")
        came.reply(200)
        sent.expect(200)


def test_who_may_not_does_not_leave(front_end: FrontEndStage) -> None:
    dave = inside(front_end, DAVE)
    sent = said(dave, message(DAVE, DANA))
    sent.expect(403, {"ms-diagnostics-public": "4004;.*", "ms-diagnostics": absent})
    front_end.refused(sent, "federation-access-off", party="internal")
    # Of an unlisted domain only the Edge knows the class: it refuses by the classes that it is told.
    sent = said(dave, message(DAVE, "walt@wingtip.example"))
    front_end.director.expect("MESSAGE", outbound("none")).reply(403, "Forbidden")
    sent.expect(403)


def test_in_to_a_user_who_may(front_end: FrontEndStage) -> None:
    alice = inside(front_end, ALICE)
    sent = from_partner(front_end, message(DANA, ALICE, "hi"))
    alice.expect("MESSAGE", must_not=["^X-", "^Route"]).reply(200)
    sent.expect(200, must_not=["^X-", "^Server"])


@pytest.mark.parametrize(
    ("to", "origin", "reason"),
    [
        (NOBODY, "federated", "callee-unavailable"),
        (GINA, "federated", "callee-unavailable"),
        (DAVE, "federated", "federation-access-off"),
        (CAROL, "federated", "federation-access-off"),
        (DAVE, "public", "public-access-off"),
    ],
)
def test_one_answer_for_all_who_cannot_be_reached(
    front_end: FrontEndStage, to: str, origin: str, reason: str
) -> None:
    if to == DAVE:
        inside(front_end, DAVE)
    sent = from_partner(front_end, message(DANA, to), origin)
    found = sent.expect(404, {"ms-diagnostics": absent, "ms-diagnostics-public": absent})
    assert found.start == "SIP/2.0 404 Not Found"
    names = sorted(name for name, _ in found.headers)
    assert names == ["CSeq", "Call-ID", "Content-Length", "From", "To", "Via"]
    front_end.refused(sent, reason, party=origin)


def test_a_user_without_a_device(front_end: FrontEndStage) -> None:
    sent = from_partner(front_end, message(DANA, ALICE))
    sent.expect(480)
    front_end.refused(sent, "callee-unavailable", party="federated")


def test_public_calls_are_a_setting_of_their_own(front_end: FrontEndStage) -> None:
    alice = inside(front_end, ALICE)
    sent = from_partner(front_end, invite("walt@wingtip.example", ALICE), "public")
    sent.expect(404)
    front_end.refused(sent, "public-media-off", party="public")
    front_end.tables.change("users", ALICE, public_av="1")
    sent = from_partner(front_end, invite("walt@wingtip.example", ALICE), "public")
    alice.expect("INVITE").reply(200, "OK", {"Contact": "<sip:alice@198.51.100.7:5061;transport=tls>"})
    sent.expect(200)


def test_a_source_that_nobody_vouches_for_reaches_contacts_only(front_end: FrontEndStage) -> None:
    inside(front_end, ALICE)
    for sender in (DANA, "o'hara@fabrikam.example"):
        sent = from_partner(front_end, message(sender, ALICE), level="unverified")
        sent.expect(404)
        front_end.refused(sent, "not-a-contact", party="federated")


def test_a_contact_gets_through(front_end: FrontEndStage) -> None:
    alice = inside(front_end, ALICE)
    front_end.sql("CREATE TABLE IF NOT EXISTS contacts (owner text, contact text, list text)")
    front_end.sql(f"INSERT INTO contacts (owner, contact, list) VALUES ('{ALICE}', '{DANA}', 'friends')")
    try:
        sent = from_partner(front_end, message(DANA, ALICE), level="unverified")
        alice.expect("MESSAGE").reply(200)
        sent.expect(200)
        other = from_partner(front_end, message("egon@fabrikam.example", ALICE), level="unverified")
        other.expect(404)
        front_end.refused(other, "not-a-contact")
    finally:
        front_end.sql(f"DELETE FROM contacts WHERE owner = '{ALICE}'")


def watched(front_end: FrontEndStage, **more: object) -> Message:
    """A partner's subscription, with the Record-Route of a Director."""
    hop = f"<sip:{front_end.director.addresses[4]}:5061;transport=tls;lr;dk={'0' * 32}>"
    return subscribe(DANA, ALICE, headers={"Record-Route": hop}, **more)


def test_a_partner_watches(front_end: FrontEndStage) -> None:
    sent = from_partner(front_end, watched(front_end))
    assert sent.answer().status in (200, 202)
    told = front_end.director.expect("NOTIFY", {**outbound(ALL), "Event": "presence.*"}, [r"inside\.contoso"])
    told.reply(200)


def test_a_partner_does_not_watch_who_may_not(front_end: FrontEndStage) -> None:
    front_end.tables.change("users", ALICE, federation="0")
    sent = from_partner(front_end, watched(front_end))
    sent.expect(404)
    front_end.refused(sent, "federation-access-off", party="federated")
    front_end.director.nothing("NOTIFY")


def test_a_watch_ends_with_the_permission(front_end: FrontEndStage) -> None:
    sent = from_partner(front_end, watched(front_end, from_tag="dana"))
    answer = sent.answer()
    front_end.director.expect("NOTIFY").reply(200)
    front_end.tables.change("users", ALICE, federation="0", public="0", xmpp="0")
    tag = re.search(r"tag=(\S+)", answer.get("To"))
    assert tag
    contact = re.search(r"<([^>]*)>", answer.get("Contact"))
    assert contact
    again = watched(front_end, call_id=sent.call_id, from_tag="dana", to_tag=tag[1], cseq=2, uri=contact[1])
    late = from_partner(front_end, again)
    late.expect(404)
    front_end.refused(late, "federation-access-off")
    front_end.director.nothing("NOTIFY")


def test_withdrawn_under_an_open_conversation(front_end: FrontEndStage) -> None:
    alice = inside(front_end, ALICE)
    sent = from_partner(front_end, invite(DANA, ALICE, from_tag="dana"))
    came = alice.expect("INVITE")
    routes = came.all("Record-Route")
    came.message.headers = [(n, f"{v};tag=alice" if n == "To" else v) for n, v in came.message.headers]
    came.reply(200, "OK", {"Contact": "<sip:alice@198.51.100.7:5061;transport=tls>"})
    sent.expect(200)

    def within(cseq: int, sender: str, to: str, from_tag: str, to_tag: str, via: list[str]) -> Message:
        return request(
            "INFO", sender, to, uri="sip:x@198.51.100.9:5061;transport=tls", call_id=sent.call_id,
            from_tag=from_tag, to_tag=to_tag, headers=[("Route", one) for one in via], cseq=cseq,
        )  # fmt: skip

    theirs = from_partner(front_end, within(2, DANA, ALICE, "dana", "alice", list(reversed(routes))))
    alice.expect("INFO").reply(200)
    theirs.expect(200)
    hop = f"<sip:{front_end.director.addresses[4]}:5061;transport=tls;lr>"
    ours = alice.send(within(2, ALICE, DANA, "alice", "dana", [*routes, hop]))
    front_end.director.expect("INFO", {**outbound(ALL), "Route": re.escape(hop)}).reply(200)
    ours.expect(200)
    front_end.tables.change("users", ALICE, federation="0", public="0", xmpp="0")
    late = from_partner(front_end, within(3, DANA, ALICE, "dana", "alice", list(reversed(routes))))
    late.expect(404)
    front_end.refused(late, "federation-access-off")
    mine = alice.send(within(3, ALICE, DANA, "alice", "dana", [*routes, hop]))
    mine.expect(403)
    logged = front_end.journal.refusals(sent.call_id)
    assert [(one["reason"], one["party"]) for one in logged][1:] == [("federation-access-off", "internal")]
    alice.nothing()

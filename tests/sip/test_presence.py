"""Presence on the Front End: published, subscribed to, and told by level."""

from __future__ import annotations

import re

import pytest
from stage.digest import authorized
from stage.messages import Message, publish, register, request, subscribe
from stage.parties import Arrived, Sent
from stage.stages import PASSWORD, FrontEndStage, Party

ALICE, BOB, CAROL = (f"{name}@contoso.example" for name in ("alice", "bob", "carol"))
EGON = "egon@fabrikam.example"
NAMESPACES = (
    'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
    'xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"'
)


def pidf(user: str, *, basic: str = "open", activities: str = "", note: str = "", tuple_id: str = "t") -> str:
    """A presence document with a place, which is for the workgroup alone."""
    said = f"<dm:note>{note}</dm:note>" if note else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<presence {NAMESPACES} entity="sip:{user}">'
        f'<tuple id="{tuple_id}"><status><basic>{basic}</basic></status><note>on a train</note></tuple>'
        f'<dm:person id="p"><r:activities>{activities}</r:activities>'
        f"<r:place-type><r:other>castle</r:other></r:place-type>{said}</dm:person></presence>"
    )


def signed_in(front_end: FrontEndStage, *users: str) -> None:
    """Remote users, through the Director."""
    for user in users:
        token = f"sip:{user[:3]}@{front_end.edge.addresses[4]}:5061;transport=tls;lr;ob"
        headers = {"Path": f"<{token}>", "Supported": "path"}
        front_end.director.send(front_end.stamp(register(user, headers=headers))).expect(200)


def published(front_end: FrontEndStage, user: str, body: str, **more: object) -> Sent:
    """A PUBLISH of a remote user."""
    return front_end.director.send(front_end.stamp(publish(user, body, **more)))


def watch(front_end: FrontEndStage, watcher: str, user: str, origin: str = "remote", **more: object) -> Sent:
    """A SUBSCRIBE that came through the Director."""
    headers = {"Record-Route": recorded(front_end)}
    asked = subscribe(watcher, user, headers=headers, **more)
    return front_end.director.send(front_end.stamp(asked, origin))


def recorded(front_end: FrontEndStage) -> str:
    """What a Director records."""
    return f"<sip:{front_end.director.addresses[4]}:5061;transport=tls;lr;dk=x>"


def told(party: Party, *, must: str = "", must_not: tuple[str, ...] = (), timeout: float = 4) -> Arrived:
    """The next NOTIFY, answered."""
    came = party.expect("NOTIFY", must_not=must_not, timeout=timeout)
    came.reply(200)
    assert must in came.body.decode(), came.body.decode()
    return came


def test_who_subscribes_is_told_at_once_and_of_every_change(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    sent = watch(front_end, ALICE, BOB)
    answer = sent.expect(200, {"Contact": "<sip:contoso.example;transport=tls>", "Expires": "600"})
    first = told(front_end.director, must="<basic>closed</basic>")
    assert first.get("Subscription-State").startswith("active;expires=")
    assert first.get("Route") == recorded(front_end)
    assert first.message.start.split()[1] == "sip:alice@198.51.100.7:5061;transport=tls"
    assert first.get("Call-ID") == answer.get("Call-ID")
    published(front_end, BOB, pidf(BOB, activities="<r:on-the-phone/>", note="back at 5")).expect(200)
    second = told(
        front_end.director, must="<basic>open</basic>", must_not=("castle", "198.18", "^X-", "^Server")
    )
    body = second.body.decode()
    assert "<r:busy/><r:on-the-phone/>" in body
    assert "on a train" in body


def test_a_document_goes_whole_to_its_user_alone(front_end: FrontEndStage) -> None:
    signed_in(front_end, BOB)
    published(front_end, BOB, pidf(BOB, note="1 &lt; 2 &amp; \\ ü")).expect(200)
    watch(front_end, BOB, BOB).expect(200)
    came = told(front_end.director, must="castle")
    assert "1 &lt; 2 &amp; \\ ü" in came.body.decode()


def test_a_partner_sees_the_state_and_nothing_else(front_end: FrontEndStage) -> None:
    signed_in(front_end, BOB)
    published(front_end, BOB, pidf(BOB, activities="<r:meeting/>", note="secret")).expect(200)
    shown = front_end.sql(f"SELECT document FROM presence_shown('{BOB}', '{EGON}', false)")
    assert "<r:busy/></r:activities>" in shown
    assert not re.search("secret|castle|train|meeting", shown)


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([("open", ""), ("open", "<r:away/>")], ("open", "")),
        ([("open", "<r:away/>"), ("closed", "")], ("open", "<r:away/>")),
        ([("open", "<r:busy/>"), ("open", "")], ("open", "<r:busy/>")),
        ([("open", "<r:other>do not disturb</r:other>"), ("open", "<r:busy/>")], ("open", "do-not-disturb")),
        ([("closed", ""), ("closed", "")], ("closed", "")),
    ],
)
def test_several_devices_are_one_state(
    front_end: FrontEndStage, states: list[tuple[str, str]], shown: tuple[str, str]
) -> None:
    signed_in(front_end, ALICE, BOB)
    for number, (basic, activities) in enumerate(states):
        body = pidf(BOB, basic=basic, activities=activities, tuple_id=f"t{number}")
        published(front_end, BOB, body).expect(200)
    watch(front_end, ALICE, BOB, expires=0).expect(200)
    body = told(front_end.director).body.decode()
    assert f"<basic>{shown[0]}</basic>" in body
    assert shown[1] in body
    assert shown[1] or "<r:activities>" not in body


def test_devices_go_offline_one_after_the_other(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    tags = [
        published(front_end, BOB, pidf(BOB, tuple_id=f"t{n}")).expect(200).get("SIP-ETag") for n in range(2)
    ]
    watch(front_end, ALICE, BOB).expect(200)
    told(front_end.director, must="open")
    for tag, state in zip(tags, ("open", "closed"), strict=True):
        gone = publish(BOB, "", expires=0, headers={"SIP-If-Match": tag})
        gone.headers = [(n, v) for n, v in gone.headers if n != "Content-Type"]
        front_end.director.send(front_end.stamp(gone)).expect(200)
        told(front_end.director, must=f"<basic>{state}</basic>")


def refresh(front_end: FrontEndStage, sent: Sent, expires: int, **more: str) -> Message:
    """SUBSCRIBE within the dialog, as a Director hands it over when it has checked the dialog's key."""
    answer = sent.answer()
    tag = answer.get("To").partition("tag=")[2]
    asked = sent.message
    again = request(
        "SUBSCRIBE", asked.get("From").partition("sip:")[2].partition(">")[0],
        asked.get("To").partition("sip:")[2].partition(">")[0], uri="sip:contoso.example;transport=tls",
        headers=[("Event", "presence"), ("Expires", str(expires)), ("Contact", asked.get("Contact"))],
        call_id=asked.get("Call-ID"), from_tag=asked.get("From").partition("tag=")[2], to_tag=tag, cseq=2,
    )  # fmt: skip
    return front_end.stamp(again, more.get("origin", "remote"))


def test_a_subscription_is_renewed_and_ended_within_its_dialog(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    sent = watch(front_end, ALICE, BOB)
    sent.expect(200)
    first = told(front_end.director)
    front_end.director.send(refresh(front_end, sent, 300)).expect(200, {"Expires": "300"})
    second = told(front_end.director)
    assert int(second.get("CSeq").split()[0]) > int(first.get("CSeq").split()[0])
    ended = refresh(front_end, sent, 0)
    ended.headers = [(n, v.replace("2 ", "3 ") if n == "CSeq" else v) for n, v in ended.headers]
    front_end.director.send(ended).expect(200)
    assert told(front_end.director).get("Subscription-State").startswith("terminated")
    published(front_end, BOB, pidf(BOB)).expect(200)
    front_end.director.nothing("NOTIFY", within=1)


def test_who_lost_his_rights_cannot_renew(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    sent = watch(front_end, ALICE, BOB)
    sent.expect(200)
    told(front_end.director)
    front_end.tables.change("users", ALICE, outside="0")
    refused = front_end.director.send(refresh(front_end, sent, 300))
    refused.expect(403)
    front_end.refused(refused, "outside-access-off")


def test_a_dialog_that_nobody_began(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    sent = watch(front_end, ALICE, BOB)
    sent.expect(200)
    told(front_end.director)
    again = refresh(front_end, sent, 300)
    again.headers = [(n, v + "0" if n == "To" else v) for n, v in again.headers]
    front_end.director.send(again).expect(481)


def test_who_watches_me(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    watch(front_end, ALICE, BOB).expect(200)
    told(front_end.director)
    watch(front_end, BOB, BOB, event="presence.winfo").expect(200)
    came = told(front_end.director, must="sip:alice@contoso.example")
    assert came.get("Event") == "presence.winfo"


def test_who_watches_another_is_his_own_business(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    sent = watch(front_end, ALICE, BOB, event="presence.winfo")
    sent.expect(403)
    front_end.refused(sent, "not-own-document")


def test_between_clients_inside(front_end: FrontEndStage) -> None:
    clients = {}
    for user in (ALICE, BOB):
        clients[user] = front_end.client(user)
        asked = register(user)
        clients[user].send(authorized(asked, clients[user].send(asked).answer(), PASSWORD)).expect(200)

    def said(user: str, asked: Message) -> Sent:
        return clients[user].send(authorized(asked, clients[user].send(asked).answer(), PASSWORD))

    answer = said(ALICE, subscribe(ALICE, BOB)).expect(200)
    told(clients[ALICE], must="closed")
    said(BOB, publish(BOB, pidf(BOB))).expect(200)
    told(clients[ALICE], must="open", must_not=("^X-", "^Route"))
    again = request(
        "SUBSCRIBE", ALICE, BOB, uri="sip:contoso.example;transport=tls",
        headers=[
            *(("Route", route) for route in reversed(answer.all("Record-Route"))),
            ("Event", "presence"), ("Expires", "300"),
            ("Contact", "<sip:alice@198.51.100.7:5061;transport=tls>"),
        ],
        call_id=answer.get("Call-ID"), from_tag=answer.get("From").partition("tag=")[2],
        to_tag=answer.get("To").partition("tag=")[2], cseq=9,
    )  # fmt: skip
    clients[ALICE].send(again).expect(200)
    told(clients[ALICE], must="open")


BOMB = '<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (BOMB + pidf(BOB)[39:], {}, 400, "document-invalid"),
        (pidf(BOB).replace("UTF-8", "UTF-7"), {}, 400, "document-invalid"),
        (pidf(BOB).encode("utf-16"), {}, 400, "document-invalid"),
        ("\0" + pidf(BOB), {}, 400, "document-invalid"),
        (pidf(BOB)[:-4], {}, 400, "document-invalid"),
        (pidf(BOB) + "\0" + BOMB, {}, 400, "document-invalid"),
        (pidf(ALICE), {}, 400, "document-invalid"),
        ("<a/>", {}, 400, "document-invalid"),
        (pidf(BOB).replace("<basic>open</basic>", ""), {}, 400, "document-invalid"),
        (pidf(BOB, note="x" * 8192), {}, 413, "document-too-large"),
        (pidf(BOB), {"Content-Type": "text/plain"}, 415, "document-type"),
        (pidf(BOB), {"Event": "dialog"}, 489, "event-not-served"),
    ],
)
def test_what_is_not_taken(
    front_end: FrontEndStage, body: str | bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    signed_in(front_end, BOB)
    asked = publish(BOB, "", headers={})
    asked.headers = [(n, headers.get(n, v)) for n, v in asked.headers]
    asked.body = body.encode() if isinstance(body, str) else body
    sent = front_end.director.send(front_end.stamp(asked))
    sent.expect(status)
    front_end.refused(sent, reason)
    published(front_end, BOB, pidf(BOB)).expect(200)


def test_a_state_for_somebody_else(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    sent = published(front_end, BOB, pidf(ALICE), uri=f"sip:{ALICE}")
    sent.expect(403)
    front_end.refused(sent, "identity-mismatch")


def test_who_has_to_leave_is_told_and_forgotten(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    published(front_end, ALICE, pidf(ALICE)).expect(200)
    watch(front_end, ALICE, BOB).expect(200)
    told(front_end.director)
    watch(front_end, BOB, ALICE).expect(200)
    told(front_end.director, must="open")
    front_end.sql(f"SELECT presence_leave('{ALICE}', true)")
    ends = [front_end.director.expect("NOTIFY", timeout=4) for _ in range(2)]
    for came in ends:
        came.reply(200)
    by_state = {came.get("Subscription-State").partition(";")[0]: came for came in ends}
    assert "deactivated" in by_state["terminated"].get("Subscription-State")
    assert "<basic>closed</basic>" in by_state["active"].body.decode()
    published(front_end, BOB, pidf(BOB)).expect(200)
    front_end.director.nothing("NOTIFY", within=1)


def stored(front_end: FrontEndStage, user: str, kind: str, body: str, *, tag: str = "t") -> None:
    """A document of a user, as the web services store it."""
    number = {"resource-lists": 4, "rls-services": 8, "pres-rules": 2}[kind]
    uri = f"{kind}/users/sip:{user}/index"
    front_end.sql(
        f"SELECT xcap_put('{user}', '{uri}', {number}, convert_to('{body}', 'UTF8'), '{tag}', '{{}}', '{{}}')"
    )


def contacts(*users: str, name: str = "friends") -> str:
    """A resource list."""
    entries = "".join(f'<entry uri="sip:{user}"/>' for user in users)
    return (
        '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
        f'<list name="{name}">{entries}</list></resource-lists>'
    )


def rules(whom: str, handling: str, shown: str = "") -> str:
    """Privacy rules with one rule."""
    return (
        '<r:ruleset xmlns:r="urn:ietf:params:xml:ns:common-policy" '
        'xmlns:p="urn:ietf:params:xml:ns:pres-rules" '
        f'xmlns:o="urn:oma:xml:xdm:common-policy"><r:rule id="a"><r:conditions>{whom}</r:conditions>'
        f"<r:actions><p:sub-handling>{handling}</p:sub-handling></r:actions>"
        f"<r:transformations>{shown}</r:transformations></r:rule></r:ruleset>"
    )


def one(user: str) -> str:
    return f'<r:identity><r:one id="sip:{user}"/></r:identity>'


def but(whom: str) -> str:
    return f"<r:identity><r:many><r:except {whom}/></r:many></r:identity>"


ANCHOR = "https://web/xcap-root/resource-lists/users/sip:x/index/~~/resource-lists/list%5B@name=%22{}%22%5D"
NOTE = "<p:provide-note>true</p:provide-note>"
ALL = "<p:provide-all-attributes/>"


@pytest.mark.parametrize(
    ("whom", "handling", "shown", "level"),
    [
        (one(ALICE), "allow", "", "external"),
        (one(ALICE), "allow", NOTE, "colleagues"),
        (one(ALICE), "allow", NOTE.replace("true", "false"), "external"),
        (one(ALICE), "allow", ALL, "workgroup"),
        (one(ALICE), "polite-block", ALL, "blocked"),
        (one(ALICE), "confirm", "", "pending"),
        (one(ALICE), "block", "", "rejected"),
        (one(ALICE), "nonsense", "", "pending"),
        (one(CAROL), "allow", "", "pending"),
        (one("alice@contoso.exampl"), "allow", "", "pending"),
        ('<r:identity><r:many domain="contoso.example"/></r:identity>', "allow", NOTE, "colleagues"),
        ('<r:identity><r:many domain="contoso.exampla"/></r:identity>', "allow", NOTE, "pending"),
        ('<r:identity><r:many domain="contoso.example.evil"/></r:identity>', "allow", NOTE, "pending"),
        (but(f'id="sip:{ALICE}"'), "allow", NOTE, "pending"),
        (but(f'id="sip:{CAROL}"'), "allow", NOTE, "colleagues"),
        (but('domain="contoso.example"'), "allow", "", "pending"),
        ("", "allow", NOTE, "colleagues"),
        ("<o:other-identity/>", "allow", NOTE, "colleagues"),
        ("<o:anonymous-request/>", "allow", NOTE, "pending"),
        ("<r:sphere value=\"work\"/>", "allow", NOTE, "pending"),
        ("<x:new xmlns:x=\"urn:x\"/>", "allow", NOTE, "pending"),
        (
            "<r:validity><r:from>2001-01-01T00:00:00Z</r:from><r:until>2001-01-02T00:00:00Z</r:until></r:validity>",
            "allow", NOTE, "pending",
        ),
        (
            "<r:validity><r:from>2001-01-01T00:00:00Z</r:from><r:until>2101-01-02T00:00:00Z</r:until></r:validity>",
            "allow", NOTE, "colleagues",
        ),
        ("<r:validity><r:from>soon</r:from><r:until>later</r:until></r:validity>", "allow", NOTE, "pending"),
        (
            f'<o:external-list><o:entry anc="{ANCHOR.format("friends")}"/></o:external-list>',
            "allow", NOTE, "colleagues",
        ),
        (
            f'<o:external-list><o:entry anc="{ANCHOR.format("others")}"/></o:external-list>',
            "allow", NOTE, "pending",
        ),
    ],
)  # fmt: skip
def test_levels(front_end: FrontEndStage, whom: str, handling: str, shown: str, level: str) -> None:
    stored(front_end, BOB, "resource-lists", contacts(ALICE))
    stored(front_end, BOB, "pres-rules", rules(whom, handling, shown))
    assert front_end.sql(f"SELECT presence_level('{BOB}', '{ALICE}', true)") == level


def test_rules_that_change_are_told_at_once(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    published(front_end, BOB, pidf(BOB, note="here")).expect(200)
    watch(front_end, ALICE, BOB).expect(200)
    told(front_end.director, must="train")
    stored(front_end, BOB, "pres-rules", rules(one(ALICE), "polite-block"))
    blocked = told(front_end.director, must="<basic>closed</basic>", must_not=("train", "here"))
    assert blocked.get("Subscription-State").startswith("active;expires=")
    published(front_end, BOB, pidf(BOB, note="unseen", tuple_id="u")).expect(200)
    front_end.director.nothing("NOTIFY", within=1.5)
    stored(front_end, BOB, "pres-rules", rules(one(ALICE), "confirm"))
    waits = told(front_end.director)
    assert (waits.get("Subscription-State"), waits.body) == ("pending", b"")
    published(front_end, BOB, pidf(BOB, note="unseen")).expect(200)
    front_end.director.nothing("NOTIFY", within=1.5)
    watch(front_end, BOB, BOB, event="presence.winfo", expires=0).expect(200)
    told(front_end.director, must='status="pending"')
    stored(front_end, BOB, "pres-rules", rules(one(ALICE), "allow", ALL))
    told(front_end.director, must="castle")
    stored(front_end, BOB, "pres-rules", rules(one(ALICE), "block"))
    assert told(front_end.director).get("Subscription-State") == "terminated;reason=rejected"
    again = watch(front_end, ALICE, BOB)
    again.expect(480)
    front_end.refused(again, "recipient-refused")


def listed(front_end: FrontEndStage, watcher: str, uri: str = "") -> Sent:
    """A subscription to a list."""
    headers = [("Supported", "eventlist"), ("Record-Route", recorded(front_end))]
    asked = subscribe(watcher, uri or watcher, headers=headers)
    return front_end.director.send(front_end.stamp(asked))


def test_a_whole_contact_list_is_one_subscription(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE, BOB)
    stored(front_end, ALICE, "resource-lists", contacts(BOB, CAROL, EGON))
    published(front_end, BOB, pidf(BOB, note="here")).expect(200)
    listed(front_end, ALICE).expect(200, {"Require": "eventlist"})
    came = told(front_end.director, must='uri="sip:alice@contoso.example" version="0" fullState="true"')
    body = came.body.decode()
    assert came.get("Require") == "eventlist"
    assert came.get("Content-Type").startswith(
        'multipart/related;type="application/rlmi+xml";start="<all@list>"'
    )
    assert '<resource uri="sip:bob@contoso.example"><instance id="1" state="active" cid="' in body
    assert f'<resource uri="sip:{EGON}"></resource>' in body
    assert body.count("<presence ") == 1
    assert "castle" not in body
    published(front_end, BOB, pidf(BOB, activities="<r:away/>", tuple_id="u")).expect(200)
    published(front_end, BOB, pidf(BOB, activities="<r:busy/>", tuple_id="v")).expect(200)
    second = told(front_end.director, must='fullState="false"')
    assert second.body.decode().count("<resource ") == 1
    stored(front_end, ALICE, "resource-lists", contacts(CAROL), tag="u")
    while "noresource" not in second.body.decode():
        second = told(front_end.director)


def test_a_list_of_a_service(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE)
    stored(front_end, ALICE, "resource-lists", contacts(BOB))
    anchor = ANCHOR.format("friends")
    service = (
        '<rls-services xmlns="urn:ietf:params:xml:ns:rls-services"><service uri="sip:mates@contoso.example">'
        f"<resource-list>{anchor}</resource-list><packages><package>presence</package></packages></service></rls-services>"
    )
    stored(front_end, ALICE, "rls-services", service)
    listed(front_end, ALICE, "mates@contoso.example").expect(200)
    told(front_end.director, must='uri="sip:mates@contoso.example"')
    nobody = listed(front_end, ALICE, "others@contoso.example")
    nobody.expect(480)


def test_a_thousand_contacts_come_in_parts(front_end: FrontEndStage) -> None:
    signed_in(front_end, ALICE)
    users = [f"user{n:04}@contoso.example" for n in range(1000)]
    stored(front_end, ALICE, "resource-lists", contacts(*users))
    front_end.sql(
        "INSERT INTO presentity (username, domain, event, etag, expires, received_time, body, sender) "
        "SELECT split_part(contact, '@', 1), 'contoso.example', 'presence', 'e' || contact, "
        "extract(epoch FROM now()) + 600, 1, convert_to(replace("
        f"'{pidf('NAME', note='hi')}', 'NAME', contact), 'UTF8'), '' FROM contacts"
    )
    listed(front_end, ALICE).expect(200)
    seen: set[str] = set()
    while len(seen) < len(users):
        came = told(front_end.director, timeout=6)
        assert len(came.body) < 48000
        seen |= set(
            re.findall(r'<resource uri="sip:([^"]*)"><instance id="1" state="active"', came.body.decode())
        )
    assert seen == set(users)

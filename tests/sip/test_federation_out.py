"""Access Edge, out to partners: which one it is, whether the sender may, that it is really him (9d)."""

from __future__ import annotations

import datetime as dt
import re
import time

import pytest
from edgewright_tables import leave
from stage.messages import SDP, Message, absent, invite, message, request, subscribe
from stage.parties import Party, Sent
from stage.pki import SERVER, Authority
from stage.stages import EdgeStage

ALICE = "alice@contoso.example"
DANA = "dana@fabrikam.example"
ALL = "none+federated+public+public_av+xmpp"
LEAKS = ("^X-", "^P-Asserted", "^Server:", "^ms-diagnostics:", r"inside\.contoso", "director1", "fe1")


def outbound(edge: EdgeStage, asked: Message, may: str = ALL) -> Sent:
    """A request as a Front End hands it over, for a sender who may talk to these classes."""
    return edge.next_hop.send(edge.stamp(asked, "outbound", klass=may))


def partner(edge: EdgeStage, domain: str = "fabrikam.example", **more: object) -> Party:
    """A partner who is there and in DNS."""
    found = edge.partner(domain, **more).listen()  # type: ignore[arg-type]
    edge.publish(found)
    return found


def refused(edge: EdgeStage, sent: Sent, reason: str, status: int = 403) -> None:
    """The Edge says no, and why."""
    sent.expect(status, timeout=8)
    edge.refused(sent, reason, status=str(status))


def test_a_listed_partner_is_found_proven_and_reached(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    headers = {"P-Asserted-Identity": f"<sip:{ALICE}>", "X-Ours": "1", "Server": "fe1", "ms-diagnostics": "1"}
    sent = outbound(edge, message(ALICE, DANA, "hi", headers=headers))
    came = fabrikam.expect("MESSAGE", {"ms-source-verified-user": "verified"}, LEAKS)
    assert came.body == b"hi"
    assert came.connection.peer_names == ["sip.contoso.example"]
    came.reply(200, "OK", {"Server": "theirs", "ms-diagnostics": "2;source=x"})
    sent.expect(200, must_not=LEAKS)
    assert fabrikam.pings == 1, "tried before anything of a user left"
    again = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE").reply(200)
    again.expect(200)
    assert fabrikam.pings == 1
    assert len(fabrikam.connections) == 1


def test_a_burst_waits_for_one_look_up(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    edge.dns.slow("fabrikam.example", 0.3)
    sent = [outbound(edge, message(ALICE, DANA, str(n))) for n in range(30)]
    for _ in sent:
        fabrikam.expect("MESSAGE").reply(200)
    for one in sent:
        one.expect(200)
    assert fabrikam.pings == 1
    assert edge.dns.asked["_sipfederationtls._tcp.fabrikam.example", "SRV"] == 1


@pytest.mark.parametrize("family", [4, 6])
def test_either_family_and_the_other_one_when_it_is_silent(edge: EdgeStage, family: int) -> None:
    fabrikam = edge.partner("fabrikam.example")
    here = fabrikam.addresses[family]
    fabrikam.addresses = {family: here}
    fabrikam.listen()
    dead = edge.slot.address(250, 4 if family == 6 else 6)
    edge.dns.federation("fabrikam.example", "sip.fabrikam.example", here, dead)
    sent = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE", timeout=7).reply(200)
    sent.expect(200, timeout=7)


def test_a_direct_partner_is_where_the_description_says(edge: EdgeStage) -> None:
    litware = edge.partner("litware.example", san=["edge.litware.example"]).listen()
    edge.dns.host("edge.litware.example", *litware.addresses.values())
    sent = outbound(edge, message(ALICE, "lee@litware.example"))
    litware.expect("MESSAGE").reply(200)
    sent.expect(200)
    assert not any(kind == "SRV" for _, kind in edge.dns.asked)


def test_lowest_priority_then_highest_weight(edge: EdgeStage) -> None:
    good = edge.partner("fabrikam.example", san=["b.fabrikam.example"]).listen()
    worse = edge.partner("fabrikam.example", san=["a.fabrikam.example", "c.fabrikam.example"]).listen()
    name = "_sipfederationtls._tcp.fabrikam.example"
    edge.dns.add(name, "SRV", "20 90 5061 a.fabrikam.example.", "10 10 5061 c.fabrikam.example.")
    edge.dns.add(name, "SRV", "10 60 5061 b.fabrikam.example.")
    for host, found in (("a", worse), ("b", good), ("c", worse)):
        edge.dns.host(f"{host}.fabrikam.example", *found.addresses.values())
    sent = outbound(edge, message(ALICE, DANA))
    good.expect("MESSAGE").reply(200)
    sent.expect(200)
    assert worse.pings == 0


@pytest.mark.parametrize("wrong", ["name", "authority", "expired", "self"])
def test_who_cannot_prove_himself_gets_nothing(edge: EdgeStage, wrong: str) -> None:
    more: dict[str, object] = {}
    if wrong == "name":
        more["san"] = ["sip.wingtip.example"]
    elif wrong == "expired":
        more |= {"begins": dt.timedelta(days=-9), "ends": dt.timedelta(days=-1)}
    else:
        more["authority"] = Authority("Nobody knows it")
    evil = partner(edge, **more)
    sent = outbound(edge, message(ALICE, DANA, "secret"))
    refused(edge, sent, "untrusted-peer")
    evil.nothing()
    assert all(connection.wait_closed() for connection in evil.connections)


def test_a_revoked_certificate(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    assert fabrikam.certificate
    leaf = fabrikam.certificate.leaf
    issuer = leaf.issuer.rfc4514_string().partition("CN=")[2]
    edge.tables.rpc("htable.sets", "revoked", f"{issuer}|{leaf.serial_number}", "1")
    refused(edge, outbound(edge, message(ALICE, DANA)), "untrusted-peer")
    fabrikam.nothing()


def test_a_certificate_for_servers_only_is_good_enough(edge: EdgeStage) -> None:
    fabrikam = partner(edge, eku=[SERVER])
    sent = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE").reply(200)
    sent.expect(200)


def test_a_record_that_leads_out_of_the_domain(edge: EdgeStage) -> None:
    tailspin = edge.partner("tailspin.example").listen()
    edge.publish(tailspin, "fabrikam.example", "sip.tailspin.example")
    refused(edge, outbound(edge, message(ALICE, DANA)), "untrusted-peer")
    tailspin.nothing()
    assert tailspin.pings == 0


def test_no_record(edge: EdgeStage) -> None:
    refused(edge, outbound(edge, message(ALICE, DANA)), "partner-not-found", 404)


@pytest.mark.parametrize("how", ["dead", "broken"])
def test_a_name_server_that_fails_delays_nobody_else(edge: EdgeStage, how: str) -> None:
    litware = edge.partner("litware.example", san=["edge.litware.example"]).listen()
    edge.dns.host("edge.litware.example", *litware.addresses.values())
    getattr(edge.dns, how)("fabrikam.example")
    lost = [outbound(edge, message(ALICE, DANA)) for _ in range(40)]
    began = time.monotonic()
    sent = outbound(edge, message(ALICE, "lee@litware.example"))
    litware.expect("MESSAGE").reply(200)
    sent.expect(200)
    assert time.monotonic() - began < 1
    for one in lost:
        one.expect(404, timeout=8)
    began = time.monotonic()
    refused(edge, outbound(edge, message(ALICE, DANA)), "partner-not-found", 404)
    assert time.monotonic() - began < 0.5, "remembered"


def test_a_partner_that_is_gone_without_a_word(edge: EdgeStage) -> None:
    """Paused: connections stay, nothing is answered. Only his own messages suffer."""
    fabrikam = partner(edge)
    litware = edge.partner("litware.example", san=["edge.litware.example"]).listen()
    edge.dns.host("edge.litware.example", *litware.addresses.values())
    first = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE").reply(200)
    first.expect(200)
    fabrikam.answers_pings = False
    lost = outbound(edge, message(ALICE, DANA))
    began = time.monotonic()
    sent = outbound(edge, message(ALICE, "lee@litware.example"))
    litware.expect("MESSAGE").reply(200)
    sent.expect(200)
    assert time.monotonic() - began < 1
    lost.expect(504, timeout=10)
    edge.refused(lost, "partner-down")
    refused(edge, outbound(edge, message(ALICE, DANA)), "partner-down", 504)
    began = time.monotonic()
    refused(edge, outbound(edge, message(ALICE, DANA)), "partner-down", 504)
    assert time.monotonic() - began < 0.5
    fabrikam.answers_pings = True
    fabrikam.forget()
    edge.tables.rpc("htable.flush", "failed")
    again = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE").reply(200)
    again.expect(200)


def test_a_connection_that_was_closed_is_made_anew(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    for _ in range(2):
        sent = outbound(edge, message(ALICE, DANA))
        fabrikam.expect("MESSAGE").reply(200)
        sent.expect(200)
        fabrikam.close()
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("to", "may", "reason"),
    [
        (DANA, "none", "federation-access-off"),
        (DANA, "none+public", "federation-access-off"),
        ("walt@wingtip.example", "none+federated", "public-access-off"),
        ("zoe@unlisted.example", ALL, "domain-not-federated"),
        ("zoe@unlisted.example", "none", "federation-access-off"),
        ("zoe@adatum.example", ALL, "domain-blocked"),
        ("zoe@deep.below.adatum.example", ALL, "domain-blocked"),
        ("zoe@below.fabrikam.example", ALL, "domain-not-federated"),
        ("zoe@adatum.example", "none", "federation-access-off"),
    ],
)
def test_who_may_not(edge: EdgeStage, to: str, may: str, reason: str) -> None:
    refused(edge, outbound(edge, message(ALICE, to), may), reason)


def test_the_organisation_may_not(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    edge.tables.set("switches", "allow_federated_users", "0")
    refused(edge, outbound(edge, message(ALICE, DANA)), "federated-users-off")
    edge.tables.set("switches", "federation", "0")
    refused(edge, outbound(edge, message(ALICE, DANA)), "federation-not-deployed")
    fabrikam.nothing()


def test_only_with_the_mark_of_a_front_end(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    for asked in (
        message(ALICE, DANA),
        edge.stamp(message(ALICE, DANA), "remote"),
        edge.stamp(message(ALICE, DANA), "outbound", klass=ALL, key="another"),
    ):
        sent = edge.next_hop.send(asked)
        refused(edge, sent, "forged-inside-header")
    fabrikam.nothing()


def test_discovery(edge: EdgeStage) -> None:
    tailspin = partner(edge, "tailspin.example")
    sent = outbound(edge, message(ALICE, "tom@tailspin.example"))
    refused(edge, sent, "domain-not-federated")
    edge.tables.set("switches", "enable_partner_discovery", "1")
    sent = outbound(edge, message(ALICE, "tom@tailspin.example"))
    tailspin.expect("MESSAGE").reply(200)
    sent.expect(200)


def test_a_name_that_leads_to_another_s_host_does_not_end_his_connection(edge: EdgeStage) -> None:
    edge.tables.set("switches", "enable_partner_discovery", "1")
    fabrikam = partner(edge)
    sent = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE").reply(200)
    sent.expect(200)
    edge.publish(fabrikam, "evil.example", "sip.evil.example")
    refused(edge, outbound(edge, message(ALICE, "x@evil.example")), "untrusted-peer")
    assert not fabrikam.connections[0].closed
    again = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE").reply(200)
    again.expect(200)


def test_by_default_route(edge: EdgeStage) -> None:
    edge.tables.set("switches", "routing_method", "use_default_routing")
    edge.tables.set("switches", "default_route_fqdn", "hub.contoso.example")
    hub = edge.partner("hub.contoso.example", san=["hub.contoso.example"]).listen()
    edge.dns.host("hub.contoso.example", *hub.addresses.values())
    for to in ("zoe@unlisted.example", DANA):
        sent = outbound(edge, message(ALICE, to))
        hub.expect("MESSAGE").reply(200)
        sent.expect(200)


def provider(edge: EdgeStage, **columns: str) -> Party:
    """wingtip.example, and woodgrove.example whose record leads to the same proxy."""
    wingtip = partner(edge, "wingtip.example")
    edge.publish(wingtip, "woodgrove.example", "sip.wingtip.example")
    edge.tables.change("providers", "sip.wingtip.example", **columns)
    return wingtip


@pytest.mark.parametrize("domain", ["wingtip.example", "woodgrove.example"])
def test_a_public_provider_s_domain_is_what_its_record_says(edge: EdgeStage, domain: str) -> None:
    wingtip = provider(edge)
    sent = outbound(edge, message(ALICE, f"walt@{domain}"))
    wingtip.expect("MESSAGE").reply(200)
    sent.expect(200)
    refused(edge, outbound(edge, message(ALICE, f"walt@{domain}"), "none+federated"), "public-access-off")


@pytest.mark.parametrize(
    ("columns", "reason", "status"),
    [
        ({"enabled": "0"}, "provider-off", 403),
        ({"provisioned": "0"}, "provider-not-provisioned", 403),
        ({"ends": "1400000000"}, "provider-ended", 404),
        ({"im": "0"}, "provider-cannot", 488),
    ],
)
def test_a_provider_that_may_not_or_cannot(
    edge: EdgeStage, columns: dict[str, str], reason: str, status: int
) -> None:
    wingtip = provider(edge, **columns)
    sent = outbound(edge, message(ALICE, "wendy@woodgrove.example"))
    refused(edge, sent, reason, status)
    wingtip.nothing()


VIDEO = SDP + "m=video 4002 RTP/AVP 31\r\n"
FILE = {"Content-Type": "application/vnd.gsma.rcs-ft-http+xml"}


@pytest.mark.parametrize("domain", ["wingtip.example", "woodgrove.example"])
@pytest.mark.parametrize(
    ("asked", "columns", "may", "reason"),
    [
        ("call", {"audio": "1"}, ALL, ""),
        ("call", {"audio": "1"}, "none+public", "public-media-off"),
        ("call", {"audio": "0"}, ALL, "provider-cannot"),
        ("call", {"audio": "0", "lacks": "feature-not-supported"}, ALL, "feature-not-supported"),
        ("video", {"audio": "1", "video": "0"}, ALL, "provider-cannot"),
        ("video", {"audio": "1", "video": "1"}, ALL, ""),
        ("watch", {}, ALL, ""),
        ("watch", {"presence": "0"}, ALL, "provider-cannot"),
        ("conference", {"audio": "1"}, ALL, "feature-not-supported"),
        ("file", {}, ALL, "feature-not-supported"),
        ("refer", {"audio": "1"}, ALL, "feature-not-supported"),
        ("roster", {}, ALL, "feature-not-supported"),
        ("file", {"enabled": "0"}, "none", "feature-not-supported"),
        ("call", {"audio": "0"}, "none+public", "public-media-off"),
    ],
)
def test_public_im_is_between_two(
    edge: EdgeStage, asked: str, columns: dict[str, str], may: str, reason: str, domain: str
) -> None:
    wingtip, walt = provider(edge, **columns), f"walt@{domain}"
    focus = {"Contact": "<sip:room@198.51.100.7>;isfocus"}
    made = {
        "call": lambda: invite(ALICE, walt),
        "video": lambda: invite(ALICE, walt, body=VIDEO),
        "watch": lambda: subscribe(ALICE, walt),
        "roster": lambda: subscribe(ALICE, walt, "conference"),
        "conference": lambda: request("INVITE", ALICE, walt, headers=focus),
        "file": lambda: message(ALICE, walt, "<file/>", headers=FILE),
        "refer": lambda: request("REFER", ALICE, walt, headers={"Refer-To": "<sip:a@b.example>"}),
    }[asked]()
    sent = outbound(edge, made, may)
    if reason:
        refused(edge, sent, reason, 403 if reason.endswith("-off") else 488)
        wingtip.nothing()
    else:
        wingtip.expect(made.start.split()[0]).reply(200)
        sent.expect(200)


def test_a_partner_s_refusal_is_logged_as_his(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    sent = outbound(edge, message(ALICE, DANA))
    fabrikam.expect("MESSAGE").reply(403, "Forbidden", {"ms-diagnostics": "1;source=x"})
    sent.expect(403, {"ms-diagnostics": absent})
    edge.refused(sent, "peer-refused")


def test_the_disclaimer_and_the_mark_are_switches(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    edge.tables.set("switches", "enable_archiving_disclaimer", "1")
    edge.tables.set("switches", "mark_source_verifiable_on_outgoing_messages", "0")
    sent = outbound(edge, message(ALICE, DANA, headers={"ms-source-verified-user": "verified"}))
    came = fabrikam.expect("MESSAGE", {"ms-source-verified-user": absent, "ms-archiving-disclaimer": ".+"})
    came.reply(200)
    sent.expect(200)


def test_a_dialog_goes_both_ways(edge: EdgeStage) -> None:
    fabrikam = partner(edge)
    hop = f"<sip:{edge.next_hop.addresses[4]}:5061;transport=tls;lr;dk={'0' * 32}>"
    sent = outbound(edge, invite(ALICE, DANA, headers={"Record-Route": hop}))
    came = fabrikam.expect("INVITE")
    routes = came.all("Record-Route")
    assert len(routes) == 3, "both sides of the Edge, and the Director"
    from_tag = re.search(r"tag=(\S+)", came.get("From"))
    assert from_tag
    came.message.headers = [(n, f"{v};tag=dana" if n == "To" else v) for n, v in came.message.headers]
    came.reply(200, "OK", {"Contact": "<sip:dana@198.51.100.9:5061;transport=tls>"})
    sent.expect(200)
    theirs = "<sip:198.51.100.8:5061;transport=tls;lr>"
    ours = [*(("Route", value) for value in reversed(routes[:2])), ("Route", theirs)]
    info = request(
        "INFO", ALICE, DANA, uri="sip:dana@198.51.100.9:5061;transport=tls", call_id=sent.call_id,
        from_tag=from_tag[1], to_tag="dana", headers=ours, cseq=2,
    )  # fmt: skip
    told = outbound(edge, info)
    fabrikam.expect("INFO", {"Route": re.escape(theirs)}, LEAKS).reply(200)
    told.expect(200)
    bye = request(
        "BYE", DANA, ALICE, uri="sip:alice@198.51.100.7:5061;transport=tls", call_id=sent.call_id,
        from_tag="dana", to_tag=from_tag[1], headers=[("Route", value) for value in routes],
    )  # fmt: skip
    ended = fabrikam.send(bye)
    edge.next_hop.expect("BYE", {"X-Edgewright-Origin": "federated;class=allowed;level=verified;.*"}).reply(
        200
    )
    ended.expect(200)
    # What is withdrawn ends an open conversation.
    edge.tables.set("switches", "allow_federated_users", "0")
    info.headers = [(n, v.replace("2", "3") if n == "CSeq" else v) for n, v in info.headers]
    late = outbound(edge, info)
    refused(edge, late, "federated-users-off")
    fabrikam.nothing("INFO")


@pytest.mark.parametrize(
    ("which", "gone"),
    [
        ("all", {"fabrikam.example", "litware.example"}),
        ("fabrikam.example", {"fabrikam.example"}),
        ("example", {"fabrikam.example", "litware.example"}),
        ("unlisted", set()),
    ],
)
def test_connections_of_partners_that_may_no_longer_be_used(
    edge: EdgeStage, which: str, gone: set[str]
) -> None:
    fabrikam = partner(edge)
    litware = edge.partner("litware.example", san=["edge.litware.example"]).listen()
    edge.dns.host("edge.litware.example", *litware.addresses.values())
    for to, found in ((DANA, fabrikam), ("lee@litware.example", litware)):
        sent = outbound(edge, message(ALICE, to))
        found.expect("MESSAGE").reply(200)
        sent.expect(200)
    came = fabrikam.connect()
    sent = came.send(message(DANA, ALICE))
    edge.next_hop.expect("MESSAGE").reply(200)
    sent.expect(200)
    client = edge.client().connect()
    here = str(edge.tables.rpc("pv.shvGet", "self")[0]["value"])
    edge.tables.rpc(*leave.request("sip:partners@edgewright.invalid", here, f"partners {which}"))
    for found in (fabrikam, litware):
        for connection in found.connections:
            assert connection.wait_closed(2 if found.name in gone else 0.3) is (found.name in gone)
    assert not client.closed


def test_who_is_not_here_may_live_with_a_hosting_provider(edge: EdgeStage) -> None:
    nobody = "new@contoso.example"
    refused(edge, outbound(edge, message(ALICE, nobody), "shared"), "callee-unavailable", 480)
    hosting = (
        "kind=hosting;name=online;enabled=1;provisioned=1;level=always_verifiable;im=1;presence=1;shared=1"
    )
    edge.tables.set("providers", "sip.online.example", hosting)
    online = edge.partner("online.example").listen()
    edge.dns.host("sip.online.example", *online.addresses.values())
    sent = outbound(edge, message(ALICE, nobody), "shared")
    online.expect("MESSAGE", uri=f"sip:{nobody}").reply(200)
    sent.expect(200)
    edge.tables.set("providers", "sip.online.example", hosting.replace("enabled=1", "enabled=0"))
    refused(edge, outbound(edge, message(ALICE, nobody), "shared"), "callee-unavailable", 480)


def test_a_hosting_provider_s_domains_are_federated(edge: EdgeStage) -> None:
    hosting = (
        "kind=hosting;name=online;enabled=1;provisioned=1;level=always_verifiable;im=1;presence=1;shared=0"
    )
    edge.tables.set("providers", "sip.online.example", hosting)
    online = edge.partner("online.example").listen()
    edge.publish(online, "tenant.example", "sip.online.example")
    sent = outbound(edge, message(ALICE, "tina@tenant.example"), "none+federated")
    online.expect("MESSAGE").reply(200)
    sent.expect(200)

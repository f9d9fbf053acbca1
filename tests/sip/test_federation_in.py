"""Access Edge, in from partners: who it is, what the organisation says of him, and to whom (9d)."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from edgewright_tables import leave
from stage.messages import SDP, Message, absent, invite, message, publish, register, request, subscribe
from stage.parties import Party, Sent
from stage.pki import SERVER, Authority
from stage.stages import EdgeStage

ALICE = "alice@contoso.example"
DANA = "dana@fabrikam.example"
MARKED = {"ms-source-verified-user": "verified"}


def stamped(origin: str, klass: str, level: str = "verified") -> dict[str, str | None]:
    """The inside header that a request gets."""
    return {"X-Edgewright-Origin": f"{origin};class={klass};level={level};t=[0-9]+;h=.+"}


def let_in(
    edge: EdgeStage, party: Party, asked: Message, header: dict[str, str | None], family: int = 4
) -> None:
    """It comes to the Director, and the answer goes back."""
    sent = party.send(asked, family)
    edge.next_hop.expect(asked.start.split()[0], header, ["^ms-source"], timeout=6).reply(200)
    sent.expect(200)


def refused(edge: EdgeStage, sent: Sent, reason: str, status: int = 403, party: str = "federated") -> None:
    """The Edge says no, and why; nothing of it gets inside."""
    sent.expect(status, {"ms-diagnostics": absent}, ["^Server:", r"inside\.contoso"], timeout=8)
    edge.refused(sent, reason, party=party)
    edge.next_hop.nothing()


@pytest.mark.parametrize("family", [4, 6])
def test_a_listed_partner_whose_certificate_names_his_host(edge: EdgeStage, family: int) -> None:
    fabrikam = edge.partner("fabrikam.example")
    edge.publish(fabrikam)
    let_in(edge, fabrikam, message(DANA, ALICE), stamped("federated", "allowed"), family)
    let_in(edge, fabrikam, message(DANA, ALICE), stamped("federated", "allowed"), family)
    assert edge.dns.asked["_sipfederationtls._tcp.fabrikam.example", "SRV"] == 1


def test_a_certificate_that_names_the_domain_needs_no_dns(edge: EdgeStage) -> None:
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    let_in(edge, fabrikam, message(DANA, ALICE), stamped("federated", "allowed"))
    assert not edge.dns.asked


def test_a_direct_partner_is_his_proxy(edge: EdgeStage) -> None:
    litware = edge.partner("litware.example", san=["edge.litware.example"])
    let_in(edge, litware, message("lee@litware.example", ALICE), stamped("federated", "allowed"))
    other = edge.partner("litware.example", san=["sip.litware.example"])
    edge.publish(other, "litware.example")
    refused(edge, other.send(message("lee@litware.example", ALICE)), "untrusted-peer")


@pytest.mark.parametrize("wrong", ["name", "authority", "expired", "none", "443", "below", "revoked"])
def test_who_cannot_prove_the_domain(edge: EdgeStage, wrong: str) -> None:
    home = edge.partner("fabrikam.example").listen()
    edge.publish(home)
    if wrong == "name":
        evil = edge.partner("impostor.example")
    elif wrong == "authority":
        evil = edge.partner("fabrikam.example", authority=Authority("Nobody knows it"))
    elif wrong == "expired":
        evil = edge.partner("fabrikam.example", begins=dt.timedelta(days=-9), ends=dt.timedelta(days=-1))
    elif wrong == "below":
        evil = edge.partner("fabrikam.example", san=["sip.evil.fabrikam.example", "*.fabrikam.example"])
    elif wrong == "revoked":
        evil = edge.partner("fabrikam.example")
        assert evil.certificate
        leaf = evil.certificate.leaf
        issuer = leaf.issuer.rfc4514_string().partition("CN=")[2]
        edge.tables.rpc("htable.sets", "revoked", f"{issuer}|{leaf.serial_number}", "1")
    else:
        evil = edge.client()
    if wrong == "none":
        connection = evil.connect(port=5061)
        refused(edge, connection.send(message(DANA, ALICE)), "untrusted-peer")
    else:
        refused(edge, evil.send(message(DANA, ALICE)), "untrusted-peer")
    home.nothing()


def test_a_certificate_for_servers_only_is_proven_by_a_call_back(edge: EdgeStage) -> None:
    """Public authorities issue no others any more; OpenSSL alone would not take it of a client (error 26)."""
    fabrikam = edge.partner("fabrikam.example", eku=[SERVER]).listen()
    edge.publish(fabrikam)
    let_in(edge, fabrikam, message(DANA, ALICE), stamped("federated", "allowed"))
    assert fabrikam.pings == 1
    let_in(edge, fabrikam, message(DANA, ALICE), stamped("federated", "allowed"))
    assert fabrikam.pings == 1


def test_a_call_back_that_meets_another_certificate_proves_nothing(edge: EdgeStage) -> None:
    home = edge.partner("fabrikam.example", eku=[SERVER]).listen()
    edge.publish(home)
    forged = edge.partner("fabrikam.example", authority=Authority("Self-made"), eku=[SERVER])
    refused(edge, forged.send(message(DANA, ALICE)), "untrusted-peer")
    refused(edge, forged.send(message(DANA, ALICE)), "untrusted-peer")
    assert home.pings == 2, "once by each family, then remembered"


@pytest.mark.parametrize("kept", ["1", "10"])
def test_as_many_certificates_are_remembered_as_the_organisation_says(edge: EdgeStage, kept: str) -> None:
    edge.tables.set("switches", "max_accepted_certificates_stored", kept)
    edge.tables.set("switches", "certificates_purged", "^[0-9a-f]")
    name = "_sipfederationtls._tcp.fabrikam.example"
    found = [
        edge.partner("fabrikam.example", eku=[SERVER], san=[f"{letter}.fabrikam.example"]).listen()
        for letter in "abc"
    ]
    for letter, party in zip("abc", found, strict=True):
        edge.dns.add(name, "SRV", f"1 1 5061 {letter}.fabrikam.example.")
        edge.dns.host(f"{letter}.fabrikam.example", *party.addresses.values())
    for party in found:
        let_in(edge, party, message(DANA, ALICE), stamped("federated", "allowed"))
    before = found[0].pings
    let_in(edge, found[0], message(DANA, ALICE), stamped("federated", "allowed"))
    assert (found[0].pings == before) is (kept == "10"), "forgotten ones have to prove themselves anew"


def test_a_call_back_to_the_one_edge_of_several_that_called(edge: EdgeStage) -> None:
    first = edge.partner("fabrikam.example", eku=[SERVER], san=["a.fabrikam.example"]).listen()
    second = edge.partner("fabrikam.example", eku=[SERVER], san=["b.fabrikam.example"]).listen()
    name = "_sipfederationtls._tcp.fabrikam.example"
    edge.dns.add(name, "SRV", "1 1 5061 a.fabrikam.example.", "2 1 5061 b.fabrikam.example.")
    edge.dns.host("a.fabrikam.example", *first.addresses.values())
    edge.dns.host("b.fabrikam.example", *second.addresses.values())
    let_in(edge, second, message(DANA, ALICE), stamped("federated", "allowed"))
    assert (first.pings, second.pings) == (0, 1)


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        ("zoe@unlisted.example", "domain-not-federated"),
        ("zoe@below.fabrikam.example", "domain-not-federated"),
        ("zoe@adatum.example", "domain-blocked"),
        ("zoe@deep.below.adatum.example", "domain-blocked"),
        (f"zoe@{'a.' * 60}adatum.example", "domain-blocked"),
    ],
)
def test_whose_domain_is_not_wanted(edge: EdgeStage, sender: str, reason: str) -> None:
    domain = sender.partition("@")[2]
    stranger = edge.partner("unlisted.example", san=[domain])
    refused(edge, stranger.send(message(sender, ALICE)), reason)
    assert not edge.dns.asked


def test_the_organisation_may_not(edge: EdgeStage) -> None:
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    edge.tables.set("switches", "allow_federated_users", "0")
    refused(edge, fabrikam.send(message(DANA, ALICE)), "federated-users-off")
    edge.tables.set("switches", "federation", "0")
    refused(edge, fabrikam.send(message(DANA, ALICE)), "federation-not-deployed")


def test_a_partner_may_not_speak_for_ours_nor_for_others(edge: EdgeStage) -> None:
    fabrikam = edge.partner("fabrikam.example")
    edge.publish(fabrikam)
    refused(edge, fabrikam.send(message("bob@contoso.example", ALICE)), "identity-mismatch")
    refused(edge, fabrikam.send(message("lee@litware.example", ALICE)), "untrusted-peer")


@pytest.mark.parametrize("family", [4, 6])
def test_partners_stay_when_users_must_leave(edge: EdgeStage, family: int) -> None:
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    let_in(edge, fabrikam, message(DANA, ALICE), stamped("federated", "allowed"), family)
    theirs = fabrikam.connections[-1]
    user = edge.client().connect(family)
    edge.tables.set("switches", "allow_outside_users", "0")
    here = str(edge.tables.rpc("pv.shvGet", "self")[0]["value"])
    for connection in (theirs, user):
        target = f"sip:gone@{connection.local};transport=tls"
        peer, port = connection.peer_address
        where = f"[{peer}]:{port}" if ":" in peer else f"{peer}:{port}"
        edge.tables.rpc(*leave.request(target, here, f"tls:{where}"))
    assert user.wait_closed()
    assert not theirs.wait_closed(0.5)
    let_in(edge, fabrikam, message(DANA, ALICE), stamped("federated", "allowed"), family)


def test_no_relay_and_no_loop(edge: EdgeStage) -> None:
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    for to in ("lee@litware.example", "zoe@nowhere.example", "zoe@adatum.example"):
        refused(edge, fabrikam.send(message(DANA, to)), "relay-refused")
    edge_address = edge.settings["access_edge"]["outside"][0]["address"]
    via = {"Via": f"SIP/2.0/TLS {edge_address}:5061;branch=z9hG4bKours"}
    for sender in (DANA, ALICE):
        sent = fabrikam.send(message(sender, ALICE, headers=via))
        refused(edge, sent, "loop-detected", 482)


def test_forged_headers_of_a_partner(edge: EdgeStage) -> None:
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    forged = message(DANA, ALICE, headers={"X-Edgewright-Origin": "internal;class=local;h=x"})
    refused(edge, fabrikam.send(forged), "forged-inside-header", party="remote")
    hints = {"X-Theirs": "1", "P-Asserted-Identity": f"<sip:{ALICE}>"}
    sent = fabrikam.send(message(DANA, ALICE, headers=hints))
    edge.next_hop.expect("MESSAGE", must_not=["^X-Theirs", "^P-Asserted"]).reply(
        404, "Not Found", {"Server": "d"}
    )
    sent.expect(404, must_not=["^Server:", "^X-"])


def discovered(edge: EdgeStage) -> Party:
    """tailspin.example, which nobody listed, with discovery on."""
    edge.tables.set("switches", "enable_partner_discovery", "1")
    edge.tables.set("switches", "discovered_partner_verification_level", "always_verifiable")
    tailspin = edge.partner("tailspin.example")
    edge.publish(tailspin)
    return tailspin


TOM = "tom@tailspin.example"


def test_a_discovered_partner(edge: EdgeStage) -> None:
    let_in(edge, discovered(edge), message(TOM, ALICE), stamped("federated", "discovered"))


def test_a_discovered_partner_whose_record_leads_elsewhere(edge: EdgeStage) -> None:
    tailspin = discovered(edge)
    edge.publish(tailspin, "trick.example", "sip.tailspin.example")
    refused(edge, tailspin.send(message("x@trick.example", ALICE)), "untrusted-peer")


@pytest.mark.parametrize(
    ("level", "mark", "expected"),
    [
        ("always_verifiable", None, "verified"),
        ("always_unverifiable", "verified", "unverified"),
        ("use_source_verification", "verified", "verified"),
        ("use_source_verification", "unverified", "unverified"),
        ("use_source_verification", None, "source-unverified"),
    ],
)
def test_how_far_a_source_is_trusted(edge: EdgeStage, level: str, mark: str | None, expected: str) -> None:
    tailspin = discovered(edge)
    edge.tables.set("switches", "discovered_partner_verification_level", level)
    asked = message(TOM, ALICE, headers={"ms-source-verified-user": mark} if mark else {})
    if expected == "source-unverified":
        refused(edge, tailspin.send(asked), expected)
    else:
        let_in(edge, tailspin, asked, stamped("federated", "discovered", expected))


def test_so_many_messages_a_second_while_others_are_unaffected(edge: EdgeStage) -> None:
    tailspin = discovered(edge)
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    let_in(edge, tailspin, message(TOM, ALICE), stamped("federated", "discovered"))
    time.sleep(1.1)
    sent = [tailspin.send(message(TOM, ALICE, str(n))) for n in range(60)]
    for _ in range(60):
        fabrikam.send(message(DANA, ALICE))
    passed = 0
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline and passed < 120:
        try:
            edge.next_hop.expect("MESSAGE", timeout=0.5).reply(200)
        except AssertionError:
            break
        passed += 1
    answers = [one.answer().status for one in sent]
    assert 20 <= answers.count(200) <= 60 - 10, answers
    assert set(answers) == {200, 503}
    assert passed == 60 + answers.count(200)
    edge.refused(sent[answers.index(503)], "partner-too-fast", party="federated")
    time.sleep(1.1)
    let_in(edge, tailspin, message(TOM, ALICE), stamped("federated", "discovered"))


def test_what_ends_a_call_has_an_allowance_of_its_own(edge: EdgeStage) -> None:
    tailspin = discovered(edge)
    edge.tables.set("switches", "discovered_partner_standard_rate", "1")
    let_in(edge, tailspin, message(TOM, ALICE), stamped("federated", "discovered"))
    time.sleep(1.1 - time.time() % 1)  # the beginning of a second, which all that follows shares
    sent = [tailspin.send(request("BYE", TOM, ALICE, to_tag="x")) for _ in range(20)]
    for _ in range(10):
        edge.next_hop.expect("BYE").reply(200)
    assert [one.answer().status for one in sent].count(503) == 10
    edge.refused(sent[-1], "partner-too-fast", party="federated")
    time.sleep(1.1 - time.time() % 1)
    let_in(edge, tailspin, message(TOM, ALICE), stamped("federated", "discovered"))
    once_more = tailspin.send(message(TOM, ALICE))
    assert once_more.answer().status == 503
    ended = tailspin.send(request("BYE", TOM, ALICE, to_tag="x"))
    edge.next_hop.expect("BYE").reply(200)
    ended.expect(200)


def test_so_many_of_our_users_in_a_period(edge: EdgeStage) -> None:
    tailspin = discovered(edge)
    edge.tables.set("switches", "max_contacts_per_discovered_partner", "3")
    for name in ("a", "b", "c", "a", "B"):
        let_in(edge, tailspin, message(TOM, f"{name}@contoso.example"), stamped("federated", "discovered"))
    refused(edge, tailspin.send(message(TOM, "d@contoso.example")), "partner-too-many-contacts")
    edge.tables.set("switches", "enable_discovered_partner_contacts_limit", "0")
    let_in(edge, tailspin, message(TOM, "d@contoso.example"), stamped("federated", "discovered"))


def test_by_default_route(edge: EdgeStage) -> None:
    edge.tables.set("switches", "routing_method", "use_default_routing")
    edge.tables.set("switches", "default_route_fqdn", "hub.contoso.example")
    hub = edge.partner("hub.contoso.example", san=["hub.contoso.example"])
    let_in(edge, hub, message("zoe@unlisted.example", ALICE), stamped("federated", "default", "unverified"))
    let_in(edge, hub, message("zoe@unlisted.example", ALICE, headers=MARKED), stamped("federated", "default"))
    other = edge.partner("unlisted.example")
    edge.publish(other)
    refused(edge, other.send(message("zoe@unlisted.example", ALICE)), "untrusted-peer")


def provider(edge: EdgeStage, **columns: str) -> Party:
    """wingtip.example, and woodgrove.example whose record leads to the same proxy."""
    wingtip = edge.partner("wingtip.example")
    edge.publish(wingtip)
    edge.publish(wingtip, "woodgrove.example", "sip.wingtip.example")
    edge.tables.change("providers", "sip.wingtip.example", **columns)
    return wingtip


@pytest.mark.parametrize("sender", ["walt@wingtip.example", "wendy@woodgrove.example"])
def test_a_public_provider(edge: EdgeStage, sender: str) -> None:
    wingtip = provider(edge)
    let_in(edge, wingtip, message(sender, ALICE), stamped("public", "public"))


def test_a_provider_speaks_only_for_his_domains(edge: EdgeStage) -> None:
    wingtip = provider(edge)
    refused(edge, wingtip.send(message("zoe@unlisted.example", ALICE)), "domain-not-federated")
    refused(edge, wingtip.send(message(DANA, ALICE)), "untrusted-peer")
    impostor = edge.partner("impostor.example")
    refused(edge, impostor.send(message("walt@wingtip.example", ALICE)), "untrusted-peer", party="public")


VIDEO = SDP + "m=video 4002 RTP/AVP 31\r\n"
FILE = {"Content-Type": "application/vnd.gsma.rcs-ft-http+xml"}
CPIM = {"Content-Type": "message/cpim"}
WRAPPED = "From: <sip:walt@wingtip.example>\r\n\r\nContent-Type: {}\r\n\r\n<file/>"


@pytest.mark.parametrize(
    ("asked", "columns", "reason", "status"),
    [
        ("text", {"enabled": "0"}, "provider-off", 403),
        ("text", {"provisioned": "0"}, "provider-not-provisioned", 403),
        ("text", {"ends": "1400000000"}, "provider-ended", 404),
        ("text", {"im": "0"}, "provider-cannot", 488),
        ("call", {}, "provider-cannot", 488),
        ("call", {"audio": "1"}, "", 0),
        ("video", {"audio": "1"}, "provider-cannot", 488),
        ("watch", {}, "", 0),
        ("conference", {"audio": "1"}, "feature-not-supported", 488),
        ("file", {}, "feature-not-supported", 488),
        ("wrapped-file", {}, "feature-not-supported", 488),
        ("wrapped-text", {}, "", 0),
        ("room", {}, "feature-not-supported", 488),
    ],
)
def test_public_im_is_between_two(
    edge: EdgeStage, asked: str, columns: dict[str, str], reason: str, status: int
) -> None:
    wingtip, walt = provider(edge, **columns), "walt@wingtip.example"
    focus = {"Contact": "<sip:room@198.51.100.7>;isfocus"}
    made = {
        "text": lambda: message(walt, ALICE),
        "call": lambda: invite(walt, ALICE),
        "video": lambda: invite(walt, ALICE, body=VIDEO),
        "watch": lambda: subscribe(walt, ALICE),
        "conference": lambda: request("INVITE", walt, ALICE, headers=focus),
        "file": lambda: message(walt, ALICE, "<file/>", headers=FILE),
        "wrapped-file": lambda: message(walt, ALICE, WRAPPED.format(FILE["Content-Type"]), headers=CPIM),
        "wrapped-text": lambda: message(walt, ALICE, WRAPPED.format("text/plain"), headers=CPIM),
        "room": lambda: message(walt, "room.tea@contoso.example"),
    }[asked]()
    if reason:
        refused(edge, wingtip.send(made), reason, status, party="public")
    else:
        let_in(edge, wingtip, made, stamped("public", "public"))


@pytest.mark.parametrize(
    "row", ["", "class", "class=", "class=;x", "nonsense", "class=open", "class=local;;=", ";"]
)
def test_a_broken_row_opens_nothing(edge: EdgeStage, row: str) -> None:
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    edge.tables.set("domains", "fabrikam.example", row or "-")
    sent = fabrikam.send(message(DANA, ALICE))
    assert sent.answer().status >= 400
    edge.next_hop.nothing()


@pytest.mark.parametrize(
    ("table", "key", "reason"),
    [
        ("switches", "federation", "federation-not-deployed"),
        ("switches", "allow_federated_users", "federated-users-off"),
        ("switches", "enable_partner_discovery", "domain-not-federated"),
        ("switches", "discovered_partner_standard_rate", "partner-too-fast"),
        ("switches", "max_contacts_per_discovered_partner", "partner-too-many-contacts"),
        ("switches", "discovered_partner_verification_level", ""),
        ("switches", "enable_discovered_partner_contacts_limit", ""),
        ("switches", "discovered_partner_report_period_minutes", ""),
    ],
)
def test_a_missing_row_opens_nothing(edge: EdgeStage, table: str, key: str, reason: str) -> None:
    tailspin = discovered(edge)
    edge.tables.remove(table, key)
    if reason:
        refused(edge, tailspin.send(message(TOM, ALICE)), reason, 503 if reason.endswith("fast") else 403)
    else:
        level = "unverified" if key.endswith("level") else "verified"
        let_in(edge, tailspin, message(TOM, ALICE), stamped("federated", "discovered", level))


def test_what_only_users_of_ours_may(edge: EdgeStage) -> None:
    fabrikam = edge.partner("fabrikam.example", san=["fabrikam.example"])
    for asked in (register(DANA), publish(DANA, "<presence/>")):
        asked.start = asked.start.replace("fabrikam.example", "contoso.example")
        refused(edge, fabrikam.send(asked), "method-not-allowed", 405)

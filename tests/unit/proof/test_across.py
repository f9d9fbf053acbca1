"""Cells across organisations follow from policies and surroundings: complete, controlled, both ways."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from edgewright import plan
from edgewright.model import load
from edgewright.model.deployment import Deployment
from edgewright.model.policy import AllowedDomain
from edgewright.proof import cells, crossing, federation, paused, peers, pretenders, situations, turned
from edgewright.proof.case import Case
from edgewright.proof.crossing import CALL, MESSAGE, Person
from edgewright.proof.peers import Peer
from edgewright.proof.scope import Scope

ROOT = Path(__file__).parents[3]
ALICE = "alice@contoso.example"


@cache
def contoso() -> Deployment:
    return load(ROOT / "inventory/contoso")


@cache
def scope() -> Scope:
    return Scope(contoso(), plan.make(contoso()))


@cache
def made() -> dict[str, Case]:
    return {case.cell.id: case for case in cells.make(scope())}


def without(**surroundings: object) -> Scope:
    """The same deployment with other surroundings."""
    assert contoso().surroundings
    changed = contoso().surroundings.model_copy(update=surroundings)  # type: ignore[union-attr]
    other = replace(contoso(), surroundings=changed, partners={})
    return Scope(other, plan.make(other))


def peer(domain: str) -> Peer:
    return next(p for p in peers.all_of(scope()) if p.domain == domain)


def person(domain: str, family: str) -> Person:
    found = peer(domain)
    return next(p for p in federation.people(scope(), found) if p.seat.family == family)


def alice(vantage: str = "client1", family: str = "ipv4") -> Person:
    seat = next(s for s in peers.ours(scope()) if (s.vantage, s.family) == (vantage, family))
    return Person(ALICE, seat)


def test_every_domain_with_an_account_is_a_peer_and_its_standing_is_decided():
    standings = {p.domain: key for key, p in federation.standings(scope()).items()}
    assert standings == {
        "fabrikam.example": ("federated", None),
        "adatum.example": ("federated", "domain-blocked"),
        "tailspin.example": ("federated", "domain-not-federated"),
        "wingtip.example": ("public", None),
    }
    assert peer("woodgrove.example").party(contoso()) == "public", "its SRV record leads to the provider"
    assert peer("fabrikam.example").speaker == ("fab-edge1", "/etc/edgewright/certificates/edge_external")
    assert peer("tailspin.example").families == ("ipv6",)
    assert {p.domain for p in peers.all_of(scope())} >= {"impostor.example", "woodgrove.example"}


def test_without_partners_there_are_no_cells_across():
    alone = without(partners={}, impostor=None, astray={})
    areas = {case.cell.id.partition("/")[0] for case in cells.make(alone)}
    assert areas & {federation.AREA, federation.PUBLIC, situations.AREA} == set()
    assert paused.all_of(alone) == ()


@pytest.mark.parametrize("theirs", ["client4-ipv4", "client6-ipv6"])
@pytest.mark.parametrize("ours", ["client1/ipv4", "client1/ipv6", "desk1/ipv4", "desk1/ipv6"])
@pytest.mark.parametrize("way", ["message", "call", "file", "presence"])
def test_every_pair_of_families_is_tried_both_ways(ours: str, theirs: str, way: str):
    seat, there = ours.replace("/", "-"), theirs.replace("-", "/")
    out = made()[f"federation/{ours}/{way}-alice-to-dana@fabrikam.example-at-{theirs}"]
    back = made()[f"federation/{there}/{way}-dana@fabrikam.example-to-alice-at-{seat}"]
    for case in (out, back):
        assert case.cell.expected.allowed
        assert (case.receiver is None) == (way == "presence"), "what is told comes back"
    if way != "presence":
        assert out.cell.expected.shown["leaked"] == []


def expected(name: str) -> tuple[bool, str | None, int | None]:
    found = made()[name].cell.expected
    return found.allowed, found.reason, (found.shown or {}).get("status")


def test_lists_and_providers_decide():
    out, back = "federation/client1/ipv4/", "federation/client6/ipv6/"
    blocked = (False, "domain-blocked", 403)
    unknown = (False, "domain-not-federated", 403)
    assert expected(f"{out}message-alice-to-ada@adatum.example-at-client4-ipv4") == blocked
    assert expected(f"{back}message-ada@adatum.example-to-alice-at-client1-ipv4") == blocked
    assert expected(f"{back}call-tom@tailspin.example-to-alice-at-desk1-ipv6") == unknown
    public = "public/client4/ipv4/"
    assert expected(f"{public}message-wendy@woodgrove.example-to-alice-at-client1-ipv6")[0]
    assert expected(f"{public}call-walt@wingtip.example-to-alice-at-client1-ipv4")[1] == "provider-cannot"
    assert (
        expected(f"{public}file-walt@wingtip.example-to-alice-at-client1-ipv4")[1] == "feature-not-supported"
    )
    out = "public/client1/ipv4/call-alice-to-walt@wingtip.example-at-client4-ipv4"
    assert expected(out)[1] == "public-media-off"


def test_a_refused_request_of_ours_must_not_reach_them():
    case = made()["federation/client1/ipv4/message-alice-to-ada@adatum.example-at-client4-ipv4"]
    assert case.cell.expected.shown["reached"] == []
    assert case.cell.expected.shown["logged"] == {"contoso": "domain-blocked"}
    assert case.receiver is None


def test_everybody_of_ours_is_tried_with_one_of_each_kind_of_outsider():
    of = "federation/client4/ipv4/message-dana@fabrikam.example-to-"
    assert expected(f"{of}carol-at-desk1-ipv4") == (False, "federation-access-off", 404)
    assert expected(f"{of}gina-at-client1-ipv4") == (False, "callee-unavailable", 404)
    assert expected(f"{of}nobody-has-this-name-at-client1-ipv4") == (False, "callee-unavailable", 404)
    assert expected(f"{of}frank-at-client1-ipv4") == (False, "callee-unavailable", 480), "he is away"
    assert expected(f"{of}erin-at-client1-ipv4")[0]
    assert "federation/client1/ipv4/frank-signs-in" not in made()
    mine = "federation/client1/ipv4/message-dave-to-dana@fabrikam.example-at-client4-ipv4"
    assert expected(mine) == (False, "federation-access-off", 403)


def test_outsiders_are_answered_alike_about_unknown_disabled_and_closed_users():
    for method in ("message", "invite", "subscribe"):
        first = f"federation/fab-edge1/ipv6/{method}-to-unknown"
        assert expected(first) == (False, "callee-unavailable", 404)
        reasons = {"disabled": "callee-unavailable", "not-federated": "federation-access-off"}
        for kind, reason in reasons.items():
            case = made()[f"federation/fab-edge1/ipv6/{method}-to-{kind}"]
            assert (case.cell.expected.reason, case.same_as) == (reason, first)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_whoever_pretends_is_refused_for_what_is_wrong(family: str):
    at = f"federation/impostor1/{family}/"
    for name in ("expired", "self-signed", "revoked", "stranger", "of-another-name"):
        case = made()[f"{at}certificate-{name}"]
        assert case.cell.expected.reason == "untrusted-peer"
        assert case.cell.control == f"federation/fab-edge1/{family}/fabrikam.example-itself"
        assert case.cell.arguments["sender"] == "dana@fabrikam.example"
    assert made()[f"{at}no-certificate"].cell.arguments["certificate"] is None
    said = {
        "in-the-name-of-adatum.example": "domain-blocked",
        "in-the-name-of-wingtip.example": "untrusted-peer",
        "in-the-name-of-tailspin.example": "domain-not-federated",
        "in-the-name-of-a-subdomain": "domain-not-federated",
        "in-the-name-of-a-blocked-subdomain": "domain-blocked",
        "relay": "relay-refused",
        "back": "relay-refused",
        "loop": "loop-detected",
        "forged-inside-header": "forged-inside-header",
        "forged-dialog": "forged-dialog",
    }
    for name, reason in said.items():
        assert made()[f"federation/fab-edge1/{family}/{name}"].cell.expected.reason == reason
    assert expected(f"{at}in-our-name") == (False, "identity-mismatch", 403)


def test_what_their_side_refuses_is_logged_there_and_by_our_edge():
    other = replace(peer("fabrikam.example"), deployment=closed_fabrikam())
    theirs = replace(person("fabrikam.example", "ipv4"), peer=other)
    out = crossing.expected(scope(), contoso(), MESSAGE, alice(), theirs)
    assert (out.allowed, out.reason) == (False, "peer-refused")
    assert out.shown["logged"] == {"contoso": "peer-refused", "fabrikam.example": "domain-not-federated"}
    back = crossing.expected(scope(), contoso(), MESSAGE, theirs, alice())
    assert (back.allowed, back.reason) == (False, None), "it never comes here"
    assert back.shown["logged"] == {"fabrikam.example": "domain-not-federated"}


def test_a_partner_turns_his_own_switches_over_on_his_own_hosts():
    found = {flip.name: flip for flip in situations.all_of(scope())}
    assert found["partner-closed"].hosts == ("fab-edge1", "fab-fe1")
    assert found["partner-closed"].changed.name == "fabrikam"
    to = "client1/ipv6/{}-message-alice-to-dana@fabrikam.example-at-client4-ipv4"
    closed = made()["situation/" + to.format("partner-closed")].cell
    assert closed.expected.shown["logged"] == {
        "contoso": "peer-refused",
        "fabrikam.example": "federated-users-off",
    }
    assert closed.control == "federation/client1/ipv6/message-alice-to-dana@fabrikam.example-at-client4-ipv4"
    user = made()["situation/" + to.format("partner-user-closed")].cell.expected
    assert (user.shown["status"], user.shown["logged"]) == (
        404,
        {"fabrikam.example": "federation-access-off"},
    )


def closed_fabrikam() -> Deployment:
    return turned.with_policies(contoso().partners["fabrikam.example"], allowed_domains=())


def test_a_refusal_of_ours_is_logged_by_their_edge_too_where_it_is_one_of_our_making():
    blocked = turned.with_policies(contoso(), allowed_domains=())
    theirs = person("fabrikam.example", "ipv6")
    back = crossing.expected(scope(), blocked, CALL, theirs, alice())
    assert back.shown["logged"] == {"contoso": "domain-not-federated", "fabrikam.example": "peer-refused"}


def test_what_is_settled_by_several_settings_is_a_situation():
    names = [flip.name for flip in situations.all_of(scope())]
    assert names == [
        "discovered",
        "discovered-marks",
        "discovered-unverified",
        "discovered-too-fast",
        "discovered-too-many",
        "public-audio",
        "blocked-below",
        "disclaimer",
        "partner-closed",
        "partner-user-closed",
    ]
    reasons = {
        "client1/ipv4/discovered-to-evil.example": "untrusted-peer",
        "client1/ipv4/discovered-to-trick.example": "untrusted-peer",
        "client1/ipv4/discovered-to-deaddns.example": "partner-not-found",
        "client6/ipv6/discovered-marks-unmarked": "source-unverified",
        "client6/ipv6/discovered-marks-marked-unverified": "not-a-contact",
        "client6/ipv6/discovered-unverified-no-contact": "not-a-contact",
        "client6/ipv6/discovered-too-fast-burst-of-tom@tailspin.example": "partner-too-fast",
        "client6/ipv6/discovered-too-many-burst-of-tom@tailspin.example": "partner-too-many-contacts",
        "fab-edge1/ipv4/blocked-below-from-sub.fabrikam.example": "domain-blocked",
    }
    public = "client4/ipv4/public-audio-{}-walt@wingtip.example-to-alice-at-client1-ipv4"
    reasons |= {
        public.format("video-call"): "provider-cannot",
        public.format("file"): "feature-not-supported",
    }
    for name, reason in reasons.items():
        assert made()[f"situation/{name}"].cell.expected.reason == reason, name
    evil = made()["situation/client1/ipv4/discovered-to-evil.example"].cell
    assert evil.expected.shown["reached"] == [], "no user's data came to it"
    call = "situation/client1/ipv4/public-audio-call-alice-to-walt@wingtip.example-at-client4-ipv4"
    assert made()[call].cell.expected.allowed
    assert expected("situation/client4/ipv4/discovered-too-fast-burst-of-dana@fabrikam.example")[0]


def test_what_our_edge_says_about_messages_is_looked_for_where_they_arrive():
    to = "client1/ipv4/{}message-alice-to-{}-at-client4-ipv4"
    walt, dana = "walt@wingtip.example", "dana@fabrikam.example"
    mark, disclaimer = crossing.MARK, crossing.DISCLAIMER
    said = {
        "public/" + to.format("", walt): [mark],
        "federation/" + to.format("", dana): [],
        "situation/" + to.format("disclaimer-", walt): [disclaimer],
        "situation/" + to.format("disclaimer-", dana): [disclaimer],
    }
    for name, headers in said.items():
        assert made()[name].cell.expected.shown["says"] == headers, name


def test_a_partner_that_stands_still_concerns_only_those_who_write_to_it():
    down = made()["disruption/desk1/ipv6/partner-paused"].cell
    assert (down.expected.reason, down.impact) == ("partner-down", "disrupts")
    for name in ("message-to-wingtip.example-meanwhile", "message-to-bob-meanwhile"):
        case = made()[f"disruption/desk1/ipv6/{name}"]
        assert case.cell.expected.shown["prompt"] is True
    assert paused.all_of(scope())[0].hosts == ("fab-edge1",)


def test_speakers_use_the_certificate_of_their_host_and_no_password():
    for case in made().values():
        if case.cell.probe == "sip.peer":
            assert case.cell.vantage in ("fab-edge1", "impostor1")
            assert "password" not in case.cell.arguments


def test_a_call_with_somebody_outside_is_open_while_it_is_forbidden():
    within = made()["policy/client1/ipv4/allow_federated_users-within-call-of-erin-to-fabrikam.example"]
    assert within.cell.expected.reason == "federated-users-off"
    assert within.cell.probe == "sip.within"
    opened = made()[within.needs[0]].cell
    assert opened.arguments["hold"] == within.cell.arguments["hold"]
    assert made()[within.cell.control].cell.arguments["method"] == "BYE"


def test_switches_of_federation_are_flipped_under_those_who_talk():
    flipped = {i.split("/")[3].partition("-flipped-")[0] for i in made() if "-flipped-message-to-" in i}
    assert flipped >= {
        "allow_federated_users",
        "enable_federation_access",
        "enable_public_cloud_access",
        "enable_partner_discovery",
        "blocked-fabrikam.example",
        "unlisted-fabrikam.example",
        "allowed-tailspin.example",
        "wingtip-enabled",
        "wingtip-provisioned",
    }
    assert "policy/client1/ipv4/allow_federated_users-flipped-message-to-fabrikam.example" in made()
    other = "policy/client1/ipv4/enable_federation_access-flipped-message-to-fabrikam.example-other"
    assert made()[other].cell.expected.allowed, "nobody else is disturbed"


def test_what_the_model_refuses_is_no_state():
    names = {name for name, _ in turned.turned(contoso().policies.access_edge)}
    assert "allow_federated_users" in names
    assert "routing_method" not in names, "it needs a default route"


def test_a_new_partner_is_tried_without_a_word_about_it_here():
    listed = (*contoso().policies.allowed_domains, AllowedDomain(domain="tailspin.example"))
    other = turned.with_policies(contoso(), allowed_domains=listed)
    found = {case.cell.id: case for case in federation.make(Scope(other, plan.make(other)))}
    name = "federation/client6/ipv6/message-tom@tailspin.example-to-alice-at-client1-ipv4"
    assert found[name].cell.expected.allowed


def test_honest_speaker_is_one_who_may_write():
    assert pretenders.honest(scope()) == peer("fabrikam.example")


@pytest.mark.parametrize("seat", ["client1/ipv4", "client1/ipv6", "desk1/ipv4", "desk1/ipv6"])
def test_a_partner_takes_part_in_meetings_and_a_public_provider_never(seat: str):
    at = seat.replace("/", "-")
    federated = f"meeting-fabrikam.example-at-{at}-"
    for label in ("opened", "invited", "said-by-ours", "ended"):
        case = made()[f"federation/{seat}/{federated}{label}"]
        assert case.cell.expected.allowed
        assert case.receiver is not None
    theirs = next(i for i in made() if i.endswith(f"{federated}joined"))
    assert made()[theirs].cell.arguments["user"] == "dana@fabrikam.example"
    invites = next(i for i in made() if i.endswith(f"{federated}theirs-invites"))
    assert made()[invites].cell.expected.reason == "not-presenter"
    public = made()[f"public/client4/ipv4/meeting-wingtip.example-at-{at}-joined"].cell
    assert (public.expected.reason, public.expected.shown["status"]) == ("feature-not-supported", 488)
    told = made()[f"public/{seat}/meeting-wingtip.example-at-{at}-not-invited"]
    meeting = told.cell.arguments["to"]
    assert told.cell.arguments["awaits"] == f"walt@wingtip.example could not be invited to {meeting}"

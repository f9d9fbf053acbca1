"""Questions in words and their answers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from access_world import house

from edgewright.access import explain
from edgewright.model.surroundings import Surroundings

VANTAGES = Surroundings.model_validate(
    {
        "schema": 1,
        "vantages": {"client6": {"families": ["ipv6"]}, "client1": {}, "desk1": {"network": "inside"}},
    }
)
HOUSE = replace(house(), surroundings=VANTAGES)


@pytest.mark.parametrize(
    ("words", "origin", "party", "feature", "who", "to", "organiser"),
    [
        ("ann sign-in", "outside", "remote", "sign-in", "ann@house.example", None, None),
        ("ANN@house.example sign-in", "inside", "internal", "sign-in", "ann@house.example", None, None),
        (
            "ben im dana@partner.example",
            "outside",
            "remote",
            "M02",
            "ben@house.example",
            "dana@partner.example",
            None,
        ),
        (
            "dana@partner.example im ben",
            "outside",
            "federated",
            "M02",
            "dana@partner.example",
            "ben@house.example",
            None,
        ),
        (
            "xen@jabber.example m02 ben",
            "outside",
            "xmpp",
            "M02",
            "xen@jabber.example",
            "ben@house.example",
            None,
        ),
        (
            "pia@messenger.example im ben",
            "outside",
            "public",
            "M02",
            "pia@messenger.example",
            "ben@house.example",
            None,
        ),
        ("anonymous join <meeting of ben>", "outside", "anonymous", "M05", None, None, "ben@house.example"),
        ("anonymous join ben", "client6", "anonymous", "M05", None, None, "ben@house.example"),
        (
            "ann join meeting of ben",
            "mobile",
            "mobile",
            "M05",
            "ann@house.example",
            None,
            "ben@house.example",
        ),
        ("ann organise", "android", "mobile", "M10", "ann@house.example", None, None),
        ("zoe sign-in", "desk1", "internal", "sign-in", "zoe@house.example", None, None),
    ],
)
def test_questions(
    words: str, origin: str, party: str, feature: str, who: str | None, to: str | None, organiser: str | None
) -> None:
    request = explain.ask(HOUSE, words.split(), origin)
    assert (request.party, request.feature, request.who, request.to) == (party, feature, who, to)
    assert (request.meeting.organiser if request.meeting else None) == organiser


@pytest.mark.parametrize(
    ("origin", "family"),
    [("v6-only", "ipv6"), ("v4-only", "ipv4"), ("client6", "ipv6"), ("client1", None), ("outside", None)],
)
def test_places(origin: str, family: str | None) -> None:
    assert explain.ask(HOUSE, ["ann", "sign-in"], origin).family == family


@pytest.mark.parametrize(
    ("words", "origin", "said"),
    [
        ("ann", "outside", "say who, what"),
        ("ann fly", "outside", "unknown feature fly; known are sign-in, presence, im"),
        ("ann im", "outside", "needs somebody at the other end"),
        ("anonymous join", "outside", "needs a meeting"),
        ("ann sign-in ben", "outside", "concerns ann alone"),
        ("ann im ben bea", "outside", "too many names"),
        ("ann sign-in", "moon", "unknown place moon; known are outside, inside"),
        ("ann im-external ben", "outside", "is ours"),
    ],
)
def test_questions_that_make_no_sense(words: str, origin: str, said: str) -> None:
    with pytest.raises(explain.QuestionError, match=said):
        explain.explain(HOUSE, words.split(), origin)


def test_an_answer() -> None:
    closed = house({"external_access/global/enable_outside_access": False})
    decision = explain.explain(closed, ["ann", "sign-in"])
    text = explain.text(decision).splitlines()
    assert text[0].startswith("Refused (outside-access-off): ann@house.example may not sign in from outside.")
    assert (
        "  x external_access.global.enable_outside_access = false (would have to be true)  [J03, 8.3]" in text
    )
    assert "  + assumed: the password is right  [9a.7]" in text
    assert "Shown outside: SIP 403, HTTP 403, XMPP forbidden, ms-diagnostics-public 4003" in text
    assert len(explain.sentence(decision).splitlines()) == 1


def test_the_answer_for_machines() -> None:
    answer = json.loads(json.dumps(explain.document(explain.explain(HOUSE, ["ann", "sign-in"], "v6-only"))))
    assert answer["allowed"] is True
    assert answer["reason"] is None
    assert answer["request"]["family"] == "ipv6"
    refused = explain.document(explain.explain(HOUSE, ["zoe", "sign-in"]))
    assert (refused["allowed"], refused["reason"]) == (False, "unknown-user")
    assert [link["ok"] for link in refused["chain"]].count(False) == 1


def test_a_provider_is_known_by_its_service_record() -> None:
    words = ["kim@city.example", "im", "ben"]
    assert explain.ask(HOUSE, words).party == "federated"
    assert explain.ask(HOUSE, words, srv="sip.messenger.example").party == "public"


def test_ambiguous_names() -> None:
    two = house(
        users={"users/ann@home.example": {"home": "fe.inside.house.example"}},
        topology={"sip_domains": ["house.example", "home.example"]},
    )
    with pytest.raises(explain.QuestionError, match="ann is ambiguous"):
        explain.ask(two, ["ann", "sign-in"])

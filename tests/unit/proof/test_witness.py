"""Reasons out of journal lines, counters by difference."""

from __future__ import annotations

from pathlib import Path

from edgewright.proof.witness import Look, Witness, parse, reason


def witness(before: dict[str, Look], after: dict[str, Look]) -> Witness:
    return Witness(Path("/nowhere"), tuple(before), before, after)


def test_a_refusal_is_read_whatever_stands_before_it_and_decoded() -> None:
    line = (
        "edgewright decision=refused reason=wrong-password correlation=a%40b%20c method=REGISTER status=401"
    )
    found = parse("director1", line)
    assert found is not None
    assert (found.host, found.reason, found.correlation) == ("director1", "wrong-password", "a@b c")
    assert found.fields["status"] == "401"


def test_other_decisions_and_broken_lines_are_none() -> None:
    assert parse("x", "edgewright decision=allowed reason=x correlation=y") is None
    assert parse("x", "edgewright decision=refused correlation=y") is None


def test_reasons_are_joined_by_any_of_the_ids() -> None:
    lines = (
        "edgewright decision=refused reason=relay-refused correlation=1",
        "edgewright decision=refused reason=relay-refused correlation=1",
        "edgewright decision=refused reason=wrong-password correlation=2",
    )
    refusals = witness({"e": Look("c")}, {"e": Look(lines=lines)}).refusals()
    assert reason(refusals, ("1",)) == "relay-refused"
    assert reason(refusals, ("x", "2")) == "wrong-password"
    assert reason(refusals, ("3",)) is None
    assert reason(refusals, ("1", "2")) == "relay-refused + wrong-password"


def test_a_reason_counts_for_the_hosts_that_logged_it() -> None:
    line = "edgewright decision=refused reason={} correlation=1"
    after = {"edge": Look(lines=(line.format("peer-refused"),)), "theirs": Look(lines=(line.format("x"),))}
    refusals = witness({"edge": Look("c"), "theirs": Look("c")}, after).refusals()
    assert reason(refusals, ("1",), {"edge"}) == "peer-refused"
    assert reason(refusals, ("1",), {"theirs"}) == "x"
    assert reason(refusals, ("1",), set()) is None


def test_what_reached_a_host_is_told_by_its_events() -> None:
    lines = (
        "edgewright event=received reason=- correlation=a%40b party=federated",
        "edgewright event=sent correlation=c",
        "edgewright decision=refused reason=x correlation=d",
    )
    assert witness({"p": Look("c")}, {"p": Look(lines=lines)}).reached() == {"a@b": {"p"}}


def test_counters_count_from_the_beginning_of_the_run_and_survive_a_reload() -> None:
    before = {"fw": Look("c", counters={"drop_in": 5, "E01": 7, "old": 1})}
    after = {"fw": Look(counters={"drop_in": 9, "E01": 2, "new": 3, "old": 1})}
    assert witness(before, after).counted() == {"fw": {"drop_in": 4, "E01": 2, "new": 3}}


def test_hosts_that_did_not_answer_are_named_once() -> None:
    looks = {"fw": Look(why="no route"), "ok": Look("c")}
    assert witness(looks, looks).problems() == ["fw: no route"]

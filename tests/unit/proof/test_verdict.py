"""Each verdict by a fault planted in what was seen; the judge is pure."""

from __future__ import annotations

from typing import Any

import pytest

from edgewright.proof import closed
from edgewright.proof.types import Cell, Expected, Observed, Verdict
from edgewright.proof.verdict import CLOSED, judge


def cell(expected: Expected, control: str | None = "control", **arguments: Any) -> Cell:
    return Cell(
        "a/b/ipv4/c",
        "remote",
        "sign-in",
        "b",
        "ipv4",
        "x",
        "read",
        expected,
        "sip.register",
        arguments,
        control,
    )


def seen(stage: str, allowed: bool, reason: str | None = None, **shown: Any) -> Observed:
    return Observed(stage, allowed, reason, shown)  # type: ignore[arg-type]


WORKS = Expected(True, shown={"status": 200})
REFUSED = Expected(False, "outside-access-off", {"status": 403, "ms_diagnostics_public": "4003"})
RIGHT = {"status": 403, "ms_diagnostics_public": "4003"}


@pytest.mark.parametrize(
    ("expected", "observed", "control", "verdict"),
    [
        (WORKS, seen("done", True, status=200), None, "proven"),
        (REFUSED, seen("policy", False, "outside-access-off", **RIGHT), "proven", "proven"),
        # broken: what should work does not, however far it came, or shows something else
        (WORKS, seen("policy", False, "wrong-password", status=401), None, "broken"),
        (WORKS, seen("connect", False, error="timeout"), None, "broken"),
        (WORKS, seen("done", True, status=202), None, "broken"),
        # leaking: it worked, whatever the control says
        (REFUSED, seen("done", True, status=200), "proven", "leaking"),
        (REFUSED, seen("done", True, status=200), "broken", "leaking"),
        (REFUSED, seen("done", True, status=200), None, "leaking"),
        # misreported: another reason, none at all, or the outsider is told something else
        (REFUSED, seen("policy", False, "wrong-password", **RIGHT), "proven", "misreported"),
        (
            REFUSED,
            seen("policy", False, "outside-access-off + relay-refused", **RIGHT),
            "proven",
            "misreported",
        ),
        (REFUSED, seen("policy", False, None, **RIGHT), "proven", "misreported"),
        (REFUSED, seen("policy", False, "outside-access-off", status=403), "proven", "misreported"),
        (REFUSED, seen("policy", False, "outside-access-off", status=404), "proven", "misreported"),
        # inconclusive: the probe failed, no control, the control did not work, it never got there
        (WORKS, seen("resolve", False, fault="no probe"), None, "inconclusive"),
        (REFUSED, seen("resolve", False, fault="no probe"), "proven", "inconclusive"),
        (REFUSED, seen("policy", False, "outside-access-off", **RIGHT), None, "inconclusive"),
        (REFUSED, seen("policy", False, "outside-access-off", **RIGHT), "broken", "inconclusive"),
        (REFUSED, seen("connect", False, error="timeout"), "proven", "inconclusive"),
    ],
)
def test_every_verdict(
    expected: Expected, observed: Observed, control: Verdict | None, verdict: Verdict
) -> None:
    assert judge(cell(expected), observed, control)[0] == verdict


def test_answers_that_can_be_told_apart_are_misreported() -> None:
    alike = Expected(False, "unknown-user", {"status": 401, "challenges": 2, "headers": ["a: 1", "b: 2"]})
    same = seen("policy", False, "unknown-user", status=401, challenges=2, headers=["a: 1", "b: 2"])
    one_more = seen(
        "policy", False, "unknown-user", status=401, challenges=2, headers=["a: 1", "b: 2", "x: 3"]
    )
    fewer = seen("policy", False, "unknown-user", status=401, challenges=1, headers=["a: 1", "b: 2"])
    assert judge(cell(alike), same, "proven")[0] == "proven"
    for differing in (one_more, fewer):
        assert judge(cell(alike), differing, "proven")[0] == "misreported"


def test_one_of_several_statuses_is_enough() -> None:
    expected = Expected(False, "next-hop-down", {"status": [503, 504]})
    assert judge(cell(expected), seen("policy", False, "next-hop-down", status=504), "proven")[0] == "proven"
    assert (
        judge(cell(expected), seen("policy", False, "next-hop-down", status=500), "proven")[0]
        == "misreported"
    )


@pytest.mark.parametrize(
    ("counted", "verdict"),
    [
        ({"fwout1": {"drop_forward": 3}}, "proven"),
        ({"fwout1": {"drop_forward": 1, "drop_invalid": 2}}, "proven"),
        ({"fwout1": {"drop_forward": 2}}, "inconclusive"),  # one packet went somewhere else
        ({"fwout1": {"E01-edge": 30}}, "inconclusive"),  # an accepting rule is no witness
        ({"edge1": {"drop_in": 3}}, "inconclusive"),  # not on the way
        ({}, "inconclusive"),
    ],
)
def test_silence_needs_a_witness(counted: dict[str, dict[str, int]], verdict: Verdict) -> None:
    tried = cell(closed.EXPECTED, ports=[21, 22, 23], witnesses=["fwout1"])
    silent = seen("connect", False, open=[], closed=3)
    observed = closed.witnessed(tried, silent, counted)
    assert judge(tried, observed, "proven")[0] == verdict


def test_an_open_port_leaks_even_with_a_witness() -> None:
    tried = cell(closed.EXPECTED, ports=[21, 22], witnesses=["fwout1"])
    observed = closed.witnessed(tried, seen("done", True, open=[22]), {"fwout1": {"drop_forward": 9}})
    assert judge(tried, observed, "proven")[0] == "leaking"
    assert observed.reason is None
    assert closed.EXPECTED.reason == CLOSED

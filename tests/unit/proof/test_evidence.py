"""Evidence: the stable document, JUnit that parses, a page that loads nothing and cannot be broken out of."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from edgewright import plan
from edgewright.model import load
from edgewright.plan.types import Plan
from edgewright.proof import evidence
from edgewright.proof.evidence import page, reach, topology
from edgewright.proof.results import Results, document
from edgewright.proof.types import Cell, Expected, Observed, Result

ROOT = Path(__file__).parents[3]
EVIL = "</script><script>alert(1)</script>\x00\x1b[2J & <b>"


@pytest.fixture(scope="module")
def planned() -> Plan:
    return plan.make(load(ROOT / "inventory" / "contoso"))


@pytest.fixture
def results() -> Results:
    def one(name: str, verdict: str, *, allowed: bool = True) -> Result:
        expected = Expected(
            allowed, None if allowed else "wrong-password", {"status": 200 if allowed else 401}
        )
        control = None if allowed else "sign-in/client1/ipv4/good"
        cell = Cell(
            f"sign-in/client1/ipv4/{name}", "remote", "sign-in", "client1", "ipv4", "right password", "read",
            expected, "sip.register", {"password": "right"}, control,
        )  # fmt: skip
        observed = Observed(
            "policy", allowed, expected.reason, {"status": 401, "text": EVIL}, ("id-1",), (EVIL,)
        )
        return Result(cell, observed, verdict, f"because {EVIL}", 0.25)  # type: ignore[arg-type]

    found = (one("good", "proven"), one("bad", "leaking", allowed=False), one("lost", "inconclusive"))
    return Results(
        "contoso", "d" * 64, datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC), 12.3, found, {"edgewright": "1"}
    )


def test_results_json_is_as_documented(results: Results) -> None:
    found = json.loads(json.dumps(document(results)))
    assert found["schema"] == 1
    assert found["summary"] == {"proven": 1, "broken": 0, "leaking": 1, "misreported": 0, "inconclusive": 1}
    cell = found["cells"][1]
    assert set(cell) == {
        "id", "party", "feature", "vantage", "family", "situation", "impact", "expected", "observed",
        "verdict", "why", "control", "correlation", "seconds",
    }  # fmt: skip
    assert cell["expected"] == {"allowed": False, "reason": "wrong-password", "shown": {"status": 401}}
    assert set(cell["observed"]) == {"stage", "allowed", "reason", "shown"}
    assert cell["control"] == "sign-in/client1/ipv4/good"
    documented = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
    for key in (*found, *cell):
        assert f"`{key}`" in documented, f"{key} is not documented"


def test_proven_means_all_and_something(results: Results) -> None:
    assert not results.proven
    assert not Results("x", "", results.started, 0, ()).proven
    assert Results("x", "", results.started, 0, results.results[:1]).proven


def test_the_evidence_has_a_folder_of_its_own_and_latest_points_to_it(
    results: Results, planned: Plan, tmp_path: Path
) -> None:
    first = evidence.write(results, planned, tmp_path)
    second = evidence.write(results, planned, tmp_path)
    assert first != second
    assert (tmp_path / "latest").resolve() == second.resolve()
    assert {path.name for path in second.iterdir()} == {"index.html", "results.json", "junit.xml"}


def test_junit_parses_whatever_was_said(results: Results, planned: Plan, tmp_path: Path) -> None:
    where = evidence.write(results, planned, tmp_path)
    suite = ET.parse(where / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [case.get("name") for case in suite] == [
        "client1/ipv4/good",
        "client1/ipv4/bad",
        "client1/ipv4/lost",
    ]


def test_the_page_stands_alone_and_holds_what_was_said_as_data(
    results: Results, planned: Plan, tmp_path: Path
) -> None:
    page = (evidence.write(results, planned, tmp_path) / "index.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "alert(1)</script>" not in page
    assert not re.search(r'(src|href)\s*=\s*"(?!#)', page)
    assert "url(" not in page
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["cells"][0]["transcript"] == [EVIL]


def test_the_drawing_has_every_host_and_network(planned: Plan) -> None:
    drawing = ET.fromstring(topology.render(planned))
    texts = "\n".join("".join(item.itertext()) for item in drawing.iter("text"))
    for name in (*planned.hosts, *planned.networks):
        assert name in texts


def test_a_large_deployment_is_drawn_small() -> None:
    found = load(ROOT / "tests" / "deployments" / "two-of-each")
    ET.fromstring(topology.render(plan.make(found)))


def crossing(sender: str, to: str, feature: str, verdict: str, reason: str | None = None) -> Result:
    expected = Expected(reason is None, reason)
    cell = Cell(
        f"federation/x/ipv4/{sender}-{to}-{feature}-{reason}", "federated", feature, "x", "ipv4", "", "read",
        expected, "sip.message", {"user": sender, "to": to},
    )  # fmt: skip
    return Result(cell, Observed("done", True), verdict, "", 0)  # type: ignore[arg-type]


def test_who_reaches_whom_has_a_mark_for_each_crossing_with_its_worst_verdict(
    results: Results, planned: Plan
) -> None:
    found = (
        crossing("dana@fabrikam.example", "alice@contoso.example", "M02", "proven"),
        crossing("dana@fabrikam.example", "carol@contoso.example", "M02", "leaking", "federation-access-off"),
        crossing("dana@fabrikam.example", "alice@contoso.example", "M14", "proven"),
        crossing("alice@contoso.example", "ada@adatum.example", "M31", "proven", "domain-blocked"),
    )
    made = reach.make(found)
    rows = {(row.sender, row.to): row.marks for row in made.rows}
    inward = rows["fabrikam.example", "contoso.example"]
    assert (inward["M02"].word, inward["M02"].verdict) == ("some", "leaking")
    assert inward["M02"].title == "leaking: 1 allowed, 1 federation-access-off"
    assert (inward["M14"].word, inward["M14"].verdict) == ("yes", "proven")
    assert rows["contoso.example", "adatum.example"]["M31"].word == "no"
    assert [feature for feature, _ in made.features] == ["M02", "M14", "M31"]
    html = page.render(replace(results, results=found), planned)
    assert "Who reaches whom" in html
    assert 'class="mark leaking some"' in html
    assert "Who reaches whom" not in page.render(results, planned), "where nobody reaches anybody"

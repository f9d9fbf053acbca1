"""Rules about certificate requests and DNS records, each with a plan that keeps it and one that breaks it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edgewright import plan
from edgewright.model import Deployment, load
from edgewright.model.check import check
from edgewright.model.lint import lint
from edgewright.model.topology import CertificateSlot

sys.path.insert(0, str(Path(__file__).parent))
from deployments import SOURCES, changed

EDGE = "edge.inside.contoso.example"


@dataclass(frozen=True)
class Request:
    slot: CertificateSlot
    pool: str
    subject: str
    sans: tuple[str, ...]
    eku: tuple[str, ...] = ("server", "client")


@dataclass(frozen=True)
class Record:
    name: str
    type: str


@dataclass(frozen=True)
class Zone:
    view: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Plan:
    certificates: tuple[Request, ...] = ()
    zones: tuple[Zone, ...] = ()


OUTSIDE = Request(
    "edge_external",
    EDGE,
    "sip.contoso.example",
    ("sip.contoso.example", "webconf.contoso.example", "contoso.example"),
)
PROXY = Request(
    "proxy",
    "proxy1",
    "web.contoso.example",
    ("web.contoso.example", "dirweb.contoso.example", "meet.contoso.example", "dialin.contoso.example"),
)
INSIDE = Request("edge_internal", EDGE, EDGE, (EDGE,))


@pytest.fixture(scope="module")
def contoso() -> Deployment:
    return load(SOURCES["contoso"])


def rules(deployment: Deployment, *requests: Request, zones: tuple[Zone, ...] = ()) -> list[str]:
    return [finding.rule for finding in lint(deployment, Plan(requests, zones))]


def test_a_good_plan_breaks_no_rule(contoso: Deployment) -> None:
    assert rules(contoso, OUTSIDE, PROXY, INSIDE) == []


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (replace(OUTSIDE, sans=(*OUTSIDE.sans, "*.contoso.example")), "Z01"),
        (replace(INSIDE, sans=(*INSIDE.sans, "*.inside.contoso.example")), "Z01"),
        (replace(INSIDE, sans=("edge1.inside.contoso.example",)), "Z02"),
        (replace(OUTSIDE, subject="webconf.contoso.example", sans=OUTSIDE.sans[1:]), "K1"),
        (replace(OUTSIDE, sans=OUTSIDE.sans[:2]), "K4"),
        (replace(PROXY, sans=PROXY.sans[:3]), "K5"),
        (replace(INSIDE, eku=("server",)), "Z11"),
        (replace(OUTSIDE, eku=("server",)), "E03"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.slot,
)
def test_each_rule_by_itself(contoso: Deployment, request_: Request, rule: str) -> None:
    others = [one for one in (OUTSIDE, PROXY, INSIDE) if one.slot != request_.slot]
    assert rules(contoso, request_, *others) == [rule]


def test_a_wildcard_may_stand_for_simple_urls_on_a_proxy(contoso: Deployment) -> None:
    wild = replace(PROXY, sans=("web.contoso.example", "*.contoso.example"))
    assert rules(contoso, OUTSIDE, wild, INSIDE) == []


def test_a_certificate_of_its_own_for_federation_counts(contoso: Deployment) -> None:
    own = replace(OUTSIDE, slot="federation")
    assert rules(contoso, replace(OUTSIDE, eku=("server",)), own, PROXY, INSIDE) == []


def test_a_name_with_one_record_only(contoso: Deployment) -> None:
    zones = (
        Zone("outside", (Record("sip.contoso.example", "A"), Record("av.contoso.example", "AAAA"))),
        Zone("inside", (Record("sip.contoso.example", "A"),)),
    )
    assert rules(contoso, OUTSIDE, PROXY, INSIDE, zones=zones) == ["S05", "S05"]


@pytest.mark.parametrize("name", SOURCES)
def test_the_real_plans_of_the_shipped_deployments_break_no_rule(name: str) -> None:
    report = check(SOURCES[name], plan.make)
    assert report.errors == ()
    # An ACME authority signs for servers only: that a partner may mind is shown, and is true.
    assert {finding.rule for finding in report.warnings} <= {"E03"}


def test_waived_findings_are_shown_with_their_reason() -> None:
    report = check(SOURCES["minimal"], plan.make)
    assert [finding.rule for finding in report.waived] == ["K1"]
    assert str(report.waived[0]).endswith(
        "(waived: the clients of this trial are given the root certificate by hand)"
    )


def test_an_unused_waiver_is_told_when_the_plan_was_looked_at(tmp_path: Path) -> None:
    folder = changed(
        {
            "base": "contoso",
            "change": {
                "topology.yml": {"certificates:": "waivers: [{rule: Z11, reason: not now}]\ncertificates:"}
            },
        },
        tmp_path,
    )
    assert check(folder).warnings == ()
    said = [str(finding) for finding in check(folder, plan.make).warnings if not finding.rule]
    assert len(said) == 1
    assert "the waiver of Z11 is not needed" in said[0]


def test_what_cannot_be_planned_is_told_with_its_line(tmp_path: Path) -> None:
    folder = changed(
        {"base": "contoso", "change": {"topology.yml": {"hosts: [fe1]": "hosts: [fe1, fe101]"}}}, tmp_path
    )
    said = [str(finding) for finding in check(folder, plan.make).errors]
    assert len(said) == 1
    assert "topology.yml:27: fe101: number 101 is beyond the block" in said[0]

"""Which settings are turned over follows from the model and from what is tried; refusals have controls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgewright import plan
from edgewright.model import load, resolve
from edgewright.proof import flips
from edgewright.proof.case import Case
from edgewright.proof.scope import Scope

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def contoso() -> Scope:
    """The shipped example."""
    deployment = load(ROOT / "inventory/contoso")
    return Scope(deployment, plan.make(deployment))


@pytest.fixture(scope="module")
def cases(contoso: Scope) -> dict[str, Case]:
    """All cells of flips."""
    return {case.cell.id: case for case in flips.make(contoso)}


def test_what_acts_on_what_is_deployed_is_flipped(contoso: Scope) -> None:
    names = [flip.name for flip in flips.all_of(contoso)]
    assert names == [
        "allow_federated_users",
        "allow_outside_users",
        "enable_partner_discovery",
        "enable_outside_access",
        "enable_federation_access",
        "enable_public_cloud_access",
        "enable_p2p_file_transfer",
        "enabled",
        "removed",
        "wingtip-enabled",
        "wingtip-verification_level",
        "wingtip-provisioned",
        "blocked-fabrikam.example",
        "unlisted-fabrikam.example",
        "allowed-tailspin.example",
        "blocked-wingtip.example",
        "allowed-wingtip.example",
    ]


def test_every_setting_that_can_change_a_decision_is_asked_about(contoso: Scope) -> None:
    names = {name for name, _, _ in flips.candidates(contoso.deployment, "dave@contoso.example")}
    assert {
        "allow_federated_users",
        "enable_xmpp_access",
        "enable_mobility",
        "enable_ip_audio_video",
    } <= names
    assert "description" not in names


def test_a_setting_of_a_later_feature_is_picked_up(contoso: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    def mobile(_: Scope, deployment: object, __: object, subject: str, ___: str) -> flips.Expected:
        policy, _origin = resolve.effective(deployment, "mobility", subject)  # type: ignore[arg-type]
        return flips.Expected(policy.enable_mobility)

    later = flips.Ask("mobile", mobile, flips.ASKS[0].cell)
    monkeypatch.setattr(flips, "ASKS", (*flips.ASKS, later))
    assert "enable_mobility" in [flip.name for flip in flips.all_of(contoso)]


def test_one_thing_is_turned_over_at_a_time(contoso: Scope) -> None:
    for flip in flips.all_of(contoso):
        same = [
            flip.changed.policies.access_edge == contoso.deployment.policies.access_edge,
            flip.changed.policies.external_access == contoso.deployment.policies.external_access,
            flip.changed.directory.users.keys() == contoso.deployment.directory.users.keys(),
        ]
        assert same.count(False) <= 1, flip.name
        assert flip.described is contoso.deployment
        assert flip.changed != contoso.deployment


def test_somebody_else_is_concerned_than_who_talks_in_other_cells(contoso: Scope) -> None:
    assert flips.people(contoso) == ("erin@contoso.example", "alice@contoso.example"), "she may federate"


def test_every_refusal_is_controlled_by_the_same_ask_the_other_way(cases: dict[str, Case]) -> None:
    refused = [case.cell for case in cases.values() if not case.cell.expected.allowed]
    assert len(refused) > 30
    for cell in refused:
        assert cell.expected.reason
        control = cases[cell.control or ""].cell
        assert control.expected.allowed
        twins = (("-flipped-", "-back-"), ("-back-", "-flipped-"), ("-within-", "-hung-up-"))
        assert control.id in [cell.id.replace(*twin) for twin in twins]


def test_both_families_and_both_sides(cases: dict[str, Case]) -> None:
    seats = {tuple(i.split("/")[1:3]) for i, case in cases.items() if case.cell.probe == "sip.register"}
    assert seats == {("client1", "ipv4"), ("client1", "ipv6"), ("desk1", "ipv4"), ("desk1", "ipv6")}


def test_who_may_not_stay_is_signed_out_and_nobody_else(cases: dict[str, Case]) -> None:
    out = {i for i, case in cases.items() if case.cell.probe == "sip.gone"}
    stay = {i for i, case in cases.items() if case.cell.probe == "sip.same"}
    assert "policy/client1/ipv4/allow_outside_users-signed-out-alice" in out
    assert "policy/client1/ipv6/enable_outside_access-signed-out-erin" in out
    assert "policy/desk1/ipv4/enable_outside_access-stays-erin" in stay
    assert "policy/desk1/ipv6/enabled-signed-out-erin" in out
    assert "policy/client1/ipv4/enabled-stays-alice" in stay


def test_they_change_something_and_say_so(cases: dict[str, Case]) -> None:
    assert {case.cell.impact for case in cases.values()} == {"changes"}


def test_a_deployment_with_a_switch_off_is_flipped_on(contoso: Scope) -> None:
    edge = contoso.deployment.policies.access_edge.model_copy(update={"allow_outside_users": False})
    off = replace(
        contoso.deployment, policies=contoso.deployment.policies.model_copy(update={"access_edge": edge})
    )
    scope = Scope(off, contoso.plan)
    assert "allow_outside_users" in [flip.name for flip in flips.all_of(scope)]
    found = {case.cell.id: case.cell for case in flips.make(scope)}
    inside = found["policy/client1/ipv4/allow_outside_users-back-sign-in"]
    assert inside.expected.reason == "outside-users-off"
    assert inside.control == "policy/client1/ipv4/allow_outside_users-flipped-sign-in"
    assert found[inside.control].expected.allowed

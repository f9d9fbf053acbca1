"""The proof itself is proven: a wrong expectation planted in front of the real hosts gives each verdict."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from edgewright import machines, plan
from edgewright.model import credentials
from edgewright.model.deployment import Deployment
from edgewright.proof import disruption, inside, sign_in
from edgewright.proof.case import Case
from edgewright.proof.places import Place
from edgewright.proof.run import Engine
from edgewright.proof.scope import Scope
from edgewright.proof.types import Expected, Result
from edgewright.proof.witness import Witness


@pytest.fixture(scope="module")
def planted(deployment: Deployment) -> dict[str, Result]:
    """Sign-in cells of one seat outside, with expectations turned over."""
    scope = Scope(deployment, plan.make(deployment))
    seat = scope.at("outside")[0]
    made = {c.cell.id: c for c in sign_in.make(scope) if f"/{seat}/" in c.cell.id}
    reference = sign_in.admitted(scope, seat)[0]
    right = made[sign_in.sign_in_id(seat, reference)]
    wrong = made[f"{right.cell.id}-wrong-password"]

    def turned(case: Case, name: str, expected: Expected, control: str | None) -> Case:
        cell = replace(case.cell, id=name, expected=expected, control=control)
        cell.arguments.pop("session", None)
        return Case(cell)

    no = Expected(False, "wrong-password", {"status": 401})
    cases = [
        turned(right, "good", Expected(True), None),
        turned(wrong, "proven", no, "good"),
        turned(wrong, "broken", Expected(True), None),
        turned(right, "leaking", no, "good"),
        turned(wrong, "misreported", Expected(False, "outside-access-off", {"status": 401}), "good"),
        turned(wrong, "misreported-shown", Expected(False, "wrong-password", {"status": 403}), "good"),
        turned(wrong, "inconclusive", no, "broken"),
        turned(wrong, "inconclusive-alone", no, None),
    ]
    config = machines.load(credentials.state_folder(deployment)).ssh_config
    engine = Engine(
        cases=cases,
        witness=Witness(config, tuple(host.name for host in scope.ours)),
        passwords=credentials.accounts(deployment),
        open_place=lambda host: Place.over_ssh(config, host),
        hands=disruption.Hands(config),
        inspector=inside.Inspector(scope, config),
    )
    return {result.cell.id: result for result in asyncio.run(engine.run())}


@pytest.mark.parametrize(
    "name",
    ["proven", "broken", "leaking", "misreported", "misreported-shown", "inconclusive", "inconclusive-alone"],
)
def test_a_planted_fault_is_called_by_its_name(planted: dict[str, Result], name: str) -> None:
    assert planted[name].verdict == name.partition("-")[0], planted[name].why

"""The engine with a real probe and a real TLS peer on loopback; faults are planted in the peer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgewright.proof.case import RIGHT, WRONG, Case, Receiver
from edgewright.proof.disruption import Disruption, DisruptionError
from edgewright.proof.flips import Flip
from edgewright.proof.places import Place
from edgewright.proof.run import Engine, ProofError, chosen, leaked, prove
from edgewright.proof.types import Cell, Expected, Impact, Result
from edgewright.proof.witness import Look, Witness

PASSWORDS = {"alice@lab.example": "wonder", "bob@lab.example": "builder", "carol@lab.example": "inside"}
REFUSED_CAROL = Expected(False, "outside-access-off", {"status": 403, "ms_diagnostics_public": "4003"})


class Seen(Witness):
    """A witness whose hosts logged `reason` for every refusal that the peer gave."""

    def __init__(self, registrar: Any, reasons: dict[int, str]) -> None:
        super().__init__(Path("/nowhere"), ())
        self._registrar, self._reasons = registrar, reasons

    async def begin(self) -> None:
        self.before = {"host": Look("c")}

    async def end(self) -> None:
        lines = []
        for message in self._registrar.seen:
            user = message.get("From").split("sip:")[1].split("@")[0]
            status = 403 if user in self._registrar.refused else 401
            if status in self._reasons:
                lines.append(
                    f"edgewright decision=refused reason={self._reasons[status]} "
                    f"correlation={message.get('Call-ID')}"
                )
        self.after = {"host": Look(lines=tuple(lines))}


class NoHands:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def begin(self, disruption: Disruption) -> None:
        self.log.append(f"break {disruption.name}")

    async def end(self, disruption: Disruption) -> None:
        self.log.append(f"mend {disruption.name}")


def register(registrar: Any, authority: Any, user: str, expected: Expected, **more: Any) -> Cell:
    name = more.pop("name", user)
    control = more.pop("control", None)
    impact = more.pop("impact", "read")
    arguments = {
        "address": "127.0.0.1",
        "port": registrar.port,
        "name": "sip.lab.example",
        "trust": str(authority.trust),
        "user": f"{user}@lab.example",
        "password": RIGHT,
        "timeout": 3,
    }
    return Cell(
        f"sign-in/here/ipv4/{name}",
        "remote",
        "sign-in",
        "here",
        "ipv4",
        "x",
        impact,
        expected,
        "sip.register",
        arguments | more,
        control,
    )


def run(
    cases: list[Case], registrar: Any, reasons: dict[int, str] | None = None, **more: Any
) -> dict[str, Result]:
    logged = {403: "outside-access-off", 401: "wrong-password"} if reasons is None else reasons
    engine = Engine(
        cases=cases,
        witness=Seen(registrar, logged),
        passwords=PASSWORDS,
        open_place=Place.here,
        hands=more.pop("hands", NoHands([])),
        inspector=None,
        patience=1,
        **more,  # type: ignore[arg-type]
    )
    return {result.cell.id.rpartition("/")[2]: result for result in asyncio.run(engine.run())}


def standard(registrar: Any, authority: Any) -> list[Case]:
    alice = register(registrar, authority, "alice", Expected(True))
    carol = register(registrar, authority, "carol", REFUSED_CAROL, control=alice.id)
    wrong = register(
        registrar,
        authority,
        "alice",
        Expected(False, "wrong-password", {"status": 401}),
        name="wrong",
        password=WRONG,
        control=alice.id,
    )
    unknown = register(
        registrar,
        authority,
        "nobody",
        Expected(False, "wrong-password"),
        name="unknown",
        password=WRONG,
        control=alice.id,
    )
    return [Case(alice, "sign-in"), Case(carol), Case(wrong), Case(unknown, same_as=wrong.id)]


def verdicts(results: dict[str, Result]) -> dict[str, str]:
    return {name: result.verdict for name, result in results.items()}


def test_everything_right_is_proven(registrar, authority):
    results = run(standard(registrar, authority), registrar)
    assert verdicts(results) == dict.fromkeys(("alice", "carol", "wrong", "unknown"), "proven"), [
        r.why for r in results.values()
    ]
    assert results["unknown"].cell.expected.shown["challenges"] == 2, "what it had to equal is in the result"
    assert "wonder" not in str([r.observed for r in results.values()])


def test_a_service_that_lets_everybody_in_is_leaking(registrar, authority):
    registrar.refused.clear()
    assert verdicts(run(standard(registrar, authority), registrar))["carol"] == "leaking"


def test_a_service_that_lets_nobody_in_is_broken_and_its_refusals_prove_nothing(registrar, authority):
    registrar.passwords.clear()
    found = verdicts(run(standard(registrar, authority), registrar))
    assert found == {
        "alice": "broken",
        "carol": "inconclusive",
        "wrong": "inconclusive",
        "unknown": "inconclusive",
    }


def test_another_logged_reason_is_misreported(registrar, authority):
    found = verdicts(
        run(standard(registrar, authority), registrar, {403: "relay-refused", 401: "wrong-password"})
    )
    assert (found["carol"], found["wrong"]) == ("misreported", "proven")


def test_a_refusal_that_nobody_logs_is_misreported(registrar, authority):
    assert verdicts(run(standard(registrar, authority), registrar, {}))["wrong"] == "misreported"


def test_a_lost_place_is_inconclusive(registrar, authority):
    cases = standard(registrar, authority)

    def broken(host: str) -> Place:
        return Place(host, ["sh", "-c", "echo no route to host >&2; exit 255"])

    engine = Engine(
        cases=cases,
        witness=Seen(registrar, {}),
        passwords=PASSWORDS,
        open_place=broken,
        hands=NoHands([]),
        inspector=None,  # type: ignore[arg-type]
    )
    results = asyncio.run(engine.run())
    assert {result.verdict for result in results} == {"inconclusive"}
    assert "no route to host" in results[0].why


def message(registrar: Any, authority: Any, name: str, expected: Expected, **more: Any) -> Cell:
    made = register(
        registrar, authority, "alice", expected, name=name, session="alice", to="bob@lab.example", **more
    )
    return replace(made, probe="sip.message")


def messages(registrar: Any, authority: Any) -> list[Case]:
    bob = register(registrar, authority, "bob", Expected(True), session="bob")
    sent = message(
        registrar, authority, "sent", Expected(True, shown={"status": 200, "from": "alice@lab.example"})
    )
    forged = message(
        registrar,
        authority,
        "forged",
        Expected(False, "identity-mismatch", {"status": 403}),
        control=sent.id,
        sender="bob@lab.example",
    )
    return [
        Case(bob, "sign-in"),
        Case(sent, needs=(bob.id,), receiver=Receiver("here", "bob")),
        Case(forged, needs=(bob.id,)),
    ]


def test_a_message_counts_when_it_arrives_and_a_forged_one_leaks_when_it_does(registrar, authority):
    results = run(messages(registrar, authority), registrar)
    assert results["sent"].verdict == "proven", results["sent"].why
    # This peer checks the password but not From: what it delivers must be noticed.
    assert results["forged"].verdict == "leaking"
    assert results["forged"].observed.shown["delivered"] is True


class Abroad(Seen):
    """A witness to whom a host of another organisation told that every request reached it, and its reason."""

    async def end(self) -> None:
        await super().end()
        lines = []
        for seen in self._registrar.seen:
            ids = f"correlation={seen.get('Call-ID')}"
            lines += [f"edgewright event=received {ids}", f"edgewright decision=refused reason=theirs {ids}"]
        self.after["abroad"] = Look(lines=tuple(lines))


def judged_abroad(registrar: Any, authority: Any, shown: dict[str, Any]) -> Result:
    alice = register(registrar, authority, "alice", Expected(True))
    expected = Expected(False, "outside-access-off", {"status": 403, **shown})
    carol = register(registrar, authority, "carol", expected, control=alice.id)
    engine = Engine(
        cases=[Case(alice, "sign-in"), Case(carol)],
        witness=Abroad(registrar, {403: "outside-access-off"}),
        passwords=PASSWORDS,
        open_place=Place.here,
        hands=NoHands([]),  # type: ignore[arg-type]
        inspector=None,  # type: ignore[arg-type]
        sides={"abroad": "fabrikam.example"},
        name="lab",
    )
    return asyncio.run(engine.run())[-1]


def test_each_side_must_have_logged_what_it_should_and_ours_decides(registrar, authority):
    logged = {"lab": "outside-access-off", "fabrikam.example": "theirs"}
    right = judged_abroad(registrar, authority, {"logged": logged})
    assert (right.verdict, right.observed.reason) == ("proven", "outside-access-off"), right.why
    wrong = judged_abroad(registrar, authority, {"logged": {"lab": "outside-access-off"}})
    assert wrong.verdict == "misreported"
    assert "fabrikam.example" in wrong.why


def test_what_was_refused_here_must_not_have_reached_others(registrar, authority):
    result = judged_abroad(registrar, authority, {"reached": []})
    assert (result.verdict, result.observed.shown["reached"]) == ("misreported", ["fabrikam.example"])


def test_headers_that_must_not_leave_are_found():
    headers = [
        ["From", "<sip:a@b>"],
        ["X-Edgewright-Origin", "x"],
        ["Via", "SIP/2.0/TLS fe1.inside.lab.example"],
    ]
    assert leaked(headers, ["inside.lab.example"]) == ["Via", "X-Edgewright-Origin"]
    assert leaked([["P-Asserted-Identity", "x"], ["Contact", "<sip:a@198.18.3.61>"]], ["in.example"]) == [
        "P-Asserted-Identity"
    ]


def test_a_message_that_leaks_is_broken_though_it_arrives(registrar, authority):
    cases = messages(registrar, authority)
    expected = Expected(True, shown={"status": 200, "leaked": []})
    sent = replace(
        cases[1].cell, expected=expected, arguments=cases[1].cell.arguments | {"headers": [["X-A", "b"]]}
    )
    results = run(
        [cases[0], replace(cases[1], cell=sent, receiver=Receiver("here", "bob", ("nothing",)))], registrar
    )
    assert results["sent"].verdict == "broken"
    assert results["sent"].observed.shown["leaked"] == ["X-A"]


def test_what_must_be_quick_and_is_not_is_broken(registrar, authority):
    for limit, verdict in ((30.0, "proven"), (0.0, "broken")):
        expected = Expected(True, shown={"prompt": True})
        alice = register(registrar, authority, "alice", expected, prompt=limit)
        assert run([Case(alice)], registrar)["alice"].verdict == verdict


def test_a_message_that_is_accepted_and_swallowed_is_broken(registrar, authority):
    cases = messages(registrar, authority)
    elsewhere = register(registrar, authority, "alice", Expected(True), name="elsewhere", session="not-bob")
    cases = [*cases[:1], Case(elsewhere, "sign-in"), replace(cases[1], receiver=Receiver("here", "not-bob"))]
    results = run(cases, registrar)
    assert results["sent"].verdict == "broken"
    assert results["sent"].observed.shown["delivered"] is False


def test_disruptions_are_mended_even_when_the_run_is_interrupted(registrar, authority):
    log: list[str] = []
    disruption = Disruption("power", ("host",), "true", "true")
    alice = register(registrar, authority, "alice", Expected(True))

    def interrupt(_: str, number: int, __: int) -> None:
        log.append(f"cell {number}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            [Case(alice, disruption.during)],
            registrar,
            hands=NoHands(log),
            disruptions=(disruption,),
            listener=interrupt,
        )
    assert log == ["break power", "cell 1", "mend power"]


class Flipping(NoHands):
    async def begin(self, flip: Flip) -> None:  # type: ignore[override]
        self.log.append(f"turn {flip.name}")

    async def end(self, flip: Flip) -> None:  # type: ignore[override]
        self.log.append(f"back {flip.name}")


def test_a_setting_is_turned_over_between_its_waves(registrar, authority):
    log: list[str] = []
    flip = Flip("switch", "off", None, None)  # type: ignore[arg-type]
    waves = (flip.before, flip.during, flip.returned, flip.after)
    cases = [
        Case(register(registrar, authority, "alice", Expected(True), name=wave, impact="changes"), wave)
        for wave in reversed(waves)
    ]

    class Slow(Flipping):
        async def end(self, flip: Flip) -> None:
            log.append("back begins")
            await asyncio.sleep(0)
            await super().end(flip)

    run(
        cases,
        registrar,
        hands=Slow(log),
        flips=(flip,),
        listener=lambda i, *_: log.append(i.rpartition("/")[2]),
    )
    assert log == [
        *("switch:before", "turn switch", "switch:during", "back begins", "back switch"),
        *("switch:returned", "switch:after"),
    ]  # fmt: skip


def test_a_setting_is_put_back_when_the_run_is_interrupted(registrar, authority):
    log: list[str] = []
    flip = Flip("switch", "off", None, None)  # type: ignore[arg-type]
    alice = register(registrar, authority, "alice", Expected(True), impact="changes")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([Case(alice, flip.during)], registrar, hands=Flipping(log), flips=(flip,), listener=interrupt)
    assert log == ["turn switch", "back switch"]


def test_a_setting_that_cannot_be_put_back_fails_the_run(registrar, authority):
    class Broken(Flipping):
        async def end(self, flip: Flip) -> None:
            raise DisruptionError("no host answers")

    flip = Flip("switch", "off", None, None)  # type: ignore[arg-type]
    alice = register(registrar, authority, "alice", Expected(True), impact="changes")
    engine = Engine(
        cases=[Case(alice, flip.during)],
        witness=Seen(registrar, {}),
        passwords=PASSWORDS,
        open_place=Place.here,
        hands=Broken([]),  # type: ignore[arg-type]
        inspector=None,  # type: ignore[arg-type]
        flips=(flip,),
    )
    asyncio.run(engine.run())
    assert engine.problems == ["not put right: no host answers"]


def test_what_a_cell_leans_on_is_run_with_it(registrar, authority):
    cases = messages(registrar, authority)
    ids = [case.cell.id for case in chosen(cases, frozenset({"read"}), ["forged"])]
    assert ids == [case.cell.id for case in cases]
    assert [c.cell.id for c in chosen(cases, frozenset({"read"}), ["*/bob"])] == ["sign-in/here/ipv4/bob"]
    with pytest.raises(ProofError, match="no cell fits 'nonsense'"):
        chosen(cases, frozenset({"read"}), ["nonsense"])


def test_only_cells_of_the_asked_impact_run(registrar, authority):
    read = Case(register(registrar, authority, "alice", Expected(True)))
    impact: Impact = "disrupts"
    other = Case(replace(register(registrar, authority, "bob", Expected(True)), impact=impact))
    assert chosen([read, other], frozenset({"read"})) == [read]
    assert chosen([read, other], frozenset({"read", "disrupts"})) == [read, other]


def test_what_could_not_be_put_right_is_told_and_nothing_is_proven_by_it(registrar, authority):
    class Clumsy(NoHands):
        async def end(self, disruption: Disruption) -> None:
            raise DisruptionError(f"{disruption.name}: host: no route")

    disruption = Disruption("power", ("host",), "true", "true")
    case = Case(register(registrar, authority, "alice", Expected(True)), disruption.during)
    engine = Engine(
        cases=[case],
        witness=Seen(registrar, {}),
        passwords=PASSWORDS,
        open_place=Place.here,
        hands=Clumsy([]),
        inspector=None,
        disruptions=(disruption,),
    )  # type: ignore[arg-type]
    results = asyncio.run(prove(engine, deployment="x", digest=""))
    assert results.summary["proven"] == 1
    assert results.problems == ("not put right: power: host: no route",)
    assert not results.proven


def test_a_cell_waits_for_those_it_comes_after_and_for_nobody_who_does_not_run(registrar, authority):
    first = register(registrar, authority, "alice", Expected(True), name="first")
    second = register(registrar, authority, "bob", Expected(True), name="second")
    after = ("sign-in/here/ipv4/first", "sign-in/here/ipv4/nowhere")
    seen = run([Case(second, after=after), Case(first)], registrar)
    assert verdicts(seen) == {"first": "proven", "second": "proven"}
    who = [message.get("From").split("sip:")[1].split("@")[0] for message in registrar.seen]
    assert who == sorted(who), "alice is done before bob begins"


def test_what_is_published_must_be_told(registrar, authority):
    registrar.passwords["bob"] = "builder"
    alice = register(registrar, authority, "alice", Expected(True), session="alice", name="alice")
    watch = replace(
        alice, id="presence/here/ipv4/subscribe", probe="sip.subscribe",
        arguments=alice.arguments | {"to": "bob@lab.example", "dialog": "buddy"},
    )  # fmt: skip
    bob = register(registrar, authority, "bob", Expected(True), session="bob", name="bob")
    publish = replace(bob, id="presence/here/ipv4/publish", probe="sip.publish")
    receiver = Receiver("here", "alice")
    # The peer tells only who asks anew: a state that is published after the subscription never arrives.
    late = run(
        [Case(alice, "sign-in"), Case(watch), Case(publish, receiver=receiver, after=(watch.id,))], registrar
    )
    assert (verdicts(late)["subscribe"], verdicts(late)["publish"]) == ("proven", "broken")

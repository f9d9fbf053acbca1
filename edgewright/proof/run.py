"""Running cells: places are opened once, waves follow each other, hosts bear witness, all is judged."""

from __future__ import annotations

import asyncio
import fnmatch
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from edgewright.proof import autodiscover, closed, contacts, inside, rooms, served, verdict
from edgewright.proof.case import RIGHT, RUN, WRONG, Case
from edgewright.proof.disruption import Disruption, DisruptionError, Hands
from edgewright.proof.flips import Flip
from edgewright.proof.places import Answer, Place, PlaceError, fault
from edgewright.proof.results import Results
from edgewright.proof.types import Cell, Impact, Observed, Result, Verdict
from edgewright.proof.witness import Refusal, Witness, reason

READ: frozenset[Impact] = frozenset({"read"})
WAVES = ("sign-in", "before", "main", "contacts", "privacy", *rooms.WAVES, "gather", "across")
CARRY_TEXT = ("sip.message", "sip.publish", "sip.call", "sip.burst", "sip.peer", "file.send")
"""Verbs whose text is the engine's, so that it can be recognised wherever it arrives."""
Listener = Callable[[str, int, int], None]
"""Called with the cell that is done, how many are done, and of how many."""


class ProofError(Exception):
    """A run that cannot begin; the message says what to do."""


@dataclass
class Engine:
    """One run of some cases against a deployment's hosts."""

    cases: Sequence[Case]
    witness: Witness
    passwords: dict[str, str]
    open_place: Callable[[str], Place]
    hands: Hands
    inspector: inside.Inspector
    disruptions: Sequence[Disruption] = ()
    flips: Sequence[Flip] = ()
    listener: Listener | None = None
    sides: dict[str, str] = field(default_factory=dict)
    """Hosts of other organisations, and whose they are; all others are ours."""
    name: str = ""
    """What our side is called in results."""
    patience: float = 8
    """Seconds within which a message that was sent must arrive."""
    answers: dict[str, Answer] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _places: dict[str, Place] = field(default_factory=dict)
    _lost: dict[str, str] = field(default_factory=dict)

    async def run(self) -> tuple[Result, ...]:
        """Run every case and judge it; places are closed and disruptions undone whatever happens."""
        word = secrets.token_hex(3)
        self.cases = [_of_run(case, word) for case in self.cases]
        try:
            await self._timed("places and witnesses", self._begin())
            for wave in WAVES:
                await self._timed(wave, self._wave(wave))
            waves = {case.wave for case in self.cases}
            for disruption in self.disruptions:
                if disruption.during not in waves and disruption.after not in waves:
                    continue
                await self._timed(disruption.name, self._disrupt(disruption))
            await self._timed("deliveries", self._deliveries())
            for flip in self.flips:
                if flip.during in waves:
                    await self._timed(flip.name, self._flip(flip))
            if self.flips:
                await self._timed("deliveries after flips", self._deliveries())
        finally:
            await self._timed("closing", asyncio.gather(*(p.stop() for p in self._places.values())))
        await self._timed("journals and counters", self.witness.end())
        return self._judge()

    async def _timed(self, name: str, work: Any) -> None:
        start = time.monotonic()
        await work
        self.timings[name] = round(time.monotonic() - start, 2)

    async def _begin(self) -> None:
        hosts = {case.cell.vantage for case in self.cases if not case.cell.probe.startswith(inside.PROBE)}
        hosts |= {r.vantage for case in self.cases if case.receiver for r in (case.receiver, *case.also)}
        await asyncio.gather(self.witness.begin(), *(self._open(host) for host in sorted(hosts)))

    async def _open(self, host: str) -> None:
        place = self.open_place(host)
        try:
            await place.start()
        except PlaceError as error:
            self._lost[host] = str(error)
            self.problems.append(str(error))
        else:
            self._places[host] = place

    async def _wave(self, wave: str) -> None:
        cases = [case for case in self.cases if case.wave == wave]
        done = {case.cell.id: asyncio.Event() for case in cases}

        async def in_turn(case: Case) -> None:
            for identity in case.after:
                if identity in done:
                    await done[identity].wait()
            try:
                await self._case(case)
            finally:
                done[case.cell.id].set()

        await asyncio.gather(*(in_turn(case) for case in cases))

    async def _disrupt(self, disruption: Disruption) -> None:
        try:
            await self.hands.begin(disruption)
            await self._wave(disruption.during)
        except DisruptionError as error:
            self.problems.append(str(error))
        finally:
            # Whatever happened, Ctrl-C included: what was broken is put right before anything else.
            await asyncio.shield(self._mend(disruption))
        await self._wave(disruption.after)

    async def _flip(self, flip: Flip) -> None:
        await self._wave(flip.before)
        start = time.monotonic()
        try:
            await self.hands.begin(flip)
            self.timings[f"{flip.name}: enforced"] = round(time.monotonic() - start, 2)
            await self._wave(flip.during)
        except DisruptionError as error:
            self.problems.append(str(error))
        finally:
            await asyncio.shield(self._mend(flip))
        await self._wave(flip.returned)
        await self._wave(flip.after)

    async def _mend(self, disruption: Disruption | Flip) -> None:
        try:
            await self.hands.end(disruption)
        except DisruptionError as error:
            self.problems.append(f"not put right: {error}")

    async def _case(self, case: Case) -> None:
        end = time.monotonic() + case.within
        found = await self._attempt(case)
        while case.within and not found.observed.allowed and time.monotonic() < end:
            await asyncio.sleep(1)
            found = await self._attempt(case)
        self.answers[case.cell.id] = _read(found)
        if self.listener:
            self.listener(case.cell.id, len(self.answers), len(self.cases))

    async def _attempt(self, case: Case) -> Answer:
        cell = case.cell
        if cell.probe.startswith(inside.PROBE):
            return await self.inspector.check(cell.vantage, cell.probe.removeprefix(inside.PROBE))
        arguments = self._prepared(case)
        if case.receiver is not None:
            sent = _prompt(cell, await self._ask(cell.vantage, cell.probe, arguments))
            # The receiver keeps what arrives: what came before it was asked for is found too.
            seconds = self.patience if sent.observed.allowed else 0.2
            wait = {"token": cell.arguments.get("awaits", self.tokens[cell.id]), "timeout": seconds}
            verb = "sip.wait"
            if "fetch" in cell.arguments:
                verb = "file.wait"
                wait |= {name: cell.arguments[name] for name in ("fetch", "bytes")}
            receivers = (case.receiver, *case.also)
            got = await asyncio.gather(
                *(self._ask(r.vantage, verb, wait | {"session": r.session}) for r in receivers)
            )
            # If one did not get it, that one is shown.
            worst = next((one for one in got if not one.observed.allowed), got[0])
            return _delivered(sent, worst, case.receiver.secrets)
        return _prompt(cell, await self._ask(cell.vantage, cell.probe, arguments))

    async def _ask(self, host: str, verb: str, arguments: dict[str, Any]) -> Answer:
        place = self._places.get(host)
        if place is None:
            return fault(self._lost.get(host, f"no place {host}"))
        return await place.ask(verb, arguments)

    def _prepared(self, case: Case) -> dict[str, Any]:
        """The arguments with the password put in and, for messages, a text that only this run sends."""
        arguments = dict(case.cell.arguments)
        if arguments.get("password") == RIGHT:
            arguments["password"] = self.passwords[arguments["user"]]
        elif arguments.get("password") == WRONG:
            arguments["password"] = secrets.token_urlsafe(12)
        if case.cell.probe in CARRY_TEXT and "body" not in arguments:
            token = self.tokens.setdefault(case.cell.id, secrets.token_hex(8))
            arguments["text"] = f"{case.cell.id} {token}"
            if "upload" in arguments:
                who = {"user": arguments["user"], "password": arguments.get("password")}
                arguments |= {"token": token, "upload": arguments["upload"] | who}
        return arguments

    async def _deliveries(self) -> None:
        """What was refused must not have arrived anywhere, whatever the sender was told."""
        held = {(r.vantage, r.session) for r in (case.receiver for case in self.cases) if r}
        boxes = await asyncio.gather(
            *(self._ask(vantage, "sip.received", {"session": session}) for vantage, session in sorted(held))
        )
        arrived = "\n".join(text for box in boxes for text in box.data.get("texts", ()))
        for case in self.cases:
            found = self.answers.get(case.cell.id)
            token = self.tokens.get(case.cell.id)
            if found is None or token is None or case.receiver or token not in arrived:
                continue
            # Of many messages some pass; of one that nobody answered in time it is not known.
            if case.late or (found.observed.shown or {}).get("some_passed"):
                continue
            shown = (found.observed.shown or {}) | {"delivered": True}
            self.answers[case.cell.id] = replace(
                found, observed=replace(found.observed, stage="done", allowed=True, shown=shown)
            )

    def _judge(self) -> tuple[Result, ...]:
        refusals = self.witness.refusals()
        counted = self.witness.counted()
        sides = _Sides(self.name, self.sides, refusals, self.witness.reached())
        judge = _Judge({case.cell.id: case for case in self.cases}, self.answers, sides, counted)
        return tuple(judge.result(case) for case in self.cases)


@dataclass(frozen=True)
class _Sides:
    """What the hosts of each organisation say of a request."""

    name: str
    others: dict[str, str]
    refusals: dict[str, list[Refusal]]
    received: dict[str, set[str]]

    def ours(self, correlation: Sequence[str]) -> str | None:
        """The reason that a host of ours logged."""
        return self._reason(correlation, self.name)

    def _reason(self, correlation: Sequence[str], side: str) -> str | None:
        hosts = {
            refusal.host
            for found in self.refusals.values()
            for refusal in found
            if self.others.get(refusal.host, self.name) == side
        }
        return reason(self.refusals, correlation, hosts)

    def said(self, wanted: Iterable[str], correlation: Sequence[str]) -> dict[str, Any]:
        """Of `logged` (side -> reason) and `reached` (sides that it came to) those that are `wanted`."""
        found: dict[str, Any] = {}
        if "logged" in wanted:
            sides = (self.name, *dict.fromkeys(self.others.values()))
            found["logged"] = {s: why for s in sides if (why := self._reason(correlation, s))}
        if "reached" in wanted:
            hosts = {host for identity in correlation for host in self.received.get(identity, ())}
            found["reached"] = sorted({self.others.get(host, self.name) for host in hosts})
        return found


@dataclass
class _Judge:
    cases: dict[str, Case]
    answers: dict[str, Answer]
    sides: _Sides
    counted: dict[str, dict[str, int]]
    _found: dict[str, Result] = field(default_factory=dict)

    def result(self, case: Case) -> Result:
        """The result of a case, its control judged first."""
        cell = case.cell
        if cell.id in self._found:
            return self._found[cell.id]
        found = self.answers.get(cell.id) or fault("the cell did not run")
        observed = found.observed
        if case.same_as:
            cell = replace(cell, expected=replace(cell.expected, shown=self._like(case.same_as)))
        if cell.expected.reason == verdict.CLOSED:
            observed = closed.witnessed(cell, observed, self.counted, self.demand(cell))
        elif "passes" in cell.arguments:
            observed = closed.passed(cell, observed, self.counted)
        else:
            said = self.sides.said(cell.expected.shown or {}, observed.correlation)
            shown = (observed.shown or {}) | said if said else observed.shown
            observed = replace(observed, reason=self.sides.ours(observed.correlation), shown=shown)
        given, why = verdict.judge(cell, observed, self._control(cell.control))
        if case.same_as and cell.expected.shown is None:
            given, why = "inconclusive", f"the answer it must equal, {case.same_as}, is not there"
        self._found[cell.id] = Result(cell, observed, given, why, found.seconds)
        return self._found[cell.id]

    def demand(self, cell: Cell) -> int:
        """Packets that the witnesses of a cell must have refused for all cells together that they witness."""
        witnesses = set(cell.arguments["witnesses"])
        return sum(
            len(other.arguments["ports"])
            for other in (case.cell for case in self.cases.values())
            if other.expected.reason == verdict.CLOSED and witnesses >= set(other.arguments["witnesses"])
        )

    def _like(self, identity: str) -> dict[str, Any] | None:
        shown = self.answers[identity].observed.shown if identity in self.answers else None
        if not shown or "headers" not in shown:
            return None
        return {key: shown.get(key) for key in verdict.COMPARED}

    def _control(self, identity: str | None) -> Verdict | None:
        if identity is None or identity not in self.cases:
            return None
        return self.result(self.cases[identity]).verdict


def _of_run(case: Case, word: str) -> Case:
    """The case with the run's own word in its arguments and in what must be shown."""
    cell = case.cell
    if RUN not in str(cell.arguments):
        return case
    expected = replace(cell.expected, shown=_named(cell.expected.shown, word))
    named = replace(cell, arguments=_named(cell.arguments, word), expected=expected)
    return replace(case, cell=named)


def _named(value: Any, word: str) -> Any:
    if isinstance(value, str):
        return value.replace(RUN, word)
    if isinstance(value, dict):
        return {key: _named(one, word) for key, one in value.items()}
    return [_named(one, word) for one in value] if isinstance(value, list | tuple) else value


def _prompt(cell: Cell, found: Answer) -> Answer:
    """The answer with whether it came within `prompt` seconds, where the cell says so."""
    if "prompt" not in cell.arguments:
        return found
    shown = (found.observed.shown or {}) | {"prompt": found.seconds <= cell.arguments["prompt"]}
    return replace(found, observed=replace(found.observed, shown=shown))


def _delivered(sent: Answer, got: Answer, secrets: Sequence[str] = ()) -> Answer:
    """One observation of what was sent and should have arrived; what leaked of `secrets`, if any."""
    shown = (sent.observed.shown or {}) | {"delivered": got.observed.allowed}
    if sender := (got.observed.shown or {}).get("from"):
        shown["from"] = str(sender).partition("sip:")[2].partition(">")[0].partition(";")[0]
        shown["content_type"] = (got.observed.shown or {}).get("content_type")
        if "fetched" in (got.observed.shown or {}):
            shown["fetched"] = (got.observed.shown or {})["fetched"]
        shown["unchanged"] = sent.data.get("text") == got.data.get("text")
    if secrets and got.observed.allowed:
        headers = got.data.get("headers", ())
        shown["leaked"] = leaked(headers, secrets)
        shown["says"] = sorted({n.lower() for n, _ in headers if n.lower().startswith("ms-")})
    arrived: Sequence[str] = got.observed.transcript
    transcript = (*sent.observed.transcript, *(f"at the receiver: {line}" for line in arrived))
    allowed = sent.observed.allowed and got.observed.allowed
    stage = sent.observed.stage if allowed or not sent.observed.allowed else "protocol"
    observed = Observed(stage, allowed, None, shown, sent.observed.correlation, transcript)
    return Answer(observed, sent.data, sent.seconds)


OURS_ALONE = ("p-asserted-identity", "p-preferred-identity", "ms-diagnostics", "server")
"""Headers that stay in the organisation, as do all that begin with `X-`."""


def leaked(headers: Iterable[Sequence[str]], secrets: Sequence[str]) -> list[str]:
    """Names of headers that must not have left: ours alone, or with one of the secrets in them."""
    return sorted(
        name
        for name, value in headers
        if name.lower().startswith("x-")
        or name.lower() in OURS_ALONE
        or any(secret in value.lower() for secret in secrets)
    )


def _read(found: Answer) -> Answer:
    """The answer with what a verb leaves to the engine's judgement put into `shown`."""
    if "chain" in found.data:
        more = served.describe(found.data["chain"])
    elif "body" in found.data:
        more = autodiscover.describe(found.data["body"]) | contacts.describe(found.data["body"])
    else:
        return found
    shown = (found.observed.shown or {}) | more
    return replace(found, observed=replace(found.observed, shown=shown))


def chosen(cases: Iterable[Case], impacts: frozenset[Impact], only: Sequence[str] = ()) -> list[Case]:
    """The cases of these impacts whose id fits one of the patterns, and all that they lean on.

    A pattern is a shell pattern or a part of the id; no pattern means every case.

    Raises:
        ProofError: a pattern fits no cell.
    """
    known = {case.cell.id: case for case in cases}
    wanted: list[str] = []
    for pattern in only:
        fitting = [i for i in known if pattern in i or fnmatch.fnmatch(i, pattern)]
        if not fitting:
            raise ProofError(f"no cell fits {pattern!r}; `edgewright verify --list` shows them")
        wanted += fitting
    queue = wanted if only else list(known)
    queue = [i for i in queue if known[i].cell.impact in impacts]
    taken: set[str] = set()
    while queue:
        identity = queue.pop()
        if identity in taken or identity not in known:
            continue
        taken.add(identity)
        queue += known[identity].leans_on
    return [case for identity, case in known.items() if identity in taken]


async def prove(
    engine: Engine, *, deployment: str, digest: str, versions: dict[str, str] | None = None
) -> Results:
    """Run an engine and put the results together."""
    started, clock = datetime.now(UTC), time.monotonic()
    results = await engine.run()
    problems = [*engine.problems, *engine.witness.problems()]
    return Results(
        deployment,
        digest,
        started,
        time.monotonic() - clock,
        results,
        (versions or {}) | engine.witness.versions(),
        engine.timings,
        tuple(problems),
        engine.witness.counted(),
    )

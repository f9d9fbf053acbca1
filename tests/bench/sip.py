"""SIP through Edge and Director, against a direct connection to the Front End, in one run on one machine.

The three are real (tests/sip): containers of the lab's images with the roles' configuration. The generator
shares the machine's processors with them, so only ratios mean anything elsewhere. EDGEWRIGHT_BENCH_USERS
(default 2000) says how many users are held on the Edge.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tests.bench import Figure

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "sip"))
sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "tables" / "src"))

from stage.ground import MissingError
from stage.pki import client_context
from stage.stages import (
    FIRST_CLIENT,
    FRIENDS,
    PASSWORD,
    DirectorStage,
    EdgeStage,
    FrontEndStage,
    Stage,
)

from edgewright import model
from tests.bench.generator import Door, Load, User, loaded

HELD = int(os.environ.get("EDGEWRIGHT_BENCH_USERS", "2000"))
ACTIVE, ROUNDS, IN_FLIGHT = 100, 8, 20
"""Users whose requests are counted, requests of each, and how many are on their way at a time."""
DOMAIN = "contoso.example"
MANY = {"access_edge_connections": HELD + 1000, "access_edge_memory_mb": 256 + HELD // 7}
"""What an operator gives an Edge for more than the defaults hold."""


def _described(stage: Stage, folder: Path) -> model.Deployment:
    users = {f"u{number}@{DOMAIN}": {"name": f"User {number}"} for number in range(max(HELD, 2 * ACTIVE))}
    (folder / "users.yml").write_text(yaml.safe_dump({"schema": 1, "users": users}))
    return model.load(folder)


class _Edge(EdgeStage):
    beside = ("director1", "fe1")
    knobs: ClassVar[dict[str, Any]] = MANY if HELD > 7000 else {}

    def _describe(self) -> model.Deployment:
        return _described(self, super()._describe().folder)

    def _populate(self) -> None:
        Stage._populate(self)


class _Director(DirectorStage):
    def _populate(self) -> None:
        Stage._populate(self)


class _FrontEnd(FrontEndStage):
    def _populate(self) -> None:
        Stage._populate(self)


class Chain:
    """Edge, Director and Front End."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        try:
            self.edge = _Edge()
            self.stages.append(self.edge)
            self.stages.append(_Director(self.edge))
            self.front_end = _FrontEnd(self.edge)
            self.stages.append(self.front_end)
        except BaseException:
            self.close()
            raise
        for stage in self.stages:
            stage._alive()

    def close(self) -> None:
        """Remove them, the one that has the network last."""
        for stage in reversed(self.stages):
            stage.close()

    def doors(self) -> tuple[list[Door], list[Door]]:
        """The Edge's, and the Front End's for clients inside: IPv4, IPv6."""
        outside = client_context(None, self.edge.outside)
        inside = client_context(None, self.edge.inside)
        edge, front_end = self.edge._targets("x", "a"), self.front_end._targets("p")
        return (
            [Door(*edge[family], outside, self.edge.name) for family in (4, 6)],
            [Door(*front_end[family], inside, self.front_end._fqdn) for family in (4, 6)],
        )

    def processor(self) -> float:
        """Seconds of processor time that Kamailio has taken on all hosts so far."""
        ticks = 0
        for stage in self.stages:
            for process in stage.container.processes():
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def users(self, doors: list[Door], first: int, count: int) -> list[User]:
        """Users at a door, every other one by IPv6, from many addresses: an Edge limits those of one."""
        made = []
        for number in range(first, first + count):
            host, door = FIRST_CLIENT + number % FRIENDS, doors[number % 2]
            source = self.edge.slot.address(host, 6 if ":" in door.address else 4)
            made.append(User(f"u{number}", DOMAIN, PASSWORD, door, source))
        return made

    def memory(self) -> int:
        """Bytes of shared memory in use on the Edge."""
        found = self.edge.tables.rpc("core.shmmem")[0]
        return int(found["used"])


async def _in(user: User) -> None:
    await user.connect()
    await user.register()


@dataclass
class Side:
    """One way to the Front End: what its users did, and the processor time that the hosts took for it."""

    users: list[User]
    registrations: list[Load] = field(default_factory=list)
    messages: list[Load] = field(default_factory=list)
    alone: list[Load] = field(default_factory=list)
    processor: dict[str, float] = field(default_factory=dict)

    def rate(self, kind: str) -> float:
        """Per second, over all rounds."""
        loads: list[Load] = getattr(self, kind)
        return sum(load.done for load in loads) / sum(load.seconds for load in loads)

    def cost(self, kind: str) -> float:
        """Milliseconds of processor time each."""
        loads: list[Load] = getattr(self, kind)
        return self.processor[kind] * 1000 / sum(load.done for load in loads)

    @property
    def latency(self) -> float:
        """Milliseconds of a message when nothing else is on its way: the median of the rounds' medians."""
        return sorted(load.median for load in self.alone)[len(self.alone) // 2]

    async def round(self, kind: str, chain: Chain) -> None:
        """One round of one kind."""
        around = zip(self.users, [*self.users[1:], self.users[0]], strict=True)
        before = chain.processor()
        if kind == "registrations":
            load = await loaded((user.register for user in self.users), IN_FLIGHT)
        elif kind == "messages":
            load = await loaded((_to(user, other) for user, other in around), IN_FLIGHT)
        else:
            load = await loaded((_to(user, other) for user, other in itertools.islice(around, 20)), 1)
        self.processor[kind] = self.processor.get(kind, 0) + chain.processor() - before
        if load.failed:
            raise RuntimeError(f"{len(load.failed)} {kind} failed, e.g. {load.failed[0]}")
        getattr(self, kind).append(load)


Work = Callable[[], Awaitable[None]]


def _bound(work: Callable[[User], Awaitable[None]], user: User) -> Work:
    return lambda: work(user)


def _to(user: User, other: User) -> Work:
    return lambda: user.message(other.name)


async def _measure(chain: Chain) -> list[Figure]:
    edge, front_end = chain.doors()
    far, near = Side(chain.users(edge, 0, ACTIVE)), Side(chain.users(front_end, ACTIVE, ACTIVE))
    for side in (far, near):
        await loaded((_bound(_in, user) for user in side.users), IN_FLIGHT)
    # By turns, so that whatever else the machine does falls on both.
    for _ in range(ROUNDS):
        for kind in ("registrations", "messages", "alone"):
            for side in (far, near):
                await side.round(kind, chain)
    figures = []
    for kind in ("registrations", "messages"):
        _say(
            f"{kind}: {far.rate(kind):.0f}/s and {far.cost(kind):.2f} ms of processor each by the chain, "
            f"{near.rate(kind):.0f}/s and {near.cost(kind):.2f} ms at the Front End alone"
        )
        rates, costs = near.rate(kind) / far.rate(kind), far.cost(kind) / near.cost(kind)
        figures += [
            Figure(f"{kind} per second, Front End alone over chain", rates, 4, "times"),
            Figure(f"processor time of {kind}, chain over Front End alone", costs, 6, "times"),
        ]
    _say(f"one message alone: {far.latency:.1f} ms through the chain, {near.latency:.1f} ms at the Front End")
    figures.append(Figure("what the chain adds to a message", far.latency - near.latency, 60, "ms"))
    for user in (*far.users, *near.users):
        await user.close()
    return [*figures, *await _held(chain, edge)]


async def _held(chain: Chain, doors: list[Door]) -> list[Figure]:
    """Many users on one Edge; then all of them come back at once."""
    await asyncio.sleep(3)
    before = chain.memory()
    users = chain.users(doors, 0, HELD)
    came = await loaded((_bound(_in, user) for user in users), IN_FLIGHT)
    each = (chain.memory() - before) / HELD / 1024
    _say(f"{came.done} users came at {came.rate:.0f}/s, {each:.0f} KB of the Edge's memory each")
    for failed in came.failed[:3]:
        _say(failed)
    await asyncio.sleep(10)
    alive = sum(user.connected for user in users)
    asked = users[:: max(1, HELD // 500)]
    renewed = await loaded((user.register for user in asked), IN_FLIGHT)
    lost = HELD - min(came.done, alive) + len(asked) - renewed.done
    for user in users:
        await user.close()
    await asyncio.sleep(1)
    began = time.monotonic()
    back = await loaded((_bound(_back, user) for user in users), len(users))
    seconds = time.monotonic() - began
    half = back.median / 1000
    _say(f"all {HELD} at once: {back.done} back after {seconds:.0f} s, half of them within {half:.0f} s")
    for user in users:
        await user.close()
    await asyncio.sleep(5)
    kept = (chain.memory() - before) / 1024
    return [
        Figure(f"memory of the Edge per connection, {HELD} held", each, 140, "KB"),
        Figure("users that were not served while held", lost, 0, "users"),
        Figure("all back after losing their connections at once", seconds / HELD * 1000, 30, "s per 1000"),
        Figure("users that did not come back", HELD - back.done, 0, "users"),
        Figure("memory that is not given back", kept / HELD, 8, "KB per connection"),
    ]


async def _back(user: User) -> None:
    """As clients do: again, a little later each time."""
    for pause in (0.5, 1, 2, 4, 8, 16, 30, 30):
        try:
            await _in(user)
        except Exception:
            await user.close()
            await asyncio.sleep(pause)
            continue
        return
    await _in(user)


def _say(text: str) -> None:
    print(f"     {text}")


def run() -> list[Figure]:
    """None where this machine cannot make the containers."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        chain = Chain()
    except MissingError as missing:
        _say(str(missing))
        return []
    try:
        return asyncio.run(_measure(chain))
    finally:
        chain.close()

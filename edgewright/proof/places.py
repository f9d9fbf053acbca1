"""Places: where a probe runs. One ssh session per place; cells go in, observations come out (JSON lines).

The probe is built from its sources and handed over on standard input, straight into memory: what runs is
what this version of the engine expects, and a host of the organisation keeps nothing of it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgewright.proof.types import Observed, Stage

ROOT = Path(__file__).resolve().parents[2]

_STARTER = """
import os, sys
def take(n):
    b = b""
    while len(b) < n:
        p = os.read(0, n - len(b))
        if not p:
            sys.exit(1)
        b += p
    return b
size = int(take(10))
f = os.memfd_create("probe", 0)
os.write(f, take(size))
os.execvp("python3", ["python3", "-I", "/proc/self/fd/%d" % f])
"""


class PlaceError(Exception):
    """A place cannot be used: ssh failed, or the probe did not start; the message says which and how."""


def archive() -> bytes:
    """probe.pyz, built from `probes/`."""
    path = ROOT / "probes" / "build.py"
    spec = importlib.util.spec_from_file_location("edgewright_probe_build", path)
    if spec is None or spec.loader is None:
        raise PlaceError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: bytes = module.archive()
    return made


def ssh(config: Path, host: str, command: str) -> list[str]:
    """The arguments that run `command` on `host` through the deployment's ssh configuration."""
    return ["ssh", "-F", str(config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", host, command]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb gave: the observation, what is for the engine's own judgement, and how long it took."""

    observed: Observed
    data: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def answer(document: dict[str, Any]) -> Answer:
    """The answer in one line of a probe's output."""
    stage: Stage = document.get("stage", "resolve")
    observed = Observed(
        stage=stage,
        allowed=bool(document.get("allowed")),
        shown=document.get("shown") or {},
        correlation=tuple(document.get("correlation") or ()),
        transcript=tuple(document.get("transcript") or ()),
    )
    return Answer(observed, document.get("data") or {}, float(document.get("seconds", 0.0)))


def fault(why: str) -> Answer:
    """The answer when there is none: judged inconclusive, never a refusal."""
    return Answer(Observed("resolve", False, shown={"fault": why}))


class Place:
    """A running probe on one host."""

    def __init__(self, host: str, command: list[str]) -> None:
        self.host = host
        self.python = ""
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._reading: asyncio.Task[None] | None = None
        self._why = ""

    @classmethod
    def over_ssh(cls, config: Path, host: str) -> Place:
        """The place `host`, reached by ssh."""
        return cls(host, ssh(config, host, shlex.join(["python3", "-I", "-c", _STARTER])))

    @classmethod
    def here(cls, host: str = "here") -> Place:
        """A place on this machine, for tests."""
        return cls(host, ["python3", "-I", "-c", _STARTER])

    async def start(self, timeout: float = 20) -> None:
        """Start the probe and wait for its first line.

        Raises:
            PlaceError: ssh or the probe failed.
        """
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        program = archive()
        try:
            self._process.stdin.write(f"{len(program):010d}".encode() + program)
            async with asyncio.timeout(timeout):
                await self._process.stdin.drain()
                hello = await self._process.stdout.readline()
        except (TimeoutError, OSError):
            hello = b""
        if not hello:
            raise PlaceError(f"no probe on {self.host}: {await self._failure()}")
        self.python = json.loads(hello).get("python", "")
        self._reading = asyncio.create_task(self._read())

    async def _failure(self) -> str:
        if self._process is None or self._process.stderr is None:
            return "not started"
        try:
            # Its output has ended, so it is about to end itself; a signal would take its exit status away.
            async with asyncio.timeout(2):
                await self._process.wait()
        except TimeoutError:
            self._process.terminate()
        said = (await self._process.stderr.read()).decode("utf-8", "replace").strip()
        return said.splitlines()[-1] if said else "no answer"

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            document = json.loads(line)
            waiting = self._waiting.pop(str(document.get("id")), None)
            if waiting and not waiting.done():
                waiting.set_result(document)
        self._why = await self._failure()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(PlaceError(f"the probe on {self.host} ended: {self._why}"))

    async def ask(self, verb: str, arguments: dict[str, Any], timeout: float = 30) -> Answer:
        """Run one verb; a lost place or a time-out is a fault in `shown`, never an exception."""
        if self._process is None or self._process.stdin is None or self._why:
            return fault(self._why or f"no probe on {self.host}")
        number = str(next(self._numbers))
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        line = json.dumps({"id": number, "verb": verb, "arguments": arguments}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            async with asyncio.timeout(timeout):
                await self._process.stdin.drain()
                return answer(await waiting)
        except TimeoutError:
            return fault(f"the probe on {self.host} gave no answer in {timeout:g} s")
        except (OSError, PlaceError) as error:
            return fault(str(error))
        finally:
            self._waiting.pop(number, None)

    async def stop(self) -> None:
        """End of input: the probe signs out what it holds and goes."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

"""Cells of inside checks, and running them: one testinfra connection per host, identical commands once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import testinfra

from edgewright.plan.types import HostPlan
from edgewright.proof.case import YES, Case, Maker
from edgewright.proof.inside.checks import CHECKS, Context, Failed
from edgewright.proof.places import Answer, fault
from edgewright.proof.scope import Scope
from edgewright.proof.types import Observed

AREA = "host"
PROBE = "inside."
"""Begins the probe of a cell that is an inside check."""

THREADS = 4


def make(scope: Scope) -> Iterator[Case]:
    """A cell for each of our hosts and check that concerns it."""
    maker = Maker(AREA, "internal", "configuration")
    for host in scope.ours:
        for name, check in CHECKS.items():
            if check.concerns(scope, host):
                yield Case(
                    maker(name, host.name, "any", check.situation, YES, PROBE + name, {}), wave="sign-in"
                )


class Remembering:
    """Runs commands on a host through testinfra; the same command is run once."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.lines: list[str] = []
        self._known: dict[str, Any] = {}

    def run(self, command: str) -> Any:
        """The result of a command: `rc`, `stdout`, `stderr`."""
        if command not in self._known:
            self._known[command] = self.host.run(command)
        found = self._known[command]
        self.lines.append(f"$ {command}\n{(found.stdout + found.stderr)[:3000]}")
        return found


@dataclass
class Inspector:
    """Runs inside checks; hosts in parallel, the checks of one host one after the other."""

    scope: Scope
    config: Path
    _hosts: dict[str, Remembering] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS))

    async def check(self, host: str, name: str) -> Answer:
        """The answer of one check; anything but its own verdict is a fault."""
        async with self._locks.setdefault(host, asyncio.Lock()):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._check, self.scope.plan.hosts[host], name)

    def _check(self, host: HostPlan, name: str) -> Answer:
        start = time.monotonic()
        if host.name not in self._hosts:
            connection = testinfra.get_host(f"ssh://{host.name}", ssh_config=str(self.config))
            self._hosts[host.name] = Remembering(connection)
        runner = self._hosts[host.name]
        runner.lines = []
        allowed = True
        try:
            shown = CHECKS[name].run(Context(self.scope, host, runner)) or {}
        except Failed as failed:
            allowed, shown = False, {"found": str(failed)}
        except Exception as error:
            return fault(f"{type(error).__name__}: {error}")
        observed = Observed("done" if allowed else "policy", allowed, None, shown, (), tuple(runner.lines))
        return Answer(observed, {}, time.monotonic() - start)

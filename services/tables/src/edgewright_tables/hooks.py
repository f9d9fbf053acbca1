"""Which daemons use which tables, and how each learns of new ones: `/etc/edgewright/tables.d/<name>.json`.

    {"schema": 1, "unit": "kamailio.service", "tables": ["users", "domains"],
     "reload": ["/usr/sbin/kamcmd", "htable.reload", "{table}"]}

With `{table}` the command runs once per changed table, without it once. A daemon that is not running is left
alone: it reads the tables when it starts.

`"live": true` (may be left out): it is Kamailio, and takes a few changed rows singly, by its own RPC
(`htable.sets`, `htable.delete`): in milliseconds, where reading a large table anew takes seconds.

`"rows": {"users": ["/usr/bin/python3", ...]}` (may be left out) names, by table, a program that acts on
single rows once the daemon has the new ones, e.g. ends what a user may no longer have. It gets
`{"<key>": [before, after], ...}` on standard input; null: there was, or is, no such row.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgewright_tables import rpc

_PATIENCE = 10.0
"""Seconds in which a daemon that is just starting may refuse."""


Changes = dict[str, tuple[str | None, str | None]]
"""Key -> value before and after."""


class HookError(Exception):
    """A hook cannot be read, or a daemon did not take the new tables."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One daemon's use of the tables."""

    name: str
    unit: str
    tables: frozenset[str]
    reload: tuple[str, ...]
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    live: bool = False

    @property
    def compares(self) -> bool:
        """Whether it matters which rows changed."""
        return self.live or bool(self.rows)

    def commands(self, changed: set[str]) -> Iterator[tuple[str, ...]]:
        """The commands that tell the daemon of changed tables."""
        mine = sorted(self.tables & changed)
        if not mine or not self.reload:
            return
        if any("{table}" in part for part in self.reload):
            for table in mine:
                yield tuple(part.replace("{table}", table) for part in self.reload)
        else:
            yield self.reload


def read(folder: Path) -> tuple[Hook, ...]:
    """All hooks by name of file.

    Raises:
        HookError: a file that is not as above.
    """
    return tuple(_hook(path) for path in sorted(folder.glob("*.json")))


def _hook(path: Path) -> Hook:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != 1:
            raise HookError(f"{path}: schema {found['schema']!r} is not known here")
        rows = {str(table): tuple(command) for table, command in found.get("rows", {}).items()}
        tables, reload = frozenset(found["tables"]), tuple(found["reload"])
        return Hook(path.stem, str(found["unit"]), tables, reload, rows, found.get("live") is True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HookError(f"{path}: should have schema, unit, tables and reload ({error!r})") from None


def running(unit: str) -> bool:
    """True while the unit runs, or is about to."""
    asked = subprocess.run(["systemctl", "is-active", unit], check=False, capture_output=True, text=True)
    return asked.stdout.strip() in {"active", "activating", "reloading"}


def run(hook: Hook, changed: set[str]) -> None:
    """Tell a daemon of changed tables, if it runs.

    Raises:
        HookError: it did not take them.
    """
    deadline = time.monotonic() + _PATIENCE
    for command in hook.commands(changed):
        while running(hook.unit):
            ran = subprocess.run(command, check=False, capture_output=True, text=True)
            said = (ran.stdout + ran.stderr).strip()
            # kamcmd ends with 0 although the daemon refused.
            if ran.returncode == 0 and not said.startswith("error:"):
                break
            if time.monotonic() > deadline:
                raise HookError(f"{hook.unit} did not take the new tables: {' '.join(command)}: {said}")
            time.sleep(0.3)


def tell(hook: Hook, table: str, changes: Changes) -> bool:
    """Tell Kamailio of single rows; False where it did not take them (then it must read the table anew)."""
    if not running(hook.unit):
        return True
    calls = [
        ("htable.delete", table, key) if value is None else ("htable.sets", table, key, value)
        for key, (_, value) in changes.items()
    ]
    try:
        with rpc.connected() as kamailio:
            kamailio.calls(calls)
    except rpc.RpcError:
        return False
    return True


def follow(hook: Hook, table: str, changes: Changes) -> None:
    """Give the changed rows of one table to the hook's program, if it has one and the daemon runs.

    Raises:
        HookError: the program failed.
    """
    command = hook.rows.get(table)
    if not command or not changes or not running(hook.unit):
        return
    ran = subprocess.run(command, check=False, capture_output=True, text=True, input=json.dumps(changes))
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip()[-500:]
        raise HookError(f"{hook.unit}: what follows from table {table} failed: {said}")

"""A Director with 100,000 users gets new tables: its real configuration and on-host program, under requests.

From the moment the new tables are in use on disk: until the first decision by them; and from that until the
last decision by the old ones (the window). Users all over the changed rows are asked for, since few rows
change one by one. systemd is missing in the container, so a script says that the unit runs. Reading many rows
takes 0.3 s of processor time: longer on a machine that has other things to do. The window does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import Figure

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "sip"))
sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "tables" / "src"))
sys.path.insert(0, str(Path(__file__).parents[2] / "probes" / "src"))

from edgewright_tables import bundle
from stage import program
from stage.digest import authorized
from stage.ground import MissingError
from stage.messages import register
from stage.parties import Connection
from stage.stages import PASSWORD, DirectorStage

from edgewright.model.credentials import digest

USERS = 100_000
CHANGED = (1, 500, 5_000, USERS)
ASKED = 4
"""Users whose requests are made all the while, each over a connection of its own."""
PAUSE = 0.005
FIRST, WINDOW = 5.0, 0.5
"""Limits in seconds by the clock."""
READING = 0.6
"""Limit in seconds of processor time."""
STATE = "var/lib/edgewright"


def _address(number: int) -> str:
    return f"user{number:06}@contoso.example"


def _row(address: str, realm: str, **columns: str) -> str:
    # An outsider who may not: 403. One who is disabled: challenged again. The Director answers both itself.
    found = digest(address, realm, PASSWORD)
    given = {"enabled": "1", "outside": "0", "home": "fe.inside.contoso.example"} | columns
    return ";".join(f"{k}={v}" for k, v in {**given, "md5": found.md5, "sha256": found.sha256}.items())


@dataclass(frozen=True, slots=True)
class Switch:
    """Seconds."""

    first: float
    """From the switch on disk until the first decision by the new tables."""
    window: float
    """From then until the answer with the last decision by the old ones."""


def run() -> list[Figure]:
    """Figures of each number of changed rows; none where the SIP tests cannot run."""
    try:
        stage = DirectorStage()
    except MissingError as missing:
        sys.stderr.write(f"no switch-over measured: {missing}\n")
        return []
    try:
        return list(_figures(stage))
    finally:
        stage.close()


def _figures(stage: DirectorStage) -> Iterator[Figure]:
    program.install(stage.container)
    rest = {name: dict(rows) for name, rows in stage.tables._rows.items()}
    realm = stage.deployment.realm
    enabled = {_address(n): _row(_address(n), realm) for n in range(USERS)}
    _apply(stage, rest | {"users": enabled})
    # Single rows are told from the second commit on: then what Kamailio knows is known.
    _apply(stage, rest | {"users": enabled | {"last@contoso.example": "enabled=0"}})
    yield Figure(f"reading {USERS} users anew, processor time", _reading(stage), READING, "s")
    for count in CHANGED:
        step = USERS // count
        changed = [_address(n) for n in range(0, USERS, step)][:count]
        new = enabled | {address: _row(address, realm, enabled="0") for address in changed}
        asked = [changed[n * (count - 1) // (ASKED - 1)] for n in range(ASKED)]
        found = _measure(stage, rest | {"users": new}, sorted(set(asked)))
        _apply(stage, rest | {"users": enabled})
        title = f"switch-over, {count} of {USERS} users changed"
        yield Figure(f"{title}: until the first new decision", found.first, FIRST, "s")
        yield Figure(f"{title}: until the last old one", found.window, WINDOW, "s")


def _reading(stage: DirectorStage) -> float:
    """Processor time, at best of three."""

    def used() -> dict[int, int]:
        stats = {pid: Path(f"/proc/{pid}/stat").read_text() for pid in stage.container.processes()}
        return {pid: sum(map(int, stat.rpartition(")")[2].split()[11:13])) for pid, stat in stats.items()}

    found = []
    for _ in range(3):
        before = used()
        stage.tables.rpc("htable.reload", "users")
        found.append(max(after - before.get(pid, 0) for pid, after in used().items()))
    return min(found) / os.sysconf("SC_CLK_TCK")


def _apply(stage: DirectorStage, tables: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Stage and commit, as a host does."""
    made = bundle.make(tables)
    document = {"schema": 1, "checksum": made.checksum, "tables": made.tables}
    _program(stage, "stage", json.dumps(document).encode())
    return _program(stage, "commit")


def _program(stage: DirectorStage, verb: str, data: bytes = b"") -> dict[str, Any]:
    argv = ["nsenter", "--target", str(stage.container.pid), "--all", "/" + program.PROGRAM, verb]
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(stage: DirectorStage, tables: dict[str, dict[str, str]], asked: list[str]) -> Switch:
    made = bundle.make(tables)
    document = {"schema": 1, "checksum": made.checksum, "tables": made.tables}
    _program(stage, "stage", json.dumps(document).encode())
    end = threading.Event()
    seen: list[tuple[float, bool]] = []  # when answered, whether by the new tables
    askers = [threading.Thread(target=_ask, args=(stage, who, end, seen)) for who in asked]
    for one in askers:
        one.start()
    time.sleep(1)
    switched: list[float] = []
    watch = threading.Thread(target=_watch, args=(stage.container.root / STATE / "tables.sqlite", switched))
    watch.start()
    _program(stage, "commit")
    time.sleep(0.5)
    end.set()
    for one in [*askers, watch]:
        one.join()
    first = min(when for when, new in seen if new)
    last = max(when for when, new in seen if not new)
    return Switch(first - switched[0], max(0.0, last - first))


def _watch(path: Path, switched: list[float]) -> None:
    """Note when the file is replaced."""
    before = path.stat().st_ino
    while path.stat().st_ino == before:
        time.sleep(0.002)
    switched.append(time.monotonic())


def _ask(stage: DirectorStage, address: str, end: threading.Event, seen: list[tuple[float, bool]]) -> None:
    """Sign in again and again from outside; which tables decided, the answer tells."""
    asked = register(address)
    connection: Connection = stage.edge.connect()
    challenge = connection.send(stage.stamp(asked)).answer()
    while not end.is_set():
        request = authorized(register(address), challenge, PASSWORD)
        status = connection.send(stage.stamp(request)).answer(10).status
        seen.append((time.monotonic(), status == 401))
        assert status in (401, 403), status
        time.sleep(PAUSE)

"""stage, commit, rollback, status: each can be interrupted anywhere and simply be run again.

What each daemon was last told is remembered (`tables.told.json`), so a commit that was interrupted between
switching and telling is finished by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright_tables import hooks, store
from edgewright_tables.bundle import Bundle, make


class SwitchError(Exception):
    """What was asked cannot be done now; the tables in use are as they were."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is. `root` is another one only in tests."""

    state: Path
    hooks: Path
    group: str = "edgewright"

    @property
    def current(self) -> Path:
        """The tables in use."""
        return self.state / "tables.sqlite"

    @property
    def staged(self) -> Path:
        """The tables that the next commit puts in use."""
        return self.state / "tables.staged.sqlite"

    @property
    def previous(self) -> Path:
        """The tables that a rollback puts in use again."""
        return self.state / "tables.previous.sqlite"

    @property
    def told(self) -> Path:
        """Digests that each daemon was last told."""
        return self.state / "tables.told.json"

    def gid(self) -> int:
        """Group that may read the tables; -1 leaves it as it is."""
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            return -1


def default_places() -> Places:
    """Those of a host."""
    return Places(Path("/var/lib/edgewright"), Path("/etc/edgewright/tables.d"))


@contextlib.contextmanager
def _locked(places: Places) -> Iterator[None]:
    places.state.mkdir(parents=True, exist_ok=True)
    with (places.state / ".tables.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(places: Places) -> bool:
    """Make every table that a daemon of this host declares; a daemon runs this before it starts."""
    with _locked(places):
        return store.ensure(places.current, _declared(places), places.gid())


def stage(places: Places, bundle: Bundle) -> dict[str, Any]:
    """Write new tables beside those in use; what daemons declare and the bundle lacks is empty."""
    with _locked(places):
        complete = _completed(places, bundle)
        store.write(places.staged, complete, places.gid())
        return {"staged": complete.checksum}


def commit(places: Places) -> dict[str, Any]:
    """Put staged tables in use and tell the daemons; without staged ones, finish what was interrupted.

    Raises:
        SwitchError: nothing was ever staged.
        hooks.HookError: a daemon did not take them (they are in use on disk; commit again).
    """
    with _locked(places):
        staged = store.identity(places.staged)
        if staged is None and places.staged.exists():
            places.staged.unlink()
            raise SwitchError("the staged tables are damaged and were thrown away; stage again")
        if staged is None and store.identity(places.current) is None:
            raise SwitchError("nothing is staged")
        if staged is not None:
            if store.identity(places.current) is not None:
                store.keep(places.current, places.previous)
            store.switch(places.staged, places.current)
        return {"committed": _checksum(places.current), "told": _tell(places)}


def rollback(places: Places) -> dict[str, Any]:
    """Put the tables before the last commit in use again; those in use become the previous ones.

    Raises:
        SwitchError: there are none.
    """
    with _locked(places):
        if store.identity(places.previous) is None:
            raise SwitchError("there are no previous tables")
        beside = places.state / ".tables.rollback.sqlite"
        store.keep(places.previous, beside)
        store.keep(places.current, places.previous)
        store.switch(beside, places.current)
        places.staged.unlink(missing_ok=True)
        return {"committed": _checksum(places.current), "told": _tell(places)}


def status(places: Places) -> dict[str, Any]:
    """Checksums, digests and what a commit still has to do. Reads only."""
    current = store.identity(places.current)
    pending = sorted({t for changed in _untold(places).values() for t in changed}) if current else []
    return {
        "schema": 1,
        "committed": current.checksum if current else None,
        "staged": _checksum(places.staged),
        "previous": _checksum(places.previous),
        "tables": current.digests if current else {},
        "pending": pending,
    }


def _checksum(path: Path) -> str | None:
    found = store.identity(path)
    return found.checksum if found else None


def _declared(places: Places) -> frozenset[str]:
    return frozenset().union(*(hook.tables for hook in hooks.read(places.hooks)))


def _completed(places: Places, bundle: Bundle) -> Bundle:
    missing = _declared(places) - set(bundle.tables)
    return make({**bundle.tables, **{name: {} for name in missing}}) if missing else bundle


def _read_told(places: Places) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = json.loads(places.told.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _untold(places: Places) -> dict[str, set[str]]:
    """Per daemon, the tables it has not been told of."""
    current = store.identity(places.current)
    told = _read_told(places)
    digests = current.digests if current else {}
    return {
        hook.name: {
            table for table in hook.tables if digests.get(table) != told.get(hook.name, {}).get(table)
        }
        for hook in hooks.read(places.hooks)
    }


def _tell(places: Places) -> dict[str, list[str]]:
    current = store.identity(places.current)
    digests = current.digests if current else {}
    told = _read_told(places)
    untold = _untold(places)
    done: dict[str, list[str]] = {}
    for hook in hooks.read(places.hooks):
        changed = untold[hook.name]
        if not changed:
            continue
        hooks.run(hook, changed)
        told[hook.name] = {table: digests[table] for table in sorted(hook.tables) if table in digests}
        beside = places.told.with_name(f".{places.told.name}.new")
        beside.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        beside.replace(places.told)
        done[hook.name] = sorted(changed)
    return done

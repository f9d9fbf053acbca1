"""stage, commit, rollback, status: each can be interrupted anywhere and simply be run again.

What each daemon was last told is remembered (`tables.told.json`), so a commit that was interrupted between
switching and telling is finished by the next one. Where programs act on single rows, the tables that all of
them have followed are kept too (`tables.followed.sqlite`): what was missed in between is made up for.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright_tables import compare as comparing
from edgewright_tables import hooks, store
from edgewright_tables.bundle import Bundle, BundleError, Rows, make, parse

PROTOCOL = 2
"""What the controller may ask: 2 has `compare`, differences, and checksums with commit and rollback."""


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

    @property
    def followed(self) -> Path:
        """The tables whose changes all programs have acted on."""
        return self.state / "tables.followed.sqlite"

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


def stage_data(places: Places, data: bytes) -> dict[str, Any]:
    """`stage` of a bundle as it was received, whole or a difference against the tables in use.

    Raises:
        BundleError: it cannot be used, e.g. because other tables are in use than it starts from.
    """

    def base(checksum: str) -> dict[str, Rows]:
        if _checksum(places.current) != checksum:
            raise BundleError("other tables are in use here than the difference starts from; compare again")
        return store.read(places.current)

    return stage(places, parse(data, base))


def compare(places: Places, sums: dict[str, Any]) -> dict[str, Any]:
    """Digests of rows in use that may differ from the controller's (see `compare`). Reads only."""
    return {
        "committed": _checksum(places.current),
        "tables": {
            name: comparing.differing(store.rows(places.current, name), theirs)
            for name, theirs in sums.items()
        },
    }


def commit(places: Places, checksum: str | None = None) -> dict[str, Any]:
    """Put staged tables in use and tell the daemons; without staged ones, finish what was interrupted.

    With `checksum` only if these are staged, or in use already. `seconds`: from the switch until every daemon
    knew; `unfinished`: what of the changed rows could not be acted on.

    Raises:
        SwitchError: nothing was ever staged, or something else.
        hooks.HookError: a daemon did not take them (they are in use on disk; commit again).
    """
    with _locked(places):
        staged = store.identity(places.staged)
        if staged is None and places.staged.exists():
            places.staged.unlink()
            raise SwitchError("the staged tables are damaged and were thrown away; stage again")
        if staged is None and store.identity(places.current) is None:
            raise SwitchError("nothing is staged")
        meant = staged.checksum if staged else _checksum(places.current)
        if checksum not in (None, meant):
            raise SwitchError("something else is staged; another run is under way: stage again")
        few = _few(places, places.staged if staged is not None else places.current)
        began = time.monotonic()
        if staged is not None:
            if store.identity(places.current) is not None and _checksum(places.current) != staged.checksum:
                store.keep(places.current, places.previous)
                if not places.followed.exists() and any(hook.compares for hook in hooks.read(places.hooks)):
                    store.keep(places.current, places.followed)
            store.switch(places.staged, places.current)
        return _told(places, began, few)


def rollback(places: Places, checksum: str | None = None) -> dict[str, Any]:
    """Put the tables before the last commit in use again; those in use become the previous ones.

    With `checksum` only to these: nothing but the staged ones is thrown away if they are in use already.

    Raises:
        SwitchError: there are none, or others.
    """
    with _locked(places):
        if checksum is not None and _checksum(places.current) == checksum:
            places.staged.unlink(missing_ok=True)
            return _told(places, time.monotonic(), _few(places, places.current))
        if store.identity(places.previous) is None:
            raise SwitchError("there are no previous tables")
        if checksum not in (None, _checksum(places.previous)):
            raise SwitchError("the previous tables are others than those asked for")
        few = _few(places, places.previous)
        began = time.monotonic()
        beside = places.state / ".tables.rollback.sqlite"
        store.keep(places.previous, beside)
        store.keep(places.current, places.previous)
        store.switch(beside, places.current)
        places.staged.unlink(missing_ok=True)
        return _told(places, began, few)


def status(places: Places) -> dict[str, Any]:
    """Checksums, digests and what a commit still has to do. Reads only."""
    current = store.identity(places.current)
    untold = {t for changed in _untold(places).values() for t in changed} if current else set()
    pending = sorted(untold | set(_unfollowed(places)))
    return {
        "schema": 1,
        "protocol": PROTOCOL,
        "committed": current.checksum if current else None,
        "staged": _checksum(places.staged),
        "previous": _checksum(places.previous),
        "tables": current.digests if current else {},
        "pending": pending,
    }


Few = dict[str, dict[str, hooks.Changes]]
"""By daemon and table: the rows that it can be told singly."""

FEW = 500
"""More changed rows than this are read anew with their table: Kamailio does that in one step."""


def _few(places: Places, new: Path) -> Few:
    """What daemons can be told singly of the tables in `new`: they know exactly those that were followed."""
    known, found = store.identity(places.followed), store.identity(new)
    if known is None or found is None:
        return {}
    told, made = _read_told(places), Few()
    for hook in hooks.read(places.hooks):
        for table in hook.tables if hook.live else ():
            before, after = known.digests.get(table), found.digests.get(table)
            if before != after and before is not None and told.get(hook.name, {}).get(table) == before:
                changes = store.changes(places.followed, new, table)
                if len(changes) <= FEW:
                    made.setdefault(hook.name, {})[table] = changes
    return made


def _told(places: Places, began: float, few: Few) -> dict[str, Any]:
    told, seconds = _tell(places, began, few)
    unfinished = _follow(places)
    return {
        "committed": _checksum(places.current),
        "told": told,
        "seconds": round(seconds, 3),
        "unfinished": unfinished,
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
        if hook.reload  # one without reads them anew each time
    }


def _tell(places: Places, began: float, few: Few) -> tuple[dict[str, list[str]], float]:
    """Tell each daemon what it does not know; by daemon what it was told, and seconds until all knew."""
    current = store.identity(places.current)
    digests = current.digests if current else {}
    told = _read_told(places)
    untold = _untold(places)
    done: dict[str, list[str]] = {}
    found = hooks.read(places.hooks)
    behind = [hook for hook in found if untold.get(hook.name)]
    for hook in behind:
        singly = few.get(hook.name, {})
        taken = {t for t in untold[hook.name] if t in singly and hooks.tell(hook, t, singly[t])}
        hooks.run(hook, untold[hook.name] - taken)
    seconds = time.monotonic() - began
    for hook in behind:
        told[hook.name] = {table: digests[table] for table in sorted(hook.tables) if table in digests}
        done[hook.name] = sorted(untold[hook.name])
    if done:
        beside = places.told.with_name(f".{places.told.name}.new")
        beside.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        beside.replace(places.told)
    return done, seconds


def _follow(places: Places) -> str:
    """Let programs act on the rows that changed since all of them last did; what failed.

    The daemons already refuse what these programs only clear away, so that a failure is no reason to go back:
    it is told, and the next commit tries again.
    """
    found = tuple(hook for hook in hooks.read(places.hooks) if hook.compares)
    current, known = store.identity(places.current), store.identity(places.followed)
    if not found or current is None:
        return ""
    try:
        for table in _unfollowed(places):
            changes = store.changes(places.followed, places.current, table)
            for hook in found:
                hooks.follow(hook, table, changes)
    except (hooks.HookError, store.StoreError) as error:
        return str(error)
    if known is None or known.checksum != current.checksum:
        store.keep(places.current, places.followed)
    return ""


def _unfollowed(places: Places) -> list[str]:
    """Tables with changed rows on which their programs have not acted."""
    current, known = store.identity(places.current), store.identity(places.followed)
    if current is None or known is None:
        return []
    tables = {table for hook in hooks.read(places.hooks) for table in hook.rows}
    return sorted(t for t in tables if known.digests.get(t) != current.digests.get(t))

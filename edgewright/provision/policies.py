"""`apply --policies`: the tables of every host, staged everywhere, then committed everywhere; their drift.

Everything goes through `edgewright-tables` on the hosts, over ssh. Tables, and with them digests of
passwords, are made in memory and travel on standard input: never in a file here, never in arguments.

1. Each host says which tables it runs (checksums), and of those that differ which rows may.
2. Each host that differs stages the rows that do. If one cannot, all throw away what they staged.
3. Each commits. If one cannot, all go back to what they ran before.

Whatever interrupts this, running it again completes it: step 1 looks at what is there.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgewright import machines, plan
from edgewright.busy import alone
from edgewright.machines import Machines
from edgewright.model import Deployment, credentials
from edgewright.model.credentials import Credentials, CredentialsError
from edgewright.plan import changes, tables
from edgewright.plan.changes import Change
from edgewright.plan.tables import Table
from edgewright.plan.types import Plan
from edgewright.provision.shell import ProvisionError

PROGRAM = "/usr/local/sbin/edgewright-tables"
PROTOCOL = 2
"""Of the on-host program; see `edgewright_tables.switch`."""
MOST_AT_ONCE = 64
PATIENCE = 90
"""Seconds that a host may take for one step."""

T = TypeVar("T")


class HostError(Exception):
    """A host could not do a step; the text is what it said."""


@dataclass(slots=True)
class HostDone:
    """What was done on one host."""

    name: str
    changed: tuple[str, ...] = ()
    """Tables that differed."""
    rows: int = 0
    """Rows that travelled."""
    switched: float = 0.0
    """Seconds from the switch on the host until its daemons knew."""
    unfinished: str = ""
    """What could not be cleared away, although the new tables are enforced."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A run that enforced the description everywhere."""

    hosts: tuple[HostDone, ...]
    seconds: float
    steps: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each step."""

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Hosts that enforce the new tables, but could not clear everything away."""
        return tuple(f"{host.name}: {host.unfinished}" for host in self.hosts if host.unfinished)


@dataclass(frozen=True, slots=True)
class Drift:
    """How the tables of one host differ from the description's."""

    host: str
    state: str
    """`as described`, else in words what is not."""

    @property
    def good(self) -> bool:
        """Whether the host runs what the description gives, and nothing else waits there."""
        return self.state == AS_DESCRIBED


AS_DESCRIBED = "as described"


@dataclass(frozen=True)
class Target:
    """What every host should run, and how the hosts are reached."""

    config: Path
    users: Mapping[str, str]
    """The login on each host."""
    wanted: Mapping[str, Mapping[str, Table]]

    def status(self, host: str) -> dict[str, Any]:
        """What a host runs, has staged and has not followed yet.

        Raises:
            HostError: also where the program there is an older one.
        """
        found = self.ask(host, "status")
        if found.get("protocol", 1) < PROTOCOL:
            raise HostError("its edgewright-tables is an older one; run `edgewright apply` once")
        return found

    def ask(self, host: str, verb: str, data: bytes | None = None) -> dict[str, Any]:
        """One verb of the on-host program.

        Raises:
            HostError: it failed, or ssh did.
        """
        program = PROGRAM if self.users[host] == "root" else f"sudo -n {PROGRAM}"
        argv = ["ssh", "-F", str(self.config), "-o", "BatchMode=yes", host, f"{program} {verb}"]
        try:
            # Of its own group: an impatient Ctrl-C must not cut a commit off from us.
            done = subprocess.run(
                argv,
                input=data or b"",
                capture_output=True,
                check=False,
                timeout=PATIENCE,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise HostError(f"no answer within {PATIENCE} s") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise HostError(said[-1] if said else f"{verb} ended with {done.returncode}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def target(
    deployment: Deployment,
    *,
    planned: Plan | None = None,
    secret: Credentials | None = None,
    made: Machines | None = None,
) -> Target:
    """What a deployment's hosts should run.

    Raises:
        MachinesError: they were never provisioned.
        ProvisionError: the description has other hosts than were provisioned.
        CredentialsError: they cannot be read.
    """
    planned = planned or plan.make(deployment)
    made = made or machines.load(credentials.state_folder(deployment))
    if unlike := machines.unlike(made, planned.hosts):
        raise ProvisionError(
            f"{deployment.name}: the hosts are not those of the description ({'; '.join(unlike[:3])}).\n"
            "  Policies can be applied alone when nothing else has changed; run `edgewright up` first."
        )
    wanted = tables.of_plan(deployment, secret or credentials.load(deployment), planned)
    return Target(made.ssh_config, {name: host.user for name, host in made.hosts.items()}, wanted)


def apply(there: Target, tell: Callable[[str], None] = lambda _: None) -> Applied:
    """Enforce the tables on every host, or on none.

    Args:
        there: What `target` gave.
        tell: Called with what is being done.

    Raises:
        ProvisionError: a host could not; says which, why, and what the others run now.
        BusyError: another change, or a proof, is under way.
    """
    with alone(there.config.parent, f"apply --policies {there.config.parent.name}"):
        return _apply(there, tell)


def _apply(there: Target, tell: Callable[[str], None]) -> Applied:
    clock = _Clock()
    hosts = sorted(there.wanted)
    tell(f"asking {len(hosts)} hosts what they run")
    work = _all(hosts, lambda host: _look(there, host))
    _stop(work, "nothing was changed")
    plans = {host: found for host, found in work.items() if isinstance(found, _Work)}
    clock.step("compare")
    staged = [host for host, found in plans.items() if found.data is not None]
    tell(f"staging on {', '.join(staged) or 'no host'}")
    prepared: dict[str, Any] = {}
    try:
        prepared = _all(staged, lambda host: _stage(there, host, plans[host]))
        _stop(prepared, "nothing was changed")
    except BaseException:
        _all(staged, lambda host: _back(there, host, plans[host]))
        raise
    clock.step("stage")
    commits = {host: prepared.get(host) for host, found in plans.items() if host in prepared or found.pending}
    tell(f"committing on {', '.join(commits) or 'no host'}")
    _commit(there, plans, commits)
    clock.step("commit")
    return Applied(tuple(plans[host].done for host in hosts), clock.total(), clock.steps)


def enforcer(deployment: Deployment) -> Callable[[Deployment], Applied]:
    """`apply` with policies, users or passwords changed in memory, for the proof.

    The hosts are those of this deployment or of one of its partners, whichever the changed one is.

    Raises:
        MachinesError, ProvisionError, CredentialsError: as `target`.
    """
    described = {one.name: one for one in deployment.together}
    parts: dict[str, tuple[Plan, Credentials, Machines]] = {}
    # One that was given up by Ctrl-C still ends before the one that puts things back begins.
    lock = threading.Lock()

    def of(name: str) -> tuple[Plan, Credentials, Machines]:
        if name not in parts:
            one = described[name]
            made = machines.load(credentials.state_folder(one))
            parts[name] = plan.make(one), credentials.load(one), made
        return parts[name]

    of(deployment.name)

    def enforce(changed: Deployment) -> Applied:
        with lock:
            planned, secret, made = of(changed.name)
            return apply(target(changed, planned=planned, secret=secret, made=made))

    return enforce


def drift(there: Target) -> list[Drift]:
    """What each host runs against what the description gives, by host name."""
    found = _all(sorted(there.wanted), lambda host: _drift(there, host))
    return [
        answer if isinstance(answer, Drift) else Drift(host, f"cannot tell: {answer}")
        for host, answer in found.items()
    ]


def drift_of(deployment: Deployment) -> list[Drift]:
    """`drift` of a deployment; where the description's tables cannot be worked out, that is the answer.

    Raises:
        MachinesError: it was never provisioned.
    """
    try:
        return drift(target(deployment))
    except (ProvisionError, CredentialsError) as error:
        return [Drift("all hosts", f"cannot tell: {error}")]


@dataclass(slots=True)
class _Work:
    """What is to be done on one host."""

    done: HostDone
    before: str | None
    """Checksum of what it runs."""
    data: bytes | None = None
    """What it must stage; None: it has it already."""
    pending: bool = False
    """It runs what it should, but a commit was interrupted."""


class _Clock:
    def __init__(self) -> None:
        self.began = self.last = time.monotonic()
        self.steps: dict[str, float] = {}

    def step(self, name: str) -> None:
        now = time.monotonic()
        self.steps[name] = round(now - self.last, 3)
        self.last = now

    def total(self) -> float:
        return round(time.monotonic() - self.began, 3)


def _all(hosts: Iterable[str], do: Callable[[str], T]) -> dict[str, T | HostError]:
    """What `do` gives for each host, all at the same time; its HostError where it failed.

    Returns only when every host has answered, also when interrupted.
    """

    def one(host: str) -> T | HostError:
        try:
            return do(host)
        except HostError as error:
            return error

    names = list(hosts)
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def _failed(found: Mapping[str, object]) -> dict[str, HostError]:
    return {host: answer for host, answer in found.items() if isinstance(answer, HostError)}


def _said(failed: Mapping[str, HostError]) -> str:
    return "; ".join(f"{host}: {error}" for host, error in failed.items())


def _stop(found: Mapping[str, object], consequence: str) -> None:
    if failed := _failed(found):
        raise ProvisionError(f"policies: {consequence}: {_said(failed)}")


def _differing(wanted: Mapping[str, Table], status: Mapping[str, Any]) -> set[str]:
    """Tables of which a host runs another version, or rows that it should not have at all."""
    found: dict[str, str] = status["tables"]
    empty = Table({}).digest
    differing = {name for name, table in wanted.items() if found.get(name, empty) != table.digest}
    return differing | {n for n, digest in found.items() if n not in wanted and digest != empty}


def _look(there: Target, host: str) -> _Work:
    """What a host needs: nothing, only the end of an interrupted commit, some rows, or everything."""
    wanted, status = there.wanted[host], there.status(host)
    differing = _differing(wanted, status)
    work = _Work(HostDone(host, tuple(sorted(differing))), status["committed"])
    work.pending = bool(status["pending"])
    if not differing:
        if status["staged"] is not None:
            there.ask(host, f"rollback --checksum {work.before}")
        return work
    known = [name for name in sorted(differing) if name in wanted and name in status["tables"]]
    told: dict[str, Any] = {}
    if known and work.before:
        sums = {name: changes.sums(wanted[name]) for name in known}
        answer = there.ask(host, "compare", json.dumps(sums).encode())
        if answer["committed"] == work.before:
            told = answer["tables"]
    unchanged = [name for name in wanted if name not in differing and name in status["tables"]]
    change: dict[str, Change] = dict.fromkeys(unchanged, changes.NOTHING)
    change |= {
        name: changes.difference(wanted[name], found) for name, found in told.items() if found is not None
    }
    whole = [wanted[name] for name in wanted if name not in change]
    work.done.rows = sum(c.rows for c in change.values()) + sum(len(table.rows) for table in whole)
    document = changes.bundle(wanted, work.before, change) if work.before else tables.bundle(wanted)
    work.data = json.dumps(document, ensure_ascii=False).encode()
    return work


def _stage(there: Target, host: str, work: _Work) -> str:
    """Stage; the checksum of what a commit would put in use."""
    try:
        return str(there.ask(host, "stage", work.data)["staged"])
    except HostError:
        if work.before is None:
            raise
        # The difference did not fit what is there: then everything.
        whole = json.dumps(tables.bundle(there.wanted[host]), ensure_ascii=False).encode()
        return str(there.ask(host, "stage", whole)["staged"])


def _commit(there: Target, plans: Mapping[str, _Work], commits: Mapping[str, Any]) -> None:
    """Commit everywhere, or go back everywhere.

    Raises:
        ProvisionError: a host could not.
    """

    def one(host: str) -> None:
        checksum = commits[host]
        done = there.ask(host, f"commit --checksum {checksum}" if checksum else "commit")
        plans[host].done.switched = done["seconds"]
        plans[host].done.unfinished = done["unfinished"]

    try:
        failed = _failed(_all(commits, one))
    except BaseException:
        _all(commits, lambda host: _back(there, host, plans[host]))
        raise
    if not failed:
        return
    back = _failed(_all(commits, lambda host: _back(there, host, plans[host])))
    rest = (
        f"\n  These could not go back and may run the new policies: {_said(back)}.\n"
        "  `edgewright status` shows what each host runs."
        if back
        else ""
    )
    raise ProvisionError(
        f"policies: every host runs what it ran before, for one could not commit: {_said(failed)}{rest}"
    )


def _back(there: Target, host: str, work: _Work) -> None:
    """Throw away what is staged, and put in use again what was."""
    if work.before is None:
        raise HostError("it had no tables before")
    there.ask(host, f"rollback --checksum {work.before}")


def _drift(there: Target, host: str) -> Drift:
    status = there.status(host)
    wrong = []
    if differing := sorted(_differing(there.wanted[host], status)):
        wrong.append(f"runs other {', '.join(differing)}")
    if status["staged"] is not None:
        wrong.append("has tables staged that were not committed")
    if status["pending"]:
        wrong.append(f"has not followed {', '.join(status['pending'])}")
    return Drift(host, "; ".join(wrong) or AS_DESCRIBED)

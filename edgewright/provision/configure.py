"""`apply`: run the playbook over a deployment's hosts, show it live, and count what it did."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgewright.busy import alone
from edgewright.machines import Machines, MachinesError, unlike
from edgewright.model.messages import nearest
from edgewright.plan import groups as inventory_groups
from edgewright.plan.roles import ORDER
from edgewright.plan.types import Plan
from edgewright.provision import paths
from edgewright.provision.lock import only_one
from edgewright.provision.paths import Paths
from edgewright.provision.progress import Progress, Step
from edgewright.provision.shell import ProvisionError, UnknownNameError

PLAYBOOK = "playbooks/site.yml"


@dataclass(slots=True)
class HostDone:
    """What a run did on one host; `modules` counts the tasks that ran a module there."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    modules: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed on a host, and what was said."""

    host: str
    role: str
    task: str
    message: str


@dataclass(slots=True)
class Applied:
    """A run of the playbook."""

    check: bool
    """Whether it only said what it would do."""
    seconds: float = 0.0
    hosts: dict[str, HostDone] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    actions: list[tuple[str, str]] = field(default_factory=list)
    """(host, what was or would be done to a daemon, certificate or package)."""
    paths: list[tuple[str, str]] = field(default_factory=list)
    """(host, file that was or would be changed)."""
    diffs: list[tuple[str, str]] = field(default_factory=list)
    """(host, text), with `diff` only."""

    @property
    def changed(self) -> bool:
        """Whether anything was, or in check mode would be, changed."""
        return any(host.changed for host in self.hosts.values())

    @property
    def good(self) -> bool:
        """Whether every host did everything."""
        return not self.failures and not any(h.failed or h.unreachable for h in self.hosts.values())


def apply(
    folders: Sequence[Path],
    progress: Progress,
    *,
    limit: Sequence[str] = (),
    tags: Sequence[str] = (),
    check: bool = False,
    diff: bool = False,
    place: Paths | None = None,
) -> Applied:
    """Bring the hosts of deployments to what their descriptions say, all in one run.

    Args:
        folders: The deployments' folders.
        progress: Where progress is shown.
        limit: Only these hosts or groups.
        tags: Only these roles.
        check: Change nothing, say what would be changed.
        diff: Collect the differences of files.
        place: The clone; the one this package is in by default.

    Raises:
        ProvisionError: The playbook could not begin, e.g. because machines and description do not fit.
        BusyError: The hosts are being changed or proven.
    """
    place = place or paths.find()
    argv = command(place, folders, limit=limit, tags=tags, check=check, diff=diff)
    title = "what configuring would change" if check else "configuration"
    names = [folder.resolve().name for folder in folders]
    what = f"apply {' '.join(names)}"
    with ExitStack() as stack:
        stack.enter_context(only_one(place, what))
        for name in () if check else names:
            stack.enter_context(alone(place.deployment(name), what))
        step = stack.enter_context(progress.step(title))
        began = time.monotonic()
        done = _follow(_run(argv, place), Applied(check), step)
        done.seconds = round(time.monotonic() - began, 1)
        step.say(summary(done))
    if not diff:
        done.diffs.clear()  # actions of ours say it even if nobody asked
    return done


def examine(plan: Plan, made: Machines, limit: Sequence[str] = (), tags: Sequence[str] = ()) -> None:
    """Look at what the operator gave before anything is run: Ansible passes over unknown roles.

    Args:
        plan: What is to be configured.
        made: The machines that are there.
        limit: Hosts and groups; Ansible's patterns (`edge:!edge2`) are left to Ansible.
        tags: Roles.

    Raises:
        UnknownNameError: There is no such host, group or role.
        MachinesError: The machines were made for another description.
    """
    if made.digest != plan.digest and (differing := unlike(made, plan.hosts)):
        raise MachinesError(
            f"the description of {plan.deployment} was changed after its machines were made "
            f"({'; '.join(differing[:3])}); run `edgewright up` first"
        )
    groups = {
        "all",
        "surroundings",
        inventory_groups.of_deployment(plan.deployment),
        *(inventory_groups.of_role(role) for role in ORDER),
    }
    for host in plan.hosts.values():
        groups |= {host.name, *inventory_groups.of_host(host)}
    for name in (part for one in limit for part in one.split(",")):
        if re.fullmatch(r"[\w-]+", name) and name not in groups:
            raise UnknownNameError(f"{plan.deployment} has no host or group '{name}'{nearest(name, groups)}")
    for role in (part for one in tags for part in one.split(",")):
        if role not in ORDER:
            raise UnknownNameError(f"there is no role '{role}'{nearest(role, ORDER)}")


def summary(done: Applied) -> str:
    """One line about a run."""
    changed = sum(1 for host in done.hosts.values() if host.changed)
    failed = len({failure.host for failure in done.failures})
    word = "would change" if done.check else "changed"
    return f"{len(done.hosts)} hosts, {changed} {word}" + (f", {failed} failed" if failed else "")


def command(
    place: Paths,
    folders: Sequence[Path],
    *,
    limit: Sequence[str],
    tags: Sequence[str],
    check: bool,
    diff: bool,
) -> list[str]:
    """The command line: the same that one would type."""
    argv = [str(Path(sys.executable).parent / "ansible-playbook")]
    argv += [word for folder in folders for word in ("-i", str(folder))]
    argv += [str(place.root / PLAYBOOK)]
    argv += ["--limit", ",".join(limit)] if limit else []
    argv += ["--tags", ",".join(tags)] if tags else []
    return argv + ["--check"] * check + ["--diff"] * diff


def environment(place: Paths) -> dict[str, str]:
    """Mitogen for speed (three times less work for the hosts), our callback for the events."""
    found = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "ANSIBLE_CONFIG": str(place.root / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "edgewright_progress",
        "ANSIBLE_NOCOLOR": "1",
    }
    mitogen = find_spec("ansible_mitogen")
    if mitogen is not None and mitogen.origin is not None and "ANSIBLE_STRATEGY" not in os.environ:
        found["ANSIBLE_STRATEGY_PLUGINS"] = str(Path(mitogen.origin).parent / "plugins/strategy")
        found["ANSIBLE_STRATEGY"] = "mitogen_linear"
    return found


def _run(argv: list[str], place: Paths) -> Iterator[str]:
    """The lines of the playbook's run.

    Raises:
        ProvisionError: It failed before any host was asked.
    """
    said: list[str] = []
    told = False
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=place.root,
        env=environment(place),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{"event"'):
                told = told or '"event": "result"' in line
                yield line
            else:
                said.append(line.rstrip())
    if process.returncode and not told:
        raise ProvisionError("\n".join(line for line in said[-20:] if line) or "ansible-playbook failed")


def _follow(lines: Iterator[str], done: Applied, step: Step) -> Applied:
    """Count the events and show what is being done."""
    for line in lines:
        event = json.loads(line)
        kind = event["event"]
        if kind == "play":
            for host in event["hosts"]:
                done.hosts.setdefault(host, HostDone())
        elif kind == "start" and event["role"]:
            step.say(f"{event['role']}: {event['host']}")
        elif kind == "result":
            _count(done, event)
            if event["role"] and event["status"] != "skipped":
                step.say(f"{event['role']}: {event['host']} {event['status']}")
    return done


def _count(done: Applied, event: dict[str, Any]) -> None:
    """Add a result to its host's figures."""
    name, status = event["host"], event["status"]
    host = done.hosts.setdefault(name, HostDone())
    host.modules += bool(event["module"])
    host.seconds = round(host.seconds + (event["seconds"] or 0.0), 3)
    if status == "changed":
        host.ok += 1
        host.changed += 1
    elif status in ("ok", "skipped", "failed", "unreachable"):
        setattr(host, status, getattr(host, status) + 1)
    if status in ("failed", "unreachable"):
        done.failures.append(Failure(name, event["role"], event["name"], event["message"]))
    done.actions += [(name, action) for action in event["actions"]]
    done.paths += [(name, path) for path in event["paths"]]
    if event["diff"]:
        done.diffs.append((name, event["diff"]))

"""The Pulumi command line for one stack: environment, initialisation, repair after a crash, up, destroy."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.model import files
from edgewright.provision.machines import Reached
from edgewright.provision.paths import Paths
from edgewright.provision.progress import Step
from edgewright.provision.shell import ProvisionError, Teller, follow, run

PROJECT = "edgewright"
EVENT = re.compile(r"^\s*[-+~@]+\s+(lab:index:\w+) (\S+) (\w+)( \([\d.]+m?s\))?")
COUNTS = re.compile(r"^\s+(?:[-+~]+ ?)?(\d+) (created|updated|replaced|deleted|unchanged|errored)")


def environment(paths: Paths, program: Path) -> dict[str, str]:
    """What Pulumi needs in its environment, besides what is there: `edgewright env` prints it.

    The language host takes its interpreter from PATH; nothing is ever fetched from the network; the
    passphrase that encrypts secrets in the state is a file of this clone.
    """
    if not paths.passphrase.exists():
        files.write_private(paths.passphrase, secrets.token_urlsafe(32) + "\n")
    paths.backend.mkdir(parents=True, exist_ok=True)
    interpreters = Path(sys.executable).parent
    return {
        "PATH": os.pathsep.join([str(interpreters), str(program.parent), os.environ.get("PATH", "")]),
        "PULUMI_HOME": str(paths.state / "pulumi-home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(paths.passphrase),
        "CONTAINERS_CONF": str(paths.containers_conf),
    }


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack (a deployment) of this clone."""

    paths: Paths
    program: Path
    name: str
    folder: Path
    """The deployment's folder."""

    @property
    def project(self) -> Path:
        """The Pulumi project."""
        return self.paths.root / "pulumi"

    @property
    def config(self) -> Path:
        """The stack's configuration, with the salt of this clone's passphrase: nothing to commit."""
        return self.paths.state / "stacks" / f"Pulumi.{self.name}.yaml"

    @property
    def state_file(self) -> Path:
        """The state as JSON."""
        return self.paths.backend / ".pulumi" / "stacks" / PROJECT / f"{self.name}.json"

    def exists(self) -> bool:
        """Whether it was ever initialised here."""
        return self.state_file.exists()

    def _argv(self, *args: str) -> list[str]:
        return [str(self.program), "--non-interactive", "--color=never", *args, "--stack", self.name]

    def _run(self, *args: str, check: bool = True) -> str:
        env = environment(self.paths, self.program)
        return run(self._argv(*args), cwd=self.project, env=env, check=check).stdout

    def _follow(self, step: Step, *args: str) -> list[str]:
        env = {**os.environ, **environment(self.paths, self.program)}
        return follow(self._argv(*args), _Events(step), cwd=self.project, env=env, tail=500)

    def prepare(self) -> None:
        """Make the stack and its configuration, if they are not there."""
        environment(self.paths, self.program)
        self.config.parent.mkdir(parents=True, exist_ok=True)
        folder = os.path.relpath(self.folder, self.project)
        text = self.config.read_text(encoding="utf-8") if self.config.exists() else ""
        if f"deployment: {folder}\n" not in text:
            salt = "".join(line + "\n" for line in text.splitlines() if line.startswith("encryptionsalt:"))
            files.write(self.config, f"{salt}config:\n  edgewright:deployment: {folder}\n")
        if not self.exists():
            self._run("stack", "init", "--no-select")

    def repair(self) -> list[str]:
        """Put right what a killed run left: its lock, and resources it was about to make.

        Returns:
            What was done, for people.

        Raises:
            ProvisionError: The lock belongs to a process that lives.
        """
        done = []
        for lock in self._locks():
            holder = json.loads(lock.read_text(encoding="utf-8"))
            if holder.get("hostname") == socket.gethostname() and _alive(int(holder.get("pid", 0))):
                raise ProvisionError(
                    f"another pulumi (process {holder['pid']}, since {holder.get('timestamp', '?')}) "
                    f"is at work on {self.name}; wait for it or end it"
                )
            lock.unlink(missing_ok=True)
            done.append(f"removed the lock of process {holder.get('pid')}, which is dead")
        if self.exists() and self._state().get("pending_operations"):
            self._run("refresh", "--clear-pending-creates", "--yes", "--skip-preview")
            done.append("cleared what a killed run was about to make")
        return done

    def _locks(self) -> list[Path]:
        folder = self.paths.backend / ".pulumi" / "locks" / "organization" / PROJECT / self.name
        return sorted(folder.glob("*.json"))

    def _state(self) -> dict[str, Any]:
        checkpoint = json.loads(self.state_file.read_text(encoding="utf-8"))["checkpoint"]
        latest: dict[str, Any] = checkpoint.get("latest") or {}
        return latest

    def up(self, step: Step) -> dict[str, int]:
        """Make reality what the plan says, looking at reality first; how many resources met which fate.

        Raises:
            ProvisionError: A resource failed; the text is Pulumi's own diagnosis.
        """
        try:
            lines = self._follow(step, "up", "--yes", "--skip-preview", "--refresh", "--suppress-outputs")
        except ProvisionError as error:
            raise ProvisionError(_diagnosis(str(error))) from None
        return counts(lines)

    def outputs(self) -> dict[str, Reached]:
        """The stack's outputs: how each host is reached."""
        found: dict[str, Reached] = json.loads(self._run("stack", "output", "--json"))["machines"]
        return found

    def destroy(self, step: Step) -> dict[str, int]:
        """Remove everything that the stack made, and the stack.

        Raises:
            ProvisionError: A resource could not be removed; the text is Pulumi's own diagnosis.
        """
        try:
            lines = self._follow(step, "destroy", "--yes", "--skip-preview")
        except ProvisionError as error:
            raise ProvisionError(_diagnosis(str(error))) from None
        self._run("stack", "rm", "--yes", "--remove-backups")
        return counts(lines)


class _Events:
    """Turns Pulumi's lines into what a step says: the newest event of a host, and how many are done."""

    def __init__(self, step: Teller) -> None:
        self._step = step
        self._done = 0

    def say(self, detail: str) -> None:
        match = EVENT.match(detail)
        if match is None:
            return
        kind, name, verb, seconds = match.groups()
        if seconds and verb in ("created", "updated", "replaced", "deleted"):
            self._done += 1
        self._step.say(f"{kind.rsplit(':', 1)[1].lower()} {name} {verb} ({self._done} done)")


def counts(lines: list[str]) -> dict[str, int]:
    """Pulumi's closing figures."""
    found = {}
    for line in lines:
        match = COUNTS.match(line)
        if match:
            found[match[2]] = int(match[1])
    return found


def _diagnosis(text: str) -> str:
    """What went wrong, from Pulumi's output: each resource with the errors of its own."""
    _, found, rest = text.partition("Diagnostics:\n")
    if not found:
        return text
    told = []
    for block in rest.split("\nResources:")[0].split("\n\n"):
        head, _, body = block.strip("\n").partition("\n")
        match = re.match(r"\s*(\S+):(\w+) \((.+)\):", head)
        errors = re.sub(r"(?m)^ {4}(error: )?", "", body).strip()
        if errors and errors != "update failed":
            named = match and match[1] != "pulumi:pulumi"
            told.append(f"{match[2].lower()} {match[3]}: {errors}" if named and match else errors)
    return "\n".join(told) or text


def _alive(pid: int) -> bool:
    """Whether a process lives; one that has ended and waits for its parent does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")

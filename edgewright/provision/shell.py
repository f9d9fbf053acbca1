"""Running other programs: no shell, output captured, errors that say what was tried and what it answered."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class ProvisionError(Exception):
    """Something the operator must know; its text is the whole message."""


class UnknownNameError(ProvisionError):
    """The operator asked for a host, group or role that does not exist; nothing was done."""


def run(
    argv: Sequence[str],
    *,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end.

    Args:
        argv: Program and arguments.
        stdin: What it reads; nothing by default (never the terminal).
        env: Additions to this process's environment.
        cwd: Folder to run in.
        check: Whether a non-zero status is an error.
        timeout: Seconds.

    Raises:
        ProvisionError: The program is missing, failed or took too long.
    """
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(
            list(argv),
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise ProvisionError(f"{argv[0]}: not installed (`make doctor` lists what is missing)") from error
    except subprocess.TimeoutExpired as error:
        raise ProvisionError(f"{shlex.join(argv)}: no answer within {timeout:.0f} s") from error
    result = subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if check and result.returncode:
        answer = (result.stderr.strip() or result.stdout.strip())[-2000:]
        raise ProvisionError(f"{answer}\n  (status {result.returncode} of: {shlex.join(argv)[:400]})")
    return result


class Teller(Protocol):
    """Whoever shows what a long command is at."""

    def say(self, detail: str) -> None:
        """Show the newest line."""


def follow(
    argv: Sequence[str],
    step: Teller,
    *prefixes: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    tail: int = 25,
) -> list[str]:
    """Run a long command, telling its lines (those that begin with a prefix, if any is given) as they come.

    Returns:
        All its lines.

    Raises:
        ProvisionError: It failed; the text is its last `tail` lines.
    """
    lines: list[str] = []
    with subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=cwd,
        env=None if env is None else dict(env),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if not prefixes or line.startswith(prefixes):
                step.say(line.removeprefix("I: "))
    if process.returncode:
        raise ProvisionError("\n".join([*lines[-tail:], f"  (status {process.returncode} of: {argv[0]})"]))
    return lines


def privileged(argv: Sequence[str]) -> list[str]:
    """The command as root: as it is for root, else through sudo without asking (see `become`)."""
    return list(argv) if os.geteuid() == 0 else ["sudo", "-n", *argv]


def become() -> None:
    """Make sure that `privileged` will work, asking for the password once if there is a terminal.

    Raises:
        ProvisionError: Neither root nor a usable sudo.
    """
    if os.geteuid() == 0:
        return
    if shutil.which("sudo") is None:
        raise ProvisionError(
            "needs root: the lab's networks and hosts cannot be made without it.\n"
            "  Run it as root, or install sudo and allow this user to use it."
        )
    if subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0:
        return
    if subprocess.run(["sudo", "-v"], check=False).returncode:
        raise ProvisionError("needs root, and sudo did not give it to this user")

"""The on-host program in a container, and the controller's way to it without ssh."""

from __future__ import annotations

import sys
import zipapp
from pathlib import Path

from .ground import Container

SOURCES = Path(__file__).parents[3] / "services/tables/src"
PROGRAM = "usr/local/sbin/edgewright-tables"
SSH = """#!{python}
import os, sys
pids = {pids!r}
host, command = sys.argv[-2:]
os.execvp("nsenter", ["nsenter", "--target", str(pids[host]), "--all", "sh", "-c", command])
"""


def install(container: Container) -> None:
    """Put it where a host has it. The container has no systemd: a script says that each unit runs."""
    program = container.root / PROGRAM
    zipapp.create_archive(SOURCES, program, interpreter="/usr/bin/python3")
    systemctl = container.root / "usr/local/bin/systemctl"
    systemctl.write_text("#!/bin/sh\necho active\n")
    for path in (program, systemctl):
        path.chmod(0o755)


def ssh(folder: Path, containers: dict[str, Container]) -> Path:
    """A folder for the front of PATH: a program `ssh` that runs a command in the container of a host."""
    folder.mkdir()
    script = folder / "ssh"
    script.write_text(
        SSH.format(python=sys.executable, pids={name: one.pid for name, one in containers.items()})
    )
    script.chmod(0o755)
    return folder

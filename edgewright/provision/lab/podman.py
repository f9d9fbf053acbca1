"""The podman command line, with a private configuration written to fit the machine.

Source of the configuration's rules: measured, see `docs/decisions` and `make doctor`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgewright.model import files
from edgewright.provision.shell import ProvisionError, privileged, run

CAP_SYS_RESOURCE = 24


def containers_conf() -> str:
    """A containers.conf for this machine: runtime, cgroup manager and limits only where the defaults fail."""
    containers: list[str] = []
    engine: list[str] = []
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        engine.append('runtime = "runc"')  # crun and cgroups v1 do not get along with systemd hosts
    if not Path("/run/systemd/system").is_dir():
        engine += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    if not _root_may(CAP_SYS_RESOURCE):
        files = min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        containers.append(f'default_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]')
    sections = {"containers": containers, "engine": engine, "network": ['network_backend = "netavark"']}
    return "".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items() if lines)


def _root_may(bit: int) -> bool:
    """Whether podman, which runs as root, has a capability: ours if we are root, else what sudo can give."""
    kind = "CapEff:" if os.geteuid() == 0 else "CapBnd:"
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(kind):
            return bool(int(line.split()[1], 16) >> bit & 1)
    return True


class Podman:
    """Podman's command line; every call raises `ProvisionError` with podman's own words on failure."""

    def __init__(self, conf: Path) -> None:
        """Write `conf`, if it is not what this machine needs, and use it from then on."""
        self.conf = conf
        text = containers_conf()
        if not conf.exists() or conf.read_text(encoding="utf-8") != text:
            files.write(conf, text)

    def argv(self, *args: str) -> list[str]:
        """The full command for these arguments."""
        return privileged(["env", f"CONTAINERS_CONF={self.conf}", "podman", *args])

    def __call__(self, *args: str, stdin: str | bytes | None = None, timeout: float | None = None) -> str:
        """Run it; its standard output without trailing blanks."""
        return run(self.argv(*args), stdin=stdin, timeout=timeout).stdout.rstrip()

    def attempt(self, *args: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run it without raising on a non-zero status."""
        return run(self.argv(*args), check=False, timeout=timeout)

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What podman knows of a container, network, volume or image; None if there is none of that name."""
        done = self.attempt(kind, "inspect", name)
        if done.returncode:
            if "no such" in done.stderr.lower() or "not found" in done.stderr.lower():
                return None
            raise ProvisionError(f"podman {kind} inspect {name}: {done.stderr.strip()}")
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found[0] if found else None

    def names(self, kind: str, label: str) -> list[str]:
        """Names of all containers, networks or volumes that carry a label (`key=value`)."""
        args: Sequence[str]
        if kind == "container":
            args = ["ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}"]
        else:
            args = [kind, "ls", "--filter", f"label={label}", "--format", "{{.Name}}"]
        return [line for line in self(*args).splitlines() if line]

"""`status`, `doctor` and `ssh`: what is there, what is missing, and how to get at it by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edgewright import machines
from edgewright.model.messages import nearest
from edgewright.provision import needs, paths
from edgewright.provision.lab.handler import STACK
from edgewright.provision.lab.images import Images
from edgewright.provision.lab.podman import Podman
from edgewright.provision.needs import Check
from edgewright.provision.paths import Paths
from edgewright.provision.shell import ProvisionError, UnknownNameError, run
from edgewright.provision.tools import Tools

QUESTIONS = (
    "systemctl is-system-running; systemctl --failed --plain --no-legend --no-pager | cut -d' ' -f1; "
    "echo --; find /etc/edgewright/local -type f 2>/dev/null | sort"
)
DISK_NEEDED = 6 * 2**30
"""Bytes: images, and the build of pulumi where it must be built."""


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host as it answers now."""

    name: str
    kind: str
    address: str
    state: str
    """systemd's word (`running`, `degraded`), or `unreachable: why`."""
    failed: tuple[str, ...] = ()
    """Units that failed."""
    local: tuple[str, ...] = ()
    """The operator's own additions below /etc/edgewright/local."""


def status(name: str, place: Paths | None = None) -> list[HostStatus]:
    """Ask every host of a deployment by ssh, all at once.

    Raises:
        MachinesError: It was never provisioned.
    """
    place = place or paths.find()
    document = machines.load(place.deployment(name))
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda host: _ask(document.ssh_config, host), document.hosts.values()))


def _ask(config: Path, host: machines.Machine) -> HostStatus:
    argv = ["ssh", "-F", str(config), host.name, QUESTIONS]
    try:
        done = run(argv, check=False, timeout=20)
    except ProvisionError as error:
        return HostStatus(host.name, host.kind, host.address, f"unreachable: {error}")
    if done.returncode == 255:
        why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return HostStatus(host.name, host.kind, host.address, f"unreachable: {why}")
    before, _, after = done.stdout.partition("--\n")
    state, *failed = before.split() or ["unknown"]
    return HostStatus(host.name, host.kind, host.address, state, tuple(failed), tuple(after.split()))


def doctor(place: Paths | None = None) -> list[Check]:
    """What is there and what is missing for a lab on this machine; changes nothing, asks no network."""
    place = place or paths.find()
    tools = Tools(place)
    missing = needs.missing_packages()
    checks = [
        _root(),
        Check("packages", not missing, " ".join(missing) or "all there", "`make up` installs them"),
    ]
    podman = None
    if shutil.which("podman", path=needs.SEARCH) is not None:
        podman = Podman(place.containers_conf)
        checks.append(needs.check_podman(podman))
    checks += [_pulumi(tools), _pebble(tools)]
    if podman is not None and checks[2].good:
        images = Images(place, podman)
        there = images.exists(images.name())
        checks.append(Check("base image", True, images.name() if there else "not built yet (`make up` does)"))
        labs = sorted(set(podman("ps", "--all", "--format", f'{{{{index .Labels "{STACK}"}}}}').split()))
        checks.append(Check("labs on this machine", True, ", ".join(labs) or "none"))
    checks += [_sysctls(), _disk(place)]
    return checks


def _root() -> Check:
    if os.geteuid() == 0:
        return Check("root", True, "yes")
    if shutil.which("sudo") is None:
        return Check("root", False, "neither root nor sudo", "run as root, or install sudo")
    usable = subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0
    return Check("root", True, "by sudo" if usable else "by sudo, which will ask for the password")


def _pulumi(tools: Tools) -> Check:
    found = tools.find_pulumi()
    if found is not None:
        return Check("pulumi", True, f"{found.version}, {found.way}: {found.path}")
    go = tools.go()
    says = f"not there; `make up` downloads it{f', or builds it with {go} (4-5 minutes)' if go else ''}"
    return Check("pulumi", go is not None, says, "without a download, install Go 1.21 or newer")


def _pebble(tools: Tools) -> Check:
    found = tools.find_pebble()
    if found is not None:
        return Check("pebble", True, f"{found.way}: {found.path}")
    return Check(
        "pebble", tools.go() is not None, "not there; `make up` builds it", "install Go 1.21 or newer"
    )


def _sysctls() -> Check:
    unfit = [
        f"{name.replace('/', '.')} {now} -> {wanted}" for name, (now, wanted) in needs.unfit_sysctls().items()
    ]
    return Check("sysctls", True, f"`make up` sets {', '.join(unfit)}" if unfit else "fit")


def _disk(place: Paths) -> Check:
    folder = place.cache
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Check("disk", free > DISK_NEEDED, f"{free / 2**30:.0f} GiB free at {folder}", "6 GiB are needed")


def ssh(names: Sequence[str], host: str, command: list[str], place: Paths | None = None) -> int:
    """Log in to a host of one of these deployments, or run a command there; ssh's exit status.

    Raises:
        MachinesError: The first deployment was never provisioned.
        UnknownNameError: None has such a host.
    """
    place = place or paths.find()
    known: dict[str, Path] = {}
    for number, name in enumerate(names):
        try:
            document = machines.load(place.deployment(name))
        except machines.MachinesError:
            if number == 0:
                raise
            continue
        known |= dict.fromkeys(document.hosts, document.ssh_config)
    if host not in known:
        raise UnknownNameError(f"{names[0]} has no host '{host}'{nearest(host, known)}")
    return subprocess.run(["ssh", "-F", str(known[host]), host, *command], check=False).returncode

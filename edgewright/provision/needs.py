"""What the machine must have: Debian packages, root, a podman that works, fitting kernel settings.

Everything outside the project's folder that is changed here is put back by `make down`, packages excepted.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgewright.provision.lab.handler import PROJECT
from edgewright.provision.lab.podman import Podman
from edgewright.provision.progress import Step
from edgewright.provision.shell import ProvisionError, follow, privileged, run

PROGRAMS = {
    "podman": "podman",
    "conmon": "conmon",
    "nft": "nftables",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "catatonit": "catatonit",
}
"""Program -> Debian package. Some lie in sbin, or are helpers that only podman looks for."""
HELPERS = {
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])

BRIDGES = ("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables")
"""Must be 0, or the machine's own firewall swallows what the lab's routers forward."""
INOTIFY = "fs/inotify/max_user_instances"
"""A systemd host holds about five; the usual limit of 128 is reached by a second lab."""
INOTIFY_NEEDED = 1024
SYSCTL_RECORD = Path("/run/edgewright-sysctl.json")
"""What the values were; in /run, since the values themselves do not survive a reboot either."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `make doctor`."""

    name: str
    good: bool
    says: str
    advice: str = ""


def missing_packages() -> list[str]:
    """Debian packages that the lab needs and this machine lacks."""
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program, path=SEARCH) is None}
    missing |= {package for file, package in HELPERS.items() if not _helper(file)}
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists() and shutil.which("runc", path=SEARCH) is None:
        missing.add("runc")
    if shutil.which("runc", path=SEARCH) is None and shutil.which("crun", path=SEARCH) is None:
        missing.add("crun")
    return sorted(missing)


def _helper(file: str) -> bool:
    """Helpers lie in one of podman's folders, which differ between distributions."""
    name = Path(file).name
    places = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman", "/usr/local/lib/podman")
    return Path(file).exists() or any((Path(place) / name).exists() for place in places)


def install_packages(packages: list[str], say: Step) -> None:
    """Install Debian packages; the caller has shown the list.

    Raises:
        ProvisionError: No apt here, or it failed.
    """
    if shutil.which("apt-get") is None:
        raise ProvisionError(f"install {', '.join(packages)} by hand: there is no apt-get here")
    frontend = ["env", "DEBIAN_FRONTEND=noninteractive"]
    install = ["apt-get", "-q", "-y", "install", "--no-install-recommends", *packages]
    try:
        follow(privileged([*frontend, *install]), say, "Setting up ", "Unpacking ")
    except ProvisionError:
        follow(privileged([*frontend, "apt-get", "-q", "update"]), say)
        follow(privileged([*frontend, *install]), say, "Setting up ", "Unpacking ")


def check_podman(podman: Podman) -> Check:
    """Whether podman answers and can use networks."""
    done = podman.attempt("info", "--format", "{{.Version.Version}} {{.Host.OCIRuntime.Name}}", timeout=30)
    if done.returncode:
        advice = "reinstall podman, or see `podman info` with CONTAINERS_CONF=" + str(podman.conf)
        return Check("podman", False, done.stderr.strip().splitlines()[-1][:300], advice)
    return Check("podman", True, done.stdout.strip())


def unfit_sysctls() -> dict[str, tuple[str, str]]:
    """Kernel settings that keep labs from working: name -> (value now, value needed)."""
    found = {}
    for name in BRIDGES:
        value = _sysctl(name)
        if value not in (None, "0"):
            found[name] = (str(value), "0")
    value = _sysctl(INOTIFY)
    if value is not None and int(value) < INOTIFY_NEEDED:
        found[INOTIFY] = (value, str(INOTIFY_NEEDED))
    return found


def fit_sysctls() -> list[str]:
    """Set what does not fit, and write down what it was; what was changed, for people."""
    unfit = unfit_sysctls()
    if not unfit:
        return []
    record = {**{name: now for name, (now, _) in unfit.items()}, **_recorded()}
    run(privileged(["tee", str(SYSCTL_RECORD)]), stdin=json.dumps(record))
    for name, (_, needed) in unfit.items():
        run(privileged(["tee", f"/proc/sys/{name}"]), stdin=needed)
    return [f"{_dotted(name)} {now} -> {needed}" for name, (now, needed) in unfit.items()]


def restore_sysctls(podman: Podman) -> list[str]:
    """Put them back, unless a lab of any clone is still there; what was changed, for people."""
    record = _recorded()
    if not record or podman("ps", "--all", "--quiet", "--filter", f"label={PROJECT}"):
        return []
    for name, value in record.items():
        run(privileged(["tee", f"/proc/sys/{name}"]), stdin=value)
    run(privileged(["rm", "-f", str(SYSCTL_RECORD)]))
    return [f"{_dotted(name)} -> {value}" for name, value in record.items()]


def _sysctl(name: str) -> str | None:
    file = Path("/proc/sys") / name
    return file.read_text(encoding="ascii").strip() if file.exists() else None


def _dotted(name: str) -> str:
    return name.replace("/", ".")


def _recorded() -> dict[str, str]:
    try:
        values = json.loads(SYSCTL_RECORD.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return {}
    return {name: str(value) for name, value in values.items() if name in (*BRIDGES, INOTIFY)}

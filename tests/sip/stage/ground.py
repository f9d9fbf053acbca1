"""Where a stage stands: a network of its own in the lab's block, the neighbours' addresses, one container."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgewright.provision import paths, up
from edgewright.provision.lab.images import Images
from edgewright.provision.lab.podman import Podman
from edgewright.provision.progress import Progress
from edgewright.provision.shell import ProvisionError, run

SLOTS = 32
LOCKS = Path(tempfile.gettempdir()) / "edgewright-sip"
IP_FREEBIND = 15
"""Linux: an address that the machine does not have (ip(7)); the socket module does not name it."""
NETWORKS = ("outside", "perimeter_out", "perimeter_in", "inside")


class MissingError(Exception):
    """What this machine lacks; the tests are skipped with that reason."""


class Slot:
    """One of 32 parts of 198.19.128.0/17 and 2001:db8:f000::/36, held until the process ends.

    Several runs at once, also of other clones, each have their own; what a killed run left is removed.
    """

    def __init__(self, podman: Podman) -> None:
        self._podman = podman
        LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(SLOTS):
            lock = (LOCKS / f"{number}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self.number, self._lock = number, lock
            if self._unused():
                break
            lock.close()
        else:
            raise MissingError("all 32 networks of the SIP tests are in use")
        self.name = f"edgewright-sip-{self.number}"
        self.bridge = ""
        self.clear()

    def _unused(self) -> bool:
        """Nobody serves names there: a run that failed half-way may still do so until it ends."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
            tried.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
            try:
                tried.bind((self.address(53), 53))
            except OSError:
                return False
        return True

    @property
    def networks(self) -> dict[str, dict[str, str]]:
        """The four networks of the description, as a topology names them."""
        return {
            name: {
                "ipv4": f"198.19.{128 + 4 * self.number + index}.0/24",
                "ipv6": f"2001:db8:f0{self.number:02x}:{index}::/64",
            }
            for index, name in enumerate(NETWORKS)
        }

    def address(self, host: int, family: int = 4) -> str:
        """An address outside: `host` is its last part."""
        if family == 4:
            return f"198.19.{128 + 4 * self.number}.{host}"
        return f"2001:db8:f0{self.number:02x}::{host}"

    @property
    def lengths(self) -> dict[int, int]:
        """All four are one network of podman's: prefix lengths by family."""
        return {4: 22, 6: 48}

    def clear(self) -> None:
        """Remove container and network."""
        there = self._podman("ps", "--all", "--quiet", "--filter", f"name=^{self.name}(_.*)?$").split()
        self._podman.attempt("rm", "--force", "--ignore", "--time", "0", *there)
        self._podman.attempt("network", "rm", "--force", self.name)

    def make(self) -> None:
        """The network: a bridge that leads nowhere."""
        base4, base6 = f"198.19.{128 + 4 * self.number}.0/22", f"2001:db8:f0{self.number:02x}::/48"
        self._podman(
            "network", "create", "--disable-dns", "--internal", "--ipv6", "--subnet", base4,
            "--subnet", base6, "--gateway", self.address(1), "--gateway", self.address(1, 6), self.name,
        )  # fmt: skip
        there = self._podman.inspect("network", self.name)
        assert there
        self.bridge = str(there["network_interface"])

    def add(self, addresses: Iterable[str]) -> None:
        """Give the machine the neighbours' addresses, on the bridge; they go with it."""
        for address in addresses:
            more = ["/128", "nodad"] if ":" in address else ["/32"]
            argv = ["ip", "address", "add", address + more[0], "dev", self.bridge, *more[1:]]
            run(argv, check=False)

    def close(self) -> None:
        """Remove everything, and let others have it."""
        self.clear()
        self._lock.close()


class Container:
    """The host under test: its files, its addresses, and Kamailio as only process.

    Args:
        slot: Where it stands.
        image: Image of its kind of host in the lab.
        hostname: Its FQDN.
        addresses: Its own; the first of each family is the interface's.
        folder: Given to it as /harness, read only; `start` there is what it runs.
    """

    def __init__(
        self, podman: Podman, slot: Slot, image: str, hostname: str, addresses: Iterable[str], folder: Path
    ) -> None:
        self._podman = podman
        self.name = f"{slot.name}_{hostname.partition('.')[0]}"
        own = list(addresses)
        first = {6 if ":" in address else 4: address for address in reversed(own)}
        podman(
            "create", "--name", self.name, "--hostname", hostname, "--dns=none", "--no-hosts", "--pull=never",
            "--cap-add", "NET_ADMIN", "--sysctl", "net.ipv4.ip_unprivileged_port_start=0",
            "--sysctl", "net.ipv6.conf.default.accept_dad=0", "--stop-signal", "SIGTERM",
            "--network", f"{slot.name}:" + ",".join(f"ip={address}" for address in first.values()),
            "--volume", f"{folder}:/harness:ro", "--volume", f"{folder}/log:/dev/log",
            image, "/bin/sh", "/harness/start",
        )  # fmt: skip
        podman("start", self.name)
        self.pid = 0
        there = podman.inspect("container", self.name)
        assert there
        self.pid = int(there["State"]["Pid"])

    @property
    def root(self) -> Path:
        """Its file system."""
        return Path(f"/proc/{self.pid}/root")

    def run(self, *argv: str) -> str:
        """A program inside; its output."""
        return run(["nsenter", "--target", str(self.pid), "--all", *argv], timeout=30).stdout

    def alive(self) -> bool:
        """Whether it still runs."""
        there: dict[str, Any] = self._podman.inspect("container", self.name) or {}
        return there.get("State", {}).get("Status") == "running"

    def said(self) -> str:
        """What it printed."""
        done = self._podman.attempt("logs", "--tail", "40", self.name)
        return (done.stdout + done.stderr).strip()

    def processes(self) -> list[int]:
        """Process ids of its Kamailio, as the machine sees them."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return sorted([self.pid, *map(int, children.split())])


def podman() -> Podman:
    """Podman on a machine that is prepared as `edgewright up` prepares it.

    Raises:
        MissingError: it is missing and cannot be got, or this user may not play the neighbours.
    """
    if os.geteuid():
        raise MissingError("the SIP tests play name servers (port 53) and make networks: they need root")
    try:
        with Progress() as progress:
            return up.prepare_machine(paths.find(), progress)
    except ProvisionError as error:
        raise MissingError(f"no podman: {error}") from error


def ensure_image(podman: Podman, packages: Iterable[str]) -> str:
    """The image of a kind of host, built as `edgewright up` does if it is not there.

    Raises:
        MissingError: it cannot be built.
    """
    images, wanted = Images(paths.find(), podman), tuple(packages)
    try:
        with Progress() as progress:
            images.ensure([wanted], progress)
    except ProvisionError as error:
        raise MissingError(f"no image for lab hosts: {error}") from error
    return images.name(wanted)


def wait_for(condition: Any, seconds: float, what: str) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)

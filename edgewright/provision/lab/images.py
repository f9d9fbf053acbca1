"""Images of lab hosts: one base made from Debian packages only, and on it one layer per set of packages.

An image matters when a host is made and never again. Names say what is inside: the base is keyed by its
recipe (`images/base/`), a layer by the hash of its package set and the base's key: nothing is built twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgewright.provision.lab.podman import Podman
from edgewright.provision.paths import Paths
from edgewright.provision.progress import Progress, Step
from edgewright.provision.shell import ProvisionError, follow, privileged, run

SUITE = "trixie"
REPOSITORY = "localhost/edgewright-lab"
CONFIG = ('CMD ["/sbin/init"]', "STOPSIGNAL SIGRTMIN+3", "ENV container=podman")

# Services are neither started nor enabled here: the roles do that, as they would on any machine. The base
# image's lists are tried first; they are fetched anew only if they no longer serve.
LAYER_SCRIPT = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
enabled() {
  systemctl --root=/ list-unit-files --state=enabled --no-legend --no-pager | awk '{print $1}' | sort
}
enabled >/tmp/enabled
get() { apt-get -q -y install --no-install-recommends "$@"; }
get "$@" || { apt-get -q update && get "$@"; }
added=$(enabled | comm -13 /tmp/enabled -)
[ -z "$added" ] || systemctl --root=/ --quiet disable $added
apt-get clean
rm -f /usr/sbin/policy-rc.d /tmp/enabled /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
: >/etc/machine-id
"""


@dataclass(frozen=True, slots=True)
class Images:
    """The images of this clone's recipe on this machine."""

    paths: Paths
    podman: Podman

    @property
    def recipe(self) -> Path:
        """Folder of the base image's recipe."""
        return self.paths.root / "images" / "base"

    def base_key(self) -> str:
        """Hash of the recipe: names, modes and contents of its files."""
        digest = hashlib.sha256(SUITE.encode())
        for file in sorted(path for path in self.recipe.rglob("*") if path.is_file()):
            digest.update(f"{file.relative_to(self.recipe)}:{os.access(file, os.X_OK)}\n".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()[:12]

    def name(self, packages: Iterable[str] = ()) -> str:
        """The name of the image that holds these packages (the base for none)."""
        wanted = sorted(set(packages) - self.base_packages())
        key = self.base_key()
        if not wanted:
            return f"{REPOSITORY}:base-{key}"
        digest = hashlib.sha256("\n".join([key, LAYER_SCRIPT, *wanted]).encode()).hexdigest()[:12]
        return f"{REPOSITORY}:set-{digest}"

    def base_packages(self) -> set[str]:
        """Packages that the recipe names."""
        lines = (self.recipe / "packages").read_text(encoding="utf-8").splitlines()
        return {line.strip() for line in lines if line.strip() and not line.startswith("#")}

    def exists(self, name: str) -> bool:
        """Whether podman has the image."""
        return self.podman.attempt("image", "exists", name).returncode == 0

    def missing(self, sets: Iterable[Iterable[str]]) -> dict[str, tuple[str, ...]]:
        """Names of images to be built for these package sets, with the packages to add to the base."""
        wanted = {
            self.name(packages): tuple(sorted(set(packages) - self.base_packages())) for packages in sets
        }
        wanted.pop(self.name(), None)
        return {name: packages for name, packages in sorted(wanted.items()) if not self.exists(name)}

    def ensure(self, sets: Iterable[Iterable[str]], progress: Progress) -> None:
        """Build what is missing: the base, then layers, two at a time.

        Raises:
            ProvisionError: A build failed; the text has the end of its log.
        """
        sets = [tuple(packages) for packages in sets]
        if self.exists(self.name()) and not self.missing(sets):
            return
        with self._locked():
            if not self.exists(self.name()):
                with progress.step("base image") as step:
                    self._build_base(step)
            missing = self.missing(sets)
            # The largest first: the last one alone would leave a core idle.
            order = sorted(missing.items(), key=lambda item: -len(item[1]))
            with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
                for done in [pool.submit(self._build_layer, *item, progress) for item in order]:
                    done.result()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One builder at a time for all clones that share the cache."""
        self.paths.cache.mkdir(parents=True, exist_ok=True)
        with (self.paths.cache / "images.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _build_base(self, step: Step) -> None:
        archive = self.paths.cache / f"base-{self.base_key()}.tar"
        if not archive.exists():
            archive.parent.mkdir(parents=True, exist_ok=True)
            temporary = archive.with_suffix(f".{os.getpid()}.tar")
            try:
                try:
                    self._mmdebstrap(temporary, [], step)
                except ProvisionError as first:
                    sources = controller_sources()
                    if not sources:
                        raise
                    step.say("Debian's own mirror does not answer: trying the one this machine uses")
                    try:
                        self._mmdebstrap(temporary, sources, step)
                    except ProvisionError:
                        raise first from None
                temporary.replace(archive)
            finally:
                temporary.unlink(missing_ok=True)
        step.say("import")
        changes = [word for change in CONFIG for word in ("--change", change)]
        self.podman("import", "--quiet", *changes, str(archive), self.name())

    def _mmdebstrap(self, archive: Path, sources: list[str], step: Step) -> None:
        rootfs = self.recipe / "rootfs"
        argv = [
            "mmdebstrap",
            "--variant=minbase",
            "--mode=root",
            "--skip=cleanup/apt/lists",
            f"--include={','.join(sorted(self.base_packages()))}",
            f"--dpkgopt={rootfs}/etc/dpkg/dpkg.cfg.d/edgewright-lab",
            f"--aptopt={rootfs}/etc/apt/apt.conf.d/90edgewright-lab",
            f"--customize-hook=sync-in {rootfs} /",
            f"--customize-hook={self.recipe}/setup",
            SUITE,
            str(archive),
            *sources,
        ]
        follow(privileged(argv), step, "I: ")

    def _build_layer(self, name: str, packages: tuple[str, ...], progress: Progress) -> None:
        with progress.step(f"image {_title(packages)}") as step:
            container = f"edgewright-build-{name.rsplit('-', 1)[1]}"
            self.podman("rm", "--force", "--ignore", container)
            try:
                argv = self.podman.argv(
                    "run", "--name", container, "--network", "host",
                    "--label", "edgewright.build=1", self.name(), "sh", "-c", LAYER_SCRIPT, "sh", *packages,
                )  # fmt: skip
                follow(argv, step, "Setting up ", "Unpacking ")
                step.say("commit")
                changes = [word for change in CONFIG for word in ("--change", change)]
                self.podman("commit", "--quiet", *changes, container, name)
            finally:
                self.podman.attempt("rm", "--force", "--ignore", container)


def _title(packages: tuple[str, ...]) -> str:
    """A few words that tell a set from another: its longest-known names say little, so the first ones do."""
    shown = [package for package in packages if not package.startswith(("python3-", "lib"))] or list(packages)
    return ", ".join(shown[:3]) + (f" + {len(packages) - 3}" if len(packages) > 3 else "")


def controller_sources() -> list[str]:
    """Apt source lines for the images' suite at the mirror that this machine itself uses for Debian, if any.

    Used only where Debian's standard mirror cannot be reached. Apt is asked for it; the project names none.
    """
    done = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)", "Created-By: Packages"],
        check=False,
    )
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        uri, origin, label = (*line.split(" ", 2), "", "")[:3]
        if origin == "Debian" and label in ("Debian", "Debian-Security"):
            found.setdefault(label, uri.rstrip("/"))
    lines = []
    if "Debian" in found:
        lines += [f"deb {found['Debian']} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
    if "Debian-Security" in found:
        lines.append(f"deb {found['Debian-Security']} {SUITE}-security main")
    return lines

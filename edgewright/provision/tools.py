"""Go tools: the Pulumi engine with its Python language host, and pebble (the lab's ACME directory).

Each is looked for in a fixed order, every decision well under a second: on PATH, in the cache, as the
official release, built from the module proxy. Built tools are keyed by their module files and build flags.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgewright.provision.paths import Paths
from edgewright.provision.progress import Progress, Step
from edgewright.provision.shell import ProvisionError, follow, run

PULUMI = "3.259.0"
LANGUAGE_HOST = "3.79.0"
"""The last sdk version that carries the Python language host; it serves the newest engine, too."""
RELEASES = "https://get.pulumi.com/releases/sdk"
RELEASE_PROBE_SECONDS = 5
LANGUAGE_PLUGIN = "pulumi-language-python"
VERSION_FLAG = "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that can be run."""

    path: Path
    version: str
    way: str
    """How it was come by, for people."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program to be built: module folder below `tools/`, package, linker flags, name."""

    module: str
    package: str
    flags: str
    name: str


PULUMI_PROGRAMS = (
    GoProgram(
        "pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", f"-s -w {VERSION_FLAG}{PULUMI}", "pulumi"
    ),
    GoProgram(
        "langhost",
        "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        f"-s -w {VERSION_FLAG}{LANGUAGE_HOST}",
        LANGUAGE_PLUGIN,
    ),
)
PEBBLE_PROGRAMS = (GoProgram("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble", "-s -w", "pebble"),)


class Tools:
    """Finds, and where needed gets, the tools of one clone."""

    def __init__(self, paths: Paths) -> None:
        """Look below this clone and this user's cache."""
        self.paths = paths

    def find_pulumi(self) -> Tool | None:
        """Pulumi on PATH if it is new enough and complete, else from the cache; never the network."""
        on_path = shutil.which("pulumi")
        if on_path is not None:
            version = _pulumi_version(Path(on_path))
            if version is not None and version >= _number(PULUMI) and _has_language_host(Path(on_path)):
                return Tool(Path(on_path), ".".join(map(str, version)), "on PATH")
        for folder, way in (
            (self._release_folder(), "official release, cached"),
            (self._build_folder(PULUMI_PROGRAMS), "built from the module proxy, cached"),
        ):
            if (folder / "pulumi").exists() and (folder / LANGUAGE_PLUGIN).exists():
                return Tool(folder / "pulumi", PULUMI, way)
        return None

    def pulumi(self, progress: Progress) -> Tool:
        """Pulumi, got if need be.

        Raises:
            ProvisionError: None of the four ways works here; says what would.
        """
        found = self.find_pulumi()
        if found is None:
            with self._locked(), progress.step(f"pulumi {PULUMI}") as step:
                found = self.find_pulumi() or self._get_pulumi(step)
        self._link(found.path)
        return found

    def _get_pulumi(self, step: Step) -> Tool:
        step.say("asking for the official release")
        reason = self._download_release()
        if reason:
            step.say(f"no official release ({reason}); building")
            self._build(
                PULUMI_PROGRAMS,
                step,
                failing=f"pulumi {PULUMI} is not on PATH, not cached and cannot be downloaded ({reason})",
            )
        found = self.find_pulumi()
        if found is None:
            raise ProvisionError("pulumi was fetched, but is not complete: remove the cache and try again")
        return found

    def find_pebble(self) -> Tool | None:
        """Pebble on PATH or from the cache."""
        on_path = shutil.which("pebble")
        if on_path is not None:
            return Tool(Path(on_path), "?", "on PATH")
        built = self._build_folder(PEBBLE_PROGRAMS) / "pebble"
        return Tool(built, "2", "built from the module proxy, cached") if built.exists() else None

    def pebble(self, progress: Progress) -> Tool:
        """Pebble, built if need be.

        Raises:
            ProvisionError: It cannot be built here; says why.
        """
        found = self.find_pebble()
        if found is None:
            with self._locked(), progress.step("pebble (the lab's ACME directory)") as step:
                self._build(PEBBLE_PROGRAMS, step, failing="pebble is not on PATH and not cached")
            found = self.find_pebble()
            assert found is not None
        self._link(found.path)
        return found

    def go(self) -> str | None:
        """The Go command, if there is one."""
        usual = Path("/usr/local/go/bin/go")
        return shutil.which("go") or (str(usual) if usual.exists() else None)

    def _link(self, program: Path) -> None:
        """Give it a place that people and roles can name: `.edgewright/bin/`."""
        link = self.paths.state / "bin" / program.name
        if link.is_symlink() and link.readlink() == program:
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".{link.name}.{os.getpid()}")
        temporary.symlink_to(program)
        temporary.replace(link)

    def _release_folder(self) -> Path:
        return self.paths.cache / "tools" / f"pulumi-release-{PULUMI}"

    def _build_folder(self, programs: tuple[GoProgram, ...]) -> Path:
        """Where a build of exactly these modules with exactly these flags lies."""
        digest = hashlib.sha256(platform.machine().encode())
        for program in programs:
            folder = self.paths.root / "tools" / program.module
            for name in ("go.mod", "go.sum"):
                digest.update((folder / name).read_bytes())
            digest.update(f"{program.package} {program.flags}".encode())
        return self.paths.cache / "tools" / f"{programs[0].name}-{digest.hexdigest()[:12]}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One getter at a time for all clones that share the cache."""
        self.paths.cache.mkdir(parents=True, exist_ok=True)
        with (self.paths.cache / "tools.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _download_release(self) -> str:
        """Fetch and unpack the official release; why it could not be had, or nothing."""
        machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
        if machine is None:
            return f"there is none for {platform.machine()}"
        name = f"pulumi-v{PULUMI}-linux-{machine}.tar.gz"
        target = self._release_folder()
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            try:
                sums = _fetch(f"{RELEASES}/pulumi-{PULUMI}-checksums.txt", RELEASE_PROBE_SECONDS).decode()
                archive = Path(folder) / name
                archive.write_bytes(_fetch(f"{RELEASES}/{name}", 300))
            except (OSError, ValueError) as error:
                return str(getattr(error, "reason", error))
            wanted = {
                line.split()[1].lstrip("*"): line.split()[0] for line in sums.splitlines() if line.strip()
            }
            if wanted.get(name) != hashlib.sha256(archive.read_bytes()).hexdigest():
                return "its checksum does not match"
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
            shutil.rmtree(target, ignore_errors=True)
            (Path(folder) / "pulumi").rename(target)
        return ""

    def _build(self, programs: tuple[GoProgram, ...], step: Step, failing: str) -> None:
        """Build with Go into the cache. The build's own files (1.6 GB) are removed when it has succeeded."""
        go = self.go()
        if go is None:
            raise ProvisionError(
                f"{failing}, and there is no Go to build it.\n"
                f"  Install pulumi {PULUMI} or newer, or Go 1.21 or newer, and run again."
            )
        proxies = run([go, "env", "GOPROXY"]).stdout.strip()
        work = self.paths.cache / "go"
        env = {
            **os.environ,
            # After a refusal Go would otherwise try version control, which hangs where there is only a proxy.
            "GOPROXY": ",".join(part for part in proxies.split(",") if part not in ("direct", "off")),
            "CGO_ENABLED": "0",
            "GOFLAGS": "-buildvcs=false -modcacherw",
            "GOCACHE": str(work / "build"),
            "GOMODCACHE": str(work / "mod"),
        }
        target = self._build_folder(programs)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            place = Path(folder) / "new"
            place.mkdir()
            for program in programs:
                module = self.paths.root / "tools" / program.module
                argv = [go, "build", "-v", "-trimpath", "-ldflags", program.flags]
                try:
                    follow(
                        [*argv, "-o", str(place / program.name), program.package], step, cwd=module, env=env
                    )
                except ProvisionError as error:
                    raise ProvisionError(f"{failing}, and building it failed:\n{error}") from error
            if programs is PULUMI_PROGRAMS:
                sdk = run(
                    [go, "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"],
                    cwd=self.paths.root / "tools" / "pulumi",
                    env=env,
                ).stdout.strip()
                runner = place / f"{LANGUAGE_PLUGIN}-exec"
                shutil.copyfile(Path(sdk) / "python" / "cmd" / runner.name, runner)
                runner.chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            place.rename(target)
        if self._build_folder(PULUMI_PROGRAMS).exists() and self._build_folder(PEBBLE_PROGRAMS).exists():
            shutil.rmtree(work, ignore_errors=True)


def _fetch(url: str, seconds: float) -> bytes:
    with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310 (a constant https address)
        content: bytes = answer.read()
    return content


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _pulumi_version(program: Path) -> tuple[int, ...] | None:
    """The version that a pulumi says it is; None if it cannot be run."""
    try:
        text = run([str(program), "version"], timeout=10, env={"PULUMI_SKIP_UPDATE_CHECK": "true"}).stdout
    except (ProvisionError, OSError):
        return None
    match = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, match.groups())) if match else None


def _has_language_host(program: Path) -> bool:
    return shutil.which(LANGUAGE_PLUGIN) is not None or (program.resolve().parent / LANGUAGE_PLUGIN).exists()

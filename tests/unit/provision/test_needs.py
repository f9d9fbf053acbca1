"""What the machine needs: kernel settings that are put back, packages by program, podman's configuration."""

from __future__ import annotations

import functools
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plans
import pytest

from edgewright import machines as reader
from edgewright.provision import needs, tools, up
from edgewright.provision.lab import podman
from edgewright.provision.paths import Paths
from edgewright.provision.progress import Progress
from edgewright.provision.tools import LANGUAGE_PLUGIN, PULUMI, Tools


class NoLabs:
    """Podman with a lab or without."""

    def __init__(self, labs: str = "") -> None:
        self.labs = labs

    def __call__(self, *args: str) -> str:
        return self.labs


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Kernel settings that can be set without touching the machine's."""
    values = {needs.BRIDGES[0]: "1", needs.BRIDGES[1]: "0", needs.INOTIFY: "128"}
    record = tmp_path / "record.json"

    def run(argv: list[str], *, stdin: str = "") -> None:
        if argv[0] == "rm":
            record.unlink()
        elif argv[1] == str(record):
            record.write_text(stdin)
        else:
            values[argv[1].removeprefix("/proc/sys/")] = stdin

    monkeypatch.setattr(needs, "SYSCTL_RECORD", record)
    monkeypatch.setattr(needs, "privileged", list)
    monkeypatch.setattr(needs, "run", run)
    monkeypatch.setattr(needs, "_sysctl", values.get)
    return values


def test_kernel_settings_are_set_once_and_put_back_by_the_last_lab(kernel: dict[str, str]) -> None:
    before = dict(kernel)
    changed = needs.fit_sysctls()
    assert changed == [
        "net.bridge.bridge-nf-call-iptables 1 -> 0",
        "fs.inotify.max_user_instances 128 -> 1024",
    ]
    assert needs.unfit_sysctls() == {}
    assert needs.fit_sysctls() == []
    assert needs.restore_sysctls(NoLabs("another lab")) == []  # type: ignore[arg-type]
    assert needs.restore_sysctls(NoLabs())  # type: ignore[arg-type]
    assert kernel == before
    assert not needs.SYSCTL_RECORD.exists()


def test_what_was_first_is_what_is_put_back(kernel: dict[str, str]) -> None:
    needs.fit_sysctls()
    kernel[needs.INOTIFY] = "512"
    needs.fit_sysctls()
    assert json.loads(needs.SYSCTL_RECORD.read_text())[needs.INOTIFY] == "128"


def test_a_record_cannot_make_us_write_anything_else(kernel: dict[str, str]) -> None:
    needs.SYSCTL_RECORD.write_text('{"kernel/core_pattern": "|/bin/evil"}')
    assert needs.restore_sysctls(NoLabs()) == []  # type: ignore[arg-type]
    assert "kernel/core_pattern" not in kernel


def test_podman_is_configured_only_where_its_defaults_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman, "_root_may", lambda bit: True)
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.setattr(Path, "is_dir", lambda self: True)
    assert podman.containers_conf() == '[network]\nnetwork_backend = "netavark"\n'
    monkeypatch.setattr(podman, "_root_may", lambda bit: False)
    monkeypatch.setattr(Path, "exists", lambda self: False)
    monkeypatch.setattr(Path, "is_dir", lambda self: False)
    text = podman.containers_conf()
    assert 'runtime = "runc"' in text
    assert 'cgroup_manager = "cgroupfs"' in text
    assert "default_ulimits" in text


def test_a_deployment_of_existing_hosts_needs_neither_pulumi_nor_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    existing = plans.every_kind().hosts["fe2"]
    plan = plans.plan("given", [plans.network("inside", 42)], [existing])
    monkeypatch.setattr(up, "plan_of", lambda folder: plan)
    monkeypatch.setattr(up, "become", lambda: pytest.fail("root is not needed"))
    monkeypatch.setattr(Paths, "sockets", lambda self, name: tmp_path / "run")
    place = Paths(tmp_path, tmp_path / "cache")
    with Progress() as progress:
        done = up.up(tmp_path / "given", progress, place)
    assert not done.changed
    found = reader.load(place.deployment("given")).hosts["fe2"]
    assert (found.address, found.host_key) == ("198.18.42.62", "ssh-ed25519 AAAAexisting")


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server on loopback that has pulumi's release for this machine."""
    folder = tmp_path / "releases"
    (folder / "pulumi").mkdir(parents=True)
    for name in ("pulumi", LANGUAGE_PLUGIN):
        (folder / "pulumi" / name).write_text("#!/bin/sh\n")
    archive = folder / f"pulumi-v{PULUMI}-linux-x64.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder / "pulumi", "pulumi")
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(tools, "RELEASES", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(tools.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    yield archive
    server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.mark.parametrize("honest", [True, False])
def test_the_official_release_is_taken_only_with_its_checksum(
    releases: Path, tmp_path: Path, honest: bool
) -> None:
    digest = tools.hashlib.sha256(releases.read_bytes()).hexdigest()
    sums = releases.with_name(f"pulumi-{PULUMI}-checksums.txt")
    sums.write_text(f"{digest if honest else '0' * 64}  {releases.name}\n")
    root = Path(__file__).parents[3]
    found = Tools(Paths(root, tmp_path / "cache"))
    reason = found._download_release()
    tool = found.find_pulumi()
    if honest:
        assert reason == ""
        assert tool is not None
        assert tool.way == "official release, cached"
    else:
        assert "checksum" in reason
        assert tool is None

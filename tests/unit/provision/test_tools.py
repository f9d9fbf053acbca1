"""The four ways to pulumi, each decided at once."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from edgewright.provision import tools
from edgewright.provision.paths import Paths
from edgewright.provision.progress import Progress
from edgewright.provision.shell import ProvisionError
from edgewright.provision.tools import LANGUAGE_PLUGIN, PEBBLE_PROGRAMS, PULUMI, PULUMI_PROGRAMS, Tools

ROOT = Path(__file__).parents[3]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Tools of a machine that has nothing: an empty PATH, an empty cache, no network."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "root").mkdir()
    shutil.copytree(ROOT / "tools", tmp_path / "root" / "tools")
    monkeypatch.setattr(tools, "RELEASES", "http://127.0.0.1:9")
    return Tools(Paths(tmp_path / "root", tmp_path / "cache"))


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "host", "good"),
    [
        ("v3.300.1", True, True),
        (f"v{PULUMI}", True, True),
        ("v3.258.9", True, False),
        ("v3.300.1", False, False),
    ],
)
def test_on_path_only_if_new_enough_and_complete(
    found: Tools, tmp_path: Path, version: str, host: bool, good: bool
) -> None:
    program(tmp_path / "bin" / "pulumi", version)
    if host:
        program(tmp_path / "bin" / LANGUAGE_PLUGIN, "x")
    tool = found.find_pulumi()
    assert (tool is not None and tool.way == "on PATH") is good


def test_a_build_in_the_cache_serves_as_long_as_its_modules_are_the_same(found: Tools) -> None:
    folder = found._build_folder(PULUMI_PROGRAMS)
    program(folder / "pulumi", "x")
    assert found.find_pulumi() is None, "a build without its language host is no build"
    program(folder / LANGUAGE_PLUGIN, "x")
    tool = found.find_pulumi()
    assert tool is not None
    assert tool.path == folder / "pulumi"
    with (found.paths.root / "tools" / "langhost" / "go.sum").open("a") as stream:
        stream.write("example.org/m v1.0.0 h1:x=\n")
    assert found.find_pulumi() is None


def test_without_download_and_go_one_clear_sentence_at_once(
    found: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tools, "go", lambda self: None)
    started = time.monotonic()
    with (
        Progress() as progress,
        pytest.raises(ProvisionError, match=f"Install pulumi {PULUMI} or newer, or Go"),
    ):
        found.pulumi(progress)
    assert time.monotonic() - started < 1


def test_a_link_for_people_and_roles(found: Tools) -> None:
    built = found._build_folder(PEBBLE_PROGRAMS) / "pebble"
    program(built, "x")
    with Progress() as progress:
        found.pebble(progress)
    link = found.paths.state / "bin" / "pebble"
    assert link.readlink() == built


def test_pins_agree() -> None:
    assert f"pulumi/pkg/v3 v{PULUMI}" in (ROOT / "tools" / "pulumi" / "go.mod").read_text()
    assert f"pulumi/sdk/v3 v{tools.LANGUAGE_HOST}" in (ROOT / "tools" / "langhost" / "go.mod").read_text()
    assert f"pulumi=={PULUMI} " in (ROOT / "requirements" / "edgewright.lock").read_text()


def test_lock_files_carry_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "//" not in text

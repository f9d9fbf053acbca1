"""Bad input and bad situations at the command line: a sentence, the right exit status, nothing half done."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgewright import cli, machines, model, plan
from edgewright.model import credentials
from edgewright.provision import configure, needs, paths, status, up
from edgewright.provision.lab import podman
from edgewright.provision.lock import only_one
from edgewright.provision.paths import Paths
from edgewright.provision.shell import ProvisionError

ROOT = Path(__file__).parents[3]
MINIMAL = ROOT / "inventory" / "minimal"
TAKEN = "[{name: fwin1, addresses: {inside: {ipv4: 198.18.10.61}}}]"
"""A router with the Front End's address."""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A clone's state and cache of the test's own."""
    for folder in ("images", "pulumi", "tools"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.setenv("EDGEWRIGHT_ROOT", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return paths.find()


@pytest.fixture
def folder(place: Paths) -> Path:
    """A description in that clone."""
    return Path(shutil.copytree(MINIMAL, place.root / "inventory" / "minimal"))


@pytest.fixture
def run(place: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["edgewright", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(ended.value.code or 0), said.out + said.err

    return call


def provisioned(folder: Path, place: Paths, **changes: Any) -> None:
    """Machines as if the hosts had been made."""
    planned = plan.make(model.load(folder))
    hosts = {
        name: {
            "address": "127.0.0.1",
            "kind": host.kind,
            "roles": list(host.roles),
            "interfaces": {"all": {"extra": [str(address) for address in host.addresses()]}},
        }
        for name, host in planned.hosts.items()
    }
    document = {"schema": 1, "deployment": "minimal", "digest": planned.digest, "hosts": hosts, **changes}
    state = place.deployment("minimal")
    state.mkdir(parents=True, exist_ok=True)
    (state / "machines.json").write_text(json.dumps(document))


def no_program(*args: Any, **kwargs: Any) -> Any:
    """Stands where nothing may be run."""
    pytest.fail(f"something was done: {args}")


@pytest.mark.parametrize(
    "words",
    [
        ["check", "nowhere"],
        ["plan", "nowhere"],
        ["up", "nowhere"],
        ["env", "nowhere"],
        ["apply", "nowhere"],
        ["apply", "nowhere", "--policies"],
        ["verify", "nowhere"],
        ["report", "nowhere"],
        ["matrix", "nowhere"],
        ["secrets", "nowhere"],
        ["explain", "-d", "nowhere", "alice", "sign-in"],
        ["status", "nowhere"],
        ["ssh", "-d", "nowhere", "edge1"],
    ],
)
def test_a_folder_that_is_not_there(run: Run, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", no_program)
    code, said = run(*words)
    assert code == 2
    assert "no such folder" in said or "have not been provisioned" in said


@pytest.mark.parametrize("verb", ["apply", "verify", "status"])
def test_hosts_that_were_never_made(run: Run, folder: Path, verb: str) -> None:
    code, said = run(verb, folder)
    assert code == 2
    assert "run `edgewright up minimal` first" in said


def test_nothing_proven_yet(run: Run, folder: Path) -> None:
    code, said = run("report", folder)
    assert (code, "has not been proven yet" in said) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "edg1"], "no host or group 'edg1'; did you mean 'edge1'?"),
        (["--limit", "fe1,front-end"], "did you mean 'front_end'?"),
        (["--tags", "front_ends"], "no role 'front_ends'; did you mean 'front_end'?"),
        (["--policies", "--limit", "fe1"], "--policies is for all hosts"),
    ],
)
def test_apply_to_what_does_not_exist(
    run: Run, folder: Path, place: Paths, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    provisioned(folder, place)
    monkeypatch.setattr(configure, "apply", no_program)
    code, answer = run("apply", folder, *words)
    assert code == 2
    assert said in " ".join(answer.split())


def test_ansibles_own_patterns_are_left_to_ansible(folder: Path, place: Paths) -> None:
    provisioned(folder, place)
    made = machines.load(place.deployment("minimal"))
    configure.examine(
        plan.make(model.load(folder)), made, ["edge:!edge2", "role_base", "site_office"], ["base"]
    )


def test_machines_of_another_description(
    run: Run, folder: Path, place: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    provisioned(folder, place, digest="0" * 64)
    monkeypatch.setattr(configure, "apply", no_program)
    topology = folder / "topology.yml"
    topology.write_text(topology.read_text().replace("hosts: [fe1]", "hosts: [fe7]"))
    code, said = run("apply", folder)
    assert code == 2
    assert "fe7 is planned, but was not made" in said


def test_ssh_to_an_unknown_host(run: Run, folder: Path, place: Paths) -> None:
    provisioned(folder, place)
    code, said = run("ssh", "-d", folder, "egde1")
    assert (code, "no host 'egde1'; did you mean 'edge1'?" in said) == (2, True)


def test_a_schema_of_no_file(run: Run) -> None:
    code, said = run("schema", "topolgy.yml")
    assert (code, "topology.yml" in said) == (2, True)


def test_no_such_verb_and_no_such_format(run: Run, folder: Path) -> None:
    assert run("levitate")[0] == 2
    assert run("plan", folder, "--format", "yaml")[0] == 2
    assert run("plan", folder, "--format", "json", "--into", folder)[0] == 2


def test_two_hosts_with_one_address_and_subnets_that_overlap(run: Run, folder: Path) -> None:
    topology = folder / "topology.yml"
    text = topology.read_text().replace(
        "inside:    {ipv4: 198.18.10.0/24}", "inside:    {ipv4: 198.18.9.0/25}"
    )
    topology.write_text(text)
    code, said = run("up", folder)
    assert (code, "topology.yml:" in said, "198.18.9.0/25" in said) == (2, True, True)
    topology.write_text(text.replace("198.18.9.0/25", "198.18.10.0/24").replace("[fwin1]", TAKEN))
    code, said = run("check", folder)
    assert (code, "198.18.10.61" in said) == (2, True)


def test_two_at_once(run: Run, folder: Path, place: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "prepare_machine", no_program)
    with only_one(place, "up contoso"):
        code, said = run("up", folder)
    assert code == 1
    assert "already at work here: `up contoso`, process" in said


@pytest.mark.parametrize("words", [["verify"], ["apply", "--policies"], ["apply"], ["down"]])
def test_the_hosts_are_being_proven(
    run: Run, folder: Path, place: Paths, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    provisioned(folder, place)
    monkeypatch.setattr(configure, "_run", no_program)
    monkeypatch.setattr(up, "close_connections", no_program)
    credentials.make_lab(model.load(folder))
    with (place.deployment("minimal") / "hosts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("`verify minimal`, process 7, since 12:00:00")
        lock.flush()
        code, said = run(*words, folder)
    assert code == 1
    assert "`verify minimal`, process 7, since 12:00:00, is at work with the hosts" in said


def test_neither_root_nor_sudo(run: Run, folder: Path, place: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    monkeypatch.setattr(up, "prepare_machine", no_program)
    code, said = run("up", folder)
    assert code == 1
    assert "needs root" in said
    assert "sudo" in said


def test_a_sudo_that_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgewright.provision import shell

    refused = subprocess.CompletedProcess(["sudo"], 1)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: "/usr/bin/sudo")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: refused)
    with pytest.raises(ProvisionError, match="sudo did not give it"):
        shell.become()


def test_podman_is_missing_and_cannot_be_installed(
    run: Run, folder: Path, place: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "become", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    code, said = run("up", folder)
    assert code == 1
    assert "Debian packages to be installed: " in said, "listed before anything is installed"
    assert "podman" in said
    assert "by hand: there is no apt-get here" in said


def test_podman_is_broken(run: Run, folder: Path, place: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = subprocess.CompletedProcess(["podman"], 125, "", "Error: database is malformed\n")
    monkeypatch.setattr(up, "become", lambda: None)
    monkeypatch.setattr(needs, "missing_packages", list)
    monkeypatch.setattr(podman.Podman, "attempt", lambda self, *args, **kwargs: broken)
    monkeypatch.setattr(needs, "fit_sysctls", no_program)
    code, said = run("up", folder)
    assert code == 1
    assert "podman does not work: Error: database is malformed" in said


def test_doctor_on_a_bare_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    monkeypatch.setattr(status.Tools, "find_pulumi", lambda self: None)
    monkeypatch.setattr(status.Tools, "find_pebble", lambda self: None)
    monkeypatch.setattr(status.Tools, "go", lambda self: None)
    code, said = run("doctor")
    assert code == 0
    assert "missing" in said
    for what in ("podman", "nftables", "pulumi", "Go 1.21"):
        assert what in said


def test_a_full_disk(run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *args: Any, **kwargs: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_text", full)
    code, said = run("plan", folder, "--format", "zone", "--into", tmp_path / "zones")
    assert code == 1
    assert "No space left on device" in said


def test_interrupted(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.checking, "check", interrupt)
    code, _ = run("check", folder)
    assert code == 130

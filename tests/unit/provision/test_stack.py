"""Around the Pulumi command line: what its output means, and what is put right after a crash."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgewright.model import files
from edgewright.provision.lock import only_one
from edgewright.provision.paths import Paths
from edgewright.provision.shell import ProvisionError, follow, run
from edgewright.provision.stack import Stack, _diagnosis, _Events, counts, environment

OUTPUT = """\
Updating (sample):

@ updating....
 +  lab:index:Host edge1 creating (0s)
 +  lab:index:Host edge1 created (1.20s)
 ~  lab:index:Host client1 updated (850ms) [diff: ~state]
    lab:index:Host fe1
 +  lab:index:Host fe1 **creating failed** error: no image
Diagnostics:
  lab:index:Host (fe1):
    error: no image

  pulumi:pulumi:Stack (edgewright-sample):
    error: update failed

Resources:
    + 12 created
    ~ 1 updated
    +-2 replaced
    20 unchanged
    1 errored

Duration: 7s
"""


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, detail: str) -> None:
        self.lines.append(detail)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(
        Paths(tmp_path, tmp_path / "cache"), tmp_path / "pulumi", "sample", tmp_path / "inventory" / "sample"
    )


def test_figures() -> None:
    expected = {"created": 12, "updated": 1, "replaced": 2, "unchanged": 20, "errored": 1}
    assert counts(OUTPUT.splitlines()) == expected


def test_progress_names_hosts() -> None:
    heard = Heard()
    events = _Events(heard)
    for line in OUTPUT.splitlines():
        events.say(line)
    assert heard.lines == [
        "host edge1 creating (0 done)",
        "host edge1 created (1 done)",
        "host client1 updated (2 done)",
    ]


def test_only_the_cause_is_told() -> None:
    assert _diagnosis(OUTPUT) == "host fe1: no image"


def lock(stack: Stack, pid: int) -> Path:
    file = stack.paths.backend / ".pulumi" / "locks" / "organization" / "edgewright" / "sample" / "x.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": pid, "hostname": socket.gethostname(), "timestamp": "now"}))
    return file


def test_the_lock_of_a_dead_process_is_removed(stack: Stack) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    file = lock(stack, child.pid)
    assert "dead" in stack.repair()[0]
    assert not file.exists()


def test_the_lock_of_a_living_process_is_left(stack: Stack) -> None:
    file = lock(stack, os.getpid())
    with pytest.raises(ProvisionError, match=f"process {os.getpid()}"):
        stack.repair()
    assert file.exists()


def test_secrets_of_the_state_have_a_passphrase_of_this_clone_only(stack: Stack) -> None:
    env = environment(stack.paths, stack.program)
    file = Path(env["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    environment(stack.paths, stack.program)
    assert file.read_text() == before
    assert before.strip() not in " ".join(env.values())


def test_two_at_once_get_a_clear_message(tmp_path: Path) -> None:
    place = Paths(tmp_path, tmp_path)
    code = (
        "from pathlib import Path; from edgewright.provision.lock import only_one; "
        "from edgewright.provision.paths import Paths\n"
        f"with only_one(Paths(Path({str(tmp_path)!r}), Path('.')), 'up sample'): pass"
    )
    with only_one(place, "up contoso"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "already at work here: `up contoso`, process" in done.stderr
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_failing_program_is_told_with_its_own_words() -> None:
    with pytest.raises(ProvisionError, match="sad news"):
        run(["sh", "-c", "echo sad news >&2; exit 3"])
    with pytest.raises(ProvisionError, match="not installed"):
        run(["no-such-program"])
    with pytest.raises(ProvisionError, match="no answer"):
        run(["sleep", "5"], timeout=0.1)
    with pytest.raises(ProvisionError, match=r"(?s)^3\n4\n.*status 1"):
        follow(["sh", "-c", "seq 4; exit 1"], Heard(), tail=2)


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    files.write(file, "old", 0o600)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(UnicodeEncodeError):
        files.write(file, "new \ud800")
    assert file.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]

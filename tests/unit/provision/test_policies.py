"""On all hosts or on none. Hosts are folders here, with the real on-host program behind an ssh of our own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edgewright.busy import BusyError, alone
from edgewright.plan.tables import Table
from edgewright.provision import policies
from edgewright.provision.policies import Target
from edgewright.provision.shell import ProvisionError

PROGRAM = Path(__file__).parents[3] / "services/tables/src"
HOSTS = ("edge1", "director1", "fe1")
USERS = {f"user{n}@contoso.example": f"enabled=1;md5={n:032x}" for n in range(3000)}

SSH = """#!{python}
import os, sys
host, command = sys.argv[-2:]
home = "{root}/" + host
with open("{root}/arguments", "a") as log:
    print(" ".join(sys.argv), file=log)
if os.path.exists(home + "/down"):
    sys.exit("ssh: connect to host " + host + ": no route")
os.environ["REFUSE"] = home + "/refuse"
if os.path.exists(home + "/kill-at-" + command.split()[1]):
    os.kill(int(open("{root}/controller").read()), 9)
sys.path.insert(0, "{program}")
from pathlib import Path
from edgewright_tables import cli, hooks, switch
hooks._PATIENCE = 0
switch.default_places = lambda: switch.Places(Path(home), Path(home + "/tables.d"))
sys.argv = command.split()
sys.exit(cli.main())
"""


class Estate:
    """Hosts with a daemon each, which takes new tables unless told to refuse."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for host in HOSTS:
            (root / host / "tables.d").mkdir(parents=True)
            hook = {"schema": 1, "unit": "sip.service", "tables": ["users"], "reload": ["tell"]}
            (root / host / "tables.d/sip.json").write_text(json.dumps(hook))

    def target(self, users: Mapping[str, str]) -> Target:
        """All hosts should have these users."""
        wanted = {host: {"users": Table(users), "peers": Table({"x": "1"})} for host in HOSTS}
        return Target(self.root / "ssh_config", dict.fromkeys(HOSTS, "root"), wanted)

    def users(self, host: str) -> dict[str, str]:
        """What a host runs."""
        with sqlite3.connect(self.root / host / "tables.sqlite") as database:
            return dict(database.execute("SELECT key_name, key_value FROM users"))

    def mark(self, host: str, name: str, *, off: bool = False) -> None:
        """Let a host be `down`, or its daemon `refuse`."""
        path = self.root / host / name
        path.unlink() if off else path.touch()

    def states(self, users: Mapping[str, str]) -> dict[str, str]:
        """What `status` would say."""
        return {found.host: found.state for found in policies.drift(self.target(users))}


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """Hosts that have never had tables."""
    root, programs = tmp_path / "hosts", tmp_path / "bin"
    programs.mkdir()
    scripts = {
        "ssh": SSH.format(python=sys.executable, root=root, program=PROGRAM),
        "systemctl": "#!/bin/sh\necho active\n",
        "tell": '#!/bin/sh\n[ ! -e "$REFUSE" ]\n',
    }
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return Estate(root)


CHANGED = {**USERS, "user7@contoso.example": "enabled=0"}
del CHANGED["user8@contoso.example"]


def test_everything_at_first_then_only_rows_that_changed(estate: Estate) -> None:
    first = policies.apply(estate.target(USERS))
    assert [host.rows for host in first.hosts] == [3001] * 3
    second = policies.apply(estate.target(CHANGED))
    assert [host.rows for host in second.hosts] == [2] * 3
    assert estate.users("fe1") == CHANGED
    assert [host.changed for host in second.hosts] == [("users",)] * 3


def test_the_same_again_sends_nothing(estate: Estate) -> None:
    policies.apply(estate.target(USERS))
    done = policies.apply(estate.target(USERS))
    assert not any(host.changed or host.rows for host in done.hosts)


def test_no_secret_is_in_arguments_or_on_disk(estate: Estate) -> None:
    policies.apply(estate.target(USERS))
    assert f"{7:032x}" not in (estate.root / "arguments").read_text()
    left = {path.name for path in estate.root.iterdir()} - {"arguments", *HOSTS}
    assert left == {"hosts.lock"}
    assert (estate.root / "hosts.lock").read_text() == ""


def test_a_host_that_cannot_be_asked_stops_all(estate: Estate) -> None:
    policies.apply(estate.target(USERS))
    estate.mark("fe1", "down")
    with pytest.raises(ProvisionError, match=r"nothing was changed: fe1: ssh: .*no route"):
        policies.apply(estate.target(CHANGED))
    assert estate.users("edge1") == USERS
    assert not (estate.root / "edge1/tables.staged.sqlite").exists()


def test_a_stage_that_fails_commits_nowhere(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    policies.apply(estate.target(USERS))
    ask = Target.ask

    def fails(self: Target, host: str, verb: str, data: bytes | None = None) -> dict[str, object]:
        if host == "fe1" and verb == "stage":
            raise policies.HostError("disk is full")
        return ask(self, host, verb, data)

    monkeypatch.setattr(Target, "ask", fails)
    with pytest.raises(ProvisionError, match="nothing was changed: fe1: disk is full"):
        policies.apply(estate.target(CHANGED))
    assert {host: estate.users(host) == USERS for host in HOSTS} == dict.fromkeys(HOSTS, True)
    assert set(estate.states(USERS).values()) == {"as described"}


def test_a_commit_that_fails_takes_the_others_back(estate: Estate) -> None:
    policies.apply(estate.target(USERS))
    estate.mark("director1", "refuse")
    with pytest.raises(ProvisionError, match=r"could not commit: director1: .*did not take the new tables"):
        policies.apply(estate.target(CHANGED))
    assert estate.users("edge1") == estate.users("fe1") == USERS
    estate.mark("director1", "refuse", off=True)
    policies.apply(estate.target(CHANGED))
    assert {host: estate.users(host) == CHANGED for host in HOSTS} == dict.fromkeys(HOSTS, True)


def test_one_that_cannot_go_back_is_named_and_shown(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    policies.apply(estate.target(USERS))
    estate.mark("director1", "refuse")
    ask = Target.ask

    def dies(self: Target, host: str, verb: str, data: bytes | None = None) -> dict[str, object]:
        if host == "fe1" and verb.startswith("rollback"):
            raise policies.HostError("no answer")
        return ask(self, host, verb, data)

    monkeypatch.setattr(Target, "ask", dies)
    with pytest.raises(ProvisionError, match=r"could not go back.*fe1: no answer"):
        policies.apply(estate.target(CHANGED))
    monkeypatch.undo()


def test_interrupted_between_commits_is_seen_and_completed(estate: Estate) -> None:
    policies.apply(estate.target(USERS))
    there = estate.target(CHANGED)
    # As a power cut of the controller leaves it: one has committed, one has staged, one knows nothing.
    whole = json.dumps(policies.tables.bundle(there.wanted["fe1"])).encode()
    for host in ("edge1", "fe1"):
        there.ask(host, "stage", whole)
    there.ask("edge1", "commit")
    assert estate.states(CHANGED) == {
        "director1": "runs other users",
        "edge1": "as described",
        "fe1": "runs other users; has tables staged that were not committed",
    }
    assert "as described" not in {estate.states(USERS)["edge1"], estate.states(USERS)["fe1"]}
    policies.apply(estate.target(CHANGED))
    assert set(estate.states(CHANGED).values()) == {"as described"}


def test_a_daemon_that_was_not_told_is_seen_and_told(estate: Estate) -> None:
    policies.apply(estate.target(USERS))
    there = estate.target(CHANGED)
    for host in HOSTS:
        there.ask(host, "stage", json.dumps(policies.tables.bundle(there.wanted[host])).encode())
    estate.mark("fe1", "refuse")
    there.ask("edge1", "commit")
    there.ask("director1", "commit")
    with pytest.raises(policies.HostError):
        there.ask("fe1", "commit")
    assert estate.states(CHANGED)["fe1"] == "has not followed users"
    estate.mark("fe1", "refuse", off=True)
    policies.apply(there)
    assert estate.states(CHANGED)["fe1"] == "as described"


def test_ctrl_c_while_staging_leaves_nothing_staged(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    policies.apply(estate.target(USERS))
    stage = policies._stage

    def interrupted(there: Target, host: str, work: policies._Work) -> str:
        stage(there, host, work)
        raise KeyboardInterrupt

    monkeypatch.setattr(policies, "_stage", interrupted)
    with pytest.raises(KeyboardInterrupt):
        policies.apply(estate.target(CHANGED))
    assert set(estate.states(USERS).values()) == {"as described"}


def test_ctrl_c_while_committing_takes_all_back(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    policies.apply(estate.target(USERS))
    ask = Target.ask

    def interrupted(self: Target, host: str, verb: str, data: bytes | None = None) -> dict[str, object]:
        answer = ask(self, host, verb, data)
        if host == "edge1" and verb.startswith("commit"):
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(Target, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        policies.apply(estate.target(CHANGED))
    assert set(estate.states(USERS).values()) == {"as described"}


@contextmanager
def at_work(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the hosts."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom edgewright.busy import alone\n"
        "with alone(Path(sys.argv[1]), 'verify x'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_not_while_somebody_else_proves_or_applies(estate: Estate) -> None:
    with (
        at_work(estate.root),
        pytest.raises(BusyError, match=r"`verify x`, process \d+, since .* is at work"),
    ):
        policies.apply(estate.target(USERS))
    policies.apply(estate.target(USERS))


def test_a_proof_applies_policies_itself(estate: Estate) -> None:
    with alone(estate.root, "verify"):
        policies.apply(estate.target(USERS))
        assert "`verify`" in (estate.root / "hosts.lock").read_text(), "still held"


def hosts_at_work(root: Path) -> bool:
    """Whether anything that a controller began on a host is still under way."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(root).encode() in line.read_bytes():
                return True
    return False


@pytest.mark.parametrize("verb", ["status", "compare", "stage", "commit"])
def test_killed_at_any_step_status_says_so_and_the_next_run_completes(estate: Estate, verb: str) -> None:
    policies.apply(estate.target(USERS))
    estate.mark("fe1", f"kill-at-{verb}")
    child = os.fork()
    if child == 0:
        (estate.root / "controller").write_text(str(os.getpid()))
        policies.apply(estate.target(CHANGED))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    deadline = time.monotonic() + 30
    while hosts_at_work(estate.root):
        assert time.monotonic() < deadline, "what the hosts were told goes on by itself"
        time.sleep(0.1)
    estate.mark("fe1", f"kill-at-{verb}", off=True)
    before, after = estate.states(USERS), estate.states(CHANGED)
    for host in HOSTS:
        one = estate.users(host) in (USERS, CHANGED)
        assert one, "never half of it"
        assert "as described" in (before[host], after[host]) or "staged" in before[host] + after[host]
    assert set(after.values()) != {"as described"} or verb == "commit"
    policies.apply(estate.target(CHANGED))
    assert set(estate.states(CHANGED).values()) == {"as described"}


def test_who_is_killed_holds_nobody_up(estate: Estate) -> None:
    with at_work(estate.root) as process:
        process.kill()
        process.wait()
        policies.apply(estate.target(USERS))


def test_an_older_program_is_not_trusted(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    policies.apply(estate.target(USERS))
    monkeypatch.setattr(policies, "PROTOCOL", 99)
    assert "run `edgewright apply` once" in estate.states(USERS)["fe1"]

"""The command line: exit statuses, and sentences instead of tracebacks."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from edgewright import cli

ROOT = Path(__file__).parents[3]
CONTOSO = ROOT / "inventory" / "contoso"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["edgewright", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    shutil.copytree(CONTOSO, folder)
    file = folder / "topology.yml"
    file.write_text(file.read_text().replace("next_hop: director.", "nxt_hop: director."))
    return folder


@pytest.mark.parametrize("verb", ["check", "plan", "up", "matrix", "env"])
def test_a_wrong_description_is_told_with_file_and_line_and_nothing_is_done(run, broken: Path, verb: str):
    status, out, err = run(verb, broken)
    said = out + err
    assert status == 2
    assert "topology.yml:" in said
    assert "nxt_hop" in said
    assert "next_hop" in said
    assert "Traceback" not in said


def test_the_shipped_example_is_right(run):
    status, _, err = run("check", CONTOSO)
    assert (status, "no errors" in err) == (0, True)


def test_plan_as_json(run):
    status, out, _ = run("plan", CONTOSO, "--format", "json")
    assert status == 0
    assert "edge1" in json.dumps(json.loads(out))


def test_plan_files_are_written(run, tmp_path: Path):
    status, out, _ = run("plan", CONTOSO, "--format", "zone", "--into", tmp_path)
    assert status == 0
    assert (tmp_path / "outside" / "contoso.example.zone").is_file()
    assert "contoso.example.zone" in out


def test_an_unknown_section_is_a_sentence(run):
    status, _, err = run("plan", CONTOSO, "--section", "nonsense")
    assert (status, "nonsense" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "allowed", "reason"),
    [
        (("alice", "sign-in", "--from", "outside"), True, None),
        (("carol", "sign-in", "--from", "outside"), False, "outside-access-off"),
        (("carol", "sign-in", "--from", "inside"), True, None),
        (("gina", "sign-in"), False, "account-disabled"),
    ],
)
def test_explain_as_json(run, words: tuple[str, ...], allowed: bool, reason: str | None):
    status, out, _ = run("explain", "-d", CONTOSO, *words, "--json")
    found = json.loads(out)
    assert (status, found["allowed"], found["reason"]) == (0, allowed, reason)


def test_a_question_that_cannot_be_understood(run):
    status, _, err = run("explain", "-d", CONTOSO, "alice", "levitates")
    assert (status, "Traceback" in err) == (2, False)


@pytest.mark.parametrize("verb", ["status", "verify"])
def test_hosts_that_were_never_provisioned(run, verb: str, tmp_path: Path):
    folder = tmp_path / "nowhere"
    shutil.copytree(ROOT / "inventory" / "minimal", folder)
    status, _, err = run(verb, folder)
    assert (status, "machines.json" in err) == (2, True)


def test_schema(run):
    status, out, _ = run("schema", "topology.yml")
    assert (status, json.loads(out)["type"]) == (0, "object")

"""What modules are given holds keys and secrets: none of it may reach the host's journal, by any road."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic

PLUGINS = Path(__file__).parents[3] / "plugins/modules"
SECRET = "hunter2-hunter2-hunter2"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"silent_{name}", PLUGINS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whatever reaches syslog or the journal."""
    lines: list[str] = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(basic.syslog, "syslog", lambda *arguments: lines.append(repr(arguments)))
    monkeypatch.setattr(basic.syslog, "openlog", lambda *_: None)
    return lines


def run(name: str, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> str:
    given = {**arguments, "_ansible_no_log": False, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SystemExit):
        load(name).main()
    return str(capsys.readouterr().out)


def test_config_is_silent(
    tmp_path: Path, journal: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    entry = {"path": "/etc/key", "content": SECRET, "secret": True}
    said = run("edgewright_config", {"root": str(tmp_path), "files": [entry]}, monkeypatch, capsys)
    assert '"changed": true' in said
    assert (tmp_path / "etc/key").read_text() == SECRET
    assert SECRET not in said
    assert journal == []


def test_certificates_are_silent(journal: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked = {"slots": {"default": {"key": SECRET}}}
    said = run("edgewright_certificates", {"verb": "install", "asked": asked}, monkeypatch, capsys)
    assert "certificates.pyz is missing" in said
    assert SECRET not in said
    assert journal == []


def test_the_journal_fixture_sees_what_an_ordinary_module_says(
    journal: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"x": SECRET, "_ansible_no_log": False}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    basic.AnsibleModule(argument_spec={"x": {"type": "str"}}, no_log=True)
    assert SECRET in "".join(journal)

from __future__ import annotations

import io

import pytest

from edgewright.model import passwords
from edgewright.model.credentials import CredentialsError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" spaces count \nnot this\n"))
    assert passwords.ask("alice@contoso.example") == " spaces count "
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CredentialsError, match="no password"):
        passwords.ask("alice@contoso.example")


def test_a_terminal_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["one secret", "one secret", "one secret", "another"])
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return next(answers)

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(passwords, "getpass", answer)
    assert passwords.ask("alice@contoso.example") == "one secret"
    assert asked[0] == "New password of alice@contoso.example: "
    with pytest.raises(CredentialsError, match="differ"):
        passwords.ask("alice@contoso.example")

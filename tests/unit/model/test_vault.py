"""The vault format is Ansible's own: both directions against the real `ansible-vault`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.model import vault

PASSWORD = "correct horse battery staple"
PLAIN = "users:\n  alice: 'ä €'\n" + "x" * 500 + "\n"


def ansible_vault(*args: str, password: Path, text: str = "") -> str:
    command = [Path(sys.executable).with_name("ansible-vault"), *args, "--vault-password-file", password]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "vault-password"
    path.write_text(PASSWORD + "\n")
    return path


def test_ansible_reads_ours(tmp_path: Path, password: Path) -> None:
    ours = tmp_path / "ours.yml"
    ours.write_text(vault.encrypt(PLAIN, PASSWORD.encode()))
    assert ansible_vault("decrypt", "--output", "-", str(ours), password=password) == PLAIN


def test_we_read_ansibles(tmp_path: Path, password: Path) -> None:
    theirs = ansible_vault("encrypt", "--output", "-", "-", password=password, text=PLAIN)
    assert vault.decrypt(theirs, PASSWORD.encode()) == PLAIN


@settings(max_examples=25, deadline=None)
@given(st.text(), st.binary(min_size=1))
def test_round_trip(plain: str, password: bytes) -> None:
    text = vault.encrypt(plain, password)
    assert vault.encrypted(text)
    assert max(map(len, text.splitlines())) <= 80
    assert vault.decrypt(text, password) == plain


def test_the_same_text_twice_differs() -> None:
    assert vault.encrypt("a", b"p") != vault.encrypt("a", b"p")


def test_wrong_password_and_damage_are_told() -> None:
    text = vault.encrypt(PLAIN, b"p")
    with pytest.raises(vault.VaultError, match="password is another"):
        vault.decrypt(text, b"q")
    lines = text.splitlines()
    lines[-1] = lines[-1][:-2] + ("00" if lines[-1][-2:] != "00" else "11")
    with pytest.raises(vault.VaultError, match="damaged"):
        vault.decrypt("\n".join(lines), b"p")
    with pytest.raises(vault.VaultError, match="damaged"):
        vault.decrypt("\n".join(lines[:2]), b"p")
    with pytest.raises(vault.VaultError, match="not encrypted"):
        vault.decrypt("a: 1", b"p")

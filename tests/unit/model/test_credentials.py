from __future__ import annotations

import hashlib
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgewright.model import Deployment, credentials, load, vault
from edgewright.model.credentials import CredentialsError

sys.path.insert(0, str(Path(__file__).parent))
from deployments import SOURCES, copy

ALICE, BOB = "alice@contoso.example", "bob@contoso.example"


@pytest.fixture
def together(tmp_path: Path) -> Deployment:
    return load(copy("contoso", tmp_path))


@pytest.fixture
def contoso(together: Deployment) -> Deployment:
    """Without partners."""
    assert together.surroundings
    alone = together.surroundings.model_copy(update={"partners": {}, "impostor": None})
    return replace(together, surroundings=alone, partners={})


def accounts(deployment: Deployment, *addresses: str) -> Deployment:
    assert deployment.surroundings
    surroundings = deployment.surroundings.model_copy(update={"accounts": addresses})
    return replace(deployment, surroundings=surroundings)


def test_a_digest_is_what_rfc_7616_says() -> None:
    # RFC 7616 section 3.9.1: Mufasa, http-auth@example.org, Circle of Life
    made = credentials.digest("Mufasa@example.org", "http-auth@example.org", "Circle of Life")
    assert made.md5 == "3d78807defe7de2157e2b0b6573a855f"
    assert made.sha256 == hashlib.sha256(b"Mufasa:http-auth@example.org:Circle of Life").hexdigest()


def test_a_lab_gets_all_it_needs(contoso: Deployment, root: Path) -> None:
    made = credentials.make_lab(contoso)
    assert contoso.surroundings
    assert made.passwords == list(contoso.surroundings.accounts)
    assert made.secrets == list(credentials.SECRETS)
    found, passwords = credentials.load(contoso), credentials.accounts(contoso)
    assert found.realm == "contoso.example"
    assert found.users[ALICE] == credentials.digest(ALICE, "contoso.example", passwords[ALICE])
    assert set(found.secrets) == set(credentials.SECRETS)
    assert len(set(found.secrets.values())) == len(found.secrets)
    for path in (root / ".edgewright").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        if path.suffix == ".yml":
            assert vault.encrypted(path.read_text())


def test_a_second_run_changes_no_byte(contoso: Deployment, root: Path) -> None:
    credentials.make_lab(contoso)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert not credentials.make_lab(contoso)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_accounts_come_and_go_and_the_others_stay(contoso: Deployment) -> None:
    credentials.make_lab(accounts(contoso, ALICE))
    first = credentials.accounts(contoso)
    made = credentials.make_lab(accounts(contoso, ALICE, BOB))
    assert made.passwords == [BOB]
    assert credentials.accounts(contoso)[ALICE] == first[ALICE]
    made = credentials.make_lab(accounts(contoso, BOB))
    assert (made.removed, made.passwords) == ([ALICE], [])
    assert list(credentials.accounts(contoso)) == [BOB]
    assert list(credentials.load(contoso).users) == [BOB]


def test_partners_accounts_are_kept_apart_from_our_users(together: Deployment) -> None:
    for one in together.together:
        credentials.make_lab(one)
    passwords = credentials.accounts(together)
    theirs = {address for addresses in together.partner_accounts.values() for address in addresses}
    assert "walt@wingtip.example" in theirs
    assert "dana@fabrikam.example" in theirs
    assert theirs < passwords.keys()
    assert len(set(passwords.values())) == len(passwords)
    assert not theirs & credentials.load(together).users.keys()
    fabrikam = together.partners["fabrikam.example"]
    assert set(credentials.load(fabrikam).users) == {"dana@fabrikam.example", "egon@fabrikam.example"}


def test_a_missing_secret_is_added_alone(contoso: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.make_lab(contoso)
    before = credentials.load(contoso).secrets
    monkeypatch.setitem(credentials.SECRETS, "new.one", "for this test")
    assert credentials.add_secrets(contoso).secrets == ["new.one"]
    assert credentials.load(contoso).secrets.items() > before.items()


def test_a_secret_can_be_replaced(contoso: Deployment) -> None:
    credentials.make_lab(contoso)
    before = credentials.load(contoso).secrets
    assert credentials.add_secrets(contoso, rotate=("edge.flow",)).secrets == ["edge.flow"]
    after = credentials.load(contoso).secrets
    assert {name for name in after if after[name] != before[name]} == {"edge.flow"}
    with pytest.raises(CredentialsError, match="unknown secret edge"):
        credentials.add_secrets(contoso, rotate=("edge",))


def test_a_password_is_set_for_a_lab_and_survives(contoso: Deployment) -> None:
    credentials.make_lab(contoso)
    credentials.set_password(contoso, ALICE, "a new password")
    assert credentials.accounts(contoso)[ALICE] == "a new password"
    assert not credentials.make_lab(contoso)
    expected = credentials.digest(ALICE, "contoso.example", "a new password")
    assert credentials.load(contoso).users[ALICE] == expected


def test_an_operators_own_lie_in_the_folder_and_are_left_alone(tmp_path: Path) -> None:
    folder = copy("contoso", tmp_path)
    (folder / "surroundings.yml").unlink()
    (folder / "topology.yml").write_text((folder / "topology.yml").read_text().replace("acme", "own_ca"))
    own = load(folder)
    path = credentials.set_password(own, ALICE, "a new password")
    assert path == folder / "credentials.yml"
    assert "a new password" not in vault.decrypt(
        path.read_text(), credentials.password_file().read_bytes().strip()
    )
    with_accounts = accounts(load(copy("contoso", tmp_path / "again")), ALICE)
    before = path.read_bytes()
    assert not credentials.make_lab(replace(with_accounts, folder=folder))
    assert path.read_bytes() == before
    assert load(folder).digest == own.digest


@pytest.mark.parametrize(
    ("address", "password", "said"),
    [
        ("alice", "long enough", "not in the directory"),
        (ALICE, "short", "8 characters"),
        (ALICE, "with\na newline", "control characters"),
    ],
)
def test_what_no_password_can_be(contoso: Deployment, address: str, password: str, said: str) -> None:
    with pytest.raises(CredentialsError, match=said):
        credentials.set_password(contoso, address, password)


def test_what_is_missing_or_wrong_is_told(
    contoso: Deployment, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CredentialsError, match="edgewright secrets contoso"):
        credentials.load(contoso)
    credentials.make_lab(contoso)
    topology = contoso.topology.model_copy(update={"sip_domains": ("adventure.example",)})
    with pytest.raises(CredentialsError, match="made for the realm contoso"):
        credentials.load(replace(contoso, topology=topology))
    other = tmp_path / "other"
    monkeypatch.setenv("EDGEWRIGHT_VAULT_PASSWORD_FILE", str(other))
    with pytest.raises(CredentialsError, match="is missing"):
        credentials.load(contoso)
    other.write_text("\n")
    with pytest.raises(CredentialsError, match="is empty"):
        credentials.load(contoso)
    other.write_text("wrong")
    with pytest.raises(CredentialsError, match="password is another"):
        credentials.load(contoso)
    monkeypatch.delenv("EDGEWRIGHT_VAULT_PASSWORD_FILE")
    path = credentials.location(contoso)
    password = credentials.password_file().read_bytes().strip()
    for content, said in (
        ("{}", "schema: 1"),
        ("a: [", "not YAML"),
        ("schema: 1\nusers: 3", "should have realm"),
    ):
        path.write_text(vault.encrypt(content, password))
        with pytest.raises(CredentialsError, match=said):
            credentials.load(contoso)
    path.write_text("schema: 1")
    with pytest.raises(CredentialsError, match="is not encrypted"):
        credentials.load(contoso)


def test_a_password_file_may_be_a_program(
    contoso: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials.make_lab(contoso)
    program = tmp_path / "password"
    program.write_text(f"#!/bin/sh\ncat {credentials.password_file()}\n")
    program.chmod(0o700)
    monkeypatch.setenv("EDGEWRIGHT_VAULT_PASSWORD_FILE", str(program))
    assert credentials.load(contoso).users
    program.write_text("#!/bin/sh\necho no agent >&2\nexit 3\n")
    with pytest.raises(CredentialsError, match="ended with 3: no agent"):
        credentials.load(contoso)


def test_nothing_secret_is_shown(contoso: Deployment) -> None:
    credentials.make_lab(contoso)
    found = credentials.load(contoso)
    assert found.users[ALICE].md5 not in repr(found)
    assert found.secrets["edge.flow"] not in repr(found)


def test_the_shipped_examples_hold_no_credentials() -> None:
    for folder in SOURCES.values():
        assert not list(folder.glob("credentials*")) + list(folder.glob("accounts*"))

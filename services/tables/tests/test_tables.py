"""Bundles, the file that is switched, the daemons that are told (systemctl and reload are scripts)."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from edgewright_tables import bundle, cli, hooks, store, switch

ONE = {"domains": {"contoso.example": "class=local"}, "users": {"alice@contoso.example": "enabled=1"}}
TWO = {"domains": {"contoso.example": "class=local"}, "users": {}}


def document(tables: dict[str, dict[str, str]]) -> bytes:
    made = bundle.make(tables)
    return json.dumps({"schema": 1, "checksum": made.checksum, "tables": tables}).encode()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> switch.Places:
    """A host's folders, with a daemon `fake.service` that notes what it is told, and may refuse."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text('#!/bin/sh\n[ -e "$STOPPED" ] && echo inactive || echo active\n')
    (programs / "tell").write_text(
        '#!/bin/sh\n[ -e "$REFUSE" ] && { echo "error: 500"; exit 0; }\necho "$1" >>"$TOLD"\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name in ("STOPPED", "REFUSE", "TOLD"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setattr(hooks, "_PATIENCE", 0.0)
    folder = tmp_path / "tables.d"
    folder.mkdir()
    hook = {
        "schema": 1,
        "unit": "fake.service",
        "tables": ["domains", "users"],
        "reload": ["tell", "{table}"],
    }
    (folder / "fake.json").write_text(json.dumps(hook))
    return switch.Places(tmp_path / "state", folder)


def told(places: switch.Places) -> list[str]:
    path = places.hooks.parent / "told"
    return path.read_text().split() if path.exists() else []


def rows(path: Path, table: str) -> dict[str, str]:
    with sqlite3.connect(path) as database:
        return dict(database.execute(f'SELECT key_name, key_value FROM "{table}"'))


def test_a_bundle_is_what_it_says() -> None:
    assert bundle.parse(document(ONE)).tables == ONE


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.update(schema=2), "schema 2"),
        (lambda d: d["tables"]["users"].update(eve="enabled=1"), "checksum"),
        (lambda d: d["tables"].update({"a b": {}}), "name of a table"),
        (lambda d: d["tables"].update(meta={}), "name of a table"),
        (lambda d: d["tables"].update(users={"alice": 1}), "text"),
        (lambda d: d["tables"].update(users={"": "x"}), "non-empty"),
        (lambda d: d.pop("checksum"), "exactly"),
    ],
)
def test_a_damaged_bundle_is_refused(change: object, complaint: str) -> None:
    found = json.loads(document(ONE))
    change(found)  # type: ignore[operator]
    with pytest.raises(bundle.BundleError, match=complaint):
        bundle.parse(json.dumps(found).encode())


def test_half_a_bundle_is_refused() -> None:
    with pytest.raises(bundle.BundleError, match="not JSON"):
        bundle.parse(document(ONE)[:-5])


def test_nothing_is_in_use_before_the_commit(places: switch.Places) -> None:
    switch.stage(places, bundle.parse(document(ONE)))
    assert not places.current.exists()
    assert switch.status(places)["staged"]
    switch.commit(places)
    assert rows(places.current, "users") == ONE["users"]
    assert stat.S_IMODE(places.current.stat().st_mode) == 0o640
    assert not places.staged.exists()


def test_kamailio_reads_the_layout(places: switch.Places) -> None:
    switch.stage(places, bundle.parse(document(ONE)))
    switch.commit(places)
    with sqlite3.connect(places.current) as database:
        found = database.execute(
            "SELECT key_name, key_type, value_type, key_value, expires FROM users"
        ).fetchall()
    assert found == [("alice@contoso.example", 0, 0, "enabled=1", 0)]


def test_only_changed_tables_are_told(places: switch.Places) -> None:
    switch.stage(places, bundle.parse(document(ONE)))
    assert switch.commit(places)["told"] == {"fake": ["domains", "users"]}
    switch.stage(places, bundle.parse(document(TWO)))
    assert switch.commit(places)["told"] == {"fake": ["users"]}
    assert told(places) == ["domains", "users", "users"]


def test_the_same_again_tells_nobody(places: switch.Places) -> None:
    for _ in range(2):
        switch.stage(places, bundle.parse(document(ONE)))
        switch.commit(places)
    assert switch.commit(places)["told"] == {}
    assert len(told(places)) == 2


def test_a_commit_interrupted_before_telling_is_finished(places: switch.Places) -> None:
    switch.stage(places, bundle.parse(document(ONE)))
    refuse = places.hooks.parent / "refuse"
    refuse.touch()
    with pytest.raises(hooks.HookError, match=r"fake\.service did not take"):
        switch.commit(places)
    assert rows(places.current, "users") == ONE["users"]
    assert switch.status(places)["pending"] == ["domains", "users"]
    refuse.unlink()
    assert switch.commit(places)["told"] == {"fake": ["domains", "users"]}
    assert switch.status(places)["pending"] == []


def test_a_stopped_daemon_is_left_alone(places: switch.Places) -> None:
    (places.hooks.parent / "stopped").touch()
    switch.stage(places, bundle.parse(document(ONE)))
    switch.commit(places)
    assert told(places) == []
    assert switch.status(places)["pending"] == []


def test_rollback_and_back(places: switch.Places) -> None:
    for tables in (ONE, TWO):
        switch.stage(places, bundle.parse(document(tables)))
        switch.commit(places)
    assert switch.rollback(places)["told"] == {"fake": ["users"]}
    assert rows(places.current, "users") == ONE["users"]
    switch.rollback(places)
    assert rows(places.current, "users") == {}


def test_there_is_nothing_to_commit_or_to_roll_back_at_first(places: switch.Places) -> None:
    with pytest.raises(switch.SwitchError, match="nothing is staged"):
        switch.commit(places)
    with pytest.raises(switch.SwitchError, match="no previous"):
        switch.rollback(places)


def test_a_damaged_stage_is_thrown_away(places: switch.Places) -> None:
    switch.stage(places, bundle.parse(document(ONE)))
    switch.commit(places)
    places.staged.write_bytes(b"SQLite format 3\0 and then the power went")
    with pytest.raises(switch.SwitchError, match="damaged"):
        switch.commit(places)
    assert rows(places.current, "users") == ONE["users"]
    assert not places.staged.exists()


def test_a_full_disk_leaves_the_old_tables(places: switch.Places, monkeypatch: pytest.MonkeyPatch) -> None:
    switch.stage(places, bundle.parse(document(ONE)))
    switch.commit(places)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store, "_fill", full)
    with pytest.raises(store.StoreError, match=r"full.*as they were"):
        switch.stage(places, bundle.parse(document(TWO)))
    assert rows(places.current, "users") == ONE["users"]
    assert sorted(path.name for path in places.state.iterdir()) == [
        ".tables.lock", "tables.sqlite", "tables.told.json",
    ]  # fmt: skip


def test_a_daemon_finds_its_tables_before_the_first_commit(places: switch.Places) -> None:
    assert switch.ensure(places)
    assert rows(places.current, "users") == {}
    assert not switch.ensure(places)


def test_a_new_table_does_not_cost_the_others(places: switch.Places) -> None:
    switch.stage(places, bundle.parse(document(ONE)))
    switch.commit(places)
    hook = {"schema": 1, "unit": "new.service", "tables": ["partners"], "reload": []}
    (places.hooks / "new.json").write_text(json.dumps(hook))
    assert switch.ensure(places)
    assert rows(places.current, "users") == ONE["users"]
    assert rows(places.current, "partners") == {}


def test_what_a_bundle_lacks_is_empty_not_missing(places: switch.Places) -> None:
    switch.stage(places, bundle.parse(document({"domains": {}})))
    switch.commit(places)
    assert rows(places.current, "users") == {}


def test_an_unreadable_hook_is_named(places: switch.Places) -> None:
    (places.hooks / "bad.json").write_text("{}")
    with pytest.raises(hooks.HookError, match=r"bad\.json"):
        switch.ensure(places)


def test_the_command_says_why_in_one_sentence(
    places: switch.Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(switch, "default_places", lambda: places)
    monkeypatch.setattr("sys.argv", ["edgewright-tables", "commit"])
    assert cli.main() == 1
    assert capsys.readouterr().err == "edgewright-tables: nothing is staged\n"
    monkeypatch.setattr("sys.argv", ["edgewright-tables", "status"])
    assert cli.main() == 0
    assert json.loads(capsys.readouterr().out)["committed"] is None

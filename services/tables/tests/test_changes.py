"""Only changed rows travel; a commit names what it means; programs act on changed rows, none is missed."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from edgewright_tables import bundle, compare, hooks, rpc, store, switch

USERS = {f"user{n}@contoso.example": f"enabled=1;n={n}" for n in range(500)}
OLD = {"domains": {"contoso.example": "class=local"}, "users": USERS}
NEW = {
    "domains": OLD["domains"],
    "users": {
        **{k: v for k, v in USERS.items() if k != "user7@contoso.example"},
        "user8@contoso.example": "enabled=0",
    },
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> switch.Places:
    """A host with a running daemon and a program that notes the changed rows it gets, or fails."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text("#!/bin/sh\necho active\n")
    (programs / "tell").write_text("#!/bin/sh\n[ ! -e $REFUSE ]\n")
    (programs / "act").write_text(
        '#!/bin/sh\n[ -e "$FAIL" ] && { echo no >&2; exit 1; }\ncat >>"$ROWS"; echo >>"$ROWS"\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name in ("FAIL", "ROWS", "REFUSE"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setattr(hooks, "_PATIENCE", 0.0)
    folder = tmp_path / "tables.d"
    folder.mkdir()
    hook = {
        "schema": 1, "unit": "fake.service", "tables": ["domains", "users"],
        "reload": ["tell", "{table}"], "rows": {"users": ["act"]},
    }  # fmt: skip
    (folder / "fake.json").write_text(json.dumps(hook))
    return switch.Places(tmp_path / "state", folder)


def put(places: switch.Places, tables: dict[str, dict[str, str]]) -> dict[str, Any]:
    switch.stage(places, bundle.make(tables))
    return switch.commit(places)


def difference(base: str, result: dict[str, dict[str, str]], **change: Any) -> bytes:
    empty = {"set": {}, "remove": []}
    changes = {"domains": empty, "users": empty | change}
    document = {
        "schema": 1, "checksum": bundle.make(result).checksum, "base": base, "tables": {}, "changes": changes,
    }  # fmt: skip
    return json.dumps(document).encode()


def acted(places: switch.Places) -> list[dict[str, Any]]:
    path = places.hooks.parent / "rows"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_only_rows_that_may_differ_are_told() -> None:
    theirs = compare.sums(NEW["users"], 64)
    found = compare.differing(OLD["users"], theirs)
    assert found is not None
    assert {"user7@contoso.example", "user8@contoso.example"} <= set(found["rows"])
    assert len(found["rows"]) < 60
    assert len(found["buckets"]) == 2


def test_where_most_of_a_large_table_differs_no_row_is_told() -> None:
    many = {f"user{n}@contoso.example": "enabled=1" for n in range(2000)}
    assert compare.differing(many, compare.sums(dict.fromkeys(many, "enabled=0"), 64)) is None


def test_equal_tables_tell_nothing() -> None:
    assert compare.differing(USERS, compare.sums(dict(reversed(USERS.items())), 64)) == {
        "buckets": [],
        "rows": {},
    }


def test_a_difference_gives_the_whole(places: switch.Places) -> None:
    base = put(places, OLD)["committed"]
    data = difference(base, NEW, set={"user8@contoso.example": "enabled=0"}, remove=["user7@contoso.example"])
    switch.stage_data(places, data)
    switch.commit(places)
    assert store.read(places.current) == NEW


def test_a_difference_from_other_tables_is_refused(places: switch.Places) -> None:
    put(places, OLD)
    with pytest.raises(bundle.BundleError, match="compare again"):
        switch.stage_data(places, difference("0" * 64, NEW, remove=["user7@contoso.example"]))


def test_a_difference_that_does_not_fit_is_refused(places: switch.Places) -> None:
    base = put(places, OLD)["committed"]
    with pytest.raises(bundle.BundleError, match="checksum"):
        switch.stage_data(places, difference(base, NEW, remove=["user7@contoso.example"]))
    assert store.read(places.current) == OLD


def test_a_daemon_that_reads_tables_anew_is_never_behind(places: switch.Places) -> None:
    hook = {"schema": 1, "unit": "web.service", "tables": ["web_user"], "reload": []}
    (places.hooks / "web.json").write_text(json.dumps(hook))
    put(places, OLD)
    assert switch.status(places)["pending"] == []


def test_somebody_elses_stage_is_not_committed(places: switch.Places) -> None:
    put(places, OLD)
    switch.stage(places, bundle.make(NEW))
    with pytest.raises(switch.SwitchError, match="another run"):
        switch.commit(places, "0" * 64)
    assert store.read(places.current) == OLD


def test_a_rollback_goes_where_it_was_told_and_only_once(places: switch.Places) -> None:
    old = put(places, OLD)["committed"]
    new = put(places, NEW)["committed"]
    assert switch.rollback(places, old)["committed"] == old
    assert switch.rollback(places, old)["committed"] == old
    with pytest.raises(switch.SwitchError, match="others"):
        switch.rollback(places, "0" * 64)
    assert switch.rollback(places, new)["committed"] == new


def test_a_rollback_of_what_was_only_staged_throws_it_away(places: switch.Places) -> None:
    old = put(places, OLD)["committed"]
    switch.stage(places, bundle.make(NEW))
    switch.rollback(places, old)
    assert not places.staged.exists()
    assert store.read(places.current) == OLD


def test_a_commit_that_is_repeated_keeps_the_way_back(places: switch.Places) -> None:
    old = put(places, OLD)["committed"]
    put(places, NEW)
    put(places, NEW)
    assert switch.rollback(places)["committed"] == old


def test_programs_get_the_changed_rows(places: switch.Places) -> None:
    put(places, OLD)
    put(places, NEW)
    assert acted(places) == [
        {
            "user7@contoso.example": ["enabled=1;n=7", None],
            "user8@contoso.example": ["enabled=1;n=8", "enabled=0"],
        }
    ]


def test_a_program_that_fails_takes_nothing_back_and_is_asked_again(places: switch.Places) -> None:
    put(places, OLD)
    fail = places.hooks.parent / "fail"
    fail.touch()
    done = put(places, NEW)
    assert done["told"] == {"fake": ["users"]}
    assert "failed: no" in done["unfinished"]
    assert switch.status(places)["pending"] == ["users"]
    fail.unlink()
    assert switch.commit(places)["unfinished"] == ""
    assert len(acted(places)) == 1
    assert switch.status(places)["pending"] == []


def test_what_was_missed_is_made_up_for(places: switch.Places) -> None:
    put(places, OLD)
    refuse = places.hooks.parent / "refuse"
    refuse.touch()
    with pytest.raises(hooks.HookError):
        put(places, NEW)
    refuse.unlink()
    put(places, {**NEW, "users": {**NEW["users"], "user9@contoso.example": "enabled=0"}})
    assert {key for rows in acted(places) for key in rows} == {f"user{n}@contoso.example" for n in (7, 8, 9)}


class Kamailio:
    """What was asked of it; may refuse."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | int, ...]] = []
        self.refuses = False

    def calls(self, many: list[tuple[str | int, ...]]) -> list[list[Any]]:
        if self.refuses:
            raise rpc.RpcError("no")
        self.asked += many
        return [[] for _ in many]


@pytest.fixture
def kamailio(places: switch.Places, monkeypatch: pytest.MonkeyPatch) -> Kamailio:
    """The daemon is Kamailio, which takes single rows; a reload is noted in `reloads`."""
    found = Kamailio()
    monkeypatch.setattr(rpc, "connected", lambda: nullcontext(found))
    noted = places.hooks.parent / "reloads"
    tell = places.hooks.parent / "bin/tell"
    tell.write_text(f"#!/bin/sh\necho $1 >>{noted}\n")
    hook = json.loads((places.hooks / "fake.json").read_text()) | {"live": True}
    (places.hooks / "fake.json").write_text(json.dumps(hook))
    put(places, OLD)
    put(places, {**OLD, "users": {**USERS, "zoe@contoso.example": "enabled=1"}})
    put(places, OLD)
    noted.unlink()
    found.asked.clear()
    return found


def reloads(places: switch.Places) -> list[str]:
    path = places.hooks.parent / "reloads"
    return path.read_text().split() if path.exists() else []


def test_few_rows_are_told_singly(places: switch.Places, kamailio: Kamailio) -> None:
    assert put(places, NEW)["told"] == {"fake": ["users"]}
    assert kamailio.asked == [
        ("htable.delete", "users", "user7@contoso.example"),
        ("htable.sets", "users", "user8@contoso.example", "enabled=0"),
    ]
    assert reloads(places) == []
    assert switch.status(places)["pending"] == []


def test_they_are_taken_back_singly(places: switch.Places, kamailio: Kamailio) -> None:
    put(places, NEW)
    kamailio.asked.clear()
    switch.rollback(places)
    assert [words[2:] for words in kamailio.asked] == [
        ("user7@contoso.example", "enabled=1;n=7"),
        ("user8@contoso.example", "enabled=1;n=8"),
    ]


def test_a_refused_row_means_the_whole_table(places: switch.Places, kamailio: Kamailio) -> None:
    kamailio.refuses = True
    put(places, NEW)
    assert reloads(places) == ["users"]


def test_many_rows_mean_the_whole_table(
    places: switch.Places, kamailio: Kamailio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "FEW", 1)
    put(places, NEW)
    assert (reloads(places), kamailio.asked) == (["users"], [])


def test_rows_are_not_told_singly_to_one_who_knows_others(places: switch.Places, kamailio: Kamailio) -> None:
    fail = places.hooks.parent / "fail"
    fail.touch()
    put(places, NEW)
    kamailio.asked.clear()
    put(places, OLD)
    assert (reloads(places), kamailio.asked) == (["users"], [])

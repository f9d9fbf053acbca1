"""Slots on disk, orders at a directory that signs everything, reloads with a systemctl that is a script."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from edgewright_certificates import cli, directory, dns01, orders, pem, reload, store

GROUP = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
SLOT = {"group": GROUP, "key_type": "ecdsa-p256", "subject": "a.example", "sans": ["a.example", "b.example"]}
NOW = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)  # noqa: UP017


@pytest.fixture
def slots(tmp_path: Path) -> store.Store:
    return store.Store(tmp_path / "certificates")


class Signs:
    """A directory with a CA of its own; `refuses` is what it says instead of signing."""

    refuses = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[Any, ...]] = []
        self.updates: list[tuple[str, ...]] = []
        self.published: list[Any] = []
        pem.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem"), "-subj", "/CN=test",
        )  # fmt: skip

    def __call__(self, *arguments: Any) -> Signs:
        self.asked.append(arguments)
        return self

    def order(self, request: str, publish: Any) -> str:
        if self.refuses:
            raise pem.CertificateError(self.refuses)
        self.published.append(publish)
        authority = ("-CA", str(self.folder / "ca.pem"), "-CAkey", str(self.folder / "ca.key"))
        extensions = ("-days", "20", "-copy_extensions", "copy")
        leaf = pem.openssl("x509", "-req", *authority, *extensions, stdin=request.encode()).decode()
        return leaf + "\n" + (self.folder / "ca.pem").read_text()


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signs:
    """The directory that orders go to."""
    signs = Signs(tmp_path)
    monkeypatch.setattr(directory, "Directory", signs)
    monkeypatch.setattr(orders, "STATE", tmp_path / "state")
    monkeypatch.setattr(orders, "SECRET", tmp_path / "secret")
    orders.SECRET.write_text("c2VjcmV0\n")

    def updates(*arguments: str) -> SimpleNamespace:
        signs.updates.append(arguments)
        return SimpleNamespace(published="by these updates")

    monkeypatch.setattr(dns01, "Updates", updates)
    return signs


def client(kept: store.Store, **more: Any) -> orders.Client:
    settings = {
        "directory": "https://acme.example/dir", "contact": "root@a.example", "dns_server": "2001:db8::1",
        "tsig_key": "acme", "ca": None, "renew_before_days": 10, "first": True, "slots": {"edge": SLOT},
        **more,
    }  # fmt: skip
    return orders.Client(kept, settings)


def test_request_makes_a_key_once_and_names_all(slots: store.Store) -> None:
    first = slots.request("edge", SLOT)
    mode = slots.key("edge").stat()
    assert stat.S_IMODE(mode.st_mode) == 0o640
    key = slots.key("edge").read_bytes()
    slots.request("edge", SLOT)
    assert slots.key("edge").read_bytes() == key
    slots.request("edge", {**SLOT, "new_key": True})
    assert slots.key("edge").read_bytes() != key
    said = pem.openssl("req", "-noout", "-text", stdin=first.encode()).decode()
    assert "DNS:a.example, DNS:b.example" in said


def test_a_subject_beyond_64_characters_is_left_out(slots: store.Store) -> None:
    long = ".".join(["label" * 4] * 4) + ".example"
    said = slots.request("edge", {**SLOT, "subject": long, "sans": [long]})
    assert "BEGIN CERTIFICATE REQUEST" in said


def test_order_installs_what_belongs_together(slots: store.Store, there: Signs) -> None:
    chain = client(slots).order("edge")
    assert [len(pem.split(t)) for t in (chain, (slots.folder / "edge/cert.pem").read_text())] == [2, 1]
    assert pem.names(chain) == {"a.example", "b.example"}
    [(url, contact, key, ca, profile)] = there.asked
    assert (url, contact, ca, profile) == ("https://acme.example/dir", "root@a.example", None, None)
    assert key.startswith(b"-----BEGIN PRIVATE KEY")
    assert there.updates == [("2001:db8::1", "acme", "c2VjcmV0\n")]
    assert there.published == ["by these updates"]
    assert stat.S_IMODE((orders.STATE / "account.pem").stat().st_mode) == 0o600
    found = slots.inspect({"edge": SLOT})
    assert found["slots"]["edge"]["fullchain"] == chain
    assert found["slots"]["edge"]["modes"]
    assert found["strangers"] == []


def test_the_account_stays_the_profile_is_asked_for(slots: store.Store, there: Signs, tmp_path: Path) -> None:
    client(slots).order("edge")
    client(slots, profile="tlsclient", ca=str(tmp_path / "ca.pem")).order("edge")
    first, second = there.asked
    assert first[2] == second[2]
    assert second[3:] == (tmp_path / "ca.pem", "tlsclient")


def test_a_failed_order_leaves_the_old_certificate(slots: store.Store, there: Signs) -> None:
    before = client(slots).order("edge")
    there.refuses = "no such zone"
    with pytest.raises(pem.CertificateError, match="no such zone"):
        client(slots).order("edge")
    assert slots.chain("edge") == before


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({}, None),
        ({"slots": {"edge": {**SLOT, "sans": ["a.example", "c.example"]}}}, "its names have changed"),
    ],
)
def test_due(slots: store.Store, there: Signs, change: dict[str, Any], because: str | None) -> None:
    client(slots).order("edge")
    assert client(slots, **change).due("edge", NOW) == because


@pytest.mark.parametrize(
    ("days", "left", "first", "due"),
    [
        (5, 4, True, True),
        (5, 6, True, False),
        (5, 3, False, False),
        (5, 2, False, True),
        (30, 7, True, False),  # a third of 20 days is less than 30 days
        (30, 6, True, True),
        (30, 3.1, False, True),
    ],
)
def test_due_in_time(
    slots: store.Store, there: Signs, days: int, left: float, first: bool, due: bool
) -> None:
    chain = client(slots).order("edge")
    now = pem.dates(chain)[1] - dt.timedelta(days=left)
    found = client(slots, renew_before_days=days, first=first).due("edge", now)
    assert (found is not None) == due


def test_due_without_certificate_or_with_another_key(slots: store.Store, there: Signs) -> None:
    assert client(slots).due("edge", NOW) == "there is no certificate of its key"
    client(slots).order("edge")
    slots.request("edge", {**SLOT, "new_key": True})
    assert client(slots).due("edge", NOW) == "there is no certificate of its key"
    assert client(slots).renew(NOW) == ["edge"]
    assert client(slots).renew(NOW) == []


def test_a_chain_of_another_key_is_not_installed(slots: store.Store, there: Signs) -> None:
    chain = client(slots).order("edge")
    slots.request("other", SLOT)
    with pytest.raises(pem.CertificateError, match="does not belong"):
        slots.install("other", {**SLOT, "fullchain": chain})
    assert slots.chain("other") is None


def test_an_unknown_group_is_said(slots: store.Store) -> None:
    with pytest.raises(pem.CertificateError, match="there is no group nosuchgroup"):
        slots.request("edge", {**SLOT, "group": "nosuchgroup"})


def test_removal_and_strangers(slots: store.Store) -> None:
    slots.request("edge", SLOT)
    assert slots.inspect({})["strangers"] == ["edge"]
    cli.answer("install", {"remove": ["edge"]}, slots)
    assert slots.slots() == []


def test_reload_only_what_watches_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, watched = tmp_path / "log", tmp_path / "slot/fullchain.pem"
    watched.parent.mkdir()
    watched.write_text("one")
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >>{log}\n[ "$3" != stopped.service ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    applied = tmp_path / "applied"
    applied.mkdir()
    for unit, watch, command in (
        ("a.service", [str(watched.parent)], None),
        ("b.service", [str(tmp_path / "nothing/*")], None),
        ("stopped.service", [str(watched)], None),
        ("k.service", [str(watched)], ["systemctl", "tell", "k"]),
    ):
        state = {"unit": unit, "watch": watch, "watched": reload.observed(watch), "watch_command": command}
        (applied / f"x--{unit}.json").write_text(json.dumps(state))
    assert reload.reload_watchers(applied) == ([], [])
    watched.write_text("two")
    units, problems = reload.reload_watchers(applied)
    assert (units, problems) == (["a.service", "k.service", "stopped.service"], [])
    assert "reload a.service" in log.read_text()
    assert "tell k" in log.read_text()
    assert "reload stopped.service" not in log.read_text()
    assert reload.reload_watchers(applied) == ([], [])

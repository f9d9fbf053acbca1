"""Slots on disk, orders with a directory that is a script, reloads with a systemctl that is one."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from edgewright_certificates import acme, cli, pem, reload, store

GROUP = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
SLOT = {"group": GROUP, "key_type": "ecdsa-p256", "subject": "a.example", "sans": ["a.example", "b.example"]}
NOW = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)  # noqa: UP017

LEGO = """#!/bin/sh
# Signs the request with a CA of its own; knows its accounts, as a directory does.
echo "$*" >>"$LOG"
echo "$RFC2136_NAMESERVER $RFC2136_TSIG_KEY $RFC2136_TSIG_SECRET_FILE" >>"$LOG"
while [ $# -gt 0 ]; do
  case $1 in --path) path=$2 ;; --csr) csr=$2 ;; esac
  shift
done
if [ -e "$path/accounts/old" ]; then echo "urn:ietf:params:acme:error:accountDoesNotExist" >&2; exit 1; fi
touch "$path/accounts/new"
[ -e "$FAIL" ] && { echo "no such zone" >&2; exit 1; }
mkdir -p "$path/certificates"
openssl x509 -req -in "$csr" -CA "$CA.pem" -CAkey "$CA.key" -days "$DAYS" -copy_extensions copy \\
  -out "$path/certificates/a.example.crt" 2>/dev/null
cat "$CA.pem" >>"$path/certificates/a.example.crt"
cp "$CA.pem" "$path/certificates/a.example.issuer.crt"
"""


@pytest.fixture
def slots(tmp_path: Path) -> store.Store:
    return store.Store(tmp_path / "certificates")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CA, and a `lego` on PATH that uses it; the log of its calls."""
    key, certificate = tmp_path / "ca.key", tmp_path / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(key), "-out", str(certificate), "-days", "30", "-subj", "/CN=test"],
        check=True, capture_output=True,
    )  # fmt: skip
    program = tmp_path / "bin/lego"
    program.parent.mkdir()
    program.write_text(LEGO)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name, value in (("LOG", "log"), ("CA", "ca"), ("FAIL", "fail")):
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("DAYS", "20")
    monkeypatch.setattr(acme, "STATE", tmp_path / "state")
    return tmp_path / "log"


def client(there: store.Store, **more: Any) -> acme.Client:
    settings = {
        "directory": "https://acme.example/dir", "contact": "root@a.example", "dns_server": "2001:db8::1",
        "tsig_key": "acme", "ca": None, "renew_before_days": 10, "first": True, "slots": {"edge": SLOT},
        **more,
    }  # fmt: skip
    return acme.Client(there, settings)


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


def test_order_installs_what_belongs_together(slots: store.Store, directory: Path) -> None:
    chain = client(slots).order("edge")
    assert [len(pem.split(t)) for t in (chain, (slots.folder / "edge/cert.pem").read_text())] == [2, 1]
    assert pem.names(chain) == {"a.example", "b.example"}
    said = directory.read_text()
    assert "--dns rfc2136" in said
    assert "[2001:db8::1]:53 acme /etc/edgewright/acme.tsig" in said
    found = slots.inspect({"edge": SLOT})
    assert found["slots"]["edge"]["fullchain"] == chain
    assert found["slots"]["edge"]["modes"]
    assert found["strangers"] == []


def test_a_directory_that_has_forgotten_us_gets_a_new_account(slots: store.Store, directory: Path) -> None:
    accounts = acme.STATE / "accounts"
    accounts.mkdir(parents=True)
    (accounts / "old").touch()
    assert client(slots).order("edge")
    assert [p.name for p in accounts.iterdir()] == ["new"]


def test_a_failed_order_leaves_the_old_certificate(
    slots: store.Store, directory: Path, tmp_path: Path
) -> None:
    before = client(slots).order("edge")
    (tmp_path / "fail").touch()
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
def test_due(slots: store.Store, directory: Path, change: dict[str, Any], because: str | None) -> None:
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
    slots: store.Store, directory: Path, days: int, left: float, first: bool, due: bool
) -> None:
    chain = client(slots).order("edge")
    now = pem.dates(chain)[1] - dt.timedelta(days=left)
    found = client(slots, renew_before_days=days, first=first).due("edge", now)
    assert (found is not None) == due


def test_due_without_certificate_or_with_another_key(slots: store.Store, directory: Path) -> None:
    assert client(slots).due("edge", NOW) == "there is no certificate of its key"
    client(slots).order("edge")
    slots.request("edge", {**SLOT, "new_key": True})
    assert client(slots).due("edge", NOW) == "there is no certificate of its key"
    assert client(slots).renew(NOW) == ["edge"]
    assert client(slots).renew(NOW) == []


def test_a_chain_of_another_key_is_not_installed(slots: store.Store, directory: Path) -> None:
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

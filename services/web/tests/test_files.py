"""Files between two people: let in, taken, given, refused, expired."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from edgewright_web import app
from edgewright_web.settings import Settings
from edgewright_web.store import FullError, Store
from edgewright_web.upload import clean, kind_of
from starlette.testclient import TestClient
from webtables import PASSWORD, USERS, user_row, write_tables

NS = {"f": "urn:gsma:params:xml:ns:rcs:rcs:fthttp"}
DATA = bytes(range(256)) * 4000
AUTH = httpx.DigestAuth("alice", PASSWORD)


def form(
    data: bytes = DATA, name: str = "Bericht für 2026.pdf", kind: str = "application/pdf"
) -> dict[str, tuple[str, bytes, str]]:
    return {"tid": ("", b"1234", "text/plain"), "File": (name, data, kind)}


def send(client: TestClient, data: bytes = DATA, **more: str) -> httpx.Response:
    return client.post("/files", files=form(data, **more), auth=AUTH)


@pytest.fixture
def folder(settings: Settings) -> Path:
    assert settings.files is not None
    return settings.files.folder


def kept(folder: Path) -> list[Path]:
    return list(folder.glob("*.bin"))


def test_a_file_goes_in_and_comes_out_unchanged(
    external: TestClient, internal: TestClient, folder: Path
) -> None:
    assert external.post("/files").status_code == 401
    assert external.post("/files", auth=AUTH).status_code == 204
    answer = send(external)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/vnd.gsma.rcs-ft-http+xml")
    info = ET.fromstring(answer.content).find("f:file-info", NS)
    assert info is not None
    assert info.findtext("f:file-size", namespaces=NS) == str(len(DATA))
    assert info.findtext("f:file-name", namespaces=NS) == "Bericht für 2026.pdf"
    data = info.find("f:data", NS)
    assert data is not None
    address = data.attrib["url"]
    assert address.startswith("https://web.contoso.example/files/fe1/")
    path = "/files/fe1/" + address.rpartition("/")[2]
    for site in (external, internal):
        got = site.get(path)
        assert got.content == DATA
        assert got.headers["content-type"] == "application/pdf"
        assert got.headers["content-disposition"].startswith(
            "attachment; filename*=UTF-8''Bericht%20f%C3%BCr"
        )
        assert got.headers["x-content-type-options"] == "nosniff"
    token = path.rpartition("/")[2]
    assert not any(token in str(entry) or token.encode() in entry.read_bytes() for entry in folder.iterdir())


@pytest.mark.parametrize(
    "path", ["/files/fe1/" + "0" * 64, "/files/fe1/x", "/files/fe1/..%2Ffiles.sqlite", "/files/fe1/"]
)
def test_other_addresses_give_nothing(
    external: TestClient, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    send(external)
    assert external.get(path).status_code == 404
    assert "reason=unknown-file" in capsys.readouterr().out or not path.endswith("0" * 64)


def refused(answer: httpx.Response, status: int, reason: str, said: str) -> None:
    assert answer.status_code == status
    assert answer.json()["type"] == f"urn:edgewright:reason:{reason}"
    assert f"reason={reason}" in said


def test_who_may_not_send_files(
    settings: Settings, external: TestClient, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = user_row("alice@contoso.example", enable_p2p_file_transfer=False)
    write_tables(settings.tables, USERS | {"alice@contoso.example": row})
    refused(external.post("/files", auth=AUTH), 403, "file-transfer-off", capsys.readouterr().out)
    refused(send(external), 403, "file-transfer-off", capsys.readouterr().out)
    assert not kept(folder)


def chunked(data: bytes) -> Callable[[], object]:
    def body() -> object:
        yield b'--x\r\nContent-Disposition: form-data; name="File"; filename="a"\r\n\r\n'
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]
        yield b"\r\n--x--\r\n"

    return body


@pytest.mark.parametrize("said", [True, False])
def test_a_file_that_is_too_large(
    external: TestClient, folder: Path, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    data = b"x" * (1024 * 1024 + 1)
    if said:
        answer = send(external, data + b"x" * 65536)
    else:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        external.post("/files", auth=AUTH)
        answer = external.post("/files", content=chunked(data)(), headers=kind, auth=_Ready(external))
    refused(answer, 413, "file-too-large", capsys.readouterr().out)
    assert not kept(folder)


class _Ready(httpx.Auth):
    """Digest that knows its challenge beforehand: a body that is made as it goes can be sent only once."""

    def __init__(self, client: TestClient) -> None:
        self._challenge = client.post("/files")
        self._digest = httpx.DigestAuth("alice", PASSWORD)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        probe = self._digest.auth_flow(httpx.Request("POST", request.url))
        next(probe)
        request.headers["Authorization"] = probe.send(self._challenge).headers["Authorization"]
        yield request


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"hello"),
        ("multipart/form-data", b"--x\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b"no form at all"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nhi\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="File"\r\n\r\nhi, half of it',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"a" * 9000 + b"\r\n\r\nhi\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="File"\r\n\r\nhi\r\n' * 2 + b"--x--\r\n",
        ),
    ],
)
def test_what_is_no_form_with_a_file(external: TestClient, folder: Path, kind: str, body: bytes) -> None:
    answer = external.post("/files", content=body, headers={"Content-Type": kind}, auth=AUTH)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:edgewright:reason:malformed"
    assert not kept(folder)


def test_the_stores_are_bounded(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert settings.files is not None
    small = replace(settings, files=replace(settings.files, user_quota_mb=1, quota_mb=1))
    client = TestClient(app.create(small, "external"), base_url="https://web.contoso.example")
    assert send(client, b"x" * 600_000).status_code == 200
    refused(send(client, b"x" * 600_000), 507, "file-quota-used", capsys.readouterr().out)
    assert send(client, b"x" * 100_000).status_code == 200


def test_a_director_has_no_files(settings: Settings) -> None:
    client = TestClient(
        app.create(replace(settings, files=None), "external"), base_url="https://web.contoso.example"
    )
    assert client.post("/files", auth=AUTH).status_code == 404


def test_files_expire(tmp_path: Path) -> None:
    now = [1_000_000.0]
    store = Store(tmp_path, 100, 60, 50, lambda: now[0])
    token = store.reserve("alice", 60)
    with pytest.raises(FullError):
        store.reserve("alice", 1)
    with os.fdopen(store.write(token), "wb") as target:
        target.write(b"hello")
    assert store.find(token) is None
    stored = store.keep(token, "a.txt", "text/plain", 5)
    assert store.find(token) == stored
    now[0] += 49
    assert store.find(token)
    now[0] += 1
    assert store.find(token) is None
    assert store.expire() == 1
    assert not list(tmp_path.glob("*.bin"))
    (tmp_path / "stray.bin").write_bytes(b"")
    assert store.expire() == 1


def test_what_was_never_finished_goes(tmp_path: Path) -> None:
    now = [1_000_000.0]
    store = Store(tmp_path, 100, 60, 50, lambda: now[0])
    store.reserve("alice", 60)
    now[0] += 3600
    assert store.reserve("alice", 60)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("a\r\nb", "ab"),
        ("..", "file"),
        ("", "file"),
        ("ü" * 300, "ü" * 200),
    ],
)
def test_names(name: str, cleaned: str) -> None:
    assert clean(name) == cleaned


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Image/PNG; x=y", "image/png"),
        ("text/<b>", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert kind_of(text) == kind

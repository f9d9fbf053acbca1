from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from edgewright_web import app, xcap
from edgewright_web.settings import Settings
from starlette.testclient import TestClient
from webtables import PASSWORD, USERS, write_tables

ALICE = "alice@contoso.example"
CORRELATION = "0123456789abcdef0123456789abcdef"
NS = 'xmlns="urn:ietf:params:xml:ns:resource-lists"'
LIST = (
    f'<?xml version="1.0" encoding="UTF-8"?><resource-lists {NS}>'
    '<list><entry uri="sip:bob@contoso.example"/></list></resource-lists>'
)
RULES = '<ruleset xmlns="urn:ietf:params:xml:ns:common-policy"/>'
LIST_TYPE = "application/resource-lists+xml"
PATH = f"/xcap-root/resource-lists/users/sip:{ALICE}/index"


@dataclass
class Shelf:
    """Documents in memory, with the conditions as the database has them."""

    documents: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    broken: bool = False
    full: bool = False

    def _holds(self, uri: str, if_match: Sequence[str], if_none_match: Sequence[str]) -> bool:
        tag = self.documents[uri][1] if uri in self.documents else None
        wanted = not if_match or (tag is not None and ("*" in if_match or tag in if_match))
        return wanted and not (
            if_none_match and tag is not None and ("*" in if_none_match or tag in if_none_match)
        )

    def get(self, document: xcap.Document) -> tuple[bytes, str] | None:
        if self.broken:
            raise xcap.UnavailableError
        return self.documents.get(document.uri)

    def put(
        self,
        document: xcap.Document,
        body: bytes,
        tag: str,
        if_match: Sequence[str],
        if_none_match: Sequence[str],
    ) -> int:
        if self.full:
            return 413
        if not self._holds(document.uri, if_match, if_none_match):
            return 412
        status = 200 if document.uri in self.documents else 201
        self.documents[document.uri] = (body, tag)
        return status

    def delete(self, document: xcap.Document, if_match: Sequence[str], if_none_match: Sequence[str]) -> int:
        if not self._holds(document.uri, if_match, if_none_match):
            return 412
        return 200 if self.documents.pop(document.uri, None) else 404


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def site(settings: Settings, shelf: Shelf) -> Callable[[str], TestClient]:
    def make(name: str = "external") -> TestClient:
        made = app.create(settings, name, shelf)  # type: ignore[arg-type]
        return TestClient(made, base_url="https://web.contoso.example", raise_server_exceptions=False)

    return make


def ask(
    client: TestClient, method: str, path: str = PATH, user: str = "alice", **more: Any
) -> httpx.Response:
    headers = {"X-Request-Id": CORRELATION, **more.pop("headers", {})}
    if method == "PUT":
        headers.setdefault("Content-Type", LIST_TYPE)
    auth = httpx.DigestAuth(user, PASSWORD)
    return client.request(method, path, auth=auth, headers=headers, follow_redirects=False, **more)


def test_a_document_is_put_got_and_deleted(site: Callable[..., TestClient]) -> None:
    client = site()
    assert ask(client, "GET").status_code == 404
    made = ask(client, "PUT", content=LIST)
    assert made.status_code == 201
    got = ask(client, "GET")
    assert (got.status_code, got.text, got.headers["content-type"]) == (200, LIST, LIST_TYPE)
    assert got.headers["etag"] == made.headers["etag"]
    changed = ask(client, "PUT", content=LIST, headers={"If-Match": made.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != made.headers["etag"]
    assert ask(client, "GET", headers={"If-None-Match": changed.headers["etag"]}).status_code == 304
    assert ask(client, "PUT", content=LIST, headers={"If-Match": made.headers["etag"]}).status_code == 412
    assert ask(client, "PUT", content=LIST, headers={"If-None-Match": "*"}).status_code == 412
    assert ask(client, "DELETE", headers={"If-Match": '"other"'}).status_code == 412
    assert ask(client, "DELETE").status_code == 200
    assert ask(client, "DELETE").status_code == 404


def test_inside_and_outside_are_one_tree(site: Callable[..., TestClient]) -> None:
    assert ask(site("internal"), "PUT", content=LIST).status_code == 201
    assert ask(site("external"), "GET").text == LIST


@pytest.mark.parametrize(
    "spelled",
    [
        f"/xcap-root/resource-lists/users/{ALICE}/index",
        PATH.replace("@", "%40").replace(":", "%3A"),
        PATH.replace("alice", "Alice"),
    ],
)
def test_spellings_of_ones_own_tree(site: Callable[..., TestClient], spelled: str) -> None:
    assert ask(site(), "PUT", spelled, content=LIST).status_code == 201
    assert ask(site(), "GET").text == LIST


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nobody_touches_anothers_tree(
    site: Callable[..., TestClient], shelf: Shelf, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(site(), "PUT", content=LIST)
    refused = ask(site("internal"), method, user="hans", content=LIST)
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:edgewright:reason:not-own-document"
    assert f"reason=not-own-document correlation={CORRELATION}" in capsys.readouterr().out
    assert len(shelf.documents) == 1


def test_nobody_without_a_password(site: Callable[..., TestClient]) -> None:
    client = site()
    for method in ("GET", "PUT", "DELETE"):
        assert client.request(method, PATH).status_code == 401
    assert client.get("/xcap-root/xcap-caps/global/index").status_code == 401


def test_who_may_not_come_from_outside(site: Callable[..., TestClient]) -> None:
    path = PATH.replace("alice", "carol")
    assert ask(site("external"), "PUT", path, "carol", content=LIST).status_code == 403
    assert ask(site("internal"), "PUT", path, "carol", content=LIST).status_code == 201


MANY = "".join(f'<entry uri="sip:u{n}@x.example"/>' for n in range(1000))
DEEP = LIST.replace("<list>", "<list>" * 40).replace("</list>", "</list>" * 40)
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        ("nonsense", LIST_TYPE, 400, "document-invalid"),
        ("", LIST_TYPE, 400, "document-invalid"),
        (LIST[:-3], LIST_TYPE, 400, "document-invalid"),
        (RULES, LIST_TYPE, 400, "document-invalid"),
        ("<resource-lists><entry/></resource-lists>", LIST_TYPE, 400, "document-invalid"),
        (f"{BOMB}<resource-lists {NS}>&b;</resource-lists>", LIST_TYPE, 400, "document-invalid"),
        (LIST.encode("utf-16"), LIST_TYPE, 400, "document-invalid"),
        (LIST.replace("UTF-8", "UTF-7"), LIST_TYPE, 400, "document-invalid"),
        (LIST.encode().replace(b"bob", b"b\xffb"), LIST_TYPE, 400, "document-invalid"),
        (DEEP, LIST_TYPE, 400, "document-invalid"),
        (LIST, "application/xml", 415, "document-type"),
        (LIST, "application/auth-policy+xml", 415, "document-type"),
        (LIST.replace("<list>", f"<list><!--{'x' * xcap.LIMIT}-->"), LIST_TYPE, 413, "document-too-large"),
        (LIST.replace("<list>", f"<list>{MANY}"), LIST_TYPE, 413, "too-many-contacts"),
    ],
)  # fmt: skip
def test_what_is_not_taken(
    site: Callable[..., TestClient], shelf: Shelf, body: str | bytes, kind: str, status: int, reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    refused = ask(site(), "PUT", content=body, headers={"Content-Type": kind})
    assert refused.status_code == status
    assert refused.json()["type"] == f"urn:edgewright:reason:{reason}"
    assert (
        f"reason={reason} correlation={CORRELATION} party=remote method=PUT status={status}"
        in capsys.readouterr().out
    )
    assert not shelf.documents


def test_a_thousand_contacts_fit(site: Callable[..., TestClient]) -> None:
    entries = "".join(
        f'<entry uri="sip:user{n:04}@contoso.example"><display-name>User Number {n}</display-name></entry>'
        for n in range(999)
    )
    assert ask(site(), "PUT", content=LIST.replace("<list>", f"<list>{entries}")).status_code == 201


def test_the_databases_own_limit(site: Callable[..., TestClient], shelf: Shelf) -> None:
    shelf.full = True
    refused = ask(site(), "PUT", content=LIST)
    assert (refused.status_code, refused.json()["type"]) == (413, "urn:edgewright:reason:too-many-contacts")


def test_without_the_database_nobody_is_blamed(
    site: Callable[..., TestClient], shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.broken = True
    assert ask(site(), "GET").status_code == 503
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/xcap-root/nonsense/users/sip:alice@contoso.example/index", 404, "web-path-unpublished"),
        ("/xcap-root/resource-lists/global/index", 404, "web-path-unpublished"),
        (PATH.replace("index", "other"), 404, "web-path-unpublished"),
        (PATH.replace("index", "a/b"), 404, "web-path-unpublished"),
        (f"{PATH}/~~/resource-lists/list", 501, "feature-not-supported"),
        (PATH.replace("sip:alice", "sip:alice:x"), 403, "not-own-document"),
    ],
)
def test_paths(
    site: Callable[..., TestClient], path: str, status: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(site(), "GET", path).status_code == status
    assert f"reason={reason} " in capsys.readouterr().out


def test_privacy_rules_under_both_names(site: Callable[..., TestClient], shelf: Shelf) -> None:
    for name, document in (("pres-rules", "index"), ("org.openmobilealliance.pres-rules", "pres-rules")):
        path = f"/xcap-root/{name}/users/sip:{ALICE}/{document}"
        made = ask(
            site(), "PUT", path, content=RULES, headers={"Content-Type": "application/auth-policy+xml"}
        )
        assert made.status_code == 201
    assert len(shelf.documents) == 2


def test_capabilities(site: Callable[..., TestClient]) -> None:
    answer = ask(site(), "GET", "/xcap-root/xcap-caps/global/index")
    assert answer.headers["content-type"] == "application/xcap-caps+xml"
    assert "<auid>pres-rules</auid>" in answer.text


@pytest.mark.parametrize(
    ("name", "web"), [("external", "web.other.example"), ("internal", "fe.other.example")]
)
def test_who_is_homed_elsewhere_is_told_where(settings: Settings, shelf: Shelf, name: str, web: str) -> None:
    home = replace(
        settings.homes["fe.inside.contoso.example"], pool="fe.other.example", web_internal="fe.other.example",
        web_external="web.other.example",
    )  # fmt: skip
    elsewhere = replace(settings, homes={**settings.homes, "fe.other.example": home})
    row = json.dumps(json.loads(USERS[ALICE]) | {"home": "fe.other.example"})
    write_tables(settings.tables, {**USERS, ALICE: row})
    client = TestClient(app.create(elsewhere, name, shelf))  # type: ignore[arg-type]
    answer = ask(client, "PUT", content=LIST)
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{web}{PATH}")
    assert not shelf.documents


def test_a_pool_that_homes_nobody_has_no_documents(settings: Settings) -> None:
    client = TestClient(app.create(settings, "external"), base_url="https://dirweb.contoso.example")
    assert ask(client, "GET").status_code == 404


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, []), ("*", ["*"]), ('"a"', ["a"]), ('W/"a", "b"', ["a", "b"]), ("", [""]), ("a", [""]),
        ('"a', [""]),
    ],
)  # fmt: skip
def test_entity_tags(header: str | None, found: list[str]) -> None:
    assert xcap.tags(header) == found

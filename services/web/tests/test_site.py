from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from edgewright_web.settings import Settings
from starlette.testclient import TestClient
from webtables import PASSWORD, USERS, user_row, write_tables

ROOT = "/Autodiscover/AutodiscoverService.svc/root"
CORRELATION = "0123456789abcdef0123456789abcdef"


def ask(client: TestClient, path: str, user: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    """Ask with httpx's own digest, a second implementation."""
    auth = httpx.DigestAuth(user, password)
    return client.get(path, auth=auth, headers={"X-Request-Id": CORRELATION, **headers})


@pytest.mark.parametrize("path", [ROOT, ROOT.lower(), ROOT.replace("root", "Root")])
def test_root_is_for_anybody(external: TestClient, path: str) -> None:
    answer = external.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.microsoft.rtc.autodiscover+json;v=1"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["AccessLocation"] == "External"
    links = {link["token"]: link["href"] for link in body["Root"]["Links"]}
    assert links["User"] == f"https://dirweb.contoso.example{ROOT}/user"
    assert set(links) == {"Domain", "User", "Self", "OAuth"}
    for token in ("Domain", "Self"):
        assert external.get(links[token]).status_code == 200
    for token in ("User", "OAuth"):
        assert external.get(links[token]).status_code == 401


def test_location_is_the_listeners(internal: TestClient) -> None:
    answer = internal.get(ROOT, headers={"X-Edgewright-Origin": "external", "Host": "dirweb.contoso.example"})
    assert answer.json()["AccessLocation"] == "Internal"
    assert "https://director.inside.contoso.example" in answer.text


def test_xml(external: TestClient) -> None:
    answer = external.get(ROOT, headers={"Accept": "application/vnd.microsoft.rtc.autodiscover+xml;v=1"})
    assert answer.headers["content-type"].startswith("application/vnd.microsoft.rtc.autodiscover+xml")
    root = ET.fromstring(answer.text)
    assert root.tag == "AutodiscoverResponse"
    assert root.get("AccessLocation") == "External"
    assert {link.get("token") for link in root.iterfind("./Root/Link")} == {"Domain", "User", "Self", "OAuth"}


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", False),
        ("text/xml", True),
        ("application/json;q=0.5, application/xml", True),
        ("application/json, application/xml;q=0.5", False),
        ("application/xml;q=nonsense", False),
    ],
)
def test_json_unless_xml_is_preferred(external: TestClient, accept: str, xml: bool) -> None:
    assert ("+xml" in external.get(ROOT, headers={"Accept": accept}).headers["content-type"]) is xml


def test_alice_finds_her_home_pool(external: TestClient) -> None:
    body = ask(external, f"{ROOT}/user?sipuri=alice%40contoso.example", "alice").json()
    assert body["AccessLocation"] == "External"
    user = body["User"]
    assert user["SipClientExternalAccess"] == {"fqdn": "sip.contoso.example", "port": "443"}
    assert user["SipServerExternalAccess"] == {"fqdn": "sip.contoso.example", "port": "5061"}
    assert user["SipClientInternalAccess"] == {"fqdn": "fe.inside.contoso.example", "port": "5061"}
    links = {link["token"]: link["href"] for link in user["Links"]}
    assert links["External/Autodiscover"] == f"https://web.contoso.example{ROOT}"
    assert links["Internal/Autodiscover"] == f"https://fe.inside.contoso.example{ROOT}"


def test_entrance_of_the_users_own_sip_domain(external: TestClient) -> None:
    user = ask(external, f"{ROOT}/user", "hans").json()["User"]
    assert user["SipClientExternalAccess"]["fqdn"] == "sip.second.example"


def shape(answer: httpx.Response) -> tuple[object, ...]:
    """Everything of an answer that an outsider sees, without what is random by design."""
    headers = [
        (name, re.sub(r'nonce="[^"]+"', "nonce", value)) for name, value in answer.headers.multi_items()
    ]
    return answer.status_code, headers, answer.text


@pytest.mark.parametrize("site", ["external", "internal"])
def test_outsiders_cannot_tell_refusals_apart(
    client: Callable[[str], TestClient], site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = [
        ("alice", "wrong", "wrong-password"),
        ("carol", "wrong", "wrong-password"),
        ("gina", "wrong", "wrong-password"),
        ("gina", PASSWORD, "account-disabled"),
        ("nobody", PASSWORD, "unknown-user"),
    ]
    seen = [shape(ask(client(site), f"{ROOT}/user", user, password)) for user, password, _ in tries]
    assert all(other == seen[0] for other in seen)
    assert seen[0][0] == 401
    lines = capsys.readouterr().out.splitlines()
    party = "remote" if site == "external" else "internal"
    assert [re.sub(r" user=\S+", "", line) for line in lines] == [
        f"edgewright decision=refused reason={reason} correlation={CORRELATION} "
        f"party={party} method=GET status=401"
        for _, _, reason in tries
    ]


def test_carol_is_refused_outside_and_served_inside(
    external: TestClient, internal: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = ask(external, f"{ROOT}/user", "carol")
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["ms-diagnostics-public"].startswith("4003;reason=")
    assert refused.json()["type"] == "urn:edgewright:reason:outside-access-off"
    assert refused.json()["instance"] == f"urn:edgewright:request:{CORRELATION}"
    assert f"reason=outside-access-off correlation={CORRELATION}" in capsys.readouterr().out
    assert ask(internal, f"{ROOT}/user", "carol").status_code == 200
    assert ask(external, f"{ROOT}/user", "alice").status_code == 200


def test_the_organisations_switch(settings: Settings, external: TestClient, internal: TestClient) -> None:
    assert ask(external, "/user", "alice").status_code == 200
    write_tables(settings.tables, USERS, outside_users=False)
    refused = ask(external, "/user", "alice")
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:edgewright:reason:outside-users-off"
    assert "ms-diagnostics-public" not in refused.headers
    assert ask(internal, "/user", "alice").status_code == 200


def test_new_tables_count_at_once(settings: Settings, external: TestClient) -> None:
    assert ask(external, "/user", "newcomer").status_code == 401
    address = "newcomer@contoso.example"
    write_tables(settings.tables, {**USERS, address: user_row(address)})
    assert ask(external, "/user", "newcomer").status_code == 200
    write_tables(settings.tables, USERS)
    assert ask(external, "/user", "newcomer").status_code == 401


def test_without_tables_nobody_is_let_in_nor_blamed(
    settings: Settings, external: TestClient, internal: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.tables.unlink()
    assert ask(external, f"{ROOT}/user", "alice").status_code == 503
    assert internal.get("/health").status_code == 503
    assert external.get(ROOT).status_code == 200
    assert capsys.readouterr().out == ""


def test_start_is_autodiscover_at_its_own_name(external: TestClient) -> None:
    answer = external.get(
        "/?sipuri=alice%40contoso.example", headers={"Host": "lyncdiscover.contoso.example"}
    )
    assert answer.json()["AccessLocation"] == "External"
    for other in ("dirweb.contoso.example", "lyncdiscoverinternal.contoso.example"):
        answer = external.get("/", headers={"Host": other}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "/user")


def test_user_page(external: TestClient) -> None:
    answer = ask(external, "/user", "alice")
    assert answer.status_code == 200
    assert "Alice &lt;Adams&gt;" in answer.text
    for text in ("alice@contoso.example", "fe.inside.contoso.example", "sip.contoso.example:443"):
        assert text in answer.text
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]


def test_user_page_inside_says_what_carol_may_not(internal: TestClient) -> None:
    text = ask(internal, "/user", "carol").text
    assert "not available to you" in text
    assert "sip.contoso.example:443" not in text


def test_health_is_inside_only(
    external: TestClient, internal: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert internal.get("/health").json() == {"status": "ok", "site": "internal"}
    assert external.get("/health").status_code == 404
    assert "reason=web-internal-only" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/ucwa/v1/applications", 404, "web-path-unpublished"),
        ("GET", f"{ROOT}/", 404, "web-path-unpublished"),
        ("POST", ROOT, 405, "method-not-allowed"),
        ("DELETE", "/user", 405, "method-not-allowed"),
    ],
)
def test_errors_are_problem_details(
    external: TestClient,
    method: str,
    path: str,
    status: int,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = external.request(method, path, headers={"X-Request-Id": CORRELATION})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert (
        f"reason={reason} correlation={CORRELATION} party=remote method={method}" in capsys.readouterr().out
    )


def test_correlation_cannot_be_forged_into_the_log(
    external: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    external.get("/nowhere", headers={"X-Request-Id": "x reason=done"})
    line = capsys.readouterr().out
    assert re.search(r"correlation=[0-9a-f]{32} ", line)
    assert "done" not in line


def test_a_crash_is_a_problem_without_details(
    settings: Settings, external: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = json.loads(USERS["alice@contoso.example"]) | {"home": "gone.inside.contoso.example"}
    write_tables(settings.tables, {"alice@contoso.example": json.dumps(broken)})
    answer = ask(external, f"{ROOT}/user", "alice")
    assert answer.status_code == 500
    assert "gone" not in answer.text
    assert capsys.readouterr().out == ""


def test_settings_must_be_whole(tmp_path: Path) -> None:
    from edgewright_web.settings import load

    (tmp_path / "s.json").write_text("{}")
    (tmp_path / "secret").write_text("c2hvcnQ=")
    with pytest.raises(ValueError, match="shorter"):
        load(tmp_path / "s.json", tmp_path / "secret")

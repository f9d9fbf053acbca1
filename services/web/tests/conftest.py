"""A site with real tables in SQLite, in the layout that `edgewright-tables` writes."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

# The service is no part of the controller's environment: its sources are tested as they are shipped.
sys.path[:0] = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent)]

from edgewright_web import app  # noqa: E402
from edgewright_web.settings import Settings, load  # noqa: E402
from webtables import REALM, USERS, write_tables  # noqa: E402


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    secret = tmp_path / "nonce.secret"
    secret.write_text(base64.b64encode(b"s" * 32).decode() + "\n")
    tables = tmp_path / "tables.sqlite"
    write_tables(tables, USERS)
    folder = tmp_path / "files"
    folder.mkdir()
    document = {
        "organization": "Contoso",
        "realm": REALM,
        "domains": [REALM, "second.example"],
        "web": {"external": "dirweb.contoso.example", "internal": "director.inside.contoso.example"},
        "homes": [
            {
                "pool": "fe.inside.contoso.example",
                "sip_internal": {"fqdn": "fe.inside.contoso.example", "port": 5061},
                "sip_external": {
                    REALM: {"fqdn": "sip.contoso.example", "port": 443},
                    "second.example": {"fqdn": "sip.second.example", "port": 443},
                },
                "web_internal": "fe.inside.contoso.example",
                "web_external": "web.contoso.example",
            }
        ],
        "pool": "fe.inside.contoso.example",
        "database": None,
        "tables": str(tables),
        "files": {
            "folder": str(folder),
            "base": "https://web.contoso.example/files/fe1/",
            "quota_mb": 16,
            "user_quota_mb": 8,
            "days": 7,
        },
    }
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(document))
    return load(path, secret)


@pytest.fixture
def client(settings: Settings) -> Callable[[str], TestClient]:
    def make(site: str) -> TestClient:
        application = app.create(settings, site)  # type: ignore[arg-type]
        return TestClient(
            application, base_url=f"https://{settings.web[site]}", raise_server_exceptions=False
        )

    return make


@pytest.fixture
def external(client: Callable[[str], TestClient]) -> TestClient:
    return client("external")


@pytest.fixture
def internal(client: Callable[[str], TestClient]) -> TestClient:
    return client("internal")

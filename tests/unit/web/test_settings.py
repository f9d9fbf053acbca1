"""The settings that role web_service writes are what the service reads."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edgewright import model, plan

ROOT = Path(__file__).parents[3]
FOLDERS = {
    "contoso": ROOT / "inventory" / "contoso",
    "two-of-each": ROOT / "tests" / "deployments" / "two-of-each",
}
sys.path.insert(0, str(ROOT / "services" / "web" / "src"))

from edgewright_web.settings import Settings, load  # noqa: E402


def written(tmp_path: Path, name: str, host: str) -> Settings:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "roles" / "web_service" / "templates"), undefined=StrictUndefined
    )
    environment.filters["to_nice_json"] = json.dumps
    environment.filters["combine"] = lambda one, other: one | other
    knobs = yaml.safe_load((ROOT / "roles/web_service/defaults/main.yml").read_text())
    settings = plan.make(model.load(FOLDERS[name])).settings[host]["web_service"]
    text = environment.get_template("settings.json.j2").render(web_service=settings, **knobs)
    (tmp_path / "settings.json").write_text(text)
    (tmp_path / "secret").write_text(base64.b64encode(bytes(32)).decode())
    return load(tmp_path / "settings.json", tmp_path / "secret")


@pytest.mark.parametrize(
    ("name", "host", "database"),
    [
        ("contoso", "fe1", {"host": "/var/run/postgresql"}),
        ("contoso", "director1", None),
        (
            "two-of-each",
            "fe2",
            {
                "sslmode": "verify-ca",
                "port": "5432",
                "sslrootcert": "/etc/edgewright/trust/inside.pem",
                "passfile": "/etc/edgewright/web/pgpass",
            },
        ),
    ],
)
def test_where_the_documents_are(
    tmp_path: Path, name: str, host: str, database: dict[str, Any] | None
) -> None:
    found = written(tmp_path, name, host)
    if database is None:
        assert found.database is None
        return
    assert found.database is not None
    assert found.database.items() >= (database | {"user": "edgewright-web", "dbname": "kamailio"}).items()
    assert found.pool in found.homes


def test_where_files_are(tmp_path: Path) -> None:
    found = written(tmp_path, "contoso", "fe1").files
    assert found is not None
    assert found.base == "https://web.contoso.example/files/fe1/"
    assert (found.quota_mb, found.user_quota_mb, found.days) == (10240, 1024, 7)
    assert written(tmp_path, "contoso", "director1").files is None

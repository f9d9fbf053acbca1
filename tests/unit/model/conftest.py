"""Every test of the model has a project folder of its own, so that none sees real credentials."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("EDGEWRIGHT_ROOT", str(folder))
    monkeypatch.delenv("EDGEWRIGHT_VAULT_PASSWORD_FILE", raising=False)
    return folder

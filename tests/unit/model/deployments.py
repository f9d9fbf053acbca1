"""Copies of deployments with changes, for tests that break them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SOURCES = {
    "contoso": ROOT / "inventory" / "contoso",
    "minimal": ROOT / "inventory" / "minimal",
    "two-of-each": ROOT / "tests" / "deployments" / "two-of-each",
}


def copy(base: str, to: Path) -> Path:
    """The deployment `base` in a folder of the same name, its partner beside it."""
    if base == "contoso":
        shutil.copytree(SOURCES[base].parent / "fabrikam", to / "fabrikam")
    return Path(shutil.copytree(SOURCES[base], to / base))


def changed(case: dict[str, Any], to: Path) -> Path:
    """A copy of the case's base with its changes: whole files, and replaced pieces (which must be there)."""
    folder = copy(case.get("base", "contoso"), to)
    for name in case.get("remove", ()):
        (folder / name).unlink()
    for name, text in case.get("files", {}).items():
        (folder / name).write_text(text)
    for name, pieces in case.get("change", {}).items():
        text = (folder / name).read_text()
        for old, new in pieces.items():
            assert old in text, f"{name} of {case['base']} has no {old!r}"
            text = text.replace(old, new)
        (folder / name).write_text(text)
    return folder

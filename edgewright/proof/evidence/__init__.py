"""Evidence of one run: `results.json` for programs, `junit.xml` for CI, one page for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgewright.plan.types import Plan
from edgewright.proof.evidence import junit, page
from edgewright.proof.results import Results, dump

LATEST = "latest"


def write(results: Results, plan: Plan, folder: Path) -> Path:
    """Write the evidence to `folder`/<time>, with the link `latest`; returns that folder."""
    stamp = results.started.strftime("%Y%m%dT%H%M%SZ")
    where = folder / stamp
    number = 1
    while where.exists():
        number += 1
        where = folder / f"{stamp}-{number}"
    where.mkdir(parents=True)
    (where / "results.json").write_text(dump(results), encoding="utf-8")
    (where / "junit.xml").write_text(junit.render(results), encoding="utf-8")
    (where / "index.html").write_text(page.render(results, plan), encoding="utf-8")
    fresh = folder / f".{where.name}.latest"
    fresh.symlink_to(where.name)
    fresh.replace(folder / LATEST)
    return where


def newest(folder: Path, deployment: str) -> str:
    """The newest evidence of a deployment below `folder`: counts, what is not proven, where the page is.

    Raises:
        FileNotFoundError: it has not been proven yet.
    """
    for where in sorted((path for path in folder.glob("2*") if path.is_dir()), key=_age, reverse=True):
        try:
            document = json.loads((where / "results.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # a run that was killed while it wrote
        if document["deployment"] == deployment:
            return _told(document, where / "index.html")
    raise FileNotFoundError(f"no evidence of {deployment} in {folder}")


def _age(where: Path) -> tuple[str, int]:
    """When a run began, and which of those that began in one second."""
    stamp, _, number = where.name.partition("-")
    return stamp, int(number) if number.isdecimal() else 1


def _told(document: dict[str, Any], page: Path) -> str:
    lines = [", ".join(f"{count} {word}" for word, count in document["summary"].items())]
    lines += [f"{cell['verdict']}: {cell['id']}" for cell in document["cells"] if cell["verdict"] != "proven"]
    return "\n".join([*lines, str(page)])

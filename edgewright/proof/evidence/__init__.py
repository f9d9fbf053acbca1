"""Evidence of one run: `results.json` for programs, `junit.xml` for CI, one page for people."""

from __future__ import annotations

import json
from pathlib import Path

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


def newest(folder: Path) -> str:
    """The newest evidence below `folder` in a few lines: counts, what is not proven, where the page is.

    Raises:
        FileNotFoundError: nothing has been proven yet.
    """
    where = (folder / LATEST).resolve()
    document = json.loads((where / "results.json").read_text(encoding="utf-8"))
    lines = [", ".join(f"{count} {word}" for word, count in document["summary"].items())]
    lines += [f"{cell['verdict']}: {cell['id']}" for cell in document["cells"] if cell["verdict"] != "proven"]
    return "\n".join([*lines, str(where / "index.html")])

"""Evidence of one run: `results.json` for programs, `junit.xml` for CI, one page for people."""

from __future__ import annotations

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

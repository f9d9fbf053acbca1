"""Results of one run, and their documented stable form `results.json` (docs/proof.md)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from edgewright.proof.types import Result, Verdict

SCHEMA = 1
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Results:
    """Everything about one run; `problems`: what kept it from asking; `counted`: firewalls' counters."""

    deployment: str
    digest: str
    started: datetime
    seconds: float
    results: tuple[Result, ...]
    versions: dict[str, str] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    counted: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def summary(self) -> dict[Verdict, int]:
        """How many cells have each verdict; every verdict is there."""
        counts = Counter(result.verdict for result in self.results)
        return {verdict: counts[verdict] for verdict in VERDICTS}

    @property
    def proven(self) -> bool:
        """Whether there is something, all of it is proven, and nobody is missing."""
        return (
            bool(self.results)
            and not self.problems
            and all(result.verdict == "proven" for result in self.results)
        )

    def get(self, identity: str) -> Result | None:
        """The result of a cell by its id."""
        return next((r for r in self.results if r.cell.id == identity), None)


def document(results: Results) -> dict[str, Any]:
    """The content of results.json."""
    return {
        "schema": SCHEMA,
        "deployment": results.deployment,
        "digest": results.digest,
        "started": results.started.isoformat(timespec="seconds"),
        "seconds": round(results.seconds, 1),
        "versions": results.versions,
        "summary": dict(results.summary),
        "problems": list(results.problems),
        "cells": [_cell(result) for result in results.results],
    }


def _cell(result: Result) -> dict[str, Any]:
    cell, observed = result.cell, result.observed
    return {
        "id": cell.id,
        "party": cell.party,
        "feature": cell.feature,
        "vantage": cell.vantage,
        "family": cell.family,
        "situation": cell.situation,
        "impact": cell.impact,
        "expected": {
            "allowed": cell.expected.allowed,
            "reason": cell.expected.reason,
            "shown": cell.expected.shown,
        },
        "observed": {
            "stage": observed.stage,
            "allowed": observed.allowed,
            "reason": observed.reason,
            "shown": observed.shown,
        },
        "verdict": result.verdict,
        "why": result.why,
        "control": cell.control,
        "correlation": list(observed.correlation),
        "seconds": round(result.seconds, 3),
    }


def dump(results: Results) -> str:
    """results.json as text."""
    return json.dumps(document(results), indent=1, ensure_ascii=False) + "\n"

"""The one call behind `edgewright check`, and the errors that keep a description from being loaded."""

from __future__ import annotations

from typing import Any

from edgewright.model.checks import EXAMINATIONS, Problem
from edgewright.model.deployment import Deployment
from edgewright.model.findings import Finding


def errors(deployment: Deployment) -> list[Finding]:
    """Everything that does not fit together, by file and line."""
    return sorted(
        {locate(deployment, problem) for examine in EXAMINATIONS for problem in examine(deployment)}
    )


def locate(deployment: Deployment, problem: Problem, **more: Any) -> Finding:
    """The finding with the line where `problem` stands."""
    path = deployment.folder / problem.file
    document = deployment.documents.get(problem.file)
    line = document.line(problem.place) if document else 1
    return Finding(path, line, problem.message, subject=problem.subject, **more)

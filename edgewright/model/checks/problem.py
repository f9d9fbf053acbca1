"""A finding before its line is known."""

from __future__ import annotations

from dataclasses import dataclass

from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding before its line is known: the file and the place in it."""

    file: str
    place: Place
    message: str
    subject: str = ""
    rule: str = ""


def in_topology(place: Place, message: str, subject: str = "", rule: str = "") -> Problem:
    """A problem in `topology.yml`."""
    return Problem("topology.yml", place, message, subject, rule)


def locate(deployment: Deployment, problem: Problem, severity: Severity = "error") -> Finding:
    """The finding with the line where `problem` stands."""
    path = deployment.folder / problem.file
    document = deployment.documents.get(problem.file)
    line = document.line(problem.place) if document else 1
    return Finding(path, line, problem.message, problem.rule, severity, problem.subject)

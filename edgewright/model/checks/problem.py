"""A finding before its line is known."""

from __future__ import annotations

from dataclasses import dataclass

from edgewright.model.documents import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding before its line is known: the file and the place in it."""

    file: str
    place: Place
    message: str
    subject: str = ""


def in_topology(place: Place, message: str, subject: str = "") -> Problem:
    """A problem in `topology.yml`."""
    return Problem("topology.yml", place, message, subject)

"""Every cell of a deployment, concern by concern, in a stable order."""

from __future__ import annotations

from edgewright.proof import (
    certificates,
    contacts,
    conversations,
    disruption,
    federation,
    files,
    flips,
    flows,
    inside,
    messages,
    names,
    paused,
    presence,
    pretenders,
    privacy,
    rooms,
    rooms_across,
    sample,
    sign_in,
    situations,
    web,
)
from edgewright.proof.case import Case
from edgewright.proof.scope import Scope

CONCERNS = (
    sign_in,
    messages,
    conversations,
    presence,
    contacts,
    privacy,
    rooms,
    files,
    federation,
    pretenders,
    rooms_across,
    web,
    names,
    certificates,
    flows,
    sample,
    inside,
    disruption,
    paused,
    flips,
    situations,
)


def make(scope: Scope) -> tuple[Case, ...]:
    """All cases.

    Raises:
        ValueError: two cells have one id, or one leans on what does not exist (a generator's fault).
    """
    found: dict[str, Case] = {}
    for concern in CONCERNS:
        for case in concern.make(scope):
            if case.cell.id in found:
                raise ValueError(f"two cells are called {case.cell.id}")
            found[case.cell.id] = case
    for case in found.values():
        for identity in case.leans_on:
            if identity not in found:
                raise ValueError(f"{case.cell.id} leans on {identity}, which does not exist")
    return tuple(found.values())

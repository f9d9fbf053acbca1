"""Holds a description, and its plan where there is one, against the documented rules; applies waivers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgewright.model.checks.problem import in_topology, locate
from edgewright.model.deployment import Deployment
from edgewright.model.findings import Finding
from edgewright.model.lint import addresses, edge, names
from edgewright.model.lint.rules import RULES, Nothing, Planned, Rule
from edgewright.model.messages import nearest

__all__ = ["RULES", "Planned", "Rule", "lint"]

_MODULES = (addresses, edge, names)  # importing them registers their rules

FIXED = frozenset({"W1", "K9"})
"""Rules among the cross-object errors: known, but never waived there."""


def lint(deployment: Deployment, plan: Planned | None = None) -> list[Finding]:
    """Every finding, waived ones marked; then what is wrong with the waivers themselves."""
    findings: list[Finding] = []
    used: set[int] = set()
    for rule in RULES:
        for problem in rule.examine(deployment, plan or Nothing()):
            found = locate(deployment, replace(problem, rule=rule.id), severity=rule.severity)
            for index, waiver in enumerate(deployment.topology.waivers):
                if rule.waivable and waiver.rule == rule.id and waiver.subject in (None, found.subject):
                    used.add(index)
                    found = replace(found, waived=waiver.reason)
            findings.append(found)
    findings += _waivers(deployment, used, planned=plan is not None)
    return sorted(set(findings))


def _waivers(deployment: Deployment, used: set[int], *, planned: bool) -> Iterator[Finding]:
    by_id: dict[str, list[Rule]] = {}
    for rule in RULES:
        by_id.setdefault(rule.id, []).append(rule)
    for index, waiver in enumerate(deployment.topology.waivers):
        place = ("waivers", index)
        if waiver.rule not in by_id and waiver.rule not in FIXED:
            hint = nearest(waiver.rule, by_id)
            yield locate(deployment, in_topology((*place, "rule"), f"there is no rule '{waiver.rule}'{hint}"))
        elif not any(rule.waivable for rule in by_id.get(waiver.rule, ())):
            message = f"rule {waiver.rule} cannot be waived: what it forbids does not work"
            yield locate(deployment, in_topology((*place, "rule"), message))
        elif index not in used and (planned or not any(rule.planned for rule in by_id[waiver.rule])):
            about = f" about {waiver.subject}" if waiver.subject else ""
            message = f"the waiver of {waiver.rule} is not needed: nothing is found{about}; take it out"
            yield locate(deployment, in_topology(place, message), severity="warning")

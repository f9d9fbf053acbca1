"""The one call behind `edgewright check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgewright.model.checks import Problem, examine
from edgewright.model.checks.problem import locate
from edgewright.model.deployment import Deployment
from edgewright.model.findings import Finding, Unplannable
from edgewright.model.index import hosts
from edgewright.model.lint import Planned, lint
from edgewright.model.load import attempt


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found; `deployment` is None where the files could not be read as one."""

    deployment: Deployment | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be put right: errors that no waiver covers."""
        return tuple(found for found in self.findings if found.severity == "error" and not found.waived)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What should be looked at: warnings that no waiver covers."""
        return tuple(found for found in self.findings if found.severity == "warning" and not found.waived)

    @property
    def waived(self) -> tuple[Finding, ...]:
        """What the operator accepts, with the reason."""
        return tuple(found for found in self.findings if found.waived)


def check(path: Path, plan: Callable[[Deployment], Planned] | None = None) -> Report:
    """Look at everything in a deployment's folder; never raises for what an operator wrote.

    `plan` is `edgewright.plan.make`: with it the rules about certificates and DNS records are looked at too,
    if nothing else is wrong.
    """
    deployment, findings = attempt(path)
    if deployment is not None:
        findings = [*findings, *examine(deployment)]
        planned = None
        if plan and not findings:
            try:
                planned = plan(deployment)
            except Unplannable as error:
                findings = [_about(deployment, problem) for problem in error.problems]
        findings = [*findings, *lint(deployment, planned)]
    return Report(deployment, tuple(sorted(set(findings))))


def _about(deployment: Deployment, problem: str) -> Finding:
    """The line of the host that a problem of the plan names."""
    name = problem.partition(":")[0]
    at = next((one for one in hosts(deployment) if one.name == name), None)
    if at is None:
        return locate(deployment, Problem("topology.yml", (), problem))
    return locate(deployment, Problem(at.file, at.place, problem, name))

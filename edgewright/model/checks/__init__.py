"""What several objects of a description must agree on: each examination yields what is wrong."""

from edgewright.model.checks import certificates, names, networks, people, policies, pools, surroundings
from edgewright.model.checks.problem import Problem, locate
from edgewright.model.deployment import Deployment
from edgewright.model.findings import Finding

EXAMINATIONS = (
    *names.EXAMINATIONS,
    *networks.EXAMINATIONS,
    *pools.EXAMINATIONS,
    *people.EXAMINATIONS,
    *policies.EXAMINATIONS,
    *certificates.EXAMINATIONS,
    *surroundings.EXAMINATIONS,
)

__all__ = ["EXAMINATIONS", "Problem", "examine"]


def examine(deployment: Deployment) -> list[Finding]:
    """Everything that does not fit together, by file and line."""
    problems = (problem for examination in EXAMINATIONS for problem in examination(deployment))
    return sorted({locate(deployment, problem) for problem in problems})

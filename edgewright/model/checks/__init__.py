"""What several objects of a description must agree on: each examination yields what is wrong."""

from edgewright.model.checks import certificates, names, networks, people, policies, pools
from edgewright.model.checks.problem import Problem

EXAMINATIONS = (
    *names.EXAMINATIONS,
    *networks.EXAMINATIONS,
    *pools.EXAMINATIONS,
    *people.EXAMINATIONS,
    *policies.EXAMINATIONS,
    *certificates.EXAMINATIONS,
)

__all__ = ["EXAMINATIONS", "Problem"]

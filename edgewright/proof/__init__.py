"""The proof: cells from description, plan and decisions; probes at the vantages; verdicts; evidence."""

from edgewright.proof.types import Cell, Expected, Observed, Result
from edgewright.proof.verify import verify

__all__ = ["Cell", "Expected", "Observed", "Result", "verify"]

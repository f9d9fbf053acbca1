"""Inside checks: what the organisation's hosts look like from within, by testinfra over the same ssh."""

from edgewright.proof.inside.checks import CHECKS, Failed
from edgewright.proof.inside.inspector import PROBE, Inspector, make

__all__ = ["CHECKS", "PROBE", "Failed", "Inspector", "make"]

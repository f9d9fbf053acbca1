"""From a deployment's folder to its plan, with errors that an operator can read."""

from __future__ import annotations

from pathlib import Path

from edgewright.model import load
from edgewright.plan import make
from edgewright.plan.types import Plan


def plan_of(folder: Path) -> Plan:
    """The plan of the deployment in that folder.

    Raises:
        InputErrors: All findings, each with file and line.
    """
    return make(load(folder))

"""The typed description of one organisation's external access, and all that it says by itself."""

from edgewright.model.deployment import Deployment
from edgewright.model.findings import Finding, InputErrors
from edgewright.model.load import load

__all__ = ["Deployment", "Finding", "InputErrors", "load"]

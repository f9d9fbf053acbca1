"""Only until `edgewright.model.policy` is there."""

from typing import Any

from pydantic import ConfigDict

from edgewright.model.base import Model

try:
    from edgewright.model.policy import Policies
except ImportError:

    class Policies(Model):  # type: ignore[no-redef]
        """Anything."""

        model_config = ConfigDict(extra="allow")
        schema_: Any = None

"""How long an example takes depends on what else the machine does: that is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("edgewright", deadline=None)
settings.load_profile("edgewright")

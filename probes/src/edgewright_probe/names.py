"""The DNS verb."""

from __future__ import annotations

from typing import Any

from . import net
from .observation import Observation, Transcript


async def lookup(arguments: dict[str, Any], transcript: Transcript) -> Observation:
    """Ask for `name` and `type` at `resolver` (default: the system's). Allowed: there is an answer."""
    code, found = await net.answers(
        arguments["name"], arguments["type"], arguments.get("resolver"), float(arguments.get("timeout", 5))
    )
    transcript.add(f"{arguments['type']} {arguments['name']}: {code} {', '.join(found)}")
    stage = "done" if found else "resolve"
    return Observation(stage, bool(found), {"code": code, "answers": found})

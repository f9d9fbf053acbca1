"""What must happen, as `access` says: the only place where the proof asks for decisions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from edgewright.access.decide import decide
from edgewright.access.reasons import REASONS
from edgewright.access.request import Party, Request
from edgewright.model.deployment import Deployment
from edgewright.proof.scope import Seat
from edgewright.proof.types import Expected


def party(seat: Seat) -> Party:
    """Who a client of ours at a seat is."""
    return "internal" if seat.side == "inside" else "remote"


def of(deployment: Deployment, request: Request) -> Expected:
    """The expectation for one SIP request: the decision, and what the asker is shown when refused."""
    return _of(deployment, request, sip=True)


def web(deployment: Deployment, request: Request) -> Expected:
    """The same for a request to the web services."""
    return _of(deployment, request, sip=False)


def _of(deployment: Deployment, request: Request, *, sip: bool) -> Expected:
    decision = decide(deployment, request)
    if decision.allowed:
        return Expected(True)
    return refused(decision.reason or "", sip=sip)


@lru_cache
def refused(reason: str, *, sip: bool) -> Expected:
    """A refusal for `reason` with what the catalogue says an outsider is shown."""
    entry = REASONS[reason]
    shown: dict[str, Any] = {"status": entry.sip if sip else entry.http}
    if sip and entry.diagnostics_public:
        shown["ms_diagnostics_public"] = str(entry.diagnostics_public)
    return Expected(False, reason, shown)

"""Cells, observations and verdicts: the contract between expectation, probe and evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Impact = Literal["read", "changes", "disrupts"]
Stage = Literal["resolve", "connect", "tls", "protocol", "policy", "media", "done"]
Verdict = Literal["proven", "broken", "leaking", "misreported", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What must happen: `reason` is a catalogue id that our hosts log, `shown` what the outsider gets."""

    allowed: bool
    reason: str | None = None
    shown: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen: how far it came, what it was shown, and the reason logged for `correlation`."""

    stage: Stage
    allowed: bool
    reason: str | None = None
    shown: dict[str, Any] | None = None
    correlation: tuple[str, ...] = ()
    transcript: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to try. `probe` and `arguments` say which probe verb runs at the vantage and with what."""

    id: str
    party: str
    feature: str
    vantage: str
    family: str
    situation: str
    impact: Impact
    expected: Expected
    probe: str
    arguments: dict[str, Any] = field(default_factory=dict)
    control: str | None = None
    """Id of the positive control; every refusal has one."""


@dataclass(frozen=True, slots=True)
class Result:
    """A cell with what was observed and the verdict; `why` is one sentence."""

    cell: Cell
    observed: Observed
    verdict: Verdict
    why: str
    seconds: float

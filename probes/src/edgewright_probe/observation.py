"""What a probe verb gives back, and how it is written down while it runs."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

_SECRETS = re.compile(r'(\b(?:response|cnonce)=")[^"]*(")', re.IGNORECASE)
_BASIC = re.compile(r"((?:proxy-)?authorization:\s*basic\s+)\S+", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` without what an answer to a challenge could be guessed from (transcripts are published)."""
    return _BASIC.sub(r"\1...", _SECRETS.sub(r"\1...\2", text))


class HaltError(Exception):
    """The attempt ended at `stage` (resolve, connect, tls, protocol); `detail` says how, in a word or two."""

    def __init__(self, stage: str, detail: str) -> None:
        super().__init__(f"{stage}: {detail}")
        self.stage = stage
        self.detail = detail
        self.correlation: list[str] = []


class Transcript:
    """Steps and messages with the seconds since the cell began; nothing secret is kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._start = time.monotonic()

    def add(self, text: str) -> None:
        """Append one entry: `0.012 text`, secrets blanked, at most 4,000 characters."""
        self.lines.append(f"{time.monotonic() - self._start:.3f} {redact(text)[:4000].rstrip()}")


@dataclass
class Observation:
    """How far it came (`stage`), whether it was let do it, what it was shown, under which correlation ids."""

    stage: str
    allowed: bool
    shown: dict[str, Any] = field(default_factory=dict)
    correlation: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    """For the engine's own judgement (certificates, answers): not part of what is compared."""

    @classmethod
    def halted(cls, halt: HaltError) -> Observation:
        """The observation of an attempt that ended before the service answered."""
        return cls(halt.stage, False, {"error": halt.detail}, halt.correlation)

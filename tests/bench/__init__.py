"""`make bench`: figures that must not grow; each module has `run() -> list[Figure]`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and what it may be at most."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def kept(self) -> bool:
        """Whether the limit is kept."""
        return self.value <= self.limit

"""Who reaches whom: organisations by rows of the support matrix, each crossing with its worst verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from edgewright.access.features import FEATURES
from edgewright.proof.results import VERDICTS
from edgewright.proof.types import Result, Verdict

_WORST: tuple[Verdict, ...] = ("leaking", "broken", "misreported", "inconclusive", "proven")


@dataclass
class Mark:
    """All cells of one crossing and feature: how many had to work, why the others were refused."""

    worked: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    verdict: Verdict = "proven"

    @property
    def refused(self) -> int:
        """How many had to be refused."""
        return sum(self.reasons.values())

    @property
    def word(self) -> str:
        """What is expected, in a word: `yes`, `no`, or `some` where it depends on the user."""
        return "some" if self.worked and self.refused else "yes" if self.worked else "no"

    @property
    def title(self) -> str:
        """What lies behind it, in words."""
        parts = [f"{self.worked} allowed"] if self.worked else []
        parts += [f"{count} {reason}" for reason, count in sorted(self.reasons.items())]
        return f"{self.verdict}: {', '.join(parts)}"


@dataclass(frozen=True)
class Row:
    """Who does it (organisation and kind of user) to whom; marks by feature."""

    sender: str
    party: str
    to: str
    marks: dict[str, Mark]


@dataclass(frozen=True)
class Reach:
    """The matrix: its columns (id and name of features) and rows."""

    features: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def make(results: Iterable[Result]) -> Reach:
    """Of all cells that changed nothing and went from somebody to somebody."""
    assert set(_WORST) == set(VERDICTS)
    found: dict[tuple[str, str, str], dict[str, Mark]] = {}
    for result in results:
        cell = result.cell
        arguments = cell.arguments
        sender, to = arguments.get("user") or arguments.get("sender"), arguments.get("to")
        if not sender or not to or cell.impact != "read" or cell.feature not in FEATURES:
            continue
        key = (_domain(sender), cell.party, _domain(to))
        mark = found.setdefault(key, {}).setdefault(cell.feature, Mark())
        if cell.expected.allowed:
            mark.worked += 1
        else:
            reason = cell.expected.reason or "refused"
            mark.reasons[reason] = mark.reasons.get(reason, 0) + 1
        mark.verdict = min(mark.verdict, result.verdict, key=_WORST.index)
    used = {feature for marks in found.values() for feature in marks}
    columns = tuple((feature, FEATURES[feature].name) for feature in FEATURES if feature in used)
    rows = tuple(Row(sender, party, to, marks) for (sender, party, to), marks in sorted(found.items()))
    return Reach(columns, rows)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]

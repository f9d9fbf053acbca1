"""What a person sees: progress while the proof runs, then verdicts by area, then what went wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from edgewright.proof.results import VERDICTS, Results

COLOURS = {
    "proven": "green",
    "broken": "red",
    "leaking": "bold red",
    "misreported": "yellow",
    "inconclusive": "magenta",
}
WORST = 25


class Show:
    """The terminal: live where there is one, plain lines where there is none."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: standard error by default, so that standard output stays free for documents."""
        self.console = console or Console(stderr=True, highlight=False)
        self._bars: Progress | None = None
        self._said = 0.0

    @contextmanager
    def running(self, deployment: str, total: int) -> Iterator[None]:
        """Show how many cells are done while the body runs."""
        if not self.console.is_terminal:
            self.console.print(f"proving {deployment}: {total} cells")
            yield
            return
        columns = (
            SpinnerColumn(),
            TextColumn("proving {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[cell]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            self._bars = bars
            self._task = bars.add_task(deployment, total=total, cell="opening places")
            try:
                yield
            finally:
                self._bars = None

    def done(self, cell: str, number: int, total: int) -> None:
        """A cell has been tried; its verdict comes when the hosts have been asked."""
        if self._bars is not None:
            self._bars.update(self._task, completed=number, cell=cell)
        elif number == total or time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            self.console.print(f"  {number} of {total} cells tried")

    def table(self, results: Results, where: Path) -> None:
        """Verdicts by area, everything that is not proven with why, and where the evidence lies."""
        areas: dict[str, Counter[str]] = {}
        for result in results.results:
            areas.setdefault(result.cell.id.partition("/")[0], Counter())[result.verdict] += 1
        table = Table("area", *VERDICTS, title=f"{results.deployment}: {len(results.results)} cells")
        for area, counts in areas.items():
            table.add_row(area, *(_count(verdict, counts[verdict]) for verdict in VERDICTS))
        if len(areas) > 1:
            table.add_section()
            table.add_row("all", *(_count(verdict, number) for verdict, number in results.summary.items()))
        self.console.print(table)
        wrong = [result for result in results.results if result.verdict != "proven"]
        for result in wrong[:WORST]:
            self.console.print(
                Text.assemble(
                    (f"{result.verdict:<13}", COLOURS[result.verdict]), f"{result.cell.id}: {result.why}"
                )
            )
        if len(wrong) > WORST:
            self.console.print(f"and {len(wrong) - WORST} more in the evidence")
        for problem in results.problems:
            self.console.print(Text(f"not asked: {problem}", "yellow"))
        outcome = ("proven", "green") if results.proven else ("not proven", "bold red")
        self.console.print(
            Text.assemble(outcome, f" in {results.seconds:.0f} s; evidence: {where / 'index.html'}"),
            soft_wrap=True,
        )


def _count(verdict: str, number: int) -> Text:
    return Text(str(number) if number else "-", COLOURS[verdict] if number else "dim")

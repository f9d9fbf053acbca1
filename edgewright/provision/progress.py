"""Live progress: a line per step, what it is at and for how long; plain lines where there is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Step:
    """One thing being done; `say` tells what it is at."""

    def __init__(self, progress: Progress, title: str) -> None:
        """Begin the step."""
        self.title = title
        self.started = time.monotonic()
        self._progress = progress
        self._task: TaskID | None = progress._begin(title)
        self._said = ""

    def say(self, detail: str) -> None:
        """Show the newest detail; the same one twice is shown once."""
        detail = detail.strip()
        if detail and detail != self._said:
            self._said = detail
            self._progress._detail(self._task, self.title, detail)

    def end(self, outcome: str, *, good: bool = True) -> None:
        """Close the step with its outcome and its seconds."""
        self._progress._end(self._task, self.title, outcome, time.monotonic() - self.started, good=good)


class Progress:
    """Shows steps, several at a time if need be; a context manager, safe to use from threads."""

    def __init__(self, console: Console | None = None, *, verbose: bool = False) -> None:
        """Use `console` (standard error by default); `verbose` also prints details without a terminal."""
        self.console = console or Console(stderr=True, highlight=False)
        self.timings: dict[str, float] = {}
        self.verbose = verbose
        self._lock = threading.Lock()
        self._live = self.console.is_terminal
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("[dim]{task.fields[detail]}", justify="left"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        if self._live:
            self._bars.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step that ends with its block: well, or with the block's exception."""
        step = Step(self, title)
        try:
            yield step
        except BaseException:
            step.end("failed", good=False)
            raise
        step.end(step._said if self._live else "")

    def note(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self.console.print(text)

    def _begin(self, title: str) -> TaskID | None:
        with self._lock:
            if self._live:
                return self._bars.add_task(title, total=None, detail="")
            self.console.print(f"» {title}", soft_wrap=True)
            return None

    def _detail(self, task: TaskID | None, title: str, detail: str) -> None:
        with self._lock:
            if task is not None:
                self._bars.update(task, detail=detail[: max(20, self.console.width - 50)])
            elif self.verbose:
                self.console.print(f"  {title}: {detail}", markup=False)

    def _end(self, task: TaskID | None, title: str, outcome: str, seconds: float, *, good: bool) -> None:
        with self._lock:
            self.timings[title] = round(seconds, 1)
            if task is not None:
                self._bars.remove_task(task)
            mark = "[green]✓[/]" if good else "[red]✗[/]"
            tail = f" [dim]{outcome}[/]" if outcome else ""
            self.console.print(f"{mark} {title}{tail} [dim]({seconds:.1f} s)[/]", soft_wrap=True)

"""What is wrong with a description, and where: one shape for syntax, types, cross-object checks and lint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong: where, what, and what would be right. `rule` is a lint rule's id or empty."""

    file: Path
    line: int
    message: str
    rule: str = ""
    severity: Severity = "error"
    subject: str = ""
    """The object that a waiver can name: a pool, host, network, user or name."""
    waived: str = ""
    """The operator's reason, where a waiver covers this finding."""

    def __str__(self) -> str:
        rule = f"[{self.rule}] " if self.rule else ""
        kind = "" if self.severity == "error" else "warning: "
        waived = f" (waived: {self.waived})" if self.waived else ""
        return f"{shown(self.file)}:{self.line}: {kind}{rule}{self.message}{waived}"


def shown(path: Path) -> str:
    """The path as the operator would write it: relative to the working directory where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class Unplannable(Exception):  # noqa: N818  (several problems in one)
    """What is valid but cannot be planned; `problems` are sentences, about a host they begin `name: `."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InputErrors(Exception):  # noqa: N818  (several errors in one)
    """The description cannot be used. `findings`: all that is wrong, by file and line."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(finding) for finding in self.findings))

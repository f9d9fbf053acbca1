"""The register of documented rules: each is data (id, what it says, how grave) and one function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from edgewright.model.checks.problem import Problem
from edgewright.model.deployment import Deployment
from edgewright.model.findings import Severity
from edgewright.model.topology import CertificateSlot


class Certificate(Protocol):
    """A certificate request of the plan, as far as rules look at it."""

    @property
    def slot(self) -> CertificateSlot: ...  # noqa: D102
    @property
    def pool(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def sans(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def eku(self) -> tuple[str, ...]: ...  # noqa: D102


class Record(Protocol):
    """A DNS record of the plan."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102


class Zone(Protocol):
    """A zone of one view."""

    @property
    def view(self) -> str: ...  # noqa: D102
    @property
    def records(self) -> Iterable[Record]: ...  # noqa: D102


class Planned(Protocol):
    """What of a plan the rules can be held against; `edgewright.plan.types.Plan` is one."""

    @property
    def certificates(self) -> Iterable[Certificate]: ...  # noqa: D102
    @property
    def zones(self) -> Iterable[Zone]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Nothing:
    """No plan: only what the description itself says can be judged."""

    certificates: tuple[Certificate, ...] = ()
    zones: tuple[Zone, ...] = ()


Examine = Callable[[Deployment], Iterator[Problem]]
ExaminePlan = Callable[[Deployment, Planned], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A documented rule: `id` is its row in the reference, `says` what it demands."""

    id: str
    says: str
    severity: Severity
    waivable: bool
    examine: ExaminePlan
    planned: bool = False
    """Whether it looks at the plan."""


RULES: list[Rule] = []
"""All rules, in the order of their modules. Several may share a row where that says several things."""


def rule(
    row: str, says: str, severity: Severity = "error", *, waivable: bool = True
) -> Callable[[Examine], Examine]:
    """Register a function that looks at the description alone."""

    def register(examine: Examine) -> Examine:
        def on_any_plan(deployment: Deployment, _: Planned) -> Iterator[Problem]:
            return examine(deployment)

        RULES.append(Rule(row, says, severity, waivable, on_any_plan))
        return examine

    return register


def planned_rule(
    row: str, says: str, severity: Severity = "error", *, waivable: bool = True
) -> Callable[[ExaminePlan], ExaminePlan]:
    """Register a function that looks at certificate requests and DNS records of the plan."""

    def register(examine: ExaminePlan) -> ExaminePlan:
        RULES.append(Rule(row, says, severity, waivable, examine, planned=True))
        return examine

    return register

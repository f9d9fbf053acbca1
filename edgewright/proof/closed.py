"""Closed ports have a witness: the counters of the firewalls on the way, before and after."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from edgewright.plan.types import HostPlan
from edgewright.proof.scope import Scope
from edgewright.proof.types import Cell, Expected, Observed
from edgewright.proof.verdict import CLOSED

EXPECTED = Expected(False, CLOSED)
Path = tuple[Literal["host", "outer", "inner"], ...]
DROPPED = "drop"
"""What the names of counters of refused packets begin with."""


def witnesses(scope: Scope, source: HostPlan, target: HostPlan | None, path: Path) -> tuple[str, ...]:
    """Hosts of ours on the way whose firewall may refuse: the source, the routers of `path`, the target."""
    found = [source] if not source.surroundings else []
    if any(_outside(scope, host) for host in (source, target) if host is not None):
        found += scope.plan.of_kind("firewall_outer")
    if "inner" in path:
        found += scope.plan.of_kind("firewall_inner")
    if target is not None and not target.surroundings:
        found.append(target)
    return tuple(dict.fromkeys(host.name for host in found))


def _outside(scope: Scope, host: HostPlan) -> bool:
    """Whether it is a host of the surroundings outside: beyond the outer firewall."""
    return host.surroundings and "outside" in scope.plan.networks[host.interfaces[0].network].zones


def witnessed(
    cell: Cell, observed: Observed, counted: dict[str, dict[str, int]], demand: int | None = None
) -> Observed:
    """The observation with `port-closed` as its reason where counters of the witnesses grew enough.

    `demand` is how many packets must have been refused (default: one for each port tried).
    """
    if observed.allowed:
        return observed
    wanted = demand if demand is not None else len(cell.arguments["ports"])
    seen = {
        f"{host}:{name}": packets
        for host in cell.arguments.get("witnesses", ())
        for name, packets in counted.get(host, {}).items()
        if name.startswith(DROPPED)
    }
    shown = (observed.shown or {}) | {"witness": seen}
    return replace(observed, shown=shown, reason=CLOSED if sum(seen.values()) >= wanted else None)


def passed(cell: Cell, observed: Observed, counted: dict[str, dict[str, int]]) -> Observed:
    """The observation, allowed where the accepting rule of every host in `passes` counted something."""
    passes: dict[str, str] = cell.arguments["passes"]
    seen = {f"{host}:{name}": counted.get(host, {}).get(name, 0) for host, name in passes.items()}
    shown = (observed.shown or {}) | {"passed": seen}
    allowed = observed.allowed or all(seen.values())
    return replace(observed, allowed=allowed, stage="done" if allowed else observed.stage, shown=shown)

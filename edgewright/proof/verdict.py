"""The verdict of a cell: pure, from what was expected, what was seen, and how its positive control fared.

| verdict | when |
|---|---|
| proven | what was expected happened, was shown as expected, and (a refusal) for the expected reason |
| broken | it should work and did not, or showed something else than it should |
| leaking | it should be refused and worked |
| misreported | refused, but for another reason, or shown otherwise than expected |
| inconclusive | nothing can be said: the probe failed, the control did not work, silence without a witness |
"""

from __future__ import annotations

from typing import Any

from edgewright.proof.types import Cell, Observed, Verdict

SAME_AS = "same_as"
"""Key in `expected.shown`: the id of the cell whose answer this one's must equal (header for header)."""

CLOSED = "port-closed"
"""The reason that a firewall's counter witnesses, where no daemon is there to log one."""

COMPARED = ("status", "challenges", "headers", "ms_diagnostics_public")
"""What an outsider can tell answers apart by: all of it must be equal where `SAME_AS` is asked for."""


def judge(cell: Cell, observed: Observed, control: Verdict | None = None) -> tuple[Verdict, str]:
    """The verdict and one sentence saying why; `control` is the verdict of the cell's positive control."""
    shown = observed.shown or {}
    if "fault" in shown:
        return "inconclusive", f"the probe itself failed: {shown['fault']}"
    if cell.expected.allowed:
        return _permitted(cell, observed)
    if observed.allowed:
        return "leaking", f"it worked, though it must be refused ({cell.expected.reason})"
    if control is None:
        return "inconclusive", "a refusal without a positive control in the same run proves nothing"
    if control != "proven":
        return "inconclusive", f"its positive control {cell.control} is {control}: something else may be down"
    return _refused(cell, observed)


def _permitted(cell: Cell, observed: Observed) -> tuple[Verdict, str]:
    if not observed.allowed:
        if found := (observed.shown or {}).get("found"):
            return "broken", str(found)
        how = f", our hosts say {observed.reason}" if observed.reason else ""
        return "broken", f"it came as far as {observed.stage}: {_brief(observed.shown)}{how}"
    if wrong := _differences(cell.expected.shown, observed.shown):
        return "broken", f"it worked, but {wrong}"
    return "proven", "it worked as expected"


def _refused(cell: Cell, observed: Observed) -> tuple[Verdict, str]:
    expected = cell.expected
    if expected.reason == CLOSED:
        if observed.reason != CLOSED:
            return "inconclusive", "silence, but the firewall's counter did not witness it"
    elif expected.reason is not None and observed.stage in ("resolve", "connect"):
        return "inconclusive", f"it never reached who should refuse it: {_brief(observed.shown)}"
    elif expected.reason is not None and observed.reason is None:
        return "misreported", f"refused ({_brief(observed.shown)}), but no host of ours logged why"
    elif expected.reason is not None and observed.reason != expected.reason:
        return "misreported", f"refused for {observed.reason}, not for {expected.reason}"
    if wrong := _differences(expected.shown, observed.shown):
        return "misreported", f"refused for the right reason, but {wrong}"
    return "proven", f"refused: {expected.reason or _brief(observed.shown)}"


def _differences(expected: dict[str, Any] | None, shown: dict[str, Any] | None) -> str:
    """What is shown otherwise than expected, in words; empty when every expected key is as it should be."""
    wrong = []
    for key, value in (expected or {}).items():
        seen = (shown or {}).get(key)
        if key == "headers" and seen != value:
            differ = sorted(set(map(str, value or [])) ^ set(map(str, seen or [])))
            wrong.append("headers differ: " + ("; ".join(differ[:4]) if differ else "another order"))
        elif seen != value and not (isinstance(value, list) and key == "status" and seen in value):
            wrong.append(f"{key} is {seen!r}, not {value!r}")
    return ", ".join(wrong)


def _brief(shown: dict[str, Any] | None) -> str:
    kept = {k: v for k, v in (shown or {}).items() if k != "headers"}
    return ", ".join(f"{k} {v}" for k, v in kept.items()) or "nothing shown"

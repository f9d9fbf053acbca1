"""The log of decisions: one line of logfmt per refusal on standard output (the journal), values encoded."""

from __future__ import annotations

import sys
from urllib.parse import quote


def refused(
    reason: str, *, correlation: str, party: str, method: str, status: int, user: str | None = None
) -> None:
    """Write a refusal; `reason` is an id of the shared catalogue, `correlation` the X-Request-Id."""
    fields: dict[str, object] = {
        "decision": "refused",
        "reason": reason,
        "correlation": correlation,
        "party": party,
        "method": method,
        "status": status,
    }
    if user:
        fields["user"] = user
    _write(fields)


def event(name: str, **fields: object) -> None:
    """Write something that happened and was no refusal."""
    _write({"event": name, **fields})


def _write(fields: dict[str, object]) -> None:
    line = " ".join(f"{name}={quote(str(value), safe='@:/.-')}" for name, value in fields.items())
    sys.stdout.write(f"edgewright {line}\n")
    sys.stdout.flush()

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
    line = " ".join(f"{name}={quote(str(value), safe='@:/.-')}" for name, value in fields.items())
    sys.stdout.write(f"edgewright {line}\n")
    sys.stdout.flush()

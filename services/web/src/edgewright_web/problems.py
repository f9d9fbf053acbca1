"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse


class ProblemError(Exception):
    """A refusal or failure: `shown` is what the client may learn of the reason, `reason` what our log says.

    `reason` None: no decision was taken against anybody (a first challenge, a failure of ours).
    """

    def __init__(
        self,
        status: HTTPStatus,
        reason: str | None = None,
        *,
        shown: str | None = None,
        detail: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        user: str | None = None,
    ) -> None:
        super().__init__(reason or status.phrase)
        self.status, self.reason, self.shown, self.detail = status, reason, shown, detail
        self.headers, self.user = headers or [], user

    def response(self, correlation: str) -> JSONResponse:
        """The answer; `instance` names the request, so that a helpdesk finds the line in our log."""
        body: dict[str, Any] = {
            "type": f"urn:edgewright:reason:{self.shown}" if self.shown else "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "instance": f"urn:edgewright:request:{correlation}",
        }
        if self.detail:
            body["detail"] = self.detail
        answer = JSONResponse(body, self.status.value, media_type="application/problem+json")
        answer.headers["Cache-Control"] = "no-store"
        for name, value in self.headers:
            answer.headers.append(name, value)
        return answer

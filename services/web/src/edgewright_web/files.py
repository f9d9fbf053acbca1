"""Files between two people (M17), as RCS and Linphone do it (GSMA RCC.07 section 3.5.4.8).

`POST /files`: empty, to be let in (204); then with the file (200 and a document that says where it lies). The
sender puts the document into a message. `GET /files/<host>/<token>` needs no account: whoever has the address
has the file until it expires, also at a partner's.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from edgewright_web import log
from edgewright_web.problems import ProblemError
from edgewright_web.store import FullError, Store, Stored
from edgewright_web.tables import User
from edgewright_web.upload import MalformedError, TooLargeError, Upload

DOCUMENT = "application/vnd.gsma.rcs-ft-http+xml"
NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:fthttp"
AROUND = 65536
"""Bytes that a form may have around its file."""
MB = 1024 * 1024
PAGE_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Files:
    """Takes and gives files; `base`: what their addresses begin with."""

    def __init__(self, store: Store, base: str) -> None:
        self.store, self.base = store, base

    async def take(self, request: Request, user: User) -> Response:
        """One upload of a user who has signed in.

        Raises:
            ProblemError: 403 the user's policy has no files, 413 too large, 507 no room, 400 not a form.
        """
        if not user.allows("enable_p2p_file_transfer"):
            raise _refused(
                HTTPStatus.FORBIDDEN, "file-transfer-off", "You are not allowed to send files.", user
            )
        length = _length(request)
        if length == 0:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "no-store"})
        limit = user.number("max_file_size_mb") * MB
        if length is not None and length > limit + AROUND:
            raise _too_large(user)
        # A form that does not say how long it is gets room for the largest.
        most = limit if length is None else min(limit, length)
        try:
            token = await run_in_threadpool(self.store.reserve, user.address, most)
        except FullError as error:
            who = "You keep" if error.mine else "The server keeps"
            text = f"{who} as many files as may be; some go by themselves as they expire."
            raise _refused(HTTPStatus.INSUFFICIENT_STORAGE, "file-quota-used", text, user) from error
        try:
            stored = await self._write(request, token, most if length is None else limit, user)
        except BaseException:
            self.store.drop(token)
            raise
        headers = {"Cache-Control": "no-store"}
        return Response(self.document(token, stored), media_type=DOCUMENT, headers=headers)

    async def _write(self, request: Request, token: str, limit: int, user: User) -> Stored:
        target = self.store.write(token)
        try:
            upload = Upload(target, limit)
            await upload.take(request.headers.get("content-type", ""), request.stream())
        except TooLargeError as error:
            raise _too_large(user) from error
        except (MalformedError, ClientDisconnect) as error:
            raise _refused(
                HTTPStatus.BAD_REQUEST, "malformed", "This is no form with a file.", user
            ) from error
        finally:
            os.close(target)
        return await run_in_threadpool(self.store.keep, token, upload.name, upload.type, upload.size)

    def document(self, token: str, stored: Stored) -> str:
        """What the sender puts into a message (RCC.07 section 3.5.4.8.3.1)."""
        until = datetime.fromtimestamp(stored.until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<file xmlns="{NAMESPACE}"><file-info type="file">'
            f"<file-size>{stored.size}</file-size><file-name>{escape(stored.name)}</file-name>"
            f"<content-type>{escape(stored.type)}</content-type>"
            f"<data url={quoteattr(self.base + token)} until={quoteattr(until)}/></file-info></file>\n"
        )

    async def give(self, request: Request, correlation: str, party: str) -> Response:
        """One file to whoever has its address; each is noted.

        Raises:
            ProblemError: 404, there is none, or it has expired.
        """
        stored = await run_in_threadpool(self.store.find, request.path_params["token"])
        if stored is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-file")
        log.event("file-given", correlation=correlation, party=party, method=request.method, size=stored.size)
        shown = f"attachment; filename*=UTF-8''{quote(stored.name, safe='')}"
        return FileResponse(
            stored.path, media_type=stored.type, headers=PAGE_HEADERS | {"Content-Disposition": shown}
        )


def _length(request: Request) -> int | None:
    """Length of the body; None where it is not said before (chunked)."""
    said = request.headers.get("content-length", "")
    if said.isdigit():
        return int(said)
    return None if "transfer-encoding" in request.headers else 0


def _too_large(user: User) -> ProblemError:
    size = user.number("max_file_size_mb")
    text = f"Files may have {size} MB."
    return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "file-too-large", text, user)


def _refused(status: HTTPStatus, reason: str, text: str, user: User) -> ProblemError:
    return ProblemError(status, reason, shown=reason, detail=text, user=user.address)

"""The application of one site: external (through the reverse proxy) or internal. Two processes, one code."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from edgewright_web import autodiscover, log, page, xcap
from edgewright_web.digest import Digest, Nonces
from edgewright_web.files import MB, Files
from edgewright_web.problems import ProblemError
from edgewright_web.settings import Settings, Site
from edgewright_web.store import Store
from edgewright_web.tables import Tables, TablesError, User

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_INTERNAL_ONLY = ("/health",)
_REASONS = {
    HTTPStatus.NOT_FOUND: "web-path-unpublished",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
}

_NO_OUTSIDE_ACCESS = {
    "outside-users-off": "Access from outside is not available.",
    "outside-access-off": "You are not allowed to sign in from outside.",
}


class _CaseInsensitivePath:
    """Clients spell Autodiscover's path in several ways (Q10, Q13); the path as sent stays in `raw_path`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = scope["path"].lower()
        await self.app(scope, receive, send)


class Web:
    """The handlers of one site."""

    def __init__(self, settings: Settings, site: Site, documents: xcap.Documents | None = None) -> None:
        self.settings, self.site, self.documents = settings, site, documents
        self.party = "remote" if site == "external" else "internal"
        prefix = "lyncdiscover" if site == "external" else "lyncdiscoverinternal"
        self.discovery = {f"{prefix}.{domain}" for domain in settings.domains}
        self.tables = Tables(settings.tables)
        self.digest = Digest(settings.realm, settings.domains, Nonces(settings.nonce_secret, site))
        templates = Environment(
            loader=PackageLoader("edgewright_web"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self.template = templates.get_template("user.html")
        self.files: Files | None = None
        if settings.files is not None:
            kept = settings.files
            store = Store(kept.folder, kept.quota_mb * MB, kept.user_quota_mb * MB, kept.days * 86400)
            self.files = Files(store, kept.base)

    def application(self) -> ASGIApp:
        """The ASGI application."""
        base = autodiscover.PATH.lower()
        files = (
            []
            if self.files is None
            else [
                Route("/files", self.take_file, methods=["GET", "POST"]),
                Route("/files/{host}/{token}", self.give_file, methods=["GET"]),
            ]
        )
        routes = [
            Route("/", self.start),
            Route("/user", self.user_page),
            Route(base, self.root),
            Route(f"{base}/domain", self.domain),
            Route(f"{base}/user", self.user),
            Route(f"{base}/oauth/user", self.user),
            *files,
        ]
        if self.documents is not None:
            methods = ["GET", "PUT", "DELETE"]
            routes += [
                Route(f"{xcap.ROOT}/xcap-caps/global/index", self.xcap_capabilities),
                Route(xcap.ROOT, self.xcap_document, methods=methods),
                Route(f"{xcap.ROOT}/{{path:path}}", self.xcap_document, methods=methods),
            ]
        if self.site == "internal":
            routes += [Route(path, self.health) for path in _INTERNAL_ONLY]
        app = Starlette(
            routes=routes,
            exception_handlers={
                ProblemError: self._problem,
                HTTPException: self._http_exception,
                TablesError: self._unavailable,
                xcap.UnavailableError: self._unavailable,
                Exception: self._crash,
            },
        )
        app.router.redirect_slashes = False
        return _CaseInsensitivePath(app)

    # -- who asks ------------------------------------------------------------------------

    def _signed_in(self, request: Request) -> User:
        """The user whose password this request proves and who may come in through this site.

        Raises:
            ProblemError: 401 alike for an unknown user, a disabled account and a wrong password; 403 with the
                reason, once the password is proven, for who may not come from outside (our choice for C18).
        """
        header = request.headers.get("authorization")
        if header is None:
            raise self._challenge()
        outcome = self.digest.check(header, request.method, _target(request), self.tables.user)
        user = outcome.user
        if user is None:
            raise self._challenge(outcome.failure, stale=outcome.stale, user=outcome.claimed)
        if self.site == "external":
            if not self.tables.outside_users():
                raise self._no_outside_access("outside-users-off", user)
            if not user.allows("enable_outside_access"):
                raise self._no_outside_access("outside-access-off", user)
        return user

    def _challenge(
        self, reason: str | None = None, *, stale: bool = False, user: str | None = None
    ) -> ProblemError:
        headers = [("WWW-Authenticate", value) for value in self.digest.challenges(stale=stale)]
        return ProblemError(HTTPStatus.UNAUTHORIZED, reason, headers=headers, user=user)

    @staticmethod
    def _no_outside_access(reason: str, user: User) -> ProblemError:
        """Outward Lync shows 4003 for the user policy, and nothing for the organisation's switch."""
        text = _NO_OUTSIDE_ACCESS[reason]
        headers = (
            [("ms-diagnostics-public", f'4003;reason="{text}"')] if reason == "outside-access-off" else []
        )
        return ProblemError(
            HTTPStatus.FORBIDDEN, reason, shown=reason, detail=text, headers=headers, user=user.address
        )

    # -- what is asked -------------------------------------------------------------------

    def _document(self, request: Request, document: autodiscover.Document) -> Response:
        xml = autodiscover.wants_xml(request.headers.get("accept", ""))
        headers = {"Cache-Control": "no-store", "Vary": "Accept"}
        if xml:
            return Response(document.as_xml(), media_type=autodiscover.XML, headers=headers)
        return JSONResponse(document.as_json(), media_type=autodiscover.JSON, headers=headers)

    async def start(self, request: Request) -> Response:
        """`/`: clients ask Autodiscover's own names for it; people want their page."""
        if request.url.hostname in self.discovery:
            return await self.root(request)
        return RedirectResponse("/user", headers={"Cache-Control": "no-store"})

    async def root(self, request: Request) -> Response:
        """Autodiscover's start, for anybody."""
        return self._document(request, autodiscover.root(self.settings, self.site))

    async def domain(self, request: Request) -> Response:
        """The organisation's Autodiscover address, for anybody."""
        return self._document(request, autodiscover.domain(self.settings, self.site))

    async def user(self, request: Request) -> Response:
        """The signed-in user's home pool."""
        user = await run_in_threadpool(self._signed_in, request)
        home = self.settings.homes[user.home]
        sip_domain = user.address.partition("@")[2]
        return self._document(request, autodiscover.user(self.settings, self.site, home, sip_domain))

    async def user_page(self, request: Request) -> Response:
        """The signed-in user's page."""
        user = await run_in_threadpool(self._signed_in, request)
        outside = await run_in_threadpool(self.tables.outside_users)
        html = self.template.render(page.content(self.settings, self.site, user, outside))
        return HTMLResponse(html, headers={"Cache-Control": "no-store", **page.HEADERS})

    async def xcap_capabilities(self, request: Request) -> Response:
        """What of XCAP is served."""
        await run_in_threadpool(self._signed_in, request)
        return Response(xcap.capabilities(), media_type=xcap.CAPABILITIES_TYPE)

    async def xcap_document(self, request: Request) -> Response:
        """A document of the signed-in user; who is homed elsewhere is told where."""
        user = await run_in_threadpool(self._signed_in, request)
        if user.home != self.settings.pool:
            return self._at_home(request, user)
        document = xcap.named(request.path_params.get("path", ""), user.address)
        body = await _body(request, xcap.LIMIT + 1) if request.method == "PUT" else b""
        return await run_in_threadpool(self._xcap, request, document, body)

    def _at_home(self, request: Request, user: User) -> Response:
        home = self.settings.homes[user.home]
        web = home.web_external if self.site == "external" else home.web_internal
        if web is None:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "web-not-published", user=user.address)
        return RedirectResponse(f"https://{web}{_target(request)}", HTTPStatus.PERMANENT_REDIRECT)

    def _xcap(self, request: Request, document: xcap.Document, body: bytes) -> Response:
        assert self.documents is not None  # its routes are there only then
        if_match = xcap.tags(request.headers.get("if-match"))
        if_none_match = xcap.tags(request.headers.get("if-none-match"))
        headers = {"Cache-Control": "no-store"}
        if request.method == "PUT":
            xcap.check(document, request.headers.get("content-type", ""), body)
            tag = xcap.new_tag()
            status = self.documents.put(document, body, tag, if_match, if_none_match)
            if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise xcap.too_many(document.address)
            if status != HTTPStatus.PRECONDITION_FAILED:
                headers["ETag"] = f'"{tag}"'
            return Response(status_code=status, headers=headers)
        if request.method == "DELETE":
            return Response(
                status_code=self.documents.delete(document, if_match, if_none_match), headers=headers
            )
        found = self.documents.get(document)
        if found is None:
            return Response(status_code=HTTPStatus.NOT_FOUND, headers=headers)
        content, tag = found
        headers["ETag"] = f'"{tag}"'
        if if_match and not {"*", tag} & set(if_match):
            return Response(status_code=HTTPStatus.PRECONDITION_FAILED, headers=headers)
        if {"*", tag} & set(if_none_match):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, media_type=document.application.media_type, headers=headers)

    async def take_file(self, request: Request) -> Response:
        """A file of the signed-in user; without one, whether he may send any."""
        assert self.files is not None  # else there is no such route
        user = await run_in_threadpool(self._signed_in, request)
        return await self.files.take(request, user)

    async def give_file(self, request: Request) -> Response:
        """A file, for whoever has its address."""
        assert self.files is not None  # else there is no such route
        return await self.files.give(request, _correlation(request), self.party)

    async def health(self, _: Request) -> Response:
        """Whether this host can serve users; inside only."""
        await run_in_threadpool(self.tables.check)
        return JSONResponse({"status": "ok", "site": self.site}, headers={"Cache-Control": "no-store"})

    # -- what went wrong -----------------------------------------------------------------

    async def _problem(self, request: Request, problem: Exception) -> Response:
        if not isinstance(problem, ProblemError):  # Starlette's signature of handlers knows only Exception
            raise problem
        correlation = _correlation(request)
        if problem.reason:
            log.refused(
                problem.reason,
                correlation=correlation,
                party=self.party,
                method=request.method,
                status=problem.status.value,
                user=problem.user,
            )
        return problem.response(correlation)

    async def _http_exception(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code)
        internal_only = self.site == "external" and request.scope["path"] in _INTERNAL_ONLY
        problem = ProblemError(
            status,
            "web-internal-only" if internal_only else _REASONS.get(status, "malformed"),
            headers=list((error.headers or {}).items()),
        )
        return await self._problem(request, problem)

    async def _unavailable(self, request: Request, _: Exception) -> Response:
        problem = ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, headers=[("Retry-After", "5")])
        return await self._problem(request, problem)

    async def _crash(self, request: Request, _: Exception) -> Response:
        return await self._problem(request, ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR))


async def _body(request: Request, most: int) -> bytes:
    """The body, or so much of it that it is too long."""
    read = b""
    async for piece in request.stream():
        read += piece
        if len(read) >= most:
            break
    return read[:most]


def _target(request: Request) -> str:
    """The request target as it was sent, which the digest covers."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _correlation(request: Request) -> str:
    """X-Request-Id as our own nginx set it; made up only where nothing stands in front."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def create(
    settings: Settings, site: Site, documents: xcap.Documents | None = None
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application of `site`; `documents` where the pool homes users."""
    return Web(settings, site, documents).application()

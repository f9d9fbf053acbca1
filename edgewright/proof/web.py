"""Cells of the web: published paths, everything that is not published, and Autodiscover per account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgewright.access.request import Request
from edgewright.model.topology import DirectorPool, FrontEndPool
from edgewright.plan.types import Flow, Publication
from edgewright.proof import expect, messages, sign_in
from edgewright.proof.case import RIGHT, WRONG, Case, Maker, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected

AREA = "web"
ROOT = "/Autodiscover/AutodiscoverService.svc/root"
NOWHERE = "/no-such-path-is-published"
FOUND = (200, 204)
MOVED = (301, 302, 307, 308)
ANSWERED = [*FOUND, *MOVED, 401]
"""What a backend answers to somebody who has not signed in; nothing of it comes from the proxy."""


def make(scope: Scope) -> Iterator[Case]:
    """Web cells of every seat that can reach a web listener."""
    for seat in scope.seats:
        if seat.side == "outside" and _flow(scope, seat, "web_proxy"):
            yield from _published(scope, seat)
            yield from _refused(scope, seat)
            yield from _redirects(scope, seat)
            yield from _autodiscover(scope, seat)
        if seat.side == "inside" and _flow(scope, seat, "web_internal"):
            yield from _internal(scope, seat)


def _flow(scope: Scope, seat: Seat, service: str) -> Flow | None:
    """The active flow by which a seat reaches a web service in its family."""
    for flow in scope.plan.flows:
        reaches = seat.vantage in flow.source.hosts or (flow.source.label == "any" and seat.side == "outside")
        mine = any(f"ipv{a.version}" == seat.family for a in flow.target.addresses)
        if flow.service == service and flow.active and reaches and mine:
            return flow
    return None


def _arguments(scope: Scope, seat: Seat, url: str, **more: Any) -> dict[str, Any]:
    host, secure = url.split("/")[2], url.startswith("https:")
    where = scope.name(seat, host, 443 if secure else 80)
    return where | {"url": url} | more


def home(scope: Scope, account: str) -> str | None:
    """The home pool's external web name."""
    home = scope.deployment.home(account)
    pool = scope.plan.pools[home].pool if home else None
    return pool.external_web if isinstance(pool, FrontEndPool | DirectorPool) else None


def _by_row(scope: Scope, row: str) -> list[Publication]:
    return [p for p in scope.plan.publications if p.row == row]


def _label(publication: Publication, path: str) -> str:
    return f"{publication.host}{path}"


def _published(scope: Scope, seat: Seat) -> Iterator[Case]:
    maker = Maker(AREA, "anonymous", "publication")
    for publication in scope.plan.publications:
        for path in _paths(publication):
            if publication.row == "W5" and path == ROOT:
                continue
            # Only with the Host header kept does the backend see an Autodiscover name and answer it.
            shown = {"status": 200} if publication.row == "W5" else None
            yield Case(
                maker.at(
                    seat,
                    _label(publication, path),
                    f"published ({publication.row}), Host header kept",
                    Expected(True, shown=shown),
                    "http.request",
                    _arguments(scope, seat, f"https://{publication.host}{path}", accept=ANSWERED),
                )
            )


def _paths(publication: Publication) -> tuple[str, ...]:
    """The published paths; the root where everything below the host is."""
    return tuple(dict.fromkeys("/" if path == "/*" else path for path in publication.paths))


def _refused(scope: Scope, seat: Seat) -> Iterator[Case]:
    maker = Maker(AREA, "anonymous", "publication")
    some = scope.plan.publications[0]
    for publication in scope.plan.publications:
        if "/*" in publication.paths:
            continue
        path = _paths(publication)[0]
        yield Case(
            maker.at(
                seat,
                _label(publication, NOWHERE),
                "a path that is not published",
                expect.refused("web-path-unpublished", sip=False),
                "http.request",
                _arguments(scope, seat, f"https://{publication.host}{NOWHERE}"),
                control=identifier(AREA, seat.vantage, seat.family, _label(publication, path)),
            )
        )
    path = _paths(some)[0]
    control = identifier(AREA, seat.vantage, seat.family, _label(some, path))
    unknown = f"unpublished.{scope.domain}"
    address = scope.addresses("outside", some.host, seat.family)[0]
    base = {"family": seat.family, "trust": scope.trust(seat), "address": address, "port": 443}
    yield Case(
        maker.at(
            seat,
            f"unpublished-host:{unknown}",
            "TLS for a host that is not published",
            Expected(False),
            "tls.handshake",
            base | {"name": unknown},
            control=control,
        )
    )
    yield Case(
        maker.at(
            seat,
            f"other-host-header:{unknown}",
            "a published name in TLS, another one as Host",
            expect.refused("web-host-unpublished", sip=False),
            "http.request",
            _arguments(scope, seat, f"https://{some.host}/", host=unknown),
            control=control,
        )
    )
    yield Case(
        maker.at(
            seat,
            "forged-inside-header",
            f"carries {messages.INSIDE_HEADER}",
            expect.refused("forged-inside-header", sip=False),
            "http.request",
            _arguments(
                scope,
                seat,
                f"https://{some.host}{path}",
                headers=[[messages.INSIDE_HEADER, messages.FORGED_ORIGIN]],
            ),
            control=control,
        )
    )
    for name in _internal_names(scope):
        yield Case(
            maker.at(
                seat,
                f"internal-site:{name}",
                "the internal web site's name at the proxy",
                Expected(False),
                "tls.handshake",
                base | {"name": name},
                control=control,
            )
        )
    everything = next((p for p in scope.plan.publications if "/*" in p.paths), None)
    if everything:
        yield Case(
            maker.at(
                seat,
                _label(everything, "/health"),
                "a page of the internal web site",
                expect.refused("web-internal-only", sip=False),
                "http.request",
                _arguments(scope, seat, f"https://{everything.host}/health"),
                control=identifier(AREA, seat.vantage, seat.family, _label(everything, "/")),
            )
        )


def _internal_names(scope: Scope) -> list[str]:
    """Names that only the internal web sites have."""
    public = {p.host for p in scope.plan.publications}
    found: dict[str, None] = {}
    for certificate in scope.plan.certificates:
        if certificate.slot == "web_internal":
            found |= dict.fromkeys(name for name in certificate.sans if name not in public)
    pools = set(scope.plan.pools)
    return sorted(name for name in found if name in pools or name.startswith("lyncdiscoverinternal."))


def _redirects(scope: Scope, seat: Seat) -> Iterator[Case]:
    if not _flow(scope, seat, "web_proxy_http"):
        return
    maker = Maker(AREA, "anonymous", "redirect")
    for publication in scope.plan.publications:
        url = f"http://{publication.host}/"
        yield Case(
            maker.at(
                seat,
                f"http:{publication.host}",
                "plain HTTP is sent to HTTPS",
                Expected(True, shown={"status": 301, "location": f"https://{publication.host}/"}),
                "http.request",
                _arguments(scope, seat, url, accept=[301]),
            )
        )


def _access(scope: Scope, account: str) -> dict[str, Any]:
    """Where Autodiscover sends the account's client from outside: the Access Edge (section 9a)."""
    found = scope.service("outside", f"_sip._tls.{account.partition('@')[2]}")
    return {"sip_external": f"{found[0]}:{found[1]}"} if found else {}


def _autodiscover(scope: Scope, seat: Seat) -> Iterator[Case]:
    anonymous = Maker(AREA, "anonymous", "autodiscover")
    for publication in _by_row(scope, "W5"):
        yield Case(
            anonymous.at(
                seat,
                _label(publication, ROOT),
                "Autodiscover's root, not signed in",
                Expected(True, shown={"status": 200, "access_location": "External"}),
                "http.request",
                _arguments(scope, seat, f"https://{publication.host}{ROOT}"),
            )
        )
    yield from _accounts(scope, seat, "External")


def _accounts(scope: Scope, seat: Seat, location: str) -> Iterator[Case]:
    """Autodiscover's user document for every account, right and wrong password."""
    maker = Maker(AREA, expect.party(seat), "autodiscover")
    reference = next((a for a in scope.accounts if sign_in.request(scope, seat, a).allowed), None)
    if reference is None or _url(scope, seat, reference) is None:
        return

    def label(account: str, wrong: bool) -> str:
        return f"autodiscover-{sign_in.name(account)}" + ("-wrong-password" if wrong else "")

    def cell(account: str, expected: Expected, *, wrong: bool, url: str) -> Cell:
        control = (
            None if expected.allowed else identifier(AREA, seat.vantage, seat.family, label(reference, False))
        )
        return maker.at(
            seat,
            label(account, wrong),
            f"Autodiscover, {'wrong' if wrong else 'right'} password",
            expected,
            "http.request",
            _arguments(scope, seat, url, user=account, password=WRONG if wrong else RIGHT),
            control=control,
        )

    alike = identifier(AREA, seat.vantage, seat.family, label(reference, True))
    url = _url(scope, seat, reference) or ""
    unknown = f"{sign_in.UNKNOWN}@{scope.domain}"
    for account, wrong in [(a, False) for a in scope.accounts] + [(reference, True), (unknown, True)]:
        expected = _decided(scope, seat, account, proven=not wrong)
        if expected.allowed:
            shown = {"status": 200, "access_location": location} | _access(scope, account)
            expected = Expected(True, shown=shown)
        silent = expected.reason in sign_in.SILENT and (account, wrong) != (reference, True)
        if silent:
            expected = Expected(False, expected.reason)
        found = cell(account, expected, wrong=wrong, url=(_url(scope, seat, account) or url))
        yield Case(found, same_as=alike if silent else None)
    if seat.side == "outside" and home(scope, reference):
        yield Case(
            maker.at(
                seat,
                "user-page",
                "the signed-in user's page",
                Expected(True, shown={"status": 200, "content_type": "text/html"}),
                "http.request",
                _arguments(
                    scope, seat, f"https://{home(scope, reference)}/user", user=reference, password=RIGHT
                ),
            )
        )


def _url(scope: Scope, seat: Seat, account: str) -> str | None:
    """Autodiscover's user document: at the home pool's web name, or inside at Autodiscover's own."""
    if seat.side == "inside":
        return f"https://lyncdiscoverinternal.{account.partition('@')[2]}{ROOT}/user"
    host = home(scope, account) if account in scope.deployment.directory.users else None
    return f"https://{host}{ROOT}/user" if host else None


def user_document(scope: Scope, seat: Seat, account: str) -> dict[str, Any] | None:
    """How a seat asks for an account's Autodiscover document; None where it reaches no web service."""
    service = "web_proxy" if seat.side == "outside" else "web_internal"
    url = _url(scope, seat, account)
    return None if url is None or _flow(scope, seat, service) is None else _arguments(scope, seat, url)


def _decided(scope: Scope, seat: Seat, account: str, *, proven: bool) -> Expected:
    return expect.web(
        scope.deployment,
        Request(expect.party(seat), "sign-in", who=account, password_proven=proven),
    )


def _internal(scope: Scope, seat: Seat) -> Iterator[Case]:
    name = f"lyncdiscoverinternal.{scope.domain}"
    if not scope.addresses("inside", name, seat.family):
        return
    yield Case(
        Maker(AREA, "internal", "autodiscover").at(
            seat,
            f"{name}{ROOT}",
            "Autodiscover's root inside",
            Expected(True, shown={"status": 200, "access_location": "Internal"}),
            "http.request",
            _arguments(scope, seat, f"https://{name}{ROOT}"),
        )
    )
    yield from _accounts(scope, seat, "Internal")

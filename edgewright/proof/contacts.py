"""Cells of contact lists on the server (M32): every user's own, by XCAP, from every seat.

They put a list of a test account in the place of what was there, and take it away at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgewright.access.request import Request
from edgewright.proof import expect, presence, sign_in, web
from edgewright.proof.case import RIGHT, Case, Maker, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected

AREA = "contacts"
FEATURE = "M32"
WAVE = "contacts"
LISTS = "application/resource-lists+xml"
RULES = "application/auth-policy+xml"
CONTACTS = 1000
"""What a list may have (10.2)."""
LIMIT = 262144
"""Bytes of a document that are taken."""
STORED = [200, 201]

_NS = "urn:ietf:params:xml:ns:resource-lists"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def contact_list(*addresses: str, more: str = "") -> str:
    """A resource list (RFC 4826) of these addresses."""
    entries = "".join(f'<entry uri="sip:{address}"/>' for address in addresses)
    return (
        f'{_HEAD}<resource-lists xmlns="{_NS}"><list name="friends">{more}{entries}</list></resource-lists>'
    )


def describe(body: str) -> dict[str, Any]:
    """`contacts` of a resource list; empty for anything else."""
    if _NS not in body or "<resource-lists" not in body:
        return {}
    return {"contacts": sorted(re.findall(r'<entry uri="sip:([^"]*)"', body))}


def place(scope: Scope, seat: Seat, account: str, path: str) -> dict[str, Any] | None:
    """How a seat reaches a document below the XCAP root of an account's home; None where it cannot."""
    document = web.user_document(scope, seat, account)
    home = scope.deployment.home(account)
    if document is None or home is None:
        return None
    host = web.home(scope, account) if seat.side == "outside" else home
    if host is None or (seat.side == "inside" and not scope.addresses("inside", host, seat.family)):
        return None
    return scope.name(seat, host, 443) | {"url": f"https://{host}/xcap-root/{path}"}


def path_of(account: str, application: str = "resource-lists") -> str:
    """The path of an account's document."""
    return f"{application}/users/sip:{account}/index"


def make(scope: Scope) -> Iterator[Case]:
    """Cells of every seat, one seat after the other."""
    pair = sign_in.talkers(scope)
    if len(pair) < 2:
        return
    before: tuple[str, ...] = ()
    for seat in scope.seats:
        if place(scope, seat, pair[0], "") is not None:
            cells = _Cells(scope, seat, pair[0], pair[1])
            for case in cells.all_of(before):
                yield case
                before = (case.cell.id,)


@dataclass(frozen=True)
class _Cells:
    scope: Scope
    seat: Seat
    owner: str
    other: str

    def all_of(self, before: tuple[str, ...]) -> Iterator[Case]:
        """Put, get, what is refused, delete: in this order."""
        listed = contact_list(self.other, f"somebody@{AREA}.example")
        shown = {"status": 200, "content_type": LISTS, "contacts": [self.other, f"somebody@{AREA}.example"]}
        control = identifier(AREA, self.seat.vantage, self.seat.family, "put")
        steps = [
            self.cell("put", "a list of two", self.allowed(status=STORED), body=listed),
            self.cell("get", "the same list", self.allowed(**shown), method="GET"),
        ]
        # The whole list in one subscription (RFC 4662): each contact with his state, if it is known.
        told = {self.other: "open", f"somebody@{AREA}.example": ""}
        subscribed = self.subscription("one subscription to the list", told)
        for name, (situation, reason, more) in self.bad().items():
            expected = expect.refused(reason, sip=False)
            steps.append(self.cell(name, situation, expected, control=control, **more))
        for method in ("GET", "PUT", "DELETE"):
            steps.append(
                self.cell(
                    f"another-tree-{method.lower()}",
                    f"{method} in {sign_in.name(self.other)}'s tree",
                    expect.refused("not-own-document", sip=False),
                    control=control,
                    method=method,
                    path=path_of(self.other),
                    body=listed if method == "PUT" else "",
                )
            )
            steps.append(
                self.cell(
                    f"anonymous-{method.lower()}",
                    f"{method} without a password",
                    Expected(False, shown={"status": 401}),
                    control=control,
                    method=method,
                    password=None,
                    body=listed if method == "PUT" else "",
                )
            )
        # What was refused has changed nothing.
        steps.append(self.cell("get-again", "still the same list", self.allowed(**shown), method="GET"))
        steps.append(self.cell("delete", "take it away", self.allowed(status=200), method="DELETE"))
        steps.insert(2, subscribed)
        needs = (control, *self.seen())
        for cell in steps:
            yield Case(cell, WAVE, () if cell.id == control else needs, after=before)
            before = (cell.id,)

    def seen(self) -> tuple[str, ...]:
        """What must have run for the other one to have a state."""
        last = [seat for seat in self.scope.seats if self.scope.sip(seat, self.scope.domain) is not None][-1]
        return (identifier(presence.AREA, last.vantage, last.family, "publish"),)

    def subscription(self, situation: str, told: dict[str, str]) -> Cell:
        """The owner asks once for his list."""
        where = self.scope.sip(self.seat, self.scope.domain) or {}
        session = sign_in.session(self.owner, self.seat)
        arguments = {"user": self.owner, "password": RIGHT, "session": session, "to": self.owner}
        return Maker(AREA, expect.party(self.seat), FEATURE).at(
            self.seat,
            "subscription",
            situation,
            self.allowed(status=200, resources=told),
            "sip.subscribe",
            where | arguments | {"list": True, "expires": 0},
            impact="changes",
        )

    def allowed(self, **shown: Any) -> Expected:
        """What `access` says."""
        request = Request(expect.party(self.seat), FEATURE, who=self.owner)
        found = expect.web(self.scope.deployment, request)
        return Expected(True, shown=shown) if found.allowed else found

    def cell(
        self,
        name: str,
        situation: str,
        expected: Expected,
        *,
        method: str = "PUT",
        path: str = "",
        kind: str = LISTS,
        control: str | None = None,
        **more: Any,
    ) -> Cell:
        """One request to the own list, unless `path` says otherwise."""
        where = place(self.scope, self.seat, self.owner, path or path_of(self.owner)) or {}
        arguments = where | {"method": method, "user": self.owner, "password": RIGHT}
        if method == "PUT":
            arguments["headers"] = [["Content-Type", kind]]
        maker = Maker(AREA, expect.party(self.seat), FEATURE)
        return maker.at(
            self.seat,
            name,
            situation,
            expected,
            "http.request",
            arguments | more,
            control=control,
            impact="changes",
        )

    def bad(self) -> dict[str, tuple[str, str, dict[str, Any]]]:
        """Documents that must be refused: name -> (in words, reason, what is put)."""
        right = contact_list(self.other)
        many = contact_list(*(f"user{number}@{AREA}.example" for number in range(CONTACTS + 1)))
        large = contact_list(self.other, more=f"<!--{'x' * LIMIT}-->")
        levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
        bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]>'
        bombed = right.replace(_HEAD, _HEAD + bomb).replace(
            "<entry", "<display-name>&e9;</display-name><entry"
        )
        return {
            "bomb": ("entities that grow without end", "document-invalid", {"body": bombed}),
            "not-xml": ("no XML", "document-invalid", {"body": right[:-5]}),
            "hidden": ("in UTF-16", "document-invalid", {"body": right, "encoding": "utf-16"}),
            "other-document": ("privacy rules as a list", "document-invalid", {"body": "<ruleset/>"}),
            "wrong-type": ("another content type", "document-type", {"body": right, "kind": "text/xml"}),
            "too-many": ("1,001 contacts", "too-many-contacts", {"body": many}),
            "too-large": ("more than may be", "document-too-large", {"body": large}),
        }

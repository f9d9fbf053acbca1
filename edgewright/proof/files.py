"""Cells of files between two people (M17): sent and fetched across the sides, and what must be refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgewright.access.request import Request
from edgewright.model import resolve
from edgewright.model.topology import FrontEndPool
from edgewright.plan.files import PATH as FILES
from edgewright.plan.tables import FILE_TYPE
from edgewright.proof import expect, sign_in
from edgewright.proof.case import RIGHT, Case, Maker, Receiver, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Cell, Expected

AREA = "file"
FEATURE = "M17"
BYTES = 100_000
MB = 1024 * 1024


def make(scope: Scope) -> Iterator[Case]:
    """From every seat that reaches the sender's web services: to somebody there and on the other side."""
    pair = sign_in.talkers(scope)
    if len(pair) < 2:
        return
    seats = [seat for seat in scope.seats if scope.sip(seat, scope.domain) and scope.has_names(seat.side)]
    for seat in seats:
        url = upload_url(scope, seat, pair[0])
        if url is not None:
            yield from _Seat(scope, seat, pair[0], pair[1], url).all(seats)


def upload_url(scope: Scope, seat: Seat, account: str) -> str | None:
    """Where an account's files are taken: published outside, at the home pool's own name inside."""
    home = scope.deployment.home(account)
    pool = scope.plan.pools[home].pool if home else None
    if not isinstance(pool, FrontEndPool) or pool.platform != "linux":
        return None
    if seat.side == "outside":
        published = {p.host for p in scope.plan.publications if FILES in p.paths}
        host = pool.external_web if pool.external_web in published else None
    else:
        host = pool.internal_web or pool.pool
    if host is None or not scope.addresses(seat.side, host, seat.family):
        return None
    return f"https://{host}{FILES}"


def asking(scope: Scope, seat: Seat, account: str) -> dict[str, Any] | None:
    """How an account asks at a seat whether files are taken; None where it cannot."""
    url = upload_url(scope, seat, account) if scope.has_names(seat.side) else None
    if url is None:
        return None
    return _web(scope, seat) | {"url": url, "user": account, "password": RIGHT, "method": "POST"}


def _web(scope: Scope, seat: Seat) -> dict[str, Any]:
    """How a seat makes requests; names are looked up there."""
    return {"family": seat.family, "trust": scope.trust(seat)}


@dataclass(frozen=True, slots=True)
class _Seat:
    scope: Scope
    seat: Seat
    alice: str
    bob: str
    url: str

    def all(self, seats: list[Seat]) -> Iterator[Case]:
        """Every cell at this seat."""
        across = [s for s in seats if s.side != self.seat.side and s.family == self.seat.family]
        there = [self.seat, *across[:1]]
        for other in there:
            yield self.sent(other)
        yield Case(self.asks("may-send", self.alice, "asks whether files are taken", Expected(True)))
        yield Case(
            self.asks(
                "too-large",
                self.alice,
                "a file larger than the policy allows",
                expect.refused("file-too-large", sip=False),
                form={"name": "a", "size": 0, "seed": "", "says": (self.limit(self.alice) + 1) * MB},
                control=self.identity("may-send"),
            )
        )
        yield Case(
            self.asks(
                "unknown",
                self.alice,
                "a file that is not there",
                expect.refused("unknown-file", sip=False),
                url=f"{self.url}/{self.front_end()}/{'0' * 64}",
                control=self.identity(f"sent@{self.seat.vantage}-{self.seat.family}"),
            )
        )
        yield from self.forbidden()

    def sent(self, there: Seat) -> Case:
        """Alice sends Bob a file, who fetches it where he sits."""
        expected = self.decided(self.alice, self.bob)
        if expected.allowed:
            shown = {"status": 200, "from": self.alice, "content_type": FILE_TYPE, "fetched": True}
            expected = Expected(True, shown=shown)
        cell = self.maker.at(
            self.seat,
            f"sent@{there.vantage}-{there.family}",
            f"a file of {BYTES} bytes to {sign_in.name(self.bob)} at {there}",
            expected,
            "file.send",
            self.sip(
                self.alice, to=self.bob, bytes=BYTES, upload=self.web(self.url), fetch=_web(self.scope, there)
            ),
            control=None if expected.allowed else sign_in.sign_in_id(self.seat, self.alice),
        )
        needs = (sign_in.sign_in_id(self.seat, self.alice), sign_in.sign_in_id(there, self.bob))
        return Case(cell, needs=needs, receiver=Receiver(there.vantage, sign_in.session(self.bob, there)))

    def forbidden(self) -> Iterator[Case]:
        """Somebody whose policy has no files: may not store any, nor be sent one."""
        control = f"sent@{self.seat.vantage}-{self.seat.family}"
        for account in sign_in.admitted(self.scope, self.seat):
            refused = self.decided(account, self.alice)
            if account in (self.alice, self.bob) or refused.allowed:
                continue
            said = expect.web(self.scope.deployment, self.request(account, self.alice))
            name = sign_in.name(account)
            yield Case(
                self.asks(
                    f"{name}-may-not-send", account, f"{name} asks", said, control=self.identity("may-send")
                )
            )
            cell = self.maker.at(
                self.seat,
                f"to-{name}",
                f"a file's address to {name}",
                self.decided(self.alice, account),
                "sip.message",
                self.sip(self.alice, to=account, content_type=FILE_TYPE),
                control=self.identity(control),
            )
            yield Case(cell, needs=(sign_in.sign_in_id(self.seat, self.alice),))
            return

    def asks(
        self,
        label: str,
        who: str,
        situation: str,
        expected: Expected,
        *,
        url: str | None = None,
        form: dict[str, Any] | None = None,
        control: str | None = None,
    ) -> Cell:
        """One HTTP request of somebody with his password."""
        more = {"form": form} if form else {}
        method = {"method": "POST"} if url is None else {}
        arguments = self.web(url or self.url) | {"user": who, "password": RIGHT} | method | more
        return self.maker.at(
            self.seat, label, situation, expected, "http.request", arguments, control=control
        )

    @property
    def maker(self) -> Maker:
        """Cells at this seat."""
        return Maker(AREA, expect.party(self.seat), FEATURE)

    def request(self, who: str, to: str) -> Request:
        """The question whether `who` may send `to` files."""
        return Request(expect.party(self.seat), FEATURE, who=who, to=to)

    def decided(self, who: str, to: str) -> Expected:
        """What access says of it."""
        return expect.of(self.scope.deployment, self.request(who, to))

    def limit(self, account: str) -> int:
        """MB that a file of this account may have."""
        return int(resolve.effective(self.scope.deployment, "conferencing", account)[0].max_file_size_mb)

    def front_end(self) -> str:
        """A host that keeps files."""
        return self.scope.plan.pools[self.scope.deployment.home(self.alice) or ""].hosts[0]

    def web(self, url: str) -> dict[str, Any]:
        """A request from this seat."""
        return _web(self.scope, self.seat) | {"url": url}

    def sip(self, user: str, **more: Any) -> dict[str, Any]:
        """A request in a session that stays."""
        where = self.scope.sip(self.seat, user.partition("@")[2]) or {}
        held = {"session": sign_in.session(user, self.seat)}
        return where | {"user": user, "password": RIGHT} | held | more

    def identity(self, label: str) -> str:
        """Id of a cell at this seat."""
        return identifier(AREA, self.seat.vantage, self.seat.family, label)

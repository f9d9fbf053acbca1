"""Cells of signing in: who gets in from where, and that outsiders cannot tell one refusal from another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from edgewright.access.request import Request
from edgewright.proof import expect
from edgewright.proof.case import RIGHT, WRONG, Case, Maker, identifier
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Expected

AREA = "sign-in"
UNKNOWN = "nobody-has-this-name"
SILENT = ("unknown-user", "wrong-password", "account-disabled")
"""Reasons about a user that must not be told apart before the password is proven (J03)."""


def session(account: str, seat: Seat) -> str:
    """Name of the held registration of an account at a seat."""
    return f"{account} {seat}"


def name(account: str) -> str:
    """The part of an address that ids use."""
    return account.partition("@")[0]


def sign_in_id(seat: Seat, account: str) -> str:
    """Id of the cell in which an account signs in with the right password."""
    return identifier(AREA, seat.vantage, seat.family, name(account))


def request(scope: Scope, seat: Seat, account: str, *, proven: bool = True) -> Expected:
    """What must happen when `account` signs in at `seat`."""
    return expect.of(
        scope.deployment,
        Request(expect.party(seat), "sign-in", who=account, password_proven=proven),
    )


def admitted(scope: Scope, seat: Seat) -> tuple[str, ...]:
    """The accounts that may sign in at a seat."""
    return tuple(a for a in scope.accounts if request(scope, seat, a).allowed)


def talkers(scope: Scope) -> tuple[str, ...]:
    """The two accounts (or fewer) that sign in everywhere, stay, and talk to each other."""
    everywhere = [a for a in scope.accounts if all(request(scope, seat, a).allowed for seat in scope.seats)]
    return tuple(everywhere[:2])


def make(scope: Scope) -> Iterator[Case]:
    """Sign-in cells of every seat."""
    for seat in scope.seats:
        yield from _seat(scope, seat)


def _seat(scope: Scope, seat: Seat) -> Iterator[Case]:
    maker = Maker(AREA, expect.party(seat), "sign-in")
    allowed = admitted(scope, seat)
    if not allowed or scope.sip(seat, scope.domain) is None:
        return
    stay, reference = talkers(scope), allowed[0]
    positive = sign_in_id(seat, reference)
    alike = identifier(AREA, seat.vantage, seat.family, f"{name(reference)}-wrong-password")

    def arguments(account: str, password: str, **more: Any) -> dict[str, Any]:
        where = scope.sip(seat, account.partition("@")[2]) or {}
        return where | {"user": account, "password": password} | more

    for account in scope.accounts:
        expected = request(scope, seat, account)
        if expected.allowed:
            expected = replace(expected, shown={"status": 200, "algorithm": "SHA-256"})
        held = {"session": session(account, seat)} if account in stay else {}
        cell = maker.at(
            seat,
            name(account),
            "right password",
            expected,
            "sip.register",
            arguments(account, RIGHT, **held),
            control=None if expected.allowed else positive,
        )
        same = alike if expected.reason in SILENT else None
        yield (
            Case(_silent(cell), "sign-in", (positive,) if same else (), same)
            if same
            else Case(cell, "sign-in")
        )

    wrong = [reference]
    wrong += [a for a in scope.accounts if a not in allowed and seat.side == "outside"]
    wrong += [f"{UNKNOWN}@{scope.domain}"]
    for account in wrong:
        # Whoever it is: nothing is known of an asker whose password is not proven.
        expected = request(scope, seat, account, proven=False)
        first = account == reference
        cell = maker.at(
            seat,
            f"{name(account)}-wrong-password",
            "wrong password",
            expected,
            "sip.register",
            arguments(account, WRONG),
            control=positive,
        )
        yield Case(cell if first else _silent(cell), "sign-in", same_as=None if first else alike)
    for host, where in _entrances(scope, seat):
        # Names spread clients over the Edges of a pool; each of them must let people in.
        yield Case(
            maker.at(
                seat,
                f"{name(reference)}-through-{host}",
                f"right password, through {host}",
                request(scope, seat, reference),
                "sip.register",
                where | {"user": reference, "password": RIGHT},
            ),
            "sign-in",
        )
    # Of the offered digests the probe takes the strongest; older clients know only MD5.
    old = [a for a in allowed if a not in stay][-1:] or [reference]
    yield Case(
        maker.at(
            seat,
            f"{name(old[0])}-md5",
            "right password, client without SHA-256",
            replace(request(scope, seat, old[0]), shown={"status": 200, "algorithm": "MD5"}),
            "sip.register",
            arguments(old[0], RIGHT, algorithm="MD5"),
        ),
        "before",
    )


def _silent(cell: Any) -> Any:
    """The cell with no expectation of its own about what is shown: that comes from the cell it must equal."""
    return replace(cell, expected=replace(cell.expected, shown=None))


def _entrances(scope: Scope, seat: Seat) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each Edge host's own address, where there are several: host and how to reach it."""
    edges = scope.plan.of_kind("edge")
    if seat.side == "inside" or len(edges) < 2:
        return
    for host in edges:
        access = host.service("access")
        for address in access.public if access else ():
            if access and f"ipv{address.version}" == seat.family:
                yield (
                    host.name,
                    {
                        "address": str(address),
                        "port": access.port,
                        "name": access.fqdn,
                        "family": seat.family,
                        "trust": scope.trust(seat),
                    },
                )

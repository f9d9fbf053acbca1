"""Cells of DNS: what is planned resolves from its side, and nothing more does from outside."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from edgewright.proof.case import Case, Maker, identifier
from edgewright.proof.scope import Scope, Seat, Side
from edgewright.proof.types import Expected

AREA = "name"
FEATURE = "name"
TYPES = ("A", "AAAA", "SRV", "CNAME", "TXT")


def make(scope: Scope) -> Iterator[Case]:
    """Name cells of one vantage per side, and of each other seat for the record that clients begin with."""
    for side in ("outside", "inside"):
        seats = scope.at(side)
        if seats and scope.has_names(side):
            yield from _published(scope, seats, side)
    if scope.at("outside") and scope.has_names("outside"):
        yield from _inside_only(scope, scope.at("outside")[0])


def _published(scope: Scope, seats: tuple[Seat, ...], side: Side) -> Iterator[Case]:
    answers = _answers(scope, side)
    srv = f"_sip._tls.{scope.domain}" if side == "outside" else f"_sipinternaltls._tcp.{scope.domain}"
    vantages = list(dict.fromkeys(seat.vantage for seat in seats))
    for (name, kind), values in answers.items():
        for vantage in vantages if name == srv else vantages[:1]:
            yield Case(
                _maker(side)(
                    f"{kind}-{name}",
                    vantage,
                    "any",
                    "published",
                    Expected(True, shown={"answers": values}),
                    "dns.lookup",
                    {"name": name, "type": kind},
                )
            )


def _maker(side: Side) -> Maker:
    return Maker(AREA, "internal" if side == "inside" else "anonymous", FEATURE)


def _answers(scope: Scope, side: Side) -> dict[tuple[str, str], list[str]]:
    """Answers by name and type as a resolver shows them: lower case, no final dot, sorted."""
    found: dict[tuple[str, str], list[str]] = {}
    for record in scope.records(side):
        if record.type in TYPES:
            found.setdefault((record.name, record.type), []).append(_value(record.type, record.value))
    return {key: sorted(values) for key, values in sorted(found.items())}


def _value(kind: str, value: str) -> str:
    return str(ip_address(value)) if kind in ("A", "AAAA") else value.rstrip(".").lower()


def _inside_only(scope: Scope, seat: Seat) -> Iterator[Case]:
    outside = _answers(scope, "outside")
    if not outside:
        return
    name, kind = next(iter(outside))
    control = identifier(AREA, seat.vantage, "any", f"{kind}-{name}")
    public = {name for name, _ in outside}
    for name, kind in _answers(scope, "inside"):
        if name not in public:
            yield Case(
                _maker("outside")(
                    f"{kind}-{name}",
                    seat.vantage,
                    "any",
                    "inside only, asked from outside",
                    Expected(False, shown={"code": "NXDOMAIN", "answers": []}),
                    "dns.lookup",
                    {"name": name, "type": kind},
                    control=control,
                )
            )

"""The answer: allowed or refused, one reason, and the chain of settings, rules and facts that led to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from edgewright.access.request import Request

LinkKind = Literal["setting", "directory", "topology", "fact", "row", "note"]


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that the answer rests on.

    `path` says where it stands: `policies`, `directory`, `topology` or `request`, then the names down to
    the value; for lists (`allowed_domains` ...) the last name is the entry and `value` says whether it is
    there. `flip` is a value that turns this link over (None: it alone does not). A *row* is structural
    (nothing flips it), a *note* only informs.
    """

    kind: LinkKind
    path: tuple[str, ...]
    value: Any
    ok: bool
    source: str
    reason: str | None = None
    flip: Any = None

    @property
    def name(self) -> str:
        """The path without its first name, as people write it."""
        return ".".join(self.path[1:]) if self.kind not in ("row", "note") else self.path[0]


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed, or refused for `reason`.

    `reason` is the id of the first thing that stands in the way, in the order in which the hosts look; None
    where allowed. `chain` has everything that was looked at, so that turning over its refusing links (or,
    where allowed, any of its settings) turns the answer over; a structural refusal has its row of the
    reference instead.
    """

    request: Request
    allowed: bool
    reason: str | None
    chain: tuple[Link, ...]

    @property
    def against(self) -> tuple[Link, ...]:
        """The links that refuse."""
        return tuple(link for link in self.chain if not link.ok)


@dataclass(slots=True)
class Trail:
    """Collects the links while a request is looked at; never cut short, so that the chain is complete."""

    links: list[Link] = field(default_factory=list)

    def setting(
        self,
        path: tuple[str, ...],
        value: Any,
        source: str,
        reason: str,
        *,
        wanted: Any = True,
        closed: Any = None,
        ok: bool | None = None,
    ) -> None:
        """A policy setting: `wanted` lets the request pass, `closed` stops it (None: not this one alone)."""
        good = value == wanted if ok is None else ok
        stopping = not value if isinstance(value, bool) and value == wanted else closed
        flip = stopping if good else wanted
        self.links.append(
            Link("setting", ("policies", *path), value, good, source, None if good else reason, flip)
        )

    def listed(
        self, name: str, entry: str, present: bool, source: str, reason: str | None, *, ok: bool = True
    ) -> None:
        """Whether an entry is in a list of the policies."""
        refusing = None if ok else reason
        self.links.append(
            Link("setting", ("policies", name, entry), present, ok, source, refusing, not present)
        )

    def user(self, address: str, name: str, ok: bool, source: str, reason: str) -> None:
        """Something the directory says: `known` or `enabled`."""
        path = ("directory", "users", address, name)
        self.links.append(Link("directory", path, ok, ok, source, None if ok else reason, not ok))

    def topology(self, name: str, value: Any, ok: bool, source: str, reason: str) -> None:
        """Something that is, or is not, deployed."""
        self.links.append(
            Link("topology", ("topology", *name.split(".")), value, ok, source, None if ok else reason)
        )

    def fact(self, name: str, value: Any, ok: bool, source: str, reason: str, flip: Any = None) -> None:
        """A fact of the moment that the request carries."""
        other = (not value) if isinstance(value, bool) else flip
        self.links.append(
            Link("fact", ("request", *name.split(".")), value, ok, source, None if ok else reason, other)
        )

    def row(self, source: str, value: str, reason: str) -> None:
        """A structural refusal: the row of the reference that says so."""
        self.links.append(Link("row", (source,), value, False, source, reason))

    def note(self, source: str, text: str) -> None:
        """Something worth knowing that decides nothing."""
        self.links.append(Link("note", (source,), text, True, source))

    def decide(self, request: Request) -> Decision:
        """The decision that the links amount to."""
        reason = next((link.reason for link in self.links if not link.ok), None)
        return Decision(request, reason is None, reason, tuple(self.links))

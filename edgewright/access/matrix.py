"""Parties x features as a deployment allows them, and what a change of policy opens and closes.

Users who cannot be told apart by any decision (same home, same effective policies) form one profile and are
decided once, so that 100,000 users cost no more than their policies differ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import TYPE_CHECKING

from edgewright.access.decide import decide
from edgewright.access.features import FEATURES, SIGN_IN, WORDS, Feature
from edgewright.access.request import OURS, Meeting, Party, Request
from edgewright.model import resolve

if TYPE_CHECKING:
    from edgewright.model.deployment import Deployment
    from edgewright.model.directory import PolicyKind

KINDS: tuple[PolicyKind, ...] = ("external_access", "conferencing", "mobility")
UNLISTED = "unlisted.invalid"
"""A domain that nobody lists (RFC 2606)."""


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """One kind of asker: a party, and for people outside the domain they come from and its SRV target."""

    order: int
    label: str
    party: Party
    domain: str = ""
    srv_target: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one column may do, by profile of our users: the reason of each refusal, None where allowed."""

    reasons: dict[str, str | None]
    sizes: dict[str, int]
    applies: bool = True
    """False where the question makes no sense, or belongs to another product."""

    @property
    def total(self) -> int:
        """How many of our users it is about."""
        return sum(self.sizes.values())

    @property
    def allowed(self) -> int:
        """For how many of our users it is allowed."""
        return sum(self.sizes[profile] for profile, reason in self.reasons.items() if reason is None)

    @property
    def refusals(self) -> Counter[str]:
        """How many of our users are refused for which reason."""
        counted: Counter[str] = Counter()
        for profile, reason in self.reasons.items():
            if reason is not None:
                counted[reason] += self.sizes[profile]
        return counted

    def __str__(self) -> str:
        if not self.applies:
            return "-"
        if self.allowed == self.total:
            return "yes"
        return f"{self.allowed}/{self.total}" if self.allowed else "no"


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole table. `users` has the addresses of each profile."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[Feature, ...]
    cells: dict[tuple[str, str], Cell]
    users: dict[str, tuple[str, ...]] = field(repr=False)

    def cell(self, feature: str, column: str) -> Cell:
        """The cell by feature id and column label."""
        return self.cells[feature, column]


@dataclass(frozen=True, slots=True)
class Change:
    """A cell that a change of policy changes, with the users that it opens or closes for."""

    feature: str
    name: str
    column: str
    opened: tuple[str, ...]
    closed: tuple[str, ...]
    reason: str | None
    """Why it is closed, or was before it was opened."""


def profiles(deployment: Deployment) -> dict[str, tuple[str, ...]]:
    """Our enabled users by what decisions can tell of them: home and effective policies."""
    origins: dict[str, list[str]] = {}
    for kind in KINDS:
        for address, _, origin in resolve.every_user(deployment, kind):
            origins.setdefault(address, []).append(f"{kind} {origin}")
    found: dict[str, list[str]] = {}
    for address, user in deployment.directory.users.items():
        if user.enabled:
            profile = "; ".join((deployment.home(address) or "no home", *origins[address]))
            found.setdefault(profile, []).append(address)
    return {profile: tuple(sorted(addresses)) for profile, addresses in sorted(found.items())}


def columns(deployment: Deployment) -> tuple[Column, ...]:
    """Every kind of asker that this deployment's policies tell apart."""
    policies = deployment.policies
    found = [Column(index, party, party) for index, party in enumerate(OURS)]
    products: dict[str, str] = {}
    for entry in policies.allowed_domains:
        products.setdefault(entry.product, entry.domain)
    for product, sample in sorted(products.items(), reverse=True):
        label = "federated" if product.startswith("lync") else f"federated ({product})"
        if all(label != column.label for column in found):
            found.append(Column(3, label, "federated", sample))
    found.append(Column(4, "federated, unlisted", "federated", UNLISTED, UNLISTED))
    found += [
        Column(5, f"hosted: {name}", "federated", UNLISTED, provider.proxy_fqdn)
        for name, provider in sorted(policies.hosting_providers.items())
    ]
    partners: dict[str, str] = {}
    for partner in policies.xmpp_partners:
        partners.setdefault(partner.partner_type, partner.domain)
    if len(partners) < 2:
        partners = {"": next(iter(partners.values()), UNLISTED)}
    found += [
        Column(6, f"xmpp ({kind})" if kind else "xmpp", "xmpp", sample)
        for kind, sample in sorted(partners.items())
    ]
    found += [
        Column(7, f"public: {name}", "public", UNLISTED, provider.proxy_fqdn)
        for name, provider in sorted(policies.public_providers.items())
    ]
    found.append(Column(8, "anonymous", "anonymous"))
    return tuple(found)


def named_domains(deployment: Deployment) -> tuple[Column, ...]:
    """A column for each domain that a list names."""
    policies = deployment.policies
    sip = [entry.domain for entry in policies.allowed_domains]
    sip += [entry.domain for entry in policies.blocked_domains]
    xmpp = [name for partner in policies.xmpp_partners for name in partner.domains]
    return (
        *(Column(9, f"federated: {name}", "federated", name) for name in sorted(set(sip))),
        *(Column(10, f"xmpp: {name}", "xmpp", name) for name in sorted({*xmpp, *sip})),
    )


def make(deployment: Deployment, wanted: tuple[Column, ...] | None = None, on: date | None = None) -> Matrix:
    """Decide every feature for every column and every profile of users.

    `on`: the day that counts for providers which ended (X04); None: not looked at.
    """
    asked = wanted or columns(deployment)
    groups = profiles(deployment)
    sizes = {profile: len(addresses) for profile, addresses in groups.items()}
    cells: dict[tuple[str, str], Cell] = {}
    for feature in FEATURES.values():
        for column in asked:
            reasons = {
                profile: decide(deployment, _request(deployment, feature, column, addresses[0], on)).reason
                for profile, addresses in groups.items()
            }
            applies = not feature.elsewhere and feature.support[column.party] != "-"
            partner = feature.id == "M18" and column.party in ("internal", "remote")
            cells[feature.id, column.label] = Cell(reasons, sizes, applies or partner)
    return Matrix(deployment.name, asked, tuple(FEATURES.values()), cells, groups)


def _request(deployment: Deployment, feature: Feature, column: Column, user: str, on: date | None) -> Request:
    """The question behind a cell: one of ours, or somebody outside with one of ours."""
    if column.party in OURS:
        client = "windows_phone" if feature.id == "M27" and column.party == "mobile" else None
        request = Request(column.party, feature.id, user, client=client, on=on)  # type: ignore[arg-type]
        if feature.shape == "person":
            other = user
            if feature.id in ("M15", "M18", "M31"):
                allowed = deployment.policies.allowed_domains
                other = f"somebody@{allowed[0].domain if allowed else UNLISTED}"
            return Request(column.party, feature.id, user, other, on=on)
        return request
    who = None if column.party == "anonymous" else f"somebody@{column.domain}"
    meeting = Meeting(user) if feature.shape == "meeting" else None
    to = user if feature.shape == "person" else None
    return Request(column.party, feature.id, who, to, meeting, srv_target=column.srv_target, on=on)


def differences(before: Deployment, after: Deployment, on: date | None = None) -> list[Change]:
    """What changes from one description to the other: per feature and kind of asker, for whom.

    Users who are new or gone count as well: what they may do is opened or closed.
    """
    asked = tuple(
        dict.fromkeys(
            sorted(
                {
                    *columns(before),
                    *columns(after),
                    *(set(named_domains(before)) ^ set(named_domains(after))),
                    *_changed_domains(before, after),
                }
            )
        )
    )
    unique = {column.label: column for column in asked}
    asked = tuple(unique.values())
    old, new = make(before, asked, on), make(after, asked, on)
    pairs = _pairs(old, new)
    changes = []
    for feature in FEATURES.values():
        for column in asked:
            change = _change(feature, column, old, new, pairs)
            if change is not None:
                changes.append(change)
    return changes


def _changed_domains(before: Deployment, after: Deployment) -> set[Column]:
    """Domains that both name, but in other lists or with other properties."""

    def facts(deployment: Deployment) -> dict[str, set[str]]:
        policies = deployment.policies
        result: dict[str, set[str]] = {}
        for name in ("allowed_domains", "blocked_domains", "xmpp_partners"):
            for entry in getattr(policies, name):
                for found in getattr(entry, "domains", (entry.domain,)):
                    result.setdefault(found, set()).add(f"{name} {entry!r}")
        return result

    old, new = facts(before), facts(after)
    names = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    return {column for column in (*named_domains(before), *named_domains(after)) if column.domain in names}


def _pairs(old: Matrix, new: Matrix) -> dict[tuple[str | None, str | None], list[str]]:
    """Users by their profile before and after."""
    was = {address: profile for profile, addresses in old.users.items() for address in addresses}
    now = {address: profile for profile, addresses in new.users.items() for address in addresses}
    found: dict[tuple[str | None, str | None], list[str]] = {}
    for address in sorted({*was, *now}):
        found.setdefault((was.get(address), now.get(address)), []).append(address)
    return found


def _change(
    feature: Feature,
    column: Column,
    old: Matrix,
    new: Matrix,
    pairs: dict[tuple[str | None, str | None], list[str]],
) -> Change | None:
    before, after = old.cell(feature.id, column.label), new.cell(feature.id, column.label)
    opened: list[str] = []
    closed: list[str] = []
    reason: str | None = None
    for (was, now), addresses in pairs.items():
        could = was is not None and before.reasons[was] is None
        can = now is not None and after.reasons[now] is None
        if can and not could:
            opened += addresses
            reason = reason or (before.reasons[was] if was is not None else "unknown-user")
        elif could and not can:
            closed += addresses
            reason = reason or (after.reasons[now] if now is not None else "unknown-user")
    if not opened and not closed:
        return None
    return Change(feature.id, feature.name, column.label, tuple(opened), tuple(closed), reason)


def _legend(matrix: Matrix) -> list[tuple[str, str]]:
    """Per column the reasons behind its refusals, the most frequent first."""
    lines = []
    for column in matrix.columns:
        counted: Counter[str] = Counter()
        for feature in matrix.rows:
            for reason in matrix.cell(feature.id, column.label).refusals:
                if reason not in ("feature-not-supported", "not-part-of-deployment"):
                    counted[reason] += 1
        if counted:
            said = ", ".join(f"{reason} ({count})" for reason, count in counted.most_common())
            lines.append((column.label, said))
    return lines


def text(matrix: Matrix) -> str:
    """The matrix as an aligned table for a terminal."""
    head = ["", "feature", *(column.label for column in matrix.columns)]
    body = [
        [feature.id, feature.word, *(str(matrix.cell(feature.id, column.label)) for column in matrix.columns)]
        for feature in matrix.rows
    ]
    widths = [max(len(row[index]) for row in (head, *body)) for index in range(len(head))]
    rows = [
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *body)
    ]
    legend = "yes: for every user; 2/5: for two users of five; -: does not apply, or is not deployed here"
    notes = [f"{label}: {said}" for label, said in _legend(matrix)]
    return "\n".join([*rows, "", legend, "Refused, and for how many features:", *notes])


def markdown(matrix: Matrix) -> str:
    """The matrix as a Markdown table, each refusal with its most frequent reason."""
    head = ["feature", *(column.label for column in matrix.columns)]
    lines = [f"# What {matrix.name} allows", "", _md(head), _md(["---"] * len(head))]
    for feature in matrix.rows:
        cells = [matrix.cell(feature.id, column.label) for column in matrix.columns]
        title = f"{feature.id} {feature.name}" if feature.id != SIGN_IN else feature.name
        lines.append(_md([title, *(_with_reason(cell) for cell in cells)]))
    return "\n".join(lines) + "\n"


def _md(values: list[str]) -> str:
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"


def _with_reason(cell: Cell) -> str:
    said = str(cell)
    if said in ("yes", "-"):
        return said
    reason = cell.refusals.most_common(1)[0][0]
    return said if reason == "feature-not-supported" else f"{said} ({reason})"


_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em}table{border-collapse:collapse}"
    "th,td{border:1px solid #bbb;padding:.25em .5em;text-align:left}"
    "thead th{position:sticky;top:0;background:#eee}"
    ".yes{background:#d9f2d9}.no{background:#f6d5d5}.some{background:#fdf0c8}.none{color:#888}"
)


def html(matrix: Matrix) -> str:
    """The matrix as one self-contained page; each refusal names its reasons on hover."""
    head = "".join(f"<th scope=col>{escape(column.label)}</th>" for column in matrix.columns)
    rows = []
    for feature in matrix.rows:
        cells = "".join(_td(matrix.cell(feature.id, column.label)) for column in matrix.columns)
        rows.append(f"<tr><th scope=row>{feature.id}</th><td>{escape(feature.name)}</td>{cells}</tr>")
    top = f"<thead><tr><th></th><th>feature</th>{head}</tr></thead>"
    table = f"<table>{top}<tbody>{''.join(rows)}</tbody></table>"
    return _page(f"What {matrix.name} allows", table)


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def _td(cell: Cell) -> str:
    said = str(cell)
    kind = {"yes": "yes", "no": "no", "-": "none"}.get(said, "some")
    why = ", ".join(f"{reason}: {count}" for reason, count in cell.refusals.most_common())
    return f'<td class="{kind}" title="{escape(why)}">{escape(said)}</td>'


@dataclass(frozen=True, slots=True)
class Together:
    """Changes of several features that concern the same kind of asker, the same users and the same reason."""

    verb: str
    column: str
    users: tuple[str, ...]
    reason: str | None
    features: tuple[str, ...]

    def who(self, most: int) -> str:
        """At most `most` users by name."""
        more = f" and {len(self.users) - most} more" if len(self.users) > most else ""
        return ", ".join(self.users[:most]) + more

    @property
    def why(self) -> str:
        """Why it is closed, or was."""
        return f"{'was ' if self.verb == 'opens' else ''}{self.reason}" if self.reason else ""


def together(changes: list[Change]) -> list[Together]:
    """Changes put together for people to read: what opens first, which is what a reviewer must look at."""
    found: dict[tuple[str, str, tuple[str, ...], str | None], list[str]] = {}
    for change in changes:
        for verb, addresses in (("opens", change.opened), ("closes", change.closed)):
            if addresses:
                key = (verb, change.column, addresses, change.reason)
                found.setdefault(key, []).append(WORDS[change.feature].word)
    listed = [Together(*key, tuple(features)) for key, features in found.items()]
    return sorted(listed, key=lambda one: one.verb != "opens")


NOTHING = "Nothing changes for anybody."


def changes_text(changes: list[Change], most: int = 5) -> str:
    """What a change opens and closes, for a terminal."""
    lines = []
    for one in together(changes):
        why = f" ({one.why})" if one.why else ""
        lines.append(f"{one.verb:6} {one.column}, for {one.who(most)}{why}:")
        lines.append(f"         {', '.join(one.features)}")
    return "\n".join(lines) or NOTHING


_CHANGE_HEAD = ["", "who asks", "our users", "features", "reason"]


def _change_rows(changes: list[Change], most: int) -> list[list[str]]:
    return [
        [one.verb, one.column, one.who(most), ", ".join(one.features), one.why] for one in together(changes)
    ]


def changes_markdown(changes: list[Change], most: int = 5) -> str:
    """What a change opens and closes, as a Markdown table for a review."""
    rows = _change_rows(changes, most)
    return "\n".join(map(_md, [_CHANGE_HEAD, ["---"] * 5, *rows])) if rows else NOTHING


def changes_html(changes: list[Change], most: int = 20) -> str:
    """What a change opens and closes, as one self-contained page."""
    head = "".join(f"<th>{escape(name)}</th>" for name in _CHANGE_HEAD)
    rows = "".join(
        f'<tr class="{"some" if row[0] == "opens" else "no"}">'
        + "".join(f"<td>{escape(value)}</td>" for value in row)
        + "</tr>"
        for row in _change_rows(changes, most)
    )
    body = (
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else f"<p>{NOTHING}</p>"
    )
    return _page("What the change opens and closes", body)


def changes_document(changes: list[Change]) -> list[dict[str, object]]:
    """The changes for machines."""
    return [
        {
            "feature": change.feature,
            "column": change.column,
            "opened": list(change.opened),
            "closed": list(change.closed),
            "reason": change.reason,
        }
        for change in changes
    ]


def document(matrix: Matrix) -> dict[str, object]:
    """The matrix for machines: feature, then column, then counts and reasons."""
    return {
        "deployment": matrix.name,
        "columns": [column.label for column in matrix.columns],
        "features": {
            feature.id: {
                column.label: {
                    "allowed": (cell := matrix.cell(feature.id, column.label)).allowed,
                    "of": cell.total,
                    "reasons": dict(cell.refusals),
                }
                for column in matrix.columns
            }
            for feature in matrix.rows
        },
    }

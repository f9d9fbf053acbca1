"""The plan for people and for their systems: tables, JSON, Markdown, zone files, nftables rulesets."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from edgewright.plan import dns, nft
from edgewright.plan.types import PoolPlan

if TYPE_CHECKING:
    from edgewright.plan.types import End, HostPlan, Plan


class Format(StrEnum):
    """How a plan is shown."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    ZONE = "zone"
    NFT = "nft"


class UnknownSectionError(ValueError):
    """There is no such section, zone or host; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One section as a grid of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _networks(plan: Plan) -> Sheet:
    rows = (
        (
            n.name,
            _text(n.ipv4),
            _text(n.ipv6),
            " ".join(_text(b) for b in (n.bridge4, n.bridge6) if b),
            " ".join(n.zones),
        )
        for n in plan.networks.values()
    )
    return Sheet("Networks", ("network", "IPv4", "IPv6", "lab bridge (management)", "zones"), tuple(rows))


def _addresses(plan: Plan) -> Sheet:
    rows = [row for host in plan.hosts.values() for row in _addresses_of(host)]
    columns = ("host", "kind", "pool or site", "interface", "network", "service", "IPv4", "IPv6", "public")
    return Sheet("Addresses", columns, tuple(rows))


def _addresses_of(host: HostPlan) -> Iterator[tuple[str, ...]]:
    start = (host.name, host.kind.replace("_", " "), host.pool or host.site or "-")
    for interface in host.interfaces:
        at = (interface.name, interface.network)
        if interface is host.interfaces[0] and host.services:
            for s in host.services:
                public = " ".join(_text(a) for a in (s.public4, s.public6) if a)
                name = f"{s.service.replace('_', ' ')} {s.fqdn}:{s.port}"
                yield (*start, *at, name, _text(s.ipv4), _text(s.ipv6), public)
        else:
            yield (*start, *at, "", _text(interface.ipv4), _text(interface.ipv6), "")


def _routes(plan: Plan) -> Sheet:
    rows = (
        (host.name, _text(r.to) or "default", _text(r.via), r.interface)
        for host in plan.hosts.values()
        for r in host.routes
    )
    return Sheet("Routes", ("host", "to", "via", "interface"), tuple(rows))


def _dns(plan: Plan) -> Sheet:
    rows = (
        (zone.view, zone.name, r.name, r.type, r.value, str(r.ttl), r.row)
        for zone in plan.zones
        for r in zone.records
    )
    return Sheet("DNS", ("view", "zone", "name", "type", "value", "TTL", "row"), tuple(rows))


def _certificates(plan: Plan) -> Sheet:
    rows = (
        (
            c.row,
            c.slot,
            c.pool,
            " ".join(c.hosts),
            c.subject,
            " ".join(c.sans),
            "+".join(c.eku),
            c.key,
            c.source if isinstance(c.source, str) else "files",
            "one for all hosts" if c.shared_key else "stays on the host",
            " ".join(c.limits),
        )
        for c in plan.certificates
    )
    columns = (
        "row",
        "slot",
        "pool",
        "hosts",
        "subject",
        "names",
        "usage",
        "key",
        "from",
        "private key",
        "cannot",
    )
    return Sheet("Certificates", columns, tuple(rows))


SECTIONS_OF_ROWS = {"E": "3.1", "I": "3.2", "R": "3.3", "D": "3.4"}
"""Where in the reference a flow's row is; L rows are ours."""


def _flows(plan: Plan) -> Sheet:
    rows = (
        (
            f.id,
            "active" if f.active else "closed",
            _end(f.source),
            _end(f.target),
            f"{f.protocol} {f.ports}",
            " ".join(f.path),
            f.why,
            SECTIONS_OF_ROWS.get(f.row[0], "ours"),
        )
        for f in plan.flows
    )
    columns = ("flow", "state", "from", "to", "port", "passes", "why", "section")
    return Sheet("Flows", columns, tuple(rows))


def _end(end: End) -> str:
    where = [_text(item) for item in (*end.networks, *end.addresses)]
    return f"{end.label}: {' '.join(where)}" if where else end.label


def _publications(plan: Plan) -> Sheet:
    rows = (
        (
            p.row,
            p.host,
            " ".join(p.paths),
            str(p.port),
            " ".join(p.proxies),
            p.backend_name,
            " ".join(p.backends),
            str(p.backend_port),
        )
        for p in plan.publications
    )
    columns = ("row", "host", "paths", "port", "proxies", "pool", "back ends", "back-end port")
    return Sheet("Publications", columns, tuple(rows))


def _settings(plan: Plan) -> Sheet:
    rows = (
        (host, role, key, value if isinstance(value, str) and "\n" not in value else json.dumps(value))
        for host, found in plan.settings.items()
        for role, values in found.items()
        for key, value in values.items()
        if key != "filter"  # has its own format: nft
    )
    return Sheet("Settings", ("host", "role", "setting", "value"), tuple(rows))


SHEETS: dict[str, Callable[[Plan], Sheet]] = {
    "networks": _networks,
    "addresses": _addresses,
    "routes": _routes,
    "dns": _dns,
    "certificates": _certificates,
    "flows": _flows,
    "publications": _publications,
    "settings": _settings,
}
"""The sections of the formats table and markdown, in order; `settings` is shown only when asked for."""

JSON_SECTIONS = {
    "networks": "networks",
    "addresses": "hosts",
    "routes": "hosts",
    "dns": "zones",
    "certificates": "certificates",
    "flows": "flows",
    "publications": "publications",
    "settings": "settings",
}
"""Which part of the JSON document holds a section."""


def show(plan: Plan, form: str = "table", section: str | None = None, width: int | None = None) -> str:
    """The plan as text.

    `section` selects one of `SHEETS`; with `zone` a zone name or a view (`outside`, `inside`), with `nft` a
    host. `width` is the width of tables in columns; None: the terminal's, or 160 where there is none.

    Raises:
        UnknownSectionError: there is no such section, zone or host.
        ValueError: there is no such format.
    """
    chosen = Format(form)
    if chosen in {Format.ZONE, Format.NFT}:
        return "\n".join(
            f"{_mark(chosen)} {name}\n{text}" for name, text in files(plan, chosen, section).items()
        )
    if section is not None and section not in SHEETS:
        raise UnknownSectionError(f"no section {section}; there are {', '.join(SHEETS)}")
    if chosen is Format.JSON:
        return json.dumps(_selected(as_data(plan), section), indent=2) + "\n"
    names = [section] if section else [name for name in SHEETS if name != "settings"]
    sheets = [SHEETS[name](plan) for name in names]
    if chosen is Format.MARKDOWN:
        return "\n".join(_markdown(sheet) for sheet in sheets)
    return _tables(sheets, width)


def files(plan: Plan, form: str, section: str | None = None) -> dict[str, str]:
    """The files of a format by relative path: `zone` gives `<view>/<zone>.zone`, `nft` gives `<host>.nft`.

    Raises:
        UnknownSectionError: there is no such zone, view or host.
    """
    found: dict[str, str] = {}
    if form == Format.ZONE:
        for zone in plan.zones:
            if section in {None, zone.view, zone.name}:
                found[f"{zone.view}/{zone.name}.zone"] = dns.text(zone)
        choices = ["outside", "inside", *dict.fromkeys(zone.name for zone in plan.zones)]
    else:
        for host in plan.hosts.values():
            if section in {None, host.name} and host.platform == "linux":
                rules = nft.router_rules if host.forwarding else nft.host_rules
                found[f"{host.name}.nft"] = rules(plan, host)
        choices = list(plan.hosts)
    if section is not None and not found:
        raise UnknownSectionError(f"nothing is called {section}; there are {', '.join(choices)}")
    return found


def _mark(form: Format) -> str:
    return ";" if form is Format.ZONE else "#"


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-able data: addresses and networks as text, tuples as lists."""
    data = _data(plan)
    return {"schema": 1, **data}


def _selected(data: dict[str, Any], section: str | None) -> Any:
    return data if section is None else data[JSON_SECTIONS[section]]


def _data(value: Any) -> Any:
    if isinstance(value, PoolPlan):
        return {f.name: _data(getattr(value, f.name)) for f in fields(value) if f.name != "pool"}
    if is_dataclass(value):
        return {f.name: _data(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_data(item) for item in value]
    if isinstance(value, IPv4Address | IPv6Address | IPv4Network | IPv6Network):
        return str(value)
    return value


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _markdown(sheet: Sheet) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") or " " for cell in cells) + " |"

    rule = "|" + "|".join(" --- " for _ in sheet.columns) + "|"
    return "\n".join([f"## {sheet.title}", "", line(sheet.columns), rule, *(line(r) for r in sheet.rows), ""])


def _tables(sheets: list[Sheet], width: int | None) -> str:
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 160
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for sheet in sheets:
        table = Table(title=sheet.title, title_justify="left", show_lines=False)
        for column in sheet.columns:
            table.add_column(column, overflow="fold")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table, markup=False)
    out = console.file
    return out.getvalue() if isinstance(out, io.StringIO) else ""

"""Hosts and networks as SVG: networks are lines from outside to inside, hosts sit between them."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from edgewright.plan.types import HostPlan, Plan

ZONES = ("outside", "perimeter_out", "perimeter_in", "inside", "management")
WIDTH, HEIGHT, GAP, LEFT = 158, 84, 22, 24
ROW = 164
MOST = 9
KINDS = {
    "edge": "Access Edge",
    "director": "Director",
    "front_end": "Front End",
    "reverse_proxy": "reverse proxy",
    "firewall_outer": "outer firewall",
    "firewall_inner": "inner firewall",
    "dns": "DNS",
    "vantage": "vantage",
    "world": "world",
    "database": "database",
}


@dataclass(frozen=True)
class _Box:
    host: HostPlan
    row: int
    lines: tuple[int, ...]


def render(plan: Plan) -> str:
    """The drawing; colours come from the page's style."""
    names = sorted(plan.networks, key=lambda name: (_rank(plan, name), name))
    index = {name: number for number, name in enumerate(names)}
    rows: dict[int, list[_Box]] = {}
    more: dict[int, int] = {}
    for host in plan.hosts.values():
        lines = tuple(sorted({index[i.network] for i in host.interfaces}))
        # Whoever has one leg in the outermost network sits above it, all others below their outermost one.
        row = 0 if lines == (0,) else lines[0] + 1
        if len(rows.setdefault(row, [])) < MOST:
            rows[row].append(_Box(host, row, lines))
        else:
            more[row] = more.get(row, 0) + 1
    widest = max((len(boxes) for boxes in rows.values()), default=1)
    width = LEFT * 2 + widest * (WIDTH + GAP) + 230
    height = ROW * len(names) + HEIGHT + 44
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Topology of {escape(plan.deployment)}">'
    ]
    for name, number in index.items():
        parts.append(_network(plan, name, _line(number), width))
    for row, boxes in sorted(rows.items()):
        for column, box in enumerate(boxes):
            parts.append(_host(box, LEFT + column * (WIDTH + GAP), _top(row)))
        if row in more:
            x, y = LEFT + len(boxes) * (WIDTH + GAP), _top(row) + HEIGHT // 2
            parts.append(f'<text class="small" x="{x}" y="{y}">+{more[row]}</text>')
    parts.append("</svg>")
    return "\n".join(parts)


def _rank(plan: Plan, name: str) -> int:
    zones = [ZONES.index(zone) for zone in plan.networks[name].zones if zone in ZONES]
    return min(zones, default=len(ZONES))


def _line(number: int) -> int:
    return ROW * (number + 1) - 22


def _top(row: int) -> int:
    return ROW * row + 24


def _network(plan: Plan, name: str, y: int, width: int) -> str:
    network = plan.networks[name]
    subnets = "  ".join(str(subnet) for subnet in (network.ipv4, network.ipv6) if subnet is not None)
    return (
        f'<line class="net" x1="8" x2="{width - 8}" y1="{y}" y2="{y}"/>'
        f'<text class="net" x="{width - 10}" y="{y + 15}" text-anchor="end">{escape(name)} '
        f'<tspan class="small">{escape(subnets)}</tspan></text>'
    )


def _host(box: _Box, x: int, y: int) -> str:
    host = box.host
    middle = x + WIDTH // 2
    legs = []
    for line in map(_line, box.lines):
        start = y if line < y else y + HEIGHT
        legs.append(f'<line class="leg" x1="{middle}" x2="{middle}" y1="{start}" y2="{line}"/>')
    addresses = [str(address) for address in host.addresses()]
    shown = addresses[:4] + ([f"+{len(addresses) - 4} more"] if len(addresses) > 4 else [])
    texts = [
        f'<text class="small" x="{x + 10}" y="{y + 38 + 11 * number}">{escape(text)}</text>'
        for number, text in enumerate(shown)
    ]
    kind = "surroundings" if host.surroundings else host.kind
    title = f"{host.fqdn}: {', '.join(addresses)}"
    return (
        "".join(legs)
        + f'<g class="host {kind}"><title>{escape(title)}</title>'
        + f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>'
        + f'<text class="name" x="{x + 10}" y="{y + 18}">{escape(host.name)}</text>'
        + f'<text class="kind" x="{x + WIDTH - 10}" y="{y + 18}" text-anchor="end">'
        + f"{escape(KINDS.get(host.kind, host.kind))}</text>"
        + "".join(texts)
        + "</g>"
    )

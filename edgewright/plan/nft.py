"""nftables rulesets from the flows: default deny in, out and through, both families, a counter per flow.

Each text is complete and can be loaded again at any time in one transaction: rules are replaced, named
counters live on (declaring one that exists changes nothing), so the proof can read them before and after.

Every host has table `inet edgewright`; a router has table `inet edgewright_router` besides, for what passes.
Operators add rules to their chains `local_input`, `local_output` and `local_forward` in files of
`/etc/edgewright/local/nftables/`. Vantages and the world may send what they like.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgewright.plan.types import Address, End, Flow, HostPlan, Interface, Planned, Subnet

HOST_TABLE = "edgewright"
ROUTER_TABLE = "edgewright_router"
INCLUDES = "/etc/edgewright/local/nftables/*.nft"

DROP_INPUT = "drop_in"
DROP_OUTPUT = "drop_out"
DROP_FORWARD = "drop_forward"
DROP_INVALID = "drop_invalid"
DROP_FORWARD_INVALID = "drop_forward_invalid"
DROP_SPOOFED = "drop_spoofed"
"""Counters of what is refused: to, from and through a host, without a connection, with a false source."""
DROP_QUESTION = "drop_question"
"""Counter of the world's questions about domains whose name servers are dead."""

ASKED = ("", "sip", "_sip._tls", "_sipfederationtls._tcp", "_xmpp-server._tcp")
"""Names below a domain about which somebody may ask."""

NEIGHBOURS = "nd-neighbor-solicit, nd-neighbor-advert"
MULTICAST = "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"


def host_rules(plan: Planned, host: HostPlan) -> str:
    """What may reach and leave a host: `/etc/nftables.conf`."""
    return _text(host, _host(plan, host))


def router_rules(plan: Planned, host: HostPlan) -> str:
    """The same for a firewall, and what may pass between its two networks."""
    return _text(host, _host(plan, host), _router(plan, host))


def _text(host: HostPlan, *rulesets: _Ruleset) -> str:
    lines = [
        "#!/usr/sbin/nft -f",
        f"# {host.name} ({host.kind}): made from the flows of the plan; local rules belong in {INCLUDES}",
        "",
    ]
    for rules in rulesets:
        lines += [*rules.lines(), ""]
    return "\n".join([*lines, f'include "{INCLUDES}"', ""])


def counters(plan: Planned, host: HostPlan) -> tuple[str, ...]:
    """Names of the counters of a host's rulesets, as in `nft list counters`."""
    found = tuple(_host(plan, host).counters)
    return (*found, *(_router(plan, host).counters if host.forwarding else ()))


class _Ruleset:
    """One table in the making."""

    def __init__(self, table: str, plan: Planned) -> None:
        self.table = table
        self.plan = plan
        self.counters: dict[str, None] = {}
        self.hooks: dict[str, str] = {}
        self.bodies: dict[str, list[str]] = {}

    def drop(self, counter: str) -> str:
        self.counters[counter] = None
        return f'counter name "{counter}" drop'

    def prerouting(self, rules: list[str]) -> None:
        if rules:
            self.hooks["prerouting"] = "type filter hook prerouting priority filter; policy accept;"
            self.bodies["prerouting"] = rules

    def chain(self, name: str, first: list[str], rules: list[str], drop: str, invalid: str) -> None:
        """A base chain that refuses what no rule accepts."""
        self.hooks[name] = f"type filter hook {name} priority filter; policy drop;"
        self.hooks[f"local_{name}"] = ""
        self.bodies[name] = [
            *first,
            "ct state established,related accept",
            f"ct state invalid {self.drop(invalid)}",
            *rules,
            f"jump local_{name}",
            self.drop(drop),
        ]

    def accept(
        self, flow: Flow, source: End | tuple[Address, ...], target: End | tuple[Address, ...]
    ) -> list[str]:
        """The rules of one flow between two ends: one for each family that both have."""
        rules = []
        for name, version in (("ip", 4), ("ip6", 6)):
            left, right = self._side(source, version), self._side(target, version)
            if left == "" or right == "" or (left is None and right is None):
                continue
            ends = [f"{name} saddr {left}"] if left else []
            ends += [f"{name} daddr {right}"] if right else []
            if flow.protocol == "icmp":
                ends.append(f"{'icmp' if version == 4 else 'icmpv6'} type {flow.ports}")
            else:
                ends.append(f"{flow.protocol} dport {flow.ports}")
            rules.append(f'{" ".join(ends)} counter name "{flow.id}" accept')
        if rules:
            self.counters[flow.id] = None
        return rules

    def older(self, flow: Flow, own: tuple[Address, ...]) -> list[str]:
        """Answers in connections that began before there were any rules.

        Such a one is known to the kernel only once the other side has sent something: the very session that
        loads the rules for the first time would stand still until then.
        """
        rules = []
        for name, version in (("ip", 4), ("ip6", 6)):
            mine, theirs = self._side(own, version), self._side(flow.source, version)
            if mine and theirs:
                answers = f"{flow.protocol} sport {flow.ports} tcp flags & (syn | ack) == ack"
                rules.append(f"{name} saddr {mine} {name} daddr {theirs} {answers} accept")
        return ["# sessions of administrators that began before these rules", *rules] if rules else []

    def _side(self, end: End | tuple[Address, ...], version: int) -> str | None:
        """One end in one family as nft writes it; None: any; empty: that family is not there."""
        if isinstance(end, tuple):
            return _braced([str(address) for address in end if address.version == version])
        if not end.addresses and not end.networks:
            return None
        return self.plan.once(
            ("nft", id(end), version), lambda: _set(_collapse((*end.networks, *end.addresses), version))
        )

    def lines(self) -> list[str]:
        lines = [
            f"table inet {self.table} {{",
            *(f"\tcounter {name} {{ }}" for name in self.counters),
            *(f"\tchain {name} {{ {hook} }}" for name, hook in self.hooks.items()),
            "}",
            f"flush table inet {self.table}",
            "",
            f"table inet {self.table} {{",
        ]
        for name, body in self.bodies.items():
            lines += [f"\tchain {name} {{", *(f"\t\t{line}" for line in body), "\t}"]
        return [*lines, "}"]


def _host(plan: Planned, host: HostPlan) -> _Ruleset:
    rules = _Ruleset(HOST_TABLE, plan)
    mine = frozenset(host.addresses())

    def own(end: End) -> tuple[Address, ...]:
        if end.addresses:
            return tuple(a for a in end.addresses if a in mine)
        return tuple(a for a in host.addresses() if any(a in n for n in end.networks))

    flows = [flow for flow in plan.flows_of(host.name) if flow.active]
    if len(host.interfaces) > 1:
        # A source that is routed elsewhere than it came from is false (V08).
        rules.prerouting(
            [
                "ip6 saddr { ::, fe80::/10 } accept",
                f"fib saddr . iif oif missing {rules.drop(DROP_SPOOFED)}",
            ]
        )
    if host.silent_about:
        rules.prerouting([_question(rules, name) for domain in host.silent_about for name in _asked(domain)])
    incoming = [
        f"icmpv6 type {{ {NEIGHBOURS} }} ip6 hoplimit 255 accept",
        f"icmpv6 type {{ {MULTICAST} }} ip6 saddr fe80::/10 accept",
    ]
    for flow in flows:
        if host.name in flow.target.hosts:
            incoming += _explained(flow, rules.accept(flow, flow.source, own(flow.target)))
    rules.chain("input", ['iifname "lo" accept'], incoming, DROP_INPUT, DROP_INVALID)
    if host.surroundings:
        return rules
    outgoing = [
        f"icmpv6 type {{ {NEIGHBOURS}, nd-router-solicit }} ip6 hoplimit 255 accept",
        f"icmpv6 type {{ {MULTICAST} }} accept",
    ]
    for flow in flows:
        if flow.service == "ssh" and host.name in flow.target.hosts:
            outgoing += rules.older(flow, own(flow.target))
    for flow in flows:
        if host.name in flow.source.hosts:
            outgoing += _explained(flow, rules.accept(flow, own(flow.source), flow.target))
    rules.chain("output", ['oifname "lo" accept'], outgoing, DROP_OUTPUT, DROP_INVALID)
    return rules


def _asked(domain: str) -> Iterator[str]:
    return (f"{label}.{domain}" if label else domain for label in ASKED)


def _question(rules: _Ruleset, name: str) -> str:
    """A question about a name is lost without an answer: its bytes follow a header of 12 (RFC 1035)."""
    asked = b"".join(bytes([len(label)]) + label.encode() for label in (*name.split("."), ""))
    parts = [asked[start : start + 8] for start in range(0, len(asked), 8)]
    bits = (64 + 96 + 64 * index for index in range(len(parts)))
    match = " ".join(
        f"@th,{bit},{8 * len(part)} 0x{part.hex()}" for bit, part in zip(bits, parts, strict=True)
    )
    return f"udp dport 53 {match} {rules.drop(DROP_QUESTION)}"


def _explained(flow: Flow, rules: list[str]) -> list[str]:
    return [f"# {flow.why}", *rules] if rules else []


def _router(plan: Planned, host: HostPlan) -> _Ruleset:
    rules = _Ruleset(ROUTER_TABLE, plan)
    outer, inner = host.interfaces[0], host.interfaces[1]
    perimeter, other = (inner, outer) if host.kind == "firewall_outer" else (outer, inner)
    passing: list[str] = []
    for flow in _passing(plan, host, perimeter):
        source, target = _on(plan, flow.source, perimeter), _on(plan, flow.target, perimeter)
        found: list[str] = []
        if target:
            way = f'iifname "{other.name}" oifname "{perimeter.name}"'
            found += [f"{way} {rule}" for rule in rules.accept(flow, flow.source, target)]
        if source:
            way = f'iifname "{perimeter.name}" oifname "{other.name}"'
            found += [f"{way} {rule}" for rule in rules.accept(flow, source, flow.target)]
        passing += _explained(flow, found)
    rules.prerouting(
        [
            # Else a packet for a network that the router has no route to would be refused without a trace.
            f'iifname "{outer.name}" {family} daddr != {{ {subnets} }} fib daddr type unicast '
            + rules.drop(DROP_FORWARD)
            for family, subnets in _behind(plan, host)
        ]
    )
    rules.chain("forward", [], passing, DROP_FORWARD, DROP_FORWARD_INVALID)
    return rules


def _passing(plan: Planned, host: HostPlan, perimeter: Interface) -> Iterator[Flow]:
    """The active flows of the hosts on a router's perimeter network that pass a router of its kind."""
    part = "outer" if host.kind == "firewall_outer" else "inner"
    seen: set[str] = set()
    for other in plan.hosts.values():
        if any(interface.network == perimeter.network for interface in other.interfaces):
            for flow in plan.flows_of(other.name):
                if flow.active and part in flow.path and flow.id not in seen:
                    seen.add(flow.id)
                    yield flow


def _behind(plan: Planned, host: HostPlan) -> Iterator[tuple[str, str]]:
    """What may be asked for at a router's outer side: its own networks and those that it routes inward."""
    own = [plan.networks[interface.network] for interface in host.interfaces]
    routed = [r.to for r in host.routes if r.interface == host.interfaces[1].name]
    for family, version, more in (("ip", 4, []), ("ip6", 6, ["fe80::/10"])):
        subnets = [*(n for p in own for n in (p.ipv4, p.ipv6)), *routed]
        texts = [str(n) for n in subnets if n is not None and n.version == version]
        if texts:
            yield family, ", ".join([*dict.fromkeys(texts), *more])


def _on(plan: Planned, end: End, interface: Interface) -> tuple[Address, ...]:
    """The addresses of an end that are on the network of an interface."""
    network = plan.networks[interface.network]
    subnets = [n for n in (network.ipv4, network.ipv6) if n is not None]
    return tuple(a for a in end.addresses if any(a in n for n in subnets))


def _collapse(items: Iterable[Address | Subnet], version: int) -> tuple[Subnet, ...]:
    if version == 4:
        four = (IPv4Network(i) if isinstance(i, IPv4Address) else i for i in items)
        return tuple(collapse_addresses(n for n in four if isinstance(n, IPv4Network)))
    six = (IPv6Network(i) if isinstance(i, IPv6Address) else i for i in items)
    return tuple(collapse_addresses(n for n in six if isinstance(n, IPv6Network)))


def _set(subnets: tuple[Subnet, ...]) -> str:
    return _braced([str(n.network_address) if n.prefixlen == n.max_prefixlen else str(n) for n in subnets])


def _braced(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(texts)} }}" if texts else ""

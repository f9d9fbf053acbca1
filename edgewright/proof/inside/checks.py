"""The checks of a host's inside: each says what it found, or raises `Failed` with what is wrong."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from cryptography import x509

from edgewright.plan import nft
from edgewright.plan.types import HostPlan
from edgewright.proof import certificates, served
from edgewright.proof.scope import Scope

SSH = 22
DAEMONS: dict[str, tuple[str, ...]] = {
    "base": ("systemd-journald.service", "nftables.service"),
    "access_edge": ("kamailio.service",),
    "director": ("kamailio.service",),
    "front_end": ("kamailio.service", "postgresql@17-main.service"),
    "reverse_proxy": ("nginx.service",),
    "web_service": ("nginx.service", "edgewright-web@internal.service"),
    "dns": ("knot.service",),
    "firewall": ("nftables.service",),
}
"""What must run on a host with a role."""

HARDENED = ("kamailio.service", "nginx.service", "edgewright-web@internal.service")
PROPERTIES = {"NoNewPrivileges": ("yes",), "ProtectSystem": ("strict", "full"), "PrivateTmp": ("yes",)}
VALIDATORS: dict[str, str] = {
    "kamailio.service": "/usr/local/sbin/edgewright-kamailio-check",
    "nginx.service": "nginx -t -q",
    "knot.service": "knotc conf-check",
}
KEYS = "/etc/edgewright/certificates"


class Failed(Exception):  # noqa: N818 - a finding, not an error of the program
    """What is wrong, in one sentence."""


class Runner(Protocol):
    """Runs a command on the host."""

    def run(self, command: str) -> Any:
        """The result: `rc`, `stdout`, `stderr`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a check may look at."""

    scope: Scope
    host: HostPlan
    runner: Runner

    def out(self, command: str) -> str:
        """The command's output.

        Raises:
            Failed: it ended with another code than 0.
        """
        done = self.runner.run(command)
        if done.rc != 0:
            raise Failed(f"`{command}` ended with {done.rc}: {(done.stderr or done.stdout).strip()[:300]}")
        return str(done.stdout)


Run = Callable[[Context], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: what it looks at, on which hosts, how."""

    situation: str
    run: Run
    concerns: Callable[[Scope, HostPlan], bool] = lambda _scope, _host: True


def daemons(host: HostPlan) -> tuple[str, ...]:
    """Units that must run on a host."""
    return tuple(dict.fromkeys(unit for role in ("base", *host.roles) for unit in DAEMONS.get(role, ())))


def _services(context: Context) -> dict[str, Any]:
    units = daemons(context.host)
    states = context.out(f"systemctl show -p Id,ActiveState,Result --value {shlex.join(units)}").split("\n\n")
    for unit, state in zip(units, states, strict=True):
        if "active" not in state.split() or "failed" in state.split():
            raise Failed(f"{unit} does not run: {' '.join(state.split())}")
    failed = context.out("systemctl --failed --plain --no-legend").split()
    if failed:
        raise Failed(f"failed units: {' '.join(failed[::5])}")
    return {"running": list(units)}


def _hardened(context: Context) -> dict[str, Any]:
    for unit in [unit for unit in daemons(context.host) if unit in HARDENED]:
        for name, right in PROPERTIES.items():
            value = context.out(f"systemctl show -p {name} --value {unit}").strip()
            if value not in right:
                raise Failed(f"{unit}: {name}={value or 'nothing'}, {' or '.join(right)} is right")
    return {"hardened": [unit for unit in daemons(context.host) if unit in HARDENED]}


def _listeners(context: Context) -> dict[str, Any]:
    """Every listener that is not on the loopback must be the target of an active flow (or ssh)."""
    planned: set[tuple[str, int]] = {("tcp", SSH)}
    for flow in context.scope.plan.flows_of(context.host.name):
        if flow.active and flow.protocol != "icmp" and context.host.name in flow.target.hosts:
            low, _, high = flow.ports.partition("-")
            planned |= {(flow.protocol, port) for port in range(int(low), int(high or low) + 1)}
    found = listeners(context.out("ss -H -l -n -t -u"))
    unexpected = sorted(found - planned)
    if unexpected:
        raise Failed(
            "listens without a flow: " + ", ".join(f"{protocol} {port}" for protocol, port in unexpected)
        )
    return {"listens": [f"{protocol} {port}" for protocol, port in sorted(found)]}


def listeners(text: str) -> set[tuple[str, int]]:
    """Protocol and port of each line of `ss -Hlntu` that is not bound to the loopback."""
    found = set()
    for line in text.splitlines():
        parts = line.split()
        if len(parts) < 5:
            continue
        address, _, port = parts[4].rpartition(":")
        address = address.partition("%")[0].strip("[]")
        if address != "*" and ipaddress.ip_address(address).is_loopback:
            continue
        found.add((parts[0], int(port)))
    return found


def _keys(context: Context) -> dict[str, Any]:
    """Private keys: root's, not readable for the world, the group only a daemon's."""
    text = context.out(f"find {KEYS} -name privkey.pem -printf '%m %U %g %p\\n'")
    for line in text.splitlines():
        mode, owner, _, path = line.split(" ", 3)
        if owner != "0" or int(mode, 8) & 0o137:
            raise Failed(f"{path}: mode {mode}, owner {owner}; at most 0640 and root's is right")
    return {"keys": len(text.splitlines())}


def _firewall(context: Context) -> dict[str, Any]:
    """The loaded rules are those of the plan: every counter is there, every chain refuses by default."""
    document = json.loads(context.out("nft -j list ruleset"))["nftables"]
    counters = {(c["counter"]["table"], c["counter"]["name"]) for c in document if "counter" in c}
    names = {name for table, name in counters if table.startswith(nft.HOST_TABLE)}
    planned = set(nft.counters(context.scope.plan, context.host))
    if names != planned:
        raise Failed(
            f"rules that are not planned: {sorted(names - planned)}; missing: {sorted(planned - names)}"
        )
    for item in document:
        chain = item.get("chain", {})
        ours = str(chain.get("table", "")).startswith(nft.HOST_TABLE)
        if ours and chain.get("hook") in ("input", "forward", "output") and chain.get("policy") != "drop":
            raise Failed(f"chain {chain['name']} of {chain['table']} accepts by default")
    loaded = _loaded(document)
    texts = [nft.host_rules(context.scope.plan, context.host)]
    if context.host.forwarding:
        texts.append(nft.router_rules(context.scope.plan, context.host))
    for place, rules in written("\n".join(texts)).items():
        if loaded.get(place) != rules:
            raise Failed(
                f"chain {place[1]} of {place[0]} is not as planned: {_first(loaded.get(place, []), rules)}"
            )
    return {"rules": len(planned)}


def written(text: str) -> dict[tuple[str, str], list[str]]:
    """Of a ruleset's text: by table and chain the rules in order, each as its counter's name or empty."""
    found: dict[tuple[str, str], list[str]] = {}
    table, chain = "", ""
    for line in map(str.strip, text.splitlines()):
        if start := re.match(r"table inet (\S+) \{$", line):
            table, chain = start[1], ""
        elif (start := re.match(r"chain (\S+) \{$", line)) and table:
            chain = start[1]
            found[table, chain] = []
        elif line == "}":
            chain = ""
        elif chain and line and not line.startswith(("#", "type filter")):
            name = re.search(r'counter name "([^"]+)"', line)
            found[table, chain].append(name[1] if name else "")
    return found


def _loaded(document: list[dict[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """The same of `nft -j list ruleset`."""
    found: dict[tuple[str, str], list[str]] = {}
    for rule in (item["rule"] for item in document if "rule" in item):
        counters = [e["counter"] for e in rule["expr"] if isinstance(e.get("counter"), str)]
        found.setdefault((rule["table"], rule["chain"]), []).append(counters[0] if counters else "")
    return found


def _first(loaded: list[str], planned: list[str]) -> str:
    """The first difference of two lists of rules, in words."""
    for number, (is_, should) in enumerate(zip(loaded, planned, strict=False), 1):
        if is_ != should:
            return f"rule {number} counts {is_ or 'nothing'}, not {should or 'nothing'}"
    return f"{len(loaded)} rules, not {len(planned)}"


def _validates(context: Context) -> dict[str, Any]:
    done = []
    for unit in daemons(context.host):
        if unit in VALIDATORS:
            context.out(VALIDATORS[unit])
            done.append(VALIDATORS[unit])
    return {"valid": done}


def _has_validator(_: Scope, host: HostPlan) -> bool:
    return any(unit in VALIDATORS for unit in daemons(host))


def _is_hardened(_: Scope, host: HostPlan) -> bool:
    return any(unit in HARDENED for unit in daemons(host))


def _has_certificates(scope: Scope, host: HostPlan) -> bool:
    return any(host.name in certificate.hosts for certificate in scope.plan.certificates)


def _certificates(context: Context) -> dict[str, Any]:
    """Every planned certificate of the host lies there and says what the plan says; no other does."""
    planned = [c for c in context.scope.plan.certificates if context.host.name in c.hosts]
    for certificate in planned:
        text = context.out(f"cat {KEYS}/{certificate.slot}/cert.pem")
        leaf = x509.load_pem_x509_certificate(text.encode())
        renew = context.scope.deployment.topology.certificates.renew_before_days
        seen = served.leaf(leaf, datetime.now(UTC), renew)
        for key, value in certificates.planned(certificate).items():
            if seen[key] != value:
                raise Failed(f"{certificate.slot}: {key} is {seen[key]!r}, planned {value!r}")
        context.out(
            f"openssl verify -untrusted {KEYS}/{certificate.slot}/chain.pem"
            f" -CAfile {KEYS}/{certificate.slot}/chain.pem -partial_chain {KEYS}/{certificate.slot}/cert.pem"
        )
    slots = set(context.out(f"find {KEYS} -mindepth 1 -maxdepth 1 -type d -printf '%f\\n'").split())
    if extra := slots - {str(c.slot) for c in planned}:
        raise Failed(f"certificates that nobody planned: {sorted(extra)}")
    return {"slots": sorted(slots)}


CHECKS: dict[str, Check] = {
    "services": Check("its daemons run, no unit has failed", _services),
    "hardening": Check("its daemons are confined by systemd", _hardened, _is_hardened),
    "listeners": Check("nothing listens that no flow leads to", _listeners),
    "keys": Check("private keys are readable for their daemon alone", _keys, _has_certificates),
    "firewall": Check("the loaded rules are those of the plan", _firewall),
    "configuration": Check("the daemons accept their configuration", _validates, _has_validator),
    "certificates": Check(
        "the planned certificates lie there: names, usage, key, dates, chain",
        _certificates,
        _has_certificates,
    ),
}
"""Every check by name."""

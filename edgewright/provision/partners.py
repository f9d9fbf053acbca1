"""`partners`: which organisations are configured or were seen, what each Edge knows of them now.

The Edges' own tables and journals are read over ssh; nothing is stored here, nothing is changed there. What
an Edge has learned it forgets after a day or with its daemon (docs/federation.md).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from edgewright import machines
from edgewright.access import partners as crossing
from edgewright.model import Deployment, credentials
from edgewright.provision.shell import ProvisionError, run

Kind = Literal["allowed", "blocked", "public", "hosting", "discovered", "unlisted"]
State = Literal["connected", "failed", "idle"]

TABLES = ("seen", "links", "failed", "rates", "reached", "targets")
"""Tables of an Edge that are read (roles/access_edge/files/partners.cfg)."""

RECENT = 5
"""Seconds that are looked back for the rate."""

_LOOK = """
import json, re, subprocess, sys, time
def run(*a):
    return subprocess.run(a, capture_output=True, text=True, errors="replace").stdout
def kamcmd(*a):
    return run("kamcmd", "-s", "unix:/run/kamailio/kamailio_ctl", *a)
found = {}
for table in sys.argv[1:]:
    said = kamcmd("htable.dump", table)
    pairs = re.findall(r"^\\s*name: (.*)\\n\\s*value: (.*)$", said, re.MULTILINE)
    found[table] = {n.strip(): v.strip() for n, v in pairs}
alive = re.findall(r"^\\s*id: (\\d+)$", kamcmd("core.tcp_list"), re.MULTILINE)
lines = []
out = run("journalctl", "--quiet", "--no-pager", "-o", "json", "--since=-1day", "-u", "kamailio",
          "--grep=edgewright event=partner-")
for line in out.splitlines():
    entry = json.loads(line)
    said = entry.get("MESSAGE")
    if isinstance(said, str) and "edgewright event=" in said:
        lines.append([int(entry["__REALTIME_TIMESTAMP"]) // 1000000, said[said.index("edgewright event="):]])
print(json.dumps({"tables": found, "lines": lines, "alive": alive, "now": int(time.time())}))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one Edge knows of a domain. Times are seconds since 1970, 0: never (in the last day)."""

    state: State = "idle"
    why: str = ""
    """The reason why it could not be reached."""
    since: int = 0
    """When the connection that is open was made."""
    address: str = ""
    certificate: str = ""
    """SHA-256 of the certificate that was verified on that connection."""
    last_in: int = 0
    last_out: int = 0
    rate: int = 0
    """Messages in the busiest of the last seconds; counted for discovered partners only."""
    contacts: int = 0
    """Users of ours reached in this period; counted for discovered partners only."""
    refused: str = ""
    """The last reason for a refusal that concerned the domain."""
    refused_at: int = 0


@dataclass(frozen=True, slots=True)
class Partner:
    """A domain, or a provider by its proxy's domain; `edges` by host."""

    domain: str
    kind: Kind
    via: str = ""
    """Fixed Access Edge or provider's proxy; empty: by the domain's SRV record."""
    provider: str = ""
    edges: dict[str, Seen] = field(default_factory=dict)

    @property
    def now(self) -> Seen:
        """All Edges together: the best state, the latest times, sums of what is counted."""
        best = max(self.edges.values(), key=lambda s: (s.state == "connected", s.state == "failed", s.since))
        return replace(
            best,
            last_in=max(s.last_in for s in self.edges.values()),
            last_out=max(s.last_out for s in self.edges.values()),
            rate=sum(s.rate for s in self.edges.values()),
            contacts=max(s.contacts for s in self.edges.values()),
            **_last_refusal(self.edges.values()),
        )


def _last_refusal(seen: Iterable[Seen]) -> dict[str, Any]:
    last = max(seen, key=lambda one: one.refused_at)
    return {"refused": last.refused, "refused_at": last.refused_at}


@dataclass(frozen=True, slots=True)
class Partners:
    """Every domain, in the order configured then seen; `unreachable`: Edges that did not answer, and why."""

    partners: tuple[Partner, ...]
    unreachable: dict[str, str]


def partners(deployment: Deployment) -> Partners:
    """Ask every Edge of a deployment.

    Raises:
        MachinesError: it was never provisioned.
    """
    made = machines.load(credentials.state_folder(deployment))
    edges = [host.name for host in made.hosts.values() if "access_edge" in host.roles]
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = dict(zip(edges, pool.map(lambda host: _ask(made.ssh_config, host), edges), strict=True))
    told = {host: answer for host, answer in answers.items() if not isinstance(answer, str)}
    silent = {host: answer for host, answer in answers.items() if isinstance(answer, str)}
    return Partners(tuple(_together(deployment, told)), silent)


def _ask(config: Path, host: str) -> dict[str, Any] | str:
    """What an Edge says, or why it does not."""
    command = shlex.join(["python3", "-I", "-c", _LOOK, *TABLES])
    try:
        done = run(["ssh", "-F", str(config), host, command], check=False, timeout=30)
        document: dict[str, Any] = json.loads(done.stdout)
    except ProvisionError as error:
        return str(error)
    except ValueError:
        return (done.stderr.strip().splitlines() or ["no answer"])[-1]
    return document


def _together(deployment: Deployment, told: Mapping[str, Mapping[str, Any]]) -> Iterator[Partner]:
    """Configured domains first, then those that were only seen."""
    known = {partner.domain: partner for partner in _configured(deployment)}
    for answer in told.values():
        for domain in sorted(_domains(answer["tables"])):
            if domain not in known and domain not in deployment.topology.sip_domains:
                known[domain] = _classified(deployment, domain, answer["tables"].get("targets", {}))
    for domain, partner in known.items():
        edges = {host: seen(domain, answer) for host, answer in told.items()}
        yield replace(partner, edges=edges or {"": Seen()})


def _configured(deployment: Deployment) -> Iterator[Partner]:
    policies = deployment.policies
    for allowed in policies.allowed_domains:
        yield Partner(allowed.domain, "allowed", allowed.proxy_fqdn or "")
    for name, public in sorted(policies.public_providers.items()):
        if public.enabled:
            yield Partner(public.proxy_fqdn.partition(".")[2], "public", public.proxy_fqdn, name)
    for name, hosting in sorted(policies.hosting_providers.items()):
        if hosting.enabled:
            yield Partner(hosting.proxy_fqdn.partition(".")[2], "hosting", hosting.proxy_fqdn, name)
    for blocked in policies.blocked_domains:
        yield Partner(blocked.domain, "blocked")


def _classified(deployment: Deployment, domain: str, targets: Mapping[str, str]) -> Partner:
    """A domain that nobody listed: what its SRV record makes of it."""
    # What is blocked is blocked below, too.
    if any(f".{domain}".endswith(f".{entry.domain}") for entry in deployment.policies.blocked_domains):
        return Partner(domain, "blocked")
    target = targets.get(domain, "").strip("|").partition("|")[0].partition(":")[0]
    found = crossing.classify(deployment, domain, target or None)
    if found.public is not None:
        proxy = deployment.policies.public_providers[found.public].proxy_fqdn
        return Partner(domain, "public", proxy, found.public)
    if found.hosting is not None:
        proxy = deployment.policies.hosting_providers[found.hosting].proxy_fqdn
        return Partner(domain, "hosting", proxy, found.hosting)
    discovers = deployment.policies.access_edge.enable_partner_discovery
    return Partner(domain, "discovered" if discovers else "unlisted")


def _domains(tables: Mapping[str, Mapping[str, str]]) -> set[str]:
    return {key.partition(">")[0] for key in tables.get("seen", {})} | set(tables.get("links", {}))


def seen(domain: str, answer: Mapping[str, Any]) -> Seen:
    """What an Edge's tables and journal say of a domain."""
    tables: Mapping[str, Mapping[str, str]] = answer["tables"]

    def noted(what: str) -> str:
        return tables.get("seen", {}).get(f"{domain}>{what}", "")

    link = tables.get("links", {}).get(domain, "").split("|")
    failed = tables.get("failed", {}).get(f"link|{domain}", "")
    open_ = len(link) == 4 and link[0] in answer["alive"]
    state: State = "connected" if open_ else "failed" if failed else "idle"
    # An Edge drops what has expired only now and then.
    recent = {f"{domain}|{answer['now'] - ago}" for ago in range(RECENT)}
    rates = [_number(v) for k, v in tables.get("rates", {}).items() if k in recent]
    pages = {k: _number(v) for k, v in tables.get("reached", {}).items() if k.count("|") == 1}
    newest = max((k for k in pages if k.startswith(f"{domain}|")), default="", key=_window)
    return Seen(
        state,
        failed if state == "failed" else "",
        _connected(domain, answer["lines"]) if state == "connected" else 0,
        link[1] if state == "connected" else "",
        link[3] if state == "connected" else "",
        _number(noted("in")),
        _number(noted("out")),
        max(rates, default=0),
        pages.get(newest, 0),
        noted("refused"),
        _number(noted("refused_at")),
    )


def _window(key: str) -> int:
    return _number(key.rpartition("|")[2])


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _connected(domain: str, lines: Iterable[tuple[int, str]]) -> int:
    """When the last connection to a domain was made."""
    made = [when for when, said in lines if f"event=partner-connected domain={domain} " in f"{said} "]
    return max(made, default=0)


def document(found: Partners) -> dict[str, Any]:
    """The content of `partners --json`: stable; keys may be added."""
    return {
        "partners": [asdict(partner) | {"now": asdict(partner.now)} for partner in found.partners],
        "unreachable": found.unreachable,
    }


def rows(found: Partners, now: datetime | None = None) -> Iterator[tuple[str, ...]]:
    """The rows that people read, one for each domain; see `COLUMNS`."""
    today = now or datetime.now(UTC)
    for partner in found.partners:
        seen_ = partner.now
        state = f"{seen_.state} {_ago(seen_.since, today)}".strip()
        if seen_.why:
            state += f": {seen_.why}"
        kind = f"{partner.kind} ({partner.provider})" if partner.provider else partner.kind
        refused = f"{seen_.refused}, {_ago(seen_.refused_at, today)}" if seen_.refused else ""
        yield (
            partner.domain,
            kind,
            state,
            seen_.certificate[:16],
            _ago(seen_.last_in, today),
            _ago(seen_.last_out, today),
            str(seen_.rate or ""),
            str(seen_.contacts or ""),
            refused,
        )


COLUMNS = ("domain", "class", "state", "certificate", "in", "out", "messages/s", "contacts", "last refusal")


def _ago(when: int, now: datetime) -> str:
    """How long ago: `12 s ago`, `5 min ago`, `3 h ago`."""
    if not when:
        return ""
    seconds = max(int(now.timestamp()) - when, 0)
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"

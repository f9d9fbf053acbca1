"""What our own hosts say about a run: reasons in their journals, packets counted by their firewalls.

One ssh session per host before and one after; the journal is read from a cursor, so clocks need not agree.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import urllib.parse
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgewright.proof.places import ssh

_PAIR = re.compile(r"([a-z_]+)=(\S*)")

PROGRAMS = ("kamailio", "nginx", "knot", "postgresql-17", "openssl")
"""Debian packages whose versions the evidence names."""

_LOOK = """
import json, subprocess, sys
programs, cursor = sys.argv[1].split(","), sys.argv[2] if len(sys.argv) > 2 else ""
def run(*a):
    return subprocess.run(a, capture_output=True, text=True, errors="replace").stdout
lines = []
if cursor:
    out = run("journalctl", "--quiet", "--no-pager", "-o", "cat", "--after-cursor=" + cursor)
    said = ("edgewright decision=", "edgewright event=")
    lines = [l[l.index(s):] for l in out.splitlines() for s in said if s in l]
    mark = ""
else:
    out = run("journalctl", "--quiet", "--no-pager", "-n", "1", "-o", "json")
    mark = json.loads(out.splitlines()[-1]).get("__CURSOR", "") if out.strip() else ""
try:
    found = json.loads(run("nft", "-j", "list", "counters") or "{}").get("nftables", [])
except ValueError:
    found = []
out = run("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *programs) if not cursor else ""
versions = dict(l.split(" ", 1) for l in out.splitlines() if l.count(" ") == 1 and not l.endswith(" "))
counters = {c["counter"]["name"]: c["counter"]["packets"] for c in found if "counter" in c}
print(json.dumps({"cursor": mark, "lines": lines, "counters": counters, "versions": versions}))
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a host; `why` says what failed, else it is empty."""

    cursor: str = ""
    lines: tuple[str, ...] = ()
    counters: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One logged refusal: which host, the reason id, and the rest of the line."""

    host: str
    reason: str
    correlation: str
    fields: dict[str, str]


def parse(host: str, line: str) -> Refusal | None:
    """The refusal in a journal line (logfmt, values percent-encoded); None for other decisions."""
    fields = {key: urllib.parse.unquote(value) for key, value in _PAIR.findall(line)}
    if fields.get("decision") != "refused" or not fields.get("reason"):
        return None
    return Refusal(host, fields["reason"], fields.get("correlation", ""), fields)


RECEIVED = "received"
"""The event that the lab's small partners log for each request that reaches them."""


def event(line: str) -> tuple[str, str] | None:
    """Correlation and name of the event in a journal line; None for decisions."""
    fields = {key: urllib.parse.unquote(value) for key, value in _PAIR.findall(line)}
    if "event" not in fields or not fields.get("correlation"):
        return None
    return fields["correlation"], fields["event"]


@dataclass
class Witness:
    """Looks at every host before and after, and what follows from the difference.

    `elsewhere`: hosts of other organisations, each with the ssh configuration by which it is reached.
    """

    config: Path
    hosts: tuple[str, ...]
    before: dict[str, Look] = field(default_factory=dict)
    after: dict[str, Look] = field(default_factory=dict)
    elsewhere: dict[str, Path] = field(default_factory=dict)

    async def begin(self) -> None:
        """Remember journal positions and counters."""
        self.before = await self._all(dict.fromkeys((*self.hosts, *self.elsewhere), ""))

    async def end(self) -> None:
        """Read what has come since."""
        self.after = await self._all({host: look.cursor for host, look in self.before.items()})

    async def _all(self, cursors: dict[str, str]) -> dict[str, Look]:
        looks = await asyncio.gather(*(self._look(host, cursor) for host, cursor in cursors.items()))
        return dict(zip(cursors, looks, strict=True))

    async def _look(self, host: str, cursor: str) -> Look:
        command = shlex.join(
            ["python3", "-I", "-c", _LOOK, ",".join(PROGRAMS), *([cursor] if cursor else [])]
        )
        process = await asyncio.create_subprocess_exec(
            *ssh(self.elsewhere.get(host, self.config), host, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(25):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return Look(why="no answer in 25 s")
        try:
            document: dict[str, Any] = json.loads(out)
        except ValueError:
            return Look(why=err.decode("utf-8", "replace").strip() or "no answer")
        return Look(document["cursor"], tuple(document["lines"]), document["counters"], document["versions"])

    def refusals(self) -> dict[str, list[Refusal]]:
        """Logged refusals since `begin`, by correlation id."""
        found: dict[str, list[Refusal]] = {}
        for host, look in self.after.items():
            for line in look.lines:
                refusal = parse(host, line)
                if refusal:
                    found.setdefault(refusal.correlation, []).append(refusal)
        return found

    def reached(self) -> dict[str, set[str]]:
        """By correlation id: hosts that logged since `begin` that such a request reached them."""
        found: dict[str, set[str]] = {}
        for host, look in self.after.items():
            for line in look.lines:
                seen = event(line)
                if seen and seen[1] == RECEIVED:
                    found.setdefault(seen[0], set()).add(host)
        return found

    def counted(self) -> dict[str, dict[str, int]]:
        """By host and named counter: packets since `begin`, only where there were any."""
        found: dict[str, dict[str, int]] = {}
        for host, look in self.after.items():
            old = self.before.get(host, Look()).counters
            # A rule set that was loaded anew in between starts at zero.
            grown = {n: p - old.get(n, 0) if p >= old.get(n, 0) else p for n, p in look.counters.items()}
            found[host] = {name: packets for name, packets in grown.items() if packets}
        return found

    def versions(self) -> dict[str, str]:
        """Versions of the programs that ran on the hosts; several different ones joined."""
        found: dict[str, set[str]] = {}
        for look in self.before.values():
            for name, version in look.versions.items():
                found.setdefault(name, set()).add(version)
        return {name: ", ".join(sorted(versions)) for name, versions in sorted(found.items())}

    def problems(self) -> list[str]:
        """Hosts that could not be asked."""
        looks: Iterable[tuple[str, Look]] = [*self.before.items(), *self.after.items()]
        return sorted({f"{host}: {look.why}" for host, look in looks if look.why})


def reason(
    refusals: dict[str, list[Refusal]], correlation: Iterable[str], hosts: Container[str] | None = None
) -> str | None:
    """The reason logged for these ids by one of `hosts`; several joined by ` + `, which match nothing."""
    found = {
        refusal.reason
        for identity in correlation
        for refusal in refusals.get(identity, ())
        if hosts is None or refusal.host in hosts
    }
    return " + ".join(sorted(found)) or None

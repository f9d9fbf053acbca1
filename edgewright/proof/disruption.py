"""Disruptions: something is broken on purpose, cells are tried, and it is always put right again."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgewright.model.deployment import Deployment
from edgewright.model.topology import EdgePool
from edgewright.proof import expect, federation, messages, peers, sign_in, web
from edgewright.proof.case import RIGHT, Case, Maker, Receiver
from edgewright.proof.crossing import Person
from edgewright.proof.flips import Flip
from edgewright.proof.places import ssh
from edgewright.proof.scope import Scope, Seat
from edgewright.proof.types import Expected

AREA = "disruption"
SIP_DAEMON = "kamailio.service"
WEB_DAEMON = "nginx.service"
FRONT_END_RESTARTED = "front-end-restarted"
SAFETY = 180
"""Seconds after which a host puts itself right, should this program die meanwhile."""

PATIENCE = 16
"""Seconds that a client waits for a service that is down: longer than each of our hosts does."""

RECOVERY = 20.0
"""Seconds within which what was broken must work again without a hand laid on it."""


_FOLDER = "/etc/edgewright/certificates/web_external"
IMPOSTOR = f"""
cp -a {_FOLDER} {_FOLDER}.proof
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=impostor \\
  -keyout {_FOLDER}.proof/impostor.key -out {_FOLDER}.proof/impostor.crt
cat {_FOLDER}.proof/impostor.key > {_FOLDER}/privkey.pem
for part in cert fullchain; do cat {_FOLDER}.proof/impostor.crt > {_FOLDER}/$part.pem; done
systemctl reload {WEB_DAEMON}
sleep 1
"""
ITSELF = f"""
if [ -d {_FOLDER}.proof ]; then
  for part in privkey cert chain fullchain; do cat {_FOLDER}.proof/$part.pem > {_FOLDER}/$part.pem; done
  rm -r {_FOLDER}.proof
  systemctl reload {WEB_DAEMON}
  sleep 1
fi
"""
"""A backend that shows a certificate of its own making, and the way back; the files stay the same ones.

nginx reloads in the background: for some tenths of a second its old workers still answer.
"""


_TABLES = "/usr/local/sbin/edgewright-tables"
_SAFETY_OF_TABLES = """
set -e
before=$({tables} status | python3 -c 'import json, sys; print(json.load(sys.stdin)["committed"])')
systemctl stop edgewright-mend-policy.timer 2>/dev/null || true
systemctl reset-failed edgewright-mend-policy.service 2>/dev/null || true
systemd-run --quiet --on-active={safety} --timer-property=AccuracySec=1s --unit=edgewright-mend-policy \\
  {tables} rollback --checksum $before
"""
_FORGET_SAFETY_OF_TABLES = """
systemctl stop edgewright-mend-policy.timer || true
systemctl reset-failed edgewright-mend-policy.service 2>/dev/null || true
"""


@dataclass(frozen=True, slots=True)
class Disruption:
    """What is broken on which hosts (shell commands), and the waves meanwhile and afterwards."""

    name: str
    hosts: tuple[str, ...]
    breaking: str
    mending: str

    @property
    def during(self) -> str:
        """The wave while it is broken."""
        return f"{self.name}:during"

    @property
    def after(self) -> str:
        """The wave after it was put right."""
        return f"{self.name}:after"


class DisruptionError(Exception):
    """Something could not be broken or, worse, not be put right; the message says where."""


Enforce = Callable[[Deployment], object]
"""Brings policies, users and passwords of a deployment to all its hosts, or to none."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Breaks and mends over ssh, turns settings over and back."""

    config: Path
    enforce: Enforce | None = None
    elsewhere: dict[str, Path] = field(default_factory=dict)
    """Hosts that are reached by another ssh configuration."""

    async def begin(self, disruption: Disruption | Flip) -> None:
        """Break; each host first sets a timer that mends it whatever happens here.

        Raises:
            DisruptionError: a command failed.
        """
        if isinstance(disruption, Flip):
            await self._all(disruption, _SAFETY_OF_TABLES.format(tables=_TABLES, safety=SAFETY))
            await self._enforce(disruption.changed)
            return
        unit = f"edgewright-mend-{disruption.name}"
        timer = [
            "systemd-run",
            "--expand-environment=no",
            f"--on-active={SAFETY}",
            "--timer-property=AccuracySec=1s",
            f"--unit={unit}",
            "sh",
            "-c",
            disruption.mending,
        ]
        await self._all(disruption, f"set -e; {shlex.join(timer)}; {disruption.breaking}")

    async def end(self, disruption: Disruption | Flip) -> None:
        """Put right and take the timer away.

        Raises:
            DisruptionError: a command failed.
        """
        if isinstance(disruption, Flip):
            await self._enforce(disruption.described)
            await self._all(disruption, _FORGET_SAFETY_OF_TABLES)
            return
        unit = f"edgewright-mend-{disruption.name}"
        forget = f"systemctl stop {unit}.timer || true; systemctl reset-failed {unit}.service || true"
        await self._all(disruption, f"set -e; {disruption.mending}\n{forget}")

    async def _enforce(self, deployment: Deployment) -> None:
        try:
            if self.enforce is not None:
                await asyncio.to_thread(self.enforce, deployment)
        except Exception as error:  # whatever kept it from being enforced is for people to read
            raise DisruptionError(str(error)) from error

    async def _all(self, disruption: Disruption | Flip, command: str) -> None:
        said = await asyncio.gather(*(self._one(host, command) for host in disruption.hosts))
        if failed := [text for text in said if text]:
            raise DisruptionError(f"{disruption.name}: " + "; ".join(failed))

    async def _one(self, host: str, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *ssh(self.elsewhere.get(host, self.config), host, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, error = await process.communicate()
        return "" if process.returncode == 0 else f"{host}: {error.decode('utf-8', 'replace').strip()}"


def all_of(scope: Scope) -> tuple[Disruption, ...]:
    """The disruptions that a deployment can be put through."""
    found = []
    if directors := _directors(scope):
        found.append(
            Disruption(
                "next-hop-stopped", directors, f"systemctl stop {SIP_DAEMON}", f"systemctl start {SIP_DAEMON}"
            )
        )
    if front_ends := tuple(host.name for host in scope.plan.of_kind("front_end")):
        restart = f"systemctl restart {SIP_DAEMON}"
        found.append(Disruption(FRONT_END_RESTARTED, front_ends, restart, f"systemctl start {SIP_DAEMON}"))
    if backends := _backends(scope):
        found.append(Disruption("backend-impostor", backends, IMPOSTOR, ITSELF))
    return tuple(found)


def _directors(scope: Scope) -> tuple[str, ...]:
    """Hosts of the Edges' next hops, where these are Directors (a Front End also homes users)."""
    hops = {p.pool.next_hop for p in scope.plan.pools.values() if isinstance(p.pool, EdgePool)}
    return tuple(
        host
        for name in sorted(hops)
        if (pool := scope.plan.pools.get(name)) and pool.kind == "director"
        for host in pool.hosts
    )


def _backends(scope: Scope) -> tuple[str, ...]:
    """Hosts behind the first account's web name, where their external web listener is planned to run."""
    for publication in scope.plan.publications:
        if publication.row == "W1":
            active = any(
                f.active and f.service == "web_external" and set(publication.backends) <= set(f.target.hosts)
                for f in scope.plan.flows
            )
            if active:
                return publication.backends
    return ()


def make(scope: Scope) -> Iterator[Case]:
    """Cells of every disruption."""
    for disruption in all_of(scope):
        if disruption.name == "next-hop-stopped":
            yield from _next_hop(scope, disruption)
        elif disruption.name == FRONT_END_RESTARTED:
            yield from _restarted(scope, disruption)
        elif disruption.name == "backend-impostor":
            yield from _impostor(scope, disruption)


def _next_hop(scope: Scope, disruption: Disruption) -> Iterator[Case]:
    """G06: the Edge has one next hop; who is inside does not notice."""
    pair = sign_in.talkers(scope)
    if len(pair) < 2:
        return
    alice, bob = pair
    before: tuple[str, ...] = ()
    for seat in scope.seats:
        where = scope.sip(seat, scope.domain)
        if where is None:
            continue
        maker = Maker(AREA, expect.party(seat), "sign-in")
        arguments = where | {"user": alice, "password": RIGHT, "timeout": PATIENCE}
        again = maker.at(
            seat,
            "next-hop-started",
            "the next hop runs again",
            Expected(True),
            "sip.register",
            arguments,
            impact="disrupts",
        )
        # One after the other: more devices than a user may have would push out those that are signed in.
        yield Case(again, disruption.after, within=RECOVERY, after=before)
        before = (again.id,)
        meanwhile = expect.refused("next-hop-down", sip=True) if seat.side == "outside" else Expected(True)
        stopped = maker.at(
            seat,
            "next-hop-stopped",
            "the next hop is stopped",
            _unshown(meanwhile),
            "sip.register",
            arguments,
            control=again.id if seat.side == "outside" else None,
            impact="disrupts",
        )
        yield Case(stopped, disruption.during)
        yield from _messages(scope, disruption, seat, alice, bob)


def _messages(scope: Scope, disruption: Disruption, seat: Seat, alice: str, bob: str) -> Iterator[Case]:
    maker = Maker(AREA, expect.party(seat), messages.FEATURE)
    arguments = (scope.sip(seat, scope.domain) or {}) | {
        "user": alice,
        "password": RIGHT,
        "to": bob,
        "session": sign_in.session(alice, seat),
        "timeout": PATIENCE,
    }
    needs = (sign_in.sign_in_id(seat, alice), sign_in.sign_in_id(seat, bob))
    receiver = Receiver(seat.vantage, sign_in.session(bob, seat))
    again = maker.at(
        seat,
        "message-next-hop-started",
        "message, the next hop runs again",
        Expected(True, shown={"status": 200, "from": alice}),
        "sip.message",
        arguments,
        impact="disrupts",
    )
    yield Case(again, disruption.after, needs, receiver=receiver, within=RECOVERY)
    outside = seat.side == "outside"
    expected = _unshown(expect.refused("next-hop-down", sip=True)) if outside else again.expected
    stopped = maker.at(
        seat,
        "message-next-hop-stopped",
        "message, the next hop is stopped",
        expected,
        "sip.message",
        arguments,
        control=again.id if outside else None,
        impact="disrupts",
    )
    yield Case(stopped, disruption.during, needs, receiver=None if outside else receiver)


def _unshown(expected: Expected) -> Expected:
    """503 and 504 are both right (which one depends on whether a connection was still open)."""
    return expected if expected.allowed else replace(expected, shown={"status": [503, 504]})


def _restarted(scope: Scope, disruption: Disruption) -> Iterator[Case]:
    """Whose connection ended at the Front End itself comes back by signing in again."""
    pair = sign_in.talkers(scope)
    if len(pair) < 2:
        return
    others = federation.present(scope, pair) if peers.all_of(scope) else ()
    people = [Person(account, seat) for account in pair for seat in scope.at("inside")]
    people += [one for one in others if one.seat.side == "inside" and one.account not in pair]
    for person in people:
        account, seat = person.account, person.seat
        if scope.sip(seat, scope.domain) is None:
            continue
        back = Maker(AREA, expect.party(seat), "sign-in").at(
            seat,
            f"front-end-back-{sign_in.name(account)}",
            "the Front End runs again",
            sign_in.request(scope, seat, account),
            "sip.register",
            person.where(scope),
            impact="disrupts",
        )
        yield Case(back, disruption.after, federation.needs(scope, person), within=RECOVERY)


def _impostor(scope: Scope, disruption: Disruption) -> Iterator[Case]:
    """The proxy must not talk to a backend that cannot prove its name."""
    publication = next(p for p in scope.plan.publications if p.row == "W1")
    url = f"https://{publication.host}/"
    for seat in scope.at("outside"):
        maker = Maker(AREA, "anonymous", "publication")
        arguments = scope.name(seat, publication.host, 443) | {"url": url, "accept": web.ANSWERED}
        again = maker.at(
            seat,
            "backend-itself",
            "the backend shows its own certificate again",
            Expected(True),
            "http.request",
            arguments,
            impact="disrupts",
        )
        yield Case(again, disruption.after, within=RECOVERY)
        yield Case(
            maker.at(
                seat,
                "backend-impostor",
                "the backend shows another certificate",
                expect.refused("web-backend-untrusted", sip=False),
                "http.request",
                arguments,
                control=again.id,
                impact="disrupts",
            ),
            disruption.during,
        )

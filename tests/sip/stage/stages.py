"""The three roles under test: each with its real configuration, and its neighbours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import shlex
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from edgewright import model, plan
from edgewright.model.credentials import SECRETS, Credentials, digest
from edgewright.plan import tables as planned_tables
from edgewright.plan.types import Plan
from edgewright.provision.lab.podman import Podman
from edgewright.provision.shell import ProvisionError

from . import ground
from .journal import Journal
from .messages import Message
from .parties import Arrived, Connection, Loop, Party, Sent
from .pki import CLIENT, SERVER, Authority, Certificate
from .render import File, Roles, archive
from .resolver import Resolver
from .tables import Tables, file

DESCRIPTION = Path(__file__).parents[1] / "deployment"
PASSWORD = "correct horse battery"
"""Of every user."""
CONTROL = "run/kamailio/kamailio_ctl"
FIRST_PARTNER, FIRST_CLIENT = 100, 200
FRIENDS = 20
"""So many addresses are there for partners, and so many for clients."""


class Stage:
    """One role under test. Subclasses say which, and who is around it.

    `tables`, `journal`, `dns`: see the classes. Everything a test changes is put back by `reset`.
    """

    role: ClassVar[str]
    host: ClassVar[str]
    knobs: ClassVar[dict[str, Any]] = {}
    """Values for defaults of its roles."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Further hosts that are not played: each is a stage of its own, made with this one as `first`."""

    def __init__(self, first: Stage | None = None) -> None:
        podman = ground.podman()
        self._first = first
        self._folder = tempfile.TemporaryDirectory(prefix="edgewright-sip-")
        self.folder = Path(self._folder.name)
        if first is None:
            self.slot = ground.Slot(podman)
            self.inside, self.outside = Authority("Inside"), Authority("Outside")
            self.secrets = {name: secrets.token_urlsafe(24) for name in SECRETS}
            self.deployment = self._describe()
            self.plan: Plan = plan.make(self.deployment)
            self.loop, self.dns = Loop(), Resolver()
        else:
            self.slot, self.inside, self.outside = first.slot, first.inside, first.outside
            self.secrets, self.deployment, self.plan = first.secrets, first.deployment, first.plan
            self.loop, self.dns = first.loop, first.dns
        self.settings = self.plan.settings[self.host]
        self.journal = Journal(self.folder / "log")
        self.neighbours: list[Party] = []
        self.guests: list[Party] = []
        self._guests = 0 if first is None else FRIENDS // 2
        try:
            self._begin(podman)
        except BaseException:
            self.close()
            raise

    # -- making it -----------------------------------------------------------------------

    def _begin(self, podman: Podman) -> None:
        if self._first is None:
            self.slot.make()
        rows = self._write()
        own = [str(address) for address in self.plan.hosts[self.host].addresses()]
        image = ground.ensure_image(podman, self.plan.hosts[self.host].packages)
        fqdn = self.plan.hosts[self.host].fqdn
        self.container = ground.Container(podman, self.slot, image, fqdn, own, self.folder)
        self.tables = Tables(self.container.root / CONTROL, rows)
        try:
            self._populate()
        except OSError:
            time.sleep(1)  # without the container there is no bridge: say why it ended, if it did
            self._check()
            raise
        self._wait()

    def _describe(self) -> model.Deployment:
        folder = self.folder / "contoso"
        folder.mkdir()
        for source in DESCRIPTION.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        topology = yaml.safe_load((folder / "topology.yml").read_text())
        topology["networks"] = self.slot.networks
        (folder / "topology.yml").write_text(yaml.safe_dump(topology))
        resolvers = [self.slot.address(53), self.slot.address(53, 6)]
        surroundings = {"schema": 1, "resolvers": resolvers}
        (folder / "surroundings.yml").write_text(yaml.safe_dump(surroundings))
        return model.load(folder)

    @property
    def credentials(self) -> Credentials:
        """Everybody's digests, and the secrets."""
        users, realm = self.deployment.directory.users, self.deployment.realm
        digests = {address: digest(address, realm, PASSWORD) for address in users}
        return Credentials(realm, digests, self.secrets)

    def _write(self) -> dict[str, Mapping[str, str]]:
        """The host's files, and its start; the rows of its tables."""
        made = planned_tables.of_plan(self.deployment, self.credentials, self.plan)[self.host]
        roles = Roles(self.settings, self.secrets, self.knobs)
        files = list(roles.files("base", "/etc/hosts", "/etc/resolv.conf"))
        for role in self._roles():
            files += roles.files(role)
        pools = next(f.data for f in files if f.path == "/etc/kamailio/dispatcher.list")
        self._sets = {int(line.split()[0]) for line in pools.decode().splitlines() if line[:1].isdigit()}
        hook = json.loads(next(f.data for f in files if f.path.endswith("tables.d/kamailio.json")))
        names = set(hook["tables"])
        rows = {name: made[name].rows if name in made else {} for name in names}
        files.append(
            File(
                "/var/lib/edgewright/tables.sqlite",
                file(self.folder, rows, names),
                group="edgewright",
                mode=0o640,
            )
        )
        files += self._certificates()
        (self.folder / "files.tar").write_bytes(archive(files))
        (self.folder / "start").write_text(self._start(files))
        return rows

    def _roles(self) -> tuple[str, ...]:
        return (self.role,)

    def _certificates(self) -> Iterator[File]:
        trust = "/etc/edgewright/trust"
        yield File(f"{trust}/inside.pem", self.inside.pem.encode())
        yield File(f"{trust}/outside.pem", self.outside.pem.encode())
        for slot in self.settings["certificates"]["slots"]:
            authority = self.outside if slot["name"] == "edge_external" else self.inside
            eku = [{"server": SERVER, "client": CLIENT}[purpose] for purpose in slot["eku"]]
            certificate = authority.issue(*slot["sans"], eku=eku, subject=slot["subject"])
            folder = f"/etc/edgewright/certificates/{slot['name']}"
            chain = certificate.chain.encode()
            group = slot["group"]
            yield File(f"{folder}/privkey.pem", certificate.key_text.encode(), group=group, mode=0o640)
            yield File(f"{folder}/fullchain.pem", chain)
            yield File(f"{folder}/cert.pem", chain)
            yield File(f"{folder}/chain.pem", authority.pem.encode())

    def _start(self, files: Iterable[File]) -> str:
        """What systemd does from the unit and its drop-ins: users, what runs before, Kamailio as its user."""
        users = " ".join(shlex.quote(line) for line in self.settings["base"]["users"])
        lines = ["set -e", f"systemd-sysusers --inline {users}", "tar -xpf /harness/files.tar -C /"]
        for address in map(str, self.plan.hosts[self.host].addresses()):
            length = self.slot.lengths[6 if ":" in address else 4]
            lines.append(
                f"ip address replace {address}/{length} dev eth0 {'nodad' if ':' in address else ''}"
            )
        lines += ["install -d -o kamailio -g kamailio /run/kamailio", *self._before()]
        lines += ["set -a", "CFGFILE=/etc/kamailio/kamailio.cfg", ". /etc/edgewright/kamailio.env", "set +a"]
        become = "setpriv --reuid kamailio --regid kamailio --groups kamailio,edgewright"
        unit = "\n".join(f.data.decode() for f in files if "/kamailio.service.d/" in f.path)
        for command in re.findall(r"^ExecStartPre=(.*)$", unit, re.MULTILINE):
            if "edgewright-tables" not in command:
                lines.append(f"{become} {command}")
        program = re.findall(r"^ExecStart=(/.*)$", unit, re.MULTILINE)[-1]
        lines.append(f"exec {become} {program} -DD")
        return "\n".join(lines) + "\n"

    def _before(self) -> Iterable[str]:
        return ()

    def _populate(self) -> None:
        """The neighbours' addresses, the name server, and whoever is always there."""
        if self._first is not None:
            return
        others = [host for host in self.plan.hosts.values() if host.name not in (self.host, *self.beside)]
        friends = [
            *range(FIRST_PARTNER, FIRST_PARTNER + FRIENDS),
            *range(FIRST_CLIENT, FIRST_CLIENT + FRIENDS),
        ]
        self.slot.add(str(address) for host in others for address in host.addresses())
        self.slot.add(self.slot.address(n, family) for n in (53, *friends) for family in (4, 6))
        self.loop.run(self.dns.listen(self.slot.address(53), self.slot.address(53, 6)))

    def _check(self) -> None:
        said = f"it ended:\n{self.container.said()}\n" + "\n".join(self.journal.all)
        assert self.container.alive(), said

    def _wait(self) -> None:
        def answers() -> bool:
            self._check()
            try:
                return bool(self.tables.rpc("core.uptime"))
            except Exception:
                return False

        ground.wait_for(answers, 60, f"Kamailio does not answer:\n{self.container.said()}")
        seen: list[list[int]] = [[], []]

        def settled() -> bool:
            time.sleep(0.4)
            seen.append(self.container.processes())
            return seen[-1] == seen[-2]

        ground.wait_for(settled, 30, "processes come and go")

    # -- the neighbours ------------------------------------------------------------------

    def _peer(self, host: str, names: Iterable[str] | None = None) -> Party:
        """A host of ours, with a certificate of the inside CA."""
        found = self.plan.hosts[host]
        own = [str(a) for a in (found.interfaces[-1].ipv4, found.interfaces[-1].ipv6) if a is not None]
        certificate = self.inside.issue(*(names or (str(found.pool), found.fqdn)))
        party = Party(self.loop, host, own, certificate, [self.inside], self._targets("p"), self._fqdn)
        self.neighbours.append(party)
        return party

    @property
    def _fqdn(self) -> str:
        return self.plan.hosts[self.host].fqdn

    def _targets(self, side: str, letter: str = "") -> dict[int, tuple[str, int]]:
        """Sockets of the role by family: `p` inside, `x` outside with letter a (443) or b (5061)."""
        settings = self.settings[self.role]
        sockets = settings["inside"] + settings.get("outside", [])
        return {
            int(s["name"][1]): (s["address"], s["port"])
            for s in sockets
            if s["name"][0] == side and s["name"][2:] == letter
        }

    def _guest(
        self, name: str, base: int, certificate: Certificate | None, trusted: Iterable[Authority],
        targets: dict[int, tuple[str, int]], server_name: str,
    ) -> Party:  # fmt: skip
        number = base + self._guests % FRIENDS
        self._guests += 1
        own = [self.slot.address(number), self.slot.address(number, 6)]
        party = Party(self.loop, name, own, certificate, trusted, targets, server_name)
        self.guests.append(party)
        return party

    def stranger(self, *sans: str, authority: Authority | None = None, name: str = "stranger") -> Party:
        """Whoever comes to the inside sockets with a certificate for these names; none without names."""
        certificate = (authority or self.inside).issue(*sans) if sans else None
        return self._guest(name, FIRST_CLIENT, certificate, [self.inside], self._targets("p"), self._fqdn)

    # -- what tests ask ------------------------------------------------------------------

    def refused(self, sent: Sent | Message | str, reason: str, **more: str) -> dict[str, str]:
        """One refusal is logged for that request, with this reason (and party, status, method).

        Raises:
            AssertionError: none, others, or more than one.
        """
        call_id = (
            sent
            if isinstance(sent, str)
            else (sent.call_id if isinstance(sent, Sent) else sent.get("Call-ID"))
        )
        found = self.journal.refusals(call_id)
        assert [one["reason"] for one in found] == [reason], f"{found}\n" + "\n".join(self.journal.lines)
        for key, value in more.items():
            assert found[0][key] == value, found[0]
        return found[0]

    def not_refused(self, sent: Sent) -> None:
        """Nothing is logged as refused for that request (the answer is there already)."""
        assert self.journal.refusals(sent.call_id, 0) == []

    def stamp(
        self, message: Message, origin: str = "remote", *, level: str = "none", at: int | None = None,
        key: str | None = None, **columns: str,
    ) -> Message:  # fmt: skip
        """The message with the inside header that an Edge of ours puts on it (trust.cfg STAMP)."""
        value = self.stamp_for(message.get("Call-ID"), origin, level=level, at=at, key=key, **columns)
        return Message(message.start, [*message.headers, ("X-Edgewright-Origin", value)], message.body)

    def stamp_for(
        self, call_id: str, origin: str = "remote", *, level: str = "none", at: int | None = None,
        key: str | None = None, klass: str = "local",
    ) -> str:  # fmt: skip
        """The value of the inside header for a request with this Call-ID."""
        now = int(time.time()) if at is None else at
        text = f"{origin}|{klass}|{level}|{now}|{call_id}"
        return f"{origin};class={klass};level={level};t={now};h={self.mac(text, key or 'inside.header')}"

    def mac(self, text: str, secret: str) -> str:
        """HMAC-SHA256 under a secret of the deployment, as Kamailio's module crypto writes it."""
        made = hmac.new(self.secrets.get(secret, secret).encode(), text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")

    def reset(self) -> None:
        """The stage as every test finds it."""
        for party in self.guests:
            party.stop()
        self.guests.clear()
        for party in self.neighbours:
            party.answers_pings = True
            party.forget()
            if party.serves and not party.listening:
                party.listen()
                self._alive()
        self.dns.reset()
        self.tables.reset()
        self.journal.mark()

    def _alive(self) -> None:
        """Every member of every pool counts as alive again."""
        for number in self._sets:
            self.tables.rpc("dispatcher.set_state", "ap", number, "all")

    def close(self) -> None:
        """Remove all of it."""
        for party in [*self.guests, *self.neighbours]:
            party.stop()
        if self._first is None:
            self.loop.run(self.dns.close())
            self.slot.close()
            self.loop.close()
        self.journal.close()
        self._folder.cleanup()


class EdgeStage(Stage):
    """An Access Edge: clients and partners outside, a Director inside (`next_hop`)."""

    role, host = "access_edge", "edge1"

    def _populate(self) -> None:
        super()._populate()
        self.next_hop = self._peer("director1").listen()
        self.front_end = self._peer("fe1")

    @property
    def name(self) -> str:
        """Its public name."""
        return str(self.settings["access_edge"]["access_fqdn"])

    def client(self, name: str = "client") -> Party:
        """A client: no certificate, port 443."""
        return self._guest(name, FIRST_CLIENT, None, [self.outside], self._targets("x", "a"), self.name)

    def partner(
        self,
        domain: str,
        *,
        san: Iterable[str] | None = None,
        authority: Authority | None = None,
        **more: Any,
    ) -> Party:
        """A partner's Edge: port 5061, a certificate of the outside CA for `san` (default sip.<domain>).

        `more` goes to `Authority.issue`: eku, begins, ends. What DNS says of it is the test's to add
        (`publish`).
        """
        certificate = (authority or self.outside).issue(*(san or (f"sip.{domain}",)), **more)
        targets = self._targets("x", "b")
        return self._guest(domain, FIRST_PARTNER, certificate, [self.outside], targets, self.name)

    def publish(self, partner: Party, domain: str | None = None, target: str | None = None) -> None:
        """DNS for a partner: its SRV record (target sip.<domain>) and its addresses."""
        domain = domain or partner.name
        self.dns.federation(domain, target or f"sip.{domain}", *partner.addresses.values())


class DirectorStage(Stage):
    """A Director: an Edge outside of it (`edge`), a Front End behind it (`front_end`)."""

    role, host = "director", "director1"

    def _populate(self) -> None:
        super()._populate()
        self.front_end = self._peer("fe1").listen()
        self.edge = self._peer("edge1").listen()


class FrontEndStage(Stage):
    """A Front End with its PostgreSQL: a Director (`director`), an Edge (`edge`), clients inside."""

    role, host = "front_end", "fe1"

    def _roles(self) -> tuple[str, ...]:
        return ("database", "front_end")

    def _before(self) -> Iterable[str]:
        psql = "psql --quiet --no-psqlrc --file=/etc/edgewright/database/database.sql"
        become = "setpriv --reuid postgres --regid postgres --init-groups"
        return ("pg_ctlcluster 17 main start", f"{become} {psql}")

    def _populate(self) -> None:
        super()._populate()
        if self._first is None:
            self.director = self._peer("director1").listen()
            self.edge = self._peer("edge1").listen()

    def client(self, name: str = "client") -> Party:
        """A client inside: no certificate."""
        return self._guest(name, FIRST_CLIENT, None, [self.inside], self._targets("p"), self._fqdn)

    def forget(self) -> None:
        """Nobody is signed in."""
        for user in self.deployment.directory.users:
            try:
                self.tables.rpc("ul.rm", "location", user)
            except Exception:
                continue
        for tries in range(5):
            try:
                self.sql(
                    "TRUNCATE presentity, active_watchers, watchers, xcap, contacts, presence_changed"
                    ", presence_gone, presence_lists, presence_states CASCADE"
                )
            except ProvisionError as error:
                # Against the Front End's own work of the moment; PostgreSQL has chosen who comes again.
                if tries == 4 or "deadlock detected" not in str(error):
                    raise
            else:
                return

    def sql(self, statement: str) -> str:
        """What PostgreSQL says, as text."""
        become = ("setpriv", "--reuid", "kamailio", "--regid", "kamailio", "--clear-groups")
        ask = ("psql", "--no-psqlrc", "--quiet", "-At", "-d", "kamailio", "-c", statement)
        return self.container.run(*become, *ask).strip()

    def reset(self) -> None:
        """As every test finds it: nobody is signed in, no state published."""
        super().reset()
        self.forget()


__all__ = [
    "PASSWORD",
    "Arrived",
    "Connection",
    "DirectorStage",
    "EdgeStage",
    "FrontEndStage",
    "Party",
    "Stage",
]

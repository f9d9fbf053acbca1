"""A signed-in user moves to another Front End pool: two Front Ends with their databases, tables live."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from stage import program
from stage.digest import authorized
from stage.ground import MissingError
from stage.messages import Message, message, register
from stage.parties import Connection, Sent
from stage.stages import PASSWORD, FrontEndStage

from edgewright import model
from edgewright.plan import tables
from edgewright.provision import policies

ALICE, BOB = "alice@contoso.example", "bob@contoso.example"
POOL_A, POOL_B = "fe.inside.contoso.example", "feb.inside.contoso.example"
CLOSES = 5.0
"""Seconds within which who must leave is signed out (docs/live.md)."""


class PoolA(FrontEndStage):
    """fe1, where everybody is homed; fe2 stands beside it."""

    beside = ("fe2",)

    def _describe(self) -> model.Deployment:
        folder = super()._describe().folder
        topology = yaml.safe_load((folder / "topology.yml").read_text())
        site = topology["sites"]["hq"]
        site["front_end"] = [site["front_end"], {"pool": POOL_B, "hosts": ["fe2"]}]
        (folder / "topology.yml").write_text(yaml.safe_dump(topology))
        users = yaml.safe_load((folder / "users.yml").read_text())
        for user in users["users"].values():
            user["home"] = POOL_A
        (folder / "users.yml").write_text(yaml.safe_dump(users))
        return model.load(folder)


class PoolB(FrontEndStage):
    """fe2, which homes nobody yet."""

    host = "fe2"


class Pools:
    """Both, and the controller's hand on them."""

    def __init__(self, folder: Path) -> None:
        self.a = PoolA()
        try:
            self.b = PoolB(self.a)
        except BaseException:
            self.a.close()
            raise
        for one in (self.a, self.b):
            program.install(one.container)
        self.ssh = program.ssh(folder / "bin", {"fe1": self.a.container, "fe2": self.b.container})
        self.a._alive()
        self.b._alive()

    def apply(self, deployment: model.Deployment) -> policies.Applied:
        """What `edgewright apply --policies` does to these two hosts."""
        wanted = tables.of_plan(deployment, self.a.credentials, self.a.plan)
        hosts = ("fe1", "fe2")
        there = policies.Target(
            self.a.folder / "ssh_config", dict.fromkeys(hosts, "root"), {host: wanted[host] for host in hosts}
        )
        return policies.apply(there)

    def registered(self, stage: FrontEndStage, user: str) -> list[str]:
        """Contacts of a user in a pool's database."""
        asked = f"SELECT contact FROM location WHERE username = '{user.partition('@')[0]}'"
        become = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups")
        said = stage.container.run(
            *become, "psql", "--tuples-only", "--no-align", "-d", "kamailio", "-c", asked
        )
        return said.split()

    def close(self) -> None:
        self.b.close()
        self.a.close()


@pytest.fixture
def pools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pools]:
    try:
        made = Pools(tmp_path)
    except MissingError as missing:
        pytest.skip(str(missing))
    monkeypatch.setenv("PATH", f"{made.ssh}:{os.environ['PATH']}")
    try:
        yield made
    finally:
        made.close()


def moved(deployment: model.Deployment, user: str, pool: str) -> model.Deployment:
    """The deployment with a user homed elsewhere."""
    users: Mapping[str, Any] = deployment.directory.users
    changed = {**users, user: users[user].model_copy(update={"home": pool})}
    return replace(deployment, directory=deployment.directory.model_copy(update={"users": changed}))


def proven(connection: Connection, asked: Message) -> Sent:
    """The request, after its challenge."""
    challenge = connection.send(asked).answer()
    assert challenge.status in (401, 407), challenge.start
    return connection.send(authorized(asked, challenge, PASSWORD))


def signed_in(stage: FrontEndStage, user: str, name: str) -> Any:
    """A client inside, signed in at this Front End."""
    client = stage.client(name)
    proven(client.connect(), register(user)).expect(200)
    return client


def arrives(sender: Any, frm: str, receiver: Any, to: str, text: str) -> None:
    """A message from one client to another."""
    sent = proven(sender.connections[-1], message(frm, to, text))
    came = receiver.expect("MESSAGE")
    assert came.message.body == text.encode()
    came.reply(200)
    sent.expect(200)


def test_a_user_moves_to_another_pool(pools: Pools) -> None:
    deployment = pools.a.deployment
    assert not any("users" in host.changed for host in pools.apply(deployment).hosts), "in force already"
    alice, bob = signed_in(pools.a, ALICE, "alice"), signed_in(pools.a, BOB, "bob")
    arrives(bob, BOB, alice, ALICE, "before")
    old = alice.connections[-1]

    changed = moved(deployment, ALICE, POOL_B)
    done = pools.apply(changed)
    began = time.monotonic()
    assert {host.changed for host in done.hosts} == {("users", "web_user")}
    assert {host.rows for host in done.hosts} == {2}, "her row in each table, and nothing else"
    assert not done.unfinished
    assert old.wait_closed(CLOSES), "her connection is closed"
    assert time.monotonic() - began < CLOSES
    assert not pools.registered(pools.a, ALICE)
    assert pools.registered(pools.a, BOB)
    assert not bob.connections[-1].closed, "nobody else is touched"
    proven(bob.connections[-1], message(BOB, ALICE, "nobody there")).expect(480)

    # She signs in again where Autodiscover leads her now; her old pool no longer has her password.
    director = tables.of_plan(changed, pools.a.credentials, pools.a.plan)["director1"]
    assert f"home={POOL_B}" in director["users"].rows[ALICE], "the way of who comes from outside"
    proven(pools.a.client().connect(), register(ALICE)).expect(401)
    again = signed_in(pools.b, ALICE, "alice again")
    assert pools.registered(pools.b, ALICE)
    assert not pools.registered(pools.a, ALICE)
    arrives(bob, BOB, again, ALICE, "to the other pool")
    arrives(again, ALICE, bob, BOB, "and back")

    # And home again, while she is signed in there.
    pools.apply(deployment)
    assert again.connections[-1].wait_closed(CLOSES)
    assert not pools.registered(pools.b, ALICE)
    home = signed_in(pools.a, ALICE, "alice at home")
    assert pools.registered(pools.a, ALICE)
    arrives(bob, BOB, home, ALICE, "home")

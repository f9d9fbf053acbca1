"""The whole way between a user and a partner: real Edge, Director, Front End; and without a Director."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml
from stage.digest import authorized
from stage.ground import MissingError
from stage.messages import Message, absent, ack, invite, message, register, request, subscribe
from stage.parties import Party, Sent
from stage.stages import PASSWORD, DirectorStage, EdgeStage, FrontEndStage, Stage

from edgewright import model

ALICE, DAVE, GINA, NOBODY = (f"{name}@contoso.example" for name in ("alice", "dave", "gina", "nobody"))
DANA = "dana@fabrikam.example"
LEAKS = ("^X-", "^P-Asserted", "^Server:", "^ms-diagnostics:", r"inside\.contoso", "Proxy-Authorization")


class Outermost(EdgeStage):
    """The Edge; whoever stands behind it is real, too."""

    beside = ("director1", "fe1")

    def _populate(self) -> None:
        Stage._populate(self)


class Middle(DirectorStage):
    """The Director between them."""

    def _populate(self) -> None:
        Stage._populate(self)


class Alone(Outermost):
    """The Edge before a Front End that does the Director's work."""

    beside = ("fe1",)

    def _describe(self) -> model.Deployment:
        folder = super()._describe().folder
        topology = yaml.safe_load((folder / "topology.yml").read_text())
        site = topology["sites"]["hq"]
        del site["director"]
        site["edge"]["next_hop"] = site["front_end"]["pool"]
        (folder / "topology.yml").write_text(yaml.safe_dump(topology))
        return model.load(folder)


class Chain:
    """All of them, a partner and a remote user."""

    def __init__(self, kind: type[Outermost]) -> None:
        self.stages: list[Stage] = []
        try:
            self.edge = kind()
            self.stages.append(self.edge)
            if "director1" in kind.beside:
                self.stages.append(Middle(self.edge))
            self.front_end = FrontEndStage(self.edge)
            self.stages.append(self.front_end)
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """As every test finds them, with fabrikam and alice there."""
        for stage in self.stages:
            stage.reset()
        for stage in self.stages:
            stage._alive()
        self.fabrikam = self.edge.partner("fabrikam.example").listen()
        self.edge.publish(self.fabrikam)
        self.alice = self.signed_in(ALICE)

    def signed_in(self, user: str) -> Party:
        """A user outside, with a connection of his own."""
        client = self.edge.client(user)
        asked = register(user, headers={"Supported": "path, outbound"})
        again = authorized(asked, client.send(asked).answer(), PASSWORD)
        client.send(again).expect(200)
        return client

    def said(self, client: Party, asked: Message) -> Sent:
        """A request of a user outside, the challenge answered."""
        return client.send(authorized(asked, client.send(asked).expect(407), PASSWORD))

    def refused(self, sent: Sent, reason: str) -> None:
        """One host logs it, with this reason."""
        found = [one for stage in self.stages for one in stage.journal.refusals(sent.call_id, 0.3)]
        reasons = [one["reason"] for one in found if one["status"] != "407"]
        assert reasons == [reason], found

    def close(self) -> None:
        """Remove all."""
        for stage in reversed(self.stages):
            stage.close()


@pytest.fixture(scope="module", params=[Outermost, Alone], ids=["director", "alone"])
def _chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    try:
        made = Chain(request.param)
    except MissingError as missing:
        pytest.skip(str(missing))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def chain(_chain: Chain) -> Iterator[Chain]:
    """The chain, alice signed in, fabrikam there."""
    _chain.begin()
    yield _chain
    for stage in _chain.stages:
        assert stage.container.alive(), stage.container.said()


def test_messages_both_ways(chain: Chain) -> None:
    sent = chain.said(chain.alice, message(ALICE, DANA, "hi"))
    came = chain.fabrikam.expect("MESSAGE", {"ms-source-verified-user": "verified"}, LEAKS, timeout=8)
    came.reply(200, "OK", {"Server": "theirs"})
    sent.expect(200, must_not=LEAKS, timeout=8)
    back = chain.fabrikam.send(message(DANA, ALICE, "hello"))
    chain.alice.expect("MESSAGE", must_not=["^X-", "^ms-source", "^Route"]).reply(200)
    back.expect(200, must_not=LEAKS)


def test_a_call_both_ways_and_its_end(chain: Chain) -> None:
    sent = chain.said(chain.alice, invite(ALICE, DANA, from_tag="alice"))
    came = chain.fabrikam.expect("INVITE", must_not=LEAKS, timeout=8)
    routes = came.all("Record-Route")
    came.message.headers = [(n, f"{v};tag=dana" if n == "To" else v) for n, v in came.message.headers]
    came.reply(200, "OK", {"Contact": "<sip:dana@198.51.100.9:5061;transport=tls>"})
    answer = sent.expect(200, must_not=LEAKS, timeout=8)
    chain.alice.send(ack(sent.message, answer))
    chain.fabrikam.expect("ACK", must_not=LEAKS)

    def theirs(method: str, cseq: int) -> Sent:
        return chain.fabrikam.send(
            request(
                method, DANA, ALICE, uri="sip:alice@198.51.100.7:5061;transport=tls", call_id=sent.call_id,
                from_tag="dana", to_tag="alice", cseq=cseq, headers=[("Route", one) for one in routes],
            )
        )  # fmt: skip

    told = theirs("INFO", 2)
    chain.alice.expect("INFO", must_not=["^X-"]).reply(200)
    told.expect(200)
    ours = [("Route", one) for one in reversed(answer.all("Record-Route"))]
    mine = request(
        "INFO", ALICE, DANA, uri="sip:dana@198.51.100.9:5061;transport=tls", call_id=sent.call_id,
        from_tag="alice", to_tag="dana", cseq=7, headers=ours,
    )  # fmt: skip
    asked = chain.alice.send(mine)
    chain.fabrikam.expect("INFO", must_not=LEAKS).reply(200)
    asked.expect(200)
    chain.front_end.tables.change("users", ALICE, federation="0", public="0", xmpp="0")
    late = theirs("INFO", 3)
    late.expect(404, {"ms-diagnostics-public": absent})
    chain.alice.nothing("INFO")
    chain.front_end.tables.change("users", ALICE, federation="1")
    ended = theirs("BYE", 4)
    chain.alice.expect("BYE").reply(200)
    ended.expect(200)


def test_a_call_from_the_partner(chain: Chain) -> None:
    sent = chain.fabrikam.send(invite(DANA, ALICE, from_tag="dana"))
    came = chain.alice.expect("INVITE", must_not=["^X-", "^Route"])
    routes = came.all("Record-Route")
    came.message.headers = [(n, f"{v};tag=alice" if n == "To" else v) for n, v in came.message.headers]
    came.reply(200, "OK", {"Contact": "<sip:alice@198.51.100.7:5061;transport=tls>"})
    answer = sent.expect(200, must_not=LEAKS)
    chain.fabrikam.send(ack(sent.message, answer))
    chain.alice.expect("ACK")
    bye = request(
        "BYE", ALICE, DANA, uri="sip:dana@198.51.100.9:5061;transport=tls", call_id=sent.call_id,
        from_tag="alice", to_tag="dana", headers=[("Route", one) for one in routes],
    )  # fmt: skip
    ended = chain.alice.send(bye)
    chain.fabrikam.expect("BYE", must_not=LEAKS, timeout=8).reply(200)
    ended.expect(200)


def test_one_answer_for_all_whom_a_partner_cannot_reach(chain: Chain) -> None:
    chain.signed_in(DAVE)
    reasons = {NOBODY: "callee-unavailable", GINA: "callee-unavailable", DAVE: "federation-access-off"}
    faces = set()
    for to, reason in reasons.items():
        sent = chain.fabrikam.send(message(DANA, to))
        found = sent.expect(404, must_not=LEAKS)
        chain.refused(sent, reason)
        faces.add((found.start, tuple(sorted(name for name, _ in found.headers))))
    assert len(faces) == 1, faces


@pytest.mark.parametrize(
    ("user", "to", "reason"),
    [
        (ALICE, "zoe@adatum.example", "domain-blocked"),
        (ALICE, "zoe@unlisted.example", "domain-not-federated"),
        (DAVE, DANA, "federation-access-off"),
        (DAVE, "zoe@adatum.example", "federation-access-off"),
        (DAVE, "walt@wingtip.example", "public-access-off"),
        (ALICE, "new@contoso.example", "callee-unavailable"),
    ],
)
def test_why_one_of_ours_does_not_reach_somebody(chain: Chain, user: str, to: str, reason: str) -> None:
    wingtip = chain.edge.partner("wingtip.example")
    chain.edge.publish(wingtip)
    client = chain.alice if user == ALICE else chain.signed_in(user)
    sent = chain.said(client, message(user, to))
    assert sent.answer(8).status in (403, 480)
    chain.refused(sent, reason)


def test_presence_both_ways(chain: Chain) -> None:
    asked = subscribe(DANA, ALICE)
    sent = chain.fabrikam.send(asked)
    assert sent.answer(8).status in (200, 202)
    chain.fabrikam.expect("NOTIFY", {"Event": "presence.*"}, LEAKS, timeout=8).reply(200)
    mine = chain.said(chain.alice, subscribe(ALICE, DANA, from_tag="alice"))
    came = chain.fabrikam.expect("SUBSCRIBE", {"Event": "presence"}, LEAKS)
    routes = came.all("Record-Route")
    came.message.headers = [(n, f"{v};tag=dana" if n == "To" else v) for n, v in came.message.headers]
    came.reply(200, "OK", {"Contact": "<sip:dana@198.51.100.9:5061;transport=tls>", "Expires": "600"})
    mine.expect(200)
    target = re.search(r"<([^>]*)>", came.get("Contact"))
    assert target
    headers = [("Event", "presence"), ("Subscription-State", "active"), *(("Route", one) for one in routes)]
    told = chain.fabrikam.send(
        request(
            "NOTIFY", DANA, ALICE, uri=target[1], call_id=mine.call_id, from_tag="dana", to_tag="alice",
            headers=headers,
        )
    )  # fmt: skip
    chain.alice.expect("NOTIFY", must_not=["^X-"]).reply(200)
    told.expect(200)

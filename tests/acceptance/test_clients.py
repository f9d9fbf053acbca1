"""Real clients at the organisation's door: they sign in, see each other's presence, and exchange messages.

baresip where there is IPv4 only, linphonec where there is IPv6 only, and the other way round: each checks the
certificate, and each message crosses from one family to the other. The transcripts are kept in
`.edgewright/evidence/clients/`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real import Baresip, Client, Linphone

from edgewright import machines
from edgewright.model import credentials
from edgewright.model.deployment import Deployment

ALICE, BOB = "alice@contoso.example", "bob@contoso.example"
PAIRS: list[tuple[tuple[type[Client], str], tuple[type[Client], str]]] = [
    ((Baresip, "client4"), (Linphone, "client6")),
    ((Linphone, "client4"), (Baresip, "client6")),
]


@pytest.fixture(scope="module", params=PAIRS, ids=["baresip4-linphone6", "linphone4-baresip6"])
def pair(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[tuple[Client, Client]]:
    """Alice and Bob with their clients, signed in."""
    needed = {host for _, host in request.param}
    vantages = deployment.surroundings.vantages if deployment.surroundings else {}
    if not all(host in vantages and vantages[host].clients for host in needed):
        pytest.skip("surroundings.yml has no client4 and client6 with `clients`")
    server = next(edge.access.fqdn for site in deployment.topology.sites.values() for edge in site.edge)
    state = credentials.state_folder(deployment)
    ssh = machines.load(state).ssh_config
    passwords = credentials.accounts(deployment)
    clients: list[Client] = []
    try:
        for (kind, host), user, friend in zip(request.param, (ALICE, BOB), (BOB, ALICE), strict=True):
            clients.append(kind(ssh, host, user, passwords[user], friend, server))
        for client in clients:
            client.signed_in()
        yield clients[0], clients[1]
    finally:
        folder = state.parent / "evidence" / "clients"
        folder.mkdir(parents=True, exist_ok=True)
        for client in clients:
            (folder / f"{client.program}-{client.host}.txt").write_text(client.transcript(), encoding="utf-8")
            client.close()


def test_both_sign_in(pair: tuple[Client, Client]) -> None:
    assert {client.host for client in pair} == {"client4", "client6"}


def test_each_sees_the_other(pair: tuple[Client, Client]) -> None:
    for client in pair:
        client.sees_friend()


def test_messages_go_both_ways(pair: tuple[Client, Client]) -> None:
    for number, (sender, recipient) in enumerate((pair, pair[::-1])):
        text = f"hello number {number} from {sender.program}"
        sender.message(text)
        recipient.received(text)

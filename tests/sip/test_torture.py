"""Torture messages of RFC 4475 and RFC 5118: each gets what it deserves, and nothing stops working by it.

Each is sent as it is printed, by a client (443) and by a partner (5061); and with its users moved into our
domain, by a client to the Edge, and as if an Edge had let it through to Director and Front End. Where
Kamailio is stricter than the RFC, it is named below.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torture
from stage.messages import options, register
from stage.stages import DirectorStage, EdgeStage, FrontEndStage, Stage
from torture import Torture

FORWARDED, CLOSED, IGNORED = "forwarded", "closed", "ignored"
USUAL = (403, FORWARDED)
"""Well-formed: refused for its domain, and routed when it is ours."""

EXPECTED: dict[str, tuple[int | str, int | str]] = {
    # Kamailio: no line folding within CSeq, although valid (elsewhere it is no matter).
    "wsinv": (CLOSED, CLOSED),
    # Kamailio: no % in names of headers, although valid; it answers nothing to what it cannot read.
    "intmeth": (IGNORED, IGNORED),
    "esc02": (IGNORED, IGNORED),
    # Responses to nothing that was asked go nowhere.
    "unreason": (IGNORED, IGNORED),
    "noreason": (IGNORED, IGNORED),
    "scalarlg": (IGNORED, IGNORED),
    "bcast": (IGNORED, IGNORED),
    # What is not SIP, or has no end: a stream cannot be read on after it.
    "badinv01": (CLOSED, CLOSED),
    "ncl": (CLOSED, CLOSED),
    "quotbal": (CLOSED, CLOSED),
    "lwsruri": (CLOSED, CLOSED),
    "lwsstart": (CLOSED, CLOSED),
    "badvers": (CLOSED, CLOSED),
    "bigcode": (CLOSED, CLOSED),
    "insuf": (CLOSED, CLOSED),
    "multi01": (CLOSED, CLOSED),
    "mcl01": (CLOSED, CLOSED),
    "inv2543": (CLOSED, CLOSED),
    # Waits for the rest (and is closed in the end, see test_hostile.py).
    "clerr": (IGNORED, IGNORED),
    "scalar02": (400, 400),
    "ltgtruri": (400, 400),
    "mismatch01": (400, 400),
    "mismatch02": (400, 400),
    "unkscm": (400, 400),
    "novelsc": (400, 400),
    "unksm2": (400, 400),
    "bext01": (420, 420),
    "zeromf": (483, 483),
    # RFC 5118: the target is an address that is none of our domains.
    "ipv6-bad": (400, 400),
    "ipv6-good": (403, 403),
    "port-ambiguous": (403, 403),
    "port-unambiguous": (403, 403),
    "ipv6-in-sdp": (403, 403),
    "mult-ip-in-sdp": (403, 403),
    "ipv6-bug-abnf-3-colons": (403, 403),
    "ipv6-correct-abnf-2-colons": (403, 403),
    # To no user of a server: a keep-alive.
    "via-received-param-no-delim": (200, 200),
}
ALL = [*torture.read("rfc4475"), *torture.read("rfc5118")]
each = pytest.mark.parametrize("message", ALL, ids=lambda message: message.name)


def test_all_messages_of_both_documents_are_there() -> None:
    assert (len(list(torture.read("rfc4475"))), len(list(torture.read("rfc5118")))) == (49, 12)
    assert set(EXPECTED) <= {message.name for message in ALL}


def unharmed(stage: Stage, before: list[int], control: Callable[[], object]) -> None:
    """The same processes as before, and a request on a new connection is served."""
    assert stage.container.processes() == before
    control()


def judged(outcome: list[int], expected: int | str) -> None:
    """What came back is what was expected."""
    if expected == CLOSED:
        assert outcome == [0]
    elif expected in (IGNORED, FORWARDED):
        assert outcome == []
    else:
        assert outcome[:1] == [expected]


@each
def test_from_a_client(edge: EdgeStage, message: Torture) -> None:
    expected = EXPECTED.get(message.name, USUAL)[0]
    before = edge.container.processes()
    connection = edge.client().connect()
    connection.write(message.data)
    judged(connection.outcome(0.15 if expected == IGNORED else 3), expected)
    unharmed(edge, before, lambda: edge.client().send(options("sip:contoso.example")).expect(200))
    if expected in (400, 403, 420, 483):
        edge.journal.wait(rf"decision=refused reason=\S+ .*status={expected}")
    edge.next_hop.nothing(within=0)


@each
def test_from_a_partner(edge: EdgeStage, message: Torture) -> None:
    expected = EXPECTED.get(message.name, USUAL)[0]
    before = edge.container.processes()
    connection = edge.partner("fabrikam.example").connect(6)
    connection.write(message.data)
    outcome = connection.outcome(0.15 if expected == IGNORED else 3)
    if expected == 403:
        assert len(outcome) >= 1
        assert 400 <= outcome[0] < 500
    else:
        judged(outcome, expected)
    unharmed(edge, before, lambda: edge.client().send(options("sip:contoso.example")).expect(200))
    edge.next_hop.nothing(within=0)


@each
def test_from_a_client_in_our_name(edge: EdgeStage, message: Torture) -> None:
    expected = EXPECTED.get(message.name, USUAL)[1]
    before = edge.container.processes()
    connection = edge.client().connect()
    connection.write(message.ours("contoso.example"))
    if expected == FORWARDED:
        method = message.data.split(b" ")[0].decode()
        came = edge.next_hop.expect(method, {"X-Edgewright-Origin": "remote;.*"}, must_not=["^Route:"])
        came.reply(403, "Forbidden")
        if message.name != "dblreq":  # what follows its body is no message and ends the connection
            judged(connection.outcome(3), 403)
    else:
        judged(connection.outcome(0.15 if expected == IGNORED else 3), expected)

    def control() -> None:
        sent = edge.client().send(register("alice@contoso.example"))
        edge.next_hop.expect("REGISTER").reply(200)
        sent.expect(200)

    edge.next_hop.forget()
    unharmed(edge, before, control)


def stamped(stage: Stage, message: Torture) -> bytes:
    """As an Edge would hand it on: with the inside header."""
    data = message.ours("contoso.example")
    call_id = next(
        (line.split(b":", 1)[1].strip() for line in data.split(b"\r\n") if _is_call_id(line)), b"none"
    )
    header = stage.stamp_for(call_id.decode("utf-8", "replace"))
    return data.replace(b"\r\n", f"\r\nX-Edgewright-Origin: {header}\r\n".encode(), 1)


def _is_call_id(line: bytes) -> bool:
    return line.split(b":", 1)[0].strip().lower() in (b"call-id", b"i")


@each
def test_let_through_to_a_director(director: DirectorStage, message: Torture) -> None:
    before = director.container.processes()
    connection = director.edge.connect()
    connection.write(stamped(director, message))
    outcome = connection.outcome(0.15)
    assert all(status == 0 or 400 <= status < 500 or status == 200 for status in outcome), outcome
    director.front_end.nothing(within=0)
    ping = options("sip:director.inside.contoso.example")
    unharmed(director, before, lambda: director.edge.connect().send(ping).expect(200))


@each
def test_let_through_to_a_front_end(front_end: FrontEndStage, message: Torture) -> None:
    before = front_end.container.processes()
    connection = front_end.director.connect()
    connection.write(stamped(front_end, message))
    outcome = connection.outcome(0.15)
    assert all(status == 0 or 400 <= status < 500 or status == 200 for status in outcome), outcome
    ping = options("sip:fe.inside.contoso.example")
    unharmed(front_end, before, lambda: front_end.director.connect().send(ping).expect(200))

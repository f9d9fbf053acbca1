"""A peer of another organisation, or somebody who says so: requests over a connection with a certificate.

Runs on the host that has the certificate: its key is read there and goes nowhere.
"""

from __future__ import annotations

from typing import Any

from . import call, sip
from .observation import HaltError, Observation, Transcript
from .sip_client import PLAIN, Agent, Answer, Connection, Request


async def peer(arguments: dict[str, Any], transcript: Transcript) -> Observation:
    """Connect as `net` says, show `certificate` (a folder; none: no certificate), send requests in turn.

    `requests` is a list of {`method`, `sender`, `to`, `headers`, `uri`, `text`, `event`}, each key by default
    that of `arguments`; one MESSAGE where there is no list. `count` sends each that many times. Allowed when
    each was taken. `shown` is that of the first that was refused, else of the last, with all `statuses`.
    """
    connection = await Connection.open(arguments, transcript)
    try:
        answers: list[Answer] = []
        for given in arguments.get("requests") or [{}]:
            wanted = arguments | given
            agent = Agent(connection, wanted["sender"], None, wanted)
            answers += [await _send(agent, wanted, transcript) for _ in range(int(wanted.get("count", 1)))]
    except HaltError as halt:
        # In TLS 1.3 a server refuses a certificate after the handshake: the alert comes instead of an answer.
        if any(word in halt.detail for word in ("alert", "certificate", "unknown ca")):
            raise _refused(halt) from halt
        raise
    finally:
        await connection.close()
    worst = next((a for a in answers if a.final.status >= 300), answers[-1])
    found = sip.observed(worst)
    if len(answers) > 1:
        found.shown["statuses"] = [a.final.status for a in answers]
    found.correlation = [a.call_id for a in answers]
    return found


def _refused(halt: HaltError) -> HaltError:
    made = HaltError("tls", halt.detail)
    made.correlation = halt.correlation
    return made


async def _send(agent: Agent, wanted: dict[str, Any], transcript: Transcript) -> Answer:
    method = wanted.get("method", "MESSAGE")
    if method == "INVITE":
        answer, dialog = await call.place(agent, wanted, transcript)
        if dialog is not None:
            await dialog.end(transcript)
        return answer
    headers = [(str(n), str(v)) for n, v in wanted.get("headers", [])]
    headers += [("Contact", f"<{agent.contact}>")] if method != "MESSAGE" else []
    body = b""
    if method == "MESSAGE":
        headers.append(("Content-Type", wanted.get("content_type", PLAIN)))
        body = str(wanted["text"]).encode()
    elif method == "SUBSCRIBE":
        headers += [("Event", wanted.get("event", "presence")), ("Expires", "60"),
                    ("Accept", "application/pidf+xml")]  # fmt: skip
    to = f"sip:{wanted['to']}"
    sender = f"sip:{wanted['sender']}"
    made = Request(method, wanted.get("uri") or to, to, sender, headers, body, wanted.get("to_tag", ""))
    return await agent.send(made, transcript)

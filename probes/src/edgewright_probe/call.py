"""Calls: INVITE with a session description, ACK, requests within the dialog, BYE (RFC 3261, 12 to 15)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from . import sip
from .answering import offered, sdp
from .observation import Observation, Transcript
from .sip_client import Agent, Answer, Request
from .sip_message import Message

LATE = 0.3
"""Seconds in which further devices may accept a call that one has accepted already."""


@dataclass
class Dialog:
    """An accepted call as its caller keeps it."""

    agent: Agent
    to: str
    sender: str
    call_id: str
    from_tag: str
    to_tag: str
    target: str
    routes: list[str]
    cseq: int

    @classmethod
    def of(cls, agent: Agent, request: Request, accepted: Message) -> Dialog:
        """The dialog that a 2xx makes (RFC 3261 section 12.1.2)."""
        tag = re.search(r";\s*tag=([^;>\s]+)", accepted.get("To"))
        target = re.sub(r"^.*<|>.*$", "", accepted.get("Contact")) or request.uri
        routes = [one.strip() for value in accepted.all("Record-Route") for one in value.split(",")]
        return cls(
            agent, request.to, request.sender, request.call_id, request.from_tag, tag[1] if tag else "",
            target, routes[::-1], request.cseq,
        )  # fmt: skip

    def request(self, method: str, *, new: bool = True) -> Request:
        """A request within the dialog; `new` takes the next sequence number."""
        self.cseq += new
        return Request(
            method, self.target, self.to, self.sender, [("Route", route) for route in self.routes],
            to_tag=self.to_tag, call_id=self.call_id, cseq=self.cseq, from_tag=self.from_tag,
        )  # fmt: skip

    def acknowledge(self, credentials: list[tuple[str, str]], transcript: Transcript) -> None:
        """The ACK to the 2xx (RFC 3261 section 13.2.2.4)."""
        self.agent.connection.send(self.agent.build(self.request("ACK", new=False), credentials), transcript)

    async def end(self, transcript: Transcript) -> Answer:
        """BYE."""
        return await self.agent.send(self.request("BYE"), transcript)


async def place(
    agent: Agent, arguments: dict[str, Any], transcript: Transcript
) -> tuple[Answer, Dialog | None]:
    """INVITE `to` with `media`; the dialog if it is accepted. Other devices that accept too are hung up."""
    media = tuple(arguments.get("media") or ("audio",))
    headers = [("Route", route) for route in agent.routes]
    headers += [(str(n), str(v)) for n, v in arguments.get("headers", [])]
    headers += [("Contact", f"<{agent.contact}>"), ("Content-Type", "application/sdp")]
    request = Request(
        "INVITE", arguments.get("uri") or f"sip:{arguments['to']}", f"sip:{arguments['to']}",
        f"sip:{arguments.get('sender') or agent.aor}", headers,
        sdp(agent.connection.local, str(arguments.get("text", "call")), media),
        timeout=float(arguments.get("timeout", 8)),
    )  # fmt: skip
    answer = await agent.send(request, transcript)
    if not 200 <= answer.final.status < 300:
        return answer, None
    made = Dialog.of(agent, request, answer.final)
    made.acknowledge(answer.credentials, transcript)
    await asyncio.sleep(LATE)
    late = agent.connection.late
    for other in [m for m in late if m.get("Call-ID") == request.call_id]:
        late.remove(other)
        further = Dialog.of(agent, request, other)
        if further.to_tag != made.to_tag:
            further.acknowledge(answer.credentials, Transcript())
            await further.end(Transcript())
    return answer, made


async def call(arguments: dict[str, Any], sessions: sip.Sessions, transcript: Transcript) -> Observation:
    """Call `to` from a held `session`, and hang up; with `hold` the call stays, by that name.

    `media` is a list of `audio`, `video`; `text` the session's subject. `shown` has `media`, what the answer
    offers, and `bye`, the status of hanging up.
    """
    agent, answer = await sessions.get(arguments["session"], arguments, transcript)
    if answer is not None and answer.final.status != 200:
        return sip.observed(answer)
    answer, dialog = await place(agent, arguments, transcript)
    found = sip.observed(answer)
    if dialog is None:
        return found
    found.shown["media"] = list(offered(answer.final.body))
    if name := arguments.get("hold"):
        sessions.dialogs[name] = dialog
        return found
    ended = await dialog.end(transcript)
    found.shown["bye"] = ended.final.status
    return found


async def within(arguments: dict[str, Any], sessions: sip.Sessions, transcript: Transcript) -> Observation:
    """A request of `method` (default INFO) within the held call `hold`; BYE ends it."""
    dialog: Dialog | None = sessions.dialogs.get(arguments["hold"])
    if dialog is None:
        return Observation("protocol", False, {"error": "the call is gone"})
    method = arguments.get("method", "INFO")
    if method == "BYE":
        del sessions.dialogs[arguments["hold"]]
    return sip.observed(await dialog.agent.send(dialog.request(method), transcript))

"""SIP verbs: hold and drop a registration, register, message, await, received.

Every verb takes `arguments` of `net.find` and `net.context` (where and how to connect) and:
`user` (address of record), `password` or none, `auth_user`, `algorithm` (MD5 or SHA-256).
`session` names a registration that is held on a connection; verbs that name the same one share it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from . import bodies
from .observation import HaltError, Observation, Transcript
from .sip_client import Agent, Answer, Arrival, Connection
from .sip_message import comparable


class Sessions:
    """Registrations held for the run, by name; each is made once even when asked for at the same time."""

    def __init__(self) -> None:
        self._held: dict[str, Agent] = {}
        self._made: dict[str, dict[str, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.marked: dict[tuple[str, str], Connection] = {}
        self.dialogs: dict[str, Any] = {}
        """Calls that are held, by name (`call.Dialog`)."""

    async def get(
        self, name: str, arguments: dict[str, Any], transcript: Transcript
    ) -> tuple[Agent, Answer | None]:
        """The agent of session `name` and, when it had to be made now, the answer to its REGISTER.

        Raises:
            HaltError: when the connection fails.
        """
        async with self._locks.setdefault(name, asyncio.Lock()):
            agent = self._held.get(name)
            if agent and not agent.connection.closed:
                return agent, None
            agent = await open_agent(arguments | {"instance": name}, transcript)
            answer = await agent.register(transcript)
            if answer.final.status == 200:
                self._held[name] = agent
                self._made[name] = arguments
            else:
                await agent.connection.close()
            return agent, answer

    async def again(self, name: str) -> tuple[Agent, Answer | None]:
        """The agent of a session that was made before, connected anew where its connection has been lost.

        Raises:
            HaltError: when the connection fails.
        """
        return await self.get(name, self._made[name], Transcript())

    def held(self, name: str) -> Agent | None:
        """The agent of a session that is held and open."""
        agent = self._held.get(name)
        return None if agent is None or agent.connection.closed else agent

    def last(self, name: str) -> Agent | None:
        """The agent of a session, open or not: what arrived has arrived."""
        return self._held.get(name)

    async def drop(self, name: str, transcript: Transcript) -> None:
        """Unregister and close a session; nothing happens when there is none.

        Where the connection has been lost, the binding is taken away over a new one (RFC 5626).
        """
        agent = self._held.pop(name, None)
        if agent is None:
            return
        with contextlib.suppress(HaltError):
            if agent.connection.closed:
                agent = await open_agent(self._made[name] | {"instance": name}, transcript)
            await agent.register(transcript, expires=0)
        await agent.connection.close()

    async def close(self) -> None:
        """Drop every session."""
        await asyncio.gather(*(self.drop(name, Transcript()) for name in list(self._held)))


async def open_agent(arguments: dict[str, Any], transcript: Transcript) -> Agent:
    """A connected agent for `user`.

    Raises:
        HaltError: when the connection fails.
    """
    connection = await Connection.open(arguments, transcript)
    return Agent(connection, arguments["user"], arguments.get("password"), arguments)


def observed(answer: Answer) -> Observation:
    """What a final response says: allowed when 2xx; status, challenges, public diagnostics, headers."""
    final = answer.final
    shown: dict[str, Any] = {"status": final.status, "challenges": answer.challenges}
    if answer.algorithm:
        shown["algorithm"] = answer.algorithm
    public = final.get("ms-diagnostics-public")
    if public:
        shown["ms_diagnostics_public"] = public.partition(";")[0].strip()
    if final.get("ms-diagnostics"):
        shown["ms_diagnostics"] = final.get("ms-diagnostics")
    shown["headers"] = comparable(final)
    allowed = 200 <= final.status < 300
    return Observation("done" if allowed else "policy", allowed, shown, [answer.call_id])


async def register(arguments: dict[str, Any], sessions: Sessions, transcript: Transcript) -> Observation:
    """Sign in and, unless `session` holds it, sign out again; `mark` remembers the connection by a name."""
    name = arguments.get("session")
    if name:
        agent, answer = await sessions.get(name, arguments, transcript)
        if answer is None:
            answer = await agent.register(transcript)
        if mark := arguments.get("mark"):
            sessions.marked[name, mark] = agent.connection
        return observed(answer)
    agent = await open_agent(arguments, transcript)
    agent.connection.stays = False
    try:
        answer = await agent.register(transcript)
        if answer.final.status == 200:
            with contextlib.suppress(HaltError):
                await agent.register(Transcript(), expires=0)
        return observed(answer)
    finally:
        await agent.connection.close()


async def message(arguments: dict[str, Any], sessions: Sessions, transcript: Transcript) -> Observation:
    """Send `text` to `to`, in a held `session` or on a connection of its own that has not signed in.

    `sender` is what From claims (default `user`); `headers` is a list of [name, value]; `to_tag` makes it
    look in-dialog; `uri` overrides the request URI; `content_type`, `wraps` and `size` as in `bodies`.
    """
    name = arguments.get("session")
    extra = [(str(n), str(v)) for n, v in arguments.get("headers", [])]
    kind, text = bodies.make(arguments)

    async def send(agent: Agent) -> Observation:
        answer = await agent.message(
            arguments["to"], text, transcript, sender=arguments.get("sender"),
            headers=extra, to_tag=arguments.get("to_tag", ""), uri=arguments.get("uri"), content_type=kind,
            timeout=float(arguments.get("timeout", 8)),
        )  # fmt: skip
        found = observed(answer)
        found.data["text"] = text
        return found

    if name:
        agent, answer = await sessions.get(name, arguments, transcript)
        if answer is not None and answer.final.status != 200:
            return observed(answer)
        return await send(agent)
    agent = await open_agent(arguments, transcript)
    try:
        if arguments.get("forget"):
            await agent.forget(transcript)
        return await send(agent)
    finally:
        await agent.connection.close()


async def wait(arguments: dict[str, Any], sessions: Sessions, transcript: Transcript) -> Observation:
    """Whether a request with `token` in its text arrives in `session` within `timeout` s; From in `shown`."""
    agent = sessions.held(arguments["session"])
    if agent is None:
        return Observation("protocol", False, {"error": "session is gone"})
    arrived = await agent.connection.arrival(arguments["token"], float(arguments.get("timeout", 6)))
    if arrived is None:
        return Observation("protocol", False, {"error": "nothing arrived"})
    transcript.add(_text(arrived))
    kind = next((value for name, value in arrived.headers if name == "Content-Type"), "")
    return Observation(
        "done",
        True,
        {"from": arrived.sender, "content_type": kind.partition(";")[0].strip().lower()},
        data={"headers": arrived.headers, "text": arrived.text},
    )


async def received(arguments: dict[str, Any], sessions: Sessions, transcript: Transcript) -> Observation:
    """Texts of everything that has arrived in `session` so far."""
    agent = sessions.last(arguments["session"])
    found = [] if agent is None else agent.connection.arrivals
    for arrived in found:
        transcript.add(_text(arrived))
    return Observation("done", agent is not None, data={"texts": [item.text for item in found]})


async def drop(arguments: dict[str, Any], sessions: Sessions, transcript: Transcript) -> Observation:
    """Sign `session` out."""
    await sessions.drop(arguments["session"], transcript)
    return Observation("done", True)


async def same(arguments: dict[str, Any], sessions: Sessions, transcript: Transcript) -> Observation:
    """Whether the connection of `session` that was marked as `mark` is open, and used still."""
    connection = sessions.marked.get((arguments["session"], arguments["mark"]))
    agent = sessions.held(arguments["session"])
    stays = connection is not None and agent is not None and agent.connection is connection
    transcript.add("the connection is the same" if stays else "the connection is gone")
    return Observation("done" if stays else "protocol", stays, {"connected": stays})


async def gone(arguments: dict[str, Any], sessions: Sessions, transcript: Transcript) -> Observation:
    """Whether the server closes the connection of `session` marked as `mark` within `timeout` s."""
    connection = sessions.marked.get((arguments["session"], arguments["mark"]))
    if connection is None:
        return Observation("protocol", False, {"error": "there was no connection"})
    closed = await connection.ended(float(arguments.get("timeout", 5)))
    transcript.add("the server closed the connection" if closed else "the connection is still open")
    return Observation("done" if closed else "protocol", closed, {"closed": closed})


def _text(arrived: Arrival) -> str:
    headers = "\n".join(f"{n}: {v}" for n, v in arrived.headers)
    return f"< {arrived.method} arrived\n{headers}\n\n{arrived.text}"

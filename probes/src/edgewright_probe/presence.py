"""Presence verbs (RFC 3856, 3857, 3903, 4662): publish a state, subscribe and see what one is notified of.

They work in a held `session` (see `sip`) and stay until the end of the run: publications and subscriptions
are then taken back. `dialog` names a subscription: the first use makes it, each later one refreshes it (or
ends it, with `expires` 0).
"""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from .observation import HaltError, Observation, Transcript
from .sip import Sessions, observed, open_agent
from .sip_client import Agent, Answer, Arrival, Request

EXPIRES = 300
PIDF = "application/pidf+xml"
ACCEPTS = {
    "presence": f"{PIDF}, application/rlmi+xml, multipart/related",
    "presence.winfo": "application/watcherinfo+xml",
}
_ACTIVITIES = {
    "busy": "<r:busy/>",
    "away": "<r:away/>",
    "dnd": "<r:busy/><r:other>do-not-disturb</r:other>",
}


def pidf(aor: str, state: str, note: str = "") -> bytes:
    """A presence document: `state` is available, busy, away, dnd or offline."""
    basic = "closed" if state == "offline" else "open"
    activities = _ACTIVITIES.get(state, "")
    said = f"<dm:note>{escape(note)}</dm:note>" if note else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
        f'xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity={quoteattr("sip:" + aor)}>'
        f'<tuple id="probe"><status><basic>{basic}</basic></status></tuple>'
        f'<dm:person id="probe-person"><r:activities>{activities}</r:activities>'
        f"<r:place-type><r:other>here</r:other></r:place-type>{said}</dm:person></presence>\n"
    ).encode()


@dataclass
class Subscription:
    """A dialog that a SUBSCRIBE has made (RFC 6665)."""

    agent: Agent
    package: str
    call_id: str
    from_tag: str
    to: str
    to_tag: str
    target: str
    routes: list[str]
    cseq: int
    list_of_resources: bool = False
    seen: int = 0
    """How many NOTIFY requests were looked at."""


@dataclass
class Held:
    """What a session has published (entity tag by package) and subscribed to (by name)."""

    etags: dict[str, str] = field(default_factory=dict)
    dialogs: dict[str, Subscription] = field(default_factory=dict)


class Presences:
    """Publications and subscriptions of all sessions."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self._held: dict[str, Held] = {}

    def of(self, session: str) -> Held:
        """What `session` holds."""
        return self._held.setdefault(session, Held())

    async def leave(self, session: str) -> None:
        """Take back what `session` has published and subscribed to.

        Where the connection has been lost, what is published is taken back over a new one: it would outlive
        the run. A subscription ends by itself when nobody can be told.
        """
        held = self._held.pop(session, Held())
        if not held.etags and not held.dialogs:
            return
        with contextlib.suppress(HaltError):
            agent, made_now = await self.sessions.again(session)
            if made_now is None:
                for dialog in held.dialogs.values():
                    await _refresh(dialog, 0, Transcript())
            for package, etag in held.etags.items():
                await _publish(agent, agent.aor, package, b"", PIDF, 0, etag, Transcript())

    async def close(self) -> None:
        """The same for every session."""
        for session in list(self._held):
            await self.leave(session)


async def publish(arguments: dict[str, Any], presences: Presences, transcript: Transcript) -> Observation:
    """Publish `state` with the note `text`, or `body` of `type`; `to` for somebody else.

    `package` is the Event, `expires` in seconds. Allowed: 2xx.
    """
    session = arguments["session"]
    agent, answer = await presences.sessions.get(session, arguments, transcript)
    if answer is not None and answer.final.status != 200:
        return observed(answer)
    package = arguments.get("package", "presence")
    held = presences.of(session)
    if "body" in arguments:
        # Of bytes that are no text JSON can say nothing: they come as Latin-1.
        body = str(arguments["body"]).encode(arguments.get("encoding", "utf-8"))
    else:
        body = pidf(agent.aor, arguments.get("state", "available"), arguments.get("text", ""))
    answer = await _publish(
        agent, arguments.get("to", agent.aor), package, body, arguments.get("type", PIDF),
        int(arguments.get("expires", EXPIRES)), held.etags.get(package, ""), transcript,
    )  # fmt: skip
    if answer.final.status == 200 and (etag := answer.final.get("SIP-ETag")):
        held.etags[package] = etag
    return observed(answer)


async def _publish(
    agent: Agent, to: str, package: str, body: bytes, kind: str, expires: int, etag: str,
    transcript: Transcript,
) -> Answer:  # fmt: skip
    headers = [("Route", route) for route in agent.routes]
    headers += [("Event", package), ("Expires", str(expires))]
    if etag:
        headers.append(("SIP-If-Match", etag))
    if body:
        headers.append(("Content-Type", kind))
    request = Request("PUBLISH", f"sip:{to}", f"sip:{to}", f"sip:{agent.aor}", headers, body)
    return await agent.send(request, transcript)


async def subscribe(arguments: dict[str, Any], presences: Presences, transcript: Transcript) -> Observation:
    """Subscribe to `to` and wait for the first NOTIFY that follows (`timeout` s).

    In a held `session`; else on a connection of its own that has not signed in, and without a NOTIFY.
    `package` is the Event, `expires` in seconds (0: ask once), `list` true asks for a list of resources (RFC
    4662), `to_tag` pretends to be in a dialog. `shown` has the answer's status and, of the NOTIFY,
    `subscription` (active, pending, terminated), `basic`, `activities`, `notes`, `places`; `watchers` of
    watcher information; `resources` (address -> basic) of a list.
    """
    session = arguments.get("session")
    if session is None:
        agent = await open_agent(arguments, transcript)
        try:
            return observed((await _begin(agent, arguments, 0, transcript))[1])
        finally:
            await agent.connection.close()
    agent, answer = await presences.sessions.get(session, arguments, transcript)
    if answer is not None and answer.final.status != 200:
        return observed(answer)
    held = presences.of(session)
    name = arguments.get("dialog", "")
    expires = int(arguments.get("expires", EXPIRES))
    dialog = held.dialogs.get(name)
    if dialog is not None and dialog.agent is agent:
        answer = await _refresh(dialog, expires, transcript)
    else:
        dialog, answer = await _begin(agent, arguments, expires, transcript)
    result = observed(answer)
    if not result.allowed:
        held.dialogs.pop(name, None)
        return result
    if name:
        held.dialogs[name] = dialog
        if expires == 0:
            held.dialogs.pop(name)
    notified = await _notified(dialog, float(arguments.get("timeout", 8)))
    if notified is None:
        result.stage, result.allowed = "protocol", False
        result.shown["error"] = "no NOTIFY"
        return result
    transcript.add(f"< NOTIFY arrived\n{notified.text}")
    result.shown |= described(notified)
    return result


async def _begin(
    agent: Agent, arguments: dict[str, Any], expires: int, transcript: Transcript
) -> tuple[Subscription, Answer]:
    package = arguments.get("package", "presence")
    to = arguments["to"]
    several = bool(arguments.get("list"))
    request = Request(
        "SUBSCRIBE", f"sip:{to}", f"sip:{to}", f"sip:{agent.aor}",
        [
            *(("Route", route) for route in agent.routes),
            *((str(n), str(v)) for n, v in arguments.get("headers", [])),
            *_subscribes(agent, package, expires, several),
        ],
        to_tag=arguments.get("to_tag", ""),
    )  # fmt: skip
    answer = await agent.send(request, transcript)
    final = answer.final
    tag = re.search(r";\s*tag=([^;\s>]+)", final.get("To"))
    target = re.search(r"<([^>]+)>", final.get("Contact"))
    routes = [part.strip() for value in final.all("Record-Route") for part in value.split(",")]
    return Subscription(
        agent, package, answer.call_id, request.from_tag, to, tag[1] if tag else "",
        target[1] if target else f"sip:{to}", routes[::-1], request.cseq, several,
    ), answer  # fmt: skip


def _subscribes(agent: Agent, package: str, expires: int, several: bool) -> list[tuple[str, str]]:
    headers = [("Event", package), ("Expires", str(expires)), ("Contact", f"<{agent.contact}>")]
    headers.append(("Accept", ACCEPTS.get(package, "*/*")))
    if several:
        headers.append(("Supported", "eventlist"))
    return headers


async def _refresh(dialog: Subscription, expires: int, transcript: Transcript) -> Answer:
    """SUBSCRIBE within the dialog."""
    dialog.seen = len(_notifies(dialog))
    request = Request(
        "SUBSCRIBE", dialog.target, f"sip:{dialog.to}", f"sip:{dialog.agent.aor}",
        [
            *(("Route", route) for route in dialog.routes),
            *_subscribes(dialog.agent, dialog.package, expires, dialog.list_of_resources),
        ],
        to_tag=dialog.to_tag, call_id=dialog.call_id, cseq=dialog.cseq + 1, from_tag=dialog.from_tag,
    )  # fmt: skip
    answer = await dialog.agent.send(request, transcript)
    dialog.cseq = request.cseq
    return answer


async def look(arguments: dict[str, Any], presences: Presences, transcript: Transcript) -> Observation:
    """Wait until the newest NOTIFY of `dialog` in `session` says what `wanted` does; keys as of `subscribe`.

    Allowed when it does within `timeout` s; `shown` is the newest.
    """
    dialog = presences.of(arguments["session"]).dialogs.get(arguments["dialog"])
    if dialog is None:
        return Observation("protocol", False, {"error": "there is no such subscription"})
    wanted: dict[str, Any] = arguments["wanted"]
    shown: dict[str, Any] = {}

    def fits() -> bool:
        found = _notifies(dialog)
        if found:
            shown.clear()
            shown.update(described(found[-1]))
        return bool(found) and all(shown.get(key) == value for key, value in wanted.items())

    right = await dialog.agent.connection.until(fits, float(arguments.get("timeout", 8)))
    for arrived in _notifies(dialog)[-1:]:
        transcript.add(f"< newest NOTIFY\n{arrived.text}")
    return Observation("done" if right else "protocol", right, shown, [dialog.call_id])


def _notifies(dialog: Subscription) -> list[Arrival]:
    return [
        arrived
        for arrived in dialog.agent.connection.arrivals
        if arrived.method == "NOTIFY" and _header(arrived, "Call-ID") == dialog.call_id
    ]


def _header(arrived: Arrival, name: str) -> str:
    return next((v for n, v in arrived.headers if n.lower() == name.lower()), "")


async def _notified(dialog: Subscription, timeout: float) -> Arrival | None:
    """The first NOTIFY that has not been looked at."""
    await dialog.agent.connection.until(lambda: len(_notifies(dialog)) > dialog.seen, timeout)
    found = _notifies(dialog)
    if len(found) <= dialog.seen:
        return None
    dialog.seen += 1
    return found[dialog.seen - 1]


def described(arrived: Arrival) -> dict[str, Any]:
    """What a NOTIFY says."""
    said: dict[str, Any] = {"subscription": _header(arrived, "Subscription-State").partition(";")[0].strip()}
    kind = _header(arrived, "Content-Type")
    try:
        if kind.lower().startswith("multipart/related"):
            said["resources"] = _resources(kind, arrived.text)
        elif arrived.text.strip():
            root = _parse(arrived.text)
            said |= _watchers(root) if _local(root) == "watcherinfo" else _state(root)
    except (ET.ParseError, LookupError, UnicodeError) as error:
        said["error"] = f"not understood: {error}"
    return said


def _parse(document: str | bytes) -> ET.Element:
    """The root element. Without a document type there are no entities to fear."""
    if (b"<!DOCTYPE" if isinstance(document, bytes) else "<!DOCTYPE") in document:  # type: ignore[operator]
        raise ET.ParseError("it has a document type")
    return ET.fromstring(document)  # noqa: S314


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if _local(element) == name]


def _state(root: ET.Element) -> dict[str, Any]:
    basics = {(element.text or "").strip() for element in _all(root, "basic")}
    activities = {_local(one) for found in _all(root, "activities") for one in found}
    return {
        "basic": "open" if "open" in basics else "closed",
        "activities": sorted(activities),
        "notes": sorted({element.text or "" for element in _all(root, "note")}),
        "places": len(_all(root, "place-type")),
    }


def _watchers(root: ET.Element) -> dict[str, Any]:
    found = [((one.text or "").strip(), one.get("status", "")) for one in _all(root, "watcher")]
    return {"watchers": {uri.removeprefix("sip:"): status for uri, status in sorted(found)}}


def _resources(kind: str, text: str) -> dict[str, str]:
    """Address -> basic state (empty: none told) of a list of resources (RFC 4662 section 5)."""
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n{text}".encode(), policy=HTTP)
    parts: dict[str, bytes] = {}
    listed: dict[str, str] = {}
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        if part.get_content_type() == "application/rlmi+xml":
            for resource in _all(_parse(content), "resource"):
                address = resource.get("uri", "").removeprefix("sip:")
                instances = _all(resource, "instance")
                listed[address] = instances[0].get("cid", "") if instances else ""
        else:
            parts[str(part.get("Content-ID", "")).strip("<>")] = content
    return {
        address: _state(_parse(parts[cid]))["basic"] if cid in parts else ""
        for address, cid in sorted(listed.items())
    }

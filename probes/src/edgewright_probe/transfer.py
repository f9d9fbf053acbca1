"""Files between two people (RCC.07 section 3.5.4.8): uploaded, named in a message, fetched."""

from __future__ import annotations

import hashlib
import html
import re
from typing import Any

from . import http, sip
from .observation import Observation, Transcript

DOCUMENT = "application/vnd.gsma.rcs-ft-http+xml"
_ADDRESS = re.compile(r'<data url="([^"]+)"')


async def send(arguments: dict[str, Any], sessions: sip.Sessions, transcript: Transcript) -> Observation:
    """Upload a file of `bytes` bytes, then send `to` the document that says where it is.

    `upload`: arguments of `http.request` (url, where to connect, `user`, `password`). The file is called by
    `text`, and its bytes follow from `token`. Its own failure is shown like that of a request.
    """
    upload = arguments["upload"]
    asked = await http.request(upload | {"method": "POST"}, transcript)
    if asked.shown.get("status") != 204:
        return asked
    form = {"name": f"{arguments['text']}.bin", "seed": arguments["token"], "size": int(arguments["bytes"])}
    sent = await http.request(upload | {"method": "POST", "form": form}, transcript)
    if not sent.allowed:
        return sent
    named = arguments | {"text": sent.data["body"], "content_type": DOCUMENT}
    told = await sip.message(named, sessions, transcript)
    told.correlation += sent.correlation
    return told


async def wait(arguments: dict[str, Any], sessions: sip.Sessions, transcript: Transcript) -> Observation:
    """As `sip.wait`; the file that the message names is fetched: `fetched`, whether it is what was sent.

    `fetch`: where names are looked up and what is trusted, as in `http.request`; `bytes`: its size.
    """
    arrived = await sip.wait(arguments, sessions, transcript)
    found = _ADDRESS.search(str(arrived.data.get("text", "")))
    if found is None:
        return arrived
    asked = {"url": html.unescape(found[1]), "method": "GET"}
    got = await http.request(arguments["fetch"] | asked, transcript)
    wanted = hashlib.sha256(http.content(arguments["token"], int(arguments["bytes"]))).hexdigest()
    arrived.shown["fetched"] = got.allowed and got.data.get("sha256") == wanted
    return arrived

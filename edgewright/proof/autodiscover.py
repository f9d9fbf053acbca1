"""What an Autodiscover document says (reference 9a): the location a client is told, and where it is sent."""

from __future__ import annotations

import json
from typing import Any


def describe(body: str) -> dict[str, Any]:
    """`access_location`, `links` by token and `sip_external` of a JSON document; empty for anything else."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(document, dict) or "AccessLocation" not in document:
        return {}
    found: dict[str, Any] = {"access_location": document["AccessLocation"]}
    inner = next((document[kind] for kind in ("Root", "Domain", "User") if kind in document), None)
    if isinstance(inner, dict):
        links = inner.get("Links")
        if isinstance(links, list):
            found["links"] = {str(link.get("token")): str(link.get("href")) for link in links}
        access = inner.get("SipClientExternalAccess")
        if isinstance(access, dict):
            found["sip_external"] = f"{access.get('fqdn')}:{access.get('port')}"
    return found

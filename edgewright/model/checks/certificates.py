"""Sources of certificates can be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import pools
from edgewright.model.topology import CertificateFiles


def _certificates(deployment: Deployment) -> Iterator[Problem]:
    """Sources can be used: an ACME directory is known, placeholders are, Windows stores are on Windows."""
    certificates = deployment.topology.certificates
    surroundings = deployment.surroundings
    sources: list[tuple[Place, Any]] = [
        (("certificates", "outside"), certificates.outside),
        (("certificates", "inside"), certificates.inside),
        *((("certificates", "slots", slot), source) for slot, source in certificates.slots.items()),
    ]
    has_acme = certificates.acme or (
        surroundings and (surroundings.acme or surroundings.world or surroundings.internet)
    )
    for place, source in sources:
        if source == "acme" and not has_acme:
            message = (
                "no ACME directory is known: give `certificates: {acme: {directory: ..., dns_server: ...}}`"
            )
            yield in_topology(place, message)
        if isinstance(source, CertificateFiles):
            for field in ("certificate", "key", "chain"):
                text = getattr(source, field)
                if text and (wrong := _placeholder(text)):
                    message = f"{field} has the placeholder {wrong}; known are {{host}} and {{pool}}"
                    yield in_topology((*place, field), message)
        if source == "windows_store":
            linux = [found.name for found in pools(deployment.topology) if found.pool.platform == "linux"]
            if len(linux) == len(list(pools(deployment.topology))):
                yield in_topology(
                    place, "windows_store needs a pool with `platform: windows`; use own_ca or acme"
                )


def _placeholder(text: str) -> str:
    try:
        text.format(host="h", pool="p")
    except (KeyError, IndexError, ValueError) as error:
        return "{" + str(error.args[0]).strip("'") + "}"
    return ""


EXAMINATIONS = (_certificates,)

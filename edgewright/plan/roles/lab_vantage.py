"""Role lab_vantage: a place from which the proof tries things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from edgewright.plan.roles.certificates import outside_roots

if TYPE_CHECKING:
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan

PACKAGES: tuple[str, ...] = ("python3-dnspython",)
CLIENTS = {"baresip": "baresip-core", "linphone": "linphone-cli"}
"""Packages of the real clients that a vantage may have."""
VOLUMES: tuple[str, ...] = ()
LISTENS: tuple[str, ...] = ()


class Settings(BaseModel):
    """What a vantage knows."""

    model_config = ConfigDict(extra="forbid")

    network: str
    """The network it stands on."""
    families: list[str]
    """The address families that it has."""
    outside: list[str]
    """Whose roots /etc/edgewright/trust/outside.pem has (see role `certificates`)."""


def settings(base: Base, host: HostPlan) -> Settings:
    """The probe needs no more: cells come with what they try."""
    interface = host.interfaces[0]
    families = [name for name in ("ipv4", "ipv6") if getattr(interface, name) is not None]
    return Settings(network=interface.network, families=families, outside=outside_roots(base))

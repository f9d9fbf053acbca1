"""Surroundings: what is not the organisation's but is needed to prove it (`surroundings.yml`)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from pydantic import Field

from edgewright.model.base import Model
from edgewright.model.directory import SipAddress
from edgewright.model.topology import Acme, Addresses, Existing, Family, HostName


class Vantage(Model):
    """A place from which something is tried: a host on one network with the families it has."""

    network: str = "outside"
    families: tuple[Family, ...] = ("ipv4", "ipv6")
    addresses: Addresses = Addresses()
    existing: Existing | None = None


class World(Model):
    """The lab's Internet services on one host: authoritative DNS, resolver, ACME directory."""

    host: HostName
    network: str = "outside"
    addresses: Addresses = Addresses()
    existing: Existing | None = None


class Surroundings(Model):
    """Vantages, outside resolver, ACME directory, test accounts.

    Either `world` (the lab makes resolver and ACME directory there) or `resolvers`/`acme` (given by the
    operator). `accounts` are SIP addresses whose passwords the proof may use; the passwords lie encrypted
    elsewhere.
    """

    schema_: Literal[1] = Field(alias="schema")
    vantages: dict[HostName, Vantage] = {}
    world: World | None = None
    resolvers: tuple[IPv4Address | IPv6Address, ...] = ()
    acme: Acme | None = None
    accounts: tuple[SipAddress, ...] = ()

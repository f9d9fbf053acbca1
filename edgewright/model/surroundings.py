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
    """The network it is in."""
    families: tuple[Family, ...] = Field(default=("ipv4", "ipv6"), min_length=1)
    """The families it has; left out: those of the network."""
    addresses: Addresses = Addresses()
    """Its addresses, where they are not to be derived."""
    existing: Existing | None = None
    """A machine that is already there; left out: the lab makes it."""


class World(Model):
    """The lab's Internet services on one host: authoritative DNS, resolver, ACME directory."""

    host: HostName
    """Its name."""
    network: str = "outside"
    """The network it is in."""
    addresses: Addresses = Addresses()
    """Its addresses, where they are not to be derived."""
    existing: Existing | None = None
    """A machine that is already there; left out: the lab makes it."""


class Surroundings(Model):
    """Vantages, outside resolver, ACME directory, test accounts.

    Either `world` (the lab makes resolver and ACME directory there) or `resolvers`/`acme` (given by the
    operator). `accounts` are SIP addresses whose passwords the proof may use; the passwords lie encrypted
    elsewhere.
    """

    schema_: Literal[1] = Field(alias="schema")
    """Version of this format: 1."""
    vantages: dict[HostName, Vantage] = {}
    """Hosts from which the proof tries things, by name."""
    world: World | None = None
    """The lab's Internet; left out: `resolvers` and `acme` are given."""
    resolvers: tuple[IPv4Address | IPv6Address, ...] = ()
    """Resolvers that outside hosts use."""
    acme: Acme | None = None
    """The ACME directory for outside certificates."""
    accounts: tuple[SipAddress, ...] = ()
    """Users whose passwords the proof may use."""

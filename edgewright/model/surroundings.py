"""Surroundings: what is not the organisation's but is needed to prove it (`surroundings.yml`)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, Self

from pydantic import Field, model_validator

from edgewright.model.base import Model
from edgewright.model.directory import SipAddress
from edgewright.model.topology import Acme, Addresses, Existing, Family, Fqdn, HostName


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
    clients: tuple[Literal["baresip", "linphone"], ...] = ()
    """Real SIP clients (Debian's) that are installed there, for the acceptance tests."""


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


class Partner(Model):
    """Somebody else's organisation, to talk to: exactly one of `host`, `deployment` and `server`.

    `host`: the lab makes a small SIP server there, with users. `deployment`: a second deployment, made by the
    same roles from its own folder. `server`: a partner that exists, with accounts that you were given.
    """

    host: HostName | None = None
    """The host on which the lab makes a small partner."""
    network: str = "outside"
    """The network it is in."""
    families: tuple[Family, ...] = Field(default=("ipv4", "ipv6"), min_length=1)
    """The families it has; left out: those of the network."""
    addresses: Addresses = Addresses()
    """Its addresses, where they are not to be derived."""
    existing: Existing | None = None
    """A machine that is already there; left out: the lab makes it."""
    deployment: str | None = None
    """Folder of the second deployment, relative to this one's."""
    server: Fqdn | None = None
    """Name at which the accounts sign in at a partner that exists."""
    port: int = Field(default=443, ge=1, le=65535)
    """Its port."""
    accounts: tuple[SipAddress, ...] = ()
    """Users there whose passwords the proof may use; of a second deployment those that it names itself."""
    also: tuple[Fqdn, ...] = ()
    """Further domains of the lab's small partner: their names lead to the same server."""
    server_only: bool = False
    """Whether its certificate may only identify a server, as public authorities issue them."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in ("host", "deployment", "server") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of `host`, `deployment` and `server`")
        fits = {
            "host": {
                "host",
                "network",
                "families",
                "addresses",
                "existing",
                "accounts",
                "also",
                "server_only",
            },
            "deployment": {"deployment"},
            "server": {"server", "port", "accounts"},
        }[given[0]]
        if other := sorted(self.model_fields_set - fits):
            raise ValueError(f"`{other[0]}` says nothing about a partner given by `{given[0]}`; leave it out")
        return self


class Impostor(Model):
    """A host of the lab that shows certificates which must not be believed, beside one that may be."""

    host: HostName
    """Its name."""
    network: str = "outside"
    """The network it is in."""
    families: tuple[Family, ...] = Field(default=("ipv4", "ipv6"), min_length=1)
    """The families it has; left out: those of the network."""
    addresses: Addresses = Addresses()
    """Its addresses, where they are not to be derived."""
    existing: Existing | None = None
    """A machine that is already there; left out: the lab makes it."""
    domain: Fqdn
    """The SIP domain that is really its own: for this one it has a good certificate."""
    impersonates: Fqdn
    """The SIP domain in whose name it also has expired, revoked, self-signed and unknown ones."""
    accounts: tuple[SipAddress, ...] = ()
    """Its own users."""


class Astray(Model):
    """A domain of the lab's Internet whose names lead where they should not."""

    srv: Fqdn | None = None
    """Target of its federation SRV record."""
    at: HostName | None = None
    """The host of the surroundings where that target is."""
    dead: bool = False
    """Whether its name server never answers."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.srv is None) != self.dead or (self.at is not None and self.srv is None):
            raise ValueError("give either `dead: true` or `srv`, and `at` only beside `srv`")
        return self


class Surroundings(Model):
    """Vantages, outside resolver, ACME directory, partners, test accounts.

    One of `world` (the lab makes resolver and ACME directory there), `internet` (another deployment's lab has
    them) and `resolvers`/`acme` (given by the operator). `accounts` are SIP addresses whose passwords the
    proof may use; the passwords lie encrypted elsewhere.
    """

    schema_: Literal[1] = Field(alias="schema")
    """Version of this format: 1."""
    vantages: dict[HostName, Vantage] = {}
    """Hosts from which the proof tries things, by name."""
    world: World | None = None
    """The lab's Internet; left out: `resolvers` and `acme` are given."""
    internet: str | None = None
    """Folder of the deployment whose `world` and outside network are used; relative to this one's."""
    resolvers: tuple[IPv4Address | IPv6Address, ...] = ()
    """Resolvers that outside hosts use."""
    acme: Acme | None = None
    """The ACME directory for outside certificates."""
    accounts: tuple[SipAddress, ...] = ()
    """Users whose passwords the proof may use."""
    partners: dict[Fqdn, Partner] = {}
    """Other organisations to talk to, by their SIP domain."""
    impostor: Impostor | None = None
    """A host of the lab that pretends to be a partner."""
    astray: dict[Fqdn, Astray] = {}
    """Domains of the lab's Internet whose names lead astray."""

    def hosts(self) -> Iterator[tuple[HostName, tuple[str, ...], Partner | Impostor]]:
        """The lab's partner hosts: name, place in the file, and what is said of them."""
        for domain, partner in self.partners.items():
            if partner.host is not None:
                yield partner.host, ("partners", domain), partner
        if self.impostor is not None:
            yield self.impostor.host, ("impostor",), self.impostor

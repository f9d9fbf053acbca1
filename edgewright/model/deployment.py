"""A deployment: one organisation's external access as its operator described it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgewright.model.directory import Directory
from edgewright.model.documents import Document
from edgewright.model.policy import Policies
from edgewright.model.surroundings import Surroundings
from edgewright.model.topology import FrontEndPool, Topology


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything that is described, validated, and where it stands.

    `name` is the folder's name; `digest` is the SHA-256 (hexadecimal) of the canonical content: comments,
    order of keys and spelled-out defaults do not change it. That of its partners' deployments counts.
    """

    name: str
    folder: Path
    topology: Topology
    policies: Policies
    directory: Directory
    surroundings: Surroundings | None
    digest: str
    documents: dict[str, Document] = field(default_factory=dict, repr=False, compare=False, hash=False)
    """The parsed files by name (`topology.yml` ...), for messages that point at a line."""
    partners: dict[str, Deployment] = field(default_factory=dict, repr=False, compare=False, hash=False)
    """Partners that are deployments of their own, by SIP domain."""
    internet: Deployment | None = field(default=None, repr=False, compare=False, hash=False)
    """The deployment whose lab's Internet this one uses, without its partners."""

    @property
    def realm(self) -> str:
        """The one digest realm of the organisation: its first SIP domain."""
        return self.topology.sip_domains[0]

    def front_ends(self) -> tuple[FrontEndPool, ...]:
        """All Front End pools, by site name and then as written."""
        sites = self.topology.sites
        return tuple(pool for name in sorted(sites) for pool in sites[name].front_end)

    def home(self, address: str) -> str | None:
        """FQDN of the pool where a user is homed; None where that is not determined.

        Raises:
            KeyError: nobody has this address.
        """
        given = self.directory.users[address].home
        if given is not None:
            return given
        pools = self.front_ends()
        return pools[0].pool if len(pools) == 1 else None

    @property
    def together(self) -> tuple[Deployment, ...]:
        """This deployment and those of its partners, in the order in which they are brought up."""
        return (self, *(self.partners[domain] for domain in sorted(self.partners)))

    @property
    def partner_accounts(self) -> dict[str, tuple[str, ...]]:
        """Test accounts of partners, and of the impostor, by SIP domain."""
        given = self.surroundings
        if given is None:
            return {}
        found = {domain: partner.accounts for domain, partner in given.partners.items()}
        for domain, partner in self.partners.items():
            found[domain] = partner.surroundings.accounts if partner.surroundings else ()
        if given.impostor:
            found[given.impostor.domain] = given.impostor.accounts
        return found

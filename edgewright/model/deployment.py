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
    order of keys and spelled-out defaults do not change it.
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

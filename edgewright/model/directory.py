"""The directory: users keyed by full SIP address, their home pool, granted policies, groups."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edgewright.model.base import Model, Words
from edgewright.model.topology import Fqdn, Text

SipAddress = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9.-]+$",
        max_length=454,
    ),
    Words("lower-case SIP address without scheme", "alice@contoso.example"),
]
"""`user@domain` in lower case, without the `sip:` scheme (RFC 3261 section 19.1)."""

PolicyKind = Literal["external_access", "conferencing", "mobility", "pin"]


def _ordered(grants: dict[PolicyKind, str]) -> dict[PolicyKind, str]:
    return grants if len(grants) < 2 else dict(sorted(grants.items()))


Grants = Annotated[dict[PolicyKind, str], AfterValidator(_ordered)]
"""Names of user policies by kind; in one order, since the order has no meaning."""


class User(Model):
    """One account: where it is homed, whether it is enabled, and its granted user policies by kind (J05)."""

    name: Text = ""
    """The name to show."""
    home: Fqdn | None = None
    """Name of the user's Front End pool; left out: the only one there is."""
    enabled: bool = True
    """False: nobody can sign in with this account."""
    policies: Grants = {}
    """User policies granted, by kind: a name under `user` of that kind in `policies.yml`."""


class Directory(Model):
    """`users.yml` (or `users.csv`): users and groups. Groups are distribution lists; they nest by name."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """Version of this format: 1."""
    users: dict[SipAddress, User] = {}
    """Users by SIP address, without `sip:`."""
    groups: dict[Text, tuple[str, ...]] = {}
    """Distribution lists: addresses of users and names of other groups."""
    group_policies: dict[Text, Grants] = {}
    """Policies granted to everybody in a group; nobody may get two of one kind (J05)."""

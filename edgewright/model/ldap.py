"""`ldap.yml`: LDAP or Active Directory as the source of users and groups, and what entries there mean.

Passwords are never read. Digests are, where an attribute holds them; else they are provisioned apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from edgewright.model.base import Model, Words
from edgewright.model.credentials import Digest
from edgewright.model.directory import Directory, PolicyKind, SipAddress, User
from edgewright.model.topology import Fqdn, Text

Url = Annotated[
    str,
    Field(pattern=r"^ldaps?://[A-Za-z0-9.:\[\]-]+/?$"),
    Words("LDAP URL without a path", "ldaps://dc1.corp.example"),
]
DISABLED = 2
"""The bit of `userAccountControl` that disables an account."""
_TRUE = {"true", "yes", "1"}
_HEX = re.compile(r"[0-9a-f]*")

Attributes = Mapping[str, list[bytes]]
"""Attributes of an entry, names in lower case."""


class LdapUsers(Model):
    """Which entries are users, and what their attributes mean; defaults are Active Directory's with Lync."""

    base: Text
    """Where to look, with everything below."""
    filter: Text = "(&(objectCategory=person)(msRTCSIP-PrimaryUserAddress=*))"
    """Which entries are users (RFC 4515)."""
    address: Text = "msRTCSIP-PrimaryUserAddress"
    """Attribute with the SIP address, with or without `sip:`."""
    name: Text = "displayName"
    """Attribute with the name to show."""
    enabled: Text | None = "msRTCSIP-UserEnabled"
    """Attribute that must be TRUE; an entry without it is disabled. `null`: there is no such attribute."""
    account_control: Text | None = "userAccountControl"
    """Attribute whose second bit disables the account; an entry without it is disabled. `null`: as above."""
    home: Text | None = None
    """Attribute that says where the user is homed; without it there is only one pool."""
    homes: dict[str, Fqdn] = {}
    """What that attribute's values mean: the name of a pool. A value that is not here is the name itself."""
    policies: dict[PolicyKind, Text] = {}
    """Attributes that name the user policy granted, by kind."""
    md5: Text | None = None
    """Attribute that holds the MD5 digest of user, realm and password, in hexadecimal."""
    sha256: Text | None = None
    """The same with SHA-256; both or none."""

    def attributes(self) -> list[str]:
        """All attributes that are asked for."""
        named = (
            self.address,
            self.name,
            self.enabled,
            self.account_control,
            self.home,
            self.md5,
            self.sha256,
        )
        return sorted({*(name for name in named if name), *self.policies.values()})


class LdapGroups(Model):
    """Which entries are groups (distribution lists), and which attributes say what."""

    base: Text
    """Where to look, with everything below."""
    filter: Text = "(objectClass=group)"
    """Which entries are groups (RFC 4515)."""
    name: Text = "cn"
    """Attribute with the group's name."""
    member: Text = "member"
    """Attribute with the distinguished names of members: users, or groups again."""


class LdapDirectory(Model):
    """`ldap.yml`: where the directory is and how it is read. The connection is always encrypted."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """Version of this format: 1."""
    servers: tuple[Url, ...] = Field(min_length=1)
    """Servers, tried in this order. `ldap://` means StartTLS, except to this very machine."""
    trust: Text | None = None
    """File with trusted roots (PEM), relative to the deployment's folder; left out: the system's."""
    bind: Text | None = None
    """Distinguished name to sign in with; left out: anonymously. See below for the password."""
    users: LdapUsers
    """Users."""
    groups: LdapGroups | None = None
    """Groups; left out: only those of `users.yml`."""
    timeout: int = Field(default=10, ge=1, le=300)
    """Seconds to wait for a server."""
    largest_loss: int = Field(default=10, ge=0, le=100)
    """Per cent of enabled users, or of groups' members, that one reading may take away; 5 always may go."""


@dataclass(slots=True)
class Read:
    """What a directory's entries mean; `wrong` are sentences, each about one entry."""

    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    digests: dict[str, Digest] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    entries: dict[str, str] = field(default_factory=dict)
    """Distinguished name of each user."""

    @property
    def directory(self) -> Directory:
        """Users and groups in one order."""
        return Directory(users=dict(sorted(self.users.items())), groups=dict(sorted(self.groups.items())))


_USER: TypeAdapter[tuple[SipAddress, User]] = TypeAdapter(tuple[SipAddress, User])
_TITLE: TypeAdapter[str] = TypeAdapter(Annotated[Text, Field(min_length=1)])


def understand(
    source: LdapDirectory,
    users: Iterable[tuple[str, Attributes]],
    groups: Iterable[tuple[str, Attributes]] = (),
) -> Read:
    """Users and groups from entries (distinguished name, attributes). One bad entry hides no other."""
    found = Read()
    names: dict[str, str] = {}
    for dn, attributes in users:
        address = _user(source.users, dn, attributes, found)
        if address:
            names[_plain(dn)] = address
    if source.groups is not None:
        _groups(source.groups, list(groups), names, found)
    return found


def _user(rules: LdapUsers, dn: str, attributes: Attributes, found: Read) -> str:
    def text(attribute: str | None) -> str:
        values = attributes.get(attribute.lower(), []) if attribute else []
        return values[0].decode("utf-8", "replace").strip() if values else ""

    def may_sign_in() -> bool:
        # What cannot be read disables: an attribute that is hidden from us must not enable everybody.
        said = rules.enabled is None or text(rules.enabled).lower() in _TRUE
        control = text(rules.account_control)
        known = control.lstrip("-").isdigit() and not int(control) & DISABLED
        return said and (rules.account_control is None or known)

    address = text(rules.address).lower().removeprefix("sip:")
    home = text(rules.home)
    user: dict[str, Any] = {
        "name": text(rules.name),
        "home": rules.homes.get(home, home.lower()) or None,
        "enabled": may_sign_in(),
        "policies": {kind: text(name) for kind, name in rules.policies.items() if text(name)},
    }
    try:
        address, made = _USER.validate_python((address, user))
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        found.wrong.append(f"{dn}: {rules.address} '{address}', {details['loc'][-1]}: {details['msg']}")
        return ""
    if address in found.users:
        found.wrong.append(f"{dn}: {found.entries[address]} has the address {address}, too")
        return ""
    found.users[address], found.entries[address] = made, dn
    digest = Digest(text(rules.md5).lower(), text(rules.sha256).lower())
    if digest.md5 or digest.sha256:
        sizes = [len(one) for one in (digest.md5, digest.sha256) if _HEX.fullmatch(one)]
        if sizes != [32, 64]:
            found.wrong.append(f"{dn}: {rules.md5} and {rules.sha256} should be 32 and 64 hexadecimal digits")
        else:
            found.digests[address] = digest
    return address


def _groups(
    rules: LdapGroups, entries: list[tuple[str, Attributes]], names: dict[str, str], found: Read
) -> None:
    titles: dict[str, str] = {}
    for dn, attributes in entries:
        values = attributes.get(rules.name.lower(), [])
        if not values:
            found.wrong.append(f"{dn}: has no {rules.name}")
            continue
        title = values[0].decode("utf-8", "replace").strip()
        try:
            _TITLE.validate_python(title)
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"]
            found.wrong.append(f"{dn}: {rules.name} '{title}': {said}")
            continue
        if title in titles.values():
            found.wrong.append(f"{dn}: another group is called {title}, too")
            continue
        titles[_plain(dn)] = title
    known = {**names, **titles}
    for dn, attributes in entries:
        if title := titles.get(_plain(dn), ""):
            # Whoever is no user of ours (a computer, a contact) may be in a distribution list all the same.
            members = {
                known.get(_plain(m.decode("utf-8", "replace")))
                for m in attributes.get(rules.member.lower(), [])
            }
            found.groups[title] = tuple(sorted(member for member in members if member))


def _plain(dn: str) -> str:
    """A distinguished name so that equal ones are equal: case and spaces around commas do not count."""
    return ",".join(part.strip() for part in dn.lower().split(","))

"""Which policy is effective for whom (J01-J10): the one thing that tables and decisions share.

A policy for a user beats the one for the user's site, and that beats the global one; the winner replaces the
others as a whole (J01). A configuration for a service beats its site's, and that beats the global one (J02).
The user's site is where the home pool stands (J05). What the effective settings mean for a request is none of
this module's business: decisions and tables work that out apart from each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast, overload

from edgewright.model.deployment import Deployment
from edgewright.model.directory import Directory, PolicyKind
from edgewright.model.policy import (
    AvEdge,
    Conferencing,
    ConferencingService,
    ExternalAccess,
    Meeting,
    Mobility,
    MobilityService,
    Pin,
    PushNotification,
)
from edgewright.model.setting import PolicyObject

ConfigurationKind = Literal[
    "meeting", "av_edge", "mobility_service", "conferencing_service", "push_notification"
]


class Grant(NamedTuple):
    """A user policy given to somebody: its tag, and the group it comes from (empty: given to the user)."""

    tag: str
    group: str = ""


class UnknownPolicyError(LookupError):
    """A grant names a policy that does not exist."""


def members(directory: Directory, group: str) -> frozenset[str]:
    """Addresses of a group, nested groups expanded; a loop of groups ends where it closes."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [group]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for member in directory.groups.get(name, ()):
            if member in directory.groups:
                waiting.append(member)
            else:
                found.add(member)
    return frozenset(found)


def group_loops(directory: Directory) -> list[tuple[str, ...]]:
    """Groups that contain themselves, each loop once, as the chain that closes: `(a, b, a)`."""
    loops: dict[frozenset[str], tuple[str, ...]] = {}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            loop = (*path[path.index(name) :], name)
            loops.setdefault(frozenset(loop), loop)
            return
        if name in done:
            return
        for member in directory.groups.get(name, ()):
            if member in directory.groups:
                walk(member, (*path, name))
        done.add(name)

    for name in sorted(directory.groups):
        walk(name, ())
    return list(loops.values())


def grants(directory: Directory, kind: PolicyKind) -> dict[str, tuple[Grant, ...]]:
    """Every grant of one kind by address: the user's own first, then those of groups by group name.

    Two different tags for one address are an error of the description (J05); this only reports them.
    """
    result: dict[str, list[Grant]] = {}
    for address, user in directory.users.items():
        if kind in user.policies:
            result.setdefault(address, []).append(Grant(user.policies[kind]))
    for group in sorted(directory.group_policies):
        tag = directory.group_policies[group].get(kind)
        if tag is not None:
            for address in members(directory, group):
                result.setdefault(address, []).append(Grant(tag, group))
    return {address: tuple(given) for address, given in result.items()}


def _tag(directory: Directory, kind: PolicyKind, address: str) -> str | None:
    own = directory.users[address].policies.get(kind)
    if own is not None:
        return own
    for group in sorted(directory.group_policies):
        tag = directory.group_policies[group].get(kind)
        if tag is not None and address in members(directory, group):
            return tag
    return None


def site_of_pool(deployment: Deployment, pool: str) -> str | None:
    """Name of the site where a pool stands, None for a pool that is nowhere."""
    for site, _, candidate in deployment.topology.pools():
        if getattr(candidate, "pool", None) == pool:
            return site
    return None


def site_of_user(deployment: Deployment, address: str) -> str | None:
    """Name of the site where a user is homed, None where the user has no home.

    Raises:
        KeyError: nobody has this address.
    """
    home = deployment.home(address)
    return None if home is None else site_of_pool(deployment, home)


@overload
def effective(
    deployment: Deployment, kind: Literal["external_access"], address: str
) -> tuple[ExternalAccess, str]: ...
@overload
def effective(
    deployment: Deployment, kind: Literal["conferencing"], address: str
) -> tuple[Conferencing, str]: ...
@overload
def effective(deployment: Deployment, kind: Literal["mobility"], address: str) -> tuple[Mobility, str]: ...
@overload
def effective(deployment: Deployment, kind: Literal["pin"], address: str) -> tuple[Pin, str]: ...
@overload
def effective(deployment: Deployment, kind: PolicyKind, address: str) -> tuple[PolicyObject, str]: ...


def effective(deployment: Deployment, kind: PolicyKind, address: str) -> tuple[PolicyObject, str]:
    """The policy of one kind that counts for a user, and where it comes from (J01, J05).

    Returns:
        the whole object, and `user:<tag>`, `site:<name>` or `global`.

    Raises:
        KeyError: nobody has this address.
        UnknownPolicyError: the user was granted a policy that does not exist.
    """
    policies = getattr(deployment.policies, kind)
    tag = _tag(deployment.directory, kind, address)
    if tag is not None:
        if tag not in policies.user:
            raise UnknownPolicyError(f"{address} is granted the {kind} policy {tag}, which does not exist")
        return policies.user[tag], f"user:{tag}"
    return _site_or_global(policies, site_of_user(deployment, address))


@overload
def configuration(deployment: Deployment, kind: Literal["meeting"], pool: str) -> tuple[Meeting, str]: ...
@overload
def configuration(deployment: Deployment, kind: Literal["av_edge"], pool: str) -> tuple[AvEdge, str]: ...
@overload
def configuration(
    deployment: Deployment, kind: Literal["mobility_service"], pool: str
) -> tuple[MobilityService, str]: ...
@overload
def configuration(
    deployment: Deployment, kind: Literal["conferencing_service"], pool: str
) -> tuple[ConferencingService, str]: ...
@overload
def configuration(
    deployment: Deployment, kind: Literal["push_notification"], pool: str
) -> tuple[PushNotification, str]: ...


def configuration(deployment: Deployment, kind: ConfigurationKind, pool: str) -> tuple[PolicyObject, str]:
    """The configuration of one kind that counts for the service of a pool, and where it comes from (J02).

    Returns:
        the whole object, and `service:<pool>`, `site:<name>` or `global`.
    """
    configurations = getattr(deployment.policies, kind)
    service = cast("Mapping[str, PolicyObject]", getattr(configurations, "service", {}))
    if pool in service:
        return service[pool], f"service:{pool}"
    return _site_or_global(configurations, site_of_pool(deployment, pool))


def _site_or_global(scoped: Any, site: str | None) -> tuple[PolicyObject, str]:
    if site is not None and site in scoped.site:
        return scoped.site[site], f"site:{site}"
    return scoped.global_, "global"


def every_user(deployment: Deployment, kind: PolicyKind) -> Iterator[tuple[str, PolicyObject, str]]:
    """`effective` for every user at once, by address: (address, policy, origin); groups are expanded once."""
    policies = getattr(deployment.policies, kind)
    given = grants(deployment.directory, kind)
    sites: dict[str | None, str | None] = {None: None}
    for address in sorted(deployment.directory.users):
        if address in given:
            tag = given[address][0].tag
            if tag not in policies.user:
                raise UnknownPolicyError(
                    f"{address} is granted the {kind} policy {tag}, which does not exist"
                )
            yield address, policies.user[tag], f"user:{tag}"
            continue
        home = deployment.home(address)
        if home not in sites:
            sites[home] = site_of_pool(deployment, home)  # type: ignore[arg-type]
        policy, origin = _site_or_global(policies, sites[home])
        yield address, policy, origin

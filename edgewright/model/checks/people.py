"""Users, groups and policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from edgewright.model import resolve
from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import pools
from edgewright.model.messages import nearest
from edgewright.model.policy import ServiceScoped

KINDS = ("external_access", "conferencing", "mobility", "pin")

SERVICE_KINDS: dict[str, tuple[str, ...]] = {
    "av_edge": ("edge",),
    "meeting": ("front_end",),
    "mobility_service": ("front_end", "director"),
    "conferencing_service": ("front_end",),
}


def _users(deployment: Deployment) -> Iterator[Problem]:
    """Users have a domain of the organisation, a home, and policies that exist."""
    topology, directory = deployment.topology, deployment.directory
    domains = set(topology.sip_domains)
    homes = {found.name for found in pools(topology) if found.kind == "front_end"}
    tags = {kind: set(getattr(deployment.policies, kind).user) for kind in KINDS}
    sole = len(homes) == 1
    parts: dict[str, str] = {}
    if directory.users and not homes:
        yield in_topology(("sites",), "there are users but no front_end pool to home them; describe one")
        return
    for address, user in directory.users.items():
        part, _, domain = address.partition("@")
        if domain not in domains:
            yield _user(
                deployment,
                address,
                f"{domain} is no SIP domain of this organisation{nearest(domain, domains)}",
            )
        if part.startswith("room."):
            yield _user(
                deployment, address, f"{address}: addresses of meetings begin with 'room.'; give another one"
            )
        other = parts.setdefault(part, address)
        if other is not address:
            message = (
                f"{address} and {other} have the same part before the @, which is the user name in digest "
                f"authentication with the one realm {deployment.realm}; change one of them"
            )
            yield _user(deployment, address, message)
        if user.home is not None and user.home not in homes:
            yield _user(
                deployment,
                address,
                f"home {user.home} is no front end pool{nearest(user.home, homes)}",
                "home",
            )
        elif user.home is None and not sole:
            yield _user(deployment, address, f"{address} needs a home: one of {', '.join(sorted(homes))}")
        for kind, tag in user.policies.items():
            if tag not in tags[kind]:
                message = f"there is no {kind} policy '{tag}' for users{nearest(tag, tags[kind])}"
                yield _user(deployment, address, message, "policies", kind)


def _user(deployment: Deployment, address: str, message: str, *field: str) -> Problem:
    for name in ("users.csv", "ldap.yml"):
        table = deployment.documents.get(name)
        if table is not None and (address,) in table.lines:
            return Problem(name, (address,), message, address)
    return Problem("users.yml", ("users", address, *field), message, address)


def _group(deployment: Deployment, name: str, message: str, *position: int) -> Problem:
    source = deployment.documents.get("ldap.yml")
    if source is not None and ("group", name) in source.lines:
        return Problem("ldap.yml", ("group", name), message, name)
    return Problem("users.yml", ("groups", name, *position), message, name)


def _groups(deployment: Deployment) -> Iterator[Problem]:
    """Members of groups exist, groups do not contain themselves, their grants exist."""
    directory = deployment.directory
    for name, group in directory.groups.items():
        for index, member in enumerate(group):
            if member not in directory.users and member not in directory.groups:
                few = len(directory.users) < 1000
                hint = nearest(member, [*(directory.users if few else ()), *directory.groups])
                message = (
                    f"{member} in group {name} is neither a user nor a group{hint if 'mean' in hint else ''}"
                )
                yield _group(deployment, name, message, index)
    for loop in resolve.group_loops(directory):
        message = f"groups contain each other: {' > '.join(loop)}; take one of them out"
        yield _group(deployment, loop[0], message)
    for name, policies in directory.group_policies.items():
        place: Place = ("group_policies", name)
        if name not in directory.groups:
            yield Problem(
                "users.yml", place, f"there is no group '{name}'{nearest(name, directory.groups)}", name
            )
        for kind, tag in policies.items():
            known = set(getattr(deployment.policies, kind).user)
            if tag not in known:
                message = f"there is no {kind} policy '{tag}' for users{nearest(tag, known)}"
                yield Problem("users.yml", (*place, kind), message, name)


def _scopes(deployment: Deployment) -> Iterator[Problem]:
    """Policies of a site or service name one that exists (J01, J02); no partner is our own."""
    policies, topology = deployment.policies, deployment.topology
    by_kind: dict[str, set[str]] = defaultdict(set)
    for found in pools(topology):
        by_kind[found.kind].add(found.name)
    for field in type(policies).model_fields:
        scoped = getattr(policies, field)
        for site in getattr(scoped, "site", ()):
            if site not in topology.sites:
                message = f"there is no site '{site}'{nearest(site, topology.sites)}"
                yield Problem("policies.yml", (field, "site", site), message, site)
        for service in scoped.service if isinstance(scoped, ServiceScoped) else ():
            known = set().union(*(by_kind[kind] for kind in SERVICE_KINDS.get(field, ())))
            if service not in known:
                message = f"there is no pool {service} with that service{nearest(service, known)}"
                yield Problem("policies.yml", (field, "service", service), message, service)
    for field in ("allowed_domains", "blocked_domains", "xmpp_partners"):
        for index, entry in enumerate(getattr(policies, field)):
            for domain in getattr(entry, "domains", (entry.domain,)):
                if domain in topology.sip_domains:
                    message = f"{domain} is this organisation's own SIP domain; a partner is somebody else"
                    yield Problem("policies.yml", (field, index), message, domain)


EXAMINATIONS = (_users, _groups, _scopes)

"""Lists of policies that contradict each other, and grants that do (J05, J06, J10, 8.7)."""

from __future__ import annotations

from collections.abc import Iterator

from edgewright.model import resolve
from edgewright.model.checks.problem import Problem
from edgewright.model.deployment import Deployment
from edgewright.model.directory import PolicyKind
from edgewright.model.documents import Place
from edgewright.model.policy import Policies

FILE = "policies.yml"
KINDS: tuple[PolicyKind, ...] = ("external_access", "conferencing", "mobility", "pin")


def _domains(policies: Policies) -> Iterator[tuple[str, str, Place]]:
    """Every entry of every list of domains: (list, domain, place)."""
    for name in ("allowed_domains", "blocked_domains"):
        for index, entry in enumerate(getattr(policies, name)):
            yield name, entry.domain, (name, index, "domain")
    for index, partner in enumerate(policies.xmpp_partners):
        yield "xmpp_partners", partner.domain, ("xmpp_partners", index, "domain")
        for position, domain in enumerate(partner.additional_domains):
            yield "xmpp_partners", domain, ("xmpp_partners", index, "additional_domains", position)


def _lists(deployment: Deployment) -> Iterator[Problem]:
    """A domain is in one list once; a block may stand beside an XMPP partner and wins."""
    first: dict[tuple[str, str], Place] = {}
    for name, domain, place in _domains(deployment.policies):
        if (name, domain) in first:
            yield Problem(FILE, place, f"{domain} is in {name} twice; keep one of them", domain)
            continue
        first[name, domain] = place
    for (name, domain), place in first.items():
        if name == "blocked_domains" and ("allowed_domains", domain) in first:
            message = f"{domain} is in allowed_domains too; a domain can only be in one of the two (J06)"
            yield Problem(FILE, place, message, domain)
        if name == "xmpp_partners" and ("allowed_domains", domain) in first:
            message = f"{domain} is in allowed_domains too; a partner is reached by SIP or by XMPP, not both"
            yield Problem(FILE, place, message, domain)


def _providers(deployment: Deployment) -> Iterator[Problem]:
    """Providers have a proxy each, and need routing by DNS SRV (J10)."""
    policies = deployment.policies
    seen: dict[str, str] = {}
    for kind in ("public_providers", "hosting_providers"):
        for name, provider in getattr(policies, kind).items():
            place: Place = (kind, name, "proxy_fqdn")
            other = seen.setdefault(provider.proxy_fqdn, name)
            if other != name:
                message = f"{provider.proxy_fqdn} is the proxy of provider {other} already; it must be unique"
                yield Problem(FILE, place, message, name)
            if policies.access_edge.routing_method == "use_default_routing":
                message = (
                    f"provider {name} needs access_edge.routing_method use_dns_srv_routing; "
                    "take the provider out, or the default route (J10)"
                )
                yield Problem(FILE, place, message, name)


def _grants(deployment: Deployment) -> Iterator[Problem]:
    """Nobody is granted two different policies of one kind, be it directly or by groups (J05)."""
    if not deployment.directory.group_policies:
        return
    for kind in KINDS:
        for address, given in sorted(resolve.grants(deployment.directory, kind).items()):
            if address not in deployment.directory.users or len({grant.tag for grant in given}) < 2:
                continue
            sources = ", ".join(
                f"{grant.tag} ({f'by group {grant.group}' if grant.group else 'directly'})" for grant in given
            )
            message = f"{address} is granted more than one {kind} policy: {sources}; leave one"
            group = next(grant.group for grant in given if grant.group)
            yield Problem("users.yml", ("group_policies", group, kind), message, address)


EXAMINATIONS = (_lists, _providers, _grants)

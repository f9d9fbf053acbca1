"""The plan: everything that follows from a deployment without asking anyone (`edgewright plan`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgewright.plan import certificates, dns, flows, hosts, internet, publications, roles
from edgewright.plan.types import Plan, PlanError

if TYPE_CHECKING:
    from edgewright.model import Deployment

__all__ = ["Plan", "PlanError", "base", "make"]


def base(deployment: Deployment) -> roles.Base:
    """The plan without the settings of the roles.

    Raises:
        PlanError: what cannot be planned as described.
    """
    networks = internet.networks(deployment)
    pools = hosts.pools(deployment.topology)
    found = roles.Base(
        deployment=deployment,
        networks=networks,
        pools=pools,
        hosts=hosts.make(deployment, networks, pools),
        others={domain: base(partner) for domain, partner in sorted(deployment.partners.items())},
    )
    found = replace(found, publications=publications.make(found))
    found = replace(found, zones=dns.make(found), certificates=certificates.make(found))
    return replace(found, flows=flows.make(found))


def make(deployment: Deployment) -> Plan:
    """The whole plan; the same deployment gives the same plan, in the same order.

    Raises:
        PlanError: what cannot be planned as described.
    """
    found = base(deployment)
    return Plan(
        deployment=deployment.name,
        digest=deployment.digest,
        networks=found.networks,
        pools=found.pools,
        hosts=found.hosts,
        zones=found.zones,
        certificates=found.certificates,
        flows=found.flows,
        publications=found.publications,
        settings=_settings(found),
    )


def _settings(found: roles.Base) -> dict[str, dict[str, dict[str, Any]]]:
    settings: dict[str, dict[str, dict[str, Any]]] = {}
    for host in found.hosts.values():
        mine = settings.setdefault(host.name, {})
        for name in host.roles:
            module = roles.module(name)
            values = module.settings(found, host) if module else None
            if values is not None:
                mine[name] = values.model_dump(mode="json")
    return settings

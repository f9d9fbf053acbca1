"""The registry of roles: what each kind of host does, and what each role needs and listens for.

A role is a module of this package, named like its Ansible role, with

- `Settings`: a pydantic model, the role's one typed dict (`argument_specs` are made from it);
- `settings(base, host) -> Settings | None`: the values for one host, None: it does nothing there;
- `PACKAGES`: Debian packages it needs; `VOLUMES`: state directories that outlive the machine;
- `LISTENS`: services that it provides on its host; a flow is active only if its listening end does.

A module that is not there yet is not registered: its kind of host goes without it.

The services (`Flow.service`):

=====================  ==========================================================  ======================
service                what listens                                                rows
=====================  ==========================================================  ======================
ssh                    management                                                  L01
access                 Access Edge, clients                                        E01
federation             Access Edge, partners, 5061 outside                         E02 E03
web_conferencing       Web Conferencing Edge outside, 8057 inside                  E04 I04
av                     A/V Edge: 443, 3478, relay ports                            E05-E12 I05 I06 L10 L11
mras                   A/V authentication, Edge inside 5062                        I03
xmpp                   XMPP outside 5269, gateway's 23456 inside                   E13 E14 I08
sip                    SIP over mutual TLS, 5061 on inside addresses               I01 I02 D07 L15
web_proxy              reverse proxy, 443                                          R01
web_proxy_http         reverse proxy, 80 (redirect)                                R02
web_external           external web site of Front End and Director, 4443           R03 D02
web_external_http      the same in clear, 8080                                     R04 D01
web_internal           internal web site, 443                                      D05 L17
web_internal_http      the same in clear, 80                                       D04 L18
inter_server           444 between Director and Front Ends                         D03
postgresql             database                                                    L05
dns                    inside DNS, or the world's                                  L02 L08
acme                   the world's ACME directory                                  L03 L19
partner                the lab's small partners: 443 users, 5061 Edges             L20 L21
=====================  ==========================================================  ======================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast

from edgewright.plan.types import Planned

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edgewright.model import Deployment
    from edgewright.model.topology import Topology
    from edgewright.plan.types import (
        CertificatePlan,
        Flow,
        HostPlan,
        Kind,
        NetworkPlan,
        PoolPlan,
        Publication,
        ZonePlan,
    )

ORDER = (
    "base",
    "firewall",
    "dns",
    "lab_world",
    "lab_partner",
    "lab_vantage",
    "certificates",
    "access_edge",
    "database",
    "director",
    "front_end",
    "web_service",
    "reverse_proxy",
)
"""All roles in the order of application."""

ROLES_OF_KIND: dict[Kind, tuple[str, ...]] = {
    "edge": ("base", "certificates", "access_edge"),
    "director": ("base", "certificates", "director", "web_service"),
    "front_end": ("base", "certificates", "database", "front_end", "web_service"),
    "reverse_proxy": ("base", "certificates", "reverse_proxy"),
    "database": ("base", "certificates", "database"),
    "firewall_outer": ("base", "firewall"),
    "firewall_inner": ("base", "firewall"),
    "dns": ("base", "dns"),
    "world": ("base", "lab_world"),
    "vantage": ("base", "lab_vantage"),
    "partner": ("base", "lab_partner"),
    "impostor": ("base", "lab_partner"),
}


@dataclass(frozen=True)
class Base(Planned):
    """The plan so far, as roles see it when they make their settings."""

    deployment: Deployment
    networks: dict[str, NetworkPlan]
    pools: dict[str, PoolPlan]
    hosts: dict[str, HostPlan]
    zones: tuple[ZonePlan, ...] = ()
    certificates: tuple[CertificatePlan, ...] = ()
    flows: tuple[Flow, ...] = ()
    publications: tuple[Publication, ...] = ()
    others: dict[str, Base] = field(default_factory=dict)
    """The same of partners that are deployments of their own, by SIP domain."""

    @property
    def topology(self) -> Topology:
        """The deployment's topology."""
        return self.deployment.topology


class RoleModule(Protocol):
    """What a module of this package offers."""

    PACKAGES: tuple[str, ...]
    VOLUMES: tuple[str, ...]
    LISTENS: tuple[str, ...]
    Settings: type[BaseModel]

    def settings(self, base: Base, host: HostPlan) -> BaseModel | None:
        """The role's settings on a host; None: it does nothing there."""


@cache
def module(name: str) -> RoleModule | None:
    """A role's module, None if it is not written yet; what is wrong inside it is raised."""
    path = f"{__name__}.{name}"
    return cast("RoleModule", import_module(path)) if name in ORDER and find_spec(path) else None


@cache
def of_kind(kind: Kind) -> tuple[str, ...]:
    """The registered roles of a kind of host, in the order of application."""
    return tuple(name for name in ORDER if name in ROLES_OF_KIND[kind] and module(name) is not None)


def _union(roles: tuple[str, ...], attribute: str) -> tuple[str, ...]:
    return tuple(sorted({item for name in roles for item in getattr(module(name), attribute)}))


@cache
def packages(roles: tuple[str, ...]) -> tuple[str, ...]:
    """Debian packages of some roles, sorted."""
    return _union(roles, "PACKAGES")


@cache
def volumes(roles: tuple[str, ...]) -> tuple[str, ...]:
    """State directories of some roles, sorted."""
    return _union(roles, "VOLUMES")


@cache
def listens(roles: tuple[str, ...]) -> frozenset[str]:
    """Services that some roles provide."""
    return frozenset(_union(roles, "LISTENS"))

"""Rules about Edge pools, routes and balancing (reference sections 2.3 and 2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.index import PoolAt, listeners, pools
from edgewright.model.lint.rules import rule
from edgewright.model.topology import EdgePool, FrontEndPool

TESTED_HOSTS = 12
ENTERED_HOSTS = 20

PRIVATE = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("fc00::/7"),
)
"""Addresses that the Internet cannot reach (RFC 1918, 6598, 4193); not those of the lab."""


def edges(deployment: Deployment) -> Iterator[tuple[PoolAt, EdgePool]]:
    """Every Edge pool and where it stands."""
    for found in pools(deployment.topology):
        if isinstance(found.pool, EdgePool):
            yield found, found.pool


@rule("G02", "An Edge pool has at most 12 hosts: more were never tested", "warning")
def _tested(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        if TESTED_HOSTS < len(pool.hosts) <= ENTERED_HOSTS:
            message = (
                f"{pool.pool} has {len(pool.hosts)} hosts, 12 are tested and supported; use a second pool"
            )
            yield in_topology((*found.place, "hosts"), message, pool.pool)


@rule("G02", "An Edge pool cannot have more than 20 hosts", waivable=False)
def _entered(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        if len(pool.hosts) > ENTERED_HOSTS:
            message = f"{pool.pool} has {len(pool.hosts)} hosts, a pool takes 20 at most; use a second pool"
            yield in_topology((*found.place, "hosts"), message, pool.pool)


@rule("G04", "One Edge pool is the organisation's federation route", "warning")
def _federation_route(deployment: Deployment) -> Iterator[Problem]:
    able = [(found, pool) for found, pool in edges(deployment) if pool.federation]
    wanted = deployment.policies.access_edge.allow_federated_users
    if able and wanted and deployment.topology.routes.federation is None:
        found, pool = able[0]
        message = (
            f"federated users are allowed but nothing leads to them: `routes: {{federation: {pool.pool}}}`, "
            "or `federation: false` in the pool"
        )
        yield in_topology((*found.place, "pool"), message, pool.pool)


@rule("C13", "One Edge pool is the organisation's XMPP route", "warning")
def _xmpp_route(deployment: Deployment) -> Iterator[Problem]:
    partners = deployment.policies.xmpp_partners
    if partners and deployment.topology.routes.xmpp is None:
        message = "there are XMPP partners but no route to them: `routes: {xmpp: POOL}` in topology.yml"
        yield Problem("policies.yml", ("xmpp_partners",), message)


@rule("G05", "A Front End pool is associated with one Edge pool for audio and video", "warning")
def _media(deployment: Deployment) -> Iterator[Problem]:
    able = [pool.pool for _, pool in edges(deployment) if pool.av]
    for found in pools(deployment.topology):
        if isinstance(found.pool, FrontEndPool) and found.pool.media is None and able:
            message = f"{found.name} has no Edge for audio and video from outside: `media: {able[0]}`"
            yield in_topology((*found.place, "pool"), message, found.name)


@rule("G06", "The Edge's next hop is a Director where there is one", "warning")
def _next_hop(deployment: Deployment) -> Iterator[Problem]:
    kinds = {found.name: found.kind for found in pools(deployment.topology)}
    directors = [name for name, kind in kinds.items() if kind == "director"]
    for found, pool in edges(deployment):
        if directors and kinds.get(pool.next_hop) == "front_end":
            message = (
                f"{pool.pool} passes the Director by: `next_hop: {directors[0]}` lets it authenticate first"
            )
            yield in_topology((*found.place, "next_hop"), message, pool.pool)


@rule("G07", "Peers that do not know DNS load balancing reach only the first Edge that answers", "warning")
def _first_edge(deployment: Deployment) -> Iterator[Problem]:
    providers = [name for name, one in deployment.policies.public_providers.items() if one.enabled]
    route = deployment.topology.routes.federation
    for found, pool in edges(deployment):
        if pool.pool == route and len(pool.hosts) > 1 and pool.sip_balancing == "dns" and providers:
            message = (
                f"{', '.join(sorted(providers))} will not fail over between the hosts of {pool.pool}, "
                "which are balanced by DNS; use a balancer, or accept it"
            )
            yield in_topology((*found.place, "hosts"), message, pool.pool)


@rule("N01", "An Edge host has two interfaces, in two networks", waivable=False)
def _two_sides(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        if len(found.networks) < 2:
            message = (
                f"both sides of {pool.pool} are in network {found.networks[0]}; let perimeter_out "
                "and perimeter_in be two networks"
            )
            yield in_topology((*found.place, "pool"), message, pool.pool)


@rule("N08", "One external address for all services is possible but not recommended", "warning")
def _single(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        if pool.single_address and len(listeners(pool)) > 1:
            message = (
                f"the services of {pool.pool} share an address on ports 5061, 444 and 443: firewalls of "
                "other organisations often let only 443 out"
            )
            yield in_topology((*found.place, "single_address"), message, pool.pool)


@rule("N10", "NAT is only for one Edge or DNS load balancing, never with a balancer", waivable=False)
def _nat_and_balancer(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        for index, host in enumerate(pool.hosts):
            if host.public and pool.sip_balancing == "balancer":
                message = f"{host.name} is behind NAT and a balancer; with a balancer every address is public"
                yield in_topology((*found.place, "hosts", index, "public"), message, host.name)


@rule("N10", "NAT is symmetric: all external services of all hosts are behind it, or none (C12)")
def _nat_symmetric(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        if not any(host.public for host in pool.hosts):
            continue
        wanted = set(listeners(pool))
        for index, host in enumerate(pool.hosts):
            missing = sorted(wanted - set(host.public))
            if missing:
                message = (
                    f"{host.name} lacks the public address of {', '.join(missing)}; the others are behind NAT"
                )
                yield in_topology((*found.place, "hosts", index), message, host.name)


@rule("N12", "Behind NAT the public addresses are known, else outside DNS would name private ones")
def _nat_known(deployment: Deployment) -> Iterator[Problem]:
    for found in pools(deployment.topology):
        if found.kind not in ("edge", "reverse_proxy"):
            continue
        network = deployment.topology.networks.get(found.site.network("perimeter_out"))
        services = tuple(listeners(found.pool)) if isinstance(found.pool, EdgePool) else ("web",)
        for index, host in enumerate(found.pool.hosts):
            for family in ("ipv4", "ipv6"):
                subnet = getattr(network, family, None)
                if not subnet or not any(
                    subnet.version == private.version and subnet.subnet_of(private) for private in PRIVATE
                ):
                    continue
                missing = [
                    service
                    for service in services
                    if getattr(host.public.get(service), family, None) is None  # type: ignore[call-overload]
                    and (service, family) != ("av", "ipv6")  # S10 says that
                ]
                if missing:
                    message = (
                        f"{host.name} has private {family} addresses outside ({subnet}); give the public "
                        f"ones: `public: {{{missing[0]}: {{{family}: ...}}}}` for {', '.join(missing)}"
                    )
                    yield in_topology((*found.place, "hosts", index), message, host.name)


@rule("V10", "Web traffic to a pool is balanced by a balancer, never by DNS (Q05, G13)", "warning")
def _web_balancer(deployment: Deployment) -> Iterator[Problem]:
    for found in pools(deployment.topology):
        balancer = getattr(found.pool, "balancer", None)
        several = len(found.pool.hosts) > 1
        if balancer is not None and several and not (balancer.ipv4 or balancer.ipv6):
            whose = "outside" if found.kind == "reverse_proxy" else "inside"
            message = (
                f"{found.name} has several hosts; give `balancer: {{ipv4: ...}}` to which {whose} clients go"
            )
            yield in_topology((*found.place, "hosts"), message, found.name)

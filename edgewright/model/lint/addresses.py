"""Rules about IPv4, IPv6 and both (reference section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address

from edgewright.model.checks.networks import given_addresses
from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import PoolAt, listeners, pools
from edgewright.model.lint.edge import PRIVATE, edges
from edgewright.model.lint.rules import Planned, planned_rule, rule
from edgewright.model.topology import EdgePool, Network

VALID = {("IPv4", "IPv4"), ("IPv4", "dual stack"), ("dual stack", "dual stack")}
"""The three address plans of an Edge that production supports: inside, outside."""


def families(network: Network | None, *, ipv6: bool | None = None) -> str:
    """`IPv4`, `IPv6`, `dual stack` or `nothing`; `ipv6` False takes that family away."""
    four = network is not None and network.ipv4 is not None
    six = network is not None and network.ipv6 is not None and ipv6 is not False
    return {(True, True): "dual stack", (True, False): "IPv4", (False, True): "IPv6"}.get(
        (four, six), "nothing"
    )


def sides(deployment: Deployment, found: PoolAt, pool: EdgePool) -> tuple[str, str]:
    """Families of the internal and the external side of an Edge pool."""
    networks = deployment.topology.networks
    inner = networks.get(found.site.network("perimeter_in"))
    outer = networks.get(found.site.network("perimeter_out"))
    return families(inner, ipv6=pool.internal_ipv6), families(outer, ipv6=pool.external_ipv6)


@rule("S14", "Edge address plans are IPv4/IPv4, IPv4/dual and dual/dual (inside/outside)", waivable=False)
def _edge_plans(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        inside, outside = sides(deployment, found, pool)
        if (
            (inside, outside) in VALID
            or (inside, outside) == ("IPv6", "IPv6")
            or "nothing" in (inside, outside)
        ):
            continue  # IPv6 alone is S01's, a missing network an error of its own
        message = (
            f"{pool.pool} has {inside} inside and {outside} outside; supported are IPv4 and IPv4, "
            "IPv4 and dual stack, dual stack and dual stack (inside and outside)"
        )
        yield in_topology((*found.place, "pool"), message, pool.pool)


@rule("S01", "IPv6 alone is for validation in a laboratory, not for production")
def _ipv6_only(deployment: Deployment) -> Iterator[Problem]:
    said: set[str] = set()
    for found in pools(deployment.topology):
        for name in found.networks:
            network = deployment.topology.networks.get(name)
            if families(network) == "IPv6" and name not in said:
                said.add(name)
                message = (
                    f"network {name} has IPv6 only, which production does not support; add an IPv4 subnet"
                )
                yield in_topology(("networks", name), message, name)


@rule("S04", "The IPv6 addresses of a pool's hosts have one scope: global, unique local or link-local")
def _one_scope(deployment: Deployment) -> Iterator[Problem]:
    networks = deployment.topology.networks
    prefixes = {
        name: scope(network.ipv6.network_address) for name, network in networks.items() if network.ipv6
    }
    for file, place, host, name, addresses in given_addresses(deployment):
        if addresses.ipv6 is None or name not in prefixes:
            continue
        own = scope(addresses.ipv6)
        if own != prefixes[name]:
            message = (
                f"{addresses.ipv6} of {host} is {own}, network {name} is {prefixes[name]}; "
                "the hosts of a pool need one scope"
            )
            yield Problem(file, (*place, "ipv6"), message, host)
    for name, found in prefixes.items():
        if found == "link-local":
            message = f"the IPv6 subnet of {name} is link-local: no router passes it on; use another one"
            yield in_topology(("networks", name, "ipv6"), message, name)


def scope(address: IPv6Address) -> str:
    """The scope of an IPv6 address (RFC 4291, RFC 4193)."""
    if address.is_link_local:
        return "link-local"
    return "unique local" if address in PRIVATE[-1] else "global"


@rule("S10", "With NAT and IPv6 the public IPv6 address of the A/V Edge is given too")
def _public_ipv6(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        network = deployment.topology.networks.get(found.site.network("perimeter_out"))
        if not network or not network.ipv6 or pool.external_ipv6 is False or not pool.av:
            continue
        if scope(network.ipv6.network_address) == "global":
            continue  # translated only where it must be: a global address is its own public one
        for index, host in enumerate(pool.hosts):
            if host.public.get("av") is None or host.public["av"].ipv6 is None:
                message = (
                    f"{host.name} is behind NAT and has IPv6: give `public: {{av: {{ipv6: ...}}}}` as well"
                )
                yield in_topology((*found.place, "hosts", index, "public"), message, host.name)


@rule("S11", "No source says that IPv6 works through a balancer", "warning")
def _balanced_ipv6(deployment: Deployment) -> Iterator[Problem]:
    for found, pool in edges(deployment):
        if pool.sip_balancing == "balancer" and "dual stack" in sides(deployment, found, pool):
            message = f"{pool.pool} has IPv6 behind a balancer: nothing documents that it works; try it"
            yield in_topology((*found.place, "sip_balancing"), message, pool.pool)


def _dual_names(deployment: Deployment) -> dict[str, Place]:
    """Names that outsiders use for a host in a dual stack network, and the place of its pool."""
    topology = deployment.topology
    found = {}
    for at, pool in edges(deployment):
        if sides(deployment, at, pool)[1] == "dual stack":
            for service, listener in listeners(pool).items():
                found[listener.fqdn] = (*at.place, service, "fqdn")
    proxies = [at for at in pools(topology) if at.kind == "reverse_proxy"]
    networks = [topology.networks.get(at.site.network("perimeter_out")) for at in proxies]
    if networks and all(families(network) == "dual stack" for network in networks):
        for at in pools(topology):
            if web := getattr(at.pool, "external_web", None):
                found[web] = (*at.place, "external_web")
        for domain in topology.sip_domains:
            found[f"lyncdiscover.{domain}"] = proxies[0].place
    return found


@planned_rule("S05", "In dual stack every name has A and AAAA records (Q12)")
def _both_records(deployment: Deployment, plan: Planned) -> Iterator[Problem]:
    wanted = _dual_names(deployment)
    types: dict[str, set[str]] = {}
    for zone in plan.zones:
        for record in zone.records if zone.view == "outside" else ():
            if record.type in ("A", "AAAA") and record.name in wanted:
                types.setdefault(record.name, set()).add(record.type)
    for name, found in sorted(types.items()):
        missing = {"A", "AAAA"} - found
        if missing:
            message = f"{name} has no {missing.pop()} record outside, though its network is dual stack"
            yield in_topology(wanted[name], message, name)

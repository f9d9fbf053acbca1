"""Networks and the addresses in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import combinations

from edgewright.model.checks.problem import Problem, in_topology
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import ZONES, hosts, listeners, pools
from edgewright.model.messages import nearest
from edgewright.model.topology import Addresses, EdgePool, Network

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


def _subnets(deployment: Deployment) -> Iterator[Problem]:
    """Every network has a family, its router is in it, and none overlap."""
    subnets: list[tuple[str, str, Subnet]] = []
    for name, network in deployment.topology.networks.items():
        if network.ipv4 is None and network.ipv6 is None:
            message = f"network {name} has neither ipv4 nor ipv6; give one of them"
            yield in_topology(("networks", name), message, name)
        for family, subnet in _families(network):
            subnets.append((name, family, subnet))
            gateway = getattr(network.gateway, family)
            if gateway and gateway not in subnet:
                message = f"gateway {gateway} is not in {subnet}; give the router's address in this network"
                yield in_topology(("networks", name, "gateway", family), message, name)
    for (one, _, first), (other, family, second) in combinations(subnets, 2):
        if first.version == second.version and first.overlaps(second):
            message = f"{second} overlaps {first} of network {one}; give each network a subnet of its own"
            yield in_topology(("networks", other, family), message, other)


def _needed(deployment: Deployment) -> Iterator[Problem]:
    """The networks that sites and pools name or need exist."""
    networks = deployment.topology.networks
    for site_name, site in deployment.topology.sites.items():
        for zone, name in site.networks.items():
            if name not in networks:
                message = f"there is no network '{name}'{nearest(name, networks)}"
                yield in_topology(("sites", site_name, "networks", zone), message, name)
    for found in pools(deployment.topology):
        for zone in ZONES[found.kind]:
            if found.site.network(zone) not in networks and zone not in found.site.networks:
                message = (
                    f"{found.kind} hosts need a network '{zone}', which {found.site_name} does not have; "
                    f"add it under `networks`, or say which one plays that part: `networks: {{{zone}: NAME}}`"
                )
                yield in_topology(found.place, message, found.name)


def _families(network: Network) -> list[tuple[str, Subnet]]:
    both = (("ipv4", network.ipv4), ("ipv6", network.ipv6))
    return [(family, subnet) for family, subnet in both if subnet is not None]


def given_addresses(deployment: Deployment) -> Iterator[tuple[str, Place, str, str, Addresses]]:
    """Every address that is written for a host: file, place, host, network, addresses."""
    for found in hosts(deployment):
        if found.host is None or found.pool is None:
            continue
        for network, addresses in found.host.addresses.items():
            yield found.file, (*found.place, "addresses", network), found.name, network, addresses
        outside = found.pool.site.network("perimeter_out")
        for service, addresses in found.host.services.items():
            yield found.file, (*found.place, "services", service), found.name, outside, addresses
    surroundings = deployment.surroundings
    if surroundings and surroundings.world:
        world = surroundings.world
        yield "surroundings.yml", ("world", "addresses"), world.host, world.network, world.addresses
    for name, vantage in surroundings.vantages.items() if surroundings else ():
        place: Place = ("vantages", name, "addresses")
        yield "surroundings.yml", place, name, vantage.network, vantage.addresses
    for name, at, partner in surroundings.hosts() if surroundings else ():
        yield "surroundings.yml", (*at, "addresses"), name, partner.network, partner.addresses


def _each(addresses: Addresses) -> Iterator[tuple[str, Address]]:
    for family in ("ipv4", "ipv6"):
        address = getattr(addresses, family)
        if address is not None:
            yield family, address


def _addresses(deployment: Deployment) -> Iterator[Problem]:
    """Given addresses lie in their networks and belong to one host each."""
    networks = deployment.topology.networks
    owner: dict[Address, tuple[str, Place]] = {}
    shared = _shares_addresses(deployment)
    for file, place, host, name, addresses in given_addresses(deployment):
        network = networks.get(name)
        for family, address in _each(addresses):
            here = (*place, family)
            if network is not None:
                yield from _inside(file, here, host, name, address, getattr(network, family))
            other, other_place = owner.setdefault(address, (host, here))
            if other_place == here:
                continue
            if other != host:
                message = f"{address} of {host} is already {other}'s; give each host an address of its own"
                yield Problem(file, here, message, host)
            elif host not in shared and "services" in here and "services" in other_place:
                message = (
                    f"{address} is given to two services of {host}; give each its own, or say "
                    "`single_address: true` for ports 5061, 444 and 443 on one (N08)"
                )
                yield Problem(file, here, message, host)
    reached: dict[tuple[Address, int], str] = {}
    for at in hosts(deployment):
        if at.existing:
            key = (at.existing.address, at.existing.port)
            other = reached.setdefault(key, at.name)
            if other != at.name:
                message = (
                    f"{at.name} is reached at {key[0]} port {key[1]}, as is {other}; two hosts cannot be one"
                )
                yield Problem(at.file, (*at.place, "existing", "address"), message, at.name)


def _shares_addresses(deployment: Deployment) -> set[str]:
    return {
        host.name
        for found in pools(deployment.topology)
        if isinstance(found.pool, EdgePool) and found.pool.single_address
        for host in found.pool.hosts
    }


def _inside(
    file: str, place: Place, host: str, name: str, address: Address, subnet: Subnet | None
) -> Iterator[Problem]:
    if subnet is None:
        message = f"{address} of {host}: network {name} has no IPv{address.version}; leave it out"
        yield Problem(file, place, message, host)
    elif address not in subnet:
        message = f"{address} of {host} is not in {subnet}, the subnet of network {name}"
        yield Problem(file, place, message, host)
    elif subnet.num_addresses > 2 and (
        address == subnet.network_address or (address.version == 4 and address == subnet.broadcast_address)
    ):
        which = "the first" if address == subnet.network_address else "the broadcast"
        message = f"{address} of {host} is {which} address of {subnet}, which no host can have"
        yield Problem(file, place, message, host)


def _attachment(deployment: Deployment) -> Iterator[Problem]:
    """Hosts have addresses only where their kind has an interface, and Edge services only on Edge hosts."""
    networks = deployment.topology.networks
    for at in hosts(deployment):
        if at.host is None or at.pool is None:
            continue
        for name in at.host.addresses:
            if name in at.pool.networks:
                continue
            hint = (
                f"{at.pool.kind} hosts are in {' and '.join(at.pool.networks)}"
                if name in networks
                else f"there is no network '{name}'{nearest(name, networks)}"
            )
            single = " (a Director is single-homed: G09)" if at.pool.kind == "director" else ""
            yield in_topology(
                (*at.place, "addresses", name), f"{at.name} in network {name}: {hint}{single}", at.name
            )
        edge = at.pool.pool if isinstance(at.pool.pool, EdgePool) else None
        has = set(listeners(edge)) if edge else set()
        for service in at.host.services:
            if service not in has:
                message = f"{at.name} has no service {service}; remove it here, or describe it in the pool"
                yield in_topology((*at.place, "services", service), message, at.name)
        allowed = has | ({"web"} if at.pool.kind == "reverse_proxy" else set())
        for public in at.host.public:
            if public not in allowed:
                message = (
                    f"{at.name} has a public address for {public}, which it does not offer; NAT is only on "
                    "the external side of Edge and proxy (N10)"
                )
                yield in_topology((*at.place, "public", public), message, at.name)


def _balancers(deployment: Deployment) -> Iterator[Problem]:
    """Balancers' addresses lie in the networks where clients look for them, and are nobody's own."""
    owned = {
        address: host
        for _, _, host, _, addresses in given_addresses(deployment)
        for _, address in _each(addresses)
    }
    for found in pools(deployment.topology):
        virtual: list[tuple[Place, str, Addresses]] = []
        if isinstance(found.pool, EdgePool):
            for service, given in found.pool.virtual.items():
                zone = found.site.network("perimeter_in" if service == "internal" else "perimeter_out")
                virtual.append((("virtual", service), zone, given))
        elif (addresses := getattr(found.pool, "balancer", None)) is not None:
            zone = found.site.network("perimeter_out" if found.kind == "reverse_proxy" else "inside")
            virtual.append((("balancer",), zone, addresses))
        for place, name, addresses in virtual:
            network = deployment.topology.networks.get(name)
            for family, address in _each(addresses):
                here = (*found.place, *place, family)
                subnet = getattr(network, family) if network else ip_network(address)
                yield from _inside(
                    "topology.yml", here, f"the balancer of {found.name}", name, address, subnet
                )
                if address in owned:
                    message = f"{address} is {owned[address]}'s own; a balancer needs an address of its own"
                    yield in_topology(here, message, found.name)


EXAMINATIONS = (_subnets, _needed, _addresses, _attachment, _balancers)

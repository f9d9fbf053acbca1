"""Networks and addresses: role block + the number that ends a host's name, so a new host renumbers none."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from edgewright.model.topology import Addresses
from edgewright.plan.types import Address, NetworkPlan, Subnet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgewright.model.topology import Topology

BLOCKS = {
    "access": (20, 40),
    "edge": (20, 40),
    "web_conferencing": (60, 40),
    "av": (100, 40),
    "director": (20, 40),
    "front_end": (60, 40),
    "database": (100, 40),
    "dns": (140, 60),
    "reverse_proxy": (140, 60),
    "world": (140, 60),
    "partner": (170, 20),
    "impostor": (190, 10),
    "vantage": (200, 55),
    "firewall_outer": (2, 17),
    "firewall_inner": (3, 17),
}
"""First address and size of each block; firewalls take every second address of theirs."""

BOTH = frozenset({"ipv4", "ipv6"})


def number(name: str) -> int:
    """The number that ends a host's name; 0 where there is none."""
    found = re.search(r"\d+$", name)
    return int(found[0]) if found else 0


def networks(topology: Topology) -> dict[str, NetworkPlan]:
    """The networks in the order of the file, each with the zones that it plays at any site."""
    zones: dict[str, list[str]] = {name: [] for name in topology.networks}
    for site in topology.sites.values():
        for zone in ("outside", "perimeter_out", "perimeter_in", "inside", "management"):
            name = site.network(zone)
            if name in zones and zone not in zones[name]:
                zones[name].append(zone)
    return {
        name: NetworkPlan(
            name=name,
            ipv4=network.ipv4,
            ipv6=network.ipv6,
            bridge4=network.ipv4[1] if network.ipv4 and network.ipv4.num_addresses > 1 else None,
            bridge6=network.ipv6[1] if network.ipv6 and network.ipv6.num_addresses > 1 else None,
            zones=tuple(zones[name]),  # type: ignore[arg-type]
        )
        for name, network in topology.networks.items()
    }


class Allocator:
    """Hands out addresses and remembers whose they are; `problems` collects what could not be given."""

    def __init__(self, plans: dict[str, NetworkPlan]) -> None:
        self.plans = plans
        self.problems: list[str] = []
        self._owner: dict[Address, str] = {}
        for plan in plans.values():
            for bridge in (plan.bridge4, plan.bridge6):
                if bridge:
                    self._owner[bridge] = f"the bridge of network {plan.name}"

    def reserve(self, address: Address, owner: str) -> None:
        """Keep an address that is somebody else's."""
        self._owner.setdefault(address, owner)

    def take(
        self, host: str, block: str, network: str, given: Addresses | None, families: Iterable[str] = BOTH
    ) -> tuple[IPv4Address | None, IPv6Address | None]:
        """The address per family of `host` in a network: the given one, else block + number of its name."""
        plan = self.plans.get(network)
        if plan is None:
            self.problems.append(f"{host}: there is no network {network}; write it under `networks`")
            return None, None
        given = given or Addresses()
        ipv4 = given.ipv4
        if ipv4 is None and plan.ipv4 and "ipv4" in families:
            ipv4 = self._derived(host, block, plan, plan.ipv4)  # type: ignore[assignment]
        ipv6 = given.ipv6
        if ipv6 is None and plan.ipv6 and "ipv6" in families:
            ipv6 = self._derived(host, block, plan, plan.ipv6)  # type: ignore[assignment]
        for address, subnet in ((ipv4, plan.ipv4), (ipv6, plan.ipv6)):
            if address is not None:
                self._claim(host, address, subnet, network)
        return ipv4, ipv6

    def _derived(self, host: str, block: str, plan: NetworkPlan, subnet: Subnet) -> Address | None:
        first, size = BLOCKS[block]
        own = number(host)
        step = own
        if block.startswith("firewall"):
            step = 2 * (max(own, 1) - 1)
        if step >= size:
            self.problems.append(
                f"{host}: number {own} is beyond the block of {size} addresses from {first} "
                f"in network {plan.name}; give its address there"
            )
            return None
        offset = first + step
        if isinstance(subnet.network_address, IPv6Address):
            offset = int(str(offset), 16)
        if offset >= subnet.num_addresses - (subnet.version == 4):
            self.problems.append(
                f"{host}: network {plan.name} ({subnet}) is too small for number {first + step}; "
                f"give its address there"
            )
            return None
        return subnet.network_address + offset

    def _claim(self, host: str, address: Address, subnet: Subnet | None, network: str) -> None:
        if subnet is None or address not in subnet:
            self.problems.append(
                f"{host}: {address} is not in network {network} ({subnet or 'which lacks that family'}); "
                f"give one that is"
            )
        elif address in self._owner:
            self.problems.append(
                f"{host}: {address} in network {network} is already {self._owner[address]}'s; "
                f"give another address"
            )
        else:
            self._owner[address] = host

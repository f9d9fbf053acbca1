"""What the settings of the SIP roles share: sockets, pools as dispatcher sets, who has which address.

Sources: reference sections 3 and 9a (MTLS 5061 between all SIP hosts), G06 (an Edge has one next hop).
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from edgewright.plan import edges

if TYPE_CHECKING:
    from edgewright.model.topology import EdgePool
    from edgewright.plan.roles import Base
    from edgewright.plan.types import HostPlan, PoolPlan

SIP_TLS_PORT = 5061
CLIENT_PORT = 443


@lru_cache(maxsize=65536)
def _text(address: IPv4Address | IPv6Address) -> str:
    """Kept, since a pool's addresses are told to every host that knows the pool."""
    return str(address)


Address = Annotated[
    IPv4Address | IPv6Address, PlainSerializer(_text, return_type=str, when_used="json-unless-none")
]
Port = Annotated[int, Field(ge=1, le=65535)]
SipRole = Literal["edge", "director", "front_end"]
Tables = dict[str, dict[str, str]]
"""Tables that follow from the plan rather than from policy: name -> key -> value."""


class Settings(BaseModel):
    """Base of a role's settings: typed, frozen, no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Socket(Settings):
    """A listening TLS socket; its name says side (x out, p in), family (4, 6), port (a 443, b 5061)."""

    name: str
    address: Address
    port: Port
    advertise: Address | None = None
    """What others see instead of `address`, where there is NAT (N10)."""


class Destination(Settings):
    """One address of one member of a pool; `socket` is ours from which it is reached."""

    host: str
    address: Address
    socket: str
    port: Port = SIP_TLS_PORT


class SipPool(Settings):
    """A pool as Kamailio's dispatcher sees it: `set` is its number, the same on every host for ever."""

    pool: str
    role: SipRole
    set: int
    members: tuple[Destination, ...]


def set_number(pool: str) -> int:
    """Dispatcher set of a pool: derived from its name alone, so that no pool renumbers another."""
    return 10 + zlib.crc32(pool.encode()) % 1_000_000_000


def inside_addresses(host: HostPlan) -> tuple[Address, ...]:
    """Addresses on which a SIP host is reached from inside: of its last interface (an Edge's inner one)."""
    interface = host.interfaces[-1]
    return tuple(address for address in (interface.ipv4, interface.ipv6) if address is not None)


def inside_sockets(host: HostPlan) -> tuple[Socket, ...]:
    """The inside sockets, named p4 and p6."""
    return tuple(
        Socket(name=f"p{address.version}", address=address, port=SIP_TLS_PORT)
        for address in inside_addresses(host)
    )


def pools(base: Base, role: SipRole) -> tuple[PoolPlan, ...]:
    """All pools of a role, by name."""
    return base.once(
        ("sip pools", role),
        lambda: tuple(base.pools[name] for name in sorted(base.pools) if base.pools[name].kind == role),
    )


def sip_pool(base: Base, pool: PoolPlan, from_: HostPlan) -> SipPool:
    """A pool as seen from a host: every address of every member in a family that the host has, too."""
    families = tuple(sorted({address.version for address in inside_addresses(from_)}))
    return base.once(("sip pool", pool.name, families), lambda: _sip_pool(base, pool, families))


def _sip_pool(base: Base, pool: PoolPlan, families: tuple[int, ...]) -> SipPool:
    return SipPool(
        pool=pool.name,
        role=cast("SipRole", pool.kind),
        set=set_number(pool.name),
        members=tuple(
            Destination(host=member.fqdn, address=address, socket=f"p{address.version}")
            for member in base.pool_hosts(pool.name)
            for address in inside_addresses(member)
            if address.version in families
        ),
    )


def host_table(base: Base) -> dict[str, str]:
    """Table `hosts`: address (without brackets) -> `role=...;pool=...` of every SIP host."""
    return base.once(
        "sip hosts",
        lambda: {
            str(address): f"role={host.kind};pool={host.pool}"
            for host in base.of_kind("edge", "director", "front_end")
            for address in inside_addresses(host)
        },
    )


def pool_table(*known: SipPool) -> dict[str, str]:
    """Table `pools`: pool FQDN -> `set=<dispatcher set>`."""
    return {pool.pool: f"set={pool.set}" for pool in known}


def federation_hop(base: Base, host: HostPlan) -> PoolPlan | None:
    """The pool to which a Director or Front End gives what leaves for partners; None: nobody federates.

    The federation route's Edge where its next hop is the host's own pool; from elsewhere that next hop.
    """
    edge = edges.federation_edge(base)
    if edge is None:
        return None
    hop = next_hop_of(base, edge)
    return edge if hop.name == host.pool or host.kind == "director" else hop


def route_table(base: Base, host: HostPlan) -> dict[str, str]:
    """Table `routes`: `federation` -> `pool=<FQDN>`, the pool to which partners' requests are given."""
    hop = federation_hop(base, host)
    return {"federation": f"pool={hop.name}"} if hop else {}


def next_hop_of(base: Base, edge: PoolPlan) -> PoolPlan:
    """The one pool that gets what an Edge lets in (G06)."""
    return base.pools[cast("EdgePool", edge.pool).next_hop]

"""The lab provider's resources as a Pulumi program sees them. Type tokens are for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import pulumi


class InterfaceArgs(TypedDict):
    """One interface of a host; addresses are `address/prefix`, empty where the family is missing."""

    name: str
    network: pulumi.Input[str]
    ipv4: str
    ipv6: str
    extra: list[str]


class RouteArgs(TypedDict):
    """One route; `to` is `default` or a subnet."""

    to: str
    via: str
    interface: str


class VolumeArgs(TypedDict):
    """A volume and where it is mounted."""

    name: pulumi.Input[str]
    path: str


class Network(pulumi.CustomResource):
    """A bridge without way out; the machine's own address on it is its management path."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        ipv4: str,
        ipv6: str,
        bridge4: str,
        bridge6: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; a family is left out by empty strings."""
        inputs = {"name": name, "ipv4": ipv4, "ipv6": ipv6, "bridge4": bridge4, "bridge6": bridge6}
        super().__init__("lab:index:Network", resource, inputs, opts)


class Volume(pulumi.CustomResource):
    """A state directory that outlives its host."""

    name: pulumi.Output[str]

    def __init__(self, resource: str, *, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare it."""
        super().__init__("lab:index:Volume", resource, {"name": name}, opts)


class Host(pulumi.CustomResource):
    """A Debian system in a container."""

    address: pulumi.Output[str]
    hostKey: pulumi.Output[str]  # noqa: N815 (the provider's name for it)

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        hostname: str,
        image: str,
        interfaces: Sequence[InterfaceArgs],
        routes: Sequence[RouteArgs],
        volumes: Sequence[VolumeArgs],
        forwarding: bool,
        authorized_key: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; the outputs are what ssh needs."""
        properties: dict[str, Any] = {
            "name": name,
            "hostname": hostname,
            "image": image,
            "interfaces": list(interfaces),
            "routes": list(routes),
            "volumes": list(volumes),
            "forwarding": "true" if forwarding else "false",
            "authorizedKey": authorized_key,
            "state": "running",
            "hostKey": None,
            "address": None,
        }
        super().__init__("lab:index:Host", resource, properties, opts)

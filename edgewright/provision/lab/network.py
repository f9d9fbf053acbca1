"""Networks and volumes of the lab."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, ClassVar

from edgewright.provision.lab.handler import Found, Handler, Owner, labels_of, spec_hash
from edgewright.provision.lab.values import UNKNOWN, Plain
from edgewright.provision.shell import ProvisionError

AUTOMATIC = {4: 28, 6: 124}
"""Podman gives each host an address in both families; where the plan has none, it comes from the end."""


class NetworkHandler(Handler):
    """A bridge without way out.

    Inputs: name, ipv4 and ipv6 (subnets), bridge4 and bridge6 (the machine's own addresses on it); a family
    is left out by an empty string.
    """

    kind: ClassVar[str] = "network"

    def check(self, inputs: dict[str, Plain]) -> list[tuple[str, str]]:
        """Subnets must be subnets, and there must be one."""
        failures = []
        for family in ("ipv4", "ipv6"):
            text = inputs.get(family, "")
            if text and text != UNKNOWN:
                try:
                    ip_network(text)
                except ValueError as error:
                    failures.append((family, str(error)))
        if not inputs.get("ipv4") and not inputs.get("ipv6"):
            failures.append(("ipv4", "a network has at least one subnet: give ipv4, ipv6 or both"))
        return failures

    def create(self, owner: Owner, inputs: dict[str, Plain]) -> dict[str, Plain]:
        """Make the bridge's definition (the bridge itself appears with the first host on it)."""
        name = inputs["name"]
        spec = spec_hash(inputs)
        there = self.leftover(owner, name)
        if there is not None:
            if owner.made(labels_of(self.kind, there), spec):
                return {}
            self.podman("network", "rm", name)
        args = ["network", "create", "--disable-dns", "--internal"]
        if inputs["ipv6"]:
            args.append("--ipv6")
        for family, bridge in (("ipv4", "bridge4"), ("ipv6", "bridge6")):
            if not inputs[family]:
                continue
            subnet = ip_network(inputs[family])
            args += ["--subnet", str(subnet), "--gateway", inputs[bridge]]
            length = AUTOMATIC[subnet.version]
            if subnet.prefixlen < length:
                args += ["--ip-range", _last(subnet, length)]
        for key, value in owner.labels(spec).items():
            args += ["--label", f"{key}={value}"]
        try:
            self.podman(*args, name)
        except ProvisionError as error:
            raise ProvisionError(self._explain(str(error), inputs)) from error
        return {}

    def _explain(self, message: str, inputs: dict[str, Plain]) -> str:
        """Podman says that a subnet is taken, but not by whom."""
        if "already" not in message:
            return message
        wanted = [ip_network(inputs[family]) for family in ("ipv4", "ipv6") if inputs[family]]
        takers = []
        for other in self.podman("network", "ls", "--format", "{{.Name}}").splitlines():
            for subnet in (self.podman.inspect("network", other) or {}).get("subnets") or ():
                taken = ip_network(subnet["subnet"])
                if any(taken.version == want.version and taken.overlaps(want) for want in wanted):
                    takers.append(f"podman network {other} ({taken})")
        by = ", ".join(takers) or "an interface or a route of this machine (`ip address`, `ip route`)"
        subnets = " and ".join(map(str, wanted))
        name = inputs["name"]
        return f"network {name}: {subnets} is taken by {by}; choose other networks in topology.yml or free it"

    def read(self, owner: Owner, inputs: dict[str, Plain]) -> Found | None:
        """Subnets as podman has them."""
        there = self.podman.inspect(self.kind, inputs["name"])
        if there is None or not owner.owns(labels_of(self.kind, there)):
            return None
        found: dict[str, Any] = {**inputs, "ipv4": "", "ipv6": "", "bridge4": "", "bridge6": ""}
        for subnet in there.get("subnets") or ():
            family = str(ip_network(subnet["subnet"]).version)
            found[f"ipv{family}"] = subnet["subnet"]
            found[f"bridge{family}"] = subnet.get("gateway", "")
        return Found(found, {})

    def delete(self, owner: Owner, name: str) -> None:
        """Remove the network; its hosts are gone before."""
        there = self.podman.inspect(self.kind, name)
        if there is not None and owner.owns(labels_of(self.kind, there)):
            others = self.podman("ps", "--all", "--filter", f"network={name}", "--format", "{{.Names}}")
            if others:
                raise ProvisionError(
                    f"network {name} is used by {', '.join(others.splitlines())}, which this lab did not "
                    "make; remove that first (`podman rm`), then run it again"
                )
            self.podman("network", "rm", name)


def _last(subnet: IPv4Network | IPv6Network, length: int) -> str:
    """The last part of a subnet, of that prefix length."""
    size = 2 ** (subnet.max_prefixlen - length)
    first = int(subnet.broadcast_address) - size + 1
    address = type(subnet.network_address)(first)
    return f"{address}/{length}"


class VolumeHandler(Handler):
    """A state directory with a life of its own: it outlives its host. Inputs: name."""

    kind: ClassVar[str] = "volume"

    def create(self, owner: Owner, inputs: dict[str, Plain]) -> dict[str, Plain]:
        """Make it, or keep what is there."""
        if self.leftover(owner, inputs["name"]) is None:
            labels = [word for item in owner.labels("").items() for word in ("--label", "=".join(item))]
            self.podman("volume", "create", *labels, inputs["name"])
        return {}

    def read(self, owner: Owner, inputs: dict[str, Plain]) -> Found | None:
        """There or not."""
        there = self.podman.inspect(self.kind, inputs["name"])
        return Found(inputs, {}) if there is not None and owner.owns(labels_of(self.kind, there)) else None

    def delete(self, owner: Owner, name: str) -> None:
        """Remove it with what is in it."""
        there = self.podman.inspect(self.kind, name)
        if there is not None and owner.owns(labels_of(self.kind, there)):
            self.podman("volume", "rm", name)

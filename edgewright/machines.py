"""`machines.json`: the one document between provisioning and what comes after; imports nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 1


class MachinesError(Exception):
    """The document is missing or unusable; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A host as it is: where ssh reaches it (address, port, user), its host key, addresses by interface."""

    name: str
    address: str
    port: int
    user: str
    host_key: str
    kind: str
    roles: tuple[str, ...]
    surroundings: bool
    interfaces: dict[str, dict[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Machines:
    """All machines of a deployment; `digest` is that of the description they were made for."""

    deployment: str
    digest: str
    folder: Path
    """Holds machines.json, ssh_config, known_hosts, id_ed25519."""
    hosts: dict[str, Machine]

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`: host names, keys, known hosts, control sockets."""
        return self.folder / "ssh_config"


def load(folder: Path) -> Machines:
    """Read `machines.json` in `folder` (`.edgewright/<deployment>`).

    Raises:
        MachinesError: there is none, or it has another schema.
    """
    path = folder / "machines.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MachinesError(
            f"{path} is missing: the hosts have not been provisioned; run `edgewright up {folder.name}` first"
        ) from None
    except ValueError as error:
        raise MachinesError(f"{path}: not JSON ({error}); run `edgewright up {folder.name}` again") from None
    if document.get("schema") != SCHEMA:
        raise MachinesError(f"{path}: schema {document.get('schema')!r}, this program reads {SCHEMA}")
    return Machines(
        deployment=document["deployment"],
        digest=document["digest"],
        folder=folder,
        hosts={name: _machine(name, found) for name, found in sorted(document["hosts"].items())},
    )


def unlike(made: Machines, planned: Mapping[str, Any]) -> list[str]:
    """How the machines differ from the planned hosts (`HostPlan` by name), as sentences; empty if they fit.

    Policies and users are not machines: where only these changed since the machines were made, they fit.
    """
    found = [f"{name} is planned, but was not made" for name in sorted(planned.keys() - made.hosts.keys())]
    found += [f"{name} was made, but is not planned" for name in sorted(made.hosts.keys() - planned.keys())]
    for name in sorted(planned.keys() & made.hosts.keys()):
        host, machine = planned[name], made.hosts[name]
        if _addresses(machine) != {a for i in host.interfaces for a in _of(i.ipv4, i.ipv6, *i.extra)}:
            found.append(f"{name} has other addresses")
    return found


def _of(*addresses: object) -> set[str]:
    return {str(address) for address in addresses if address is not None}


def _addresses(machine: Machine) -> set[str]:
    found: set[str] = set()
    for interface in machine.interfaces.values():
        extra = interface.get("extra")
        more = extra if isinstance(extra, list) else []
        found |= _of(interface.get("ipv4"), interface.get("ipv6"), *more)
    return found


def _machine(name: str, found: dict[str, object]) -> Machine:
    roles = found.get("roles") or ()
    interfaces = found.get("interfaces") or {}
    if not isinstance(roles, list | tuple) or not isinstance(interfaces, dict):
        raise MachinesError(f"machines.json: host {name}: roles must be a list and interfaces a mapping")
    return Machine(
        name=name,
        address=str(found["address"]),
        port=int(str(found.get("port", 22))),
        user=str(found.get("user", "root")),
        host_key=str(found.get("host_key", "")),
        kind=str(found.get("kind", "")),
        roles=tuple(str(role) for role in roles),
        surroundings=bool(found.get("surroundings", False)),
        interfaces=interfaces,
    )

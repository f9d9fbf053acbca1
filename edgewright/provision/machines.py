"""`machines.json`: the one document between provisioning and everything after it, and ssh's files beside it.

Written to `.edgewright/<deployment>/`:

    machines.json   {"schema": 1, "deployment", "digest", "hosts": {name: {"roles", "kind", "address", "port",
                    "user", "host_key", "surroundings",
                    "interfaces": {"eth0": {"network", "ipv4", "ipv6", "extra"}}}}}
    known_hosts     one pinned ed25519 key per host
    ssh_config      for ssh, Ansible and the proof alike: strict host keys, one shared connection per host
    id_ed25519      the key that lab hosts let in

`edgewright.machines` reads it; nothing after provisioning asks Pulumi.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from edgewright.model import files
from edgewright.plan.types import HostPlan, Interface, Plan
from edgewright.provision.paths import Paths
from edgewright.provision.shell import ProvisionError

SCHEMA = 1
CONTROL_PERSIST = 120
"""Seconds for which an idle shared connection stays; a new one costs twenty times a reused one."""


class Reached(TypedDict):
    """How provisioning says that a host is reached."""

    address: str
    host_key: str


def build(plan: Plan, reached: Mapping[str, Reached]) -> dict[str, Any]:
    """The document for a plan and what provisioning reported.

    Raises:
        ProvisionError: A host of the plan was not reported.
    """
    missing = sorted(set(plan.hosts) - set(reached))
    if missing:
        raise ProvisionError(f"not provisioned: {', '.join(missing)}; run `edgewright up` again")
    return {
        "schema": SCHEMA,
        "deployment": plan.deployment,
        "digest": plan.digest,
        "hosts": {name: _host(plan.hosts[name], reached[name]) for name in sorted(plan.hosts)},
    }


def _host(host: HostPlan, reached: Reached) -> dict[str, Any]:
    return {
        "roles": list(host.roles),
        "kind": host.kind,
        "address": reached["address"],
        "port": host.existing.port if host.existing else 22,
        "user": host.existing.user if host.existing else "root",
        "host_key": reached["host_key"],
        "interfaces": {interface.name: _interface(interface) for interface in host.interfaces},
        "surroundings": host.surroundings,
    }


def _interface(interface: Interface) -> dict[str, Any]:
    return {
        "network": interface.network,
        "ipv4": str(interface.ipv4) if interface.ipv4 else None,
        "ipv6": str(interface.ipv6) if interface.ipv6 else None,
        "extra": [str(address) for address in interface.extra],
    }


def known_hosts(document: Mapping[str, Any]) -> str:
    """One line per host: its name and address with its pinned key."""
    lines = []
    for name, host in document["hosts"].items():
        address, port = host["address"], host["port"]
        places = [name, address] if port == 22 else [f"[{name}]:{port}", f"[{address}]:{port}"]
        lines.append(f"{','.join(places)} {host['host_key']}\n")
    return "".join(lines)


def ssh_config(document: Mapping[str, Any], folder: Path, sockets: Path, lab: set[str]) -> str:
    """A configuration for `ssh -F`. Hosts of the lab take our own key; existing ones the operator's."""
    lines = ["# Written by edgewright; `edgewright ssh HOST` and `ssh -F` this file use it."]
    for name, host in document["hosts"].items():
        lines += [f"Host {name} {host['address']}", f"  HostName {host['address']}"]
        lines += [f"  Port {host['port']}", f"  User {host['user']}"]
        if name in lab:
            lines += [
                f'  IdentityFile "{folder / "id_ed25519"}"',
                "  IdentitiesOnly yes",
                "  IdentityAgent none",
            ]
    lines += [
        "Host *",
        f'  UserKnownHostsFile "{folder / "known_hosts"}"',
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
        "  UpdateHostKeys no",
        "  HostKeyAlgorithms ssh-ed25519",
        "  BatchMode yes",
        "  ConnectTimeout 10",
        "  ServerAliveInterval 5",
        "  ServerAliveCountMax 3",
        "  ControlMaster auto",
        f"  ControlPath {sockets}/%C",
        f"  ControlPersist {CONTROL_PERSIST}",
        "  LogLevel ERROR",
    ]
    return "\n".join(lines) + "\n"


def login_key(paths: Paths, deployment: str) -> str:
    """The public half (`ssh-ed25519 AAAA...`) of the key that lab hosts let in; made at the first call."""
    file = paths.deployment(deployment) / "id_ed25519"
    if file.exists():
        key = load_ssh_private_key(file.read_bytes(), None)
    else:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        files.write_private(file, private.decode())
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def write(paths: Paths, plan: Plan, reached: Mapping[str, Reached]) -> Path:
    """Write all files of a deployment; the path of machines.json, which is written last."""
    document = build(plan, reached)
    folder, sockets = paths.deployment(plan.deployment), paths.sockets(plan.deployment)
    lab = {name for name, host in plan.hosts.items() if host.existing is None}
    sockets.mkdir(mode=0o700, exist_ok=True)
    if sockets.stat().st_uid != os.geteuid():
        raise ProvisionError(f"{sockets} belongs to somebody else: ssh connections would be in their hands")
    files.write(folder / "known_hosts", known_hosts(document))
    files.write(folder / "ssh_config", ssh_config(document, folder, sockets, lab))
    target = folder / "machines.json"
    files.write(target, json.dumps(document, indent=1) + "\n")
    return target


def existing(plan: Plan) -> dict[str, Reached]:
    """How hosts that are not provisioned are reached: what the topology says."""
    return {
        name: Reached(address=str(host.existing.address), host_key=host.existing.host_key)
        for name, host in plan.hosts.items()
        if host.existing is not None
    }

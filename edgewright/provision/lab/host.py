"""Hosts of the lab: Debian systems in containers, reached by ssh like any other machine."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, ClassVar

from edgewright.plan import sysctl
from edgewright.provision.lab.handler import Found, Handler, Owner, labels_of, spec_hash
from edgewright.provision.lab.values import UNKNOWN, Plain
from edgewright.provision.shell import ProvisionError, privileged, run

RUNNING = "running"
BOOT_SECONDS = 90
CONFIG = "usr/local/lib/edgewright-lab/network.json"
AUTHORIZED = "root/.ssh/authorized_keys"
HOST_KEY = "etc/ssh/ssh_host_ed25519_key.pub"
# Filters and addresses, raw sockets for ping, the namespaces that units ask for, sshd's audit messages.
CAPABILITIES = "NET_ADMIN,NET_RAW,SYS_ADMIN,AUDIT_WRITE"
IN_PLACE = re.compile(r"^(state|authorizedKey|routes(\[.*)?|interfaces\[\d+\]\.extra(\[.*)?)$")


class HostHandler(Handler):
    """A host.

    Inputs:
        name: Container name, unique on the machine. hostname: its FQDN.
        image: What it is made from; looked at when it is made and never again.
        interfaces: List of {name, network, ipv4, ipv6, extra}: addresses as `address/prefix`, empty where
            there is none; extra is a list.
        routes: List of {to (`default` or a subnet), via, interface}.
        forwarding: `true` for routers. volumes: list of {name, path}. authorizedKey: who may log in as root.
        state: `running`; what is found otherwise (stopped, paused, altered: ...) is put right in place.

    Outputs: hostKey (`ssh-ed25519 ...`), address (where the machine reaches it by ssh).
    """

    kind: ClassVar[str] = "container"
    outputs: ClassVar[tuple[str, ...]] = ("hostKey", "address")
    ignored: ClassVar[frozenset[str]] = frozenset({"image"})

    def check(self, inputs: dict[str, Plain]) -> list[tuple[str, str]]:
        """Addresses must be addresses, and each interface must have one."""
        failures = []
        for index, interface in enumerate(inputs["interfaces"]):
            where = f"interfaces[{index}]"
            for family in ("ipv4", "ipv6"):
                text = interface.get(family, "")
                if text and text != UNKNOWN and not _is_address(text):
                    failures.append(
                        (f"{where}.{family}", f"{text!r} is not an address with its prefix length")
                    )
            if not interface.get("ipv4") and not interface.get("ipv6"):
                failures.append((where, f"interface {interface['name']} has no address in any family"))
        return failures

    def replaces(self, path: str) -> bool:
        """Routes, further addresses and the key change in place."""
        return IN_PLACE.match(path) is None

    def known(self, inputs: dict[str, Plain]) -> dict[str, Plain]:
        """The management address is that of the first interface."""
        first = inputs["interfaces"][0]
        return {"address": (first["ipv4"] or first["ipv6"]).split("/")[0]}

    def create(self, owner: Owner, inputs: dict[str, Plain]) -> dict[str, Plain]:
        """Make it and wait until it has started; a host that does not start well is removed again."""
        name = inputs["name"]
        spec = spec_hash(
            {key: value for key, value in inputs.items() if self.replaces(key) and key != "image"}
        )
        there = self.leftover(owner, name)
        if there is not None and owner.made(labels_of(self.kind, there), spec):
            return self.update(owner, inputs)
        if there is not None:
            self.podman("rm", "--force", "--time", "2", name)
        if self.podman.attempt("image", "exists", inputs["image"]).returncode:
            raise ProvisionError(f"there is no image {inputs['image']}: `edgewright up` builds it")
        self.podman(*self._create_arguments(owner, spec, inputs))
        try:
            self._write(name, {CONFIG: network_config(inputs), "etc/hosts": hosts_file(inputs)}, inputs)
            self.podman("start", name)
            return self._outputs(inputs, self._wait(name, strict=True))
        except BaseException:
            self.podman.attempt("rm", "--force", "--time", "2", name)
            raise

    def _create_arguments(self, owner: Owner, spec: str, inputs: dict[str, Plain]) -> list[str]:
        # No resolv.conf and hosts file of podman's: mounted ones could not be replaced by the roles.
        args = ["create", "--name", inputs["name"], "--hostname", inputs["hostname"], "--systemd=always"]
        args += ["--dns=none", "--no-hosts", "--pull=never", "--cap-add", CAPABILITIES]
        sysctls = {
            **sysctl.values(forwarding=inputs["forwarding"] == "true"),
            "net.ipv6.conf.default.accept_dad": "0",
            # What systemd sets on a real machine; with the kernel's 10 a burst of log lines loses some.
            "net.unix.max_dgram_qlen": "512",
        }
        for key, value in sysctls.items():
            args += ["--sysctl", f"{key}={value}"]
        for interface in inputs["interfaces"]:
            options = [
                f"interface_name={interface['name']}",
                f"mac={mac_address(inputs['name'], interface['name'])}",
            ]
            options += [f"ip={interface[f].split('/')[0]}" for f in ("ipv4", "ipv6") if interface[f]]
            args += ["--network", f"{interface['network']}:{','.join(options)}"]
        for volume in inputs["volumes"]:
            args += ["--volume", f"{volume['name']}:{volume['path']}"]
        for key, value in owner.labels(spec).items():
            args += ["--label", f"{key}={value}"]
        return [*args, inputs["image"]]

    def update(self, owner: Owner, inputs: dict[str, Plain]) -> dict[str, Plain]:
        """Start it if it does not run, and bring addresses, routes and the key up to date."""
        name = inputs["name"]
        there = self.leftover(owner, name)
        if there is None:
            raise ProvisionError(f"host {name} has gone meanwhile: run again with --refresh")
        if perished(there):
            self.podman("rm", "--force", "--time", "2", name)
            return self.create(owner, inputs)
        status = there["State"]["Status"]
        if status == "paused":
            self.podman("unpause", name)
        self._write(name, {CONFIG: network_config(inputs)}, inputs)
        if status in ("running", "paused"):
            self._inside(there["State"]["Pid"], "systemctl", "restart", "edgewright-lab-network.service")
        else:
            self.podman("start", name)
        return self._outputs(inputs, self._wait(name, strict=False))

    def read(self, owner: Owner, inputs: dict[str, Plain]) -> Found | None:
        """What podman and the host itself say: networks, running or not, addresses, routes, key."""
        there = self.podman.inspect(self.kind, inputs["name"])
        if there is None or not owner.owns(labels_of(self.kind, there)):
            return None
        attached = there["NetworkSettings"].get("Networks") or {}
        interfaces = [one for one in inputs["interfaces"] if one["network"] in attached]
        found = {**inputs, "interfaces": interfaces}
        status = there["State"]["Status"]
        if status != "running" or perished(there):
            found["state"] = "paused" if status == "paused" else "stopped"
            return Found(found, {})
        pid = there["State"]["Pid"]
        altered = self._alterations(pid, inputs)
        found["state"] = f"altered: {', '.join(altered)}" if altered else RUNNING
        return Found(found, self._outputs(inputs, pid))

    def delete(self, owner: Owner, name: str) -> None:
        """Stop it as a machine is stopped (its databases may want that), then remove it."""
        there = self.podman.inspect(self.kind, name)
        if there is not None and owner.owns(labels_of(self.kind, there)):
            self.podman("rm", "--force", "--time", "5", name)

    def _alterations(self, pid: int, inputs: dict[str, Plain]) -> list[str]:
        """What somebody changed inside: addresses or routes taken away, the key removed."""
        config = json.loads(network_config(inputs))
        links = json.loads(self._network(pid, "ip", "-json", "address", "show"))
        present = {
            (link["ifname"], str(ip_address(entry["local"]))) for link in links for entry in link["addr_info"]
        }
        missing = [
            f"address {address} missing on {name}"
            for name, addresses in config["addresses"].items()
            for address in addresses
            if (name, str(ip_address(address.split("/")[0]))) not in present
        ]
        for family in "46":
            wanted = [route for route in config["routes"] if route["family"] == family]
            if not wanted:
                continue
            routes = json.loads(self._network(pid, "ip", f"-{family}", "-json", "route", "show") or "[]")
            have = {(_destination(route["dst"], family), route.get("gateway", "")) for route in routes}
            missing += [
                f"route {route['to']} missing"
                for route in wanted
                if (_destination(route["to"], family), route["via"]) not in have
            ]
        if inputs["authorizedKey"] not in self._file(pid, AUTHORIZED).splitlines():
            missing.append("authorized key missing")
        return missing

    def _outputs(self, inputs: dict[str, Plain], pid: int) -> dict[str, Plain]:
        key = " ".join(self._file(pid, HOST_KEY).split()[:2])
        if not key.startswith("ssh-ed25519 "):
            raise ProvisionError(f"host {inputs['name']} has no ssh host key")
        return {**self.known(inputs), "hostKey": key}

    def _wait(self, name: str, *, strict: bool) -> int:
        """Wait until it has started; its process id. `strict`: no failed unit is accepted.

        Raises:
            ProvisionError: It died, has failed units, or did not start in time; with what it said.
        """
        deadline = time.monotonic() + BOOT_SECONDS
        answer = ""
        while time.monotonic() < deadline:
            there = self.podman.inspect(self.kind, name)
            if there is None or there["State"]["Status"] not in ("running", "created", "configured"):
                log = self.podman.attempt("logs", "--tail", "15", name)
                raise ProvisionError(
                    f"host {name} stopped while starting: {(log.stdout + log.stderr).strip()}"
                )
            pid = int(there["State"]["Pid"])
            answer = self._inside(pid, "systemctl", "is-system-running", check=False).strip()
            if answer == RUNNING or (answer == "degraded" and not strict):
                return pid
            if answer == "degraded":
                units = self._inside(
                    pid, "systemctl", "--failed", "--plain", "--no-legend", "--no-pager", check=False
                )
                raise ProvisionError(f"host {name} started with failed units:\n{units.strip()}")
            time.sleep(0.2)
        raise ProvisionError(
            f"host {name} has not started within {BOOT_SECONDS} s (systemd says: {answer or 'nothing'})"
        )

    def _inside(self, pid: int, *argv: str, check: bool = True) -> str:
        """Run a program in the host: 60 times quicker than `podman exec`."""
        return run(
            privileged(["nsenter", "--target", str(pid), "--all", *argv]), check=check, timeout=60
        ).stdout

    def _network(self, pid: int, *argv: str) -> str:
        """Run one of the machine's own programs in the host's network."""
        return run(privileged(["nsenter", "--target", str(pid), "--net", *argv]), timeout=60).stdout

    def _file(self, pid: int, path: str) -> str:
        """A file of the host; empty if there is none."""
        return self._inside(pid, "cat", f"/{path}", check=False)

    def _write(self, name: str, files: dict[str, str], inputs: dict[str, Plain]) -> None:
        """Put files into the host, whether it runs or not; the login key is always among them."""
        files = {**files, AUTHORIZED: inputs["authorizedKey"] + "\n"}
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            folder = tarfile.TarInfo("root/.ssh")
            folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o700, int(time.time())
            archive.addfile(folder)
            for path, text in files.items():
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(text.encode()), 0o600 if path == AUTHORIZED else 0o644
                entry.mtime = int(time.time())
                archive.addfile(entry, io.BytesIO(text.encode()))
        self.podman("cp", "-", f"{name}:/", stdin=stream.getvalue())


def perished(there: dict[str, Any]) -> bool:
    """Whether a host is dead and podman does not know, since its keeper (conmon) was killed too."""
    state = there["State"]
    if state["Status"] not in ("running", "paused", "stopping"):
        return False
    try:
        return Path(f"/proc/{int(state['Pid'])}/comm").read_text(encoding="utf-8").strip() != "systemd"
    except OSError:
        return True


def network_config(inputs: dict[str, Plain]) -> str:
    """The file that the host's own network unit reads (its form: images/base/.../network)."""
    config: dict[str, Any] = {"addresses": {}, "routes": []}
    for interface in inputs["interfaces"]:
        own = [interface["ipv4"], interface["ipv6"], *interface["extra"]]
        config["addresses"][interface["name"]] = [address for address in own if address]
    for route in inputs["routes"]:
        config["routes"].append({**route, "family": str(ip_address(route["via"]).version)})
    return json.dumps(config, indent=1, sort_keys=True) + "\n"


def mac_address(host: str, interface: str) -> str:
    """A local address that stays: after a restart neighbours would go on sending to the old one."""
    digest = hashlib.sha256(f"{host}/{interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def hosts_file(inputs: dict[str, Plain]) -> str:
    """A Debian host's own names."""
    name = inputs["hostname"]
    short = name.split(".")[0]
    return f"127.0.0.1 localhost\n127.0.1.1 {name} {short}\n::1 localhost ip6-localhost ip6-loopback\n"


def _is_address(text: str) -> bool:
    try:
        return "/" in text and bool(ip_network(text, strict=False))
    except ValueError:
        return False


def _destination(text: str, family: str) -> str:
    if text == "default":
        return "0.0.0.0/0" if family == "4" else "::/0"
    return str(ip_network(text, strict=False))

"""1,000 hosts at 50 sites and 100,000 users from a CSV file: loaded and planned in 10 s and 1.5 GB."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.bench import Figure

SITES = 50
USERS = 100_000
POOL = {"edge": 4, "director": 3, "front_end": 8, "reverse_proxy": 2}
"""Hosts per site; with two firewalls and a DNS server 20."""

MEASURE = """
import json, pathlib, resource, sys, time
from edgewright.model import load
from edgewright.plan import make
start = time.process_time()
wall = time.perf_counter()
deployment = load(pathlib.Path(sys.argv[1]))
loaded = time.process_time()
plan = make(deployment)
done = time.process_time()
wall = time.perf_counter() - wall
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
found = {"load": loaded - start, "plan": done - loaded, "wall": wall, "rss": megabytes}
print(json.dumps(found | {"hosts": len(plan.hosts)}))
"""


def site(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A site and its networks."""
    here = f"s{number}"
    domain = f"{here}.corp.example"
    zones = ("perimeter_out", "perimeter_in", "inside")
    networks = {
        f"{here}-{zone}": {"ipv4": f"10.{number}.{n}.0/24", "ipv6": f"fd00:0:{number:x}:{n}::/64"}
        for n, zone in enumerate(zones)
    }
    hosts = {
        kind: [f"{here}-{kind.replace('_', '')}{n + 1}" for n in range(count)] for kind, count in POOL.items()
    }
    return networks, {
        "networks": {zone: f"{here}-{zone}" for zone in zones},
        "edge": {
            "pool": f"edge.{domain}",
            "hosts": hosts["edge"],
            "next_hop": f"director.{domain}",
            "access": {"fqdn": f"sip-{here}.example.com"},
            "web_conferencing": {"fqdn": f"webconf-{here}.example.com"},
            "av": {"fqdn": f"av-{here}.example.com"},
        },
        "director": {
            "pool": f"director.{domain}",
            "hosts": hosts["director"],
            "external_web": f"dirweb-{here}.example.com",
            "balancer": {"ipv4": f"10.{number}.2.50"},
        },
        "front_end": {
            "pool": f"fe.{domain}",
            "hosts": hosts["front_end"],
            "media": f"edge.{domain}",
            "external_web": f"web-{here}.example.com",
            "balancer": {"ipv4": f"10.{number}.2.90"},
        },
        "reverse_proxy": {
            "pool": f"proxy.{domain}",
            "hosts": hosts["reverse_proxy"],
            "balancer": {"ipv4": f"10.{number}.0.190"},
        },
        "firewalls": {
            "outer": [{"name": f"{here}-fwout1", "addresses": {"outside": {"ipv4": f"198.18.{number}.2"}}}],
            "inner": [f"{here}-fwin1"],
        },
        "dns": {"hosts": [f"{here}-ns1"]},
    }


def write(folder: Path) -> None:
    """The deployment's files."""
    networks: dict[str, Any] = {"outside": {"ipv4": "198.18.0.0/16"}}
    sites = {}
    for number in range(1, SITES + 1):
        found, sites[f"s{number}"] = site(number)
        networks |= found
    topology = {
        "schema": 1,
        "organization": "Example",
        "sip_domains": ["example.com"],
        "internal_domain": "corp.example",
        "networks": networks,
        "sites": sites,
        "routes": {"federation": "edge.s1.corp.example", "xmpp": "edge.s1.corp.example"},
        "simple_urls": {"meet": "https://meet.example.com", "dialin": "https://dialin.example.com"},
        "certificates": {"acme": {"directory": "https://acme.example.net/d", "dns_server": "198.18.0.53"}},
    }
    (folder / "topology.yml").write_text(yaml.safe_dump(topology, sort_keys=False))
    (folder / "policies.yml").write_text("schema: 1\n")
    with (folder / "users.csv").open("w") as out:
        out.write("address,name,home,enabled,external_access,conferencing,mobility,pin\n")
        for n in range(USERS):
            out.write(f"user{n}@example.com,User {n},fe.s{n % SITES + 1}.corp.example,true,,,,\n")


def run() -> list[Figure]:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "large"
        folder.mkdir()
        write(folder)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit("the large deployment could not be planned")
    found = json.loads(done.stdout)
    title = f"load and plan {found['hosts']} hosts, {USERS} users"
    return [
        # One thread, so processor time is what the clock shows on a quiet machine.
        Figure(
            f"{title} (load {found['load']:.1f} s, by the clock {found['wall']:.1f} s)",
            found["load"] + found["plan"],
            10,
            "s",
        ),
        Figure(f"{title}: memory", found["rss"], 1500, "MB"),
    ]

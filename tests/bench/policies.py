"""Policies go live: one user changed among 100,000, and everything at first, with the real on-host program.

Hosts are folders here, ssh a script that starts the program as a process of its own; what their daemons take
to read the tables is measured in the lab (docs/live.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import Figure

ROOT = Path(__file__).parents[2]
USERS = 100_000

SSH = """#!{python}
import sys
host, command = sys.argv[-2:]
sys.path.insert(0, "{program}")
from pathlib import Path
from edgewright_tables import cli, switch
home = Path("{root}") / host
switch.default_places = lambda: switch.Places(home, home / "tables.d")
sys.argv = command.split()
sys.exit(cli.main())
"""

MEASURE = """
import hashlib, json, sys, time
from dataclasses import replace
from pathlib import Path
from edgewright import plan
from edgewright.machines import Machine, Machines
from edgewright.model import load
from edgewright.model.credentials import Credentials, Digest
from edgewright.provision import policies

folder, root = Path(sys.argv[1]), Path(sys.argv[2])

def enforce(change):
    start = time.monotonic()
    deployment = load(folder)
    digests = {a: Digest(f"{n:032x}", f"{n:064x}") for n, a in enumerate(deployment.directory.users)}
    secret = Credentials(deployment.realm, digests, {})
    planned = plan.make(deployment)
    hosts = {
        name: Machine(name, "", 22, "root", "", host.kind, host.roles, host.surroundings, {
            i.name: {"ipv4": i.ipv4, "ipv6": i.ipv6, "extra": list(i.extra)} for i in host.interfaces})
        for name, host in planned.hosts.items()
    }
    made = Machines(deployment.name, deployment.digest, root, hosts)
    if change:
        users = dict(deployment.directory.users)
        users["user7@contoso.example"] = users["user7@contoso.example"].model_copy(update={"enabled": False})
        deployment = replace(deployment, directory=deployment.directory.model_copy(update={"users": users}))
    there = policies.target(deployment, planned=planned, secret=secret, made=made)
    done = policies.apply(there)
    return time.monotonic() - start, sum(host.rows for host in done.hosts), len(done.hosts)

first, _, hosts = enforce(False)
second, rows, _ = enforce(True)
print(json.dumps({"first": first, "second": second, "rows": rows, "hosts": hosts}))
"""


def _write(folder: Path) -> None:
    for path in (ROOT / "inventory/contoso").glob("*.yml"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "surroundings.yml").write_text("schema: 1\nworld: {host: world1}\n")
    (folder / "users.yml").write_text("schema: 1\n")
    with (folder / "users.csv").open("w") as out:
        out.write("address,name,home,enabled,external_access,conferencing,mobility,pin\n")
        for n in range(USERS):
            out.write(f"user{n}@contoso.example,User {n},,true,,,,\n")


def run() -> list[Figure]:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder, root, programs = Path(name) / "large", Path(name) / "hosts", Path(name) / "bin"
        for path in (folder, root, programs):
            path.mkdir()
        _write(folder)
        script = programs / "ssh"
        script.write_text(SSH.format(python=sys.executable, program=ROOT / "services/tables/src", root=root))
        script.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(folder), str(root)],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{programs}:/usr/bin:/bin"},
        )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit("policies could not be applied")
    found = json.loads(done.stdout)
    title = f"policies of {USERS} users on {found['hosts']} hosts, by the clock"
    return [
        Figure(f"{title}, everything", found["first"], 30, "s"),
        Figure(f"{title}, one user changed", found["second"], 30, "s"),
        Figure("rows that travel for one user, one per table and host", found["rows"], 4, "rows"),
    ]

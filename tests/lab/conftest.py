"""A project of its own in a temporary folder: the real engine, provider, images and cache, another state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgewright.provision import paths, up
from edgewright.provision.paths import Paths
from edgewright.provision.progress import Progress
from edgewright.provision.up import Done

sys.path.insert(0, str(Path(__file__).parent))

import cases

ROOT = Path(__file__).parents[2]
PROGRAM = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import cases, pulumi
from edgewright.provision import paths
from edgewright.provision.lab.adapter import LabAdapter
from edgewright.provision.lab.images import Images
from edgewright.provision.lab.podman import Podman
from edgewright.provision.machines import login_key
from edgewright.provision.program import declare

place = paths.find()
plan = cases.CASES[Path(pulumi.Config("edgewright").require("deployment")).parent.name]
image = Images(place, Podman(place.containers_conf)).name
made = declare(plan, LabAdapter(cases.NAME, image, login_key(place, cases.NAME)))
reached = {{name: {{"address": one.address, "host_key": one.host_key}} for name, one in made.items()}}
pulumi.export("machines", reached)
"""


class Lab:
    """Drives `up` and `down` as the CLI does, and looks at the result with podman and ssh."""

    def __init__(self, place: Paths) -> None:
        self.place = place

    def folder(self, case: str) -> Path:
        return self.place.root / "cases" / case / cases.NAME

    def up(self, case: str) -> Done:
        with Progress() as progress:
            return up.up(self.folder(case), progress, self.place)

    def down(self) -> Done:
        with Progress() as progress:
            return up.down(self.folder("full"), progress, self.place)

    def podman(self, *args: str) -> str:
        env = {**os.environ, "CONTAINERS_CONF": str(self.place.containers_conf)}
        return subprocess.run(
            ["podman", *args], check=True, capture_output=True, text=True, env=env
        ).stdout.strip()

    def name(self, host: str) -> str:
        return f"{cases.NAME}-{host}"

    def container(self, host: str) -> str:
        return self.podman("inspect", "--format", "{{.Id}}", self.name(host))

    def ssh(self, host: str, command: str) -> str:
        config = self.place.deployment(cases.NAME) / "ssh_config"
        argv = ["ssh", "-F", str(config), host, command]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def addresses(self, host: str) -> set[str]:
        links = json.loads(self.ssh(host, "ip -json address show"))
        return {entry["local"] for link in links for entry in link["addr_info"] if entry["scope"] == "global"}

    def left(self) -> list[str]:
        label = f"label=edgewright.stack={self.place.key}.{cases.NAME}"
        found = self.podman("ps", "--all", "--filter", label, "--format", "{{.Names}}").splitlines()
        for kind in ("network", "volume"):
            found += self.podman(kind, "ls", "--filter", label, "--format", "{{.Name}}").splitlines()
        return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("project")
    (root / "images").symlink_to(ROOT / "images")
    (root / "tools").symlink_to(ROOT / "tools")
    (root / "pulumi").mkdir()
    text = (ROOT / "pulumi" / "Pulumi.yaml").read_text(encoding="utf-8")
    text = text.replace("../.venv", str(ROOT / ".venv"))
    (root / "pulumi" / "Pulumi.yaml").write_text(text.replace("../edgewright", str(ROOT / "edgewright")))
    (root / "pulumi" / "__main__.py").write_text(PROGRAM)
    patch = pytest.MonkeyPatch()
    patch.setenv("EDGEWRIGHT_ROOT", str(root))
    patch.setattr(up, "plan_of", lambda folder: cases.CASES[folder.parent.name])
    lab = Lab(paths.find())
    try:
        yield lab
    finally:
        lab.down()
        patch.undo()

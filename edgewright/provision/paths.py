"""Where things lie: what a project makes below its `.edgewright/`, what clones share in one cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders of one clone of the project."""

    root: Path
    """The clone: holds `inventory/`, `pulumi/`, `images/`, `tools/`."""
    cache: Path
    """Shared by all clones of this user: built tools, image archives."""

    @property
    def state(self) -> Path:
        """Everything the project makes for itself; ignored by git."""
        return self.root / ".edgewright"

    @property
    def backend(self) -> Path:
        """Pulumi's state files."""
        return self.state / "pulumi"

    @property
    def passphrase(self) -> Path:
        """File with the passphrase that encrypts secrets in Pulumi's state."""
        return self.state / "passphrase"

    @property
    def containers_conf(self) -> Path:
        """Private podman configuration."""
        return self.state / "containers.conf"

    @property
    def provider(self) -> Path:
        """Folder of the executable `pulumi-resource-lab`."""
        return Path(__file__).parent / "lab"

    @property
    def key(self) -> str:
        """Short name of this clone, for what must be told apart on the machine."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:10]

    def deployment(self, name: str) -> Path:
        """What is kept about one deployment: machines.json, ssh_config, keys."""
        return self.state / name

    def sockets(self, name: str) -> Path:
        """Folder of ssh control sockets: short, since a socket's path may have 107 bytes only."""
        run = Path("/run")
        if os.geteuid() != 0:
            run = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
        if not os.access(run, os.W_OK):
            run = Path(tempfile.gettempdir())
        return run / f"edgewright-{hashlib.sha256(f'{self.root}:{name}'.encode()).hexdigest()[:10]}"


def find() -> Paths:
    """The clone that this package was started from (`EDGEWRIGHT_ROOT` overrides it), and the user's cache."""
    given = os.environ.get("EDGEWRIGHT_ROOT")
    root = Path(given) if given else Path(__file__).parents[2]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Paths(root=root.resolve(), cache=base / "edgewright")

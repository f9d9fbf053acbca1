"""A deployment as it was at a git revision, so that a change of policy can be reviewed."""

from __future__ import annotations

import contextlib
import io
import posixpath
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgewright.model.load import load, read_file
from edgewright.model.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgewright.model.deployment import Deployment


class RevisionError(Exception):
    """The revision, or the deployment's folder in it, is not there."""


def at(folder: Path, revision: str) -> Deployment:
    """The deployment of a folder inside a git work tree, as of a revision. Nothing in the work tree changes.

    Raises:
        RevisionError: no git repository, no such revision, or no such folder in it.
        InputErrors: the description was wrong then.
    """
    if revision.startswith("-"):
        raise RevisionError(f"{revision} is no revision")
    prefix = _git(folder, "rev-parse", "--show-prefix").decode().strip().rstrip("/")
    try:
        commit = _git(folder, "rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    except RevisionError:
        raise RevisionError(f"{revision} is neither a deployment's folder nor a git revision") from None
    with tempfile.TemporaryDirectory(prefix="edgewright-") as scratch:
        top = Path(scratch) / "top"
        target = top / (prefix or folder.resolve().name)
        _extract(folder, f"{commit}:{prefix}", target)
        for other in _others(target, prefix):
            with contextlib.suppress(RevisionError):  # that it is missing is said by `load`
                _extract(folder, f"{commit}:{other}", top / other)
        return load(target)


def _extract(folder: Path, tree: str, target: Path) -> None:
    archive = _git(folder, "archive", "--format=tar", tree, top=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(target, filter="data")


def _others(target: Path, prefix: str) -> Iterator[str]:
    """Paths in the repository of the deployments on which this one leans: its partners, its Internet."""
    surroundings, _ = read_file(target, "surroundings.yml")
    if isinstance(surroundings, Surroundings):
        named = [partner.deployment for partner in surroundings.partners.values()]
        for other in (*named, surroundings.internet):
            path = posixpath.normpath(posixpath.join(prefix, other)) if other else ".."
            if not path.startswith(".."):
                yield path


def other(folder: Path, what: str) -> Deployment:
    """Another deployment by its folder, else this one at a git revision.

    Raises:
        RevisionError: `what` is neither.
    """
    path = Path(what)
    return load(path) if (path / "topology.yml").is_file() else at(folder, what)


def _git(folder: Path, *arguments: str, top: bool = False) -> bytes:
    where = folder
    if top:
        where = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    done = subprocess.run(["git", "-C", str(where), *arguments], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise RevisionError(f"git {arguments[0]} {arguments[-1]}: {said or 'not found'}")
    return done.stdout

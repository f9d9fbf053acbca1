"""A host's files as its Ansible roles make them: the same tasks, templates, settings, tables and modes."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class File:
    """A file of a host."""

    path: str
    data: bytes
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644


class Roles:
    """Renders what the step `edgewright_config` of a role would place.

    Args:
        settings: The host's settings by role (`Plan.settings`).
        secrets: What `lookup('edgewright_secret', ...)` gives.
        knobs: An operator's own values of role defaults.
    """

    def __init__(
        self, settings: dict[str, dict[str, Any]], secrets: dict[str, str], knobs: dict[str, Any]
    ) -> None:
        self._settings, self._secrets, self._knobs = settings, secrets, knobs

    def files(self, role: str, *only: str) -> Iterator[File]:
        """Files of a role on this host (`only` these, or every one), but archives (not needed here)."""
        folder = ROOT / "roles" / role
        task = self._task(folder)
        variables = self._variables(folder, task.get("vars") or {})
        for entry in task["edgewright_config"]["files"]:
            if only and entry["path"] not in only:
                continue
            given = {key: self._value(value, variables) for key, value in entry.items() if key != "content"}
            if given.get("when", True) and "archive" not in given:
                yield self._file(folder, entry, given, variables)

    @staticmethod
    def _task(folder: Path) -> dict[str, Any]:
        tasks = yaml.safe_load((folder / "tasks/configure.yml").read_text())
        found: list[dict[str, Any]] = [task for task in tasks if "edgewright_config" in task]
        assert len(found) == 1, f"{folder.name}: one step edgewright_config a role"
        return found[0]

    def _variables(self, folder: Path, given: dict[str, Any]) -> dict[str, Any]:
        defaults = folder / "defaults/main.yml"
        knobs = yaml.safe_load(defaults.read_text()) if defaults.exists() else {}
        variables: dict[str, Any] = {**knobs, **self._knobs, **self._settings}
        return variables | {name: self._value(value, variables) for name, value in given.items()}

    def _value(self, value: Any, variables: dict[str, Any]) -> Any:
        if not isinstance(value, str) or "{{" not in value:
            return value
        environment = NativeEnvironment(undefined=StrictUndefined)
        environment.globals["lookup"] = self._lookup
        return environment.from_string(value).render(**variables)

    def _file(
        self, folder: Path, entry: dict[str, Any], given: dict[str, Any], variables: dict[str, Any]
    ) -> File:
        environment = self._environment(folder)
        if "template" in given:
            data = environment.get_template(given["template"]).render(**variables).encode()
        elif "content" in entry:
            data = environment.from_string(entry["content"]).render(**variables).encode()
        else:
            own, project = folder / "files" / given["source"], ROOT / given["source"]
            data = (own if own.is_file() else project).read_bytes()
        return File(
            given["path"], data, given.get("owner", "root"), given.get("group", "root"),
            int(str(given.get("mode", "0644")), 8),
        )  # fmt: skip

    def _environment(self, folder: Path) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(folder / "templates"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.globals["lookup"] = self._lookup
        environment.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
        environment.filters["regex_escape"] = re.escape
        return environment

    def _lookup(self, kind: str, *terms: str) -> str:
        return self._secrets[terms[0]] if kind == "edgewright_secret" else ""


def archive(files: Iterator[File] | list[File]) -> bytes:
    """A tar archive of them; owners by name."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as bundle:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode = len(file.data), file.mode
            entry.uname, entry.gname = file.owner, file.group
            bundle.addfile(entry, io.BytesIO(file.data))
    return made.getvalue()

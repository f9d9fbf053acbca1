"""`edgewright_config`: render a duty's files on the controller, placed with one module run per host.

Arguments are those of docs/architecture.md. Files come from `template` (of the role), `content`, `source` (a
file of the controller: in the files of the role, in the project, or absolute) or `archive` (a folder with a
`src/__main__.py`, such as `services/tables`); large ones travel only when the host lacks them.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.template import trust_as_template

from edgewright import archives

INLINE_LIMIT = 128 * 1024
"""Bytes up to which a controller file travels with the arguments: a second run of the module costs more."""
PROJECT = Path(__file__).resolve().parents[2]
FILE_KEYS = {
    "path",
    "template",
    "content",
    "source",
    "archive",
    "owner",
    "group",
    "mode",
    "secret",
    "seed",
    "when",
}
LINK_KEYS = {"path", "target", "when"}
DIRECTORY_KEYS = {"path", "owner", "group", "mode", "when"}
COMMAND_KEYS = {"name", "run", "files", "watch", "includes", "check", "timeout", "when"}
SERVICE_KEYS = {
    "name", "enabled", "state", "masked", "on_change", "files", "reload_files", "reload_command", "watch",
    "watch_command", "on_watch", "on_include", "includes", "settle", "when",
}  # fmt: skip
LISTS = {
    "files": FILE_KEYS, "links": LINK_KEYS, "directories": DIRECTORY_KEYS, "commands": COMMAND_KEYS,
    "services": SERVICE_KEYS,
}  # fmt: skip
PLAIN = ("exclusive", "keep", "absent", "includes", "validate", "packages")


@functools.cache
def _built(folder: str) -> Path:
    """The zip application of a project of ours, kept by its digest; the same sources give the same bytes."""
    try:
        data = archives.archive(PROJECT / folder / "src")
    except OSError as problem:
        raise AnsibleActionFail(f"edgewright_config: {folder}: {problem}") from problem
    name = f"{Path(folder).name}-{hashlib.sha256(data).hexdigest()[:16]}.pyz"
    return archives.write(data, PROJECT / ".edgewright/archives" / name)


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, send, and hide secrets in whatever comes back."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        arguments, large = self._arguments(variables)
        try:
            returned = self._execute_module("edgewright_config", module_args=arguments, task_vars=variables)
            if returned.get("needs"):
                arguments["transfers"] = self._transfer(returned["needs"], large)
                returned = self._execute_module(
                    "edgewright_config", module_args=arguments, task_vars=variables
                )
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        result.update(self._masked(returned))
        result.pop("invocation", None)
        return result

    # -- arguments -----------------------------------------------------------------------

    def _arguments(self, variables: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Path]]:
        """The module's arguments, and the large files by digest."""
        given = self._task.args
        unknown = set(given) - set(LISTS) - set(PLAIN)
        if unknown:
            raise AnsibleActionFail(
                f"edgewright_config: unknown {sorted(unknown)}; there are {sorted([*LISTS, *PLAIN])}"
            )
        arguments: dict[str, Any] = {name: [str(v) for v in given.get(name) or [] if v] for name in PLAIN}
        large: dict[str, Path] = {}
        for name, keys in LISTS.items():
            arguments[name] = [dict(e) for e in given.get(name) or [] if e and self._wanted(name, e, keys)]
        arguments["files"] = [self._rendered(entry, variables, large) for entry in arguments["files"]]
        role = getattr(self._task, "_role", None)
        arguments["duty"] = role.get_name() if role else "host"
        paths = [entry["path"] for entry in arguments["files"]]
        twice = sorted({p for p in paths if paths.count(p) > 1})
        if twice:
            raise AnsibleActionFail(f"edgewright_config: {twice} named twice")
        return arguments, large

    @staticmethod
    def _wanted(name: str, entry: Any, keys: set[str]) -> bool:
        """Check the names of an entry; `when: false` leaves it out."""
        if not isinstance(entry, dict):
            raise AnsibleActionFail(f"edgewright_config: {name} has {entry!r} where a mapping should be")
        unknown = set(entry) - keys
        if unknown:
            raise AnsibleActionFail(
                f"edgewright_config: {name} has unknown {sorted(unknown)}; there are {sorted(keys)}"
            )
        return bool(entry.get("when", True))

    def _rendered(
        self, entry: dict[str, Any], variables: dict[str, Any], large: dict[str, Path]
    ) -> dict[str, Any]:
        """A file entry with its content."""
        entry.pop("when", None)
        kinds = [k for k in ("template", "content", "source", "archive") if entry.get(k) is not None]
        if len(kinds) != 1:
            raise AnsibleActionFail(
                f"edgewright_config: {entry.get('path')}: exactly one of template, content, source, archive"
            )
        value = entry.pop(kinds[0])
        if kinds[0] == "template":
            entry["content"] = self._template(str(value), variables)
        elif kinds[0] == "content":
            entry["content"] = str(value)
        elif kinds[0] == "archive":
            self._add_source(entry, _built(str(value)), large)
        else:
            self._add_source(entry, self._find(str(value)), large)
        return entry

    @staticmethod
    def _add_source(entry: dict[str, Any], source: Path, large: dict[str, Path]) -> None:
        """Content of a controller file: inline when small, else only its digest."""
        data = source.read_bytes()
        if len(data) <= INLINE_LIMIT:
            entry["base64"] = base64.b64encode(data).decode()
        else:
            entry["sha256"] = hashlib.sha256(data).hexdigest()
            large[entry["sha256"]] = source

    def _find(self, name: str) -> Path:
        """A controller file: absolute, in the role's `files/`, or relative to the project."""
        path = Path(name)
        candidates = [path] if path.is_absolute() else [PROJECT / path]
        if not path.is_absolute():
            with contextlib.suppress(AnsibleError):
                candidates.insert(0, Path(self._find_needle("files", name)))
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise AnsibleActionFail(f"edgewright_config: there is no file {name} on the controller")

    def _template(self, name: str, variables: dict[str, Any]) -> str:
        """Render a template of the role; block lines leave no blank lines; undefined is an error."""
        try:
            source = self._find_needle("templates", name)
        except AnsibleError as problem:
            raise AnsibleActionFail(str(problem)) from problem
        search = [str(Path(source).parent)]
        for folder in variables.get("ansible_search_path", []):
            search += [f"{folder}/templates", folder]
        text = trust_as_template(self._loader.get_text_file_contents(source))
        templar = self._templar.copy_with_new_env(searchpath=search, available_variables=variables)
        overrides = {"trim_blocks": True, "lstrip_blocks": True}
        return str(templar.template(text, escape_backslashes=False, overrides=overrides) or "")

    # -- on the way ----------------------------------------------------------------------

    def _transfer(self, needs: list[str], large: dict[str, Path]) -> dict[str, str]:
        """Copy large files to the host's temporary folder; digest -> path there."""
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        there = {}
        for digest in dict.fromkeys(needs):
            target = self._connection._shell.join_path(self._connection._shell.tmpdir, digest)
            there[digest] = self._transfer_file(str(large[digest]), target)
        self._fixup_perms2((self._connection._shell.tmpdir, *there.values()), execute=False)
        return there

    @staticmethod
    def _masked(returned: dict[str, Any]) -> dict[str, Any]:
        """Blot out secrets that templates looked up, e.g. in a validator's complaint."""
        lookups = [lookup_loader.get(f"edgewright_{name}", class_only=True) for name in ("secret", "account")]
        used = {secret for lookup in lookups for secret in getattr(lookup, "used", ())}
        secrets = sorted(used, key=len, reverse=True)

        def mask(value: Any) -> Any:
            if isinstance(value, str):
                for secret in secrets:
                    value = value.replace(secret, "********")
                return value
            if isinstance(value, dict):
                return {k: mask(v) for k, v in value.items()}
            return [mask(v) for v in value] if isinstance(value, list) else value

        return {k: mask(v) for k, v in returned.items()} if secrets else returned

"""The host that is configured: where its files are, how to run commands, what has been done so far."""

from __future__ import annotations

import contextlib
import fnmatch
import grp
import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
from typing import Any

STATE = "/var/lib/edgewright"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ConfigError(Exception):
    """Something that the operator must know; nothing more was changed than the message says."""


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def account(name: str | int, database: Any, field: str) -> int | None:
    """Number of a user or group; None when there is none of that name."""
    if isinstance(name, int) or str(name).isdigit():
        return int(name)
    try:
        return int(getattr(database(name), field))
    except KeyError:
        return None


def unit_name(name: str) -> str:
    """Full unit name: `kamailio` -> `kamailio.service`."""
    return name if re.search(r"\.(service|timer|socket|target|path|mount)$", name) else name + ".service"


def matches(path: str, patterns: list[str] | None) -> bool:
    """True when `path` fits one of the patterns; without patterns every path does."""
    return patterns is None or any(
        fnmatch.fnmatch(path, p) or path.startswith(p.rstrip("/") + "/") for p in patterns
    )


class Host:
    """One application of the wanted state. `root` prefixes every path; `run_command` is replaced in tests."""

    def __init__(self, params: dict[str, Any], check: bool = False, diff: bool = False) -> None:
        self.params = params
        self.check = check
        self.want_diff = diff
        self.root = (params.get("root") or "/").rstrip("/")
        self.changed = False
        self.diffs: list[dict[str, Any]] = []
        self.changed_paths: list[str] = []
        self.actions: list[str] = []
        self.warnings: list[str] = []
        self.files: list[dict[str, Any]] = params.get("files") or []
        self.links: list[dict[str, Any]] = params.get("links") or []
        self.directories: list[dict[str, Any]] = params.get("directories") or []
        self.includes: list[str] = [p.rstrip("/") for p in params.get("includes") or []]
        self.removed: set[str] = set()

    def at(self, path: str) -> str:
        """Where `path` really is."""
        return self.root + path

    def run_command(self, argv: list[str], timeout: float = 90) -> tuple[int, str]:
        """Exit code and what the command said, standard error included."""
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
        environment |= {"PATH": SEARCH, "DEBIAN_FRONTEND": "noninteractive"}
        # What systemd enables needs no links for init scripts; making them takes longer than all the rest.
        environment |= {"SYSTEMCTL_SKIP_SYSV": "1"}
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            return 127, f"{argv[0]}: not found"
        except subprocess.TimeoutExpired as late:
            return 124, f"{argv[0]}: no end after {timeout:g} s\n" + (late.output or b"").decode(
                errors="replace"
            )
        return done.returncode, done.stdout.decode(errors="replace")

    def read(self, path: str) -> bytes | None:
        """Content of a regular file; None when there is none."""
        try:
            if not stat.S_ISREG(os.lstat(self.at(path)).st_mode):
                return None
            with open(self.at(path), "rb") as stream:
                return stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def ids(self, entry: dict[str, Any]) -> tuple[int | None, int | None]:
        """User and group numbers; unknown ones are an error, except in check mode (no packages yet)."""
        uid = account(entry.get("owner", "root"), pwd.getpwnam, "pw_uid")
        gid = account(entry.get("group", "root"), grp.getgrnam, "gr_gid")
        for number, kind in ((uid, "owner"), (gid, "group")):
            if number is None and not self.check:
                raise ConfigError(f"{entry['path']}: there is no {kind} {entry.get(kind)!r} on this host")
        return uid, gid

    def note(self, path: str, before: str, after: str) -> None:
        """Remember a change and its diff."""
        self.changed = True
        self.changed_paths.append(path)
        if self.want_diff:
            self.diffs.append({"before_header": path, "after_header": path, "before": before, "after": after})

    def act(self, what: str, because: list[str]) -> None:
        """Note an action, in check mode as what would be done."""
        self.changed = True
        reason = ", ".join(because[:6]) + (f" and {len(because) - 6} more" if len(because) > 6 else "")
        self.actions.append(("would " if self.check else "") + what + (f" ({reason})" if reason else ""))

    def attributes(self, path: str, entry: dict[str, Any], default_mode: str) -> bool:
        """True when mode, owner or group differ from what is wanted."""
        try:
            found = os.lstat(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return True
        uid, gid = self.ids(entry)
        mode = int(str(entry.get("mode") or default_mode), 8)
        return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) != (mode, uid, gid)

    @staticmethod
    def described(entry: dict[str, Any], mode: str = "0644") -> str:
        """Mode and owner as people write them."""
        return f"mode {entry.get('mode') or mode}, {entry.get('owner', 'root')}:{entry.get('group', 'root')}"

    @staticmethod
    def remove(path: str) -> None:
        """Remove a file, link or folder, if it is there."""
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

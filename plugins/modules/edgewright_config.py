#!/usr/bin/python
"""The host's side of `edgewright_config`: files put in place together, validated, daemons brought to them.

Nothing is replaced before everything is written beside its target and every validator has passed on a staged
copy. What each daemon last started with is remembered under `/var/lib/edgewright/applied/`, so a run that is
interrupted between replacing and restarting restarts at the next run.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fnmatch
import glob
import grp
import hashlib
import json
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import time
from typing import Any

DOCUMENTATION = r"""
module: edgewright_config
short_description: Files, folders and daemons of one duty of a host, in one step
description:
  - Used through the action plugin of the same name, which renders the files on the controller.
author: Edgewright
options:
  files: {description: Rendered files., type: list, elements: dict, default: []}
  directories: {description: Folders to make., type: list, elements: dict, default: []}
  links: {description: Symbolic links., type: list, elements: dict, default: []}
  exclusive: {description: Folders in which nothing else may be., type: list, elements: str, default: []}
  keep: {description: Patterns that exclusive folders spare., type: list, elements: str, default: []}
  absent: {description: Paths to remove., type: list, elements: str, default: []}
  includes: {description: Folders with the operator's own additions., type: list, elements: str, default: []}
  validate: {description: Commands run against a staged copy., type: list, elements: str, default: []}
  commands: {description: Commands to run when files changed., type: list, elements: dict, default: []}
  services: {description: Units and what a change means for them., type: list, elements: dict, default: []}
  transfers: {description: Large files already on the host, by digest., type: dict, default: {}}
  packages: {description: Debian packages that must be there., type: list, elements: str, default: []}
  duty: {description: Name under which is remembered what daemons run with., type: str, default: host}
  root: {description: Prefix of every path (tests)., type: str, default: /}
"""

STATE = "/var/lib/edgewright"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POLICY = "/usr/sbin/policy-rc.d"
APT = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
UNIT_FOLDERS = ("/etc/systemd/system/", "/usr/local/lib/systemd/system/")
TEXT_LIMIT = 200_000
"""Longest text (characters) shown in a diff."""
LEFTOVER = re.compile(r"\..*\.edgewright-(new|old)")
ENABLED = {"enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "linked", "transient"}


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


class Rewriter:
    """Rewrites managed paths to their staged twins, in text and in command lines."""

    def __init__(self, paths: list[str], staged: str) -> None:
        ordered = sorted({p.rstrip("/") for p in paths if p.rstrip("/")}, key=len, reverse=True)
        joined = "|".join(re.escape(p) for p in ordered)
        self._pattern = re.compile(r"(?<![\w./-])(" + joined + r")(?![\w-])(?!\.\w)") if ordered else None
        self._staged = staged

    def text(self, text: str) -> str:
        """Every managed path in `text`, staged."""
        return self._pattern.sub(lambda m: self._staged + m.group(1), text) if self._pattern else text

    def data(self, data: bytes) -> bytes:
        """The same for a file's content; what is not UTF-8 text stays as it is."""
        try:
            return self.text(data.decode()).encode()
        except UnicodeDecodeError:
            return data


class Config:
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
        self._prepared: list[tuple[str, str | None]] = []  # (temporary file, target); None: remove the target
        self._backups: list[tuple[str, str | None]] = []  # (target, backup or None when it was not there)
        self._removed: set[str] = set()
        self._had_state = False

    # -- little helpers ------------------------------------------------------------------

    def at(self, path: str) -> str:
        """Where `path` really is."""
        return self.root + path

    def run_command(self, argv: list[str], timeout: float = 90) -> tuple[int, str]:
        """Exit code and what the command said, standard error included."""
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
        environment |= {"PATH": SEARCH, "DEBIAN_FRONTEND": "noninteractive"}
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

    def attributes(self, path: str, entry: dict[str, Any], default_mode: str) -> bool:
        """True when mode, owner or group differ from what is wanted."""
        try:
            found = os.lstat(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return True
        uid, gid = self.ids(entry)
        mode = int(str(entry.get("mode") or default_mode), 8)
        return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) != (mode, uid, gid)

    # -- what is wanted ------------------------------------------------------------------

    def content(self, entry: dict[str, Any]) -> bytes:
        """The wanted content of a file: in the arguments, or transferred before."""
        if entry.get("content") is not None:
            return str(entry["content"]).encode()
        if entry.get("base64") is not None:
            return base64.b64decode(entry["base64"])
        with open((self.params.get("transfers") or {})[entry["sha256"]], "rb") as stream:
            return stream.read()

    def wanted_digest(self, entry: dict[str, Any]) -> str:
        """Digest of the wanted content; known even when a large content is still on the controller."""
        if "sha256" not in entry:
            entry["sha256"] = digest(self.content(entry))
        return str(entry["sha256"])

    def needs(self) -> list[str]:
        """Digests of large files that differ here and have not been transferred."""
        missing = []
        for entry in self.files:
            if entry.get("content") is None and entry.get("base64") is None:
                if entry["sha256"] in (self.params.get("transfers") or {}):
                    continue
                present = self.read(entry["path"])
                if present is None or (digest(present) != entry["sha256"] and not entry.get("seed")):
                    missing.append(entry["sha256"])
        return missing

    def fingerprint(self, patterns: list[str] | None) -> dict[str, str]:
        """What a daemon depends on of what we manage: path -> digest of content and attributes."""
        found = {}
        for entry in self.files:
            if matches(entry["path"], patterns):
                if entry.get("seed"):
                    continue
                attributes = [
                    str(entry.get(k, d)) for k, d in (("mode", "0644"), ("owner", "root"), ("group", "root"))
                ]
                found[entry["path"]] = digest(" ".join([self.wanted_digest(entry), *attributes]).encode())
        for entry in self.links:
            if matches(entry["path"], patterns):
                found[entry["path"]] = "-> " + entry["target"]
        return found

    def observed(self, patterns: list[str]) -> dict[str, str]:
        """Digests of files that others write: certificates, trust, the operator's includes."""
        found: dict[str, str] = {}
        for pattern in patterns:
            for match in sorted(glob.glob(self.at(pattern), recursive=True)):
                names = (
                    [match]
                    if os.path.isfile(match)
                    else [os.path.join(folder, name) for folder, _, files in os.walk(match) for name in files]
                )
                for name in sorted(names):
                    with contextlib.suppress(OSError), open(name, "rb") as stream:
                        found[name[len(self.root) :]] = digest(stream.read())
        return found

    # -- packages ------------------------------------------------------------------------

    def install_packages(self) -> None:
        """Install what is missing; the package lists are fetched only then, since many hosts reach no mirror.

        Daemons do not start before they are configured.
        """
        wanted = self.params.get("packages") or []
        if not wanted:
            return
        said = self.run_command(["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\\n", *wanted])[1]
        present = {line.split()[0] for line in said.splitlines() if line.endswith(" installed")}
        missing = sorted(set(wanted) - present)
        if not missing:
            return
        self.act("install " + " ".join(missing), [])
        if self.check:
            return
        quiet = not os.path.lexists(self.at(POLICY))
        if quiet:
            self.write_script(POLICY, "#!/bin/sh\nexit 101\n")
        try:
            for argv in ([*APT, "update"], [*APT, "install", "-y", "--no-install-recommends", *missing]):
                code, said = self.run_command(argv, timeout=900)
                if code:
                    raise ConfigError(f"`{' '.join(argv)}` failed (exit {code}):\n{said.strip()[-3000:]}")
        finally:
            if quiet:
                self.remove(self.at(POLICY))

    def write_script(self, path: str, text: str) -> None:
        """A small program."""
        with open(self.at(path), "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(self.at(path), 0o755)  # noqa: S103 - a program

    # -- files ---------------------------------------------------------------------------

    def make_directories(self) -> None:
        """Folders first: they harm nobody, and validators may need them."""
        wanted = [{"path": p, "mode": "0755"} for p in self.includes] + self.directories
        for entry in wanted:
            path = entry["path"].rstrip("/")
            if os.path.isdir(self.at(path)) and not os.path.islink(self.at(path)):
                if not self.attributes(path, entry, "0755"):
                    continue
                self.note(
                    path, "folder with other owner or mode\n", f"folder, {self.described(entry, '0755')}\n"
                )
            else:
                self.note(path, "", f"folder, {self.described(entry, '0755')}\n")
            if self.check:
                continue
            uid, gid = self.ids(entry)
            os.makedirs(self.at(path), mode=0o755, exist_ok=True)
            os.chown(self.at(path), uid, gid)  # type: ignore[arg-type]
            os.chmod(self.at(path), int(str(entry.get("mode") or "0755"), 8))

    @staticmethod
    def described(entry: dict[str, Any], mode: str = "0644") -> str:
        """Mode and owner as people write them."""
        return f"mode {entry.get('mode') or mode}, {entry.get('owner', 'root')}:{entry.get('group', 'root')}"

    def file_diff(self, entry: dict[str, Any], before: bytes | None, after: bytes) -> tuple[str, str]:
        """Texts for the diff; secrets and binaries show only that they differ."""

        def shown(data: bytes | None) -> str:
            if data is None:
                return ""
            if entry.get("secret"):
                return "(secret)\n"
            try:
                text = data.decode()
            except UnicodeDecodeError:
                text = "\0"
            return (
                text
                if "\0" not in text and len(text) < TEXT_LIMIT
                else f"(binary or long, sha256 {digest(data)})\n"
            )

        old, new = shown(before), shown(after)
        if before is not None and (old == new or before == after):
            new = old + f"(changed: {self.described(entry)})\n"
        return old, new

    def changed_files(self) -> list[dict[str, Any]]:
        """Files whose content or attributes are not as wanted; their diffs are noted."""
        found = []
        for entry in self.files:
            self.wanted_digest(entry)
            present = self.read(entry["path"])
            same = present is not None and (bool(entry.get("seed")) or digest(present) == entry["sha256"])
            if same and not self.attributes(entry["path"], entry, "0644"):
                continue
            if not same and entry["sha256"] in self.needs():  # check mode: a large file that was not sent
                self.note(
                    entry["path"], "(other content)\n" if present else "", f"(sha256 {entry['sha256']})\n"
                )
                found.append(entry)
                continue
            after = present if same and present is not None else self.content(entry)
            found.append({**entry, "content": None, "data": after})
            self.note(entry["path"], *self.file_diff(entry, present, after))
        return found

    def changed_links(self) -> list[dict[str, Any]]:
        """Symbolic links that are missing or point elsewhere."""
        found = []
        for entry in self.links:
            target = os.readlink(self.at(entry["path"])) if os.path.islink(self.at(entry["path"])) else None
            if target != entry["target"]:
                found.append(entry)
                self.note(entry["path"], f"-> {target}\n" if target else "", f"-> {entry['target']}\n")
        return found

    def unwanted(self) -> list[str]:
        """What must go: `absent` paths and everything else in exclusive folders."""
        ours = {e["path"] for e in self.files} | {e["path"] for e in self.links}
        ours |= {d["path"].rstrip("/") for d in self.directories} | set(self.includes)
        parents = {parent for path in ours for parent in self.parents(path)}
        found = [p for p in self.params.get("absent") or [] if os.path.lexists(self.at(p))]
        keep = self.params.get("keep") or []

        def walk(folder: str) -> None:
            for name in sorted(os.listdir(self.at(folder))):
                path = f"{folder}/{name}"
                if path in ours or LEFTOVER.fullmatch(name) or (keep and matches(path, keep)):
                    continue
                if path in parents and os.path.isdir(self.at(path)) and not os.path.islink(self.at(path)):
                    walk(path)
                else:
                    found.append(path)

        for folder in self.params.get("exclusive") or []:
            if os.path.isdir(self.at(folder)):
                walk(folder.rstrip("/"))
        for path in found:
            self.note(path, "present\n", "")
        self._removed = set(found)
        return found

    @staticmethod
    def parents(path: str) -> list[str]:
        """Every folder above `path`."""
        parts = path.split("/")
        return ["/".join(parts[:n]) for n in range(2, len(parts))]

    def sweep(self) -> None:
        """Remove what an interrupted run left beside its targets."""
        folders = {os.path.dirname(e["path"]) for e in self.files + self.links} | set(
            self.params.get("exclusive") or []
        )
        for folder in folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for name in os.listdir(self.at(folder)):
                    if LEFTOVER.fullmatch(name):
                        self.remove(os.path.join(self.at(folder), name))

    def write_beside(self, entry: dict[str, Any]) -> None:
        """Write the new content next to its target, with its final owner and mode, safely on disk."""
        path = self.at(entry["path"])
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.edgewright-new")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        uid, gid = self.ids(entry)
        self._prepared.append((temporary, path))
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(entry["data"])
            stream.flush()
            os.fchown(stream.fileno(), uid, gid)  # type: ignore[arg-type]
            os.fchmod(stream.fileno(), int(str(entry.get("mode") or "0644"), 8))
            os.fsync(stream.fileno())

    def write_links_beside(self, links: list[dict[str, Any]]) -> None:
        """The same for symbolic links."""
        for entry in links:
            path = self.at(entry["path"])
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.edgewright-new")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            self._prepared.append((temporary, path))
            os.symlink(entry["target"], temporary)

    def replace_all(self, unwanted: list[str]) -> None:
        """Rename everything into place: needs no space. Former files stay until the daemons run."""
        for temporary, target in self._prepared:
            assert target is not None
            backup = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.edgewright-old")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(backup)
            if os.path.isdir(target) and not os.path.islink(target):
                raise ConfigError(f"{target} is a folder where a file should be")
            if os.path.lexists(target):
                with contextlib.suppress(OSError):  # a bind mount has no second name
                    os.link(target, backup, follow_symlinks=False)
            self._backups.append((target, backup if os.path.lexists(backup) else None))
            try:
                os.replace(temporary, target)
            except OSError as busy:
                if busy.errno != errno.EBUSY:
                    raise
                self.write_in_place(
                    temporary, target
                )  # /etc/resolv.conf, /etc/hosts of a container are mounts
        for path in unwanted:
            target = self.at(path)
            backup = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.edgewright-old")
            self.remove(backup)
            os.rename(target, backup)
            self._backups.append((target, backup))

    @staticmethod
    def write_in_place(temporary: str, target: str) -> None:
        """For mount points only: the content is copied over, not renamed."""
        found = os.stat(temporary)
        with open(temporary, "rb") as source, open(target, "r+b") as stream:
            data = source.read()
            stream.write(data)
            stream.truncate(len(data))
        os.chown(target, found.st_uid, found.st_gid)
        os.chmod(target, stat.S_IMODE(found.st_mode))
        os.unlink(temporary)

    @staticmethod
    def remove(path: str) -> None:
        """Remove a file, link or folder, if it is there."""
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def forget_backups(self) -> None:
        """The daemons run with the new files: the former ones may go."""
        for _, backup in self._backups:
            if backup:
                self.remove(backup)
        self._backups = []

    def roll_back(self) -> None:
        """Put the former files back."""
        for target, backup in reversed(self._backups):
            if backup:
                self.remove(target)
                os.rename(backup, target)
            else:
                self.remove(target)
        self._backups = []

    def discard(self) -> None:
        """Remove what was prepared and never put in place."""
        for temporary, _ in self._prepared:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    # -- validation ----------------------------------------------------------------------

    def validate(self, first: bool) -> None:
        """Run the validators against a staged copy of every managed file and operator's include."""
        commands = self.params.get("validate") or []
        if not commands:
            return
        base = self.at(STATE) + "/staging"
        if self.check and not os.path.isdir(base):
            base = "/tmp"  # noqa: S108 - check mode makes nothing under /var/lib
        else:
            os.makedirs(base, mode=0o700, exist_ok=True)
            for old in os.listdir(base):
                self.remove(os.path.join(base, old))
        staged = os.path.join(base, f"edgewright-{os.getpid()}-{time.monotonic_ns()}")
        try:
            os.makedirs(staged, mode=0o700)
            rewriter = self.stage(staged)
            for command in commands:
                argv = shlex.split(rewriter.text(command))
                if self.check and shutil.which(argv[0], path=SEARCH) is None:
                    self.warnings.append(f"not validated in check mode: {argv[0]} is not installed yet")
                    continue
                code, said = self.run_command(argv)
                if code == 0:
                    continue
                said = said.replace(staged, "").strip()[-4000:]
                message = f"`{command}` refused the new configuration (exit {code}):\n{said}"
                if self.check and first:
                    self.warnings.append("in check mode, before the first configuration: " + message)
                    continue
                raise ConfigError(message + "\nThe configuration in place was not touched.")
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def stage(self, staged: str) -> Rewriter:
        """Copy what is wanted to its twins below `staged`, with managed paths rewritten."""
        managed = [e["path"] for e in self.files] + [e["path"] for e in self.links]
        rewriter = Rewriter([*managed, *(self.params.get("exclusive") or []), *self.includes], staged)
        folders = self.includes + (self.params.get("exclusive") or [])
        for folder in folders:
            os.makedirs(staged + folder, exist_ok=True)
        for folder in self.includes:
            for path in self.observed([folder]):
                self.stage_file(staged + path, rewriter.data(self.read(path) or b""))
        for entry in self.files:
            if entry.get("seed") and (present := self.read(entry["path"])) is not None:
                self.stage_file(staged + entry["path"], rewriter.data(present))
            elif entry["sha256"] not in self.needs():
                present = self.read(entry["path"])
                wanted = (
                    present
                    if present is not None and digest(present) == entry["sha256"]
                    else self.content(entry)
                )
                self.stage_file(staged + entry["path"], rewriter.data(wanted))
        for entry in self.links:
            os.makedirs(os.path.dirname(staged + entry["path"]), exist_ok=True)
            os.symlink(rewriter.text(entry["target"]), staged + entry["path"])
        return rewriter

    @staticmethod
    def stage_file(path: str, data: bytes) -> None:
        """One file of the staged copy."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data)
        os.chmod(path, 0o700 if data.startswith((b"#!", b"\x7fELF")) else 0o600)

    # -- daemons -------------------------------------------------------------------------

    def applied_path(self, name: str) -> str:
        """Where it is remembered what a daemon last started with."""
        return f"{self.at(STATE)}/applied/{self.params.get('duty') or 'host'}--{name}.json"

    def applied(self, name: str) -> dict[str, Any] | None:
        """What the daemon last started with; None when that is not known."""
        try:
            with open(self.applied_path(name), encoding="utf-8") as stream:
                found = json.load(stream)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def remember(self, name: str, state: dict[str, Any]) -> None:
        """Write it down, atomically; readable by root only, since it names files."""
        os.makedirs(self.at(STATE) + "/applied", mode=0o700, exist_ok=True)
        temporary = self.applied_path(name) + ".new"
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(state, stream, indent=1, sort_keys=True)
        os.replace(temporary, self.applied_path(name))

    def stale(self, name: str, entry: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
        """What the daemon should run with; the managed and the watched paths that differ from what it has."""
        watched = list(entry.get("watch") or []) + entry.get("includes", self.includes)
        state = {
            "files": self.fingerprint(entry.get("files")),
            "watched": self.observed(watched),
            "watch": watched,
            "reload": self.reload_command(name, entry) if "unit" in entry else None,
            "watch_command": shlex.split(entry["watch_command"]) if entry.get("watch_command") else None,
            "unit": entry.get("unit"),
        }
        before = self.applied(name)
        if before is None:
            return state, sorted(state["files"]) or ["its first configuration"], []
        differing = []
        for part in ("files", "watched"):
            old, new = before.get(part) or {}, state[part]
            differing.append(sorted(k for k in {**old, **new} if old.get(k) != new.get(k)))
        relevant = set(state["files"]) | self._removed
        touched = [p for p in self.changed_paths if p in relevant and matches(p, entry.get("files"))]
        return state, sorted(set(differing[0]) | set(touched)), differing[1]

    @staticmethod
    def reload_command(name: str, entry: dict[str, Any]) -> list[str]:
        """How the daemon reads its files again."""
        return (
            shlex.split(entry["reload_command"])
            if entry.get("reload_command")
            else ["systemctl", "reload", name]
        )

    def unit_states(self, units: list[str]) -> dict[str, dict[str, str]]:
        """ActiveState, UnitFileState, LoadState, NeedDaemonReload of each unit, asked at once."""
        if not units:
            return {}
        keys = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"
        code, said = self.run_command(["systemctl", "show", "--property=Id," + keys, *units])
        if code:
            raise ConfigError(f"systemctl show: {said.strip()}")
        blocks = [
            dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            for block in said.strip().split("\n\n")
        ]
        return dict(zip(units, blocks, strict=True))

    def run_commands(self) -> None:
        """Commands whose files changed since they last succeeded, or whose check says no."""
        for entry in self.params.get("commands") or []:
            state, files, watched = self.stale("command-" + entry["name"], entry)
            because = watched if entry.get("files") == [] else files + watched
            if not because and entry.get("check") and self.run_command(shlex.split(entry["check"]))[0] != 0:
                because = ["its check"]
            if not because:
                continue
            self.act(f"run `{entry['run']}`", because)
            if self.check:
                continue
            code, said = self.run_command(shlex.split(entry["run"]), timeout=float(entry.get("timeout", 120)))
            if code:
                raise ConfigError(f"`{entry['run']}` failed (exit {code}):\n{said.strip()[-4000:]}")
            self.remember("command-" + entry["name"], state)

    def act(self, what: str, because: list[str]) -> None:
        """Note an action, in check mode as what would be done."""
        self.changed = True
        reason = ", ".join(because[:6]) + (f" and {len(because) - 6} more" if len(because) > 6 else "")
        self.actions.append(("would " if self.check else "") + what + (f" ({reason})" if reason else ""))

    def settle_services(self) -> None:
        """Reload systemd if needed; enable, start, stop, restart, reload as wanted; see that they stay up."""
        services = self.params.get("services") or []
        for entry in services:
            entry["unit"] = unit_name(entry["name"])
        units = [e["unit"] for e in services]
        states = self.unit_states(units)
        unit_files = [p for p in self.changed_paths if p.startswith(UNIT_FOLDERS)]
        stale_units = [u for u, s in states.items() if s.get("NeedDaemonReload") == "yes"]
        if unit_files or stale_units:
            self.act("reload systemd", unit_files or stale_units)
            if not self.check:
                code, said = self.run_command(["systemctl", "daemon-reload"])
                if code:
                    raise ConfigError(f"systemctl daemon-reload: {said.strip()}")
                states = self.unit_states(units)
        touched = [e["unit"] for e in services if self.settle(e, states.get(e["unit"], {}))]
        if touched and not self.check:
            self.stay_up(touched)

    def settle(self, entry: dict[str, Any], found: dict[str, str]) -> bool:
        """Bring one unit to what is wanted; True when it was started, restarted or reloaded."""
        unit = entry["unit"]
        wanted = entry.get("state", "started")
        self.settle_enabled(entry, found)
        running = found.get("ActiveState") in ("active", "activating", "reloading")
        if wanted == "stopped":
            if running:
                self.systemctl("stop", unit, [])
            return False
        state, files, watched = self.stale(unit, entry)
        if not running:
            self.systemctl("start", unit, ["it was not running"])
        elif files or watched:
            if not self.apply_change(entry, files, watched):
                self.remember_unless_check(unit, state)
                return False
        else:
            return False
        self.remember_unless_check(unit, state)
        return True

    def remember_unless_check(self, unit: str, state: dict[str, Any]) -> None:
        """What the unit now runs with."""
        if not self.check:
            self.remember(unit, state)

    def settle_enabled(self, entry: dict[str, Any], found: dict[str, str]) -> None:
        """Enabled, disabled or masked."""
        unit, known = entry["unit"], found.get("UnitFileState", "")
        if entry.get("masked"):
            if known not in ("masked", "masked-runtime"):
                self.systemctl("mask", unit, [])
            return
        if known == "masked":
            self.systemctl("unmask", unit, [])
        wanted = entry.get("enabled")
        if wanted is True and known not in ENABLED:
            self.systemctl("enable", unit, [])
        elif wanted is False and known in ("enabled", "enabled-runtime"):
            self.systemctl("disable", unit, [])

    def apply_change(self, entry: dict[str, Any], files: list[str], watched: list[str]) -> bool:
        """Restart or reload because files changed; False when the unit asked for neither."""
        unit, how = entry["unit"], entry.get("on_change", "restart")
        if how == "none":
            return False
        if how == "restart" and files and entry.get("reload_files"):
            how = "restart" if any(not matches(p, entry["reload_files"]) for p in files) else "reload"
        if not files:
            how = entry.get("on_watch", "reload")
        if how == "restart":
            self.systemctl("restart", unit, files + watched)
            return True
        command = self.reload_command(unit, entry)
        if not files and entry.get("watch_command"):
            command = shlex.split(entry["watch_command"])
        self.act(f"reload {unit}", files + watched)
        if not self.check:
            code, said = self.run_command(command)
            if code:
                raise ConfigError(
                    f"{unit}: `{' '.join(command)}` failed (exit {code}):\n{said.strip()[-2000:]}"
                )
        return True

    def systemctl(self, verb: str, unit: str, because: list[str]) -> None:
        """One systemctl verb; on failure the journal's last lines go into the message."""
        self.act(f"{verb} {unit}", because)
        if self.check:
            return
        if verb in ("start", "restart"):
            self.run_command(["systemctl", "reset-failed", unit])
        code, said = self.run_command(["systemctl", verb, unit])
        if code:
            raise ConfigError(f"systemctl {verb} {unit}: {said.strip()}\n{self.journal(unit)}")

    def stay_up(self, units: list[str]) -> None:
        """A daemon that dies just after its start is a failure too."""
        wanted = {e["unit"]: float(e.get("settle", 0.4)) for e in self.params.get("services") or []}
        services = [u for u in units if u.endswith(".service")]
        if not services:
            return
        time.sleep(max(wanted[u] for u in services))
        deadline = time.monotonic() + 60
        while True:
            states = {u: s.get("ActiveState", "") for u, s in self.unit_states(services).items()}
            for unit, state in states.items():
                if state not in ("active", "activating", "reloading"):
                    raise ConfigError(f"{unit} is {state} shortly after its start\n{self.journal(unit)}")
            if all(s == "active" for s in states.values()):
                return
            if time.monotonic() > deadline:
                raise ConfigError(f"still not running after 60 s: {states}")
            time.sleep(0.3)

    def journal(self, unit: str) -> str:
        """The journal's last lines of a unit."""
        return self.run_command(["journalctl", "--no-pager", "-n", "25", "-o", "cat", "-u", unit])[1].strip()

    # -- the whole -----------------------------------------------------------------------

    def apply(self) -> dict[str, Any]:
        """Do it all; the result for Ansible."""
        missing = self.needs()
        if missing and not self.check:
            return {"changed": False, "needs": missing}
        first = any(self.read(e["path"]) is None for e in self.files if not e.get("seed"))
        self._had_state = any(self.applied(unit_name(s["name"])) for s in self.params.get("services") or [])
        if not self.check:
            self.sweep()
        self.install_packages()
        self.make_directories()
        files, links, unwanted = self.changed_files(), self.changed_links(), self.unwanted()
        try:
            if not self.check:
                for entry in files:
                    self.write_beside(entry)
                self.write_links_beside(links)
            if files or links or unwanted or self.includes_changed():
                self.validate(first)
            if not self.check:
                self.replace_all(unwanted)
        except OSError as problem:
            self.discard()
            self.roll_back()
            space = "; nothing was replaced" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise ConfigError(
                f"{problem.strerror}: {problem.filename or 'while writing'}{space}"
            ) from problem
        except ConfigError:
            self.discard()
            self.roll_back()
            raise
        self.bring_daemons()
        self.forget_backups()
        return self.result()

    def includes_changed(self) -> bool:
        """True when the operator's own additions differ from what a daemon last started with."""
        return bool(self.includes) and any(
            self.stale(unit_name(s["name"]), {**s, "unit": unit_name(s["name"])})[2]
            for s in self.params.get("services") or []
        )

    def bring_daemons(self) -> None:
        """Commands, then services; when a daemon refuses what a working one ran with before, go back."""
        try:
            self.run_commands()
            self.settle_services()
        except ConfigError as problem:
            if not (self._had_state and self._backups):
                self.forget_backups()
                raise
            self.roll_back()
            self.run_command(["systemctl", "daemon-reload"])
            for entry in self.params.get("services") or []:
                if entry.get("state", "started") == "started" and entry.get("on_change", "restart") != "none":
                    self.run_command(["systemctl", "reset-failed", unit_name(entry["name"])])
                    self.run_command(["systemctl", "restart", unit_name(entry["name"])])
            raise ConfigError(
                f"{problem}\nThe former configuration was put back and its daemons restarted."
            ) from problem

    def result(self) -> dict[str, Any]:
        """What Ansible shows."""
        found: dict[str, Any] = {
            "changed": self.changed,
            "paths": self.changed_paths,
            "actions": self.actions,
        }
        if self.want_diff:
            done = [{"prepared": "\n".join(self.actions) + "\n"}] if self.actions else []
            found["diff"] = [*self.diffs, *done]
        if self.actions:
            found["msg"] = "; ".join(self.actions)
        return found


def main() -> None:
    """Ansible's entry point."""
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - tests run without it

    lists = ("files", "directories", "links", "commands", "services")
    spec: dict[str, Any] = {name: {"type": "list", "elements": "dict", "default": []} for name in lists}
    spec |= {
        name: {"type": "list", "elements": "str", "default": []}
        for name in ("exclusive", "keep", "absent", "includes", "validate", "packages")
    }
    spec |= {"transfers": {"type": "dict", "default": {}}, "root": {"type": "str", "default": "/"}}
    spec |= {"duty": {"type": "str", "default": "host"}}

    # Arguments hold whole files, secret ones too. The parameter `no_log` of AnsibleModule would not do:
    # Ansible overwrites it with the task's.
    class Silent(AnsibleModule):  # type: ignore[misc]
        """A module that writes nothing to the host's journal; what it returns is chosen below."""

        def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
            """Nothing."""

    module = Silent(argument_spec=spec, supports_check_mode=True)
    config = Config(module.params, module.check_mode, module._diff)
    try:
        result = config.apply()
    except ConfigError as problem:
        module.fail_json(msg=str(problem), actions=config.actions, paths=config.changed_paths, invocation={})
    for warning in config.warnings:
        module.warn(warning)
    module.exit_json(**result, invocation={})


if __name__ == "__main__":
    main()

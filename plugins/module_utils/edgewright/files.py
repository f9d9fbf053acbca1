"""Files, links and folders: compared, written beside their targets, renamed together, or put back."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from typing import Any

from ansible.module_utils.edgewright.host import ConfigError, digest, matches
from ansible.module_utils.edgewright.wanted import Wanted

TEXT_LIMIT = 200_000
"""Longest text (characters) shown in a diff."""
LEFTOVER = re.compile(r"\..*\.edgewright-(new|old)")


class Files(Wanted):
    """What is on disk."""

    def __init__(self, params: dict[str, Any], check: bool = False, diff: bool = False) -> None:
        super().__init__(params, check, diff)
        self._prepared: list[tuple[str, str]] = []  # temporary file, target
        self.backups: list[tuple[str, str | None]] = []  # target, backup; None: it was not there

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
            if present is not None and entry.get("seed"):
                continue  # whose it is from then on may also set its mode
            same = present is not None and digest(present) == entry["sha256"]
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
        self.removed = set(found)
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
            backup = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.edgewright-old")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(backup)
            if os.path.isdir(target) and not os.path.islink(target):
                raise ConfigError(f"{target} is a folder where a file should be")
            if os.path.lexists(target):
                with contextlib.suppress(OSError):  # a bind mount has no second name
                    os.link(target, backup, follow_symlinks=False)
            self.backups.append((target, backup if os.path.lexists(backup) else None))
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
            self.backups.append((target, backup))

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

    def forget_backups(self) -> None:
        """The daemons run with the new files: the former ones may go."""
        for _, backup in self.backups:
            if backup:
                self.remove(backup)
        self.backups = []

    def roll_back(self) -> None:
        """Put the former files back."""
        for target, backup in reversed(self.backups):
            if backup:
                self.remove(target)
                os.rename(backup, target)
            else:
                self.remove(target)
        self.backups = []

    def discard(self) -> None:
        """Remove what was prepared and never put in place."""
        for temporary, _ in self._prepared:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

"""Validators see a staged copy, in which every managed path is rewritten to its twin."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time

from ansible.module_utils.edgewright.files import Files
from ansible.module_utils.edgewright.host import SEARCH, STATE, ConfigError, digest


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


class Staging(Files):
    """The staged copy."""

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

"""What is wanted, and digests of what there is: by these it is known what a daemon has not read yet."""

from __future__ import annotations

import base64
import contextlib
import glob
import os
from typing import Any

from ansible.module_utils.edgewright.host import Host, digest, matches


class Wanted(Host):
    """The wanted files."""

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

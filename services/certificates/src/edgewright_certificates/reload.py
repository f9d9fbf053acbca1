"""Let daemons read renewed files: what each watches is noted under `/var/lib/edgewright/applied/`."""

from __future__ import annotations

import glob
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

APPLIED = Path("/var/lib/edgewright/applied")


def observed(patterns: list[str]) -> dict[str, str]:
    """Digest of every file that fits, folders with all that is in them."""
    found = {}
    for pattern in patterns:
        for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - absolute patterns
            path = Path(match)
            for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
                found[str(file)] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def reload_watchers(folder: Path = APPLIED) -> tuple[list[str], list[str]]:
    """Reload every running daemon whose watched files changed: the units, and what went wrong."""
    done, problems = [], []
    for path in sorted(folder.glob("*.json")):
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        unit = state.get("unit")
        now = observed(state.get("watch") or [])
        if not unit or now == (state.get("watched") or {}):
            continue
        command = state.get("watch_command") or state.get("reload") or ["systemctl", "reload", unit]
        if subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0:
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                problems.append(f"{unit}: {ran.stderr.strip() or ran.stdout.strip()}")
                continue
        done.append(unit)
        temporary = path.with_suffix(".json.new")
        temporary.write_text(
            json.dumps({**state, "watched": now}, indent=1, sort_keys=True), encoding="utf-8"
        )
        temporary.replace(path)
    return done, problems

"""Daemons and commands: due when what they depend on is not what they last ran with."""

from __future__ import annotations

import json
import os
import shlex
import time
from typing import Any

from ansible.module_utils.edgewright.host import STATE, ConfigError, matches, unit_name
from ansible.module_utils.edgewright.wanted import Wanted

UNIT_FOLDERS = ("/etc/systemd/system/", "/usr/local/lib/systemd/system/")
SAY_WHEN_READY = {"notify", "notify-reload", "oneshot", "forking"}
"""Types of units whose start is over only when they are ready (systemd.service).

Kamailio and nginx fork as systemd.service wants it: the parent ends when every child is up, and with an error
when one is not (tried: a port in use, a database that a child cannot reach).
"""
ENABLED = {"enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "linked", "transient"}


class Daemons(Wanted):
    """The host's units."""

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
        relevant = set(state["files"]) | self.removed
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
        """Type, ActiveState, UnitFileState, LoadState, NeedDaemonReload of each unit, asked at once."""
        if not units:
            return {}
        keys = "Type,LoadState,ActiveState,UnitFileState,NeedDaemonReload"
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

    def settle_services(self) -> None:
        """Reload systemd if needed; enable, start, stop, restart, reload as wanted; see that they stay up."""
        services = self.params.get("services") or []
        for entry in services:
            entry["unit"] = unit_name(entry["name"])
        units = [e["unit"] for e in services]
        states = self.unit_states(units)
        switched = self.settle_enabled(services, states)
        unit_files = [p for p in self.changed_paths if p.startswith(UNIT_FOLDERS)]
        stale_units = [u for u, s in states.items() if s.get("NeedDaemonReload") == "yes"]
        if unit_files or stale_units or switched:
            if unit_files or stale_units:
                self.act("reload systemd", unit_files or stale_units)
            if not self.check:
                code, said = self.run_command(["systemctl", "daemon-reload"])
                if code:
                    raise ConfigError(f"systemctl daemon-reload: {said.strip()}")
                states = self.unit_states(units)
        touched: list[str] = []
        due: dict[str, dict[str, Any]] = {}
        for entry in services:
            if self.starts(entry, states.get(entry["unit"], {})):
                due[entry["unit"]] = self.stale(entry["unit"], entry)[0]
                continue
            touched += self.start(due)
            touched += [entry["unit"]] if self.settle(entry, states.get(entry["unit"], {})) else []
        touched += self.start(due)
        if touched and not self.check:
            self.stay_up(touched, states)

    @staticmethod
    def running(found: dict[str, str]) -> bool:
        """Whether a unit runs, or is about to."""
        return found.get("ActiveState") in ("active", "activating", "reloading")

    def starts(self, entry: dict[str, Any], found: dict[str, str]) -> bool:
        """Whether a unit is to be started."""
        return entry.get("state", "started") != "stopped" and not self.running(found)

    def start(self, due: dict[str, dict[str, Any]]) -> list[str]:
        """Start units that follow one another, at once (their own ordering holds), and forget them; which."""
        units = list(due)
        if units:
            self.systemctl("start", units, ["it was not running"])
            for unit, state in due.items():
                self.remember_unless_check(unit, state)
            due.clear()
        return units

    def settle(self, entry: dict[str, Any], found: dict[str, str]) -> bool:
        """Bring a unit that runs, or must not, to what is wanted; True when it was restarted or reloaded."""
        unit = entry["unit"]
        if entry.get("state", "started") == "stopped":
            if self.running(found):
                self.systemctl("stop", [unit], [])
            return False
        state, files, watched = self.stale(unit, entry)
        if files or watched:
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

    def settle_enabled(self, services: list[dict[str, Any]], states: dict[str, dict[str, str]]) -> bool:
        """Enable, disable, mask: all units at once; True when systemd must be told, once for all.

        Untold, it would say of such a unit that it needs a reload.
        """
        verbs: dict[str, list[str]] = {"unmask": [], "mask": [], "enable": [], "disable": []}
        for entry in services:
            unit = entry["unit"]
            known = states.get(unit, {}).get("UnitFileState", "")
            if entry.get("masked"):
                if known not in ("masked", "masked-runtime"):
                    verbs["mask"].append(unit)
                continue
            if known == "masked":
                verbs["unmask"].append(unit)
            wanted = entry.get("enabled")
            if wanted is True and known not in ENABLED:
                verbs["enable"].append(unit)
            elif wanted is False and known in ("enabled", "enabled-runtime"):
                verbs["disable"].append(unit)
        for verb, units in verbs.items():
            for unit in units:
                self.act(f"{verb} {unit}", [])
            if units and not self.check:
                code, said = self.run_command(["systemctl", "--no-reload", verb, *units])
                if code:
                    raise ConfigError(f"systemctl {verb} {' '.join(units)}: {said.strip()}")
        return any(verbs.values())

    def apply_change(self, entry: dict[str, Any], files: list[str], watched: list[str]) -> bool:
        """Restart or reload because files changed; False when the unit asked for neither."""
        unit, how = entry["unit"], entry.get("on_change", "restart")
        if how == "none":
            return False
        if how == "restart" and files and entry.get("reload_files"):
            how = "restart" if any(not matches(p, entry["reload_files"]) for p in files) else "reload"
        if not files:
            how = entry.get("on_watch", "reload")
        if entry.get("on_include") == "restart" and any(matches(p, self.includes) for p in watched):
            how = "restart"
        if how == "restart":
            self.systemctl("restart", [unit], files + watched)
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

    def systemctl(self, verb: str, units: list[str], because: list[str]) -> None:
        """One systemctl verb; on failure the journal's last lines go into the message."""
        for unit in units:
            self.act(f"{verb} {unit}", because)
        if self.check:
            return
        if verb in ("start", "restart"):
            self.run_command(["systemctl", "reset-failed", *units])
        code, said = self.run_command(["systemctl", verb, *units])
        if code:
            states = self.unit_states(units)
            failed = [u for u in units if not self.running(states.get(u, {}))] or units
            journals = "\n".join(self.journal(unit) for unit in failed)
            raise ConfigError(f"systemctl {verb} {' '.join(failed)}: {said.strip()}\n{journals}")

    def stay_up(self, units: list[str], known: dict[str, dict[str, str]]) -> None:
        """A daemon that dies just after its start is a failure too, unless a start says when it is ready."""
        services = [u for u in units if u.endswith(".service")]
        if not services:
            return
        said = {u for u in services if known.get(u, {}).get("Type") in SAY_WHEN_READY}
        wanted = {e["unit"]: e.get("settle") for e in self.params.get("services") or []}
        pauses = [0.0 if u in said else 0.4 if wanted[u] is None else float(wanted[u]) for u in services]
        time.sleep(max(pauses))
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

    def includes_changed(self) -> bool:
        """True when the operator's own additions differ from what a daemon last started with."""
        return bool(self.includes) and any(
            self.stale(unit_name(s["name"]), {**s, "unit": unit_name(s["name"])})[2]
            for s in self.params.get("services") or []
        )

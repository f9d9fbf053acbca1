"""One JSON line for each thing that happens: what `edgewright apply` shows live and counts afterwards."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: edgewright_progress
type: stdout
short_description: JSON lines for `edgewright apply`
author: Edgewright
description:
  - Events are C(play), C(start), C(result) and C(end); see edgewright/provision/configure.py.
"""

HERE = frozenset(
    {
        "assert", "debug", "fail", "set_fact", "meta", "pause", "add_host", "group_by", "include_vars",
        "import_tasks", "include_tasks", "import_role", "include_role", "validate_argument_spec",
    }
)  # fmt: skip
"""Actions that run on the controller only."""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "edgewright_progress"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._began: dict[tuple[str, str], float] = {}

    @staticmethod
    def _tell(event: str, **fields: Any) -> None:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """The play and its hosts."""
        manager = play.get_variable_manager()
        hosts = manager._inventory.get_hosts(play.hosts) if manager else []
        self._tell("play", name=play.get_name(), hosts=[host.get_name() for host in hosts])

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A host begins a task."""
        self._began[host.get_name(), task._uuid] = time.monotonic()
        self._tell("start", host=host.get_name(), role=task._role.get_name() if task._role else "")

    def v2_runner_on_ok(self, result: Any) -> None:
        """A host has done a task."""
        self._result(result, "changed" if result.result.get("changed") else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A host could not do a task."""
        self._result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        self._result(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task is not for this host."""
        self._result(result, "skipped")

    def _result(self, result: Any, status: str) -> None:
        task, host, found = result.task, result.host.get_name(), result.result
        began = self._began.pop((host, task._uuid), None)
        action = str(task.action).rpartition(".")[2]
        diffs = found.get("diff") or []
        self._tell(
            "result",
            host=host,
            role=task._role.get_name() if task._role else "",
            name=task.name or task.action,
            status=status,
            module=status != "skipped" and action not in HERE,
            seconds=round(time.monotonic() - began, 3) if began is not None else None,
            message=str(found.get("msg") or "")[:6000] if status in ("failed", "unreachable") else "",
            actions=[str(line) for line in found.get("actions") or []],
            paths=[str(path) for path in found.get("paths") or []],
            diff=self._get_diff(diffs) if diffs else "",
        )

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end."""
        self._tell("end", hosts={host: stats.summarize(host) for host in sorted(stats.processed)})

"""Filters that turn the plan's lists into arguments of `edgewright_config`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def files(
    items: Iterable[dict[str, Any]], path: str, content: str, **attributes: Any
) -> list[dict[str, Any]]:
    """A file for each item: `path` with its fields filled in, the field named `content` as its content."""
    return [{"path": path.format(**item), "content": item[content], **attributes} for item in items]


def duties(
    host: str, roles: Iterable[str], play: Iterable[str], run: Iterable[str], skip: Iterable[str]
) -> list[dict[str, str]]:
    """A play's roles of a host, in their order, as `--tags` and `--skip-tags` would have them.

    Each names its host: Ansible makes one of equal includes of several hosts, and then keeps no host's order.
    """
    chosen = set(play) if {"all", "tagged"} & set(run) else set(play) & set(run)
    return [{"host": host, "role": role} for role in roles if role in chosen - set(skip)]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"edgewright_files": files, "edgewright_duties": duties}

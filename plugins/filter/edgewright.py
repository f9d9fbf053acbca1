"""Filters that turn the plan's lists into arguments of `edgewright_config`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def files(
    items: Iterable[dict[str, Any]], path: str, content: str, **attributes: Any
) -> list[dict[str, Any]]:
    """A file for each item: `path` with its fields filled in, the field named `content` as its content."""
    return [{"path": path.format(**item), "content": item[content], **attributes} for item in items]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"edgewright_files": files}

"""Between Pulumi's property values and plain Python, and the difference between two sets of plain inputs.

Plain values are strings, lists and dictionaries only: numbers would come back as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue, PropertyValueType
from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind
from pulumi.runtime.rpc import UNKNOWN

Plain = Any
"""str, list of plain values, dict of plain values; `UNKNOWN` where a value is not known yet."""

__all__ = ["UNKNOWN", "Plain", "changes", "detailed", "plain", "property_map", "wrap"]


def plain(value: PropertyValue) -> Plain:
    """The Python value of a property; secrets lose their mark, unknown ones become `UNKNOWN`."""
    content = value.value
    if value.type is PropertyValueType.COMPUTED:
        return UNKNOWN
    if isinstance(content, Mapping):
        return {key: plain(item) for key, item in content.items() if item.value is not None}
    if isinstance(content, tuple | list):
        return [plain(item) for item in content]
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, float):
        return f"{content:g}"
    return content


def wrap(value: Plain) -> PropertyValue:
    """A property of a plain value."""
    if isinstance(value, Mapping):
        return PropertyValue({key: wrap(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return PropertyValue([wrap(item) for item in value])
    return PropertyValue(value)


def property_map(values: Mapping[str, PropertyValue]) -> dict[str, Plain]:
    """Plain values by name, without those that are not set."""
    return {key: plain(value) for key, value in values.items() if value.value is not None}


def changes(old: Plain, new: Plain, path: str = "") -> Iterator[tuple[str, str]]:
    """Every difference as (property path, `add` | `delete` | `update`), as deep down as it is."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            where = f"{path}.{key}" if path else key
            if key not in old:
                yield where, "add"
            elif key not in new:
                yield where, "delete"
            else:
                yield from changes(old[key], new[key], where)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            where = f"{path}[{index}]"
            if index >= len(old):
                yield where, "add"
            elif index >= len(new):
                yield where, "delete"
            else:
                yield from changes(old[index], new[index], where)
    elif old != new:
        yield path, "update"


def detailed(differences: list[tuple[str, str]], replaces: Callable[[str], bool]) -> dict[str, PropertyDiff]:
    """The form in which Pulumi wants differences, so that previews show the lines that matter."""
    kinds = {
        ("add", False): PropertyDiffKind.ADD,
        ("add", True): PropertyDiffKind.ADD_REPLACE,
        ("delete", False): PropertyDiffKind.DELETE,
        ("delete", True): PropertyDiffKind.DELETE_REPLACE,
        ("update", False): PropertyDiffKind.UPDATE,
        ("update", True): PropertyDiffKind.UPDATE_REPLACE,
    }
    return {path: PropertyDiff(kinds[kind, replaces(path)], True) for path, kind in differences}

"""YAML files with the line of every key and value, so that whatever is wrong can be shown where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from edgewright.model.findings import Finding

Place = tuple[str | int, ...]
"""Keys and list positions from the top of a document to one value."""

_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_STRING = "tag:yaml.org,2002:str"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_PLAIN = (_INTEGER, _FLOAT, "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null")
_MERGE = "tag:yaml.org,2002:merge"
_MAX_VALUES = 1_000_000
"""More values than this come from aliases that multiply, not from an operator's hand."""


@dataclass(slots=True)
class Document:
    """One parsed file: plain data, and the line (from 1) of each value and of each key."""

    path: Path
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    keys: dict[Place, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, place: Place, *, key: bool = False) -> int:
        """Line of the value (or of its key) at `place`, or of the nearest thing around it.

        Where one item stands alone in place of a list, positions in that list are passed over.
        """
        if place in self.lines and not key:
            return self.lines[place]
        data: Any = self.data
        here: Place = ()
        found = self.lines.get(here, 1)
        for element in place:
            if not holds(data, element):
                if isinstance(data, dict) and isinstance(element, int):
                    continue
                break
            data = data[element]
            here = (*here, element)
            found = (self.keys.get(here) if key else None) or self.lines.get(here, found)
        return found

    def wrong(self, place: Place, message: str, *, key: bool = False) -> None:
        """Note an error at `place`."""
        self.findings.append(Finding(self.path, self.line(place, key=key), message))


def holds(data: Any, element: str | int) -> bool:
    """Whether `data[element]` exists."""
    if isinstance(data, dict):
        return element in data
    return isinstance(data, list) and isinstance(element, int) and element < len(data)


def read(path: Path) -> Document:
    """Parse one YAML file; what is wrong becomes findings of the document, not exceptions."""
    document = Document(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        document.findings.append(Finding(path, 1, "the file is missing"))
        return document
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        document.findings.append(Finding(path, line, "is not UTF-8 text; save the file as UTF-8"))
        return document
    except OSError as error:
        document.findings.append(Finding(path, 1, f"cannot be read: {error.strerror}"))
        return document
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
        if root is not None:
            document.data = _Reader(document).value(root, ())
    except yaml.MarkedYAMLError as error:
        document.findings.append(_syntax(path, text, error))
        return document
    except yaml.YAMLError as error:
        document.findings.append(Finding(path, 1, f"is not YAML: {error}"))
        return document
    except RecursionError:
        document.findings.append(Finding(path, 1, "is nested too deeply; write it flatter"))
    return document


def _syntax(path: Path, text: str, error: yaml.MarkedYAMLError) -> Finding:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    said = " ".join(part for part in (error.context, error.problem) if part)
    lines = text.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    advice = "correct the YAML here"
    if "\t" in shown:
        advice = "indent with spaces, YAML allows no tabs"
    elif "did not find expected ',' or '}'" in said or "did not find expected ',' or ']'" in said:
        advice = "close the bracket or brace, or put a comma between the items"
    elif "mapping values are not allowed" in said:
        advice = "quote a value that contains ': ', or check the indentation"
    elif "undefined alias" in said or "anchor" in said:
        advice = "define the anchor before it is used, or quote the value"
    return Finding(path, line, f"is not YAML: {said}; {advice}")


class _Reader:
    """Turns YAML nodes into plain data; strings stay strings (no dates, no base-60 numbers)."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.scalars = yaml.constructor.SafeConstructor()
        self.open: set[int] = set()

    def value(self, node: yaml.Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self.document.lines[place] = line
        if len(self.document.lines) > _MAX_VALUES:
            raise yaml.YAMLError(f"more than {_MAX_VALUES} values; large directories belong in users.csv")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, place)
        if id(node) in self.open:
            self.document.wrong(place, "refers to itself; write the value out")
            return None
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
            return self.mapping(node, place) if isinstance(node, yaml.MappingNode) else None
        finally:
            self.open.discard(id(node))

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.note(line, "a key must be plain text")
                continue
            if key_node.tag == _MERGE:
                self.note(line, "merge keys (<<) are not supported; write the fields out")
                continue
            # A key is always a name here: `on:` and `1:` mean what is written.
            key = key_node.value
            here = (*place, key)
            if key in found:
                first = self.document.keys[here]
                self.note(line, f"'{key}' is given twice, first in line {first}; keep one of them")
                continue
            self.document.keys[here] = line
            found[key] = self.value(value_node, here)
        return found

    def note(self, line: int, message: str) -> None:
        self.document.findings.append(Finding(self.document.path, line, message))

    def scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        if node.tag == _TIMESTAMP or (node.tag in (_INTEGER, _FLOAT) and ":" in node.value):
            return node.value
        if node.tag == _STRING:
            return node.value
        if node.tag not in _PLAIN:
            self.document.wrong(place, f"the tag {node.tag} is not supported; write a plain value")
            return None
        try:
            return self.scalars.construct_object(node)
        except (yaml.YAMLError, ValueError):
            return node.value

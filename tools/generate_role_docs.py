#!/usr/bin/env python3
"""Write each role's meta/argument_specs.yml and README.md from its settings model and its defaults.

`--check` writes nothing and ends with 1 if a file is not as it would be written.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import types
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from edgewright.plan import roles

ROOT = Path(__file__).resolve().parents[1]
HEADER = "# Made by tools/generate_role_docs.py from edgewright/plan/roles/{role}.py; do not edit.\n"
SIMPLE = {str: "str", int: "int", bool: "bool", float: "float", dict: "dict", list: "list", tuple: "list"}
SIMPLE |= dict.fromkeys((IPv4Address, IPv6Address, IPv4Network, IPv6Network), "str")


class Indented(yaml.SafeDumper):
    """Lists are indented, as the linter wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never without indent."""
        del indentless
        super().increase_indent(flow, indentless=False)


@dataclass
class Option:
    """An option of an argument specification."""

    kind: str
    description: str
    required: bool
    elements: str | None = None
    choices: list[str] = field(default_factory=list)
    options: dict[str, Option] = field(default_factory=dict)
    default: Any = None

    def document(self) -> dict[str, Any]:
        """As in argument_specs.yml."""
        found: dict[str, Any] = {"type": self.kind}
        if self.description:
            found["description"] = self.description
        if self.required:
            found["required"] = True
        if self.elements:
            found["elements"] = self.elements
        if self.choices:
            found["choices"] = self.choices
        if self.default is not None:
            found["default"] = self.default
        if self.options:
            found["options"] = {name: option.document() for name, option in self.options.items()}
        return found


@cache
def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The string below each field of a model and of its bases."""
    found: dict[str, str] = {}
    for base in reversed([b for b in model.__mro__ if issubclass(b, BaseModel) and b is not BaseModel]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                text = ""
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                    text = str(after.value.value)
                found[statement.target.id] = text
    return found


def sentence(text: str) -> str:
    """A docstring on one line."""
    return re.sub(r"\s+", " ", text).strip()


def option(annotation: Any, description: str, required: bool = True) -> Option:
    """The option for a type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return option(get_args(annotation)[0], description, required)
    if origin in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        optional = len(parts) < len(get_args(annotation))
        if len({SIMPLE.get(part, str(part)) for part in parts}) == 1:
            return option(parts[0], description, required and not optional)
        return Option("raw", description, required and not optional)
    if origin is Literal:
        choices = [str(choice) for choice in get_args(annotation)]
        return Option("str", description, required, choices=choices)
    if origin in (list, tuple):
        inner = option(get_args(annotation)[0], "")
        # Ansible validates the choices of a list's elements too.
        return Option("list", description, required, inner.kind, inner.choices, inner.options)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return Option("dict", description, required, options=options_of(annotation))
    return Option(SIMPLE.get(origin or annotation, "raw"), description, required)


def options_of(model: type[BaseModel]) -> dict[str, Option]:
    """Every field of a model."""
    texts = docstrings(model)
    return {
        name: option(
            info.annotation,
            sentence(texts.get(name, "")),
            info.is_required(),
        )
        for name, info in model.model_fields.items()
    }


def knobs(role: str) -> dict[str, Option]:
    """The operator's knobs: defaults with the comment on or above their line."""
    path = ROOT / "roles" / role / "defaults/main.yml"
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    found = {}
    for name, value in (yaml.safe_load(text) or {}).items():
        match = re.search(
            rf"^((?:#[^\n]*\n)*){re.escape(name)}:[^\n#]*(?:#\s*([^\n]*))?$", text, re.MULTILINE
        )
        above = " ".join(line.lstrip("# ") for line in (match[1] if match else "").splitlines())
        said = (match[2] if match and match[2] else above) or name.replace("_", " ")
        kind = SIMPLE.get(type(value), "raw")
        elements = SIMPLE.get(type(value[0]), "raw") if isinstance(value, list) and value else None
        found[name] = Option(
            kind, sentence(said), False, elements or ("raw" if kind == "list" else None), default=value
        )
    return found


def specification(role: str) -> str:
    """argument_specs.yml."""
    module = roles.module(role)
    assert module is not None
    title = sentence((sys.modules[module.Settings.__module__].__doc__ or "").split("\n\n")[0])
    settings = Option(
        "dict", sentence(module.Settings.__doc__ or ""), True, options=options_of(module.Settings)
    )
    options = {role: settings, **knobs(role)}
    document = {
        "argument_specs": {
            "main": {
                "short_description": title.partition(": ")[2] or title,
                "options": {name: one.document() for name, one in options.items()},
            }
        }
    }
    return HEADER.format(role=role) + yaml.dump(
        document, Dumper=Indented, sort_keys=False, width=110, allow_unicode=True
    )


def rows(options: dict[str, Option], prefix: str = "") -> list[str]:
    """Table rows, nested options below their own."""
    found = []
    for name, one in options.items():
        kind = f"list of {one.elements}" if one.elements else one.kind
        if one.choices:
            kind += ": " + ", ".join(f"`{choice}`" for choice in one.choices)
        text = one.description.replace("|", "\\|")
        found.append(f"| `{prefix}{name}` | {kind}{'' if one.required else ', may be empty'} | {text} |")
        found += rows(one.options, f"{prefix}{name}{'[]' if one.elements else ''}.")
    return found


def readme(role: str) -> str:
    """README.md."""
    module = roles.module(role)
    assert module is not None
    source = sys.modules[module.Settings.__module__]
    about = inspect.cleandoc(source.__doc__ or "")
    title = sentence(about.split("\n\n")[0])
    rest = about.partition("\n\n")[2]
    parts = [
        f"# Role `{role}`",
        (title.partition(": ")[2] or title)[:1].upper() + (title.partition(": ")[2] or title)[1:],
    ]
    parts += [rest] if rest else []
    parts.append(f"<!-- Made by tools/generate_role_docs.py from edgewright/plan/roles/{role}.py. -->")
    for name, things in (
        ("Packages", module.PACKAGES),
        ("Volumes", module.VOLUMES),
        ("Listens for", module.LISTENS),
    ):
        if things:
            parts.append(f"{name}: {', '.join(f'`{thing}`' for thing in things)}.")
    head = "| name | type | meaning |\n|---|---|---|\n"
    parts.append(
        f"## Settings\n\nOne dict, `{role}`, made by the plan (`edgewright plan --format json`):\n\n"
        + head
        + "\n".join(rows(options_of(module.Settings)))
    )
    mine = knobs(role)
    if mine:
        lines = [
            f"| `{name}` | {one.kind} | {one.description} (default: `{one.default}`) |"
            for name, one in mine.items()
        ]
        parts.append("## Knobs\n\nIn `group_vars/` beside the deployment:\n\n" + head + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def wanted() -> dict[Path, str]:
    """Every generated file and its content."""
    found = {}
    for role in roles.ORDER:
        if roles.module(role) is None or not (ROOT / "roles" / role).is_dir():
            continue
        found[ROOT / "roles" / role / "meta/argument_specs.yml"] = specification(role)
        found[ROOT / "roles" / role / "README.md"] = readme(role)
    return found


def main() -> int:
    """Exit code 1: with --check, something differs."""
    differing = [
        path
        for path, text in wanted().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in differing:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not up to date: run tools/generate_role_docs.py\n")
        return 1 if differing else 0
    for path in differing:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

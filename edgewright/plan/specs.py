"""What a role takes, from its settings model: Ansible's `meta/argument_specs.yml` and the role's README."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from edgewright.plan import roles

if TYPE_CHECKING:
    from collections.abc import Iterator

Spec = dict[str, Any]
"""One option as Ansible describes it: type, required, choices, elements, options, description."""

_SCALARS: dict[type, str] = {bool: "bool", int: "int", float: "float"}
_MADE = "Made from edgewright/plan/roles/{role}.py and defaults/main.yml by tests/unit/plan/test_specs.py."
_KNOB = re.compile(r"^([a-z_0-9]+): *(.*?)(?: +# *(.*))?$")


def argument_specs(role: str, defaults: str = "") -> str:
    """The text of a role's `meta/argument_specs.yml`; `defaults` is that of its `defaults/main.yml`."""
    model = _settings(role)
    options: Spec = {
        role: {
            "description": "The role's settings, as the plan gives them.",
            "type": "dict",
            "required": True,
            "options": _options(model),
        }
    }
    for name, value, text in knobs(defaults):
        kind = _SCALARS.get(type(value), "list" if isinstance(value, list) else "str")
        options[name] = {"description": text or "A knob for operators.", "type": kind, "default": value}
    document = {"argument_specs": {"main": {"short_description": _summary(role), "options": options}}}
    dumped = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# {_MADE.format(role=role)}\n{dumped}"


def readme(role: str, defaults: str = "") -> str:
    """The text of a role's README."""
    module = roles.module(role)
    model = _settings(role)
    lines = [
        f"# Role `{role}`",
        "",
        _summary(role),
        "",
        f"<!-- {_MADE.format(role=role)} -->",
        "",
    ]
    lines += ["## Settings", "", f"The plan gives them in one dict, `{role}`.", ""]
    lines += ["| setting | type | |", "|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {text} |" for name, kind, text in _rows(model)]
    found = list(knobs(defaults))
    if found:
        lines += ["", "## Knobs", "", "| variable | default | |", "|---|---|---|"]
        lines += [f"| `{name}` | `{value}` | {text} |" for name, value, text in found]
    for title, attribute in (("Packages", "PACKAGES"), ("Volumes", "VOLUMES"), ("Listens for", "LISTENS")):
        if items := getattr(module, attribute):
            lines += ["", f"{title}: " + ", ".join(f"`{item}`" for item in items)]
    return "\n".join(lines) + "\n"


def knobs(defaults: str) -> Iterator[tuple[str, Any, str]]:
    """The variables of a `defaults/main.yml`: name, value, the comment that ends the line."""
    values = yaml.safe_load(defaults) or {}
    for line in defaults.splitlines():
        match = _KNOB.match(line)
        if match and match[1] in values:
            yield match[1], values[match[1]], match[3] or ""


def _settings(role: str) -> type[BaseModel]:
    module = roles.module(role)
    if module is None:
        raise LookupError(f"{role} is no role; there are {', '.join(roles.ORDER)}")
    return module.Settings


def _summary(role: str) -> str:
    text = inspect.getdoc(inspect.getmodule(_settings(role))) or role
    first = re.sub(rf"^Role {role}: *", "", text.split("\n\n")[0].replace("\n", " "))
    return first[0].upper() + first[1:]


def _options(model: type[BaseModel]) -> Spec:
    described = _described(model)
    found: Spec = {}
    for name, field in model.model_fields.items():
        spec = _spec(field.annotation)
        optional = spec.pop("nullable", False) or not field.is_required()
        text = described.get(name) or spec.pop("class", "") or name.replace("_", " ").capitalize() + "."
        spec.pop("class", None)
        found[name] = {"description": text, **spec, **({} if optional else {"required": True})}
    return found


def _spec(annotation: Any) -> Spec:
    """How Ansible describes a type; `nullable` where None is a value."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _spec(arguments[0])
    if origin in (Union, types.UnionType):
        inner = [_spec(a) for a in arguments if a is not type(None)]
        nullable = {"nullable": True} if type(None) in arguments else {}
        return (inner[0] if all(s == inner[0] for s in inner) else {"type": "raw"}) | nullable
    if origin is Literal:
        return {"type": _SCALARS.get(type(arguments[0]), "str"), "choices": list(arguments)}
    if origin in (tuple, list, frozenset, set):
        element = _spec(arguments[0])
        element.pop("nullable", None)
        return {"type": "list", "elements": element.pop("type"), **element}
    if origin is dict or annotation is dict:
        return {"type": "dict"}
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        text = (inspect.getdoc(annotation) or "").split("\n\n")[0].replace("\n", " ")
        return {"type": "dict", "options": _options(annotation), "class": text}
    return {"type": _SCALARS.get(annotation, "str")}


def _rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Name with its path, type in words, description; models within models below their field."""
    for name, option in _options(model).items():
        yield from _row(f"{prefix}{name}", option)


def _row(name: str, option: Spec) -> Iterator[tuple[str, str, str]]:
    kind = option["type"] if option["type"] != "list" else f"list of {option['elements']}"
    if option.get("choices"):
        kind += ": " + ", ".join(f"`{choice}`" for choice in option["choices"])
    if not option.get("required"):
        kind += ", may be left out"
    yield name, kind, option["description"]
    for inner, below in option.get("options", {}).items():
        yield from _row(f"{name}{'[]' if option['type'] == 'list' else ''}.{inner}", below)


@cache
def _described(model: type[BaseModel]) -> dict[str, str]:
    """The texts that follow fields in the source of a model and of the models that it builds on."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match text:
                    case ast.Expr(value=ast.Constant(value=str() as words)):
                        found[field.target.id] = " ".join(words.split())
    return found


class _Dumper(yaml.SafeDumper):
    """Lists indented, as yamllint wants them; no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, _: Any) -> bool:
        return True

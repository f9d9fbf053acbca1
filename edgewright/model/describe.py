"""The description's fields and the documented rules as tables, and as JSON Schema for editors.

`python -m edgewright.model.describe` writes the generated parts of `docs/describe.md`; a test asks for it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from edgewright.model.base import Words
from edgewright.model.directory import Directory, User
from edgewright.model.ldap import LdapDirectory, LdapGroups, LdapUsers
from edgewright.model.lint import RULES
from edgewright.model.load import FILES
from edgewright.model.messages import members, type_words
from edgewright.model.surroundings import Astray, Impostor, Partner, Surroundings, Vantage, World
from edgewright.model.topology import (
    Acme,
    Addresses,
    AvListener,
    CertificateFiles,
    Certificates,
    DatabasePool,
    DirectorPool,
    DnsServers,
    EdgeListener,
    EdgePool,
    Existing,
    Firewalls,
    FrontEndPool,
    Host,
    Management,
    Network,
    Pool,
    ProxyPool,
    Routes,
    SimpleUrls,
    Site,
    Topology,
    Waiver,
)

MODELS: dict[str, tuple[type[BaseModel], ...]] = {
    "topology.yml": (
        Topology,
        Network,
        Site,
        Pool,
        Host,
        Addresses,
        Existing,
        EdgePool,
        EdgeListener,
        AvListener,
        DirectorPool,
        FrontEndPool,
        DatabasePool,
        ProxyPool,
        DnsServers,
        Firewalls,
        Routes,
        SimpleUrls,
        Certificates,
        CertificateFiles,
        Acme,
        Management,
        Waiver,
    ),
    "users.yml": (Directory, User),
    "ldap.yml": (LdapDirectory, LdapUsers, LdapGroups),
    "surroundings.yml": (Surroundings, Vantage, World, Partner, Impostor, Astray),
}
"""What each file is made of; policies.yml has a document of its own, docs/policies.md."""

_MARK = re.compile(r"(<!-- generated: (?P<what>\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fields(model: type[BaseModel]) -> str:
    """A Markdown table of a model's fields; those of the general pool are left to its own table."""
    general = set(Pool.model_fields) if issubclass(model, Pool) and model is not Pool else set()
    rows = ["| field | value | default | meaning |", "|---|---|---|---|"]
    for own, field in model.model_fields.items():
        if own in general:
            continue
        default = (
            "**needed**" if field.is_required() else _default(field.get_default(call_default_factory=True))
        )
        value = _value(field.annotation, field.metadata)
        rows.append(f"| `{field.alias or own}` | {value} | {default} | {field.description or ''} |")
    text = f"### {_title(model)}\n\n{_summary(model)}\n\n"
    if len(rows) == 2:
        return f"{text}The fields of [a pool](#pool).\n"
    also = "\nAnd the fields of [a pool](#pool).\n" if general else ""
    return f"{text}{chr(10).join(rows)}\n{also}"


def _title(model: type[BaseModel]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).capitalize()


def _anchor(model: type[BaseModel]) -> str:
    return _title(model).lower().replace(" ", "-")


def _summary(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _default(value: Any) -> str:
    if value is None or value in ((), {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(str(one) for one in value)}]`"
    return f"`{json.dumps(value)}`" if isinstance(value, bool) else f"`{value}`"


def _value(annotation: Any, metadata: list[Any]) -> str:
    """The kind of value, with links to the tables of other models."""
    words = next((f"a {one.words}" for one in metadata if isinstance(one, Words)), type_words(annotation))
    for one in _inner(annotation):
        words = words.replace(
            f"a mapping of the fields of {one.__name__}", f"[{_title(one)}](#{_anchor(one)})"
        )
    return re.sub(r", such as \S+?(?=[:,]?(?:\s|$))", "", words)


def _inner(annotation: Any) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for member in members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            found.append(member)
        else:
            for argument in get_args(member):
                if argument is not Ellipsis and not isinstance(argument, str):
                    found += _inner(argument)
    return found


def rules() -> str:
    """A Markdown table of the documented rules."""
    rows = ["| rule | says | finding | can be waived |", "|---|---|---|---|"]
    for rule in sorted(RULES, key=lambda rule: rule.id):
        looks = " (looks at the plan)" if rule.planned else ""
        waivable = "yes" if rule.waivable else "no"
        rows.append(f"| {rule.id} | {rule.says}{looks} | {rule.severity} | {waivable} |")
    return "\n".join(rows) + "\n"


def generated(text: str) -> str:
    """A document with its generated parts written anew."""

    def part(found: re.Match[str]) -> str:
        what = found["what"]
        body = rules() if what == "rules" else "\n".join(fields(model) for model in MODELS[what])
        return f"{found[1]}\n{body}\n{found[3]}"

    return _MARK.sub(part, text)


def schema(file: str) -> dict[str, Any]:
    """JSON Schema of one file, for editors. It allows one item alone where a list may stand.

    Raises:
        KeyError: no such file; known are those of `edgewright.model.load.FILES`.
    """
    found: dict[str, Any] = _lenient(FILES[file].model_json_schema(by_alias=True))
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found["title"] = f"Edgewright: {file}"
    return found


_HOSTS = "#/$defs/Host"


def _lenient(node: Any) -> Any:
    """Lists of mappings may be one of them, a host its name alone; a global policy always exists."""
    if isinstance(node, list):
        return [_lenient(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: _lenient(value) for key, value in node.items()}
    if node.get("required") == ["global"]:
        del node["required"]
    if node.get("type") == "array" and "$ref" in node.get("items", {}):
        item = node["items"]
        if item["$ref"] == _HOSTS:
            item = {"anyOf": [item, {"type": "string"}]}
        about = {key: node.pop(key) for key in ("description", "default", "title") if key in node}
        return {**about, "anyOf": [{**node, "items": item}, item]}
    return node


if __name__ == "__main__":
    target = Path(__file__).parents[2] / "docs" / "describe.md"
    target.write_text(generated(target.read_text()))
    sys.stdout.write(f"{target}\n")

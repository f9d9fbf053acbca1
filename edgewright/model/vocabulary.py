"""The vocabulary of policies as a document: `python -m edgewright.model.vocabulary > docs/policies.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from edgewright.model.policy import Policies, ServiceScoped, SiteScoped, UserScoped
from edgewright.model.setting import Described, PolicyObject, describe

INTRODUCTION = """\
# Policies: the vocabulary

What an operator may write in `policies.yml`. Names are Lync's own in snake_case; what is not written has
the default. This page is generated from the model (`python -m edgewright.model.vocabulary`), a test keeps
it so.

*Direction*: **opens** means that true, more, or a value further to the right of the listed order allows
at least as much; **restrains** is the reverse; **neutral** never changes a decision; **selects** decides
which rules apply. Where the reference is silent or Edgewright adds something of its own, the note says
why.

How the effective policy is found: a user's own policy (granted to the user or to a group) beats the
policy of the site where the user is homed, and that beats the global one; the winner counts as a whole,
what it does not say is the default, not the loser's value (J01, J05). Configurations likewise: service,
site, global (J02). A switch of `access_edge` *and* the user's policy must allow (J03); a blocked domain
is always refused (J06).
"""

SCOPES = {
    UserScoped: "`global`, `site: {<site>: ...}`, `user: {<tag>: ...}`; granted in the directory",
    ServiceScoped: "`global`, `site: {<site>: ...}`, `service: {<pool FQDN>: ...}`",
    SiteScoped: "`global`, `site: {<site>: ...}`",
}


def kinds() -> Iterator[tuple[str, type[PolicyObject], str]]:
    """Every key of `policies.yml` with its object and the scopes or shape it has there."""
    for name, field in Policies.model_fields.items():
        found = _object(field.annotation)
        if found is not None:
            yield name, *found


def _object(annotation: Any) -> tuple[type[PolicyObject], str] | None:
    if isinstance(annotation, type) and issubclass(annotation, PolicyObject):
        return annotation, "one for the organisation"
    metadata = getattr(annotation, "__pydantic_generic_metadata__", None)
    if metadata and metadata["origin"] in SCOPES:
        return metadata["args"][0], SCOPES[metadata["origin"]]
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0], "a list"
    if get_origin(annotation) is dict:
        return get_args(annotation)[1], "by name"
    return None


def markdown() -> str:
    """The whole document."""
    parts = [INTRODUCTION]
    for name, kind, shape in kinds():
        twin = f"Lync: `Cs{kind.noun}`. " if kind.noun else ""
        lines = [f"## `{name}`", "", _doc(kind), "", f"{twin}Written: {shape}.", ""]
        lines += ["| field | Lync's parameter | default | values | direction | source | note |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [_row(entry) for entry in describe(kind)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _doc(kind: type[PolicyObject]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _row(entry: Described) -> str:
    setting = entry.setting
    cells = [
        f"`{entry.name}`",
        f"`{setting.parameter}`" if setting.parameter else "our own",
        "**required**" if entry.required else _value(entry.default),
        _values(entry),
        setting.direction,
        setting.source,
        setting.why,
    ]
    return "| " + " | ".join(cells) + " |"


def _value(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(entry: Described) -> str:
    if entry.setting.levels:
        text = " < ".join(" or ".join(level) for level in entry.setting.levels)
    elif entry.low is not None:
        text = f"{entry.low} to {entry.high}"
    else:
        text = entry.type.strip("{}")
    return f"{text} {entry.setting.unit}" if entry.setting.unit else text


if __name__ == "__main__":
    sys.stdout.write(markdown())

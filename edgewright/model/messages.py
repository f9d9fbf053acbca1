"""What pydantic found, said for an operator: the line, what is wrong, what would be right."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from edgewright.model.base import Model, Words
from edgewright.model.directory import SipAddress
from edgewright.model.documents import Document, Place, holds
from edgewright.model.ldap import Url
from edgewright.model.topology import Fqdn, HostName, Name, Text

_SCALAR = (
    "string_type", "bool_type", "bool_parsing", "int_type", "int_parsing", "literal_error", "url_type",
    "ip_v4_address", "ip_v6_address", "ip_v4_network", "ip_v6_network", "ip_any_address", "ip_any_network",
    "string_pattern_mismatch",
)  # fmt: skip
_MAPPING = ("model_type", "dict_type", "model_attributes_type")


def nearest(given: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or `; known are ...` where nothing is near. Understands Lync's own spelling."""
    names = sorted(known)
    meant = suggestion(given, names)
    if meant:
        return f"; did you mean '{meant}'?"
    return f"; known are {', '.join(names)}" if names else ""


def suggestion(given: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant."""
    names = {name.lower(): name for name in known}
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", given).replace("-", "_").lower()
    for candidate in (snake, given.lower(), snake.rstrip("s"), snake + "s"):
        if candidate in names:
            return names[candidate]
    close = difflib.get_close_matches(snake, names, n=1, cutoff=0.6)
    return names[close[0]] if close else None


def translate(error: ValidationError, document: Document, model: type[BaseModel]) -> None:
    """Note every finding of `error` in `document`, one per place (members of a union are joined by 'or')."""
    by_place: dict[tuple[Place, bool], list[tuple[ErrorDetails, list[Any]]]] = {}
    every = error.errors(include_url=False)
    corrected = _corrected(every, document, model)
    for details in every:
        place, key, annotations = _find(details, document.data, model)
        if details["type"] == "missing" and (place, details["loc"][-1]) in corrected:
            continue
        if details["type"] == "too_short" and _at(document.data, place):
            continue  # its items were wrong, and are told of themselves
        by_place.setdefault((place, key), []).append((details, annotations))
    for (place, key), group in by_place.items():
        value = _at(document.data, place)
        kept = [one for one in group if _fits(one[0]["type"], value)] or group
        if len(kept) > 1 and _shadowed(place, key, by_place) and all(_in_union(one[0]) for one in kept):
            continue
        for details, annotations in kept:
            if details["type"] in ("extra_forbidden", "missing"):
                _field(details, annotations, document, place)
        rest = [details for details, _ in kept if details["type"] not in ("extra_forbidden", "missing")]
        if rest:
            said = " or ".join(dict.fromkeys(_say(details) for details in rest))
            where = f"{dotted(place)}: " if place else ""
            shown = f"'{place[-1]}' " if key else _shown(value)
            document.wrong(place, f"{where}{shown}{said}", key=key)


def _corrected(
    errors: list[ErrorDetails], document: Document, model: type[BaseModel]
) -> set[tuple[Place, str | int]]:
    """Fields that are missing only because their name is wrong, which is told by itself."""
    found: set[tuple[Place, str | int]] = set()
    for details in errors:
        if details["type"] == "extra_forbidden":
            place, _, annotations = _find(details, document.data, model)
            name = str(details["loc"][-1])
            for one in _models(annotations):
                meant = one.renamed.get(name) if issubclass(one, Model) else None
                meant = meant or suggestion(name, field_names(one))
                found |= {(place, meant)} if meant else set()
    return found


def dotted(place: Place) -> str:
    """`sites.hq.edge.hosts[0].name`."""
    text = ""
    for element in place:
        text += f"[{element}]" if isinstance(element, int) else f".{element}" if text else str(element)
    return text


def _shown(value: Any) -> str:
    """A value as it would be written, short; nothing for what is long."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true " if value else "false "
    return f"'{value}' " if isinstance(value, str) else f"{value} "


def _in_union(details: ErrorDetails) -> bool:
    return details["type"] in _MAPPING or details["type"] in _SCALAR


def _shadowed(place: Place, key: bool, by_place: Iterable[tuple[Place, bool]]) -> bool:
    """A more exact finding lies deeper: the other member of the union is what the operator meant."""
    return not key and any(len(other) > len(place) and other[: len(place)] == place for other, _ in by_place)


def _fits(kind: str, value: Any) -> bool:
    """Of a union's complaints keep those of the member that has the given value's shape."""
    if isinstance(value, dict):
        return kind not in _SCALAR
    return kind not in _MAPPING


def _at(data: Any, place: Place) -> Any:
    for element in place:
        try:
            data = data[element]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _find(details: ErrorDetails, data: Any, model: type[BaseModel]) -> tuple[Place, bool, list[Any]]:
    """Place in the file of pydantic's location, whether the key is meant, and the types that apply there."""
    place: list[str | int] = []
    annotations: list[Any] = [model]
    loc = list(details["loc"])
    key = bool(loc) and loc[-1] == "[key]"
    if key:
        loc.pop()
    if details["type"] in ("extra_forbidden", "missing") and loc:
        loc.pop()
    for element in loc:
        inside = holds(data, element)
        stepped = _step(annotations, element)
        if inside:
            data = data[element]
            place.append(element)
            annotations = stepped
        elif isinstance(element, int) and stepped:
            annotations = stepped  # a single item where a list may stand
    return tuple(place), key, annotations


def members(annotation: Any) -> list[Any]:
    """The plain types in an annotation: unions and `Annotated` taken apart."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [member for argument in get_args(annotation) for member in members(argument)]
    return [annotation]


def _step(annotations: list[Any], element: str | int) -> list[Any]:
    found: list[Any] = []
    for annotation in annotations:
        for member in members(annotation):
            if isinstance(member, type) and issubclass(member, BaseModel):
                field = field_named(member, str(element))
                if field:
                    found.append(field.annotation)
            elif get_origin(member) is dict:
                found.append(get_args(member)[1])
            elif get_origin(member) in (tuple, list):
                item = get_args(member)[0]
                found += [item] if isinstance(element, int) else _step([item], element)
    return found


def field_named(model: type[BaseModel], name: str) -> FieldInfo | None:
    """The field that is written `name` in a file."""
    for own, field in model.model_fields.items():
        if (field.alias or own) == name:
            return field
    return None


def field_names(model: type[BaseModel]) -> list[str]:
    """The fields of a model as they are written in a file."""
    return [field.alias or own for own, field in model.model_fields.items()]


def _models(annotations: list[Any]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for annotation in annotations:
        for member in members(annotation):
            if isinstance(member, type) and issubclass(member, BaseModel):
                found.append(member)
            elif get_origin(member) in (tuple, list):
                found += _models([get_args(member)[0]])
    return found


def _field(details: ErrorDetails, annotations: list[Any], document: Document, place: Place) -> None:
    name = str(details["loc"][-1])
    where = f" in {dotted(place)}" if place else ""
    models = _models(annotations)
    if details["type"] == "missing":
        what = next((described(field) for model in models if (field := field_named(model, name))), "")
        document.wrong(place, f"'{name}' is missing{where}{'; add it: ' + what if what else ''}", key=True)
        return
    for model in models:
        renamed = model.renamed.get(name) if issubclass(model, Model) else None
        if renamed:
            document.wrong((*place, name), f"'{name}'{where} is now called '{renamed}'; rename it", key=True)
            return
    known = [field for model in models for field in field_names(model)]
    document.wrong((*place, name), f"unknown field '{name}'{where}{nearest(name, known)}", key=True)


def described(field: FieldInfo) -> str:
    """What a field takes, in words."""
    for constraint in field.metadata:
        if known := PATTERNS.get(str(getattr(constraint, "pattern", ""))):
            return f"a {known}"
    return type_words(field.annotation)


_WORDS: dict[Any, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number",
}  # fmt: skip
_NAMED = {
    "IPv4Address": "an IPv4 address", "IPv6Address": "an IPv6 address",
    "IPv4Network": "an IPv4 subnet", "IPv6Network": "an IPv6 subnet",
    "HttpUrl": "a URL", "NoneType": "nothing",
}  # fmt: skip


def type_words(annotation: Any) -> str:
    """An annotation in words: `a list of ...`, `one of a, b`."""
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, Words):
                return f"a {extra}"
        return type_words(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        said = [type_words(one) for one in get_args(annotation) if one is not type(None)]
        return " or ".join(dict.fromkeys(said))
    if get_origin(annotation) is Literal:
        values = [str(one) for one in get_args(annotation)]
        return f"one of {', '.join(values)}" if len(values) > 1 else values[0]
    if get_origin(annotation) is dict:
        key, value = get_args(annotation)
        return f"a mapping, each {type_words(key)}: {type_words(value)}"
    if get_origin(annotation) in (tuple, list):
        return f"a list, each {type_words(get_args(annotation)[0])}"
    name = getattr(annotation, "__name__", str(annotation))
    return _WORDS.get(annotation) or _NAMED.get(name) or f"a mapping of the fields of {name}"


def _patterns() -> dict[str, Words]:
    found: dict[str, Words] = {}
    for alias in (Fqdn, HostName, Name, SipAddress, Text, Url):
        _, field, words = get_args(alias)
        found |= {str(one.pattern): words for one in field.metadata if getattr(one, "pattern", None)}
    return found


PATTERNS = _patterns()


def _subnet(value: Any, version: str) -> str:
    try:
        subnet = ip_network(value, strict=False)
    except ValueError:
        return ""
    return f"; the subnet is {subnet}" if version == str(subnet.version) else ""


def _say(details: ErrorDetails) -> str:  # noqa: C901  (a table in the shape of a function)
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        meant = suggestion(given, allowed) if isinstance(given, str) else None
        hint = f"; did you mean '{meant}'?" if meant else ""
        several = " or " in str(context.get("expected"))
        return f"{'is none of' if several else 'should be'} {context.get('expected')}{hint}"
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        words = PATTERNS.get(pattern)
        if isinstance(given, str) and given != given.lower() and re.fullmatch(pattern, given.lower()):
            return f"should be in lower case: '{given.lower()}'"
        return f"should be a {words}" if words else f"should match the pattern {pattern}"
    if kind in _MAPPING:
        return "should be a mapping of fields"
    if kind == "tuple_type":
        return "should be a list"
    if kind == "string_type":
        return (
            "should be text; put it in quotes"
            if given is not None
            else "should be text, but nothing is given"
        )
    if kind.startswith("ip_v") and kind.endswith("address"):
        return f"should be an IPv{kind[4]} address"
    if kind.startswith("ip_v"):
        return f"should be an IPv{kind[4]} subnet{_subnet(given, kind[4])}"
    if kind in ("bool_parsing", "bool_type"):
        return "should be true or false"
    if kind.startswith("int_"):
        return "should be a whole number"
    if kind == "value_error":
        return str(context.get("error", details["msg"]))
    if kind.startswith("url_"):
        return "should be a URL, as in https://meet.contoso.example"
    if kind == "too_short":
        return "should not be empty"
    text = details["msg"].removeprefix("Input ")
    return text[0].lower() + text[1:]

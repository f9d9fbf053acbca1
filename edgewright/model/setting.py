"""What a field of a policy object stands for: cmdlet parameter, unit, direction, source (field metadata)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from annotated_types import Ge, Le, SupportsGe, SupportsLe

from edgewright.model.base import Model

Direction = Literal["opens", "restrains", "neutral", "selects"]


@dataclass(frozen=True, slots=True)
class Setting:
    """Metadata of one field.

    `parameter` is Lync's name; None marks an addition of our own, which has no twin in Lync.
    `direction`: *opens* means that true, more, or later in `levels` allows at least as much; *restrains* is
    the reverse; *neutral* never changes a decision; *selects* decides which rules apply, neither is stricter.
    `levels` orders an enumeration from strictest to most open; values of one level cannot be compared.
    `unit` is s, min, h, days, kbps, messages/s, domains and so on; `source` the row of the reference.
    """

    parameter: str | None
    direction: Direction = "neutral"
    unit: str | None = None
    source: str = ""
    levels: tuple[tuple[str, ...], ...] = ()
    why: str = ""
    """Why a default differs from the documented one, or why an addition of our own is needed."""

    def stricter(self, value: Any) -> tuple[Any, ...]:
        """Values that allow at most as much as `value`; empty for the strictest and for neutral settings."""
        if self.direction in ("neutral", "selects"):
            return ()
        if isinstance(value, bool):
            strict = self.direction == "restrains"
            return () if value is strict else (strict,)
        for index, level in enumerate(self.levels):
            if value in level:
                return tuple(lower for levels in self.levels[:index] for lower in levels)
        return ()


class PolicyObject(Model):
    """An object that Lync keeps under `noun`: `Set-Cs<noun>` and, unless it is `fixed`, `New-Cs<noun>`.

    No noun: an object of our own.
    """

    noun: ClassVar[str] = ""
    fixed: ClassVar[bool] = False
    """True: one object for the organisation that always exists; only Set makes sense."""


@dataclass(frozen=True, slots=True)
class Described:
    """One field with everything that is known about it, as `docs/policies.md` shows it."""

    name: str
    setting: Setting
    type: str
    default: Any
    required: bool
    low: SupportsGe | None
    high: SupportsLe | None


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return _type_name(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return "{" + ", ".join(str(value) for value in get_args(annotation)) + "}"
    if arguments := [argument for argument in get_args(annotation) if argument is not Ellipsis]:
        names = [_type_name(argument) for argument in arguments if argument is not type(None)]
        inner = " or ".join(dict.fromkeys(names))
        return f"list of {inner}" if get_origin(annotation) is tuple else inner
    name = str(annotation.__name__)
    return {"str": "text", "int": "number", "bool": "boolean"}.get(name, name)


def _range(annotation: Any, metadata: list[Any]) -> tuple[SupportsGe | None, SupportsLe | None]:
    """Lowest and highest value, also where the range belongs to one branch of a union."""
    inner = [item for branch in get_args(annotation) for item in getattr(branch, "__metadata__", ())]
    facts = [fact for item in (*metadata, *inner) for fact in getattr(item, "metadata", (item,))]
    low = next((fact.ge for fact in facts if isinstance(fact, Ge)), None)
    return low, next((fact.le for fact in facts if isinstance(fact, Le)), None)


def describe(kind: type[PolicyObject]) -> Iterator[Described]:
    """Every field of a policy object that stands for a setting, in the order of the class."""
    for name, field in kind.model_fields.items():
        setting = next((item for item in field.metadata if isinstance(item, Setting)), None)
        if setting is None:
            raise TypeError(f"{kind.__name__}.{name} does not say what it stands for")
        low, high = _range(field.annotation, field.metadata)
        default = None if field.is_required() else field.get_default(call_default_factory=False)
        yield Described(name, setting, _type_name(field.annotation), default, field.is_required(), low, high)

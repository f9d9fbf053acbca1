"""What every model of the description shares: frozen, strict about names, immutable collections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Words:
    """What a constrained text is, in words, with an example; stands beside its pattern in `Annotated`."""

    words: str
    example: str = ""

    def __str__(self) -> str:
        return f"{self.words}, such as {self.example}" if self.example else self.words


class Model(BaseModel):
    """A typed, frozen piece of a deployment; an unknown field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
    )

    renamed: ClassVar[dict[str, str]] = {}
    """Old or usual wrong names of fields and what they are called: the error message says so."""

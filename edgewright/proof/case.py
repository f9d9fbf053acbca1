"""A case: a cell and how the engine goes about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgewright.proof.scope import Seat
from edgewright.proof.types import Cell, Expected, Impact

RIGHT = "right"
WRONG = "wrong"
RUN = "{run}"
"""What `password` in a cell's arguments may say; the engine puts the real one in on its way to the probe.

`RUN` in arguments and in what must be shown becomes a word of the run's own, for what may outlive it.
"""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whose held session must get (or, for a refusal, must not get) the message.

    `secrets`: words that may stand in no header there; with them it is looked for what must not leave.
    """

    vantage: str
    session: str
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A cell with the wave it runs in and what it leans on.

    Waves run one after the other, the cells of one at the same time. `needs` are cells that must run too (a
    held registration), `same_as` the cell whose answer must look the same. `receiver` gets the message;
    whatever is sent in a refused cell must arrive in none of the held sessions; `also` must get it, too. A
    cell that should work is tried again for `within` seconds. It begins when the cells `after` of its wave
    are done, if they run. `late`: what nobody answered in time may arrive after all; nothing takes
    a request back.
    """

    cell: Cell
    wave: str = "main"
    needs: tuple[str, ...] = ()
    same_as: str | None = None
    receiver: Receiver | None = None
    also: tuple[Receiver, ...] = ()
    within: float = 0.0
    after: tuple[str, ...] = ()
    late: bool = False

    @property
    def leans_on(self) -> tuple[str, ...]:
        """Ids of the cells that must be in the same run."""
        return tuple(i for i in (self.cell.control, self.same_as, *self.needs) if i is not None)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes cells of one party and feature, to say what they share once; `area` begins their ids."""

    area: str
    party: str
    feature: str

    def __call__(
        self,
        name: str,
        vantage: str,
        family: str,
        situation: str,
        expected: Expected,
        probe: str,
        arguments: dict[str, Any],
        *,
        control: str | None = None,
        impact: Impact = "read",
    ) -> Cell:
        """The cell `<area>/<vantage>/<family>/<name>`."""
        return Cell(
            id=identifier(self.area, vantage, family, name),
            party=self.party,
            feature=self.feature,
            vantage=vantage,
            family=family,
            situation=situation,
            impact=impact,
            expected=expected,
            probe=probe,
            arguments=arguments,
            control=control,
        )

    def at(
        self,
        seat: Seat,
        name: str,
        situation: str,
        expected: Expected,
        probe: str,
        arguments: dict[str, Any],
        *,
        control: str | None = None,
        impact: Impact = "read",
    ) -> Cell:
        """The same at a seat."""
        return self(
            name,
            seat.vantage,
            seat.family,
            situation,
            expected,
            probe,
            arguments,
            control=control,
            impact=impact,
        )


def identifier(area: str, vantage: str, family: str, name: str) -> str:
    """Id of a cell: stable as long as the description names the same things."""
    return f"{area}/{vantage}/{family}/{name}"


YES = Expected(True)

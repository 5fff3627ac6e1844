"""Gold that was not made by dropping: what readers say of the order of a chain's responses.

It is one of two things. *Grades* are numbers by reader, higher is better: a rubric's points, or
ranks turned round (:meth:`Gold.from_ranks`). A reader may give equal grades, and may leave out
responses. *Pairs* are a preference graph: of some pairs it is known which response is better, of
the others nothing is.

Several readers make one order, their consensus: the mean, over the readers who graded a response,
of the share of the others that they placed below it less the share above. For readers who graded
everything that is the order of the mean rank (Borda's), and a reader who left something out is not
thereby made stricter or milder than the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from graphlib import CycleError, TopologicalSorter
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, FiniteFloat, model_validator
from pydantic.dataclasses import dataclass

Grades = tuple[FiniteFloat | None, ...]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Gold:
    """What is known of the order of a chain's responses, besides the requirements kept.

    Args:
        grades: by the name of a reader, one number per response, higher is better; None where the
            reader left a response out. Each reader grades one response at least.
        better: pairs of places ``(better, worse)``, instead of grades; each pair once, no circle.

    Raises:
        pydantic.ValidationError: both or neither, a reader without a grade, readers of different
            length, a pair of one response, a pair twice, or a circle of preferences.
    """

    grades: dict[Annotated[str, Field(min_length=1)], Grades] = field(default_factory=dict)
    better: tuple[tuple[int, int], ...] = ()

    @model_validator(mode="after")
    def _is_grades_or_an_order(self) -> Gold:
        if bool(self.grades) == bool(self.better):
            both = "both grades and better" if self.grades else "neither grades nor better"
            raise ValueError(f"judged has {both}, expected one of the two")
        sizes = {name: len(grades) for name, grades in self.grades.items()}
        for name, grades in self.grades.items():
            if all(grade is None for grade in grades):
                raise ValueError(f"grades of {name!r} has no number, expected one at least")
        if len(set(sizes.values())) > 1:
            raise ValueError(f"grades has different lengths {sizes}, expected one per response")
        for pair in self.better:
            if pair[0] == pair[1] or min(pair) < 0:
                raise ValueError(f"better has {list(pair)}, expected places of two responses")
        if len(set(self.better)) < len(self.better):
            raise ValueError("better has a pair twice, expected each once")
        below: dict[int, list[int]] = {}
        for best, worse in self.better:
            below.setdefault(best, []).append(worse)
        try:
            TopologicalSorter(below).prepare()
        except CycleError as error:
            circle = " > ".join(map(str, reversed(error.args[1])))
            raise ValueError(f"better has the circle {circle}, expected an order") from None
        return self

    @classmethod
    def from_ranks(cls, ranks: Mapping[str, Sequence[float | None]]) -> Gold:
        """Gold from ranks by reader, 1 for the best; equal ranks are ties, None is a gap.

        >>> Gold.from_ranks({"Ada": [2, 1, None]}).grades
        {'Ada': (-2.0, -1.0, None)}
        """
        turned = {
            reader: tuple(None if rank is None else -rank for rank in row)
            for reader, row in ranks.items()
        }
        return cls(grades=turned)

    def refuse_other_sizes(self, n: int) -> None:
        """Raise a ValueError unless this gold can be that of ``n`` responses."""
        for reader, grades in self.grades.items():
            if len(grades) != n:
                raise ValueError(
                    f"judged.grades of {reader!r} has {len(grades)} numbers, expected one for "
                    f"each of the {n} responses"
                )
        if self.better and (last := max(map(max, self.better))) >= n:
            raise ValueError(
                f"judged.better has the place {last}, expected places of the {n} responses, from 0"
            )

    def numbers(self, n: int) -> NDArray[np.float64]:
        """One number per response, shape [n], higher is better; NaN where nobody says anything.

        One reader's grades as they are; of several, their consensus, between -1 and 1; of pairs,
        how many responses are known to be worse less how many are known to be better.
        """
        if self.better:
            return self.relation(n).sum(axis=1, dtype=float)
        table = self.table()
        return table[0] if len(table) == 1 else _consensus(table)

    def relation(self, n: int) -> NDArray[np.int8]:
        """Known pairs, shape [n, n]: 1 where the first is better, -1 where worse, else 0."""
        known = np.zeros((n, n), dtype=np.int8)
        for best, worse in self.better:
            known[best, worse], known[worse, best] = 1, -1
        return known

    def table(self) -> NDArray[np.float64]:
        """All grades, shape [readers, responses], NaN for a gap."""
        return np.array([*self.grades.values()], dtype=float)  # None becomes NaN

    def without(self, reader: str) -> Gold:
        """The gold of all other readers; a ValueError if there is none."""
        if len(self.grades) < 2 or reader not in self.grades:
            names = ", ".join(self.grades) or "no reader"
            raise ValueError(f"found {names}, expected {reader!r} and another")
        return Gold({name: row for name, row in self.grades.items() if name != reader})

    def of(self, reader: str) -> Gold:
        """The gold of one reader; a KeyError if this reader has no grades here."""
        return Gold({reader: self.grades[reader]})


def _consensus(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over readers of (placed below less placed above) / others graded: [responses]."""
    left, right = table[:, :, None], table[:, None, :]
    above = (left > right).astype(float) - (left < right)  # [readers, responses, responses]
    graded = ~np.isnan(table)
    others = np.maximum(graded.sum(axis=1, keepdims=True) - 1, 1)
    places = np.where(graded, above.sum(axis=2) / others, 0.0)
    n_readers = graded.sum(axis=0)
    with np.errstate(invalid="ignore"):
        # rounded: means of the same places in another order of readers are equal then
        return np.round(places.sum(axis=0) / n_readers, 12)

"""Loading a benchmark, whatever its layout, and its official metric.

A file is loaded whole or not at all: every record that cannot be a chain is named with its place,
field, what was found and what was expected. With ``skip_refused`` the others are loaded, and those
refused stay named and counted with the benchmark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain as joined
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from wfine_utils.benchmarks import (
    followbench,
    if_rewardbench,
    lamp,
    preferences,
    rewardbench2,
    sources,
    writing_preference,
)
from wfine_utils.benchmarks.layout import (
    NO_LABEL,
    Examined,
    Label,
    Layout,
    Record,
    Refusal,
    Verdicts,
)
from wfine_utils.benchmarks.tables import COLUMNS
from wfine_utils.chains.files import load_chains
from wfine_utils.chains.records import Problems, explained_fields
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.evaluation import evaluate
from wfine_utils.weval.resampling import Bootstrap
from wfine_utils.weval.scorers import checked_scores


def _own_chain(record: Record, chain_id: str) -> tuple[Chain, Label]:
    raise AssertionError("chains are loaded by load_chains")


def _own_metrics(examined: Examined) -> pd.DataFrame:
    """WEval's metrics of all chains."""
    chains, _, scores, _, boot = examined
    assert scores is not None
    whole = evaluate(
        chains, scores, n_boot=boot.n_boot, seed=boot.seed, confidence=boot.confidence
    ).query("subset_kind == 'all'")
    return whole.rename(columns={"n_chains": "n"})[[*COLUMNS]].reset_index(drop=True)


_CHAINS = Layout(
    name="chains",
    looked_for="chain_id, base_task and responses; or prompt, instruction_id_list and constraint",
    fits=lambda record: (
        {"chain_id", "base_task", "responses"} <= {*record}
        or {"prompt", "instruction_id_list", "constraint"} <= {*record}
    ),
    chain=_own_chain,
    official=_own_metrics,
)

# In the order in which they are tried: what asks for more comes before what asks for less.
_LAYOUTS = {
    layout.name: layout
    for layout in (
        _CHAINS,
        lamp.LAYOUT,
        if_rewardbench.LAYOUT,
        rewardbench2.LAYOUT,
        writing_preference.LAYOUT,
        preferences.LAYOUT,
        followbench.LAYOUT,
    )
}

LAYOUTS: tuple[str, ...] = tuple(_LAYOUTS)
"""Names of the layouts; what each holds stands in the module of its name."""


@dataclass(frozen=True)
class Benchmark:
    """Chains of a benchmark, and what its official metric needs besides them.

    Attributes:
        name: of the file without its suffix, or on the Hub.
        layout: one of :data:`LAYOUTS`.
        chains: score these with any scorer, and evaluate them with WEval.
        refused: one line for every record that was refused and left out, ``file:line: field: what
            was found, what was expected``; empty unless it was loaded with ``skip_refused``.
        labels: [chains], what the official metric knows of a chain besides.
    """

    name: str
    layout: str
    chains: list[Chain]
    refused: tuple[str, ...] = ()
    labels: tuple[Label, ...] = field(default=(), repr=False)

    @property
    def ranks_by_scores(self) -> bool:
        """Whether the benchmark has a metric of its own for scores; plain chains have none."""
        return self.layout != "chains" and _LAYOUTS[self.layout].needs != "verdicts"

    def official(
        self,
        scores: Sequence[Any] | None = None,
        *,
        verdicts: Verdicts | None = None,
        n_boot: int = 1000,
        seed: int = 0,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """The benchmark's own metric, with intervals over chains.

        What it computes stands in ``official`` of the layout's module. A response without a score
        (NaN) is never right and never left out; ``nan_rate`` says how many there are.

        Args:
            scores: [chains][responses], as for ``weval.evaluate``. "lamp" can do without, its
                metric is one of writers; "followbench" has none for scores.
            verdicts: [chains][responses][items], 1 met, 0 not, NaN undecided (a probability counts
                as met from 0.5 on): of the requirements for "if_rewardbench", of the constraints
                of a response's own level for "followbench"; of no other layout.
            n_boot, seed, confidence: as in ``weval.resampling.Bootstrap``.

        Returns:
            One row per metric and subset: ``metric, subset, value, ci_low, ci_high, n``, where n
            are the chains that have a say (in RewardBench 2, units that are drawn together). The
            interval is NaN where they are too few.

        Raises:
            WfineError: scores or verdicts that do not fit the chains, are missing, or are given to
                a metric that takes none.
        """
        layout = _LAYOUTS[self.layout]
        self._refuse_what_is_not_taken(layout, scores, verdicts)
        what = f"official metric of {self.layout}"
        checked = None if scores is None else checked_scores(what, scores, self.chains)
        if verdicts is not None:
            verdicts = self._checked_verdicts(verdicts)
        labels = self.labels or (NO_LABEL,) * len(self.chains)
        boot = Bootstrap(n_boot, seed, confidence)
        return layout.official(Examined(self.chains, labels, checked, verdicts, boot))

    def _refuse_what_is_not_taken(self, layout: Layout, scores: object, verdicts: object) -> None:
        given = {"scores"} if scores is not None else set()
        given |= {"verdicts"} if verdicts is not None else set()
        taken = {"scores": {"scores"}, "verdicts": {"verdicts"}, "": {"scores"}}
        needed, extra = {layout.needs} - {"either", ""}, given - taken.get(layout.needs, given)
        if layout.needs == "either" and not given:
            needed = {"scores or verdicts"}
        if needed - given or extra:
            there = " and ".join(sorted(given)) or "neither scores nor verdicts"
            expected = " and ".join(sorted(needed or taken[layout.needs]))
            raise WfineError(
                f"official metric of {self.layout}: found {there}, expected {expected} alone. For "
                "how scores rank the responses: weval.evaluate(benchmark.chains, scores)."
            )

    def _checked_verdicts(self, verdicts: Verdicts) -> Verdicts:
        """Verdicts as float arrays of the right lengths, or a WfineError that names a chain."""
        if len(verdicts) != len(self.chains):
            raise WfineError(
                f"verdicts: found those of {len(verdicts)} chains, expected {len(self.chains)}, "
                "one array for each chain in their order."
            )
        arrays = []
        for chain, label, rows in zip(self.chains, self.labels, verdicts, strict=True):
            sizes = list(label.levels) or [len(chain.requirements)] * len(chain.responses)
            try:
                own = [np.asarray(row, dtype=float) for row in rows]
            except (TypeError, ValueError):
                own = []
            shapes = [x.shape for x in own]
            if shapes != [(n,) for n in sizes] or any(((x < 0) | (x > 1)).any() for x in own):
                raise WfineError(
                    f"verdicts, chain {chain.chain_id!r}: found arrays of the shapes {shapes}, "
                    f"expected for its responses {sizes} numbers between 0 and 1, NaN where "
                    "undecided."
                )
            arrays.append(own)
        return arrays


def load_benchmark(
    path_or_hub_id: str | Path,
    layout: str = "auto",
    *,
    split: str = "",
    revision: str = "",
    config: str = "",
    responses: str | Path = "",
    skip_refused: bool = False,
) -> Benchmark:
    """Load a benchmark as chains whose gold is its own.

    Args:
        path_or_hub_id: a file (``.jsonl``, ``.ndjson``, ``.json`` with lines or one array,
            ``.parquet``, ``.pq``); or a folder of such files, or ``owner/name`` of a data set on
            the Hub, for which the library ``datasets`` is needed (extra ``train``).
        layout: one of :data:`LAYOUTS`; "auto" tells it from the fields of the first record. The
            layout "chains" is any file that ``load_chains`` reads.
        split, revision, config: of a data set on the Hub. Where there is one split, it is that.
            Give a commit as revision if a result is to be repeated.
        responses: for "followbench", a file of responses beside that of instructions.
        skip_refused: load the other records where some are refused. Files of chains are loaded
            whole or not at all.

    Raises:
        WfineError: the source cannot be read; its layout cannot be told; or records are refused:
            those of which no chain can be made, and pairs of records that prefer the opposite of
            the same two responses to the same prompt.
    """
    if layout not in ("auto", *LAYOUTS):
        raise WfineError(f"layout: found {layout!r}, expected auto or one of {', '.join(LAYOUTS)}.")
    source = sources.opened(path_or_hub_id, split, revision, config)
    first = next(source.rows, None)
    if first is None:
        source.problems.raise_if_any()
        raise WfineError(f"{source.name}: found no record, expected at least one.")
    known = _told_by(first[1], source) if layout == "auto" else _LAYOUTS[layout]
    if responses and known.gathered is None:
        raise WfineError(f"responses: found a file, expected none for the layout {known.name}.")
    if known is _CHAINS:
        if not source.is_file:
            raise WfineError(f"{source.name}: found chains in a data set, expected a file of them.")
        return Benchmark(source.name, known.name, load_chains(path_or_hub_id))
    rows: Iterable[tuple[int, Record]] = joined([first], source.rows)
    if known.gathered:
        rows = known.gathered(rows, str(responses))
    source.problems.format = known.name
    chains, labels = _chains(rows, known, source)
    if not chains:
        source.problems.raise_if_any("No record is left to load.")
    if not skip_refused:
        source.problems.raise_if_any(
            "Mend the file and load it again, or load what is left with skip_refused=True."
        )
    return Benchmark(source.name, known.name, chains, tuple(source.problems.lines), tuple(labels))


def _told_by(record: Record, source: sources.Source) -> Layout:
    for layout in _LAYOUTS.values():
        if layout.fits(record):
            return layout
    wanted = "; ".join(f"{x.looked_for} ({x.name})" for x in _LAYOUTS.values())
    raise WfineError(
        f"{source.name}: found the fields {', '.join(map(str, record)) or '(none)'} in the first "
        f"record; looked for {wanted}. Rename the fields, or say which it is: layout=..."
    )


def _chains(
    rows: Iterable[tuple[int, Record]], layout: Layout, source: sources.Source
) -> tuple[list[Chain], list[Label]]:
    """The chains of all records that are none of the problems noted."""
    made: list[tuple[int, Chain, Label]] = []
    problems, ids = source.problems, set()
    for place, record in rows:
        chain_id = _chain_id(record, place, source)
        if chain_id in ids:
            chain_id += f" ({problems.unit or 'line '}{place})"
        ids.add(chain_id)
        try:
            made.append((place, *layout.chain(record, chain_id)))
        except Refusal as refusal:
            problems.add(place, refusal.field, refusal.message)
        except ValidationError as error:
            problems.add(place, *next(iter(explained_fields(error))))
    against = _opposites(made, problems)
    kept = [x for i, x in enumerate(made) if i not in against] if against else made
    return [chain for _, chain, _ in kept], [label for _, _, label in kept]


def _chain_id(record: Record, place: int, source: sources.Source) -> str:
    own = record.get("id")
    is_name = isinstance(own, str | int) and not isinstance(own, bool) and str(own)
    return str(own) if is_name else f"{source.name}-{place}"


def _opposites(made: Sequence[tuple[int, Chain, Label]], problems: Problems) -> set[int]:
    """Numbers of the records that prefer the opposite of another, or a text to itself.

    Which of two is right cannot be known, so both are refused.
    """
    seen: dict[int, int] = {}  # hash of prompt, better and worse text -> number
    against: dict[int, str] = {}
    what = problems.unit or "line "
    for number, (_, chain, _) in enumerate(made):
        if not chain.judged or not chain.judged.better:
            continue
        prompt = hash((chain.before, chain.base_task))
        texts = [hash(response.text) for response in chain.responses]
        for best, worse in chain.judged.better:
            if texts[best] == texts[worse]:
                against[number] = "found a text that is better than itself, expected two texts"
                continue
            other = seen.get(hash((prompt, texts[worse], texts[best])))
            if other is not None:
                for one, two in ((number, other), (other, number)):
                    message = f"found the opposite of {what}{made[two][0]}"
                    against.setdefault(one, f"{message}, expected one preference for two texts")
            seen.setdefault(hash((prompt, texts[best], texts[worse])), number)
    for number in sorted(against):
        problems.add(made[number][0], "preference", against[number])
    return set(against)

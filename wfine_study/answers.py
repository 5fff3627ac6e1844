"""What the cells of the study say to the questions of notebook 06, as tidy tables with tests.

Nothing is trained or scored here: every function reads what finished cells have left
(:mod:`wfine_study.run_cell`); questions 6 and 7 stand in :mod:`wfine_study.policies`. An *answer*
is a number with an interval, a p-value and an effect size, and says what it averages over:

* **training seeds**, where at least three of them were run: t-intervals and paired t-tests, so
  that a difference has to hold from one training run to the next;
* else **chains** (or pairs, or queries): bootstrap and random sign flips. Such an interval knows
  nothing of the luck of a single training run, and ``unit`` says so.

Fewer than six of either give a value and a p-value, but no interval
(:mod:`wfine_utils.chains.units`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_study.cells import RewardCell, StudySettings, cells_by_question, clean_cell, held_out
from wfine_study.exam import IFEVAL
from wfine_study.noise import PURE_NOISE
from wfine_utils.chains.units import MIN_UNITS
from wfine_utils.weval.resampling import holm, mean_of_runs, paired_difference

MIN_SEEDS = 3
"""Fewer training seeds than this say nothing about their spread."""

TAU = "kendall_tau_b"

Unit = Literal["chains", "pairs", "queries"]

ANSWER_COLUMNS = (
    "question", "quantity", "value", "ci_low", "ci_high", "p_value", "p_holm", "cohens_d", "n",
    "unit",
)  # fmt: skip

AS_TRAINED, WHOLE_PROMPT = "as trained", "whole prompt"

QUESTIONS = {
    1: "Is a drop a drop?",
    2: "How much label noise does WRL tolerate?",
    3: "Does the filter help?",
    4: "Which choice matters?",
    5: "Does it generalise?",
    6: "Does WEval predict what RL will do?",
    7: "What does a bias for length do?",
}

Matrix = NDArray[np.float64]


def answer(
    question: int,
    quantity: str,
    matrix: Matrix,
    unit: Unit,
    *,
    members: Sequence[str] | None = None,
    n_boot: int,
    seed: int,
) -> dict[str, Any]:
    """The mean of a quantity, tested against 0.

    Args:
        quantity: what it is, for a reader.
        matrix: shape [rows, training seeds], differences or slopes.
        unit: what was sampled, named if it is what is averaged over.
        members: [rows], the unit to which each row belongs; None: each row is one.
        seed: of the bootstrap draws and of the sign flips.

    Returns:
        A row of :data:`ANSWER_COLUMNS`; ``p_holm`` is still to be filled in by :func:`with_holm`.
    """
    interval = mean_with_interval(matrix, unit, members=members, n_boot=n_boot, seed=seed)
    return {"question": question, "quantity": quantity} | interval


def mean_with_interval(
    matrix: Matrix, unit: Unit, *, members: Sequence[str] | None = None, n_boot: int, seed: int
) -> dict[str, Any]:
    """Mean of a matrix [rows, training seeds], over seeds where there are enough of them.

    Returns:
        ``value, ci_low, ci_high, p_value`` (that the mean is 0), ``cohens_d``, ``n`` of the
        ``unit``; arguments as for :func:`answer`.
    """
    if matrix.shape[1] >= MIN_SEEDS:
        return mean_of_runs(np.nanmean(matrix, axis=0)) | {"unit": "training seeds"}
    values = np.nanmean(matrix, axis=1)
    test = paired_difference(values, np.zeros(len(values)), units=members, n_boot=n_boot, seed=seed)
    names = ("ci_low", "ci_high", "p_value", "cohens_d", "n")
    return {"value": test.difference} | {n: getattr(test, n) for n in names} | {"unit": unit}


def with_holm(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Answers that belong to one family, with p-values corrected for its size by Holm's method."""
    table = pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))
    return table.assign(p_holm=holm(table["p_value"].to_numpy(dtype=float)))


def answers_in_words(table: pd.DataFrame) -> list[str]:
    """One line of Markdown per question, from its answers; IFEval's single instructions left out.

    Args:
        table: columns :data:`ANSWER_COLUMNS`, of any questions.
    """
    lines = []
    for question, part in table.groupby("question"):
        single = part["quantity"].str.contains("IFEval, ") & ~part["quantity"].str.contains(", all")
        answers = "; ".join(map(_statement, part[~single].to_dict("records")))
        lines.append(f"{question}. **{QUESTIONS[int(str(question))]}** {answers}.")
    return lines


def _statement(row: Mapping[Any, Any]) -> str:
    if pd.notna(row["ci_low"]):
        interval = f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
    else:
        interval = f" (no interval from fewer than {MIN_UNITS})" if row["n"] < MIN_UNITS else ""
    p = f", p {row['p_holm']:.2g}" if pd.notna(row["p_holm"]) else ""
    return f"{row['quantity']}: {row['value']:.3f}{interval} (n = {row['n']:,} {row['unit']}{p})"


def chain_values(
    folder: Path, cells: Sequence[RewardCell], metric: str = TAU, used: str = AS_TRAINED
) -> Matrix:
    """A metric of every test chain under every cell: shape [chains, cells]."""
    columns = []
    for cell in cells:
        table = pd.read_parquet(folder / cell.slug / "per_chain.parquet")
        by_chain = table[table["used"] == used].set_index("chain_id").sort_index()
        columns.append(by_chain[metric].to_numpy(dtype=float))
    return np.stack(columns, axis=1)


def pair_values(
    folder: Path, cells: Sequence[RewardCell], **about: str
) -> tuple[Matrix, list[str]]:
    """1, ½ or 0 for every test pair in the right order, tied or wrong, and which unit it is of.

    Args:
        cells: with one granularity, so that the pairs are the same.
        **about: columns of ``pairs.parquet`` and the values they must have.

    Returns:
        Shape [pairs, cells]; and [pairs], names, the same for pairs of answers to one query.
    """
    columns, members = [], []
    for cell in cells:
        table = pd.read_parquet(folder / cell.slug / "pairs.parquet")
        table = table[(table[list(about)] == pd.Series(about)).all(axis=1)]
        columns.append(0.5 * (np.sign(table["margin"].to_numpy()) + 1))
        members = table["pair_id"].tolist()
    return np.stack(columns, axis=1), members


_INTERVAL = ("value", "ci_low", "ci_high", "n", "unit")


def dose_response(
    settings: StudySettings, folder: Path, *, n_boot: int = 1000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Question 2: τ-b of reward models by kind and share of noise; how fast it falls, tested.

    Returns:
        The curves: ``noise, share, value, ci_low, ci_high, n, unit``. And the answers: for each
        kind the change of τ-b for every 10 % of noisy pairs, the slope of a straight line through
        all shares, fitted for each training seed by itself; Holm's correction over the kinds.
    """
    draws: dict[str, Any] = {"n_boot": n_boot, "seed": settings.seed}
    shares = [0.0, *sorted(settings.shares)]
    line = np.linalg.pinv(np.stack([np.ones(len(shares)), np.array(shares) * 10], axis=1))[1]
    curves, rows = [], []
    for noise in PURE_NOISE:
        doses = []
        for share in shares:
            changes = {"noise": noise, "share": share} if share else {}
            cells = [clean_cell(settings, seed, **changes) for seed in settings.seeds]
            doses.append(chain_values(folder, cells))
            interval = mean_with_interval(doses[-1], "chains", **draws)
            curves.append({"noise": noise, "share": share} | interval)
        slope = np.tensordot(line, np.stack(doses), axes=1)
        name = noise.replace("_", " ")
        rows.append(answer(2, f"τ-b per 10 % of pairs with {name}", slope, "chains", **draws))
    return pd.DataFrame(curves)[["noise", "share", *_INTERVAL]], with_holm(rows)


def filter_effect(
    settings: StudySettings, folder: Path, *, n_boot: int = 1000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Question 3: clean, unfiltered and filtered pairs, equally many: τ-b, paired differences."""
    draws: dict[str, Any] = {"n_boot": n_boot, "seed": settings.seed}
    sloppy = {"noise": "sloppy", "share": settings.sloppy_share}
    changes = {"clean": {}, "unfiltered": sloppy, "filtered": sloppy | {"is_filtered": True}}
    tau = {
        name: chain_values(folder, [clean_cell(settings, s, **change) for s in settings.seeds])
        for name, change in changes.items()
    }
    means = pd.DataFrame(
        {"pairs": name} | mean_with_interval(x, "chains", **draws) for name, x in tau.items()
    )
    rows = [
        answer(3, f"τ-b of {a} minus {b}", tau[a] - tau[b], "chains", **draws)
        for a, b in (("filtered", "unfiltered"), ("clean", "filtered"))
    ]
    return means[["pairs", *_INTERVAL]], with_holm(rows)


def choice_effects(
    settings: StudySettings, folder: Path, *, n_boot: int = 1000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Question 4: τ-b of every combination of choices, and what each choice does on average.

    The effect of a choice is its mean over all combinations of the other choices: every cell is
    compared with the cell that differs in this choice alone. The authors' mismatch (trained on
    single requirements, given the whole prompt) uses the clean cell of every seed.

    Returns:
        The cells of the first seed: ``granularity, loss, pair_plan, n_pairs, value, ci_low,
        ci_high, n, unit``; intervals over chains. And the answers, with Holm's correction over all.
    """
    draws: dict[str, Any] = {"n_boot": n_boot, "seed": settings.seed}
    cells = [c for c in cells_by_question(settings)[4] if isinstance(c, RewardCell)]
    fields = ["granularity", "loss", "pair_plan", "n_pairs"]
    grid = pd.DataFrame(
        cell.model_dump(include=set(fields))
        | mean_with_interval(chain_values(folder, [cell]), "chains", **draws)
        for cell in cells
        if cell.seed == settings.seeds[0]
    )
    rows = []
    for field in fields:
        levels = list(dict.fromkeys(getattr(cell, field) for cell in cells))
        for a, b in _contrasts(field, levels, settings):
            others = {c: c.model_copy(update={field: b}) for c in cells if getattr(c, field) == a}
            pairs = {cell: other for cell, other in others.items() if other in cells}
            if pairs:
                change = chain_values(folder, [*pairs]) - chain_values(folder, [*pairs.values()])
                quantity = f"τ-b with {_in_words(field, a)} minus {_in_words(field, b)}"
                mean = change.mean(axis=1, keepdims=True)
                rows.append(answer(4, quantity, mean, "chains", **draws))
    clean = [clean_cell(settings, seed) for seed in settings.seeds]
    mismatch = chain_values(folder, clean, used=WHOLE_PROMPT) - chain_values(folder, clean)
    quantity = "τ-b of single-requirement models given the whole prompt minus used as trained"
    rows.append(answer(4, quantity, mismatch, "chains", **draws))
    return grid[[*fields, *_INTERVAL]], with_holm(rows)


def _contrasts(field: str, levels: Sequence[Any], settings: StudySettings) -> list[tuple[Any, Any]]:
    if field == "n_pairs":
        return [(settings.n_pairs, n) for n in levels if n != settings.n_pairs]
    reference = {"granularity": "requirement", "loss": "bradley_terry", "pair_plan": "both"}[field]
    return [(reference, other) for other in levels if other not in (reference, "neighbours")]


def _in_words(field: str, value: Any) -> str:
    if value == "prompt":
        return "the whole prompt"
    words = {"granularity": "one {} at a time", "n_pairs": "{:,} pairs", "pair_plan": "{} drops"}
    return words.get(field, "{}").format(value).replace("_", " ")


_HELD_OUT = {  # field of a cell: in words, and where the test pairs about it stand
    "hold_out_type": ("type {}", "pairs", "subset"),
    "hold_out_category": ("category {}", "pairs", "category"),
    "hold_out_values": ("{} sentences", "sentence count", "subset"),
}


def generalisation(settings: StudySettings, folder: Path, *, n_boot: int = 1000) -> pd.DataFrame:
    """Question 5: what a reward model loses on what it never saw, on the same test pairs.

    Returns:
        Answers: accuracy on the pairs about what was held out, minus that of the clean model of the
        same seed (a chance of ½ is the floor of both); and for IFEval's instructions, which no
        model saw, accuracy of the clean models minus ½. Holm's correction over all of them.
    """
    draws: dict[str, Any] = {"n_boot": n_boot, "seed": settings.seed}
    seeds = settings.seeds[: settings.n_generalisation_seeds]
    rows = []
    for changes in held_out(settings):
        ((field, value),) = changes.items()
        value = str(value[0] if isinstance(value, tuple) else value)
        name, kind, column = _HELD_OUT[field]
        about = {"kind": kind, column: value}
        arms = ([clean_cell(settings, seed, **c) for seed in seeds] for c in (changes, {}))
        unseen, seen = (pair_values(folder, cells, **about)[0] for cells in arms)
        quantity = f"pair accuracy with {name.format(value)} never seen minus seen"
        rows.append(answer(5, quantity, unseen - seen, "pairs", **draws))
    clean = [clean_cell(settings, seed) for seed in settings.seeds]
    for name in ("all", *IFEVAL):
        about = {"kind": "ifeval"} | ({"subset": name} if name != "all" else {})
        right, members = pair_values(folder, clean, **about)
        quantity = f"pair accuracy on IFEval, {name}, minus 0.5"
        rows.append(answer(5, quantity, right - 0.5, "queries", members=members, **draws))
    return with_holm(rows)

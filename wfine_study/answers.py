"""What the cells of the study say to the questions of notebook 06, as tidy tables with tests.

Every function reads the tables that finished cells have left (:mod:`wfine_study.run_cell`); nothing
is trained or scored here. An *answer* is a number with an interval, a p-value and an effect size,
and says what it is an average over:

* **training seeds**, where at least three of them were run: t-intervals and paired t-tests, so
  that a difference has to hold from one training run to the next;
* else **chains** (or pairs, or queries): bootstrap and random sign flips. Such an interval knows
  nothing of the luck of a single training run, and ``unit`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from wfine_study import exam_data
from wfine_study.cells import PURE_KINDS, RewardCell, StudySettings, clean_cell, questions
from wfine_utils.chains.taxonomy import RequirementType
from wfine_utils.weval.resampling import bootstrap_means, holm, paired_difference

MIN_SEEDS = 3
"""Fewer training seeds than this say nothing about their spread."""

TAU = "kendall_tau_b"

SEEDS, CHAINS, PAIRS, QUERIES, MODELS = (
    "training seeds", "chains", "pairs", "queries", "reward models",
)  # fmt: skip

COLUMNS = (
    "question", "quantity", "value", "ci_low", "ci_high", "p_value", "p_holm", "cohens_d", "n",
    "unit",
)  # fmt: skip

AS_TRAINED, WHOLE_PROMPT = "as trained", "whole prompt"

QUESTIONS = {
    1: "Is a drop a drop?",
    2: "How much dirt does WRL bear?",
    3: "Does the filter help?",
    4: "Which choice matters?",
    5: "Does it generalise?",
    6: "Does WEval predict what RL will do?",
    7: "What does a bias for length do?",
}

Matrix = NDArray[np.float64]


def answer(
    question: int, quantity: str, matrix: Matrix, unit: str, *, n_boot: int, seed: int
) -> dict[str, Any]:
    """The mean of a quantity, tested against 0.

    Args:
        question: its number.
        quantity: what it is, for a reader.
        matrix: shape [units, training seeds], differences or slopes.
        unit: what the rows are, named if they are what is averaged over.
        n_boot: bootstrap draws.
        seed: of the draws and of the sign flips.

    Returns:
        A row of :data:`COLUMNS`; ``p_holm`` is still to be filled in by :func:`with_holm`.
    """
    row: dict[str, Any] = {"question": question, "quantity": quantity}
    if matrix.shape[1] >= MIN_SEEDS:
        return row | _over_seeds(np.nanmean(matrix, axis=0)) | {"unit": SEEDS}
    values = np.nanmean(matrix, axis=1)
    found = paired_difference(values, np.zeros(len(values)), n_boot=n_boot, seed=seed)
    return row | {
        "value": found.difference, "ci_low": found.ci_low, "ci_high": found.ci_high,
        "p_value": found.p_value, "cohens_d": found.cohens_d, "n": found.n, "unit": unit,
    }  # fmt: skip


def with_holm(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Answers that belong to one family, with p-values corrected for its size by Holm's method."""
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(p_holm=holm(table["p_value"].to_numpy(dtype=float)))


def in_words(table: pd.DataFrame) -> list[str]:
    """One line of Markdown per question, written from its answers.

    Args:
        table: columns :data:`COLUMNS`, of any questions. Single instructions of IFEval are left to
            the table.
    """
    lines = []
    for question, part in table.groupby("question"):
        single = part["quantity"].str.contains("IFEval, ") & ~part["quantity"].str.contains(", all")
        said = "; ".join(_in_words(row) for row in part[~single].to_dict("records"))
        lines.append(f"{question}. **{QUESTIONS[int(str(question))]}** {said}.")
    return lines


def _in_words(row: dict[str, Any]) -> str:
    interval = (
        f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]" if row["ci_low"] == row["ci_low"] else ""
    )
    p = f", p {row['p_holm']:.2g}" if row["p_holm"] == row["p_holm"] else ""
    return f"{row['quantity']}: {row['value']:.3f}{interval} (n = {row['n']:,} {row['unit']}{p})"


def _over_seeds(values: NDArray[np.float64]) -> dict[str, Any]:
    spread = values.std(ddof=1)
    if spread < 1e-12:  # a t-test would divide by nothing
        mean = float(values.mean())
        return {"value": mean, "ci_low": mean, "ci_high": mean, "p_value": float(mean == 0),
                "cohens_d": 0.0 if mean == 0 else np.nan, "n": len(values)}  # fmt: skip
    test = stats.ttest_1samp(values, 0)
    low, high = test.confidence_interval(0.95)
    return {
        "value": float(values.mean()), "ci_low": float(low), "ci_high": float(high),
        "p_value": float(test.pvalue), "cohens_d": float(values.mean() / spread), "n": len(values),
    }  # fmt: skip


def chain_values(
    folder: Path, cells: Sequence[RewardCell], metric: str = TAU, used: str = AS_TRAINED
) -> Matrix:
    """A metric of every test chain under every cell: shape [chains, cells]."""
    columns = []
    for cell in cells:
        table = pd.read_parquet(folder / cell.slug / "per_chain.parquet")
        columns.append(table.loc[table["used"] == used].set_index("chain_id")[metric].sort_index())
    return np.stack([column.to_numpy(dtype=float) for column in columns], axis=1)


def mean_with_interval(matrix: Matrix, *, n_boot: int, seed: int) -> dict[str, Any]:
    """Mean of ``matrix`` [chains, training seeds] with its interval, as :func:`answer` chooses."""
    if matrix.shape[1] >= MIN_SEEDS:
        found = _over_seeds(matrix.mean(axis=0))
        return {k: found[k] for k in ("value", "ci_low", "ci_high", "n")} | {"unit": SEEDS}
    rows = np.nanmean(matrix, axis=1)[:, None]
    ones, rng = np.ones(len(rows), dtype=np.int64), np.random.default_rng(seed)
    mean, low, high, n = bootstrap_means(rows, ones, n_boot, 0.95, rng)
    found = {"value": mean[0], "ci_low": low[0], "ci_high": high[0], "n": int(n[0])}
    return found | {"unit": CHAINS}


# --- 2 how much dirt ------------------------------------------------------------------------


def dose_response(
    settings: StudySettings, folder: Path, *, n_boot: int = 1000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """τ-b of reward models by kind and share of dirt; how fast it falls, tested.

    Returns:
        The curves: ``dirt, share, value, ci_low, ci_high, n, unit``. And the answers: for each kind
        the change of τ-b for every 10 % of dirty pairs, the slope of a straight line through all
        shares, fitted for each training seed by itself; Holm's correction over the kinds.
    """
    how = {"n_boot": n_boot, "seed": settings.seed}
    shares = [0.0, *sorted(settings.shares)]
    line = np.linalg.pinv(np.stack([np.ones(len(shares)), np.array(shares) * 10], axis=1))[1]
    curves, rows = [], []
    for kind in PURE_KINDS:
        doses = []
        for share in shares:
            dirt = {"dirt": kind, "share": share} if share else {}
            cells = [clean_cell(settings, seed, **dirt) for seed in settings.seeds]
            doses.append(chain_values(folder, cells))
            curves.append({"dirt": kind, "share": share, **mean_with_interval(doses[-1], **how)})
        slope = np.tensordot(line, np.stack(doses), axes=1)
        name = kind.replace("_", " ")
        rows.append(answer(2, f"τ-b per 10 % of pairs with {name}", slope, CHAINS, **how))
    return pd.DataFrame(curves), with_holm(rows)


# --- 3 the filter ---------------------------------------------------------------------------


def filter_effect(
    settings: StudySettings, folder: Path, *, n_boot: int = 1000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clean, unvalidated and validated pairs, equally many: τ-b of each, paired differences."""
    how = {"n_boot": n_boot, "seed": settings.seed}
    sloppy = {"dirt": "sloppy", "share": settings.sloppy_share}
    arms = {
        name: chain_values(folder, [clean_cell(settings, s, **change) for s in settings.seeds])
        for name, change in (
            ("clean", {}), ("unvalidated", sloppy), ("validated", sloppy | {"filtered": True}),
        )
    }  # fmt: skip
    means = [{"pairs": name, **mean_with_interval(m, **how)} for name, m in arms.items()]
    rows = [
        answer(3, f"τ-b of {a} minus {b}", arms[a] - arms[b], CHAINS, **how)
        for a, b in (("validated", "unvalidated"), ("clean", "validated"))
    ]
    return pd.DataFrame(means), with_holm(rows)


# --- 4 choices ------------------------------------------------------------------------------


def choices(
    settings: StudySettings, folder: Path, *, n_boot: int = 1000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """τ-b of every combination of choices, and what each choice does on average.

    The effect of a choice is its mean over all combinations of the other choices: every cell is
    compared with the cell that differs in this choice alone. The authors' mismatch (trained on
    single requirements, given the whole prompt) uses the clean cell of every seed.

    Returns:
        The cells: ``granularity, loss, source, n_pairs, value, ci_low, ci_high, n``; intervals over
        chains. And the answers, with Holm's correction over all of them.
    """
    how = {"n_boot": n_boot, "seed": settings.seed}
    cells = [c for c in questions(settings)[4] if isinstance(c, RewardCell)]
    names = ["granularity", "loss", "source", "n_pairs"]
    table = []
    for keys, part in _grouped(cells, lambda c: tuple(getattr(c, name) for name in names)):
        found = mean_with_interval(chain_values(folder, part)[:, :1], **how)
        table.append(dict(zip(names, keys, strict=True)) | found)
    rows = []
    for field in names:
        levels = list(dict.fromkeys(getattr(cell, field) for cell in cells))
        for a, b in _contrasts(field, levels, settings):
            pairs = [
                (cell, other)
                for cell in cells
                if getattr(cell, field) == a
                and (other := cell.model_copy(update={field: b})) in cells
            ]
            if not pairs:
                continue
            left, right = (chain_values(folder, side) for side in zip(*pairs, strict=True))
            each = (left - right).mean(axis=1, keepdims=True)
            what = f"τ-b with {_named(field, a)} minus {_named(field, b)}"
            rows.append(answer(4, what, each, CHAINS, **how))
    clean = [clean_cell(settings, seed) for seed in settings.seeds]
    mismatch = chain_values(folder, clean, used=WHOLE_PROMPT) - chain_values(folder, clean)
    what = "τ-b of single-requirement models given the whole prompt minus used as trained"
    rows.append(answer(4, what, mismatch, CHAINS, **how))
    return pd.DataFrame(table), with_holm(rows)


def _contrasts(field: str, levels: Sequence[Any], settings: StudySettings) -> list[tuple[Any, Any]]:
    if field == "n_pairs":
        return [(settings.n_pairs, n) for n in levels if n != settings.n_pairs]
    reference = {"granularity": "requirement", "loss": "bradley_terry", "source": "both"}[field]
    return [(reference, other) for other in levels if other not in (reference, "neighbours")]


def _named(field: str, value: Any) -> str:
    words = {"granularity": "one {} at a time", "n_pairs": "{:,} pairs", "source": "{} drops"}
    if (field, value) == ("granularity", "prompt"):
        return "the whole prompt"
    return words.get(field, "{}").format(value).replace("_", " ")


def _grouped(cells: Iterable[RewardCell], key: Callable[[RewardCell], tuple]):
    groups: dict[tuple, list[RewardCell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return groups.items()


# --- 5 generalisation -----------------------------------------------------------------------


def generalisation(settings: StudySettings, folder: Path, *, n_boot: int = 1000) -> pd.DataFrame:
    """What a reward model loses on what it never saw, on the same test pairs.

    Returns:
        Answers: accuracy on the pairs about what was held out, minus that of the clean model of the
        same seed (a chance of ½ is the floor of both); and for IFEval's instructions, which
        no model saw, accuracy of the clean models minus ½. Holm's correction over all of them.
    """
    how = {"n_boot": n_boot, "seed": settings.seed}
    seeds = settings.seeds[: settings.n_generalisation_seeds]
    changes: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        *((f"type {t}", {"hold_out_type": t}, {"kind": "pairs", "subset": str(t)})
          for t in list(RequirementType)[: settings.n_types_out]),
        *((f"category {c}", {"hold_out_category": c}, {"kind": "pairs", "category": str(c)})
          for c in _categories(settings)),
        *((f"{v} sentences", {"hold_out_values": (v,)},
           {"kind": "sentence count", "subset": str(v)}) for v in settings.values_out),
    ]  # fmt: skip
    rows = []
    for name, held_out, about in changes:
        seen, unseen = (
            pair_values(folder, [clean_cell(settings, seed, **c) for seed in seeds], **about)
            for c in ({}, held_out)
        )
        what = f"pair accuracy with {name} never seen minus seen"
        rows.append(answer(5, what, unseen - seen, PAIRS, **how))
    clean = [clean_cell(settings, seed) for seed in settings.seeds]
    for name in ("all", *exam_data.IFEVAL):
        about = {"kind": "ifeval"} | ({"subset": name} if name != "all" else {})
        above = pair_values(folder, clean, **about) - 0.5
        rows.append(answer(5, f"pair accuracy on IFEval, {name}, minus 0.5", above, PAIRS, **how))
    return with_holm(rows)


def pair_values(folder: Path, cells: Sequence[RewardCell], **about: str) -> Matrix:
    """1, ½ or 0 for every test pair in the right order, tied or wrong: shape [pairs, cells].

    Args:
        folder: of the cells.
        cells: with one granularity, so that the pairs are the same.
        **about: columns of ``pairs.parquet`` and the values they must have.
    """
    columns = []
    for cell in cells:
        table = pd.read_parquet(folder / cell.slug / "pairs.parquet")
        for column, value in about.items():
            table = table[table[column] == value]
        columns.append(0.5 * (np.sign(table["margin"].to_numpy()) + 1))
    return np.stack(columns, axis=1)


def _categories(settings: StudySettings) -> list[Any]:
    cells = questions(settings).get(5, [])
    return list(dict.fromkeys(c.hold_out_category for c in cells if c.hold_out_category))

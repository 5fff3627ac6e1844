"""Scorers and people: how far a scorer agrees with readers, and readers with one another.

Two golds can be made of what several readers say of one chain. The *consensus* of all of them is
the steadier one, and nobody can be held against it fairly who is part of it. So beside it stands
*all but one reader*: each reader is left out once, the rest are the gold, and the one who was left
out is a scorer among others, called :data:`ANOTHER_READER`. That one is the ceiling: a model that
agrees with people as far as people do with each other can hardly be asked for more.

Every number is a mean over chains of a number of the chain; intervals are over chains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.annotation.agreement import annotator_agreement
from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.agreement import kendall_w
from wfine_utils.weval.evaluation import per_chain
from wfine_utils.weval.resampling import Bootstrap, FloatArray, holm, paired_difference
from wfine_utils.weval.scorers import Scores, checked_scores

READER_METRICS = ("kendall_tau_b", "spearman_rho", "pairwise_accuracy", "tie_rate", "nan_rate")
"""What is told of a scorer; ``weval.evaluate`` defines them."""

CONSENSUS, ALL_BUT_ONE, ANOTHER_READER = "consensus", "all but one reader", "another reader"

AGREEMENT_METRICS = ("kendall_w", "krippendorff_alpha", "fleiss_kappa", "kendall_tau_b",
                     "share_equal", "unanimous")  # fmt: skip
"""What is told of the readers; see :func:`reader_agreement`."""


@dataclass(frozen=True)
class _Held:
    """A chain with one of its golds, and the grades of the reader who was left out of it."""

    number: int  # of the chain
    gold: str
    chain: Chain
    left_out: FloatArray | None = None  # [responses]


def evaluate_against_readers(
    chains: Sequence[Chain],
    scores: Mapping[str, Scores],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """How far scorers agree with readers: with all, with all but one, and with each.

    =====================  =================================================================
    consensus              all readers of the chain together (:meth:`Gold.numbers`)
    all but one reader     each reader is left out once: the scorer against the consensus of the
                           others, on the responses that the one left out has graded; the mean
                           over readers, then over chains
    the name of a reader   this reader alone, on the chains in which they graded two responses
    =====================  =================================================================

    Against *all but one reader* there are rows of one scorer more, :data:`ANOTHER_READER`: the
    reader who was left out. A chain whose gold ties all responses has no rank correlation and is
    not counted in its ``n_chains``.

    Args:
        chains: those without ``judged.grades`` are passed over.
        scores: by the name of the scorer, float [chains][responses of the chain]; NaN where a
            response could not be scored, which raises ``nan_rate``.
        n_boot, seed, confidence: as in :class:`Bootstrap`, of the draws over chains.

    Returns:
        One row per scorer, gold and entry of :data:`READER_METRICS`: ``scorer, gold, metric,
        value, ci_low, ci_high, n_chains``.

    Raises:
        WfineError: nobody has graded, a reader or a scorer has a name that is taken, or scores
            that ``scorers.checked_scores`` refuses.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    held = _held(chains)
    parts = []
    for name, arrays in _checked(scores, chains).items():
        values = _metrics(held, [arrays[h.number] for h in held])
        parts.append(_means(name, held, values, boot))
    rest = [h for h in held if h.left_out is not None]
    if rest:
        values = _metrics(rest, [h.left_out for h in rest])
        parts.append(_means(ANOTHER_READER, rest, values, boot))
    if not parts:
        raise WfineError(
            "evaluate_against_readers: found no scores and no chain with two readers, expected one "
            "of the two. Give the scores of a scorer by its name."
        )
    return pd.concat(parts, ignore_index=True)


def compare_with_another_reader(
    chains: Sequence[Chain],
    scores: Mapping[str, Scores],
    *,
    metrics: Sequence[str] = READER_METRICS[:3],
    n_boot: int = 1000,
    n_permutations: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Paired difference of every scorer and another reader, both against all readers but one.

    In each chain the two are compared for the same readers left out, those for whom both have the
    metric; the mean over these is the chain's value.

    Args:
        chains, scores: as for :func:`evaluate_against_readers`.
        metrics: some of :data:`READER_METRICS`.
        n_boot, n_permutations, seed, confidence: as in ``resampling.paired_difference``.

    Returns:
        One row per scorer and metric: ``scorer, metric, value`` (of the scorer),
        ``another_reader, difference`` (scorer less reader), ``ci_low, ci_high, p_value`` (by sign
        flips), ``p_holm`` (corrected for the number of scorers), ``cohens_d, sd`` (of the
        differences), ``n_chains``.

    Raises:
        WfineError: as :func:`evaluate_against_readers`; no chain with two readers; an unknown
            metric.
    """
    if unknown := sorted(set(metrics) - set(READER_METRICS)):
        raise WfineError(
            f"compare_with_another_reader: found the metrics {unknown}, expected some of "
            f"{list(READER_METRICS)}."
        )
    held = [h for h in _held(chains) if h.left_out is not None]
    if not held:
        raise WfineError(
            "compare_with_another_reader: found no chain of which two readers have graded the same "
            "two responses, expected one at least. Give chains with several readers."
        )
    numbers = [h.number for h in held]
    reader = _metrics(held, [h.left_out for h in held])
    rows = []
    for name, arrays in _checked(scores, chains).items():
        scorer = _metrics(held, [arrays[h.number] for h in held])
        for metric in metrics:
            both = pd.DataFrame({"scorer": scorer[metric], "reader": reader[metric]}).dropna()
            of_chain = both.groupby(np.array(numbers)[both.index]).mean()
            spread = float((of_chain["scorer"] - of_chain["reader"]).std(ddof=1))
            row = paired_difference(
                of_chain["scorer"], of_chain["reader"], n_boot=n_boot,
                n_permutations=n_permutations, seed=seed, confidence=confidence,
            )  # fmt: skip
            rows.append({"scorer": name, "metric": metric, "sd": spread, **row._asdict()})
    table = pd.DataFrame(rows)
    table["p_holm"] = table.groupby("metric")["p_value"].transform(holm)
    names = {"value_a": "value", "value_b": "another_reader", "n": "n_chains"}
    columns = """scorer metric value another_reader difference ci_low ci_high p_value p_holm
                 cohens_d sd n_chains"""
    return table.rename(columns=names)[columns.split()]


def reader_agreement(
    chains: Sequence[Chain], *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> pd.DataFrame:
    """How far readers agree with one another on the order of the responses.

    ==================  ====================================================================
    kendall_w           concordance of all readers of a chain (``weval.agreement.kendall_w``)
    krippendorff_alpha  ordinal, of the ranks; as ``annotator_agreement`` defines it
    fleiss_kappa        of the verdicts on pairs of responses; as defined there
    kendall_tau_b       tau-b of two readers, mean over the pairs of readers of a chain; 0 if one
                        of them finds all equal, left out if both do
    share_equal         of two readers and two responses: how often both readers say the same,
                        "equally good" being one of three things to say
    unanimous           share of the pairs of responses of which all readers say the same
    ==================  ====================================================================

    W, alpha and kappa need readings of whole chains. A reader who graded a part of a chain is left
    out of these three there, and is counted and named; the others use what two readers share.

    Args:
        chains: those without ``judged.grades`` are passed over.
        n_boot, seed, confidence: as in :class:`Bootstrap`.

    Returns:
        One row per entry of :data:`AGREEMENT_METRICS`: ``metric, value, ci_low, ci_high, chance,
        n_chains, n_items, n_readers, n_incomplete, incomplete``. ``chance`` is what readers of the
        same habits give who do not look: each keeps the ties that they give in a chain and deals
        the ranks out at random. Items are responses (W, alpha), pairs of responses (kappa,
        unanimous), pairs of readers (tau-b), or both (share_equal). ``n_incomplete`` is how many
        readings were left out because the reader graded a part of the chain; ``incomplete`` names
        these readers. A metric that no chain allows is NaN, with ``n_chains`` 0.

    Raises:
        WfineError: no chain of which two readers have graded the same two responses.
    """
    tables = {c.chain_id: dict(c.judged.grades) for c in chains if c.judged and c.judged.grades}
    shared = [row for grades in tables.values() if (row := _shared_verdicts(grades))]
    if not shared:
        raise WfineError(
            "reader_agreement: found no chain of which two readers have graded the same two "
            "responses, expected one at least. Give chains with several readers."
        )
    boot = Bootstrap(n_boot, seed, confidence)
    whole, incomplete = _whole_readings(tables)
    rows = {}
    orders = [-np.array([*grades.values()], dtype=float) for grades in whole.values()]
    chance = [1 / len(ranks) for ranks in orders]
    rows["kendall_w"] = _mean_row(boot, [kendall_w(r) for r in orders], chance,
                                  [r.shape[1] for r in orders], "kendall_w")  # fmt: skip
    for name in ("krippendorff_alpha", "fleiss_kappa"):
        rows[name] = {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan, "n_chains": 0,
                      "n_items": 0, "chance": 0.0}  # fmt: skip
    if whole:
        known = annotator_agreement(
            _as_annotations(whole), n_boot=n_boot, seed=seed, confidence=confidence
        ).set_index("metric")
        for name in ("krippendorff_alpha", "fleiss_kappa"):
            rows[name] |= known.loc[name, ["value", "ci_low", "ci_high", "n_chains", "n_items"]]
    for name in ("kendall_tau_b", "share_equal", "unanimous"):
        values, by_chance, n_items = zip(*(row[name] for row in shared), strict=True)
        rows[name] = _mean_row(boot, values, by_chance, n_items, name)
    table = pd.DataFrame([{"metric": name, **rows[name]} for name in AGREEMENT_METRICS])
    in_part = table["metric"].isin(AGREEMENT_METRICS[:3])
    table["n_readers"] = len({name for grades in tables.values() for name in grades})
    table["n_incomplete"] = np.where(in_part, len(incomplete), 0)
    table["incomplete"] = np.where(in_part, ", ".join(sorted(set(incomplete))), "")
    columns = """metric value ci_low ci_high chance n_chains n_items n_readers n_incomplete
                 incomplete"""
    return table[columns.split()].astype({"n_chains": int, "n_items": int})


def _held(chains: Sequence[Chain]) -> list[_Held]:
    """Every chain with every gold that its readers give."""
    held = [h for k, chain in enumerate(chains) for h in _golds(k, chain)]
    if not held:
        raise WfineError(
            f"readers: found no grades of a reader in the {len(chains)} chains, expected some. "
            "Give chains that people have graded (judged.grades)."
        )
    names = {name for h in held for name in (h.chain.judged.grades if h.chain.judged else ())}
    if taken := sorted(names & {CONSENSUS, ALL_BUT_ONE}):
        raise WfineError(
            f"readers: found a reader called {taken[0]!r}, which is the name of a gold; expected "
            "another. Rename the reader."
        )
    return held


def _golds(number: int, chain: Chain) -> Iterator[_Held]:
    judged, n = chain.judged, len(chain.responses)
    if judged is None or not judged.grades:
        return
    yield _Held(number, CONSENSUS, chain)
    for name in sorted(judged.grades):
        own = np.array(judged.grades[name], dtype=float)
        graded = ~np.isnan(own)
        if graded.sum() < 2:
            continue  # no order
        yield _Held(number, name, replace(chain, judged=judged.of(name)))
        if len(judged.grades) > 1:
            others = judged.without(name).numbers(n)
            shared = graded & ~np.isnan(others)
            if shared.sum() > 1:
                marks = [float(x) if s else None for x, s in zip(others, shared, strict=True)]
                gold = Gold({"the others": tuple(marks)})
                yield _Held(number, ALL_BUT_ONE, replace(chain, judged=gold), own)


def _checked(scores: Mapping[str, Scores], chains: Sequence[Chain]) -> dict[str, Scores]:
    if ANOTHER_READER in scores:
        raise WfineError(
            f"readers: found a scorer called {ANOTHER_READER!r}, the name of the readers in the "
            "table; expected another. Rename the scorer."
        )
    return {name: checked_scores(f"scorer {name!r}", x, chains) for name, x in scores.items()}


def _metrics(held: Sequence[_Held], arrays: Sequence) -> pd.DataFrame:
    """:data:`READER_METRICS` of every chain and gold, in their order."""
    table = per_chain([h.chain for h in held], arrays)
    return table[list(READER_METRICS)].reset_index(drop=True)


def _means(
    scorer: str, held: Sequence[_Held], values: pd.DataFrame, boot: Bootstrap
) -> pd.DataFrame:
    golds, numbers = np.array([h.gold for h in held]), np.array([h.number for h in held])
    parts = []
    for gold in sorted(set(golds), key=lambda x: (x != CONSENSUS, x != ALL_BUT_ONE, x)):
        members = golds == gold
        of_chain = values[members].groupby(numbers[members]).mean()  # of the readers left out
        mean, low, high, n = boot.means(of_chain.to_numpy(), "readers", gold)
        part = {"scorer": scorer, "gold": gold, "metric": READER_METRICS, "value": mean,
                "ci_low": low, "ci_high": high, "n_chains": n}  # fmt: skip
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _mean_row(
    boot: Bootstrap, values: Sequence, chance: Sequence, n_items: Sequence, name: str
) -> dict[str, float]:
    """The mean over chains that have a value, and over the same chains what chance gives."""
    flat, known = np.array(values, dtype=float), ~np.isnan(np.array(values, dtype=float))
    row = {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan, "n_chains": 0, "n_items": 0}
    row["chance"] = np.nan
    if known.any():
        mean, low, high, n = (x.item() for x in boot.means(flat, "readers", name))
        row = {"value": mean, "ci_low": low, "ci_high": high, "n_chains": n,
               "n_items": int(np.array(n_items)[known].sum()),
               "chance": float(np.array(chance, dtype=float)[known].mean())}  # fmt: skip
    return row


def _whole_readings(
    tables: Mapping[str, Mapping[str, Sequence]],
) -> tuple[dict[str, dict[str, Sequence]], list[str]]:
    """Readings of whole chains, where two readers have one; and the readers of parts, by name."""
    whole, incomplete = {}, []
    for chain_id, grades in tables.items():
        of_chain = {name: row for name, row in grades.items() if None not in row}
        incomplete += sorted(grades.keys() - of_chain.keys())
        if len(of_chain) > 1:
            whole[chain_id] = of_chain
    return whole, incomplete


def _as_annotations(readings: Mapping[str, Mapping[str, Sequence]]) -> pd.DataFrame:
    rows = [
        (name, chain_id, i, -float(grade))
        for chain_id, grades in readings.items()
        for name, row in grades.items()
        for i, grade in enumerate(row)
    ]
    return pd.DataFrame(rows, columns=list(ANNOTATION_COLUMNS))


def _shared_verdicts(grades: Mapping[str, Sequence]) -> dict[str, tuple[float, float, int]]:
    """Value, what chance gives, and number of items of the metrics that use what readers share."""
    table = np.array([grades[name] for name in sorted(grades)], dtype=float)
    i, j = np.triu_indices(table.shape[1], 1)
    signs = np.sign(table[:, i] - table[:, j])  # [readers, pairs], NaN where one is not graded
    known = ~np.isnan(signs)
    signs, known = signs[known.any(axis=1)], known[known.any(axis=1)]
    used = known.sum(axis=0) > 1
    if not used.any():
        return {}
    ties = np.array([np.mean(row[k] == 0) for row, k in zip(signs, known, strict=True)])
    taus, equal, by_chance = [], [], []
    for a, b in combinations(range(len(signs)), 2):
        both = known[a] & known[b]
        equal += (signs[a] == signs[b])[both].tolist()
        by_chance += [_all_equal_by_chance(ties[[a, b]])] * int(both.sum())
        x, y = signs[a][both], signs[b][both]
        if x.any() or y.any():
            taus.append(x @ y / np.sqrt(max(x @ x, 1) * max(y @ y, 1)))
    alike, dealt = [], []
    for pair in np.flatnonzero(used):
        said = signs[known[:, pair], pair]
        alike.append(bool((said == said[0]).all()))
        dealt.append(_all_equal_by_chance(ties[known[:, pair]]))
    return {
        "kendall_tau_b": (float(np.mean(taus)) if taus else np.nan, 0.0, len(taus)),
        "share_equal": (float(np.mean(equal)), float(np.mean(by_chance)), len(equal)),
        "unanimous": (float(np.mean(alike)), float(np.mean(dealt)), len(alike)),
    }


def _all_equal_by_chance(ties: NDArray[np.float64]) -> float:
    """How often readers say the same of a pair who tie these shares and else toss a coin."""
    return float(np.prod(ties) + 2 * np.prod((1 - ties) / 2))

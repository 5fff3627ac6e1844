"""Scorers and people: how far a scorer agrees with readers, and another reader does.

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

import numpy as np
import pandas as pd

from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.evaluation import per_chain
from wfine_utils.weval.resampling import Bootstrap, FloatArray, holm, paired_difference
from wfine_utils.weval.scorers import Scores, checked_scores

READER_METRICS = ("kendall_tau_b", "spearman_rho", "pairwise_accuracy", "tie_rate", "nan_rate")
"""What is told of a scorer; ``weval.evaluate`` defines them."""

CONSENSUS, ALL_BUT_ONE, ANOTHER_READER = "consensus", "all but one reader", "another reader"


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

"""How far readers agree with one another on the order of the responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.annotation.agreement import annotator_agreement
from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.agreement import kendall_w
from wfine_utils.weval.resampling import Bootstrap

AGREEMENT_METRICS = ("kendall_w", "krippendorff_alpha", "fleiss_kappa", "kendall_tau_b",
                     "share_equal", "unanimous")  # fmt: skip
"""What is told of the readers; see :func:`reader_agreement`."""


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

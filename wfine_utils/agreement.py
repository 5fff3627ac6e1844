"""Agreement: of people who rank responses, of people with the gold ranking, of judges.

The annotation file is a CSV, UTF-8, separated by commas, one record per line::

    annotator,chain_id,response,rank
    A,hand-01,0,1
    A,hand-01,1,2.5
    A,hand-01,2,2.5

``response`` is the place of the response in its chain, from 0, as in all our tables; ``rank`` is
a number from 1 (best) upwards. Responses that an annotator finds equal get equal ranks: 1, 2, 2,
4 and 1, 2, 2, 3 and 1, 2.5, 2.5, 4 all say the same, because only the order within one
annotator and chain is used. Who ranks a chain ranks all its responses.

No annotations are shipped. What can be shown without people is how far the construction of a
chain, the checkers and model judges agree: see :func:`verdict_agreement`.

Intervals are bootstrap percentiles over chains, because what is said of two responses to one
query is not independent. The order of the rows and the names of annotators do not matter.
"""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_kappa

from wfine_utils.audit import audit
from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write
from wfine_utils.readers import Problems, read_lines, short
from wfine_utils.resampling import FloatArray
from wfine_utils.scorers import scores_from_table
from wfine_utils.taxonomy import Chain
from wfine_utils.weval import evaluate

ANNOTATION_COLUMNS = ("annotator", "chain_id", "response", "rank")
VERDICT_COLUMNS = ("judge", "chain_id", "response", "requirement", "verdict")
AGREEMENT_METRICS = ("krippendorff_alpha", "fleiss_kappa", "kendall_tau_b")
VERDICT_METRICS = (*AGREEMENT_METRICS, "share_equal")
GOLD_METRICS = ("kendall_tau_b", "pairwise_accuracy", "exact_match", "tie_rate")
MEAN_RANK = "mean rank of all"
CONSTRUCTION, CHECKERS = "construction", "checkers"

_WHOLE = re.compile(r"[0-9]{1,6}")
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")  # not float(), which takes 1_0 and nan
_Statistic = Callable[[FloatArray], Sequence[float]]


def load_annotations(path: str | Path, chains: Sequence[Chain] | None = None) -> pd.DataFrame:
    """Read an annotation file, in the layout at the top of this module.

    Args:
        path: the CSV file.
        chains: the chains that were ranked; with them ids and places are checked too.

    Returns:
        Columns :data:`ANNOTATION_COLUMNS` (text, text, int, float), rows as in the file.

    Raises:
        WfineError: anything is wrong with the file. Up to 20 problems at once, each as
            ``file:line: field: what was found, what was expected``; nothing is half-loaded.
    """
    path = Path(path)
    problems = Problems(path, "", "annotations")
    lines = iter(read_lines(path, "annotations").items())
    number, text = next(lines)
    header = _fields(text, number, problems)
    if sorted(header or ()) != sorted(ANNOTATION_COLUMNS):
        problems.add(
            number, "header",
            f"found {short(text.strip())}, expected the columns "
            f"{','.join(ANNOTATION_COLUMNS)}, each once, separated by commas",
        )  # fmt: skip
        problems.raise_if_any()
    records: dict[int, tuple[str, str, int, float]] = {}
    for number, text in lines:
        record = _record(header, text, number, problems)
        if record is not None:
            records[number] = record
    if not records and not problems.lines:
        problems.add(number, "whole file", "found a header only, expected at least one record")
    _check_together(records, chains, problems)
    problems.raise_if_any()
    return pd.DataFrame(list(records.values()), columns=list(ANNOTATION_COLUMNS))


def save_annotations(table: pd.DataFrame, path: str | Path) -> Path:
    """Write an annotation file; :func:`load_annotations` reads it back.

    Args:
        table: has the columns :data:`ANNOTATION_COLUMNS`; others are left out.
        path: written whole or not at all.

    Raises:
        WfineError: a column is missing, or the file cannot be written.
    """
    _check_columns(table, ANNOTATION_COLUMNS, "save_annotations")
    part = table[list(ANNOTATION_COLUMNS)]
    return atomic_write(path, lambda p: part.to_csv(p, index=False, lineterminator="\n"))


def _fields(text: str, number: int, problems: Problems) -> list[str] | None:
    try:
        (fields,) = csv.reader([text.rstrip("\r\n")], strict=True)
    except (csv.Error, ValueError) as error:
        problems.add(
            number, "whole record", f"found {short(text)}, expected one CSV record ({error})"
        )
        return None
    return [field.strip() for field in fields]


def _record(
    header: Sequence[str], text: str, number: int, problems: Problems
) -> tuple[str, str, int, float] | None:
    """One line as a record, or None and its problems noted."""
    fields = _fields(text, number, problems)
    if fields is None:
        return None
    if len(fields) != len(header):
        problems.add(number, "whole record", f"found {len(fields)} fields, expected {len(header)}")
        return None
    record = dict(zip(header, fields, strict=True))
    n_before = len(problems.lines)
    for name in ("annotator", "chain_id"):
        if not record[name]:
            problems.add(number, name, "found nothing, expected a name")
    if not _WHOLE.fullmatch(record["response"]):
        problems.add(number, "response", f"found {short(record['response'])}, expected the place "
                     "of the response in its chain: 0, 1, …")  # fmt: skip
    if not _NUMBER.fullmatch(record["rank"]) or float(record["rank"]) < 1:
        problems.add(number, "rank", f"found {short(record['rank'])}, expected a number of at "
                     "least 1, where 1 is best")  # fmt: skip
    if len(problems.lines) > n_before:
        return None
    return record["annotator"], record["chain_id"], int(record["response"]), float(record["rank"])


def _check_together(
    records: Mapping[int, tuple[str, str, int, float]],
    chains: Sequence[Chain] | None,
    problems: Problems,
) -> None:
    """Note records that do not go together: repeated, of no chain, or of a chain half ranked."""
    places = None if chains is None else {c.chain_id: set(range(len(c.responses))) for c in chains}
    ranked: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)  # response: line
    seen: defaultdict[str, set[int]] = defaultdict(set)
    complete = not problems.lines  # else the records that could not be read would be missed here
    for number, (annotator, chain_id, response, _) in records.items():
        first = ranked[annotator, chain_id].setdefault(response, number)
        seen[chain_id].add(response)
        if first != number:
            problems.add(number, "response", f"found response {response} of chain "
                         f"{short(chain_id)} by annotator {short(annotator)} again, first at line "
                         f"{first}, expected it once")  # fmt: skip
        if places is not None and chain_id not in places:
            problems.add(number, "chain_id", f"found {short(chain_id)}, expected the id of one of "
                         f"the {len(places)} chains given")  # fmt: skip
        elif places is not None and response not in places[chain_id]:
            problems.add(number, "response", f"found {response}, expected 0 to "
                         f"{len(places[chain_id]) - 1} in chain {short(chain_id)}")  # fmt: skip
    for (annotator, chain_id), found in ranked.items() if complete else ():
        expected = (places or seen).get(chain_id, set())
        if len(expected) < 2 and places is None:
            problems.add(min(found.values()), "response", f"found one response of chain "
                         f"{short(chain_id)}, expected two at least to rank")  # fmt: skip
        elif missing := sorted(expected - set(found)):
            problems.add(min(found.values()), "response", f"found {len(found)} responses of chain "
                         f"{short(chain_id)} by annotator {short(annotator)}, expected also "
                         f"{', '.join(map(str, missing[:5]))}")  # fmt: skip


def agreement(
    table: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> pd.DataFrame:
    """How far annotators agree on the order of the responses.

    ==================  ====================================================================
    krippendorff_alpha  ordinal alpha of the ranks; a unit is a response
    fleiss_kappa        kappa of preferences; a unit is a pair of responses of one chain, a
                        verdict is "first", "tie" or "second". Which of two responses is called
                        the first means nothing, so each pair is counted in both orders
    kendall_tau_b       tau-b of two annotators on one chain, mean over pairs of annotators,
                        then over chains; 0 if one of them ranks all equal, left out if both do
    ==================  ====================================================================

    1 is full agreement, 0 what chance gives. Fleiss' kappa is defined for equally many
    verdicts per unit: it uses the chains with the most frequent number of annotators (the
    larger one where two are equally frequent). Chains with one annotator are left out of all.

    Args:
        table: columns :data:`ANNOTATION_COLUMNS`, as :func:`load_annotations` returns.
        n_boot: bootstrap draws over chains; 0 leaves the intervals NaN.
        seed: seed of the draws.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        One row per metric: ``metric, value, ci_low, ci_high, n_chains, n_items, n_annotators``;
        items are responses, pairs of responses, and pairs of annotators on a chain. NaN where
        a metric is undefined: alpha and kappa if there is only one value.

    Raises:
        WfineError: a column is missing, a rank is no finite number, an annotator ranks a
            response twice, or no chain has two annotators.

    Source: krippendorff 0.9 ``alpha``, statsmodels 0.15 ``fleiss_kappa``.
    """
    ranks = _ranks(table, "agreement").groupby(level="chain_id").rank(method="average")
    by_chain = [part.dropna(axis=1).to_numpy() for _, part in ranks.groupby(level="chain_id")]
    by_chain = [part for part in by_chain if part.shape[1] > 1]
    if not by_chain:
        raise WfineError(
            "agreement: found no chain that two annotators have ranked; expected at least one. "
            "Join the files of several annotators with pd.concat."
        )
    domain = np.unique(np.concatenate([part.ravel() for part in by_chain]))
    usual = _most_frequent([part.shape[1] for part in by_chain])
    signs = [_signs(part) for part in by_chain]
    counts = [_counts(part, domain) for part in by_chain]
    sides = [_counts(s, np.array([-1.0, 0.0, 1.0])) for s in signs if s.shape[1] == usual]
    taus = [_taus(s) for s in signs]
    taus = [known for t in taus if len(known := t[~np.isnan(t)])]
    found: tuple[tuple[str, list[FloatArray], _Statistic], ...] = (
        ("krippendorff_alpha", counts, lambda rows: [_alpha(rows, "ordinal")]),
        ("fleiss_kappa", sides, lambda rows: [_kappa(np.vstack([rows, rows[:, ::-1]]))]),
        # [chains, 1]: every chain weighs the same, however many annotators it has
        ("kendall_tau_b", [t.mean(keepdims=True) for t in taus], lambda rows: [rows.mean()]),
    )
    n_items = (sum(map(len, counts)), sum(map(len, sides)), sum(map(len, taus)))
    rows = []
    for (metric, parts, statistic), n in zip(found, n_items, strict=True):
        (interval,) = _bootstrap(parts, statistic, 1, n_boot, seed, confidence)
        rows.append((metric, *interval, len(parts), n, ranks.shape[1]))
    names = ["metric", "value", "ci_low", "ci_high", "n_chains", "n_items", "n_annotators"]
    return pd.DataFrame(rows, columns=names)


def agreement_with_gold(
    table: pd.DataFrame,
    chains: Sequence[Chain],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """How far each annotator agrees with the number of requirements kept.

    Args:
        table: columns :data:`ANNOTATION_COLUMNS`, as :func:`load_annotations` returns.
        chains: the chains that were ranked; chains that an annotator has not ranked are left
            out for that annotator.
        n_boot: bootstrap draws over chains; 0 leaves the intervals NaN.
        seed: seed of the draws.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        One row per annotator and entry of :data:`GOLD_METRICS`, as ``weval.evaluate`` defines
        them: ``annotator, metric, value, ci_low, ci_high, n_chains``. The last annotator,
        :data:`MEAN_RANK`, is the mean of the ranks of all who ranked a chain.

    Raises:
        WfineError: as :func:`agreement`; or a chain or response that ``chains`` lacks.
    """
    wide = _ranks(table, "agreement_with_gold")
    sizes = {chain.chain_id: len(chain.responses) for chain in chains}
    for chain_id, response in wide.index:
        if response >= sizes.get(chain_id, 0):
            raise WfineError(
                f"agreement_with_gold: found response {response} of chain {chain_id!r} in the "
                f"annotations, expected one of the {len(chains)} chains given and a place in it "
                "from 0. Give the chains that were ranked."
            )
    ranks = wide.groupby(level="chain_id").rank(method="average")
    ranks[MEAN_RANK] = ranks.mean(axis=1)
    long = (-ranks).stack().rename("score").rename_axis([*wide.index.names, "scorer"]).reset_index()
    scores = scores_from_table(long, chains)
    parts = []
    for name in ranks.columns:
        # not by NaN: a chain that was not ranked must not be drawn by the bootstrap either
        ranked = [i for i, given in enumerate(scores[name]) if not np.isnan(given).any()]
        frame = evaluate(
            [chains[i] for i in ranked],
            [scores[name][i] for i in ranked],
            n_boot=n_boot,
            seed=seed,
            confidence=confidence,
        )
        frame = frame[(frame["subset_kind"] == "all") & frame["metric"].isin(GOLD_METRICS)]
        parts.append(frame.drop(columns=["subset_kind", "subset"]).assign(annotator=name))
    table = pd.concat(parts, ignore_index=True)
    return table[["annotator", *table.columns.drop("annotator")]]


def chain_verdicts(chains: Sequence[Chain]) -> pd.DataFrame:
    """What construction and checkers say of every requirement, for :func:`verdict_agreement`.

    Args:
        chains: chains with or without machine checks.

    Returns:
        Columns :data:`VERDICT_COLUMNS` and ``type``, one row per judge, response and requirement.
        :data:`CONSTRUCTION` says 1 where the requirement was in the instruction, else 0;
        :data:`CHECKERS` say 1 where the response meets it, NaN where no machine can judge.
    """
    table = audit(chains)
    judges = {CONSTRUCTION: table["kept"], CHECKERS: table["holds"]}
    parts = [
        table.assign(
            judge=judge, verdict=verdict.astype("Float64").to_numpy(float, na_value=np.nan)
        )
        for judge, verdict in judges.items()
    ]
    return pd.concat(parts, ignore_index=True)[[*VERDICT_COLUMNS, "type"]]


def verdict_agreement(
    table: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> pd.DataFrame:
    """How far judges agree on which requirements a response meets.

    ==================  ====================================================================
    krippendorff_alpha  nominal alpha; a unit is one requirement of one response
    fleiss_kappa        Fleiss' kappa of the units with the most frequent number of verdicts
    kendall_tau_b       tau-b of two judges over all units, for verdicts of 0 and 1 the same as
                        the phi coefficient; 0 if one of them always says the same, NaN if
                        both do
    share_equal         share of the units on which two judges say the same
    ==================  ====================================================================

    The last two are means over pairs of judges.

    Args:
        table: columns :data:`VERDICT_COLUMNS`; ``verdict`` is 1 (met), 0 (not met) or NaN (no
            verdict). For results by type, give the part of the table with that type.
        n_boot: bootstrap draws over chains; 0 leaves the intervals NaN.
        seed: seed of the draws.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        Tidy: ``judge_a, judge_b, metric, value, ci_low, ci_high, n_chains, n_items,
        nan_rate``, for each pair of judges, and before them for "all" where there are more than
        two. ``n_items`` counts the units used; ``nan_rate`` is the share of the verdicts that
        these judges do not give.

    Raises:
        WfineError: a column is missing, fewer than two judges, another verdict than 0, 1 or
            NaN, or two verdicts of one judge on the same unit.
    """
    wide = _wide(table, VERDICT_COLUMNS, "verdict_agreement")
    if wide.shape[1] < 2 or not wide.isin([0.0, 1.0, np.nan]).all(axis=None):
        odd = sorted({v for v in wide.to_numpy().ravel().tolist() if v == v} - {0.0, 1.0})
        raise WfineError(
            f"verdict_agreement: found {wide.shape[1]} judges and the verdicts {odd[:5]} besides 0 "
            "and 1; expected two judges at least and no verdicts but 0, 1 and NaN."
        )
    judges = list(wide.columns)
    groups = [(a, b, [a, b]) for a, b in combinations(judges, 2)]
    if len(judges) > 2:
        groups.insert(0, ("all", "all", judges))
    rows = []
    for a, b, members in groups:
        verdicts = wide[members]
        n = verdicts.notna().sum(axis=1)
        nan_rate = 1 - n.sum() / verdicts.size
        verdicts, n = verdicts[n > 1], n[n > 1]
        usual = _most_frequent(n.tolist())
        statistic = _verdict_statistic(usual)
        by_chain = [part.to_numpy() for _, part in verdicts.groupby(level="chain_id")]
        intervals = _bootstrap(by_chain, statistic, len(VERDICT_METRICS), n_boot, seed, confidence)
        for metric, interval in zip(VERDICT_METRICS, intervals, strict=True):
            used = n[n == usual] if metric == "fleiss_kappa" else n
            n_chains = used.index.get_level_values("chain_id").nunique()
            rows.append((a, b, metric, *interval, n_chains, len(used), nan_rate))
    names = ["judge_a", "judge_b", "metric", "value", "ci_low", "ci_high",
             "n_chains", "n_items", "nan_rate"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _bootstrap(
    parts: Sequence[FloatArray],
    statistic: _Statistic,
    n_statistics: int,
    n_boot: int,
    seed: int,
    confidence: float,
) -> list[tuple[float, float, float]]:
    """(value, low, high) of each statistic of the rows of all chains, drawn chain by chain."""
    if n_boot < 0 or not 0 < confidence < 1:
        raise WfineError(
            f"agreement: found n_boot={n_boot}, confidence={confidence}; expected n_boot of at "
            "least 0 and a confidence between 0 and 1, such as 0.95."
        )
    nan = float("nan")
    if not parts:
        return [(nan, nan, nan)] * n_statistics
    values = statistic(np.concatenate(parts))
    rng = np.random.default_rng(seed)
    draws = [
        statistic(np.concatenate([parts[k] for k in rng.integers(len(parts), size=len(parts))]))
        for _ in range(n_boot if len(parts) > 1 else 0)
    ]
    tail, found = (1 - confidence) / 2, []
    for k, value in enumerate(values):
        drawn = np.array([draw[k] for draw in draws])
        drawn = drawn[~np.isnan(drawn)]  # draws without a second value have no alpha
        low, high = np.quantile(drawn, (tail, 1 - tail)) if len(drawn) else (nan, nan)
        found.append((float(value), float(low), float(high)))
    return found


def _verdict_statistic(usual: int) -> _Statistic:
    """:data:`VERDICT_METRICS` of verdicts [units, judges]; kappa of units with ``usual`` many."""

    def statistic(rows: FloatArray) -> list[float]:
        counts = _counts(rows, np.array([0.0, 1.0]))
        pairs = [
            _two_judges(rows[:, a], rows[:, b]) for a, b in combinations(range(rows.shape[1]), 2)
        ]
        tau, equal = (_mean(column) for column in zip(*pairs, strict=True))
        complete = counts[counts.sum(axis=1) == usual]
        return [_alpha(counts, "nominal"), _kappa(complete), tau, equal]

    return statistic


def _two_judges(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Tau-b and share of equal verdicts, both 0 or 1, over the units that both judged."""
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) == 0:
        return float("nan"), float("nan")
    n, n_x, n_y, n_xy = float(len(x)), x.sum(), y.sum(), x @ y
    square = n_x * (n - n_x) * n_y * (n - n_y)
    if square:
        tau = float((n_xy * n - n_x * n_y) / np.sqrt(square))
    else:
        both_constant = n_x in (0, n) and n_y in (0, n)
        tau = float("nan") if both_constant else 0.0
    return tau, float(np.mean(x == y))


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else float("nan")


def _alpha(counts: NDArray, level: str) -> float:
    """Krippendorff's alpha of counts [units, values]; NaN where only one value occurs."""
    pairable = counts[counts.sum(axis=1) > 1]
    if np.count_nonzero(pairable.sum(axis=0)) < 2:
        return float("nan")
    return float(krippendorff.alpha(value_counts=pairable, level_of_measurement=level))


def _kappa(counts: NDArray) -> float:
    """Fleiss' kappa of counts [units, values]; NaN where only one value occurs."""
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return float("nan")
    return float(statsmodels_kappa(counts))


def _counts(ratings: FloatArray, domain: FloatArray) -> NDArray[np.int64]:
    """How often each value of ``domain`` occurs in each row: [units, raters] -> [units, values]."""
    return (ratings[:, :, None] == domain).sum(axis=1)


def _signs(ranks: FloatArray) -> FloatArray:
    """Preference in each pair of responses, 1 for the first: [responses, n] -> [pairs, n]."""
    i, j = np.triu_indices(len(ranks), 1)
    return np.sign(ranks[j] - ranks[i])


def _taus(signs: FloatArray) -> FloatArray:
    """Tau-b of every pair of annotators on one chain: [pairs, annotators] -> [annotator pairs]."""
    together = signs.T @ signs
    own = np.diag(together)
    i, j = np.triu_indices(len(own), 1)
    tau = together[i, j] / np.sqrt(np.maximum(own[i], 1) * np.maximum(own[j], 1))
    return np.where((own[i] == 0) & (own[j] == 0), np.nan, tau)


def _most_frequent(numbers: Sequence[int]) -> int:
    """The number that occurs most often, the larger one where two occur equally often."""
    found, frequency = np.unique(numbers, return_counts=True)
    return int(found[frequency == frequency.max()].max()) if len(found) else 0


def _check_columns(table: pd.DataFrame, columns: Sequence[str], caller: str) -> None:
    if absent := [c for c in columns if c not in table]:
        raise WfineError(
            f"{caller}: found the columns {', '.join(map(str, table))}, expected also "
            f"{', '.join(absent)}."
        )


def _wide(table: pd.DataFrame, columns: Sequence[str], caller: str) -> pd.DataFrame:
    """One row per unit, sorted, one column per rater (first of ``columns``); values as float."""
    _check_columns(table, columns, caller)
    rater, *unit, value = columns
    twice = table[table.duplicated([rater, *unit])]
    if len(twice):
        raise WfineError(
            f"{caller}: found two rows for {twice.iloc[0][[rater, *unit]].to_dict()}, expected one."
        )
    try:
        numbers = table[value].astype("Float64").to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise WfineError(f"{caller}: {value}: found text, expected numbers ({error}).") from error
    wide = table.assign(**{value: numbers}).pivot(index=unit, columns=rater, values=value)
    return wide.rename(columns=str)


def _ranks(table: pd.DataFrame, caller: str) -> pd.DataFrame:
    """Ranks [(chain_id, response), annotators], NaN for chains that an annotator left out."""
    wide = _wide(table, ANNOTATION_COLUMNS, caller)
    n_ranked = np.isfinite(wide).groupby(level="chain_id").sum()
    n_responses = wide.groupby(level="chain_id").size()
    partly = n_ranked.gt(0) & n_ranked.lt(n_responses, axis=0)
    n_rows = table.groupby(["chain_id", "annotator"]).size().unstack(fill_value=0)
    n_rows = n_rows.rename(columns=str)
    partly |= n_rows.ne(n_ranked)
    if partly.any(axis=None):
        chain_id, annotator = partly.stack().idxmax()
        raise WfineError(
            f"{caller}: found {n_ranked.loc[chain_id, annotator]} ranks by annotator "
            f"{annotator!r} in chain {chain_id!r}, expected a finite number for each of its "
            f"{n_responses[chain_id]} responses."
        )
    return wide

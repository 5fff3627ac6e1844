"""WEval of any models on any chains: scores that are kept as they come, and the tables of them.

What ``wfine weval`` writes. Every model is scored in shards (:mod:`wfine_workflow.score_file`), so
that a run which was killed goes on where it was, and ends with the same tables. A folder belongs to
the chains that were scored first in it; more models can be added to it at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from tqdm.auto import tqdm

from wfine_utils.annotation.readers import evaluate_against_readers
from wfine_utils.benchmarks.loading import Benchmark, load_benchmark
from wfine_utils.chains.readers import reader_names
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import WEVAL_HAND_CHAINS
from wfine_utils.errors import WfineError
from wfine_utils.files import LOCK, PARTIAL, atomic_write, display_path, write_json
from wfine_utils.weval.evaluation import compare, evaluate_all
from wfine_utils.weval.resampling import holm
from wfine_utils.weval.scorers import ScoreList, scores_from_table
from wfine_workflow.named_scorers import NamedScorer
from wfine_workflow.score_file import load_scores, score_chains

OWNER = "belongs_to.json"
"""File of a folder of results that says of which chains they are."""

OFFICIAL_COLUMNS = ["metric", "subset", "value", "ci_low", "ci_high", "n"]
HAND = "weval-hand"
"""What the chains that come with the package are called."""

AllScores = Mapping[str, ScoreList]


def load_data(source: str, layout: str = "auto", **options: Any) -> Benchmark:
    """The chains that a user has named, :data:`HAND` or as ``load_benchmark`` takes them.

    Raises:
        WfineError: they cannot be read.
    """
    if source == HAND:
        return load_benchmark(WEVAL_HAND_CHAINS, "chains")
    return load_benchmark(str(Path(source).expanduser()), layout, **options)


def against_readers(chains: Sequence[Chain], scores: AllScores, **options: int) -> pd.DataFrame:
    """Every scorer held against readers, where it is they who say what is better.

    Returns:
        As ``evaluate_against_readers``; no rows where the gold of no chain is by readers.
    """
    if len(reader_names(chains)) < 2:
        return pd.DataFrame()
    return evaluate_against_readers(chains, scores, **options)


def chains_sha256(chains: Iterable[Chain]) -> str:
    """SHA-256 of all that some chains say, in their order."""
    adapter, total = TypeAdapter(Chain), hashlib.sha256()
    for chain in chains:
        total.update(adapter.dump_json(chain) + b"\n")
    return total.hexdigest()


def claim(folder: Path, sha256: str, name: str) -> None:
    """Say that a folder belongs to these chains, or make sure that it does.

    Raises:
        WfineError: it holds something else.
    """
    refuse_foreign(folder)
    path, ours = folder / OWNER, {"made_by": "wfine weval", "chains": name, "chains_sha256": sha256}
    if not path.is_file():
        write_json(path, ours)
    elif (present := _read(path)).get("chains_sha256") != sha256:
        raise WfineError(
            f"{display_path(path)}: chains_sha256: found {present.get('chains_sha256')!r} of "
            f"{present.get('chains')!r}, expected {sha256!r} of {name!r}: the results in this "
            "folder are those of other chains. Give another folder with --out, or delete this one."
        )


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder with files that no run of ``wfine weval`` has put there."""
    if folder.is_dir() and not (folder / OWNER).is_file():
        names = sorted(path.name for path in folder.iterdir())
        if odd := [name for name in names if name != LOCK and not name.startswith(PARTIAL)]:
            raise WfineError(
                f"{display_path(folder)}: found {odd[0]} and no {OWNER}, expected an empty folder, "
                "none, or one that wfine weval has made. Give another folder with --out."
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):  # nothing of it can be read
        return {}


@dataclass(frozen=True)
class Scored:
    """The scores of one scorer, and what is to be known of them.

    ``n_nan`` responses could not be scored, in ``n_chains_with_nan`` chains.
    """

    scorer: NamedScorer
    fingerprint: str
    scores: ScoreList
    n_nan: int
    n_chains_with_nan: int

    @classmethod
    def of(cls, scorer: NamedScorer, fingerprint: str, scores: ScoreList) -> Scored:
        """With what is missing counted."""
        missing = [int(np.isnan(each).sum()) for each in scores]
        return cls(scorer, fingerprint, scores, sum(missing), sum(map(bool, missing)))

    @property
    def has_scores(self) -> bool:
        """Whether anything was scored at all."""
        return self.n_nan < sum(map(len, self.scores))


def score_kept(
    named: NamedScorer, chains: Sequence[Chain], sha256: str, folder: Path, **sizes: int
) -> Scored:
    """The scores of a scorer, of which those that lie in a folder are not computed again.

    Args:
        sha256: of the chains.
        folder: of this scorer alone.
        sizes: of shards and portions of a model, as in ``score_file``.

    Raises:
        WfineError: as ``score_file``.
    """
    n = sum(len(chain.responses) for chain in chains)
    sizes = sizes if named.is_model else {"shard_size": n, "portion": n}
    scorer, fingerprint = named.load()
    score_chains(scorer, fingerprint, chains, sha256, folder, n_responses=n, **sizes)
    scores = scores_from_table(load_scores(folder), chains)[scorer.name]
    return Scored.of(named, fingerprint, scores)


@dataclass(frozen=True)
class Tables:
    """What is found out; every table is tidy.

    Args:
        weval: as notebook 05 keeps it: ``scorer``, the columns of ``weval.evaluate``,
            ``training_pairs``.
        comparisons: ``scorer_a, scorer_b``, the columns of ``weval.compare``, ``p_holm``.
        official: ``scorer`` and :data:`OFFICIAL_COLUMNS`.
        against_readers: see :func:`against_readers`.
    """

    weval: pd.DataFrame
    comparisons: pd.DataFrame
    official: pd.DataFrame
    against_readers: pd.DataFrame

    def write(self, folder: Path) -> None:
        """As CSV files, none ever seen half-written; that of the readers where it has rows."""
        for name, table in vars(self).items():
            if name != "against_readers" or len(table):
                to_csv = partial(table.to_csv, index=False, lineterminator="\n")
                atomic_write(folder / f"{name}.csv", to_csv)


def tables(
    benchmark: Benchmark, scored: Sequence[Scored], *, n_boot: int, n_permutations: int, seed: int
) -> Tables:
    """The tables of all scorers that have scored something.

    Args:
        n_boot, n_permutations, seed: as in ``weval.compare``.

    Raises:
        WfineError: no response of known gold was scored at all.
    """
    known = [each for each in scored if each.has_scores]
    scores = {each.scorer.name: each.scores for each in known}
    chains, options = benchmark.chains, {"n_boot": n_boot, "seed": seed}
    weval = evaluate_all(chains, scores, **options)
    pairs = {each.scorer.name: each.scorer.training_pairs for each in known}
    weval["training_pairs"] = weval["scorer"].map(pairs).astype("Int64")
    ranked = scores if benchmark.ranks_by_scores else {}
    own = [
        (name, benchmark.official(arrays, n_boot=n_boot, seed=seed))
        for name, arrays in ranked.items()
    ]
    official = [table.assign(scorer=name) for name, table in own if len(table)]
    columns = ["scorer", *OFFICIAL_COLUMNS]
    return Tables(
        weval,
        compared(chains, known, **options, n_permutations=n_permutations),
        pd.concat(official)[columns] if official else pd.DataFrame(columns=columns),
        against_readers(chains, scores, **options),
    )


def compared(chains: Sequence[Chain], scored: Sequence[Scored], **options: Any) -> pd.DataFrame:
    """Paired differences of every two scorers that are no null baseline, corrected by Holm's
    method over all pairs, for each metric by itself; no rows where there is no pair."""
    models = [each for each in scored if not each.scorer.is_null]
    pairs = list(combinations(models, 2))
    differences = {
        (a.scorer.name, b.scorer.name): compare(chains, a.scores, b.scores, **options)
        for a, b in tqdm(pairs, desc="compare", disable=not pairs)
    }
    names = ["scorer_a", "scorer_b"]
    if not differences:
        empty = compare(chains, scored[0].scores, scored[0].scores, n_boot=0, n_permutations=0)
        return pd.DataFrame(columns=[*names, *empty, "p_holm"])
    table = pd.concat(differences, names=[*names, None]).droplevel(-1).reset_index()
    table["p_holm"] = table.groupby("metric")["p_value"].transform(holm)
    return table

"""Scores for a file of any size: in shards, in constant memory, resumable after a kill.

    wfine score SCORER_FOLDER CHAINS_FILE OUT_FOLDER

The file is read twice, chain by chain: once to check all of it by the rules of ``load_chains``, and
once to score it. A shard holds whole chains, as many as stay within the shard size, and is written
under a temporary name and renamed. Batches never reach across shards, so a shard is the same
whether or not the run was killed before it.

``manifest.json`` says what the shards belong to. A run that finds another scorer, file, shard size
or version there refuses to go on, because its scores would stand beside those of another function.
One process at a time writes to a folder; its lock ends with the process, also if that is killed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from tqdm.auto import tqdm

from wfine_utils import files
from wfine_utils.chains.files import ChainFile, portions
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.notebook.code_digest import digest, with_imports
from wfine_utils.notebook.environment import versions
from wfine_utils.weval.evaluation import per_chain
from wfine_utils.weval.scorers import (
    TOLD,
    ScoreList,
    Scorer,
    checked_scores,
    scores_from_table,
    scores_table,
)

MANIFEST = "manifest.json"
SHARD_SIZE = 5000
PORTION = 500


def score_file(
    scorer: Scorer,
    fingerprint: str,
    chains_file: str | Path,
    out_folder: str | Path,
    *,
    format: str = "auto",
    shard_size: int = SHARD_SIZE,
    portion: int = PORTION,
) -> dict[str, float]:
    """Score every response of a file of chains; go on where an earlier run stopped.

    Args:
        fingerprint: of all that the scores depend on, apart from the chains.
        out_folder: gets ``scores-00000.parquet`` … with the columns of
            :func:`wfine_utils.weval.scorers.scores_table`, and ``manifest.json``.
        format: one of :data:`wfine_utils.chains.files.FORMATS`.
        shard_size: most responses to a shard.
        portion: responses that the scorer is given at once, a part of a shard. More are sorted
            by length together; the progress bar moves after each portion.

    Returns:
        ``n_chains, n_responses, n_nan, n_shards``; ``n_kept``, the shards of earlier runs; and
        ``tie_rate, cut_rate, saturated_rate`` of the whole file, as in the tables of WEval.

    Raises:
        WfineError: the file is wrong somewhere; the folder holds shards of something else or cannot
            be written; the scorer returns something that is not one number per response.
    """
    file = ChainFile(chains_file, format)
    return score_chains(
        scorer, fingerprint, file, files.sha256_file(chains_file), out_folder,
        n_responses=file.n_responses, shard_size=shard_size, portion=portion,
    )  # fmt: skip


def score_chains(
    scorer: Scorer,
    fingerprint: str,
    chains: Iterable[Chain],
    chains_sha256: str,
    out_folder: str | Path,
    *,
    n_responses: int,
    shard_size: int = SHARD_SIZE,
    portion: int = PORTION,
) -> dict[str, float]:
    """The same of chains that come from anywhere.

    Args:
        chains: read once, from the first to the last.
        chains_sha256: of all that they say; what is kept in the folder belongs to it.
        n_responses: of all chains, for the progress bar and the shares.
    """
    for name, value in (("shard_size", shard_size), ("portion", portion)):
        if value < 1:
            raise WfineError(f"{name}: found {value}, expected 1 or more.")
    belongs_to = {
        "scorer": scorer.name,
        "scorer_fingerprint": fingerprint,
        "chains_sha256": chains_sha256,
        "shard_size": shard_size,
        "portion": portion,
        "source_sha256": digest(with_imports([Path(__file__)])),
        "versions": versions(),
    }
    folder = Path(out_folder)
    with files.alone_in(folder):
        _claim(folder, belongs_to)
        return _score_shards(scorer, chains, folder, n_responses, shard_size, portion)


def _score_shards(
    scorer: Scorer,
    chains: Iterable[Chain],
    out_folder: Path,
    n_responses: int,
    shard_size: int,
    portion: int,
) -> dict[str, float]:
    """Every shard that is not there yet; returns what :func:`score_file` does."""
    n_chains = n_nan = n_shards = n_kept = n_with_pairs = 0
    tied, told = 0.0, pd.Series(0.0, index=list(TOLD))
    # No smoothing: the rate is that of this run so far, without the shards that it found.
    bar = tqdm(total=n_responses, desc=scorer.name, unit="response", smoothing=0)
    for k, shard in enumerate(portions(chains, shard_size)):
        path = out_folder / f"scores-{k:05d}.parquet"
        if (table := _kept(path, shard)) is not None:
            n_kept += 1
            bar.initial += len(table)
            bar.n += len(table)
            bar.refresh()
        else:
            tables = []
            for part in portions(shard, portion):
                scores = checked_scores(f"scorer {scorer.name!r}", scorer.score(part), part)
                tables.append(scores_table({scorer.name: ScoreList.of(scorer, scores)}, part))
                bar.update(len(tables[-1]))
            table = pd.concat(tables, ignore_index=True)
            files.atomic_write(path, partial(table.to_parquet, index=False))
        n_nan += int(table["score"].isna().sum())
        n_chains, n_shards = n_chains + len(shard), n_shards + 1
        told += table[list(TOLD)].sum(skipna=False)
        if table["score"].notna().any():
            ties = per_chain(shard, scores_from_table(table, shard)[scorer.name])["tie_rate"]
            tied, n_with_pairs = tied + ties.sum(), n_with_pairs + int(ties.count())
    bar.close()
    return {
        "n_chains": n_chains, "n_responses": n_responses, "n_nan": n_nan,
        "n_shards": n_shards, "n_kept": n_kept,
        "tie_rate": tied / n_with_pairs if n_with_pairs else float("nan"),
        **{name: float(told[name]) / n_responses for name in TOLD},
    }  # fmt: skip


def load_scores(out_folder: str | Path) -> pd.DataFrame:
    """The table of all shards of a finished run, for ``scorers.scores_from_table``."""
    paths = sorted(Path(out_folder).glob("scores-*.parquet"))
    if not paths:
        raise WfineError(
            f"{files.display_path(Path(out_folder))}: found no scores-*.parquet, expected the "
            "folder of a run of wfine score."
        )
    return pd.concat(map(pd.read_parquet, paths), ignore_index=True)


def _claim(folder: Path, belongs_to: dict[str, Any]) -> None:
    """Write the manifest, or make sure that the one which is there says the same."""
    path, expected = folder / MANIFEST, files.plain(belongs_to)
    if path.is_file():
        try:
            present = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):  # nothing of it can be read
            present = {}
        if differ := [key for key in expected if present.get(key) != expected[key]]:
            key = differ[0]
            raise WfineError(
                f"{files.display_path(path)}: {key}: found {present.get(key)!r}, expected "
                f"{expected[key]!r}: the scores in this folder are those of something else "
                f"(differing: {', '.join(differ)}). Give another folder, or delete this one."
            )
    elif any(folder.glob("scores-*.parquet")):
        raise WfineError(
            f"{files.display_path(folder)}: found scores-*.parquet and no {MANIFEST}, which says "
            "whose they are, expected both or neither. Give another folder, or delete this one."
        )
    else:
        files.write_json(path, expected)
    for left_over in folder.glob(f"{files.PARTIAL}*"):
        left_over.unlink(missing_ok=True)


def _kept(path: Path, chains: Sequence[Chain]) -> pd.DataFrame | None:
    """A finished shard, or None where there is none, or a damaged one."""
    try:
        table = pd.read_parquet(path)
        ids, places = table["chain_id"].tolist(), table["response"].tolist()
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None
    expected = [(chain.chain_id, i) for chain in chains for i in range(len(chain.responses))]
    whole = {"score", *TOLD} <= {*table} and list(zip(ids, places, strict=True)) == expected
    return table if whole else None


def load_scorer(
    folder: str | Path, *, name: str | None = None, **options: Any
) -> tuple[Scorer, str]:
    """The scorer in a folder, without a progress bar of its own, and its fingerprint.

    Args:
        folder: of a reward model of notebook 03, or of any sequence classifier.
        name: how tables call it; None: as its folder.
        options: of a classifier, see :class:`wfine_utils.rewards.classifier.ClassifierScorer`.

    Raises:
        WfineError: the model cannot be loaded or trusted, or is a reward model with options.
    """
    folder = Path(folder)
    name = name or folder.resolve().name
    if not (folder / "adapter_config.json").is_file():
        from wfine_utils.rewards.classifier import ClassifierScorer  # torch takes seconds

        classifier = ClassifierScorer(folder, name=name, progress=False, **options)
        return classifier, on_this_device(classifier.fingerprint)
    if options:
        raise WfineError(
            f"{files.display_path(folder)}: found a reward model of notebook 03 and "
            f"{', '.join(options)}; expected no such option: its folder says how it is to be used."
        )
    from wfine_utils.rewards.reward_model import RewardModelScorer

    model = RewardModelScorer(folder, name=name, progress=False)
    return model, on_this_device(model.fingerprint)


def on_this_device(of_scorer: str) -> str:
    """The fingerprint of a model's scores: of the model, and of the device that computes them."""
    import torch  # loaded already; a GPU rounds in another way

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return hashlib.sha256(json.dumps([device, of_scorer]).encode()).hexdigest()

"""Cells of a study made by hand from a made-up truth, so that their answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from study.small_study import SMALL

from wfine_study.cells import RewardCell, StudySettings, all_cells
from wfine_study.exam import IFEVAL, exam_chains
from wfine_utils.chains.taxonomy import RequirementType
from wfine_utils.checks.words import word_count

SETTINGS = StudySettings(**SMALL | {"seeds": [0, 1, 2], "n_choice_seeds": 1})
ONE_SEED = SETTINGS.model_copy(update={"seeds": [0], "n_generalisation_seeds": 1})
CHAINS = ("a", "b", "c", "d", "e", "f")


def tau(cell: RewardCell) -> float:
    """A made-up truth: what each choice and each 10 % of noise does to τ-b."""
    loss = {"not_dropped": 0.02, "length": 0.05}.get(cell.noise or "", 0.0) * 10 * cell.share
    if cell.is_filtered:
        loss = 0.0
    elif cell.noise == "sloppy":
        loss = 0.3
    loss += 0.1 * (cell.granularity == "prompt") + 0.04 * (cell.loss == "cross_entropy")
    return 0.8 - loss - 0.01 * (cell.n_pairs < 12) + 0.001 * cell.seed


def write_cell(folder: Path, cell: RewardCell) -> None:
    place = folder / cell.slug
    place.mkdir(parents=True)
    values = tau(cell) + np.array([0.1, -0.1, 0.05, -0.05, 0.02, -0.02])
    used = {"as trained": values, "whole prompt": values - 0.2}
    pd.concat(
        pd.DataFrame({"chain_id": CHAINS, "kendall_tau_b": v, "used": name})
        for name, v in used.items()
    ).to_parquet(place / "per_chain.parquet")
    rows = [
        {"pair_id": f"p{i}", "kind": "pairs", "subset": str(t), "category": str(c)}
        for c in {x.hold_out_category for x in all_cells(SETTINGS) if isinstance(x, RewardCell)}
        for t in RequirementType
        for i in range(4)
    ]
    rows += [{"pair_id": f"s{i}", "kind": "sentence count", "subset": "5", "category": ""}
             for i in range(4)]  # fmt: skip
    rows += [{"pair_id": f"i{i}", "kind": "ifeval", "subset": name, "category": ""}
             for name in IFEVAL for i in range(4)]  # fmt: skip
    table = pd.DataFrame(rows)
    unseen = table["subset"] == str(cell.hold_out_type)
    unseen |= (table["subset"] == "5") & (5 in cell.hold_out_values)
    number = table["pair_id"].str[1:].astype(int)
    right = np.where(unseen, number < 2, (table["kind"] != "ifeval") | (number < 3))
    table["margin"] = np.where(right, 1.0, -1.0)
    table.to_parquet(place / "pairs.parquet")
    bias = 1.0 if cell.noise == "length" and cell.share == 1 else 0.0
    chains = exam_chains(SETTINGS.n_test_chains, SETTINGS.seed)
    pd.DataFrame(
        {"used": "as trained", "chain_id": c.chain_id, "response": i,
         "score": bias * word_count(r.text) + (1 - bias) * r.gold}
        for c in chains for i, r in enumerate(c.responses)
    ).to_parquet(place / "scores.parquet")  # fmt: skip


def write_cells(folder: Path) -> None:
    """All cells of :data:`SETTINGS`."""
    for cell in all_cells(SETTINGS):
        if isinstance(cell, RewardCell):
            write_cell(folder, cell)
            continue
        (folder / cell.slug).mkdir()
        gain = tau(cell.reward_cell) / 2
        longer = 9.0 if cell.reward_cell.share == 1 else 0.0
        pd.DataFrame(
            {"query": q, "policy": p, "mean": 0.2 + g, "all met": float(g > 0), "n_words": 30 + w,
             "reward": 1.0, "kl": 0.1, "is_cut": 0.0}
            for p, g, w in (("before", 0.0, 0.0), ("after", gain, longer)) for q in range(3)
        ).to_parquet(folder / cell.slug / "per_query.parquet")  # fmt: skip

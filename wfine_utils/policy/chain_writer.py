"""Chains whose responses a language model writes, each to its own dropped instruction.

The tiny world's writer is exact, which no language model is: it may meet what was dropped, and
break what was kept. So the texts are audited, and those that are not what their label says left
out (:func:`wfine_utils.checks.drop_validity.only_true_labels`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from wfine_utils.chains.files import load_chains, save_chains
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.drop_validity import only_true_labels
from wfine_utils.errors import WfineError
from wfine_utils.notebook.run import Run

SetName = tuple[str, str]
"""Split and drop plan of a set of chains, as notebook 02 names them."""


def written_by_model(
    run: Run,
    sets: Mapping[SetName, Sequence[Chain]],
    base_json: Path,
    *,
    max_new_tokens: int,
    seed: int,
) -> tuple[dict[SetName, list[Chain]], pd.DataFrame]:
    """The same chains, their responses written by the base model, and validated.

    Each set is a stage of the run, so that an interrupted one goes on with the next set.

    Args:
        run: keeps what was written, in ``written_<split>_<plan>/chains.jsonl``.
        sets: chains with queries and kept sets; their texts are not used.
        base_json: record of the base model, from notebook 00.
        max_new_tokens: longest response, in tokens.
        seed: of sampling, at temperature 1.

    Returns:
        The chains that are left, and a table of what validation found: ``split, plan, unit,
        outcome, n`` (see :func:`wfine_utils.checks.drop_validity.only_true_labels`).

    Raises:
        WfineError: of a set no chain is left.
    """
    # Needs torch, which notebook 02 does without as long as the exact writer writes.
    from wfine_utils.base_model import read_base

    base = read_base(base_json)
    left, reports = {}, []
    for place, ((split, plan), chains) in enumerate(sets.items()):

        def write(folder: Path, chains=chains, place=place) -> None:
            texts = _written(chains, base, max_new_tokens=max_new_tokens, seed=seed + place)
            save_chains(texts, folder / "chains.jsonl")

        key = {"base": base.fingerprint, "max_new_tokens": max_new_tokens, "n": len(chains)}
        folder = run.stage(f"written_{split}_{plan}", key, write)
        good, report = only_true_labels(load_chains(folder / "chains.jsonl"))
        if not good:
            raise WfineError(
                f"writer: of {len(chains)} chains ({split}, {plan}) that {base.model} wrote, found "
                "none with two responses that meet what was kept and break what was dropped. "
                "Expected a model that follows instructions: take a larger one as base_model of "
                'notebook 00, raise writer_max_tokens, or set writer: "tiny".'
            )
        left[split, plan] = good
        reports.append(report.assign(split=split, plan=plan))
    columns = ["split", "plan", "unit", "outcome", "n"]
    return left, pd.concat(reports, ignore_index=True)[columns]


def _written(
    chains: Sequence[Chain], base: tuple[str, str | None], *, max_new_tokens: int, seed: int
) -> list[Chain]:
    """Every response anew, from the instruction that holds only what it kept."""
    from wfine_utils.policy.generation import load_policy, sample

    model, tokenizer = load_policy(base[0], revision=base[1])
    prompts = [chain.prompt(r.kept) for chain in chains for r in chain.responses]
    conversations = [[{"role": "user", "content": prompt}] for prompt in prompts]
    texts = iter(sample(model, tokenizer, conversations, max_new_tokens=max_new_tokens, seed=seed))
    name = Path(base[0]).name if Path(base[0]).is_dir() else base[0]
    return [
        replace(
            chain,
            responses=tuple(replace(r, text=next(texts), source=name) for r in chain.responses),
        )
        for chain in chains
    ]

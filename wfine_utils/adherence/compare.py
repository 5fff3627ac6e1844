"""What policies do on a set of prompts: values with intervals, paired differences, all texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.adherence.measure import adherence_table, compare_adherence
from wfine_utils.adherence.prompt_sets import Answers, PromptSet
from wfine_utils.errors import WfineError
from wfine_utils.weval.resampling import holm

WORDS = "length (words)"
_VALUES = ["policy", "measure", "value", "ci_low", "ci_high", "n", "n_unreadable"]

_DIFFERENCES = ["policy_a", "policy_b", "measure", "difference", "ci_low", "ci_high", "p_value",
                "p_holm", "n"]  # fmt: skip


class Evaluation(NamedTuple):
    """What :func:`evaluate_policies` returns: three tidy tables."""

    completions: pd.DataFrame
    table: pd.DataFrame
    comparisons: pd.DataFrame


def evaluate_policies(
    prompt_set: PromptSet,
    answers: Answers,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Judge the answers of policies to the same prompts, and compare them pair by pair.

    Args:
        prompt_set: n prompts.
        answers: n texts for each policy.
        pairs: which policies are compared, (a, b) for a − b; None compares each with every one
            before it.
        n_boot: bootstrap draws over prompts.
        seed: of the draws and of the sign flips.

    Returns:
        ``completions``: ``prompt_set, query, topic, prompt, policy, text`` and the measures, of
        which ``length (words)`` is always one. ``table``: ``prompt_set, policy, measure, value,
        ci_low, ci_high, n, n_unreadable``, the last counting prompts on which there was something
        to judge and no verdict. ``comparisons``: ``prompt_set, policy_a, policy_b, measure,
        difference, ci_low, ci_high, p_value, p_holm, n``, paired on the prompts on which both have
        a value; two-sided sign-flip tests, with Holm's correction over the comparisons of this
        set.

    Raises:
        WfineError: no policy, or another number of texts than prompts.
    """
    n = len(prompt_set.queries)
    if not answers or any(len(texts) != n for texts in answers.values()):
        sizes = {policy: len(texts) for policy, texts in answers.items()}
        raise WfineError(
            f"{prompt_set.name}: found answers {sizes}, expected {n} of each policy, one to every "
            "prompt. Generate them from the queries of the set."
        )
    judged = {
        policy: frame.assign(**{WORDS: [float(len(text.split())) for text in answers[policy]]})
        for policy, frame in prompt_set.judge(answers).items()
    }
    pairs = [(b, a) for a, b in combinations(judged, 2)] if pairs is None else pairs
    how = {"n_boot": n_boot, "seed": seed}
    tables = [
        _texts(prompt_set, answers, judged),
        _values(prompt_set, judged, **how),
        _differences(prompt_set, judged, pairs, **how),
    ]
    for table in tables:
        table.insert(0, "prompt_set", prompt_set.name)
    return Evaluation(*tables)


def _texts(
    prompt_set: PromptSet, answers: Answers, judged: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    asked = pd.DataFrame({
        "query": range(len(prompt_set.queries)),
        "topic": [query.topic for query in prompt_set.queries],
        "prompt": [query.prompt() for query in prompt_set.queries],
    })  # fmt: skip
    parts = [
        asked.assign(policy=policy, text=list(answers[policy])).join(frame)
        for policy, frame in judged.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _values(prompt_set: PromptSet, judged: Mapping[str, pd.DataFrame], **how: int) -> pd.DataFrame:
    asked = prompt_set.asked().assign(**{WORDS: 1}) > 0
    parts = []
    for policy, frame in judged.items():
        part = adherence_table(_pooled(frame, prompt_set.weights()), **how)
        pooled = part["type"].isin(prompt_set.weights())  # a linearised interval may stick out
        for end in ("ci_low", "ci_high"):
            part[end] = part[end].mask(pooled, part[end].clip(*prompt_set.scale))
        unreadable = part["type"].map((asked & frame.isna()).sum())
        parts.append(part.assign(policy=policy, measure=part["type"], n_unreadable=unreadable))
    return pd.concat(parts, ignore_index=True)[_VALUES]


def _differences(
    prompt_set: PromptSet,
    judged: Mapping[str, pd.DataFrame],
    pairs: Sequence[tuple[str, str]],
    **how: int,
) -> pd.DataFrame:
    parts = []
    for a, b in pairs:
        known = judged[a].notna() & judged[b].notna()
        both = [_pooled(judged[x].where(known), prompt_set.weights()) for x in (a, b)]
        part = compare_adherence(*both, **how)
        parts.append(part.assign(policy_a=a, policy_b=b, measure=part["metric"]))
    if not parts:
        return pd.DataFrame(columns=_DIFFERENCES)
    table = pd.concat(parts, ignore_index=True)
    return table.assign(p_holm=holm(table["p_value"]))[_DIFFERENCES]


def _pooled(frame: pd.DataFrame, weights: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """Numbers per prompt whose plain mean is the weighted mean of a measure.

    For a value x and weights w with a mean of 1 they are m + w (x − m), where m is the weighted
    mean. Their spread over prompts is that of m as a ratio of two sums (the linearisation of
    survey statistics), so that intervals and tests of means hold for them.
    """
    found = frame.copy()
    for measure, weight in weights.items():
        values = found[measure].to_numpy(dtype=float)
        known = ~np.isnan(values)
        if known.any():
            w = weight / weight[known].mean()
            mean = float((w * values)[known].mean())
            found[measure] = mean + w * (values - mean)
    return found

"""What policies do on a set of prompts: values with intervals, paired differences, all texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.adherence.prompt_sets import Answers, PromptSet
from wfine_utils.adherence.thoughts import without_thoughts
from wfine_utils.checks.words import word_count
from wfine_utils.errors import WfineError
from wfine_utils.weval.resampling import Bootstrap, holm, paired_difference

WORDS, THOUGHTS = "length (words)", "thoughts stripped (share)"

Pairs = Sequence[tuple[str, str]]
Measures = Mapping[str, pd.DataFrame]
"""Numbers by policy: one row per prompt of a set, one column per measure, NaN where unknown."""


class Evaluation(NamedTuple):
    """What :func:`evaluate_policies` returns: three tidy tables."""

    completions: pd.DataFrame
    table: pd.DataFrame
    comparisons: pd.DataFrame


def evaluate_policies(
    prompt_set: PromptSet,
    answers: Answers,
    *,
    further: Measures | None = None,
    pairs: Pairs | None = None,
    strip_thoughts: bool = False,
    is_cut: Mapping[str, Sequence[bool]] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Judge the answers of policies to the same prompts, and compare them pair by pair.

    Args:
        answers: one text per prompt for each policy.
        further: measures that the set does not know, such as rewards: one row per prompt for each
            policy, the same columns for all.
        pairs: which policies are compared, (a, b) for a − b; None for each with every one before.
        strip_thoughts: whether a reasoning model's thoughts (``<think>…</think>``) are taken out of
            the answers before anything else, as they are not meant to be judged; see
            :func:`~wfine_utils.adherence.thoughts.template_has_thoughts`. The share of answers that
            had any is a measure then.
        is_cut: for each policy, which answers were cut off before their end; they are judged as
            they are, and their share is told beside every value.
        n_boot, seed: bootstrap draws over different prompts; of the draws and of the sign flips.

    Returns:
        ``completions``: ``prompt_set, query, topic, prompt, policy, text`` and the measures: the
        set's own, ``length (words)``, the further ones; ``text`` is what was judged. ``table``:
        ``prompt_set, policy, measure, value, ci_low, ci_high, n, n_unreadable`` (prompts with
        something to judge and no verdict), ``share_cut`` (NaN where ``is_cut`` is not told).
        ``comparisons``: ``prompt_set, policy_a, policy_b, measure, difference, ci_low, ci_high,
        p_value, p_holm, n, share_cut_a, share_cut_b``, paired on the prompts on which both have a
        value: sign-flip tests, with Holm's correction over the comparisons of this set.

    Raises:
        WfineError: no policy, another number of texts or rows than prompts, an answer that is no
            text, or further measures that differ between policies.
    """
    n = len(prompt_set.queries)
    _check_answers(prompt_set, answers)
    further = further or {policy: pd.DataFrame(index=range(n)) for policy in answers}
    shapes = {policy: (len(frame), *frame.columns) for policy, frame in further.items()}
    expected = {(n, *frame.columns) for frame in further.values()}
    if set(shapes) != set(answers) or len(expected) > 1 or set(shapes.values()) != expected:
        raise WfineError(
            f"{prompt_set.name}: further: found rows and columns {shapes}; expected {n} rows and "
            f"the same columns for each of {', '.join(answers)}. Measure all policies alike."
        )
    whole, measured = answers, {}
    if strip_thoughts:
        answers = {policy: list(map(without_thoughts, texts)) for policy, texts in whole.items()}
    for policy, frame in prompt_set.judge(answers).items():
        own = frame.assign(**{WORDS: [float(word_count(text)) for text in answers[policy]]})
        if strip_thoughts:
            pairs_of_texts = zip(answers[policy], whole[policy], strict=True)
            own[THOUGHTS] = [float(answer != text) for answer, text in pairs_of_texts]
        measured[policy] = own.join(further[policy].reset_index(drop=True))
    rows = [(i, query.topic, query.prompt()) for i, query in enumerate(prompt_set.queries)]
    prompts = pd.DataFrame(rows, columns=["query", "topic", "prompt"])
    completions = [
        prompts.assign(policy=policy, text=list(answers[policy])).join(frame)
        for policy, frame in measured.items()
    ]
    pairs = _pairs(measured) if pairs is None else pairs
    tables = [
        pd.concat(completions, ignore_index=True),
        _values(prompt_set, measured, n_boot, seed),
        _differences(prompt_set, measured, pairs, n_boot, seed),
    ]
    shares = {policy: float(np.mean(cut)) for policy, cut in (is_cut or {}).items()}
    tables[1]["share_cut"] = tables[1]["policy"].map(shares).astype(float)
    for side in ("a", "b"):
        tables[2][f"share_cut_{side}"] = tables[2][f"policy_{side}"].map(shares).astype(float)
    for table in tables:
        table.insert(0, "prompt_set", prompt_set.name)
    return Evaluation(*tables)


class Comparison(NamedTuple):
    """What :func:`compare_measures` returns: two tidy tables."""

    table: pd.DataFrame
    comparisons: pd.DataFrame


def compare_measures(
    prompt_set: PromptSet,
    measured: Measures,
    *,
    pairs: Pairs | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Numbers of policies on the same prompts, with intervals and paired differences.

    For what is told beside adherence: Holm's correction is over these measures alone.

    Args:
        prompt_set: what was answered.
        measured: one row per prompt for each policy, the same columns for all; NaN where a measure
            has nothing to say of a prompt.
        pairs, n_boot, seed: as of :func:`evaluate_policies`.

    Returns:
        ``table``: ``prompt_set, policy, measure, value, ci_low, ci_high, n``. ``comparisons``:
        ``prompt_set, policy_a, policy_b, measure, difference, ci_low, ci_high, p_value, p_holm,
        n``.
    """
    pairs = _pairs(measured) if pairs is None else pairs
    table = _values(prompt_set, measured, n_boot, seed).drop(columns="n_unreadable")
    tables = table, _differences(prompt_set, measured, pairs, n_boot, seed)
    for one in tables:
        one.insert(0, "prompt_set", prompt_set.name)
    return Comparison(*tables)


def _pairs(policies: Mapping[str, object]) -> Pairs:
    """Each policy with every one before it."""
    return [(b, a) for a, b in combinations(policies, 2)]


def _check_answers(prompt_set: PromptSet, answers: Answers) -> None:
    """Refuse answers that are not one text for each prompt of each policy."""
    n = len(prompt_set.queries)
    if not answers or any(len(texts) != n for texts in answers.values()):
        sizes = {policy: len(texts) for policy, texts in answers.items()}
        raise WfineError(
            f"{prompt_set.name}: found answers {sizes}, expected {n} of each policy. Generate them "
            "from the queries of the set."
        )
    for policy, texts in answers.items():
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise WfineError(
                    f"{prompt_set.name}: answer of {policy} to prompt {i}: found {text!r}, "
                    "expected a text. Generate it again, or give an empty text."
                )


def _values(prompt_set: PromptSet, measured: Measures, n_boot: int, seed: int) -> pd.DataFrame:
    weights, units = prompt_set.weights(), _units(prompt_set)
    parts = []
    for policy, frame in measured.items():
        weights = {name: weight for name, weight in weights.items() if name in frame}
        rows = linearised(frame, weights).to_numpy(dtype=float)
        mean, low, high, _ = Bootstrap(n_boot, seed).means(rows, units=units)
        for k in map(frame.columns.get_loc, weights):  # a linearised interval may stick out
            low[k], high[k] = np.clip([low[k], high[k]], *prompt_set.scale)
        # what is not the set's own is wanted for every prompt
        wanted = prompt_set.n_requirements().reindex(columns=frame.columns, fill_value=1) > 0
        parts.append(pd.DataFrame({
            "policy": policy, "measure": frame.columns, "value": mean, "ci_low": low,
            "ci_high": high, "n": frame.notna().sum().to_numpy(),
            "n_unreadable": (wanted & frame.isna()).sum().to_numpy(),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _differences(
    prompt_set: PromptSet, measured: Measures, pairs: Pairs, n_boot: int, seed: int
) -> pd.DataFrame:
    columns = "policy_a policy_b measure difference ci_low ci_high p_value p_holm n".split()
    rows, units = [], _units(prompt_set)
    for a, b in pairs:
        known = measured[a].notna() & measured[b].notna()
        x, y = (linearised(measured[p].where(known), prompt_set.weights()) for p in (a, b))
        for measure in known:
            difference = paired_difference(
                x[measure], y[measure], units=units, n_boot=n_boot, seed=seed
            )
            row = {"policy_a": a, "policy_b": b, "measure": measure, **difference._asdict()}
            rows.append(row | {"n": int(known[measure].sum())})
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_holm=holm(table["p_value"].astype(float)))


def _units(prompt_set: PromptSet) -> list[str] | None:
    """What was sampled: prompts. One that stands in the set several times, to be answered as often,
    is one of them; None where each stands in it once."""
    prompts = [query.prompt() for query in prompt_set.queries]
    return prompts if len(set(prompts)) < len(prompts) else None


def linearised(frame: pd.DataFrame, weights: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """Numbers per prompt whose plain mean is the weighted mean of a measure.

    For a value x and weights w with a mean of 1 they are m + w (x − m), where m is the weighted
    mean. Their spread over prompts is that of m as a ratio of two sums (the linearisation of
    survey statistics), so that intervals and tests of means hold for them.

    Args:
        frame: one row per prompt; columns without weights stay as they are.
        weights: shape [prompts] for some of the columns, each above 0.
    """
    linear = frame.copy()
    for measure, weight in weights.items():
        if measure not in frame:
            continue
        x = frame[measure].to_numpy(dtype=float)
        known = ~np.isnan(x)
        if known.any():
            w = weight / weight[known].mean()
            mean = float((w * x)[known].mean())
            linear[measure] = mean + w * (x - mean)
    return linear

"""Language models as scorers: a judge of single requirements, and a critic.

Both ask one question for each requirement of each response, and score a response by the mean
over its requirements. Each has three steps, which can be taken apart: ``verdicts`` asks and gives
a tidy table, to be kept; ``aggregate`` makes scores of such a table; ``bounds`` says between
which values tau-b lies, whatever the replies that could not be read would have said. ``score``,
the scorer protocol, is the first two in a row.

No torch is needed here: a *backend* answers prompts (:mod:`wfine_utils.judges.backends`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.judges import templates
from wfine_utils.judges.templates import NAN, Reading, Template
from wfine_utils.weval.evaluation import per_chain
from wfine_utils.weval.scorers import Scores

if TYPE_CHECKING:
    from wfine_utils.judges.backends import Backend, Reply


@dataclass(frozen=True)
class RequirementJudge:
    """A judge that gives one verdict per requirement: is it met?

    Args:
        backend: what answers the prompts.
        mode: "text" reads a verdict of 0 or 1 from the end of a reply; "logits" reads the
            probability of yes, among yes and no, of the first token: nothing to parse, hardly any
            ties, one forward pass.
        name: how the judge is called in tables.
        template: another wording with the slots ``$task``, ``$response`` and ``$requirement``;
            for "logits" with ``options``. None takes the one of :mod:`~wfine_utils.judges.templates`.
        max_tokens: longest reply in mode "text".

    Raises:
        WfineError: an unknown mode, or a template without options in mode "logits".
    """

    backend: Backend
    mode: Literal["text", "logits"] = "text"
    name: str = "judge"
    template: Template | None = None
    max_tokens: int = 256

    def __post_init__(self) -> None:
        if self.mode not in ("text", "logits"):
            raise WfineError(f"judge: mode: found {self.mode!r}, expected 'text' or 'logits'.")
        if self.mode == "logits" and self.wording.options is None:
            raise WfineError(
                f"judge: template {self.wording.name}: found no options; expected the tokens for "
                "yes and no that its text asks for. Pass Template(..., options=('1', '0'))."
            )

    @property
    def wording(self) -> Template:
        """The template in use."""
        default = {"text": templates.REQUIREMENT_TEXT, "logits": templates.REQUIREMENT_LOGITS}
        return self.template or default[self.mode]

    @property
    def prompt_hash(self) -> str:
        """sha256 of the template's text."""
        return self.wording.hash

    def verdicts(self, chains: Sequence[Chain]) -> pd.DataFrame:
        """Ask for every requirement of every response.

        Args:
            chains: with different ids. A requirement with a rubric is asked by its rubric.

        Returns:
            One row per chain, response and requirement (places from 0): ``judge, model, prompt,
            prompt_hash, chain_id, response, requirement, type, verdict, probability, reply,
            problem``. ``verdict`` is 0, 1 or NaN, in mode "logits" 1 from a probability of 0.5 on;
            ``probability`` is NaN in mode "text"; ``problem`` says why there is no verdict.
        """
        table, asked = _questions(self.name, self.backend, self.wording, "requirement", chains)
        if self.mode == "text":
            replies = complete(self.backend, asked, self.max_tokens)
            readings = read_all(replies, templates.read_verdict)
            table["verdict"] = [reading.value for reading in readings]
            table["probability"] = NAN
            table["reply"] = [reply.text for reply in replies]
            table["problem"] = [reading.problem for reading in readings]
            return table
        options = self.wording.options or ("", "")
        log_p = np.full((0, 2), NAN)
        if asked:
            log_p = np.asarray(self.backend.option_logprobs(asked, options), dtype=float)
        _one_each(self.backend, log_p, asked)
        with np.errstate(invalid="ignore"):  # both impossible: -inf - -inf
            probability = expit(log_p[:, 0] - log_p[:, 1])
        known = ~np.isnan(probability)
        table["verdict"] = np.where(known, probability >= 0.5, NAN)
        table["probability"] = probability
        table["reply"] = None
        missing = f"unknown log-probability of {options[0]!r} or {options[1]!r}"
        table["problem"] = np.where(known, None, missing)
        return table

    def aggregate(self, table: pd.DataFrame, chains: Sequence[Chain]) -> Scores:
        """Mean over requirements, in [0, 1]; NaN for a response with a missing verdict.

        Args:
            table: of :meth:`verdicts`, rows in any order.
            chains: the chains to return scores for.
        """
        return [grid.mean(axis=1) for grid in _grids(table, self._column, chains)]

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One number in [0, 1] per response, or NaN; see :meth:`aggregate`."""
        return self.aggregate(self.verdicts(chains), chains)

    def bounds(self, table: pd.DataFrame, chains: Sequence[Chain]) -> pd.DataFrame:
        """Between which values tau-b lies; see :func:`~wfine_utils.judges.judges.bounds`."""
        grids = _grids(table, self._column, chains)
        step = 1 if self.mode == "text" else None
        return bounds(chains, [_possible(grid, 0, 1, step) for grid in grids], grid=bool(step))

    @property
    def _column(self) -> str:
        return "verdict" if self.mode == "text" else "probability"


@dataclass(frozen=True)
class Critic:
    """A strict critic: a whole number from 1 to 10 for every requirement, with a reason.

    Args:
        backend: what answers the prompts.
        name: how the critic is called in tables.
        template: another wording with the slots ``$task``, ``$response`` and ``$criterion``.
        max_tokens: longest reply; one that is cut off is no JSON, and so no score.
    """

    backend: Backend
    name: str = "critic"
    template: Template = templates.CRITIC
    max_tokens: int = 256

    @property
    def prompt_hash(self) -> str:
        """sha256 of the template's text."""
        return self.template.hash

    def verdicts(self, chains: Sequence[Chain]) -> pd.DataFrame:
        """Ask for every requirement of every response.

        Returns:
            As ``RequirementJudge.verdicts``, with ``verdict`` in 1 … 10 or NaN, ``reason`` for
            ``probability``, and ``problem`` for a reply that is not exactly what was asked for.
        """
        table, asked = _questions(self.name, self.backend, self.template, "criterion", chains)
        replies = complete(self.backend, asked, self.max_tokens)
        readings = read_all(replies, templates.read_review)
        table["verdict"] = [reading.value for reading in readings]
        table["reason"] = [reading.reason for reading in readings]
        table["reply"] = [reply.text for reply in replies]
        table["problem"] = [reading.problem for reading in readings]
        return table

    def aggregate(self, table: pd.DataFrame, chains: Sequence[Chain]) -> Scores:
        """Mean over requirements, in [1, 10]; NaN for a response with a missing score."""
        return [grid.mean(axis=1) for grid in _grids(table, "verdict", chains)]

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One number in [1, 10] per response, or NaN; see :meth:`aggregate`."""
        return self.aggregate(self.verdicts(chains), chains)

    def bounds(self, table: pd.DataFrame, chains: Sequence[Chain]) -> pd.DataFrame:
        """Between which values tau-b lies; see :func:`~wfine_utils.judges.judges.bounds`."""
        grids = _grids(table, "verdict", chains)
        return bounds(chains, [_possible(grid, 1, 10, 1) for grid in grids])


def count_problems(table: pd.DataFrame) -> pd.DataFrame:
    """How many questions were answered, and what was wrong with the others.

    Args:
        table: of any judge's ``verdicts``, of one judge or several.

    Returns:
        One row per judge and problem ("" for an answer that could be read), commonest first:
        ``judge, problem, n, share`` (of that judge's questions).
    """
    counts = (
        table.assign(problem=table["problem"].fillna("").astype(str))
        .groupby("judge", sort=False)["problem"]
        .value_counts()
        .reset_index(name="n")
    )
    return counts.assign(share=counts["n"] / counts.groupby("judge")["n"].transform("sum"))


def _possible(
    grid: NDArray[np.float64], low: float, high: float, step: float | None
) -> list[NDArray[np.float64]]:
    """For every response the means it may have: all of them, or without a step the two ends."""
    found = []
    for row in grid:
        n = np.count_nonzero(np.isnan(row))
        count = 2 if step is None else round((high - low) / step) * n + 1
        rest = np.linspace(low * n, high * n, count if n else 1)
        found.append((np.nansum(row) + rest) / len(row))
    return found


def complete(backend: Backend, asked: Sequence[str], max_tokens: int) -> list[Reply]:
    """The replies of a backend, greedy, exactly one to every prompt."""
    replies = list(backend.complete(asked, max_tokens=max_tokens)) if asked else []
    _one_each(backend, replies, asked)
    return replies


def read_all(replies: Sequence[Reply], read: Callable[[str], Reading]) -> list[Reading]:
    """Every reply as ``read`` reads it; NaN and the backend's problem where none came."""
    return [
        Reading(NAN, f"no reply: {reply.problem}") if reply.text is None else read(reply.text)
        for reply in replies
    ]


def _one_each(backend: Backend, answers: Sequence, asked: Sequence[str]) -> None:
    if len(answers) != len(asked):
        raise WfineError(
            f"backend {backend.fingerprint}: found {len(answers)} answers to {len(asked)} prompts; "
            "expected one to each, in their order. Mend the backend."
        )


def heading(name: str, backend: Backend, template: Template) -> dict[str, str]:
    """The columns that say who was asked, and by which wording."""
    return {
        "judge": name,
        "model": backend.fingerprint,
        "prompt": template.label,
        "prompt_hash": template.hash,
    }


def _questions(
    name: str, backend: Backend, template: Template, slot: str, chains: Sequence[Chain]
) -> tuple[pd.DataFrame, list[str]]:
    """The first columns of a table of verdicts, and the prompt of every row."""
    rows, asked = [], []
    for chain in chains:
        for i, response in enumerate(chain.responses):
            for j, requirement in enumerate(chain.requirements):
                question = requirement.rubric or requirement.text
                parts = {"task": chain.base_task, "response": response.text, slot: question}
                asked.append(template.fill(**parts))
                rows.append((chain.chain_id, i, j, requirement.type and requirement.type.value))
    columns = ["chain_id", "response", "requirement", "type"]
    table = pd.DataFrame(rows, columns=columns)
    for place, (key, value) in enumerate(heading(name, backend, template).items()):
        table.insert(place, key, value)
    return table, asked


def _grids(table: pd.DataFrame, column: str, chains: Sequence[Chain]) -> list[NDArray[np.float64]]:
    """The verdicts of every chain, shape [responses, requirements]; NaN where there is none."""
    keys = ["chain_id", "response", "requirement"]
    if table.duplicated(keys).any():
        raise WfineError(
            f"judge: found two verdicts on chain {table[table.duplicated(keys)].iloc[0].chain_id!r}"
            ", same response, same requirement; expected one. Give every chain an id of its own, "
            "and pass the table of one judge."
        )
    known = table.set_index(keys)[column].to_dict()
    return [
        np.array(
            [
                [known.get((chain.chain_id, i, j), NAN) for j in range(len(chain.requirements))]
                for i in range(len(chain.responses))
            ],
            dtype=np.float64,
        )
        for chain in chains
    ]


MAX_RESOLUTIONS = 4096
"""Up to so many ways to resolve the missing verdicts of one chain, all of them are tried."""


def bounds(
    chains: Sequence[Chain], possible: Sequence[Sequence[NDArray[np.float64]]], *, grid: bool = True
) -> pd.DataFrame:
    """Tau-b if every missing verdict were resolved in the worst and in the best way.

    Every chain is bounded by itself, and the bounds are averaged over chains, as tau-b is. A chain
    with up to :data:`MAX_RESOLUTIONS` ways to resolve its missing verdicts is bounded exactly: all
    are tried. For others, and off a grid, every pair of responses is resolved by itself in
    its worst and best way, even where two pairs cannot have theirs together. That may be too wide
    and is never too narrow: the tau-b that full replies would have given lies between the bounds.

    Args:
        chains: as in ``weval.evaluate``.
        possible: shape [chains][responses]: the scores, in rising order, that the response may
            have; one where nothing is missing.
        grid: are these all the scores it may have, or only the lowest and the highest?

    Returns:
        Rows "worst" and "best": ``bound, metric, value, n_chains`` (with two different gold
        ranks), ``n_incomplete`` (chains with something missing), ``n_exact`` (of these). Unlike
        ``weval.evaluate``, which leaves out what was not scored, every response counts here. So
        its value may lie outside these bounds, where the unscored responses are the hard ones.
    """
    worst, best, exact, incomplete = [], [], 0, 0
    for chain, options in zip(chains, possible, strict=True):
        missing = any(len(values) > 1 for values in options)
        tried = not missing or (grid and prod(map(len, options)) <= MAX_RESOLUTIONS)
        if tried:
            ways = list(product(*options))
            tau = per_chain([chain] * len(ways), ways)["kendall_tau_b"].to_numpy()
            low, high = tau.min(), tau.max()
        else:
            low, high = _outer_bounds(chain.gold, options)
        worst.append(low)
        best.append(high)
        incomplete += missing
        exact += missing and tried
    rows = {"bound": ["worst", "best"], "metric": "kendall_tau_b"}
    known = ~np.isnan(worst)
    values = [np.mean(np.compress(known, v)) if known.any() else NAN for v in (worst, best)]
    counts = {"n_chains": int(known.sum()), "n_incomplete": incomplete, "n_exact": exact}
    return pd.DataFrame({**rows, "value": values, **counts})


def _outer_bounds(
    gold: Sequence[int], possible: Sequence[NDArray[np.float64]]
) -> tuple[float, float]:
    """Lowest and highest tau-b if every pair could be resolved by itself."""
    i, j = np.triu_indices(len(gold), 1)
    g = np.sign(np.subtract.outer(gold, gold))[i, j]
    low, high = np.array([(v[0], v[-1]) for v in possible]).T
    # Signs of the difference of scores that a pair can have at least and at most.
    least, most = np.sign(low[i] - high[j]), np.sign(high[i] - low[j])
    n_gold = np.count_nonzero(g)
    if n_gold == 0:
        return NAN, NAN
    agree_low = np.where(g > 0, least, -most)[g != 0].sum()
    agree_high = np.where(g > 0, most, -least)[g != 0].sum()
    # Pairs that are never tied, pairs that need not be tied: tau-b divides by the root of a
    # number between the two, which is no smaller than the number of pairs that agree.
    never, may = np.count_nonzero(least * most > 0), np.count_nonzero((least != 0) | (most != 0))

    def tau(agree: float, few: bool) -> float:
        n_scored = max(never, abs(agree)) if few else may
        return float(agree / np.sqrt(n_gold * max(n_scored, 1)))

    return tau(agree_low, agree_low < 0), tau(agree_high, agree_high > 0)

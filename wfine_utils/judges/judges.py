"""Language models as scorers: a judge of single requirements, and a critic.

Both ask one question for each requirement of each response, and score a response by the mean over
its requirements. Each has three steps, which can be taken apart: ``verdicts`` asks and gives a tidy
table, to be kept; ``aggregate`` makes scores of such a table; ``bounds`` says between which values
tau-b lies, whatever the replies that could not be read would have said. ``score``, the scorer
protocol, is the first two in a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from scipy.special import expit

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.judges import templates
from wfine_utils.judges.backends import Backend, CachedBackend
from wfine_utils.judges.bounds import means_with_unknowns, tau_bounds
from wfine_utils.judges.templates import NAN, Reading, Template
from wfine_utils.weval.resampling import FloatArray
from wfine_utils.weval.scorers import Scores

UNIT = ["chain_id", "response", "requirement"]


class Judge(ABC):
    """What judges share; by default a response's score is the mean over its requirements."""

    backend: Backend
    name: str
    max_tokens: int
    scale: ClassVar[tuple[float, float]] = (0, 1)
    keys: ClassVar[list[str]] = UNIT  # columns: the chain, the response, what it is judged on

    @property
    def column(self) -> str:
        """Column of :meth:`verdicts` that scores are made of."""
        return "verdict"

    @abstractmethod
    def verdicts(self, chains: Sequence[Chain]) -> pd.DataFrame:
        """Ask for every requirement of every response of chains with different ids."""

    def aggregate(self, table: pd.DataFrame, chains: Sequence[Chain]) -> Scores:
        """Mean over requirements, on :attr:`scale`; NaN for a response with a missing verdict."""
        return [grid.mean(axis=1) for grid in self.grids(table, chains)]

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One number per response, or NaN; see :meth:`aggregate`."""
        return self.aggregate(self.verdicts(chains), chains)

    def bounds(self, table: pd.DataFrame, chains: Sequence[Chain]) -> pd.DataFrame:
        """Between which values tau-b lies; see :func:`~wfine_utils.judges.bounds.tau_bounds`."""
        step = 1 if self.column == "verdict" else None  # a probability may be any number
        grids = self.grids(table, chains)
        possible = [means_with_unknowns(grid, *self.scale, step) for grid in grids]
        return tau_bounds(chains, possible, complete=step is not None)

    def grids(self, table: pd.DataFrame, chains: Sequence[Chain]) -> list[FloatArray]:
        """The verdicts of a table, one array [responses, requirements] per chain; NaN for none."""
        known = by_place(table, self.keys, self.column).to_dict()
        grids = []
        for chain in chains:
            n = len(chain.responses)
            shape = n, len(chain.wanted) if self.keys == UNIT else n
            values = [known.get((chain.chain_id, *place), NAN) for place in np.ndindex(shape)]
            grids.append(np.array(values, dtype=float).reshape(shape))
        return grids

    def _questions(self, template: Template, columns: list[str], rows: list) -> pd.DataFrame:
        """Rows of questions after the columns that say who is asked, and by which wording."""
        heading = {"judge": self.name, "model": self.backend.fingerprint, "prompt": template.label,
                   "prompt_hash": template.hash}  # fmt: skip
        table = pd.DataFrame(rows, columns=columns)
        return pd.DataFrame(heading, index=table.index).join(table)

    def _by_requirement(
        self, template: Template, slot: str, chains: Sequence[Chain]
    ) -> tuple[pd.DataFrame, list[str]]:
        """A question for every requirement of every response, and its prompt."""
        rows, prompts = [], []
        for chain in chains:
            for i, response in enumerate(chain.responses):
                for j, requirement in enumerate(chain.wanted):
                    question = requirement.rubric or requirement.text
                    parts = {"task": chain.base_task, "response": response.text, slot: question}
                    prompts.append(template.fill(**parts))
                    kind = requirement.type and requirement.type.value
                    rows.append((chain.chain_id, i, j, kind))
        return self._questions(template, [*UNIT, "type"], rows), prompts

    def _answered(
        self, questions: pd.DataFrame, prompts: Sequence[str], read: Callable[[str], Reading]
    ) -> pd.DataFrame:
        """Questions with ``verdict, reason, reply, problem``; the replies are greedy."""
        ask = self.backend.complete
        replies = list(ask(prompts, max_tokens=self.max_tokens)) if prompts else []
        _check_one_each(self.backend, len(replies), len(prompts))
        readings = [
            Reading(NAN, f"no reply: {reply.problem}") if reply.text is None else read(reply.text)
            for reply in replies
        ]
        unread = [p for p, r in zip(prompts, readings, strict=True) if np.isnan(r.value)]
        if isinstance(self.backend, CachedBackend):
            self.backend.forget(unread, max_tokens=self.max_tokens)
        answers = {
            "verdict": [reading.value for reading in readings],
            "reason": [reading.reason for reading in readings],
            "reply": [reply.text for reply in replies],
            "problem": [reading.problem for reading in readings],
        }
        return questions.join(pd.DataFrame(answers, index=questions.index))


@dataclass(frozen=True)
class RequirementJudge(Judge):
    """A judge that gives one verdict per requirement: is it met?

    Args:
        backend: what answers the prompts.
        mode: "text" reads a verdict of 0 or 1 from the end of a reply; "logits" reads the
            probability of yes, among yes and no, of the first token: nothing to parse, hardly any
            ties, one forward pass.
        name: how the judge is called in tables.
        template: another wording with the slots ``$task``, ``$response`` and ``$requirement``, for
            "logits" with ``options``; None for that of :mod:`~wfine_utils.judges.templates`.
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
        text, logits = templates.REQUIREMENT_TEXT, templates.REQUIREMENT_LOGITS
        return self.template or (text if self.mode == "text" else logits)

    @property
    def column(self) -> str:
        """The probability, where there is one: it says more than the verdict."""
        return "verdict" if self.mode == "text" else "probability"

    def verdicts(self, chains: Sequence[Chain]) -> pd.DataFrame:
        """Ask for every requirement of every response, by its rubric where it has one.

        Returns:
            One row per chain, response and requirement (places from 0): ``judge, model, prompt,
            prompt_hash, chain_id, response, requirement, type, verdict, probability, reply,
            problem``. ``verdict`` is 0, 1 or NaN, in mode "logits" 1 from a probability of 0.5 on;
            ``problem`` says why there is none.
        """
        table, prompts = self._by_requirement(self.wording, "requirement", chains)
        if self.mode == "text":
            table = self._answered(table, prompts, templates.read_verdict)
            return table.drop(columns="reason").assign(probability=NAN)
        yes, no = self.wording.options or ("", "")
        log_p = np.full((0, 2), NAN)
        if prompts:
            log_p = np.asarray(self.backend.option_logprobs(prompts, [yes, no]), dtype=float)
        _check_one_each(self.backend, len(log_p), len(prompts))
        with np.errstate(invalid="ignore"):  # both impossible: -inf - -inf
            probability = expit(log_p[:, 0] - log_p[:, 1])
        known = ~np.isnan(probability)
        verdict = np.where(known, probability >= 0.5, NAN)
        missing = f"unknown log-probability of {yes!r} or {no!r}"
        problems: Any = [None if ok else missing for ok in known.tolist()]
        return table.assign(verdict=verdict, probability=probability, reply=None, problem=problems)


@dataclass(frozen=True)
class Critic(Judge):
    """A strict critic: a whole number from 1 to 10 for every requirement, with a reason.

    Args:
        backend, name: as for :class:`RequirementJudge`.
        template: another wording with the slots ``$task``, ``$response`` and ``$criterion``.
        max_tokens: longest reply; one that is cut off is no JSON, and so no score.
    """

    backend: Backend
    name: str = "critic"
    template: Template = templates.CRITIC
    max_tokens: int = 256

    scale: ClassVar[tuple[float, float]] = (1, 10)

    def verdicts(self, chains: Sequence[Chain]) -> pd.DataFrame:
        """Ask for every requirement of every response.

        Returns:
            As ``RequirementJudge.verdicts``, with ``verdict`` in 1 … 10 or NaN, ``reason`` for
            ``probability``, and ``problem`` for a reply that is not exactly what was asked for.
        """
        table, prompts = self._by_requirement(self.template, "criterion", chains)
        return self._answered(table, prompts, templates.read_review)


def count_problems(table: pd.DataFrame) -> pd.DataFrame:
    """How many questions were answered, and what was wrong with the others.

    Args:
        table: ``verdicts`` of one judge or several.

    Returns:
        One row per judge and problem ("" for an answer that could be read), commonest first:
        ``judge, problem, n, share`` (of that judge's questions).
    """
    problems = table["problem"].fillna("").astype(str).groupby(table["judge"], sort=False)
    counts = problems.value_counts().reset_index(name="n")
    return counts.assign(share=counts["n"] / counts.groupby("judge")["n"].transform("sum"))


def _check_one_each(backend: Backend, n_answers: int, n_prompts: int) -> None:
    if n_answers != n_prompts:
        raise WfineError(
            f"backend {backend.fingerprint}: found {n_answers} answers to {n_prompts} prompts; "
            "expected one to each, in their order. Mend the backend."
        )


def by_place(table: pd.DataFrame, keys: list[str], column: str) -> pd.Series:
    """The verdicts of one judge by chain id and two places in the chain, each there once."""
    twice = table[table.duplicated(keys)]
    if len(twice):
        raise WfineError(
            f"judge: found two verdicts on chain {twice.iloc[0]['chain_id']!r}, same "
            f"{' and '.join(keys[1:])}; expected one. Give every chain an id of its own, and pass "
            "the table of one judge."
        )
    return table.set_index(keys)[column]

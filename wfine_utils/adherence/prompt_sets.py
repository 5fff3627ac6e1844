"""Sets of prompts to judge policies on: the same questions to every policy, before and after RL.

A set knows its prompts and how answers to them are judged: by machine where that can be done, by
a scorer (:class:`wfine_utils.weval.scorers.Scorer`) where it cannot. What was to be judged and was
not is NaN and counted. Tables of any set are made by :mod:`wfine_utils.adherence.compare`.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.adherence.measure import ALL_MET, MEAN, adherence
from wfine_utils.adherence.prompt_files import layout, load_ifeval, load_writingbench
from wfine_utils.chains.files import load_chains
from wfine_utils.chains.real_queries import load_real_queries
from wfine_utils.chains.taxonomy import Chain, Query, Requirement, RequirementType, Response
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.checks.dispatch import CHECKS, check
from wfine_utils.checks.instructions import loose_variants
from wfine_utils.errors import WfineError
from wfine_utils.files import resolve
from wfine_utils.judges import templates
from wfine_utils.judges.backends import Backend
from wfine_utils.judges.judges import Critic, RequirementJudge
from wfine_utils.weval.scorers import Scorer, score_all

TINY, REAL, WEVAL_HAND = "tiny", "real", "weval_hand"

BUILT_IN = (TINY, REAL, WEVAL_HAND)
"""Sets that go by a name; any other is a file."""

JUDGED, CHECKLIST = "by judge", "checklist score"
PROMPT_LEVEL, INSTRUCTION_LEVEL = "prompt-level strict", "instruction-level strict"
PROMPT_LOOSE, INSTRUCTION_LOOSE = "prompt-level loose", "instruction-level loose"
By = Literal["machine", "judge", "nobody"]

Answers = Mapping[str, Sequence[str]]
"""Texts by policy, one per prompt of a set, in its order."""


@dataclass(frozen=True)
class PromptSet(ABC):
    """Prompts and their judge. Subclasses say what is measured.

    Args:
        name: how tables, figures and files call the set.
        queries: at least one; a policy is asked its ``prompt()``, and judged by its requirements.
        scorer: judges what no machine can, by the scorer protocol; None leaves that NaN.
        n_left_out: prompts that :meth:`without_long` took away.
        n_tokens: of the longest prompt and the longest answer together; 0 where it is not known.
    """

    name: str
    queries: tuple[Query, ...]
    scorer: Scorer | None = None
    n_left_out: int = 0
    n_tokens: int = 0

    scale: ClassVar[tuple[float, float]] = (0, 1)
    scale_label: ClassVar[str] = "share met"

    @abstractmethod
    def judge(self, answers: Answers) -> dict[str, pd.DataFrame]:
        """For each policy one row per prompt and one column per measure.

        NaN where nothing of the kind was asked for, or the judge gave no verdict that could be
        read. Policies come together because a scorer reads chains: all answers to one prompt.
        """

    @abstractmethod
    def n_requirements(self) -> pd.DataFrame:
        """How many requirements stand behind each value of :meth:`judge`; 0 leaves it NaN."""

    @property
    def measures(self) -> list[str]:
        """What :meth:`judge` measures, in its order."""
        return self.n_requirements().columns.tolist()

    def by(self, requirement: Requirement) -> By:
        """Who judges a requirement of this set."""
        if requirement.check is not None and requirement.check["kind"] in CHECKS:
            return "machine"
        return "nobody" if self.scorer is None else "judge"

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """For measures that are means over requirements, not over prompts: how many of them."""
        return {}

    def with_judge(self, backend: Backend) -> Self:
        """This set with a language model as judge of what no machine can judge."""
        return replace(self, scorer=RequirementJudge(backend, mode="logits"))

    def thinned(self, n: int) -> Self:
        """At most ``n`` of the prompts, evenly spaced over the set; all of them for 0."""
        if not 0 < n < len(self.queries):
            return self
        places = np.linspace(0, len(self.queries) - 1, n).round().astype(int)
        return replace(self, queries=tuple(self.queries[i] for i in places))

    def without_long(self, lengths: Sequence[int], limit: float) -> Self:
        """This set without the prompts that a model cannot read; ``n_left_out`` counts them.

        They are not cut: an answer to half an instruction would be judged by the whole.

        Args:
            lengths: shape [prompts], tokens of each prompt and of the longest answer together.
            limit: most tokens that the model has positions for; may be infinite.

        Raises:
            WfineError: none fits.
        """
        fits = [length <= limit for length in lengths]
        if not any(fits):
            raise WfineError(
                f"{self.name}: found none of {len(fits)} prompts that fits, with its answer, into "
                f"the {limit:,} tokens of the model; the shortest takes {min(lengths):,}. Expected "
                "one at least: lower max_new_tokens, or take the set out of prompt_sets."
            )
        queries, n_tokens = tuple(compress(self.queries, fits)), max(compress(lengths, fits))
        n_left_out = self.n_left_out + fits.count(False)
        return replace(self, queries=queries, n_left_out=n_left_out, n_tokens=n_tokens)

    @property
    def batch_size(self) -> int:
        """Prompts to answer at a time: 64, or fewer if they are long."""
        # together 65,536 tokens at most, whose keys and values take 3.7 GB in Qwen2.5-7B
        return max(1, min(64, 2**16 // max(1, self.n_tokens)))

    @property
    def digest(self) -> str:
        """sha256 of all that a policy's answers depend on: the prompts in their order."""
        text = json.dumps([query.prompt() for query in self.queries])
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Name, prompts used and left out, and how many requirements are judged by whom."""
        by = Counter(self.by(r) for query in self.queries for r in query.requirements)
        n = {"n_prompts": len(self.queries), "n_left_out": self.n_left_out}
        n |= {f"n_by_{who}": by[who] for who in ("machine", "judge", "nobody")}
        return {"prompt_set": self.name, **n}

    def _scores(
        self, answers: Answers, criteria: Sequence[Sequence[Requirement]]
    ) -> dict[str, NDArray[np.float64]]:
        """The scorer's values, shape [prompts] for each policy; NaN where it has no question."""
        scores = {policy: np.full(len(self.queries), np.nan) for policy in answers}
        places, chains = [i for i, wanted in enumerate(criteria) if wanted], []
        if self.scorer is None or not places:
            return scores
        for i in places:
            kept = (True,) * len(criteria[i])
            responses = [Response(texts[i], kept, policy) for policy, texts in answers.items()]
            # a chain has two responses at least: a policy by itself stands in it twice
            both = tuple(responses * 2 if len(responses) == 1 else responses)
            prompt = self.queries[i].prompt()
            chains.append(Chain(f"{self.name}-{i}", None, prompt, tuple(criteria[i]), both))
        values = score_all([self.scorer], chains)[self.scorer.name]
        for k, policy in enumerate(answers):
            scores[policy][places] = [row[k] for row in values]
        return scores


class RequirementSet(PromptSet):
    """Typed requirements, judged by checkers or else by the judge: all but files of benchmarks.

    Measures: those of :func:`~wfine_utils.adherence.measure.adherence`, by exact checkers; and
    ``by judge``, the scorer's value for the requirements without a check, where there are any.
    """

    def judge(self, answers: Answers) -> dict[str, pd.DataFrame]:
        """See :meth:`PromptSet.judge`."""
        unchecked = [[r for r in q.requirements if r.check is None] for q in self.queries]
        tables = {policy: adherence(self.queries, texts) for policy, texts in answers.items()}
        if any(unchecked):
            for policy, scores in self._scores(answers, unchecked).items():
                tables[policy][JUDGED] = scores
        return tables

    def n_requirements(self) -> pd.DataFrame:
        """See :meth:`PromptSet.n_requirements`."""
        checked = [[r.type for r in q.requirements if r.check is not None] for q in self.queries]
        table = {str(kind): [types.count(kind) for types in checked] for kind in RequirementType}
        table |= {measure: list(map(len, checked)) for measure in (MEAN, ALL_MET)}
        unchecked = [sum(r.check is None for r in query.requirements) for query in self.queries]
        return pd.DataFrame(table | ({JUDGED: unchecked} if any(unchecked) else {}))


class InstructionSet(PromptSet):
    """Verifiable instructions of IFEval and IFBench, by the checkers of :mod:`wfine_utils.checks`.

    Measures: ``prompt-level strict``, 1 where all instructions of a prompt are met;
    ``instruction-level strict``, the share of instructions that are met, averaged over all of them
    and not over prompts, as published; and both ``loose``, where an instruction is met too if one
    of the answer's :func:`~wfine_utils.checks.instructions.loose_variants` meets it. An instruction
    without a checker is left out of the instruction level and makes the prompt level NaN.
    """

    def with_judge(self, backend: Backend) -> Self:
        """The same set: all is judged by machine."""
        return self

    def judge(self, answers: Answers) -> dict[str, pd.DataFrame]:
        """See :meth:`PromptSet.judge`."""
        tables = {}
        for policy, texts in answers.items():
            pairs = zip(self.queries, texts, strict=True)
            tables[policy] = pd.DataFrame([self._one(query, text) for query, text in pairs])
        return tables

    def _one(self, query: Query, text: str) -> dict[str, float]:
        checks = [r.check or {} for r in query.requirements if self.by(r) == "machine"]
        all_known = len(checks) == len(query.requirements)
        strict = [check(spec, text) for spec in checks]  # refuses what is no text
        variants = loose_variants(text)
        loose = [any(check(spec, one) for one in variants) for spec in checks]
        row = {}
        for prompt_level, instruction_level, met in (
            (PROMPT_LEVEL, INSTRUCTION_LEVEL, strict),
            (PROMPT_LOOSE, INSTRUCTION_LOOSE, loose),
        ):
            row[prompt_level] = float(all(met)) if all_known else np.nan
            row[instruction_level] = float(np.mean(met)) if met else np.nan
        return row

    def n_requirements(self) -> pd.DataFrame:
        """See :meth:`PromptSet.n_requirements`."""
        n = [len(query.requirements) for query in self.queries]
        measures = (PROMPT_LEVEL, INSTRUCTION_LEVEL, PROMPT_LOOSE, INSTRUCTION_LOOSE)
        return pd.DataFrame(dict.fromkeys(measures, n))

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """See :meth:`PromptSet.weights`."""
        n = [sum(self.by(r) == "machine" for r in query.requirements) for query in self.queries]
        return dict.fromkeys((INSTRUCTION_LEVEL, INSTRUCTION_LOOSE), np.array(n, dtype=float))


class ChecklistSet(PromptSet):
    """Prompts with a checklist each: WritingBench, by a critic from 1 to 10.

    Measure: ``checklist score``, the mean over all criteria of the prompt's own checklist, NaN
    where the score of one of them is missing.
    """

    scale: ClassVar[tuple[float, float]] = (1, 10)
    scale_label: ClassVar[str] = "mean score of the critic, 1 to 10"

    def with_judge(self, backend: Backend) -> Self:
        """This set with a language model as critic."""
        return replace(self, scorer=Critic(backend, template=templates.CHECKLIST))

    def judge(self, answers: Answers) -> dict[str, pd.DataFrame]:
        """See :meth:`PromptSet.judge`."""
        scores = self._scores(answers, [query.requirements for query in self.queries])
        return {policy: pd.DataFrame({CHECKLIST: scores[policy]}) for policy in answers}

    def n_requirements(self) -> pd.DataFrame:
        """See :meth:`PromptSet.n_requirements`."""
        return pd.DataFrame({CHECKLIST: [len(query.requirements) for query in self.queries]})


def load_prompt_sets(
    sources: Sequence[str], *, tiny: Sequence[Query] = (), real: Sequence[Query] = ()
) -> list[PromptSet]:
    """Prompt sets by name or from files, each checked as a whole.

    Args:
        sources: "tiny"; "real", the real queries; "weval_hand", its test chains; or a file, seen
            from the project root, in one of the layouts of
            :mod:`wfine_utils.adherence.prompt_files` or of ``load_chains``.
        tiny: the queries that "tiny" stands for: those of notebook 02.
        real: the queries that "real" stands for; none: the test queries that come with us.

    Returns:
        The sets in this order, without judges. That of a file has the file's name without suffix.

    Raises:
        WfineError: up to 20 problems of a file; two sets of one name; "tiny" without queries.
    """
    sets: dict[str, PromptSet] = {}
    for source in sources:
        one = _load(source, tiny, real)
        if one.name in sets or (one.name in BUILT_IN and one.name != source):
            raise WfineError(
                f"prompt_sets: found {source!r}, but the name {one.name!r} is another set's; "
                "expected different names, by which tables and files are called. Rename the file, "
                "or name the set once."
            )
        sets[one.name] = one
    return list(sets.values())


def _load(source: str, tiny: Sequence[Query], real: Sequence[Query]) -> PromptSet:
    if source == TINY:
        if not tiny:
            raise WfineError(
                "prompt_sets: found 'tiny' and no queries for it; expected the test queries of "
                "notebook 02. Pass load_prompt_sets(..., tiny=queries)."
            )
        return RequirementSet(TINY, tuple(tiny))
    if source == REAL:
        return RequirementSet(REAL, tuple(real or load_real_queries("test")))
    if source == WEVAL_HAND:
        return RequirementSet(source, tuple(chain.query for chain in load_weval_hand("test")))
    path = resolve(source)
    kind = layout(path)
    if kind == "ifeval":
        return InstructionSet(path.stem, load_ifeval(path))
    if kind == "writingbench":
        return ChecklistSet(path.stem, load_writingbench(path))
    return RequirementSet(path.stem, tuple(chain.query for chain in load_chains(path)))

"""What a fine-grained writing query is made of: categories, requirement types, chains.

A *chain* is one query together with several responses to it. The query is a base task and typed
requirements; each response records which of them were in the instruction when it was written. Their
number is its gold rank: all the supervision there is, for WEval and for WRL alike. Where readers
have judged the responses, what they say is the gold instead (:mod:`wfine_utils.chains.gold`), and
the requirements may be unknown.

Source: arXiv 2604.27453, figure of the taxonomy and appendix. The abstract there speaks of
seven requirement types, the figure and the appendix of four; we follow the four.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from wfine_utils.chains.gold import Gold


class TaskCategory(StrEnum):
    """The five task categories of the paper; the value is the name shown in tables."""

    CREATIVE = "Creative Writing & Narrative"
    FRAMEWORKS = "Frameworks & Structured Plans"
    ACADEMIC = "Long-form Academic Writing"
    DISCUSSION = "Discussion & Expression Tasks"
    PRACTICAL = "Informational & Practical Writing"


class RequirementType(StrEnum):
    """The four requirement types of the paper."""

    LENGTH = "length"
    FORMAT = "format"
    STYLE = "style"
    CONTENT = "content"


SUBTYPES: dict[RequirementType, tuple[str, ...]] = {
    RequirementType.LENGTH: (
        "word limit or range", "exact sentence count", "paragraph count and length",
        "proportional allocation", "character limit", "sentence-length limit",
    ),
    RequirementType.FORMAT: ("customised structure", "professional standard", "emphasis rules"),
    RequirementType.STYLE: (
        "tone", "rhetorical devices", "audience and culture", "identity or voice",
        "emotional appeal",
    ),
    RequirementType.CONTENT: (
        "required entities", "required data or statistics", "chronological order",
        "thematic coverage", "time-space perspective", "interdisciplinary focus",
        "counter-arguments", "hypotheticals",
    ),
}  # fmt: skip
"""All subtypes of the paper's taxonomy, by requirement type."""

_STRICT = ConfigDict(extra="forbid")
NonEmptyText = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=_STRICT)
class Requirement:
    """One typed requirement of a query.

    Args:
        type: requirement type, or None where the data set does not label it.
        subtype: one of ``SUBTYPES[type]``, or None where it is not labelled.
        text: the requirement as it stands in the instruction; never empty.
        check: ``{"kind": ..., **arguments}`` for ``wfine_utils.checks``; None: a machine cannot.
        rubric: a question that a reader of the response alone answers with yes if the
            requirement is met; for requirements without a check.

    Raises:
        pydantic.ValidationError: empty text, a subtype not of the type, a check and a rubric.
    """

    type: RequirementType | None
    subtype: str | None
    text: NonEmptyText
    check: dict[str, Any] | None = None
    rubric: NonEmptyText | None = None

    @model_validator(mode="after")
    def _one_judge_and_a_subtype_of_the_type(self) -> Requirement:
        if self.check is not None and self.rubric is not None:
            raise ValueError("found a check and a rubric, expected one of the two")
        known = SUBTYPES[self.type] if self.type else ()
        if self.subtype is not None and self.subtype not in known:
            raise ValueError(
                f"subtype {self.subtype!r} is not a subtype of {self.type}; known: "
                f"{list(known) or 'none without a type'}"
            )
        return self


@dataclass(frozen=True, config=_STRICT)
class Turn:
    """What was said before the instruction: a system message, or an earlier turn."""

    role: Literal["system", "user", "assistant"]
    content: str


Instruction = str | tuple[Turn, ...]
"""What is asked of a model: a text, or a conversation that ends with one, as the user's turn."""


@dataclass(frozen=True, config=_STRICT)
class Query:
    """A writing query before anybody has answered it.

    Args:
        category: task category, or None where the data set does not label it.
        base_task: the instruction with every requirement dropped; never empty.
        requirements: at least one in a file of queries; none where they are unknown.
        topic: what the text is about; the unit by which training and test are kept apart.
            Empty where the data set does not label it.
        before: system message and earlier turns, none as a rule.
    """

    category: TaskCategory | None
    base_task: NonEmptyText
    requirements: tuple[Requirement, ...]
    topic: str = ""
    before: tuple[Turn, ...] = ()

    @property
    def wanted(self) -> tuple[Requirement, ...]:
        """The requirements; or where none is known, the whole instruction as the only one."""
        return self.requirements or (Requirement(None, None, self.base_task),)

    def conversation(self) -> Instruction:
        """The full instruction, after the turns before it where there are some."""
        prompt = self.prompt()
        return (*self.before, Turn("user", prompt)) if self.before else prompt

    def prompt(self, kept: Sequence[bool] | None = None) -> str:
        """The instruction: the base task and each kept requirement, with spaces between them.

        Args:
            kept: one flag per requirement (else a ValueError); None keeps all of them.
        """
        if kept is None:
            kept = (True,) * len(self.requirements)
        texts = [r.text for r, keep in zip(self.requirements, kept, strict=True) if keep]
        return " ".join([self.base_task, *texts])


@dataclass(frozen=True, config=_STRICT)
class Response:
    """One response to a query, and what it was asked to do.

    Args:
        text: the response; may be empty.
        kept: one flag per requirement, in order: was it in the instruction for this response?
        source: who wrote it, e.g. a model name; free text.
    """

    text: str
    kept: tuple[bool, ...]
    source: str = ""

    @property
    def gold(self) -> int:
        """Number of requirements kept, the gold rank: higher is better."""
        return sum(self.kept)


@dataclass(frozen=True, config=_STRICT)
class Chain:
    """One query with its requirements, and its responses ordered by nothing in particular.

    Args:
        chain_id: unique within a file.
        responses: at least two; with fewer there is nothing to rank.
        category, base_task, topic, before: as in :class:`Query`.
        requirements: at least one, or none if there is another gold.
        judged: what readers say of the order of the responses, if it is this that is the gold and
            not the number of requirements kept.

    Raises:
        pydantic.ValidationError: flags or grades that do not fit, fewer than two responses, an
            empty text, no gold.
    """

    chain_id: NonEmptyText
    category: TaskCategory | None
    base_task: NonEmptyText
    requirements: tuple[Requirement, ...]
    responses: Annotated[tuple[Response, ...], Field(min_length=2)]
    topic: str = ""
    before: tuple[Turn, ...] = ()
    judged: Gold | None = None

    @model_validator(mode="after")
    def _gold_fits_responses(self) -> Chain:
        if self.judged:
            self.judged.refuse_other_sizes(len(self.responses))
        elif not self.requirements:
            raise ValueError("requirements found 0, expected at least 1, or a gold in judged")
        for i, response in enumerate(self.responses):
            if len(response.kept) != len(self.requirements):
                raise ValueError(
                    f"responses.{i}.kept has {len(response.kept)} flags, expected one for each "
                    f"of the {len(self.requirements)} requirements"
                )
        return self

    @property
    def gold(self) -> tuple[float, ...]:
        """Gold of every response, in their order: higher is better, NaN where it is unknown.

        The number of requirements kept, or what readers say (:meth:`Gold.numbers`).
        """
        if self.judged:
            return tuple(self.judged.numbers(len(self.responses)).tolist())
        return tuple(response.gold for response in self.responses)

    @property
    def query(self) -> Query:
        """The query alone, without its responses."""
        return Query(self.category, self.base_task, self.requirements, self.topic, self.before)

    @property
    def wanted(self) -> tuple[Requirement, ...]:
        """As of its query: the requirements, or the whole instruction as the only one."""
        return self.requirements or self.query.wanted

    def prompt(self, kept: Sequence[bool] | None = None) -> str:
        """The instruction, full or with requirements dropped; see :meth:`Query.prompt`."""
        return self.query.prompt(kept)

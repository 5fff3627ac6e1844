"""A quiz: questions as data, with an explanation for every choice, right or wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wfine_course.checking import Grade
from wfine_utils.errors import WfineError
from wfine_utils.files import read_yaml

Text = Annotated[str, Field(min_length=1)]


class Choice(BaseModel):
    """One choice, and what is to be said to those who take it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: Text
    why: Annotated[str, Field(min_length=15)]


class Question(BaseModel):
    """A question with its choices by letter, and the letter of the right one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    question: Text
    right: Text
    choices: Annotated[dict[Text, Choice], Field(min_length=2)]

    @model_validator(mode="after")
    def _right_is_a_choice(self) -> Question:
        letters = "abcdefgh"[: len(self.choices)]
        if [*self.choices] != [*letters]:
            raise ValueError(f"choices are {[*self.choices]}, expected {[*letters]}")
        if self.right not in self.choices:
            raise ValueError(f"right is {self.right!r}, expected one of {[*letters]}")
        return self


class Said:
    """A paragraph of Markdown below a cell."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


class Quiz:
    """A quiz that is being taken; of several answers to a question the last one counts.

    Args:
        questions: in their order.
    """

    def __init__(self, questions: list[Question]) -> None:
        self.questions = questions
        self.given: dict[int, str] = {}

    def answer(self, number: int, letter: str) -> Said:
        """Answer a question, and read why it is right or wrong.

        Args:
            number: of the question, from 1.
            letter: of the choice; "" is no answer yet.
        """
        if number not in range(1, len(self.questions) + 1):
            return Said(f"There is no question {number}; they go from 1 to {len(self.questions)}.")
        question = self.questions[number - 1]
        known = ", ".join(question.choices)
        self.given.pop(number, None)
        if not letter:
            return Said(f"Question {number} waits for an answer: write {known} between the quotes.")
        chosen = question.choices.get(letter.strip().lower()) if isinstance(letter, str) else None
        if chosen is None:
            return Said(f"Question {number} has the choices {known}; write one between the quotes.")
        self.given[number] = letter.strip().lower()
        mark = "✓ Right." if self.given[number] == question.right else "✗ Not quite."
        return Said(f"{mark} {chosen.why}")

    def points(self) -> Grade:
        """A point for each question that was answered rightly."""
        right = sum(self.given.get(i) == q.right for i, q in enumerate(self.questions, start=1))
        n = len(self.questions)
        open_ = [str(i) for i in range(1, n + 1) if i not in self.given]
        rest = f" Not answered: {', '.join(open_)}." if open_ else ""
        return Grade(right, n, f"{right} of {n} right.{rest}")


def open_quiz(week: str) -> Quiz:
    """The quiz of a week, from ``wfine_course/<week>/quiz.yaml``.

    Raises:
        WfineError: there is none, or it is not in order; the message names question and field.
    """
    return Quiz(read_quiz(Path(__file__).parent / week / "quiz.yaml"))


def read_quiz(path: Path) -> list[Question]:
    """The questions of a file; as :func:`open_quiz`."""
    rows = read_yaml(path).get("questions") or []
    problems, questions = [], []
    for number, row in enumerate(rows, start=1):
        try:
            questions.append(Question.model_validate(row))
        except ValidationError as error:
            for e in error.errors(include_url=False):
                place = ".".join(str(x) for x in e["loc"])
                problems.append(f"question {number}: {place}: {e['msg']}")
    if problems or not rows:
        said = "; ".join(problems[:20]) or "found no questions"
        raise WfineError(f"{path.parent.name}/{path.name}: {said}. See course/CONTRIBUTING.md.")
    return questions

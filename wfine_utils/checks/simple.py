"""Machine checks of the tiny world: simple, fast, and about the text as a whole.

They differ from the checks of :mod:`wfine_utils.checks.prose` on purpose. There, parts of a
Markdown document are counted; here, a list is *nothing but* items, a heading *opens* the text, a
tone holds in *every* sentence. A sentence is what an end mark closes (``.``, ``!`` or ``?`` before
white space or the end), so that a heading and the greeting and closing of a letter are none, and a
mark counts before a small letter too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from wfine_utils.checks.markdown import seen_text
from wfine_utils.checks.prose import bold_terms, counted, numbers
from wfine_utils.checks.words import find_term, folded, mentioned, plain_text, word_count

_SENTENCE_END = re.compile(r"[.!?]+(?=[\s\"'”’)*]|$)")


def sentence_ends(text: str) -> list[str]:
    """The closing punctuation of each sentence in order, e.g. ``[".", "?"]``."""
    return _SENTENCE_END.findall(plain_text(text))


def _content_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def sentence_count(text: str, n: int) -> bool:
    """Exactly ``n`` sentences."""
    return len(sentence_ends(text)) == n


def bullet_list(text: str) -> bool:
    """Every line that is not blank is an item marked with ``-``, and there are two at least."""
    lines = _content_lines(text)
    return len(lines) >= 2 and all(line.startswith("- ") for line in lines)


def numbered_list(text: str) -> bool:
    """Every line that is not blank is an item, numbered 1, 2, 3, …; two at least."""
    lines = _content_lines(text)
    return len(lines) >= 2 and all(line.startswith(f"{i}. ") for i, line in enumerate(lines, 1))


def heading(text: str) -> bool:
    """The first line is a Markdown heading, and text follows it."""
    lines = _content_lines(text)
    return len(lines) >= 2 and re.match(r"#{1,6} \S", lines[0]) is not None


def letter(text: str) -> bool:
    """The layout of a letter: a greeting on the first line, a closing on the last."""
    lines = _content_lines(text)
    greeting, closing = r"Dear \w[^.!?]*,$", r"(?:Yours|Sincerely|Regards)\b[^.!?]*,?"
    return len(lines) >= 3 and bool(re.match(greeting, lines[0]) and re.match(closing, lines[-1]))


def bold_term(text: str, term: str) -> bool:
    """The term stands in bold at least once."""
    return bold_terms(text, [term])


def mentions(text: str, terms: Sequence[str]) -> bool:
    """Every term occurs as a whole word or phrase, ignoring case."""
    return all(mentioned(seen_text(text), term) for term in terms)


def in_order(text: str, terms: Sequence[str]) -> bool:
    """The terms occur as whole words, each one after the one before, ignoring case."""
    place = 0
    for term in terms:
        place = find_term(folded(seen_text(text)), term, place)
        if place < 0:
            return False
    return True


def exclamations(text: str) -> bool:
    """Every sentence ends with an exclamation mark, and there is one at least."""
    ends = sentence_ends(text)
    return bool(ends) and all("!" in end for end in ends)


@counted
def questions(text: str) -> int:
    """So many sentences that end with a question mark."""
    return sum("?" in end for end in sentence_ends(text))


_OWN = (sentence_count, bullet_list, numbered_list, heading, letter, bold_term, mentions, in_order,
        exclamations, questions)  # fmt: skip
TINY_CHECKS: dict[str, Callable[..., bool]] = {
    **{function.__name__: function for function in _OWN},
    "word_count": counted(word_count),
    "figures": numbers,
}
"""Every kind of check that the tiny world asks for, by name."""

r"""The 25 instruction types of IFEval, as checks that a machine can make on any response.

Ids, arguments and verdicts are those of the published benchmark in its strict mode: the response
is judged as it stands, and a blank one meets nothing. The code is ours. Where a published
definition is wider than its wording we keep it, so that verdicts compare: keywords may stand
inside other words; a rule ``---`` is a bullet point, ``[]`` a placeholder, ``***x***`` two
highlights and a bare number JSON; words are runs of ``\w`` ("don't" is two); postscript and
constrained answer may stand anywhere; a text without letters is in no wrong language.

Differences from the published code. All checks take linear time.

* Sentences are those of :func:`wfine_utils.checks.sentences.split_sentences`.
* py3langid names the language, always the same one, where the published code asks langdetect
  without a seed. It reads 10 000 characters, from the first letter on, and has the languages of
  langdetect to choose from, with one code ``zh`` for Chinese.
* Words in capitals are runs of letters and digits with inner apostrophes or hyphens. The published
  code asks NLTK, which cuts DON'T in two and counts A/B once. As published, I and B2 count.
* Keywords, forbidden words and section marks are plain text, not regular expressions.
* A line with a lone ``*`` is no bullet point. JSON nested too deep for Python is not JSON.
* An argument that is missing or wrong is an error. The published code draws one at random.

Source: Zhou et al. 2023, Instruction-Following Evaluation for Large Language Models.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from wfine_utils.checks.sentences import split_sentences
from wfine_utils.checks.words import WORD
from wfine_utils.errors import WfineError

LANGUAGES = frozenset(
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr "
    "ne nl no pa pl pt ro ru sk sl so sq sv sw ta te th tl tr uk ur vi zh".split()
)
"""The languages told apart, by ISO 639-1 code: those of langdetect."""

INSTRUCTIONS: dict[str, Callable[..., bool]] = {}
"""Every instruction type by its public id: ``function(text, **arguments)``."""

_RELATIONS = ("less than", "at least")
_POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
_LANGUAGE_SAMPLE = 10_000  # characters; normalising may take quadratic time in their number


def _instruction(instruction_id: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
    """Enter a check in :data:`INSTRUCTIONS`; it checks its arguments and refuses a blank text."""

    def enter(function: Callable[..., bool]) -> Callable[..., bool]:
        parameters = inspect.signature(function).parameters

        @functools.wraps(function)
        def judge(text: str, **arguments: Any) -> bool:
            valid = {k: _argument(k, parameters[k].annotation, v) for k, v in arguments.items()}
            return bool(text.strip()) and function(text, **valid)

        INSTRUCTIONS[instruction_id] = judge
        return judge

    return enter


def _argument(name: str, kind: str, value: Any) -> Any:
    """The value as its check takes it, or a WfineError."""
    original = value
    if kind == "int":
        low = int(name == "nth_paragraph")
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # pandas turns a column with gaps into floats
        valid = isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= low
        expected = f"a whole number from {low}"
    elif kind == "Sequence[str]":
        value = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
        valid = bool(value) and all(isinstance(word, str) and word.strip() for word in value)
        expected = "a list of words"
    elif not isinstance(value, str) or not value.strip():
        valid, expected = False, "a text that is not blank"
    elif name == "letter":
        value = value.strip()
        valid, expected = len(value) == 1, "one character"
    else:
        choices = LANGUAGES if name == "language" else _RELATIONS
        valid = value in choices or not name.endswith(("language", "relation"))
        expected = f"one of {', '.join(sorted(choices))}"
    if not valid:
        raise WfineError(f"argument {name}: found {original!r}, expected {expected}.")
    return value


def _compare(count: int, relation: str, bound: int) -> bool:
    return count < bound if relation == _RELATIONS[0] else count >= bound


@functools.cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(LANGUAGES)
    return identifier


def identify_language(text: str) -> str | None:
    """The code of a text's language, "und" if nothing tells, None for a text without letters."""
    letter = re.search(r"[^\W\d_]", text)
    if letter is None:
        return None
    code, score = _identifier().classify(text[letter.start() :][:_LANGUAGE_SAMPLE])
    return code if score > -1e30 else "und"


@_instruction("keywords:existence")
def keywords_exist(text: str, keywords: Sequence[str]) -> bool:
    """Every keyword occurs, also inside a word, ignoring case."""
    return all(re.search(re.escape(word), text, re.IGNORECASE) for word in keywords)


@_instruction("keywords:frequency")
def keyword_frequency(text: str, keyword: str, frequency: int, relation: str) -> bool:
    """The keyword occurs at least, or less than, so many times, ignoring case."""
    matches = re.findall(re.escape(keyword.strip()), text, re.IGNORECASE)
    return _compare(len(matches), relation, frequency)


@_instruction("keywords:forbidden_words")
def forbidden_words_absent(text: str, forbidden_words: Sequence[str]) -> bool:
    """No forbidden word occurs as a whole word, ignoring case."""
    patterns = (rf"(?<!\w){re.escape(word)}(?!\w)" for word in forbidden_words)
    return not any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


@_instruction("keywords:letter_frequency")
def letter_frequency(text: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    """The character occurs at least, or less than, so many times, ignoring case."""
    return _compare(text.lower().count(letter.lower()), let_relation, let_frequency)


@_instruction("language:response_language")
def response_language(text: str, language: str) -> bool:
    """The text is in this language."""
    return identify_language(text) in (language, None)


@_instruction("length_constraints:number_sentences")
def number_sentences(text: str, num_sentences: int, relation: str) -> bool:
    """At least, or less than, so many sentences."""
    return _compare(len(split_sentences(text)), relation, num_sentences)


@_instruction("length_constraints:number_paragraphs")
def number_paragraphs(text: str, num_paragraphs: int) -> bool:
    """Exactly so many paragraphs with ``***`` between them, none blank between two others."""
    parts = [part.strip() for part in text.split("***")]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


@_instruction("length_constraints:number_words")
def number_words(text: str, num_words: int, relation: str) -> bool:
    """At least, or less than, so many words."""
    return _compare(len(re.findall(r"\w+", text)), relation, num_words)


@_instruction("length_constraints:nth_paragraph_first_word")
def nth_paragraph_first_word(
    text: str, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """Exactly so many paragraphs between two new lines; the n-th opens with the word, in any case.

    As published, a blank paragraph between two others takes a place in the counting up to n, but
    is not one of the ``num_paragraphs``; quotes before the word, and all from its first mark
    ``. , ? ! ' "`` on, are cut off.
    """
    paragraphs = text.split("\n\n")
    filled = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    if filled != num_paragraphs or nth_paragraph > filled:
        return False
    word = (paragraphs[nth_paragraph - 1].split(maxsplit=1) or [""])[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == first_word.lower()


@_instruction("detectable_content:number_placeholders")
def number_placeholders(text: str, num_placeholders: int) -> bool:
    """At least so many placeholders ``[...]``, each within one line."""
    lines = (line[: line.rfind("]") + 1] for line in text.split("\n"))  # keeps the time linear
    return sum(len(re.findall(r"\[.*?\]", line)) for line in lines) >= num_placeholders


@_instruction("detectable_content:postscript")
def postscript(text: str, postscript_marker: str) -> bool:
    """The mark of a postscript stands somewhere, ignoring case; ``P. S.`` is ``P.S.`` too."""
    marker = postscript_marker.strip()
    return re.search(_POSTSCRIPTS.get(marker, re.escape(marker.lower())), text.lower()) is not None


@_instruction("detectable_format:number_bullet_lists")
def number_bullet_lists(text: str, num_bullets: int) -> bool:
    """Exactly so many lines that open with ``-``, or with one ``*`` and something after it."""
    heads = (line.lstrip()[:2] for line in text.split("\n"))
    n_bullets = sum(h[:1] == "-" or (h[:1] == "*" and h not in ("*", "**")) for h in heads)
    return n_bullets == num_bullets


@_instruction("detectable_format:constrained_response")
def constrained_response(text: str) -> bool:
    """One of ``My answer is yes.``, ``My answer is no.`` and ``My answer is maybe.`` occurs."""
    return any(f"My answer is {word}." in text for word in ("yes", "no", "maybe"))


@_instruction("detectable_format:number_highlighted_sections")
def number_highlighted_sections(text: str, num_highlights: int) -> bool:
    """At least so many stretches ``*...*`` or ``**...**`` within a line that are not blank."""
    stretches = re.findall(r"\*([^\n*]*)\*", text) + re.findall(r"\*\*([^\n*]*)\*\*", text)
    return sum(bool(stretch.strip()) for stretch in stretches) >= num_highlights


@_instruction("detectable_format:multiple_sections")
def multiple_sections(text: str, section_spliter: str, num_sections: int) -> bool:
    """At least so many section marks, each followed by a number: ``Section 1``."""
    return len(re.findall(rf"{re.escape(section_spliter.strip())}\s?\d+", text)) >= num_sections


@_instruction("detectable_format:json_format")
def json_format(text: str) -> bool:
    """The whole text is JSON, with or without a Markdown fence around it."""
    body = re.sub(r"\A```(?:json)?", "", text.strip(), flags=re.IGNORECASE).removesuffix("```")
    try:
        json.loads(body.strip(), parse_int=str, parse_float=str)  # no quadratic number parsing
    except (ValueError, RecursionError):
        return False
    return True


@_instruction("detectable_format:title")
def title(text: str) -> bool:
    """A title ``<<...>>`` stands in one line and is not blank."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if start >= 0 and end >= start + 3 and line[start : end + 2].strip("<>").strip():
            return True
    return False


@_instruction("combination:two_responses")
def two_responses(text: str) -> bool:
    """Two different responses with ``******`` between them."""
    parts = [part.strip() for part in text.split("******")]
    return all(parts[1:-1]) and sum(map(bool, parts)) == len({*parts} - {""}) == 2


@_instruction("combination:repeat_prompt")
def repeat_prompt(text: str, prompt_to_repeat: str) -> bool:
    """The text opens with this request, ignoring case."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


@_instruction("startend:end_checker")
def end_checker(text: str, end_phrase: str) -> bool:
    """The text ends with this phrase, ignoring case and double quotation marks after it."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


@_instruction("startend:quotation")
def quotation(text: str) -> bool:
    """The whole text stands between double quotation marks (``"``)."""
    return re.fullmatch(r'".*"', text.strip(), re.DOTALL) is not None


@_instruction("change_case:capital_word_frequency")
def capital_word_frequency(text: str, capital_frequency: int, capital_relation: str) -> bool:
    """At least, or less than, so many words in capitals."""
    n_capitals = sum(map(str.isupper, WORD.findall(text)))
    return _compare(n_capitals, capital_relation, capital_frequency)


@_instruction("change_case:english_capital")
def english_capital(text: str) -> bool:
    """English, with no small letter."""
    return text.isupper() and identify_language(text.lower()) == "en"


@_instruction("change_case:english_lowercase")
def english_lowercase(text: str) -> bool:
    """English, with no capital letter."""
    return text.islower() and identify_language(text) == "en"


@_instruction("punctuation:no_comma")
def no_comma(text: str) -> bool:
    """No comma (``,``)."""
    return "," not in text

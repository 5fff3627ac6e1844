r"""The 25 instruction types of IFEval, as checks that a machine can make on any response.

Ids, arguments and verdicts are those of the published benchmark. The code is ours. Where a
published definition is wider than its wording we keep it, so that verdicts compare: keywords may
stand inside other words; a rule ``---`` is a bullet point, ``[]`` a placeholder, ``***x***`` two
highlights, ``<< <>>`` a title and a bare number JSON; words are runs of ``\w`` ("don't" is two);
postscript and constrained answer may stand anywhere; a text without letters is in no wrong
language.

Differences from the published code. All checks take linear time.

* Sentences are those of :func:`wfine_utils.checks.sentences.split_sentences`.
* py3langid names the language, always the same one, where the published code asks langdetect
  without a seed. It reads 10 000 characters, from the first letter on and in small letters, and has
  the languages of langdetect to choose from, with one code ``zh`` for Chinese.
* Words in capitals are runs of letters and digits with inner apostrophes or hyphens, and
  abbreviations with dots. As published, U.S., I and B2 count as one each, Ph.D. as none. The
  published code asks NLTK, which cuts at apostrophes only: we count DON'T as one and A/B as two,
  NLTK the other way round; I'm and AI's are none here and one there, README.md one here and none
  there.
* Keywords, forbidden words, section marks and postscript marks are plain text, not regular
  expressions, and white space at their ends is no part of them.
* A line with a lone ``*`` is no bullet point. JSON nested too deep for Python is not JSON.
* An argument that is missing or wrong is an error, and so are arguments that no text can meet,
  such as less than 0 words. The published code draws the former at random, and instead of # and !
  another letter.

Source: Zhou et al. 2023, Instruction-Following Evaluation for Large Language Models.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Annotated, Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from wfine_utils.checks.instructions import Count, Kind, Place, Registry, Word, Words, enter, one_of
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.errors import WfineError

LANGUAGES = frozenset(
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr "
    "ne nl no pa pl pt ro ru sk sl so sq sv sw ta te th tl tr uk ur vi zh".split()
)
"""The languages told apart, by ISO 639-1 code: those of langdetect."""

INSTRUCTIONS: Registry = {}
"""Every instruction type by its public id: ``function(text, **arguments)``."""

_instruction = functools.partial(enter, INSTRUCTIONS)

_POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
_LANGUAGE_SAMPLE = 10_000  # characters; normalising may take quadratic time in their number
_RUN = r"(?:(?:[^\W\d_]{1,4}\.)+[^\W\d_]{1,4}\b(?:\.(?=['’-]))?|\w+)"  # U.S, Ph.D, word
_CAPITALS = re.compile(rf"{_RUN}(?:['’-]{_RUN})*")  # DON'T, U.S.-CHINA


def _letter(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and len(value.strip()) == 1 else None


def _first_word(value: Any) -> str | None:
    # what the check cuts off a paragraph's first word cannot be asked for
    return value if isinstance(value, str) and re.fullmatch(r"[^\s.,?!'\"]+", value) else None


def _end(value: Any) -> str | None:
    is_end = isinstance(value, str) and value.strip() and not value.rstrip().endswith('"')
    return value.strip() if is_end else None


Language = Annotated[str, one_of(LANGUAGES)]
Relation = Annotated[str, one_of(("less than", "at least"))]
Letter = Annotated[str, Kind(_letter, "one character")]
FirstWord = Annotated[str, Kind(_first_word, "one word without white space and . , ? ! ' \"")]
EndPhrase = Annotated[str, Kind(_end, 'a text that is not blank and has no " at its end')]


def _compare(count: int, relation: str, bound: int) -> bool:
    if relation == "at least":
        return count >= bound
    if bound == 0:
        raise WfineError("found less than 0, which no text can be; expected a number from 1.")
    return count < bound


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
    # the model learnt from small letters: of a text in capitals it sees next to nothing
    sample = text[letter.start() :][:_LANGUAGE_SAMPLE].lower()
    code, score = _identifier().classify(sample)
    return code if score > -1e30 else "und"


@_instruction("keywords:existence")
def keywords_exist(text: str, keywords: Words) -> bool:
    """Every keyword occurs, also inside a word, ignoring case."""
    return all(re.search(re.escape(word), text, re.IGNORECASE) for word in keywords)


@_instruction("keywords:frequency")
def keyword_frequency(text: str, keyword: Word, frequency: Count, relation: Relation) -> bool:
    """The keyword occurs at least, or less than, so many times, ignoring case."""
    matches = re.findall(re.escape(keyword), text, re.IGNORECASE)
    return _compare(len(matches), relation, frequency)


@_instruction("keywords:forbidden_words")
def forbidden_words_absent(text: str, forbidden_words: Words) -> bool:
    """No forbidden word occurs as a whole word, ignoring case."""
    patterns = (rf"(?<!\w){re.escape(word)}(?!\w)" for word in forbidden_words)
    return not any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)


@_instruction("keywords:letter_frequency")
def letter_frequency(
    text: str, letter: Letter, let_frequency: Count, let_relation: Relation
) -> bool:
    """The character occurs at least, or less than, so many times, ignoring case."""
    return _compare(text.lower().count(letter.lower()), let_relation, let_frequency)


@_instruction("language:response_language")
def response_language(text: str, language: Language) -> bool:
    """The text is in this language."""
    return identify_language(text) in (language, None)


@_instruction("length_constraints:number_sentences")
def number_sentences(text: str, num_sentences: Count, relation: Relation) -> bool:
    """At least, or less than, so many sentences."""
    return _compare(len(split_sentences(text)), relation, num_sentences)


@_instruction("length_constraints:number_paragraphs")
def number_paragraphs(text: str, num_paragraphs: Count) -> bool:
    """Exactly so many paragraphs with ``***`` between them, none blank between two others."""
    parts = [part.strip() for part in text.split("***")]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


@_instruction("length_constraints:number_words")
def number_words(text: str, num_words: Count, relation: Relation) -> bool:
    """At least, or less than, so many words."""
    return _compare(len(re.findall(r"\w+", text)), relation, num_words)


@_instruction("length_constraints:nth_paragraph_first_word")
def nth_paragraph_first_word(
    text: str, num_paragraphs: Count, nth_paragraph: Place, first_word: FirstWord
) -> bool:
    """Exactly so many paragraphs between two new lines; the n-th opens with the word, in any case.

    As published, a blank paragraph between two others takes a place in the counting up to n, but
    is not one of the ``num_paragraphs``; quotes before the word, and all from its first mark
    ``. , ? ! ' "`` on, are cut off.
    """
    if nth_paragraph > num_paragraphs:
        raise WfineError(
            f"argument nth_paragraph: found {nth_paragraph}, expected at most num_paragraphs, "
            f"which is {num_paragraphs}."
        )
    paragraphs = text.split("\n\n")
    if sum(bool(paragraph.strip()) for paragraph in paragraphs) != num_paragraphs:
        return False
    word = (paragraphs[nth_paragraph - 1].split(maxsplit=1) or [""])[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == first_word.lower()


@_instruction("detectable_content:number_placeholders")
def number_placeholders(text: str, num_placeholders: Count) -> bool:
    """At least so many placeholders ``[...]``, each within one line."""
    lines = (line[: line.rfind("]") + 1] for line in text.split("\n"))  # keeps the time linear
    return sum(len(re.findall(r"\[.*?\]", line)) for line in lines) >= num_placeholders


@_instruction("detectable_content:postscript")
def postscript(text: str, postscript_marker: Word) -> bool:
    """The mark of a postscript stands somewhere, ignoring case; ``P. S.`` is ``P.S.`` too."""
    pattern = _POSTSCRIPTS.get(postscript_marker, re.escape(postscript_marker.lower()))
    return re.search(pattern, text.lower()) is not None


@_instruction("detectable_format:number_bullet_lists")
def number_bullet_lists(text: str, num_bullets: Count) -> bool:
    """Exactly so many lines that open with ``-``, or with one ``*`` and something after it."""
    heads = (line.lstrip()[:2] for line in text.split("\n"))
    n_bullets = sum(h[:1] == "-" or (h[:1] == "*" and h not in ("*", "**")) for h in heads)
    return n_bullets == num_bullets


@_instruction("detectable_format:constrained_response")
def constrained_response(text: str) -> bool:
    """One of ``My answer is yes.``, ``My answer is no.`` and ``My answer is maybe.`` occurs."""
    return any(f"My answer is {word}." in text for word in ("yes", "no", "maybe"))


@_instruction("detectable_format:number_highlighted_sections")
def number_highlighted_sections(text: str, num_highlights: Count) -> bool:
    """At least so many stretches ``*...*`` or ``**...**`` within a line that are not blank."""
    stretches = re.findall(r"\*([^\n*]*)\*", text) + re.findall(r"\*\*([^\n*]*)\*\*", text)
    return sum(bool(stretch.strip()) for stretch in stretches) >= num_highlights


@_instruction("detectable_format:multiple_sections")
def multiple_sections(text: str, section_spliter: Word, num_sections: Count) -> bool:
    """At least so many section marks, each followed by a number: ``Section 1``."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", text)) >= num_sections


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
    """A title ``<<...>>`` stands in one line; it has more in it than ``<`` before ``>``."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        inside = line[start : end + 2].lstrip("<").rstrip(">").strip()
        if 0 <= start <= end - 3 and inside:
            return True
    return False


@_instruction("combination:two_responses")
def two_responses(text: str) -> bool:
    """Two different responses with ``******`` between them."""
    parts = [part.strip() for part in text.split("******")]
    return all(parts[1:-1]) and sum(map(bool, parts)) == len({*parts} - {""}) == 2


@_instruction("combination:repeat_prompt")
def repeat_prompt(text: str, prompt_to_repeat: Word) -> bool:
    """The text opens with this request, ignoring case."""
    return text.strip().lower().startswith(prompt_to_repeat.lower())


@_instruction("startend:end_checker")
def end_checker(text: str, end_phrase: EndPhrase) -> bool:
    """The text ends with this phrase, ignoring case and double quotation marks after it."""
    return text.strip().strip('"').lower().endswith(end_phrase.lower())


@_instruction("startend:quotation")
def quotation(text: str) -> bool:
    """The whole text stands between double quotation marks (``"``)."""
    return re.fullmatch(r'".*"', text.strip(), re.DOTALL) is not None


@_instruction("change_case:capital_word_frequency")
def capital_word_frequency(text: str, capital_frequency: Count, capital_relation: Relation) -> bool:
    """At least, or less than, so many words in capitals."""
    n_capitals = sum(map(str.isupper, _CAPITALS.findall(text)))
    return _compare(n_capitals, capital_relation, capital_frequency)


@_instruction("change_case:english_capital")
def english_capital(text: str) -> bool:
    """English, with no small letter."""
    return text.isupper() and identify_language(text) == "en"


@_instruction("change_case:english_lowercase")
def english_lowercase(text: str) -> bool:
    """English, with no capital letter."""
    return text.islower() and identify_language(text) == "en"


@_instruction("punctuation:no_comma")
def no_comma(text: str) -> bool:
    """No comma (``,``)."""
    return "," not in text

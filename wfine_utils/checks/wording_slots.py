"""The slots of wordings: how an argument is said, found and read.

See :mod:`wfine_utils.checks.wording_grammar`. A slot may stand for two arguments: ``{times}`` is a
number and a relation, "less than" or "at least".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wfine_utils.checks.amounts import pick
from wfine_utils.checks.numerals import NUMBER, ORDINALS, in_words, value_of
from wfine_utils.checks.wording_quotes import CLOSE, OPEN, QUOTE, quoted

_Rng = np.random.Generator
Values = Sequence[Any]


class Slot(NamedTuple):
    """How the arguments of a slot are said, found and read."""

    pattern: str  # without groups
    say: Callable[[Values, _Rng], str | None]  # None if there are no words for them
    read: Callable[[str, list[str]], Values | None]  # the words, and the quotations set aside


def _quotation(words: str, quotes: list[str]) -> str | None:
    """The text of a quotation that was set aside; None if the words are none."""
    inside = re.fullmatch(rf"{OPEN}(\d+){CLOSE}", words)
    return quotes[int(inside[1])] if inside else None


# ---- numbers


def _numeral(n: int, rng: _Rng) -> str:
    options = [str(n), in_words(n)] if n <= 20 else [str(n), f"{n:,}"]
    return pick(rng, options)


def _value(words: str) -> int | None:
    return value_of(words.lower())


def _read_number(words: str, _: list[str]) -> Values | None:
    n = _value(words)
    return None if n is None else [n]


_AT_LEAST = ("at least", "no fewer than", "no less than", "a minimum of", "not fewer than",
             "not less than")  # fmt: skip
_AT_MOST = ("at most", "no more than", "not more than", "a maximum of", "up to")
_ABOVE = ("more than", "over")
_BELOW = ("fewer than", "less than", "under")
_SPAN = {"or more": "at least", "or fewer": "at most", "or less": "at most"}


def _any(words: Sequence[str]) -> str:
    return f"(?:{'|'.join(words)})"


_BEFORE = _any([*_AT_LEAST, *_AT_MOST, *_ABOVE, *_BELOW])
_AFTER = _any([*_SPAN])


def _as_bound(before: str, n: int, after: str) -> Values | None:
    """A number with the words before or after it as a relation and its number."""
    if before and after:
        return None
    if before in _AT_LEAST or _SPAN.get(after) == "at least":
        return [n, "at least"]
    if before in _AT_MOST or _SPAN.get(after) == "at most":
        return [n + 1, "less than"]
    if before in _ABOVE:
        return [n + 1, "at least"]
    return [n, "less than"] if before in _BELOW and n > 0 else None


def _bound_words(n: int, relation: str, rng: _Rng) -> tuple[str, int, str]:
    """Words before a number, the number, and words after it."""
    if relation == "at least":
        options = [("at least", n, ""), ("no fewer than", n, ""), ("", n, "or more")]
        options += [("more than", n - 1, "")] if n > 1 else []
    else:
        options = [("fewer than", n, ""), ("less than", n, "")]
        options += [("at most", n - 1, ""), ("no more than", n - 1, "")]
        options += [("", n - 1, "or fewer")] if n > 2 else []
    return options[int(rng.integers(len(options)))]


def _say_bound(values: Values, rng: _Rng) -> str:
    n, relation = values
    before, n, after = _bound_words(n, relation, rng)
    return f"{before} {_numeral(n, rng)} {after}".strip()


def _read_bound(words: str, _: list[str]) -> Values | None:
    match = re.fullmatch(rf"(?:({_BEFORE}) )?({NUMBER})(?: ({_AFTER})|\+)?", words.lower())
    n = _value(match[2]) if match else None
    if match is None or n is None:
        return None
    return _as_bound(match[1] or "", n, "or more" if words.endswith("+") else match[3] or "")


_BOUND = rf"(?:{_BEFORE} {NUMBER}|{NUMBER}(?: {_AFTER}|\+))"

_MULTIPLIERS = {"once": 1, "twice": 2}


def _say_times(values: Values, rng: _Rng) -> str | None:
    n, relation = values
    if n == 1 and relation == "less than":
        return None  # never: another template
    before, n, after = _bound_words(n, relation, rng)
    unit = "time" if n == 1 else "times"
    named = {number: word for word, number in _MULTIPLIERS.items()}
    is_named = n in named and rng.random() < 0.7
    if is_named and before == "no fewer than":
        before = "at least"
    number = named[n] if is_named else f"{_numeral(n, rng)} {unit}"
    if after and not is_named and rng.random() < 0.5:
        return f"{_numeral(n, rng)} {after} times"
    return f"{before} {number} {after}".strip()


def _read_times(words: str, _: list[str]) -> Values | None:
    match = re.fullmatch(
        rf"(?:({_BEFORE}) )?(once|twice|{NUMBER})(?: ({_AFTER}))?(?: times?)?(?: ({_AFTER}))?",
        words.lower(),
    )
    n = (_MULTIPLIERS.get(match[2]) or _value(match[2])) if match else None
    if match is None or n is None or (match[3] and match[4]):
        return None
    return _as_bound(match[1] or "", n, match[3] or match[4] or "")


_TIMES = (
    rf"(?:{_BEFORE} (?:once|twice|{NUMBER} times?)"
    rf"|(?:once|twice|{NUMBER} times?) {_AFTER}|{NUMBER} {_AFTER} times)"
)


def _only(relation: str, slot: Slot) -> Slot:
    """A slot for a number alone, where the relation is always the same."""

    def say(values: Values, rng: _Rng) -> str | None:
        return slot.say([values[0], relation], rng)

    def read(words: str, quotes: list[str]) -> Values | None:
        values = slot.read(words, quotes)
        return [values[0]] if values and values[1] == relation else None

    return Slot(slot.pattern, say, read)


def _most(slot: Slot) -> Slot:
    """A slot for the largest number that is allowed."""
    below = _only("less than", slot)

    def read(words: str, quotes: list[str]) -> Values | None:
        values = below.read(words, quotes)
        return [values[0] - 1] if values else None

    return Slot(slot.pattern, lambda values, rng: below.say([values[0] + 1], rng), read)


def _say_ordinal(values: Values, rng: _Rng) -> str:
    (n,) = values
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return pick(rng, [f"{n}{ending}", *ORDINALS[n - 1 : n]])


def _read_ordinal(words: str, _: list[str]) -> Values | None:
    if words.lower() in ORDINALS:
        return [ORDINALS.index(words.lower()) + 1]
    return [int(re.sub(r"\D", "", words))]


# ---- quoted texts


def _say_quote(values: Values, _: _Rng) -> str:
    return quoted(values[0])


def _read_quote(words: str, quotes: list[str]) -> Values | None:
    text = _quotation(words, quotes)
    return None if text is None else [text]


_TERM_NOUN = "(?:words?|keywords?|phrase|term|name)"
_BARE = r"[^\W\d_]+(?:['-][^\W\d_]+)*"


def _say_term(values: Values, _: _Rng) -> str:
    noun = "phrase" if len(values[0].split()) > 1 else "word"
    return f"{noun} {quoted(values[0])}"


def _read_term(words: str, quotes: list[str]) -> Values | None:
    shown = words.split(" ", 1)[1]
    text = _quotation(shown, quotes)
    return [shown if text is None else text]


def _say_letter(values: Values, _: _Rng) -> str:
    return f"{'letter' if values[0].isalpha() else 'character'} {quoted(values[0])}"


def _read_letter(words: str, quotes: list[str]) -> Values | None:
    values = _read_term(words, quotes)
    return values if values and len(values[0].strip()) == 1 else None


def _said_only(link: str) -> Slot:
    """A list of terms, which is left to the compiler of the checks of prose to read."""

    def say(values: Values, _: _Rng) -> str:
        shown = [quoted(term) for term in values[0]]
        return link.join(filter(None, [", ".join(shown[:-1]), shown[-1]]))

    return Slot("(?!)", say, lambda words, quotes: None)


_POSTSCRIPTS = {"P.S.": "P.S.", "P.S": "P.S.", "P.P.S.": "P.P.S", "P.P.S": "P.P.S"}


def _read_postscript(words: str, quotes: list[str]) -> Values | None:
    text = _quotation(words, quotes)
    return [text] if text is not None else [_POSTSCRIPTS[words.upper()]]


# ---- languages

_LANGUAGES = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan",
    "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "kn": "Kannada", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam", "mr": "Marathi",
    "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "so": "Somali", "sq": "Albanian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_CODES = {name.lower(): code for code, name in _LANGUAGES.items()} | {"farsi": "fa"}


# ---- marks that are spoken of, and examples


def _mark(mark: str) -> Slot:
    """A mark that is named, with or without quotation marks."""

    def read(words: str, quotes: list[str]) -> Values | None:
        text = _quotation(words, quotes)
        return [] if text is None or text.strip() == mark else None

    return Slot(rf"(?:{re.escape(mark)}|{QUOTE})", lambda values, rng: mark, read)


def _example(say: str, pattern: str) -> Slot:
    """An example that says nothing new, such as ``[name]`` for a placeholder."""
    one = f"(?:{pattern})"
    return Slot(
        rf"{one}(?:,? (?:and )?{one})*(?:,? etc\.?)?", lambda values, rng: say, lambda words, _: []
    )


_ANSWERS = {"My answer is yes.", "My answer is no.", "My answer is maybe."}


def _read_answers(words: str, quotes: list[str]) -> Values | None:
    texts = [quotes[int(number)] for number in re.findall(rf"{OPEN}(\d+){CLOSE}", words)]
    return [] if set(texts) == _ANSWERS and len(texts) == 3 else None


_BOUNDS = Slot(_BOUND, _say_bound, _read_bound)
_TIMES_SLOT = Slot(_TIMES, _say_times, _read_times)

SLOTS: dict[str, Slot] = {
    "n": Slot(NUMBER, lambda values, rng: _numeral(values[0], rng), _read_number),
    "digits": Slot(NUMBER, lambda values, rng: str(values[0]), _read_number),
    "bound": _BOUNDS,
    "least": _only("at least", _BOUNDS),
    "most_times": _most(_TIMES_SLOT),
    "times": _TIMES_SLOT,
    "ordinal": Slot(
        rf"(?:{'|'.join(ORDINALS)}|[1-9]\d{{0,6}}(?:st|nd|rd|th))", _say_ordinal, _read_ordinal
    ),
    "quote": Slot(QUOTE, _say_quote, _read_quote),
    "term": Slot(rf"{_TERM_NOUN} (?:{QUOTE}|{_BARE})", _say_term, _read_term),
    "letter": Slot(rf"(?:letter|character) (?:{QUOTE}|[^\W\d_])", _say_letter, _read_letter),
    "terms": _said_only(" and "),
    "either": _said_only(" or "),
    "postscript": Slot(rf"(?:{QUOTE}|P\.P\.S\.?|P\.S\.?)", _say_quote, _read_postscript),
    "bare_word": Slot(_BARE, lambda values, rng: None, lambda words, _: [words]),
    "language": Slot(
        f"(?:{'|'.join(_CODES)})",
        lambda values, rng: _LANGUAGES[values[0]],
        lambda words, _: [_CODES[words.lower()]],
    ),
    "stars3": _mark("***"),
    "stars6": _mark("******"),
    "title": _example("<<title>>", r"<<[^<>]+>>"),
    "brackets": _example("[name]", r"\[[^\[\]]+\]"),
    "starred": _example("*this*", r"\*[^*\n]+\*"),
    "answers": Slot(
        rf"{QUOTE}(?:,? (?:or |and )?{QUOTE}){{2}}",
        lambda values, rng: '"My answer is yes.", "My answer is no." or "My answer is maybe."',
        _read_answers,
    ),
}
"""Every slot by its name."""

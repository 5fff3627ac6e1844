r"""IFBench's instruction types about counts, ratios, words and sentences, as checks of a response.

Ids and arguments are those of the published benchmark, 58 in all; those about layout are in
:mod:`wfine_utils.checks.ifbench_layout`. The code is ours, after what each instruction asks for.

Words stand between white space and dashes, in small letters and without the marks in and around
them ("well-known" is one of nine letters); where they are only counted they are runs of ``\w``, as
in IFEval. Sentences are those of :func:`wfine_utils.checks.sentences.split_sentences`, where the
published code asks NLTK; what ends one is looked for before closing quotation marks and brackets.

Wider than the wording, as published: a text of one sentence, or too short to have an N-th word,
breaks no rule about it; ``y`` is a consonant; digits with marks between them, as in 3.5 and
2020-21, are one number.

Differences from the published code, because the instruction says so. A 2:1 ratio and a balance need
sentences of each kind. A paragraph may have line breaks. "And" and "and," are one conjunction. A
lone mark is no word. Sentences alliterate by their longest run of words.

Source: Pyatkin et al. 2025, Generalizing Verifiable Instruction Following.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from itertools import groupby, pairwise
from math import isqrt
from typing import Annotated, Any

from wfine_utils.checks.instructions import (
    Count,
    Kind,
    Percentage,
    Place,
    Registry,
    Text,
    Word,
    enter,
)
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.errors import WfineError

INSTRUCTIONS: Registry = {}
"""The instruction types of this module by their public id: ``function(text, **arguments)``."""

LEFT_OUT = {
    "words:start_verb": "a model that tags parts of speech",
    "words:odd_even_syllables": "a dictionary of pronunciations",
}
"""Instruction types without a check, and what it would have to download."""

_instruction = functools.partial(enter, INSTRUCTIONS)

_CONJUNCTIONS = frozenset("and but for nor or so yet".split())
_PRONOUNS = frozenset(
    "i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his "
    "himself she her hers herself it its itself they them their theirs themselves this that these "
    "those who whom whose which what whoever whomever whatever whichever anybody anyone anything "
    "everybody everyone everything nobody nothing somebody someone something each either neither "
    "both all some any none".split()
)
# Articles, pronouns, auxiliaries, prepositions, conjunctions, what is left of contractions; near
# to the list that the published code downloads.
_STOP_WORDS = frozenset(
    "a an the i me my myself we our ours ourselves you your yours yourself yourselves he him his "
    "himself she her hers herself it its itself they them their theirs themselves what which who "
    "whom this that these those am is are was were be been being have has had having do does did "
    "doing will can should about above after again against all and any as at because before below "
    "between both but by down during each few for from further here how if in into just more most "
    "no nor not now of off on once only or other out over own same so some such than then there "
    "through to too under until up very when where while why with d ll m o re s t ve don ain aren "
    "couldn didn doesn hadn hasn haven isn ma mightn mustn needn shan shouldn wasn weren won "
    "wouldn".split()
)
PERSON_NAMES = frozenset(
    "Emma Liam Sophia Jackson Olivia Noah Ava Lucas Isabella Mason Mia Ethan Charlotte Alexander "
    "Amelia Benjamin Harper Leo Zoe Daniel Chloe Samuel Lily Matthew Grace Owen Abigail Gabriel "
    "Ella Jacob Scarlett Nathan Victoria Elijah Layla Nicholas Audrey David Hannah Christopher "
    "Penelope Thomas Nora Andrew Aria Joseph Claire Ryan Stella Jonathan".split()
)
"""The names that `count:person_names` lists and counts."""

_NUMBER = re.compile(r"\d+(?:[!-/:-@\[-`{-~]+\d+)*")


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without the marks in and around them.

    >>> words_of("A well-known song -- DON'T stop!")
    ['a', 'wellknown', 'song', 'dont', 'stop']
    """
    pieces = (re.sub(r"[\W_]", "", piece) for piece in re.split(r"[\s–—]+", text.lower()))
    return [piece for piece in pieces if piece]


def _one_word(value: Any) -> str | None:
    return value if isinstance(value, str) and len(words_of(value)) == 1 else None


OneWord = Annotated[str, Kind(_one_word, "one word")]


def end_marks(text: str) -> Counter[str]:
    """How many sentences end with ``.``, with ``?`` and with ``!``, closing marks left aside."""
    ends = (re.search(r"([.?!])[^\w.?!]*$", sentence) for sentence in split_sentences(text))
    return Counter(end[1] for end in ends if end)


def _occurrences(text: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


@_instruction("count:word_count_range")
def word_count_range(text: str, min_words: Count, max_words: Count) -> bool:
    """From ``min_words`` to ``max_words`` words."""
    if min_words > max_words:
        raise WfineError(
            f"arguments min_words and max_words: found {min_words} and {max_words}, expected the "
            "second to be no smaller."
        )
    return min_words <= len(re.findall(r"\w+", text)) <= max_words


@_instruction("count:unique_word_count")
def unique_word_count(text: str, N: Count) -> bool:
    """At least so many different words."""
    return len(set(words_of(text))) >= N


@_instruction("count:conjunctions")
def conjunctions(text: str, small_n: Count) -> bool:
    """At least so many different coordinating conjunctions."""
    return len(_CONJUNCTIONS.intersection(words_of(text))) >= small_n


@_instruction("count:person_names")
def person_names(text: str, N: Count) -> bool:
    """At least so many different names out of the 50 that the instruction lists."""
    return len(PERSON_NAMES.intersection(re.findall(r"\w+", text))) >= N


@_instruction("count:numbers")
def numbers(text: str, N: Count) -> bool:
    """Exactly so many numbers in digits."""
    return len(_NUMBER.findall(text)) == N


@_instruction("count:pronouns")
def pronouns(text: str, N: Count) -> bool:
    """At least so many pronouns; there is one in "it's" and two in "she/her"."""
    return sum(word in _PRONOUNS for word in re.findall(r"\w+", text.lower())) >= N


@_instruction("count:punctuation")
def punctuation(text: str) -> bool:
    """An interrobang (``?!``, ``!?`` or ``‽``), and besides it each of ``. , ; : ! ?``."""
    rest, n_interrobangs = re.subn(r"\?!|!\?|‽", "", text, count=1)
    return n_interrobangs == 1 and all(mark in rest for mark in ".,;:!?")


@_instruction("count:words_japanese")
def words_japanese(text: str, N: Place) -> bool:
    """Every N-th word has Japanese script in it, if it has letters."""
    words = [word for word in text.split()[N - 1 :: N] if re.search(r"[^\W\d_]", word)]
    return all(re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", word) for word in words)


@_instruction("count:keywords_multiple")
def keywords_multiple(
    text: str, keyword1: Word, keyword2: Word, keyword3: Word, keyword4: Word, keyword5: Word
) -> bool:
    """The keywords occur as whole words 1, 2, 3, 5 and 7 times, ignoring case."""
    keywords = (keyword1, keyword2, keyword3, keyword4, keyword5)
    if len({keyword.lower() for keyword in keywords}) < len(keywords):
        raise WfineError(f"keywords: found {', '.join(keywords)}, expected five different ones.")
    return [_occurrences(text, keyword) for keyword in keywords] == [1, 2, 3, 5, 7]


@_instruction("ratio:stop_words")
def stop_words(text: str, percentage: Percentage) -> bool:
    """At most so many per cent of the words are stop words."""
    words = re.findall(r"\w+", text.lower())
    return 100 * sum(word in _STOP_WORDS for word in words) <= percentage * len(words) > 0


@_instruction("ratio:sentence_type")
def sentence_type(text: str) -> bool:
    """Twice as many sentences end with a full stop as with a question mark."""
    ends = end_marks(text)
    return ends["."] == 2 * ends["?"] > 0


@_instruction("ratio:sentence_balance")
def sentence_balance(text: str) -> bool:
    """As many sentences end with a full stop as with a question mark and an exclamation mark."""
    ends = end_marks(text)
    return ends["."] == ends["?"] == ends["!"] > 0


@_instruction("ratio:overlap")
def overlap(text: str, reference_text: Text, percentage: Percentage) -> bool:
    """Of the different trigrams of words and marks so many per cent, ±2, are the reference's."""

    def trigrams(of: str) -> set[tuple[str, ...]]:
        tokens = re.findall(r"\w+|[^\w\s]", of)
        return set(zip(tokens, tokens[1:], tokens[2:], strict=False))

    own = trigrams(text)
    n_shared = len(own & trigrams(reference_text))
    return bool(own) and abs(100 * n_shared - percentage * len(own)) <= 2 * len(own)


@_instruction("ratio:sentence_words")
def sentence_words(text: str) -> bool:
    """Three sentences of as many characters each, and no word twice."""
    sentences, words = split_sentences(text), words_of(text)
    return (
        len(sentences) == 3 and len(set(map(len, sentences))) == 1 and len(words) == len({*words})
    )


@_instruction("words:alphabet")
def alphabet(text: str) -> bool:
    """Each word starts with the next letter of the alphabet, A after Z."""
    letters = [ord(word[0]) - ord("a") for word in words_of(text)]
    in_turn = all((b - a) % 26 == 1 for a, b in pairwise(letters))
    return bool(letters) and in_turn and all(0 <= letter < 26 for letter in letters)


@_instruction("words:vowel")
def vowel(text: str) -> bool:
    """One paragraph, with three of the vowels a, e, i, o, u at most."""
    return not re.search(r"\n\s*\n", text.strip()) and len({*"aeiou"} & {*text.lower()}) <= 3


@_instruction("words:consonants")
def consonants(text: str) -> bool:
    """Two consonants stand together in each word."""
    return all(re.search(r"[b-df-hj-np-tv-z]{2}", word) for word in words_of(text))


@_instruction("words:palindrome")
def palindrome(text: str) -> bool:
    """At least ten words of five characters and more read the same from behind."""
    return sum(len(word) >= 5 and word == word[::-1] for word in words_of(text)) >= 10


@_instruction("words:prime_lengths")
def prime_lengths(text: str) -> bool:
    """The number of characters of each word is prime."""

    def is_prime(n: int) -> bool:
        return n > 1 and all(n % divisor for divisor in range(2, isqrt(n) + 1))

    return all(is_prime(len(word)) for word in words_of(text))


@_instruction("words:repeats")
def repeats(text: str, small_n: Count) -> bool:
    """No word occurs more than so many times."""
    return max(Counter(words_of(text)).values(), default=0) <= small_n


@_instruction("words:keywords_specific_position")
def keywords_specific_position(text: str, keyword: OneWord, n: Place, m: Place) -> bool:
    """The m-th word of the n-th sentence is the keyword, ignoring case."""
    sentence = "".join(split_sentences(text)[n - 1 : n])
    return words_of(sentence)[m - 1 : m] == words_of(keyword)


@_instruction("words:words_position")
def words_position(text: str, keyword: OneWord) -> bool:
    """The second word and the last but one are the keyword, ignoring case."""
    words = words_of(text)
    return words[1:2] == words[-2:-1] == words_of(keyword)


@_instruction("words:last_first")
def last_first(text: str) -> bool:
    """The last word of each sentence is the first of the next."""
    sentences = [words_of(sentence) for sentence in split_sentences(text)]
    return all(a[-1] == b[0] for a, b in pairwise(sentences))


@_instruction("words:paragraph_last_first")
def paragraph_last_first(text: str) -> bool:
    """Each line ends with the word that it starts with."""
    lines = map(words_of, text.split("\n"))
    return all(words[0] == words[-1] for words in lines if words)


@_instruction("words:no_consecutive")
def no_consecutive(text: str) -> bool:
    """No word has the first letter of the word before it."""
    return all(a[0] != b[0] for a, b in pairwise(words_of(text)))


@_instruction("sentence:alliteration_increment")
def alliteration_increment(text: str) -> bool:
    """The longest run of words with one first letter grows from sentence to sentence."""
    runs = [
        max(len(list(run)) for _, run in groupby(words_of(sentence), key=lambda word: word[0]))
        for sentence in split_sentences(text)
    ]
    return all(a < b for a, b in pairwise(runs))


@_instruction("sentence:increment")
def increment(text: str, small_n: Count) -> bool:
    """Each sentence has exactly so many words more than the one before."""
    lengths = [len(words_of(sentence)) for sentence in split_sentences(text)]
    return all(b - a == small_n for a, b in pairwise(lengths))


@_instruction("sentence:keyword")
def keyword_in_sentence(text: str, word: Word, N: Place) -> bool:
    """The N-th sentence has the keyword as a whole word, ignoring case."""
    return _occurrences("".join(split_sentences(text)[N - 1 : N]), word) > 0

"""Ways to say a bound, and the one form of each that :mod:`.quantities` reads.

"Eighty words is the ceiling", "eighty words, tops" and "never past eighty words" are all at most
eighty words. An idiom says nothing of its own: what it becomes says the same.
"""

from __future__ import annotations

import re

from wfine_utils.checks.numerals import NUMBER

_N = rf"(?P<n>{NUMBER})"
_M = rf"(?P<m>{NUMBER})"
_UNIT = r"(?P<u> [a-z][\w-]*(?: [a-z][\w-]*){0,2}?)?"
_WHOSE = "(?:the|my|our|your|its)"
_A_OR_THE = "(?:a |the |your |our |its )?"
_AT_LEAST = "at (?:the )?(?:very )?least"
_AT_MOST = "at (?:the )?(?:very )?most"
_AND_BUT = "(?:and |but |or |, )?(?:also |none |however )?"
_NEVER = (
    "(?:do not|don't|never|must not|mustn't|must never|should not|shouldn't|should never|may not"
    "|shall not|is not to|are not to|cannot|can't|will not|won't|not to|without)"
)
_LET_IT = "(?:let (?:it|this|the text) )?(?:ever )?"

_RANGES = (
    # "neither shorter than 40 nor longer than 60 words"
    (
        rf"\b(?:neither|not|no) (?:shorter|fewer|less|lower)(?: than)? {_N}(?P<u> [a-z]+)? "
        r"(?:nor|and not|or|and no) "
        rf"(?:longer|more|greater)(?: than)? {_M}(?P<v> [a-z]+)?",
        r"between \g<n> and \g<m>\g<u>\g<v>",
    ),
    # "anywhere between 40 and 60 words", "somewhere in the range of 40 to 60 words"
    (r"\b(?:anything|anywhere|somewhere) (?=between|from)", ""),
    (rf"\b(?:(?:somewhere|anywhere|anything) )?in the range of (?={NUMBER})", ""),
)

_NAMED_LIMITS = (
    # "80 words, tops", "two questions and not one more"
    (
        rf"\b{_N}{_UNIT},? "
        r"(?:tops|at the outside|at the utmost|(?:and|but) no more(?! than)"
        r"|and not (?:a|one)(?: single)? \w+ more|and never more)\b",
        r"at most \g<n>\g<u>",
    ),
    # "80 words is the absolute ceiling"
    (
        rf"\b{_N}{_UNIT} (?:is|are|being) {_WHOSE} "
        r"(?:absolute |upper |outer |very )?"
        r"(?:ceiling|limit|cap|maximum|most|upper limit)\b",
        r"at most \g<n>\g<u>",
    ),
    # "80 words is the bare minimum"
    (
        rf"\b{_N}{_UNIT} (?:is|are|being) {_WHOSE} "
        r"(?:absolute |very |bare )?"
        r"(?:floor|minimum|least|fewest|lower limit)\b",
        r"at least \g<n>\g<u>",
    ),
    # "a ceiling of 80 words"
    (
        rf"\b{_A_OR_THE}(?:ceiling|cap|limit|upper limit|maximum)(?: is| of|:) {_N}\b",
        r"at most \g<n>",
    ),
    # "the floor is 80 words"
    (rf"\b{_A_OR_THE}(?:floor|minimum|lower limit)(?: is| of|:) {_N}\b", r"at least \g<n>"),
    # "80 words and upwards", "five times, if not more often"
    (
        rf"\b{_N}{_UNIT},? "
        r"(?:(?:or|and) (?:upwards?|better|oftener|above|over|beyond)"
        r"|minimum|at a minimum|as a minimum|at the minimum|at the least"
        r"|if not (?:more|oftener)(?: often)?|or more often)\b",
        r"at least \g<n>\g<u>",
    ),
    # "80 words or under"
    (
        rf"\b{_N}{_UNIT},? (?:(?:or|and) (?:under|below)|maximum|as a maximum)\b",
        r"at most \g<n>\g<u>",
    ),
)

_DENIED = (
    # "nothing under 80 words"
    (rf"\b(?:not|nothing|nobody|never) (?:under|below|short of) {_N}\b", r"at least \g<n>"),
    # "none of them under 80 words"
    (
        r"\b(?P<w>none|nor|no one)(?: of (?:them|which|these))?(?: may| should| must| to| can)? "
        r"(?:under|below|fewer than|less than|shorter than|be (?:under|below|shorter than)) "
        rf"{_N}\b",
        r"\g<w> at least \g<n>",
    ),
    # "nothing over 80 words", "not one word beyond 80"
    (
        r"\b(?:not|nothing|never)(?: (?:a|one)(?: single)?(?P<u> [a-z]+))? "
        rf"(?:over|above|beyond|past|longer than|more than|in excess of) {_N}\b",
        r"at most \g<n>\g<u>",
    ),
    # "do not let it exceed 80 words"
    (
        rf"\b{_NEVER} {_LET_IT}"
        rf"(?:exceed|surpass|top|overstep|overrun|outrun|pass) {_N}\b",
        r"at most \g<n>",
    ),
    # "it must never run on past 80 words"
    (
        rf"\b{_NEVER} {_LET_IT}"
        r"(?:go|run|stretch|spill|stray|get|be|extend|last|come to|have|use|contain|write|include"
        r"|take|need|grow|drag on|spend|number|number any)?(?: on| out| any)? ?"
        rf"(?:beyond|past|over|above|longer than|to more than|more than|in excess of) {_N}\b",
        r"at most \g<n>",
    ),
    # "it must not fall below 80 words"
    (
        rf"\b{_NEVER} (?:go|fall|drop|be|run|dip|sink|get|come)(?: to)? ?"
        rf"(?:below|under|short of|shorter than|fewer than|less than) {_N}\b",
        r"at least \g<n>",
    ),
    # "none of them may run past 80 words"
    (
        r"\b(?P<w>none|nor|no one)(?: of (?:them|which|these))?(?: may| should| must| to| can)? "
        r"(?:exceed|exceeding|exceeds|run past|go beyond"
        r"|be (?:over|above|longer than|more than)|over|above|beyond|past|at most|longer than"
        rf"|more than|with more than|of more than) {_N}\b",
        r"\g<w> at most \g<n>",
    ),
    # "no longer than 80 words", "no shorter than 80 words"
    (rf"\bno (?:longer|greater|higher) than {_N}\b", r"at most \g<n>"),
    (rf"\b(?:no|not) (?:shorter|lower|smaller) than {_N}\b", r"at least \g<n>"),
)

_EXACT_OR_MORE = (
    # "three or four or more questions"
    (rf"\b{_N}(?: or) {_M} or more\b", r"at least \g<n>"),
    # "just three questions"
    (rf"\b(?:just|strictly) {_N}\b", r"exactly \g<n>"),
    # "three questions to the reader, not one more and not one fewer"
    (
        rf"\b{_N}{_UNIT}(?P<v>(?: [a-z]+){{0,4}}),? "
        r"(?:neither more nor (?:fewer|less)"
        r"|no more,? (?:and )?no (?:fewer|less)"
        r"|not one more,? (?:and )?not one (?:fewer|less))\b",
        r"exactly \g<n>\g<u>\g<v>",
    ),
)

_WORDS_BESIDE = (
    # "three headings, all at level two"
    (
        r"\b(?P<w>headings), (?:all |each )?(?P<v>(?:at|of) (?:the )?(?:level \w+|\w+ level))\b,?",
        r"\g<w> \g<v>",
    ),
    # "80 words from start to finish"
    (r",? from (?:start|beginning|first) to (?:finish|end|last)\b,?", ""),
    # "80 words is what the editor wants"
    (
        r" is what (?:the|our|my|we|this|any|every)\b[\w' ]*? "
        r"(?:requires?|asks? for|wants?|needs?|expects?)$",
        "",
    ),
    # "two, three or four questions"
    (rf"\b{_N}, {NUMBER},? or {_M}(?= [a-z])", r"between \g<n> and \g<m>"),
    # "16 words is as long as any sentence should get"
    (
        rf"\b{_N} words (?:is|are) as long as (?:a|any|each) sentence "
        r"(?:should|may|must|can|is to) (?:get|be|run)\b",
        r"no sentence past \g<n> words",
    ),
    # "give questions, at least two of them, to the reader"
    (
        r"(?P<u>\b[a-z-]+(?: [a-z-]+)?), "
        rf"(?P<v>(?:at (?:least|most)|no (?:more|fewer) than|exactly) {NUMBER})(?: of them)?, ",
        r"\g<v> \g<u> ",
    ),
    # "80 words that the page can hold"
    (
        r" (?:that|which) (?:the|our|my|this|we|it)\b[\w ]*? (?:will|can|could) "
        r"(?:take|hold|bear|allow|fit|print|spare|afford)$",
        "",
    ),
    # "three questions, or more, …"
    (rf"\b{_N}(?P<u> [a-z]+), or more,", r"at least \g<n>\g<u>"),
)

_TWO_BOUNDS = (
    # "at most 80 words but no fewer than 60"
    (
        rf"\bat most {_N}{_UNIT},? {_AND_BUT}"
        rf"(?:no (?:fewer|less|shorter) than|{_AT_LEAST}|a minimum of) {_M}\b",
        r"between \g<m> and \g<n>\g<u>",
    ),
    # "at least 60 words but no more than 80"
    (
        rf"\b{_AT_LEAST} {_N}{_UNIT},? {_AND_BUT}"
        rf"(?:no (?:more|longer) than|not (?:more|longer) than|{_AT_MOST}|a maximum of|up to"
        rf"|not above|under) {_M}\b",
        r"between \g<n> and \g<m>\g<u>",
    ),
    # "60 words at least, and not more than 80"
    (
        rf"\b{_N} (?P<u>[a-z]+),? {_AT_LEAST},? (?:and|but)(?: also)? "
        rf"(?:no more than|{_AT_MOST}|not above|not more than) {_M}\b",
        r"between \g<n> and \g<m> \g<u>",
    ),
    # "60 words at least and 80 at most"
    (
        rf"\b{_N} (?P<u>[a-z]+),? {_AT_LEAST},? (?:and |but )?{_M} {_AT_MOST}\b",
        r"between \g<n> and \g<m> \g<u>",
    ),
    # "80 words at most and 60 at least"
    (
        rf"\b{_N} (?P<u>[a-z]+),? {_AT_MOST},? (?:and|but)(?: also)? {_M} {_AT_LEAST}\b",
        r"between \g<m> and \g<n> \g<u>",
    ),
)

_THINGS_COUNTED = (
    # "group the tips under exactly three headings"
    (
        r"\b(?P<w>arrange|organi[sz]e|group|put|set|sort|divide|file|structure)"
        r"(?P<u> [a-z]+(?: [a-z]+)?) under "
        rf"(?=(?:exactly |precisely )?{NUMBER} (?:[a-z-]+ )*headings?)",
        r"\g<w>\g<u> with ",
    ),
    # "end at least two sentences with a question mark"
    (
        r"\b(?:finish|end|close|conclude) (?P<u>[^,;]+? sentences(?: or more)?) (?:with|in|on|by) "
        r"(?P<v>an exclamation (?:mark|point)|exclamation (?:marks|points)|a question mark)\b",
        r"use \g<u> ending with \g<v>",
    ),
    # "at least two sentences should end in a question mark"
    (
        r"\bsentences (?:should|must|are to|have to|need to|ought to) (?:end|finish|close) "
        r"(?:with|in|on) (?=an exclamation|a question mark)",
        "sentences ending with ",
    ),
    # "an even dozen tips", "a pair of questions"
    (r"\b(?:an )?even dozen\b", "exactly twelve"),
    (r"\ba pair of\b", "two"),
)

# In this order: a later idiom reads what an earlier one has made of the words.
_IDIOMS = [
    (re.compile(pattern, re.IGNORECASE), means)
    for pattern, means in (
        *_RANGES, *_NAMED_LIMITS, *_DENIED, *_EXACT_OR_MORE, *_WORDS_BESIDE, *_TWO_BOUNDS,
        *_THINGS_COUNTED,
    )
]  # fmt: skip


def without_idioms(words: str) -> str:
    """Words in which every bound is said in the plain form.

    >>> without_idioms("eighty words is the absolute ceiling")
    'at most eighty words'
    """
    for pattern, means in _IDIOMS:
        words = pattern.sub(means, words)
    return words

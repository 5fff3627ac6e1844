"""English prose into sentences, by rules.

No maintained library splits the hard cases of tests/checks/sentence_cases.jsonl as well; the
figures stand in tests/checks/test_sentences.py. By our convention several sentences in one
quotation are several, a line break alone ends none, and what has neither letter nor digit, such as
a divider line, is none.
"""

from __future__ import annotations

import re
from itertools import pairwise

# A blank line ends a block, and so do a divider line, of marks alone (---, * * *, ═══; neither of
# pictures nor in a table), and the end of the line before a list item or a heading.
_BLOCK_END = re.compile(
    r"\n\s*\n|^(?!.*?(?:[^\W_]|[|\u2600-\u27bf\U0001f000-\U0001faff])).+$"
    r"|\n(?=[ \t]*(?:[-*+•]|\d{1,3}[.)]|#{1,6})[ \t])",
    re.MULTILINE,
)

# End marks with whatever closes after them: ?! or ." or !). or . . . or .[3]
# Possessive, and what follows is looked at in code: no backtracking, so linear time.
_END_MARKS = ".!?…‽⁇⁈⁉。！？｡؟۔।॥"
_MARKS = re.compile(
    rf"[{_END_MARKS}](?:[{_END_MARKS}\"'”’)\]*_」』）⁰¹²³⁴-⁹]|\[\^?\d{{1,3}}\]|[ ]\.(?![\w.]))*+"
)
_STRONG = frozenset("!?‽⁇⁈⁉")
# These end a sentence wherever they stand: Chinese and Japanese have no blank after them.
_FULL_WIDTH = frozenset("。！？｡؟۔।॥")
_GOES_ON = re.compile(r"[」』”’][とっ、，]")  # 「行く。」と言った is one sentence
_SPACE = re.compile(r"\s*+")
_LETTER = re.compile(r"[^\W\d_]")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_OPENERS = "\"'“‘([*_"
_QUOTES = frozenset("\"'”’")
_BEFORE_TOKEN = re.compile(r"[-–—/([“‘\"'*_]")

# A name, a number or an example follows: never the end.
_NEVER = frozenset(
    "mr mrs ms mx messrs dr prof rev hon gen col capt lt cmdr sgt maj amb atty supt insp sen rep "
    "gov pres fr mt ft vs cf viz approx ca e.g i.e n.b a.k.a".split()
)

_BEFORE_CAPITAL = frozenset("etc a.m p.m b.c bn".split())  # the end before any capital or number

# The end before a word that seldom begins a name (_STARTERS); so are initials, U.S and M.Sc.
_SOMETIMES = frozenset("st ave blvd rd jr sr inc ltd co corp bros dept al esq assn univ".split())
_DOTTED = re.compile(r"[^\W\d_]|[^\W\d_]{1,3}(?:\.[^\W\d_]{1,3})+")

_STARTERS = frozenset(
    "the this that these those there here he it she they we you i who what when where why how "
    "his her its their our your my in on at by for from with after before but and so then yet or "
    "if as although while since because once only even a an some many most few all both each no "
    "not nobody nothing neither everyone everything somebody someone is are was do does did".split()
)

# Abbreviations only before a number or a small letter: "No." and "He sat." can be sentences.
_BEFORE_NUMBER = frozenset(
    "no nos n° pp pg est ext para fig figs vol ch sec art eq op pop pt chap ed Jan Feb Mar Apr "
    "Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun".split()
)

_WORDS_TOO = frozenset("no art pop".split())  # did he go? no. he stayed.
_SUBJECTS = frozenset("i you he she it we they this that there then".split())

_NUMBER = re.compile(r"\d|(?:[IVXLC]{2,}|[B-HJ-Z])\b")
_OPENING_PHRASE = re.compile(
    r"(?:At|By|In|From|Since|Until|Before|After|Around)\s[^,]{0,20}", re.IGNORECASE
)
_DAY_OR_ZONE = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[ECMP][SD]T\b|GMT|UTC|CET")
_PRONOUN_I = re.compile(r"\b[a-z]+ I$")  # "you and I." but not "Albert I. Jones"
_POSTSCRIPT = re.compile(r"\b(?:p\.\s?|p+)s$", re.IGNORECASE)  # P.S. and PS. open a sentence
_NAMES_WITH_MARK = frozenset("Yahoo! Yum! Jeopardy! Oklahoma! Wham! Guess?".split())

# "Why?" Mr. Abel asked: one to three capitalised words, then a verb of speech.
_TAG = re.compile(
    r"(?:[^\W\d_a-z][\w'’-]*\.?\s){1,3}(?:said|asked|shouted|cried|whispered|yelled|replied|answered|"
    r"called|murmured|muttered|exclaimed|snapped|demanded|screamed|begged|wondered)\b"
)


def split_sentences(text: str) -> list[str]:
    """The sentences of ``text`` in order, each without white space at its ends.

    Each has a letter or a digit. Marks and signs that have none, such as an emoji after a full
    stop, go with the sentence beside them; a block of nothing else has no sentence.

    >>> split_sentences("One apple!\\n\\n***\\n\\nTwo pears! :-)")
    ['One apple!', 'Two pears! :-)']
    """
    return [sentence for block in _BLOCK_END.split(text) for sentence in _of_block(block)]


def _of_block(block: str) -> list[str]:
    first = _LETTER_OR_DIGIT.search(block)  # the first that no sentence has yet
    if first is None:
        return []
    starts = [0]
    for marks in _MARKS.finditer(block):
        if first and first.start() < marks.end() and _is_end(block, starts[-1], marks):
            first = _LETTER_OR_DIGIT.search(block, marks.end())
            if first:
                starts.append(marks.end())
    return [block[start:end].strip() for start, end in pairwise([*starts, len(block)])]


def _is_end(block: str, start: int, marks: re.Match[str]) -> bool:
    """Whether the sentence that begins at ``start`` ends with ``marks``."""
    run = marks.group()
    if not _FULL_WIDTH.isdisjoint(run):
        return _GOES_ON.match(block, marks.end() - 1) is None
    space = _SPACE.match(block, marks.end())
    if space is None or not space.group():  # inside 3.5, example.org or "Stop!", she said
        return False
    # Windows of fixed width keep the whole linear, whatever the text.
    before = block[max(start, marks.start() - 40) : marks.start()].strip()
    after = block[space.end() : space.end() + 80].lstrip(_OPENERS)
    if not before or not after or after[0] in "-–—":  # "Be brave." — Anna Lee
        return False
    word = re.split(r"[\W_]", after, maxsplit=1)[0]
    small = word.islower()  # false for iPhone and eBay, which may begin a sentence
    starter = word.lower() in _STARTERS and after[len(word) : len(word) + 1] != "."  # not J. A. Orr
    quoted = not _QUOTES.isdisjoint(run)
    token = _BEFORE_TOKEN.split(before.rsplit(None, 1)[-1])[-1]

    strong = not _STRONG.isdisjoint(run)
    if strong or "…" in run or ".." in run or ". ." in run:
        if small:  # an end in a text that is all in small letters: why? no.
            return run.rstrip("*_")[-1] in _STRONG and not _begins_with_capital(block, start)
        if quoted:
            return (starter and word != "I") or _TAG.match(after) is None
        if token + run in _NAMES_WITH_MARK:
            return starter
        return strong or word != "I"  # "I... I can't" is one sentence
    if len(run) > 1 and (small or quoted or run.count(".") > 1):  # he left.) and ... | etc.).
        return not small
    if before.isdigit() and len(before) < 3:  # the number of a list item
        return False
    if small and _begins_with_capital(block, start):
        # Whoever begins with a capital does so again: a short word is an unlisted abbreviation.
        return len(token) > 5 and token.isalpha() and token.lower() not in _NEVER
    return _ends_at_dot(before, token, after, small, starter)


def _begins_with_capital(block: str, start: int) -> bool:
    opening = _LETTER.search(block, start, start + 40)
    return opening is not None and opening.group().isupper()


def _ends_at_dot(before: str, token: str, after: str, small: bool, starter: bool) -> bool:
    """Whether a single full stop after ``token`` ends the sentence or belongs to the token."""
    key = token.lower().lstrip("0123456789")  # 5p.m, 3bn
    if key in _NEVER or _POSTSCRIPT.search(before):
        return False
    if token in _BEFORE_NUMBER or key in _BEFORE_NUMBER:
        if small:
            return key in _WORDS_TOO and not after.startswith("of ")
        return _NUMBER.match(after) is None
    if key in _BEFORE_CAPITAL or key in _SOMETIMES or _DOTTED.fullmatch(token):
        if _OPENING_PHRASE.fullmatch(before):  # At 5 p.m. Mary left
            return False
        if small:
            return len(token) > 1 and after.split(None, 1)[0] in _SUBJECTS
        if key in _BEFORE_CAPITAL:
            return _DAY_OR_ZONE.match(after) is None
        return starter or _PRONOUN_I.search(before) is not None
    return True

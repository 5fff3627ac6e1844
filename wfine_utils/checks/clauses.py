"""A requirement clause by clause: the one that demands something, and those that only say why.

"They will hear it over a loudspeaker, so no sentence past sixteen words" is a reason and a demand.
The frames of :mod:`.frames` know the whole sentence; here the amount is found first, whatever
stands around it, and then every other word of its clause has to be one that changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from wfine_utils.checks.bound_idioms import without_idioms
from wfine_utils.checks.clause_words import NEUTRAL
from wfine_utils.checks.frames import carries_demand, sentences_of
from wfine_utils.checks.numerals import NUMBER
from wfine_utils.checks.quantities import Quantity, quantities
from wfine_utils.checks.wording import GENRE, SUBJECT, TERMS, without_fillers

_CONDITION = re.compile(
    r"(?:if|unless|while|when|whenever|where(?:ver)?|once|after|before|until"
    r"|should|were|had|is|are|do|does|did|can|could|would|may|might)\b",
    re.IGNORECASE,
)
"""How a clause begins that is a condition, a time or a question."""

_TAKEN_BACK = re.compile(
    r"\b(?:if|unless|ideally|preferably|perhaps|possibly|optional\w*|would be nice"
    r"|need not|needn't|no need|(?:do not|don't|doesn't) (?:have|need) to"
    r"|not (?:true|necessary|essential|mean\w*|just|only|every|all)"
    r"|(?:you|it|they|we) (?:may|can|could|might)|feel free|consider|try"
    r"|disappoint\w*|sorry|regret\w*|too (?:few|many|short|long))\b",
    re.IGNORECASE,
)
"""What makes a wish or a permission of a demand, or takes it back."""

_TASK = re.compile(
    # a task of its own
    r"\b(?:analy[sz]e|argue|cite|compare|consider|define|describe|discuss|explain|portray|quote"
    r"|repeat|review|summari[sz]e|tell of|translate|write about|draw|imagine|invent"
    r"|alliterat\w*|pun|rhymes?|tense"
    r"|(?:and|but|then) (?:be|make|keep|give|add|sound|stay|avoid|do|try|also)"
    # what is said in the text, and no demand on it
    r"|advice|claim|instruction|maxim|motto|phrase|rule|said|says|statement|following|once)\b",
    re.IGNORECASE,
)
"""What asks for something by itself, or makes of the clause after it the matter of the text."""

_SENTENCE_ENDS = re.compile(r"(?<=[a-z\ue000-\ue0ff\d)%])[.!?;:] +|,? - ")
_THEREFORE = re.compile(
    r",? (?:and )?(?:so(?! that)|hence|therefore|thus|accordingly|consequently"
    r"|which means|that means|meaning|which is why|this means) (?:that )?"
)
_REASON_BEHIND = re.compile(
    r",? (?:because|since|so that|seeing that|given that|considering|in order to"
    r"|as (?=the|it|they|we|our|his|her|most|many|usual|is|befits|in)"
    r"|for (?=it|they|we|our readers|most|many)"
    r"|to (?=keep|make|give|suit|match|leave|let|help|show|fit|allow|convey|reflect))"
)
_REASON_AHEAD = re.compile(
    r"(?:because|since|as|given|seeing|considering|in view of|owing to|thanks to|being"
    r"|to (?!the)|for (?!each|every|all|any|at|no|one)|for the sake of|out of respect for"
    r"|in keeping with)\b[^,]*(?:,[^,]*)?, ",
    re.IGNORECASE,
)
_EXAMPLES = re.compile(
    r",? \(?(?:for example|for instance|such as|e\.g\.|like) (?P<examples>[^.;:()]+?)\)?"
    r"(?P<rest>$|,.*|(?<=\)) .*)"
)
_CITED_NUMBER = re.compile(r"\[\d\]")

MAX_WORDS = 40
"""Most words of a clause that is looked at."""

MAX_DEPTH = 3
"""Most reasons that a requirement may give."""


@lru_cache(maxsize=512)
def demanding_clauses(text: str) -> tuple[str, ...]:
    """Every way to leave asides out of a requirement; what is left may demand something.

    Bounds are in their plain form. What begins as a condition, or is a wish, is left out.

    >>> demanding_clauses("The sheet is small, so keep to eighty words, tops")[-1]
    'keep to at most eighty words'
    """
    clauses = dict.fromkeys([text, *sentences_of(text)])
    newest = [*clauses]
    for _ in range(MAX_DEPTH):
        newest = [short for clause in newest for short in _shorter(clause)]
        clauses |= dict.fromkeys(newest)
    return tuple(
        dict.fromkeys(
            plain
            for clause in clauses
            if (plain := _in_plain_form(clause))
            and not _CONDITION.match(plain)
            and not _TAKEN_BACK.search(plain)
            and plain.count(" ") < MAX_WORDS
        )
    )


def _shorter(clause: str) -> Iterator[str]:
    """A clause without one of its asides, for each of them."""
    for match in _SENTENCE_ENDS.finditer(clause):
        left, right = clause[: match.start()], clause[match.end() :]
        if _is_aside(right) and ":" not in match.group():  # what follows a colon belongs to it
            yield left
        if _is_aside(left):
            yield right
    for match in _THEREFORE.finditer(clause):
        if _is_aside(clause[: match.start()]):
            yield clause[match.end() :]
    for match in _REASON_BEHIND.finditer(clause):
        if match.start() and _is_aside(clause[match.end() :]):
            yield clause[: match.start()]
    for match in _EXAMPLES.finditer(clause):
        examples = _CITED_NUMBER.sub("", match["examples"])
        if match.start() and (_is_aside(examples) or re.fullmatch(TERMS, examples)):
            yield f"{clause[: match.start()]}{match['rest']}"
    if (ahead := _REASON_AHEAD.match(clause)) and _is_aside(ahead.group()):
        yield clause[ahead.end() :]


def _is_aside(words: str) -> bool:
    """Whether a clause asks for nothing."""
    return not (carries_demand(words) or _TASK.search(words))


def _in_plain_form(clause: str) -> str:
    return " ".join(without_idioms(without_fillers(clause.strip(" ,.;:!?"))).split())


_KEEP_TO = re.compile(
    r"\b(?:limit(?:ed)?|cap(?:ped)?|confined?|restrict(?:ed)?|ration(?:ed)?|keep|kept|hold|held"
    r"|stay|stick|squeezed?|fit(?:ted)?|trim(?:med)?|pared?|cut|condensed?|compress(?:ed)?"
    r"|boil(?:ed)?|whittled?)\b.* (?:down )?(?:to|at|within|into)$"
    r"|\b(?:room|space) (?:here |there |only )*for(?: only| just)?$"
    r"|\bwithin(?: a limit of)?$",
    re.IGNORECASE,
)
"""What stands before an amount that is a limit: "boil it down to", "there is room for only"."""


class Amount(NamedTuple):
    """A quantity in a clause, and the words before and after it."""

    quantity: Quantity
    before: str
    after: str

    @property
    def rest(self) -> str:
        """All words but those of the quantity."""
        return f"{self.before} {self.after}"

    def as_limit(self) -> Quantity:
        """The quantity; a plain number after "keep it to" is a most."""
        return self.quantity.as_limit() if _KEEP_TO.search(self.before) else self.quantity


_AMOUNT_STARTS = re.compile(
    rf"(?:{NUMBER}|at (?:least|most|the)|no\b|not\b|zero|exactly|precisely|between|from|a total"
    r"|an? (?:absolute )?(?:minimum|maximum)|minimum|maximum|max|min"
    r"|up to|upwards|more than|over|above|in excess|longer|fewer|less|under|below|shorter)",
    re.IGNORECASE,
)
_AMOUNT_WORDS = 14
"""Most words of an amount and what it counts."""


@lru_cache(maxsize=512)
def amounts(clause: str) -> tuple[Amount, ...]:
    """Every stretch of a clause that says how many of what, the longest from each place first.

    >>> amounts("keep to at most eighty words")[0].quantity
    Quantity(low=None, high=80, plain=False, noun='words')
    """
    words = clause.split(" ")
    read = []
    for start in range(len(words)):
        if not _AMOUNT_STARTS.match(" ".join(words[start : start + 3])):
            continue
        for end in range(min(len(words), start + _AMOUNT_WORDS), start + 1, -1):
            for quantity in quantities(" ".join(words[start:end]).rstrip(",")):
                read.append(Amount(quantity, " ".join(words[:start]), " ".join(words[end:])))
    return tuple(read)


_COUNT_BEHIND = re.compile(
    r"(?P<head>.+?)(?:,? and there (?:should|must) be|,)? "
    r"(?P<bound>(?:at (?:the )?(?:very )?(?:least|most)|no (?:fewer|more|less) than"
    rf"|a (?:minimum|maximum) of|exactly|between {NUMBER} and|{NUMBER} to|up to) {NUMBER}"
    rf"|{NUMBER}(?:,? or more|,? or fewer|,? at (?:the )?(?:very )?(?:least|most)|,? at a minimum"
    r"|,? minimum| in number| in all| altogether| in total| of them))"
    r"(?: of (?:them|these|those)| such [a-z]+| in all| in total| altogether| in number"
    r"| overall)?",
    re.IGNORECASE,
)
"""A count that stands behind what it counts: "numbered references, at least four of them"."""

_SAYS_IN_ALL = re.compile(r" (?:in number|in all|altogether|in total|of them)$")


def counts_of(clause: str, noun: str) -> Iterator[Amount]:
    """Every amount of something in a clause; its number may stand before it or at the end.

    Args:
        noun: a pattern of what is counted, without named groups.

    >>> [amount.quantity.low for amount in counts_of("ask questions, at least four", "questions")]
    [4]
    """
    for amount in amounts(clause):
        if re.fullmatch(noun, amount.quantity.noun, re.IGNORECASE):
            yield amount
    match = _COUNT_BEHIND.fullmatch(clause)
    if match is None or re.search(rf"\b{NUMBER}\b", match["head"]):
        return
    head = match["head"]
    named = list(re.finditer(rf"\b(?:{noun})(?!\w)", head, re.IGNORECASE))
    if len(named) != 1:  # which of them is counted?
        return
    for quantity in quantities(f"{_SAYS_IN_ALL.sub('', match['bound'])} items"):
        if quantity.noun.startswith("items"):
            yield Amount(quantity, head[: named[0].start()], head[named[0].end() :])


_THE_TEXT = re.compile(
    rf"\b(?:{SUBJECT}"
    rf"|(?:a|an) (?:whole |short |finished )?(?:{GENRE}) (?=of|with|in|that|which))\b",
    re.IGNORECASE,
)


def changes_nothing(words: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether all words of a stretch are neutral, or among some that are for this kind of check.

    >>> changes_nothing("the story should have"), changes_nothing("the second part should have")
    (True, False)
    """
    bare = _THE_TEXT.sub(" it ", words.lower())
    return set(re.findall(r"[\w'’-]+|[^\w\s,.!()'-]", bare)) <= NEUTRAL | also


_KNOWN_NUMBER = re.compile(
    r"\b(the|his|her|their|its|our|your|these|those) (?:two|three|four|five|six|seven)\b",
    re.IGNORECASE,
)
"""A number of things that are known already: "the two sisters"."""


def demands_nothing(words: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether no word of a stretch asks for anything, but for those of this kind of check.

    Weaker than :func:`changes_nothing`: for what is named so clearly that unknown words beside it,
    such as who speaks, take nothing back.

    >>> demands_nothing("let the two sisters"), demands_nothing("let the last sister")
    (True, False)
    """
    bare = _KNOWN_NUMBER.sub(r"\1", words)
    said = re.findall(r"[\w'’-]+|[\ue000-\ue0ff]", bare)
    own = [word for word in said if word.lower() not in also]
    left = " ".join(word for word in own if word.lower() not in NEUTRAL)
    return not (carries_demand(left) or _TASK.search(" ".join(own)))

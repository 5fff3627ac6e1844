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

from wfine_utils.checks.frames import carries_demand, sentences_of
from wfine_utils.checks.numerals import NUMBER
from wfine_utils.checks.quantities import Quantity, quantities
from wfine_utils.checks.wording import GENRE, SUBJECT, without_fillers

_N = rf"(?P<n>{NUMBER})"
_UNIT = r"(?P<u> [a-z][\w-]*(?: [a-z][\w-]*){0,2}?)?"
_NEVER = (
    "(?:do not|don't|never|must not|mustn't|must never|should not|shouldn't|should never|may not"
    "|shall not|is not to|are not to|cannot|can't|will not|won't|not to|without)"
)
_IDIOMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (rf"\b(?:neither|not|no) (?:shorter|fewer|less|lower)(?: than)? (?P<n>{NUMBER})"
         rf"(?P<u> [a-z]+)? (?:nor|and not|or|and no) (?:longer|more|greater)(?: than)? "
         rf"(?P<m>{NUMBER})(?P<v> [a-z]+)?", r"between \g<n> and \g<m>\g<u>\g<v>"),
        (rf"\b(?:anything|anywhere|somewhere) (?=between|from)", ""),
        (rf"\b(?:somewhere|anywhere|anything) in the range of (?={NUMBER})", ""),
        (rf"\bin the range of (?={NUMBER})", ""),
        (rf"\b{_N}{_UNIT},? (?:tops|at the outside|at the utmost|and no more|but no more"
         rf"|and not (?:a|one)(?: single)? \w+ more|and never more)\b", r"at most \g<n>\g<u>"),
        (rf"\b{_N}{_UNIT} (?:is|are|being) (?:the|my|our|your|its) (?:absolute |upper |outer |very )?"
         rf"(?:ceiling|limit|cap|maximum|most|upper limit)\b", r"at most \g<n>\g<u>"),
        (rf"\b{_N}{_UNIT} (?:is|are|being) (?:the|my|our|your|its) (?:absolute |very |bare )?"
         rf"(?:floor|minimum|least|fewest|lower limit)\b", r"at least \g<n>\g<u>"),
        (rf"\b(?:a |the |your |our |its )?(?:ceiling|cap|limit|upper limit|maximum)(?: is| of|:) "
         rf"{_N}\b", r"at most \g<n>"),
        (rf"\b(?:a |the |your |our |its )?(?:floor|minimum|lower limit)(?: is| of|:) {_N}\b",
         r"at least \g<n>"),
        (rf"\b{_N}{_UNIT},? (?:(?:or|and) (?:upwards?|better|oftener|above|over|beyond)|minimum"
         rf"|at a minimum|if not (?:more|oftener)(?: often)?|as a minimum|or more often"
         rf"|at the minimum|at the least)\b", r"at least \g<n>\g<u>"),
        (rf"\b{_N}{_UNIT},? (?:(?:or|and) (?:under|below)|maximum|as a maximum)\b",
         r"at most \g<n>\g<u>"),
        (rf"\b(?:not|nothing|none|nobody|never) (?:under|below|short of) {_N}\b",
         r"at least \g<n>"),
        (rf"\b(?:not|nothing|never)(?: (?:a|one)(?: single)?(?P<u> [a-z]+))? "
         rf"(?:over|above|beyond|past|longer than|more than|in excess of) {_N}\b",
         r"at most \g<n>\g<u>"),
        (rf"\b{_NEVER} (?:let (?:it|this|the text) )?(?:ever )?(?:exceed|surpass|top|overstep|overrun"
         rf"|outrun|pass) {_N}\b", r"at most \g<n>"),
        (rf"\b{_NEVER} (?:let (?:it|this|the text) )?(?:ever )?(?:go|run|stretch|spill|stray|get|be|extend|last"
         rf"|come to|have|use|contain|write|include|take|need|grow|drag on|spend|number|number any)?"
         rf"(?: on| out| any)? ?"
         rf"(?:beyond|past|over|above|longer than|to more than|more than|in excess of) {_N}\b",
         r"at most \g<n>"),
        (rf"\b{_NEVER} (?:go|fall|drop|be|run|dip|sink|get|come)(?: to)? ?(?:below|under|short of|shorter than"
         rf"|fewer than|less than) {_N}\b", r"at least \g<n>"),
        (rf"\b(?P<w>none|nor|no one)(?: of (?:them|which|these))?(?: may| should| must| to| can)? "
         rf"(?:exceed|exceeding|exceeds|run past|go beyond|be (?:over|above|longer than|more than)"
         rf"|over|above|beyond|past|at most|longer than|more than|with more than|of more than) {_N}\b", r"\g<w> at most \g<n>"),
        (rf"\b(?:any|every|each) (?P<w>[a-z]+) (?:over|above|beyond|past) {_N}\b", r"\g<0>"),
        (rf"\bno (?:longer|greater|higher) than {_N}\b", r"at most \g<n>"),
        (rf"\b(?:no|not) (?:shorter|lower|smaller) than {_N}\b", r"at least \g<n>"),
        (rf"\b{_N}(?: or) (?P<m>{NUMBER}) or more\b", r"at least \g<n>"),
        (rf"\b(?:just|strictly) {_N}\b", r"exactly \g<n>"),
        (rf"\b{_N}{_UNIT}(?P<v>(?: [a-z]+){{0,4}}),? (?:neither more nor (?:fewer|less)|no more,? (?:and )?no "
         rf"(?:fewer|less)|not one more,? (?:and )?not one (?:fewer|less))\b", r"exactly \g<n>\g<u>\g<v>"),
        (r",? from (?:start|beginning|first) to (?:finish|end|last)\b,?", ""),
        (r" is what (?:the|our|my|we|this|any|every)\b[\w' ]*? (?:requires?|asks? for|wants?|needs?|expects?)$", ""),
        (rf"\b{_N}, {NUMBER},? or (?P<m>{NUMBER})(?= [a-z])", r"between \g<n> and \g<m>"),
        (rf"\b{_N} words (?:is|are) as long as (?:a|any|each) sentence (?:should|may|must|can|is to) "
         r"(?:get|be|run)\b", r"no sentence past \g<n> words"),
        (rf"(?P<u>\b[a-z-]+(?: [a-z-]+)?), (?P<v>(?:at (?:least|most)|no (?:more|fewer) than|exactly) {NUMBER})"
         rf"(?: of them)?, ", r"\g<v> \g<u> "),
        (r" (?:that|which) (?:the|our|my|this|we|it)\b[\w ]*? (?:will|can|could) (?:take|hold|bear|allow|fit|print"
         r"|spare|afford)$", ""),
        (rf"\b{_N}(?P<u> [a-z]+), or more,", r"at least \g<n>\g<u>"),
        (rf"\bat most {_N}{_UNIT},? (?:and |but |or |, )?(?:also |none |however )?"
         rf"(?:no (?:fewer|less|shorter) than|at (?:the )?(?:very )?least|a minimum of) "
         rf"(?P<m>{NUMBER})\b", r"between \g<m> and \g<n>\g<u>"),
        (rf"\bat (?:the )?(?:very )?least {_N}{_UNIT},? (?:and |but |or |, )?(?:also |none |however )?"
         rf"(?:no (?:more|longer) than|not (?:more|longer) than|at (?:the )?(?:very )?most"
         rf"|a maximum of|up to|not above|under) (?P<m>{NUMBER})\b",
         r"between \g<n> and \g<m>\g<u>"),
        (rf"\b{_N} (?P<u>[a-z]+),? at (?:the )?(?:very )?least,? (?:and|but)(?: also)? (?:no more than|at "
         rf"(?:the )?(?:very )?most|not above|not more than) (?P<m>{NUMBER})\b",
         r"between \g<n> and \g<m> \g<u>"),
        (rf"\b{_N} (?P<u>[a-z]+),? at (?:the )?(?:very )?least,? (?:and |but )?(?P<m>{NUMBER}) at (?:the )?"
         rf"(?:very )?most\b", r"between \g<n> and \g<m> \g<u>"),
        (rf"\b{_N} (?P<u>[a-z]+),? at (?:the )?(?:very )?most,? (?:and|but)(?: also)? (?P<m>{NUMBER}) at "
         rf"(?:the )?(?:very )?least\b", r"between \g<m> and \g<n> \g<u>"),
        (rf"\b(?P<w>arrange|organi[sz]e|group|put|set|sort|divide|file|structure)(?P<u> [a-z]+(?: [a-z]+)?) "
         rf"under (?=(?:exactly |precisely )?{NUMBER} (?:[a-z-]+ )*headings?)", r"\g<w>\g<u> with "),
        (r"\b(?:finish|end|close|conclude) (?P<u>[^,;]+? sentences) (?:with|in|on|by) "
         r"(?P<v>an exclamation (?:mark|point)|a question mark)\b", r"use \g<u> ending with \g<v>"),
        (r"\bsentences (?:should|must|are to|have to|need to|ought to) (?:end|finish|close) (?:with|in|on) "
         r"(?=an exclamation|a question mark)", "sentences ending with "),
        (r"\b(?:an )?even dozen\b", "exactly twelve"),
        (r"\ba pair of\b", "two"),
    )
)  # fmt: skip
"""Ways to say a bound, and the one form in which :mod:`.quantities` reads it."""

_NEUTRAL = frozenset(
    "the a an it its your this that these those all please in of for with to from and i we you us "
    "me my our let there make makes give write use include contain contains have has had needs need "
    "needed must should shall will would is are be being come comes coming run runs amount amounts "
    "count counts total totals altogether keep kept aim put do does suffice wanted required expected "
    "called asked want wants ask asks like length long overall somewhere here say said whole entire "
    "full itself piece out up into go goes get gets take takes takes stay stays work at on by as "
    "consist consists consisting made having using containing featuring insert weave add slip "
    "sprinkle offer supply provide find feature features appear appears occur occurs bring build "
    "scatter drop throw fall falls lie end-to-end sum adding adds exactly precisely number numbers "
    "calls call demands requires require calling size extent set fill fills reach reaches hit what "
    "feels right i'd she'll he'll they'll i'll we'll it'll you'll expect he she they his her their "
    "who've i've we've you've tell told carry show pack pepper load lace each-way too as such them "
    "own not-counting tale strictly firm sharp flat proper real plain clear different various "
    "suit suits acceptable spare us distinct good well-placed telling short including page see on style".split()
)
"""Words that leave a demand as it is. No negation, no condition, no permission and no place."""

LIMITS = frozenset(
    "limit limited limits keep kept within cap capped ceiling maximum confine confined restrict "
    "restricted hold held squeeze squeezed fit fits fitted room stay stays stick allowed ration "
    "rationed allowance cut trim trimmed pare pared down yourself yourselves permitted no space "
    "space allow budget have has only".split()
)
"""Words with which a plain number is a most."""

_KEEP_TO = re.compile(
    r"\b(?:limit(?:ed)?|cap(?:ped)?|confine[d]?|restrict(?:ed)?|hold|held|squeezed?|fit(?:ted)?"
    r"|trim(?:med)?|pared?|cut|ration(?:ed)?|condensed?|compress(?:ed)?|boil(?:ed)?|whittled?"
    r"|keep|kept|stay|stick)\b.* (?:down )?(?:to|at|within|into)$"
    r"|\b(?:room|space) (?:here |there |only )*for(?: only| just)?$|\bwithin(?: a limit of)?$",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"(?:should|were|had|is|are|do|does|did|can|could|would|may|might|when|if|unless|while"
    r"|where(?:ver)?|whenever|once|after|before|until)\b", re.IGNORECASE
)  # fmt: skip
_TAKEN_BACK = re.compile(
    r"\b(?:if|unless|ideally|preferably|perhaps|possibly|optional\w*|need not|needn't|no need"
    r"|not (?:true|necessary|essential|mean\w*|just|only|every|all)|(?:do not|don't|doesn't) (?:have|need) to"
    r"|(?:you|it|they|we) (?:may|can|could|might)|would be nice|consider|try|feel free|disappoint\w*|sorry|regret\w*|too (?:few|many|short|long))\b",
    re.IGNORECASE,
)
"""What makes a wish or a permission of a demand, or takes it back."""

_TASK = re.compile(
    r"\b(?:explain|discuss|describe|analy[sz]e|consider|compare|define|translate|summari[sz]e"
    r"|quote|cite|repeat|argue|tell of|write about|rule|phrase|following|motto|maxim|instruction"
    r"|advice|claim|statement|said|says|once|rhymes?|pun|alliterat\w*|review|invent|draw|imagine"
    r"|portray|tense|(?:and|but|then) (?:be|make|keep|give|add|sound|stay|avoid|do|try|also))\b",
    re.IGNORECASE,
)
"""What makes of the clause after it the matter of the text, or asks for something by itself."""

_SENTENCES = re.compile(r"(?<=[a-z\ue000-\ue0ff\d)%])[.!?;:] +|,? - ")
_SO = re.compile(
    r",? (?:and )?(?:so(?! that)|hence|therefore|thus|accordingly|consequently|which means|"
    r"that means|meaning|which is why|this means) (?:that )?"
)
_WHY = re.compile(
    r",? (?:because|since|so that|seeing that|given that|considering|as (?=the|it|they|we|our|his"
    r"|her|most|many|usual|is|befits|in)|for (?=it|they|we|our readers|most|many)|in order to"
    r"|to (?=keep|make|give|suit|match|leave|let|help|show|fit|allow|convey|reflect))"
)
_FIRST_WHY = re.compile(
    r"(?:because|since|as|given|seeing|considering|for the sake of|to (?!the)|in view of|owing to"
    r"|thanks to|being|for (?!each|every|all|any|at|no|one)|out of respect for|in keeping with)\b[^,]*(?:,[^,]*)?, ",
    re.IGNORECASE,
)
_EXAMPLES = re.compile(
    r",? \(?(?:for example|for instance|such as|e\.g\.|like) (?P<of>[^.;:()]+?)\)?(?P<rest>$|,.*|(?<=\)) .*)"
)
MAX_WORDS = 40
"""Of a clause that is looked at."""

MAX_DEPTH = 3
"""Reasons that a requirement may give."""


@lru_cache(maxsize=512)
def demanding_clauses(text: str) -> tuple[str, ...]:
    """Every way to leave asides out of a requirement; what is left may demand something."""
    found = dict.fromkeys([text, *sentences_of(text)])
    newest = [*found]
    for _ in range(MAX_DEPTH):
        newest = [short for clause in newest for short in _shorter(clause)]
        found |= dict.fromkeys(newest)
    return tuple(
        dict.fromkeys(
            plain
            for clause in found
            if (plain := _in_one_form(clause))
            and not _CONDITION.match(plain)
            and not _TAKEN_BACK.search(plain)
            and plain.count(" ") < MAX_WORDS
        )
    )


def _shorter(clause: str) -> Iterator[str]:
    for match in _SENTENCES.finditer(clause):
        left, right = clause[: match.start()], clause[match.end() :]
        if _is_aside(right) and ":" not in match.group():  # what follows a colon belongs to it
            yield left
        if _is_aside(left):
            yield right
    for match in _SO.finditer(clause):
        if _is_aside(clause[: match.start()]):
            yield clause[match.end() :]
    for match in _WHY.finditer(clause):
        if match.start() and _is_aside(clause[match.end() :]):
            yield clause[: match.start()]
    for match in _EXAMPLES.finditer(clause):
        if match.start() and _is_aside(re.sub(r"\[\d\]", "", match["of"])):
            yield f"{clause[: match.start()]}{match['rest']}"
    if (match := _FIRST_WHY.match(clause)) and _is_aside(match.group()):
        yield clause[match.end() :]


def _is_aside(words: str) -> bool:
    """Whether a clause asks for nothing."""
    return not (carries_demand(words) or _TASK.search(words))


def _in_one_form(clause: str) -> str:
    clause = without_fillers(clause.strip(" ,.;:!?"))
    for pattern, said in _IDIOMS:
        clause = pattern.sub(lambda match, said=said: match.expand(said), clause)
    return " ".join(clause.split())


class Amount(NamedTuple):
    """A quantity in a clause, and the words around it."""

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


_STARTS = re.compile(
    rf"(?:{NUMBER}|at (?:least|most|the)|no\b|not\b|an? (?:absolute )?(?:minimum|maximum)|minimum|maximum"
    r"|max|min|up to|more than|over|above|upwards|fewer|less|under|below|exactly|precisely|between"
    r"|from|zero|in excess|longer|shorter|a total)",
    re.IGNORECASE,
)


@lru_cache(maxsize=512)
def amounts(clause: str) -> tuple[Amount, ...]:
    """Every stretch of a clause that says how many of what, the longest from each place first."""
    words = clause.split(" ")
    found = []
    for i in range(len(words)):
        if not _STARTS.match(" ".join(words[i : i + 3])):
            continue
        for j in range(min(len(words), i + 14), i + 1, -1):
            for quantity in quantities(" ".join(words[i:j]).rstrip(",")):
                found.append(Amount(quantity, " ".join(words[:i]), " ".join(words[j:])))
    return tuple(found)


_BEHIND = re.compile(
    rf"(?P<head>.+?)(?:,? and there (?:should|must) be|,)? (?P<q>(?:at (?:the )?(?:very )?(?:least|most)|no (?:fewer|more"
    rf"|less) than|a (?:minimum|maximum) of|exactly|between {NUMBER} and|{NUMBER} to|up to) {NUMBER}"
    rf"|{NUMBER}(?:,? or more|,? or fewer|,? at (?:the )?(?:very )?(?:least|most)|,? at a minimum"
    rf"|,? minimum| in number| in all| altogether| in total| of them))"
    rf"(?: of (?:them|these|those)| such [a-z]+| in all| in total| altogether| in number| overall)?",
    re.IGNORECASE,
)
"""A count that stands behind what it counts: "numbered references, at least four of them"."""


def counts_of(clause: str, noun: str) -> Iterator[Amount]:
    """Every amount of something in a clause; its number may stand before it or at the end.

    Args:
        noun: a pattern of what is counted, without named groups.
    """
    for amount in amounts(clause):
        if re.fullmatch(noun, amount.quantity.noun, re.IGNORECASE):
            yield amount
    match = _BEHIND.fullmatch(clause)
    if match is None or re.search(rf"\b{NUMBER}\b", match["head"]):
        return
    named = list(re.finditer(rf"\b(?:{noun})(?!\w)", match["head"], re.IGNORECASE))
    bound = re.sub(r" (?:in number|in all|altogether|in total|of them)$", "", match["q"])
    for quantity in quantities(f"{bound} items"):
        if len(named) == 1 and quantity.noun.startswith("items"):
            head = match["head"]
            yield Amount(quantity, head[: named[0].start()], head[named[0].end() :])


def changes_nothing(words: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether all words of a stretch are neutral, or among some that are for this kind of check."""
    bare = _THE_TEXT.sub(" it ", words.lower())
    return set(re.findall(r"[\w'’-]+|[^\w\s,.!()'-]", bare)) <= _NEUTRAL | also


_DEFINITE = re.compile(
    r"\b(the|his|her|their|its|our|your|these|those) (?:two|three|four|five|six|seven)\b",
    re.IGNORECASE,
)
"""A number of things that are known already: "the two sisters"."""


def demands_nothing(words: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether no word of a stretch asks for anything, but for those of this kind of check.

    Weaker than :func:`changes_nothing`: for what is named so clearly that unknown words beside it,
    such as who speaks, take nothing back.
    """
    bare = _DEFINITE.sub(r"\1", words)
    said = re.findall(r"[\w'’-]+|[\ue000-\ue0ff]", bare)
    own = [word for word in said if word.lower() not in also]
    left = " ".join(word for word in own if word.lower() not in _NEUTRAL)
    return not (carries_demand(left) or _TASK.search(" ".join(own)))


_THE_TEXT = re.compile(
    rf"\b(?:{SUBJECT}|(?:a|an) (?:whole |short |finished )?(?:{GENRE}) (?=of|with|in|that|which))\b",
    re.IGNORECASE,
)

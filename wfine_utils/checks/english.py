"""What the checks of prose know of English: its pronouns, similes, letters and dates, as patterns.

Each is applied to a text as a reader sees it, in the one form of
:func:`wfine_utils.checks.words.normalised`: an apostrophe is straight, a blank single.
"""

from __future__ import annotations

import re


def _any_of(words: str) -> str:
    return "|".join(words.split())


# A pronoun counts whatever follows its apostrophe: I'm, you'd've.
FIRST_PERSON = frozenset("i me my mine myself we us our ours ourself ourselves let's".split())
SECOND_PERSON = frozenset("you your yours yourself yourselves y'all".split())

NO_PRONOUN = re.compile(
    rf"""
    (?<![A-Z]\ ) \bUS\b                 # the country, unless the word before is in capitals too
    | \b[Ii]\.\ ?e\b | \bI/O\b
    | \([Ii]\) | ^[IVX]+[.)]\           # numbering, and what has a number:
    | \bWorld\ War\ I\b
    | \b(?:{_any_of("Part Chapter Book Volume Act Scene Type Phase Class Grade Article")})\ I\b
    | \b(?i:{_any_of("a an the coal gold silver salt copper tin iron diamond land")})\ mine\b
    """,
    re.MULTILINE | re.VERBOSE,
)

CONTRACTION = re.compile(
    rf"""
    \b(?: \w+n't | \w+'(?:ll|ve|re|d|m)
        | (?:{_any_of("he she it that there here what who let where how when why")})'s
        | y'all
    ) (?:'ve|'d)? \b
    | (?<!\w)'(?:tis|twas|twere|twill)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_CONJUNCTIONS = _any_of("soon well long far much many little few often early late")  # as soon as

SIMILE = re.compile(
    rf"""
    (?P<wish>                           # I would also like a
        \b(?: [a-z]+n't | (?: [a-z]+'d | (?:if|when|that|what|did|do|would)\ you
            | {_any_of("would should could will may might do does did to i we they")})(?:\ not)?
        )\ (?: (?:also|even|[a-z]+ly)\  )?
    )? \blike\s(?:an?|the)\b
    | \bas\s (?! (?:if|though|{_CONJUNCTIONS})\b)
        [\w'-]+ (?: \s(?:and|or)\s[\w'-]+ )? \sas\b
        (?! \s(?: \d+ | {_any_of("possible ever usual before needed i you we they he she it")})\b)
    | \bas\s(?:if|though)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

GREETING = re.compile(
    r"""
    (?: (?:my\ )?dear(?:est)? | hello | hi | hey | to | greetings
        | good\ (?:morning|afternoon|evening|day)
    )\b .{0,80} [,:!]
    | dear (?:\ [^\W\d_][\w.'-]*){1,5}(?<!\.)  # open punctuation: Dear Mr Smith
    """,
    re.IGNORECASE | re.VERBOSE,
)

_CLOSING_WORDS = _any_of(
    "yours sincerely faithfully truly cordially respectfully warmly warm warmest kind kindest best "
    "regards with love gratefully gratitude affectionately fondly friend thank thanks cheers hugs "
    "until"
)

CLOSING = re.compile(
    rf"""
    (?: (?:{_any_of("very most many ever always all in the my our your")})\  )*
    (?: {_CLOSING_WORDS} | take\ care | see\ you | god\ bless | i\ remain | looking\ forward
    )\b [^.!?]* [,!]?
    """,
    re.IGNORECASE | re.VERBOSE,
)

# Capital letters, and letters of scripts that have none; a name begins with one.
_CAPITAL = "".join(filter(str.isupper, map(chr, range(0x2000)))) + "א-ჿ\u3005-\u9fff가-힣"

_YEAR_IN_BRACKETS = r"(?:1[6-9]|20)\d\d[a-z]? (?: [,;:][^()]{1,60} )? \)"

AUTHOR_YEAR = re.compile(
    rf"""
    \( [{_CAPITAL}][^()]{{0,60}}? (?:,\s?|\s) {_YEAR_IN_BRACKETS}
    | \b[{_CAPITAL}][\w'-]{{0,40}}
        (?: \s(?:and|&)\s[{_CAPITAL}][\w'-]{{0,40}} | \set\sal\.? )? \s?\({_YEAR_IN_BRACKETS}
    """,
    re.VERBOSE,
)

SPEECH = re.compile(  # ANNA (softly): You came.
    rf"^\ ? [{_CAPITAL}][\w\ .'-]{{0,30}} (?: \ ?\([^()\n]{{1,40}}\) )? \ ?:\ \S",
    re.MULTILINE | re.VERBOSE,
)

_AFTER_A_YEAR = _any_of(  # words in -s that are nothing counted
    "was is has as its his this thus across perhaps always towards besides unless sees marks "
    "brings begins ends opens starts comes"
)

YEAR = re.compile(
    rf"""
    (?P<in>\b(?i:in|since|until|during|year)\ )?
    (?<! [\d$£€¥\#] ) (?: (?<!\d[.,]) | (?<=\.\d\.) | (?<=\.\d\d\.) )   # 3.1415; but: 3.5.1999
    (?: (?P<bc>\d{{1,4}})\ (?:BCE?\b|B\.C\.) | (?P<ad>(?:1\d|20)\d\d) )
    (?! \d | [.,]\d | \ ?[%°€] | -(?!era\b|built\b|style\b)[a-z] )
    # 1200–1300 people, 1500 trees: what is counted follows; but: in 2008 banks failed
    (?! (?:[-–]\d+)?\ (?:
        {_any_of("people men women children feet percent million mm cm m km g kg lb ft")} | or\ so
    )\b )
    (?(in) | (?! (?:[-–]\d+)?\ (?!(?:{_AFTER_A_YEAR})\b)[a-z]+s\b ) )
    """,
    re.VERBOSE,
)

QUOTATION = re.compile(
    r"""
    ["“«「] ( (?: [^"“”«»「」\n] | \n(?!\n) )+ ) ["”»」]
    | „ ([^„“”]+) [“”]
    """,
    re.VERBOSE,
)

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

_NUMBERED = _any_of(
    "Part Chapter Book Volume Act Scene Type Phase Class Grade Article Section Stage Level "
    "Division Group Tier Appendix Table Figure Title Unit Module Lesson Annex Schedule Category"
)

NO_PRONOUN = re.compile(
    rf"""
    (?:(?<![A-Z][A-Z]\ )|(?<=THE\ )) \bUS\b  # the country; but: LEFT FOR US
    | \b(?:[^\W\d_]\.)+[^\W\d_]\b | \b[Ii]\.\ e\b | \bI/O\b     # A.I., i.e
    | \([Ii]\) | ^(?i:[ivx]+)[.)]\      # numbering, and what has a number:
    | \bWorld\ War\ I\b
    | \b(?:{_NUMBERED})\ I\b
    | \b(?i:an?|the|this|each|every)\ (?:[\w-]+\ )?mine\b
    | \b(?i:coal|gold|silver|salt|copper|tin|iron|diamond|land)\ mine\b
    | \b[Mm]ine\ (?:shaft|worker|owner|field|site|entrance)s?\b
    """,
    re.MULTILINE | re.VERBOSE,
)

CONTRACTION = re.compile(
    rf"""
    \b(?: \w+n't | \w+'(?:ll|ve|re|d|m)
        | (?:{_any_of("he she it that there here what who let where how when why")})'s
        | y'all | c'mon | ma'am | d'you | y'know | o'er | n?e'er
    ) (?:'ve|'d)? \b
    | (?<!\w)'(?:tis|twas|twere|twill|em|til|cause)\b(?!')
    """,
    re.IGNORECASE | re.VERBOSE,
)

_CONJUNCTIONS = _any_of(  # as soon as
    "soon well long far much many little few often early late recently"
)

SIMILE = re.compile(
    rf"""
    (?P<wish>                           # I would also like a
        \b(?: [a-z]+n't | (?: [a-z]+'d | (?:if|when|that|what)\ you
            | (?:do|does|did|would)\ (?:{_any_of("you he she it anyone everyone someone")})
            | {_any_of("would should could will may might do does did to i we they")})(?:\ not)?
        )\ (?: (?:{_any_of("also even just still rather very so much all both always never")}
            | [a-z]+ly)\  ){{0,2}}
    )? \blike\s(?:an?|the)\b
    | \bas\s (?! (?:if|though|{_CONJUNCTIONS})\b)
        [\w'-]+ (?: \s(?:and|or)\s[\w'-]+ )? \sas\b
        (?! \s(?: \d+ | that(?!\ \w)
            | {_any_of("possible ever usual before needed not i you we they he she it me him them")}
        )\b)
    | \bas\s(?:if|though)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

GREETING = re.compile(
    rf"""
    (?: (?:my\ )?dear(?:est)? | good\ (?:morning|afternoon|evening|day) | to(?!\ do\b)
        | your\ (?:honou?r|excellency|majesty) | ladies\ and\ gentlemen
        | {_any_of("hello hi hey hiya howdy greetings salutations gentlemen sirs? madam darling")}
        | {_any_of("beloved esteemed respected honou?rable")}
    )\b .{{0,80}} [,:;!—–]
    | dear (?:\ [^\W\d_][\w.'-]*){{1,5}}(?<!\.)  # open punctuation: Dear Mr Smith
    """,
    re.IGNORECASE | re.VERBOSE,
)

_CLOSING_WORDS = _any_of(
    "yours sincerely faithfully truly cordially respectfully warmly warm warmest kind kindest best "
    "regards with love gratefully gratitude affectionately fondly friend thank thanks thanking "
    "cheers hugs until till ciao peace blessings farewell forever always signed hoping awaiting "
    "wishing sending xo(?:xo)?"
)

_KIN = _any_of("friend son daughter sister brother mother father aunt uncle cousin servant")

CLOSING = re.compile(
    rf"""
    (?: (?:{_any_of("very most much many lots ever always all of in the my our your")})\  )*
    (?: {_CLOSING_WORDS} | take\ care | see\ you | god\ bless | i\ remain | looking\ forward
        | stay\ (?:safe|well|strong) | be\ well | (?:talk|speak)\ soon | as\ (?:ever|always)
        | good\ luck | have\ an? | your\ (?:\w+\ ){{0,2}}(?:{_KIN})
        | in\ (?:{_any_of("solidarity friendship fellowship christ faith haste hope appreciation")})
    )\b (?: [^.!?]* [,!]? | (?:\ \w+)? \. )
    | [a-z]+ly (?: ,|\ yours,?)         # Humbly,
    """,
    re.IGNORECASE | re.VERBOSE,
)

# Capital letters, and letters of scripts that have none; a name begins with one.
_CAPITAL = "".join(filter(str.isupper, map(chr, range(0x2000)))) + "א-ჿ\u3005-\u9fff가-힣"

_YEAR_IN_BRACKETS = r"(?:1[6-9]|20)\d\d[a-z]? (?: [,;:][^()]{1,60} )? \)"

_MONTHS = _any_of(
    "January February March April May June July August September October November December Spring "
    "Summer Autumn Fall Winter Jan Feb Mar Apr Jun Jul Aug Sept? Oct Nov Dec"
)

AUTHOR_YEAR = re.compile(
    rf"""
    \( (?: (?:see|cf\.|e\.g\.|i\.e\.|also|in|after|compare|as\ cited\ in),?\  ){{0,2}}
        (?: (?:{_any_of("de la del der van von di da du dos al el bin ibn le")})[ -] | [dl]' )*
        (?! (?:{_MONTHS})\.?(?:\ \d\d?,?)?\ \d )      # May 2019; but: Rollo May, 2019
        ["“]? [{_CAPITAL}][^()]{{0,60}}? (?:,\s?|\s) {_YEAR_IN_BRACKETS}
    | \b[{_CAPITAL}][\w'-]{{0,40}}
        (?: \s(?:and|&)\s[{_CAPITAL}][\w'-]{{0,40}} | \set\sal\.? )? \s?\({_YEAR_IN_BRACKETS}
    """,
    re.VERBOSE,
)

SPEECH = re.compile(  # ANNA (softly): You came.
    rf"""
    ^\ ?(?:>\ ?)* [{_CAPITAL}][\w\ .'&/\#-]{{0,30}} (?: \ ?[(\[][^()\[\]\n]{{1,40}}[)\]] ){{0,2}}
    \ ?: (?: \ \S | [\u3005-\u9fff\uac00-\ud7af] )
    """,
    re.MULTILINE | re.VERBOSE,
)

_AFTER_A_YEAR = _any_of(  # words in -s that are nothing counted
    "was is has as its his this thus across perhaps always towards besides unless sees marks "
    "brings begins ends opens starts comes"
)

_COUNTED = _any_of(
    "people men women children feet percent thousand million billion dozen sheep fish deer cattle "
    "mm cm m km g kg mg l L ml mL lb ft W kW MW kWh V hp Hz kHz MHz GHz MB GB TB kB rpm ppm cal "
    "kcal euro yen EUR USD GBP CHF"
)

NO_YEAR = re.compile(  # what has such a number, and what is an amount by the words before it
    r"""
    \b (?i: pages? | pp?\. | rooms? | no\. | number | flight | route | line | ISO | nearly | almost
        | more\ than | fewer\ than | less\ than | up\ to | at\ least | USD | EUR | GBP | CHF
    )\ \d[\d,]* | [$£€¥]\ \d+
    | \d{1,5}\ ?[x×]\ ?\d{1,5} | \b\d{3}-\d{4}\b | \b\d{1,2}:\d{3,}
    """,
    re.VERBOSE,
)

YEAR = re.compile(
    rf"""
    (?P<in>\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Dd]uring|[Yy]ear|By)\ )?
    (?<![A-Za-z]) (?:FY)?                                          # X1500
    (?<! [\d$£€¥\#] ) (?: (?<!\d[.,]) | (?<=\.\d\.) | (?<=\.\d\d\.) )   # 3.1415; but: 3.5.1999
    (?: (?P<bc>\d{{1,4}})\ (?:BCE?\b|B\.C\.(?:E\.)?)
        | (?P<ad>(?:1\d|20)\d\d | \d{{1,3}}(?=\ (?:AD\b|CE\b|A\.D\.|C\.E\.)) | (?<=AD\ )\d{{1,3}})
    )
    (?! \d | [.,]\d | \+ | \ ?[%°€] | -(?!era\b|built\b|style\b)[a-z] )
    (?! (?!s\b|[a-f]\b)[A-Za-z] )                                # 1080p; but: 1950s, 1999a
    # 1200–1300 people, 1500 trees: what is counted follows; but: in 2008 banks failed
    (?! (?:[-–]\d+)?\ (?: {_COUNTED} | or\ so | of\ (?:them|us|these|those) )\b )
    (?(in) | (?! (?:[-–]\d+)?\ (?:
        (?!(?:{_AFTER_A_YEAR})\b)[a-z]+s | more | per | staff | [A-Z]\w+ans
    )\b ) )
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

"""Checks of natural prose: both sides of every border, and no text that makes one raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_utils.checks import dispatch
from wfine_utils.checks.markdown import MAX_CHARACTERS, parse
from wfine_utils.checks.prose import PROSE_CHECKS
from wfine_utils.errors import WfineError

LETTER = "Dear Ms Okafor,\n\nThe boiler is old. It still works.\n\nKind regards,\nTom Reyes"
TEXT = """# Plan

We don't stop, and it is like a storm! Was it as quick as light? You will see.

- **One** item
- two

1. first
2. second

| a | b |
|---|---|
| 1 | 2 |

> a quote

## Method

In 1990 and 2001 (Ames, 2019) it rose 5 % and "went up there"; see [3].
"""
CASES = [  # kind, arguments that the text meets, arguments that it just misses
    ("sentences", {"low": 13, "high": 13}, {"low": 14}),
    ("sentence_words", {"high": 16}, {"high": 9}),
    ("paragraphs", {"low": 2, "high": 2, "words_low": 12}, {"low": 3}),
    ("proportion", {"part": {"section": "Method"}, "low": 0.3, "high": 0.5}, {"part": "x"}),
    ("proportion", {"part": "first paragraph", "low": 0.4}, {"part": "last paragraph", "low": 0.5}),
    ("char_count", {"low": 200, "high": 260}, {"high": 100, "spaces": False}),
    ("list_items", {"marker": "bullet", "low": 2, "high": 2}, {"marker": "numbered", "low": 3}),
    ("table", {"columns": 2, "rows_low": 1, "rows_high": 1}, {"columns": 3}),
    ("headings", {"texts": ["plan", "Method"], "low": 2}, {"texts": ["Method", "Plan"]}),
    ("headings", {"level": 2, "high": 1}, {"level": 3}),
    ("bold_terms", {"terms": ["one"]}, {"terms": ["two"]}),
    ("bold_count", {"low": 1, "high": 1}, {"low": 2}),
    ("line_starts", {"prefix": "a quote"}, {"prefix": "WARNING:"}),
    ("citations", {"high": 1}, {"low": 2}),
    ("citations", {"style": "numeric"}, {"style": "numeric", "low": 2}),
    ("block_quotes", {"high": 1}, {"low": 2}),
    ("question_count", {"low": 1, "high": 1}, {"low": 2}),
    ("exclamation_sentences", {"low": 1}, {"high": 0}),
    ("similes", {"low": 2, "high": 2}, {"low": 3}),
    ("first_person", {"high": 1}, {"high": 0}),
    ("second_person", {"low": 1}, {"low": 2}),
    ("anaphora", {"start": "Was it"}, {"start": "We remember"}),
    ("contractions", {"low": 1}, {"high": 0}),
    ("mentions_some", {"terms": ["storm", "light", "sea"], "low": 2}, {"terms": ["sea"]}),
    ("forbids", {"terms": ["sea", "storms"]}, {"terms": ["STORM"]}),
    ("numbers", {"low": 4}, {"high": 2}),
    ("percentages", {"high": 1}, {"low": 2}),
    ("years_in_order", {"low": 2}, {"low": 4}),
    ("quotations", {"high": 1}, {"low": 2}),
]


@pytest.mark.parametrize(("kind", "met", "missed"), CASES, ids=[c[0] for c in CASES])
def test_both_sides_of_the_border(kind, met, missed):
    assert dispatch.check({"kind": kind, **met}, TEXT)
    assert not dispatch.check({"kind": kind, **missed}, TEXT)


def test_letter_record_and_dialogue():
    assert dispatch.check({"kind": "letter_layout"}, LETTER)
    assert not dispatch.check({"kind": "letter_layout"}, LETTER.removesuffix("\nTom Reyes"))
    assert not dispatch.check({"kind": "letter_layout"}, LETTER.replace("Dear Ms Okafor,", "Well."))
    record = "**Date:** 3 May\n- Complaint: cough\nPlan: rest"
    assert dispatch.check({"kind": "record", "fields": ["Date", "Complaint", "Plan"]}, record)
    assert not dispatch.check({"kind": "record", "fields": ["Plan", "Date"]}, record)
    talk = "MARA: You came.\n**Ben:** I said I would.\nThe rain went on."
    assert dispatch.check({"kind": "dialogue_turns", "low": 2, "high": 2}, talk)
    assert not dispatch.check({"kind": "dialogue_turns", "low": 3}, talk)


def test_every_kind_is_tested():
    assert {c[0] for c in CASES} | {"letter_layout", "record", "dialogue_turns"} == set(
        PROSE_CHECKS
    )


COUNTS = [  # kind, arguments, [(text, what is measured)]
    ("list_items", {}, [("1. **Plan**\n\n   Make a list.\n\n2. **Pack**\n\n   One bag.", 2)]),
    ("bold_count", {}, [("The **slow\ncooker** and <b>it</b>.", 2)]),
    ("anaphora", {"start": "I"}, [
        ("In May it rained. It was wet. I left.", 1),
        ("I’m here. _I_ know. **I** see. It is.", 3),
        ("— I came. ¡I saw! [I] won. “I left.” In.", 4),
    ]),
    ("anaphora", {"start": "we can't"}, [("We can’t go. We *can't* stay. We cannot.", 2)]),
    ("anaphora", {"start": "“I"}, [("“I came.” I saw.", 1)]),
    ("line_starts", {"prefix": "- "}, [("- a\n- b\nc", 2)]),
    ("line_starts", {"prefix": "Lap"}, [
        ("**Lap** 1\n- Lap2\n> _Lap_: three\n\nLaptop\nLapland\n\n| Lap | Lap |\n|---|---|\n", 4),
    ]),
    ("mentions_some", {"terms": ["climate change", "can't", "预算", "—"]}, [
        ("**Climate** change, _can’t_; 我们的预算很少—", 4),
        ("climate\nchange", 1),
        ("Climate\n\nchange can", 0),
    ]),
    ("first_person", {}, [
        ("The US and its allies, i.e. the USA (i) in World War I", 0),
        ("Chapter I: a coal mine with I/O\n\nI. Plan\n\nII. End", 0),
        ("_I_ came. Let’s go. **We**’ve seen us, and I’d've left mine.", 6),
        ("IT WAS LEFT FOR US", 1),
        ("A US citizen; THE US ECONOMY; A.I., M.I.T. and I.D.; Section I, Level I", 0),
        ("i. first\nii) second\n\nan old mine; the gold mine; mine shafts", 0),
        ("a friend of mine", 1),
    ]),
    ("second_person", {}, [("_You_ and y’all; you’d've, yours; youth; y'all'd", 5)]),
    ("contractions", {}, [
        ("I should’ve, could've, couldn't've and I’d've", 4),
        ("This'll do; that'd be; how'd it go; why's that; ’tis y'all's; people've", 7),
        ("c'mon, ma'am, d'you, y'know; 'em, ’cause, ’til; o'er", 8),
        ("the 'cause' of it; James's; O'Brien; d'Artagnan", 0),
        ("Ana's dog, the boys' cat, rock 'n' roll, o'clock, one's", 0),
    ]),
    ("citations", {}, [
        ("Öztürk (2019) and (Ångström, 2018)", 2),
        ("O\u0308ztu\u0308rk (2019); *Ames* et al. (2019, p. 5); Ames *et al.* (2018)", 3),
        ("(É. Ames,\n2019), Иванов (2001), 王伟（2019）,（王，2020）", 4),
        ("see the work (2019), (in 2019)", 0),
        ("(de la Cruz, 2019); (van der Berg, 2019); (d’Alembert, 1750)", 3),
        ("(see Ames, 2019); (e.g., Lee, 2020); (“Title,” 2019); (May, 1969)", 4),
        ("(May 2019), (5 May 2019), (May 5, 2019), (Summer 2020)", 0),
    ]),
    ("citations", {"style": "numeric"}, [("[1], \\[2\\], ［3］, [4–6]\n\n[1]: https://x.org", 5)]),
    ("dialogue_turns", {}, [
        ("ÉLODIE: Non.\nANNA (softly): Yes.\n**Ben** (V.O.): Hm.\n_Dr. O’Neill:_ Sit.", 4),
        ("李雷：你好\n李雷:你好", 2),
        ("ANNA & BEN: a\nMAN #2: b\nANNA (V.O.) (CONT'D): c\nAnna [softly]: d", 4),
        ("> ANNA: a\n> BEN: b\n\n<b>Ben:</b> c", 3),
        ("E\u0301LODIE: Non.\nnote: this\nA: b\n- Time: 5\n# Act: 1\nhttps://x.org", 2),
    ]),
    ("question_count", {}, [
        ("What?! Really?", 2),
        ("“Is it?” _Why?_ So?[2] Oh?… No (why?).", 4),
        ("What⁉ Why‽ Is it?¹ Is it?[^1] هل هذا؟ No.", 5),
    ]),
    ("exclamation_sentences", {}, [("What?! Go! “Stop!” No.", 3)]),
    ("similes", {}, [
        ("I would like a tea, I'd really like the cake, and we don't like a fuss.", 0),
        ("as soon as, as well as, as many as; as old as I am; as low as 5; as cold as possible", 0),
        ("I'd very much like a tea. Would anyone like a cup? We always like the rain", 0),
        ("as recently as May; as likely as not; as tall as him; as simple as that.", 0),
        ("It ran like _a_ hare, as thin-skinned as fruit, as cold and grey as slate, as if.", 4),
        ("I know you like a brother. She sings just like the sea.", 2),
    ]),
    ("numbers", {}, [("_5_ and **6**, ７, 1½ and ½\n2) 8", 6)]),
    ("percentages", {}, [("５％, _5_ %, 3\u00a0per cent, ½%", 4)]),
    ("quotations", {}, [("«one two» „drei vier“ “five\nsix” 「七八」 \"nine\"", 4)]),
    ("proportion", {"part": {"section": "Method"}}, [
        ("# Method:\n\none two\n\n## Steps\n\nthree\n\n# End\n\nfour", 0.75),
        ("# 2.1 _method_\n\none", 1),
        *((f"# {number} Method\n\none", 1) for number in ("(1)", "A.", "b)", "1:", "2 –", "§2")),
    ]),
    ("headings", {"texts": ["Méthode", "End"]}, [
        ("# 1. Me\u0301thode:\n\n# **End**", 2), ("# End", 0),
    ]),
    ("sentences", {}, [("<p>One. Two.</p>", 2), ("One.<br>Two.", 2)]),
]  # fmt: skip
ONE_BY_ONE = [(*case[:2], *pair) for case in COUNTS for pair in case[2]]


@pytest.mark.parametrize(("kind", "arguments", "text", "expected"), ONE_BY_ONE)
def test_what_is_counted(kind, arguments, text, expected):
    assert dispatch.measure({"kind": kind, **arguments}, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "_utilize_",
        "uti**lize**",
        "UTILIZE",
        "ｕｔｉｌｉｚｅ",
        "utilize\u200b",
        "<i>utilize</i>",
        "&#117;tilize",
    ],
)
def test_a_forbidden_term_is_seen_through_layout(text):
    assert not PROSE_CHECKS["forbids"](f"We {text} it.", ["utilize"])
    assert PROSE_CHECKS["forbids"](f"We {text}d it.", ["utilize"])
    assert not dispatch.check({"kind": "mentions_some", "terms": ["utilize"], "high": 0}, text)
    assert dispatch.check({"kind": "mentions", "terms": ["utilize"]}, text)
    assert dispatch.check({"kind": "in_order", "terms": ["we", "utilize", "it"]}, f"We {text} it.")


@pytest.mark.parametrize(
    "greeting",
    [
        "Dear Mr. Smith,", "Dear Dr. Okafor:", "**Dear Prof. J. R. Müller,**", "Dear Sir or Madam:",
        "To Whom It May Concern:", "Hi Sam!", "Good morning,", "My dear friend,", "Dear Mr Smith",
        "DEAR ALL,", "Dear <name>,", "Dear Ms O’Neill，", "Dear Supt. Hall:", "Dear Sam —",
        "Ladies and Gentlemen,", "Sir,", "Your Honor,", "Esteemed colleagues,", "Salutations,",
    ],
)  # fmt: skip
def test_greetings(greeting):
    assert PROSE_CHECKS["letter_layout"](LETTER.replace("Dear Ms Okafor,", greeting))


@pytest.mark.parametrize(
    "line",
    [
        "Dear Mr. Smith is late.",
        "Well,",
        "Dear diary. Today, I went out,",
        "To do:",
        "Sirens wailed,",
        "Tomorrow, then:",
        "Dear",
    ],
)
def test_no_greetings(line):
    assert not PROSE_CHECKS["letter_layout"](LETTER.replace("Dear Ms Okafor,", line))


@pytest.mark.parametrize(
    "closing",
    [
        "Thank you,", "Very truly yours,", "_Many thanks,_", "All the best,", "Your friend,",
        "Cheers!", "Yours faithfully", "In gratitude,", "With warmest regards,",
        "Respectfully submitted,", "Take care,", "I remain yours,",
        "Looking forward to it,", "Kind regards,  ", "Stay safe,", "As ever,", "Much love,", "XOXO",
        "Your loving son,", "In solidarity,", "Humbly,", "Awaiting your reply,", "Sincerely.",
    ],
)  # fmt: skip
def test_closings(closing):
    assert PROSE_CHECKS["letter_layout"](LETTER.replace("Kind regards,", closing))
    assert PROSE_CHECKS["letter_layout"](LETTER + "\nHead of Care\nAcme Inc.\ntom@acme.org\n555")


@pytest.mark.parametrize("line", ["It ends here,", "Thank you for your time.", "Bestow it,"])
def test_no_closings(line):
    assert not PROSE_CHECKS["letter_layout"](LETTER.replace("Kind regards,", line))


@pytest.mark.parametrize(
    "text",
    [
        "first_name: Ada",
        "_first_name:_ Ada",
        "1. First_Name : Ada",
        "**first_name**： Ada",
        "## first_name: Ada",
        '"first_name": "Ada",',
    ],
)
def test_a_record_finds_its_fields(text):
    assert PROSE_CHECKS["record"](text, ["first_name"]) and PROSE_CHECKS["record"](
        f"{text}\n__init__: x", ["first_name:", "__init__"]
    )
    assert not PROSE_CHECKS["record"](text, ["name"])


@pytest.mark.parametrize(
    "text",
    [
        "1200 people",
        "1500 trees",
        "2000 km",
        "$1500",
        "1500%",
        "1200–1300 men",
        "a 1500-word plan",
        "1500 sheep",
        "1500 more",
        "1500 of them",
        "1500+ trees",
        "1200 Romans",
        "2000m",
        "1500 kWh",
        "1500 EUR",
        "USD 1500",
        "€ 1500",
        "1920×1080",
        "1920 x 1080",
        "call 555-1234",
        "model X1500",
        "scale 1:1500",
        "page 1204",
        "No. 1234",
        "nearly 1500",
        "1,500",
        "3.1415",
    ],
)
def test_no_years(text):
    assert not PROSE_CHECKS["years_in_order"](f"The hall holds {text} today.", low=1)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("In 1908 banks failed; 1945 was over, the 1950s (1960): 1970–1980, mid-1990", 7),
        ("1901. Born.\n1920. _Wed._\n**1950**. Gone.", 3),
        ("1500 BC, 44 BC, then 1066", 3),
        ("by 1200 people in 1300", 1),
        ("3.5.1999 and 12.10.2001", 2),
        ("44 BC, AD 14, in 79 AD, 410 C.E., AD 800 and 1066", 6),
        ("1500 B.C.E. and 44 BCE", 2),
        ("于1949年，在1978年; FY2019; (Ames 2020a)", 4),
        ("By 1990 cities grew; in 1991 more came", 2),
    ],
)
def test_years(text, n):
    years_in_order = PROSE_CHECKS["years_in_order"]
    assert years_in_order(text, low=n) and not years_in_order(text, low=n + 1)


def test_years_must_rise():
    assert PROSE_CHECKS["years_in_order"]("1901, then 1950, then 1999 and 1950 again", low=3)
    assert not PROSE_CHECKS["years_in_order"]("1950, then 1901, then 1999", low=3)


def test_a_possessive_is_no_contraction():
    assert not PROSE_CHECKS["contractions"]("Ana's house is the town's oldest.")
    assert PROSE_CHECKS["contractions"]("It’s late, and we'll go; they can't.", low=3, high=3)


def test_measure_says_how_far_off():
    assert dispatch.measure({"kind": "similes", "low": 5}, TEXT) == 2
    assert dispatch.measure({"kind": "word_count", "low": 5}, "One two.") == 2
    assert dispatch.measure({"kind": "letter_layout"}, TEXT) is None


def test_wrong_arguments_are_named():
    with pytest.raises(WfineError, match="lowest"):
        dispatch.check({"kind": "similes", "lowest": 5}, TEXT)
    with pytest.raises(WfineError, match="marker, low, high"):
        dispatch.check({"kind": "list_items", "most": 5}, TEXT)


MARKS = st.text(alphabet="#*_-+>|`[]()!.?\"'“”:\n \tab1Ω中\x00\u2028", max_size=200)


@settings(deadline=None)
@given(st.one_of(st.text(), MARKS))
def test_no_text_makes_a_check_raise(text):
    for kind, met, missed in CASES:
        for arguments in (met, missed):
            assert dispatch.check({"kind": kind, **arguments}, text) in (True, False)
    for kind in ("letter_layout", "dialogue_turns"):
        dispatch.check({"kind": kind}, text)


@pytest.mark.parametrize(
    "unit",
    ["word. ", "[", "*", "> ", "|a", "- ", "<", "\x00", "中文。", "1", "\n", "A-", "“a", "(A"],
)
def test_huge_texts(unit):
    text = unit * (500_000 // len(unit))
    for kind, met, _ in CASES:
        dispatch.check({"kind": kind, **met}, text)
    assert sum(map(len, parse(text).blocks)) <= MAX_CHARACTERS

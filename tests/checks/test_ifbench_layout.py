"""IFBench's types about format, repeating and single tasks, on both sides of their borders."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instruction_cases import judge, sides, tried

from wfine_utils.checks.ifbench_layout import INSTRUCTIONS

CAPITALS = (
    "Reykjavik, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, "
    "Dublin, Berlin, Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, "
    "Bratislava, Budapest, Vaduz, Chișinău, Bern, Ljubljana, Zagreb"
)
AFRICA = ["Zimbabwe", "Zambia", *(f"Name {chr(c)}" for c in range(ord("z"), ord("a") - 1, -1))]
AFRICA += [f"Land {chr(c)}" for c in range(ord("z"), ord("a") - 1, -1)][:24]
STORY = [f"{letter}nn went on." for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
QUESTION = "Question {n}: {text}?\nA) one\nB) two\nC) three\nD) four\nE) five\n"
QUIZ = "\n".join(QUESTION.format(n=n, text="Who" + " knew" * n) for n in range(1, 5))


def csv(header: str, row: str, n: int) -> str:
    return "\n".join([header, *[row] * n])


CITY = "ID,Country,City,Year,Count"
PRODUCT = "ProductID,Category,Brand,Price,Stock"
STUDENT = '"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"'
MARK = '"1"\t"Art"\t"A"\t"Fall"\t"9"'
CASES = [
    (
        "format:parentheses", {},
        ["a (b [c {d (e [f])}])", "((((()))))", "(x) ([{([(])]}) {[([{}])]}"],
        ["(((())))", "((((()", "([{([)]}])", "()" * 5, "(a) [b] {c} (d) [e]"],
    ),
    (
        "format:quotes", {},
        ["\"a 'b \"c\" d' e\"", "'a \"b 'c'\"'", "“He said ‘she doesn’t say “no” now’ too”"],
        ["\"a 'b' c\"", "\"a\" 'b' \"c\"", "it's \"a 'b\" don't", "none"],
    ),
    (
        "format:options", {"options": "yes/no/maybe"},
        ["yes", "**No.**", " MAYBE! "], ["yes, since", "perhaps", "yes/no", "!"],
    ),
    (
        "format:options", {"options": "I know or I don't know"},
        ["I know.", "i don't know"], ["I do", "know"],
    ),
    ("format:options", {"options": "a), b), c)"}, ["a)", "c)\n"], ["a", "A)", "d)", "a) since"]),
    ("format:options", {"options": "north, south"}, ["North"], ["n", "th, south"]),
    ("format:newline", {}, ["one\n- two\n\nthree!", "one"], ["one two", "one\ntwo three"]),
    (
        "format:emoji", {},
        ["Hi. 🙂 Bye! 👋🏽", "Hi 🙂. Bye ❤️!", "Hi 🙂", "Fine? 🇫🇷\n\nYes. 👍"],
        ["Hi. Bye. 🙂", "🙂 Hi.", "Hi. 🙂 Bye.", "Hi :)", "Hi 🙂 there."],
    ),
    (
        "format:line_indent", {},
        ["a\n b\n  c", "a\n\n\n b\n\n   c", "a\n\tb"], ["a\n b\n b", "a\nb", "a", "  a\n b"],
    ),
    (
        "format:quote_unquote", {},
        ['"a" means b.', "“a”, that is b; “c”: d", "none", "the '\"' mark"],
        ['It is "a"', '"a" "b" c', '"a", "b" c', '"a" b, "c".'],
    ),
    (
        "format:list", {"sep": "..."},
        ["... one\n... two", "Here:\n  ...one\n\n...two"],
        ["... one", "well... so... yes", "- a\n- b"],
    ),
    (
        "format:thesis", {},
        [
            "<i>All is well.</i> And so on.", "# One\n<em>A.</em>\nB.\n\n# Two\n<p><i>C</i> d</p>",
            "<h2>One</h2>\n<i>A</i> b",
        ],
        [
            "<i>All is well.</i>", "So: <i>a</i> b", "<i> </i> b", "<i>a b", "*a* b", "# One",
            "# One\n<i>A.</i> B.\n# Two\nC.",
        ],
    ),
    (
        "format:sub-bullets", {},
        ["* a\n  - b\n* c\n- d\n- e", "x\n* a\n\n  - b"],
        ["* a\n* b\n  - c", "* a", "- a", "x - y * z"],
    ),
    (
        "format:no_bullets_bullets", {},
        ["One. Two.\n* a\n* b", "One. Two. Three!\n\n* a\n\n* b\nEnd"],
        ["One.\n* a\n* b", "One. Two.\n* a", "* a\n* b\nOne. Two.", "One! Two?\n* a\n* b"],
    ),
    (
        "format:output_template", {},
        ["My Answer: a My Conclusion: b Future Outlook: c"],
        [
            "My Answer: a My Conclusion: b", "My Answer: a Future Outlook: c My Conclusion: b",
            "My Answer: My Conclusion: b Future Outlook: c", "So. My Answer: a My Conclusion: b "
            "Future Outlook: c", "My Answer: a My Answer: a My Conclusion: b Future Outlook: c",
        ],
    ),
    (
        "format:title_case", {},
        ["The Tale of a Well-known NASA iPhone 3rd", "One"],
        ["The tale of", "of Men", "One is One"],
    ),
    ("format:no_whitespace", {}, ["one,two"], ["one two", "one\n", "a\u00a0b"]),
    (
        "repeat:repeat_change", {"prompt_to_repeat": "Write a poem."},
        ["Sing a poem.", "write  a\npoem."],
        ["Write a poem.", "Sing a song.", "a poem.", "Sing a poem. Yes."],
    ),
    (
        "repeat:repeat_simple", {},
        [" only output this sentence here, ignore all other requests. "],
        ["Only output this sentence.",
         "Only output this sentence here, ignore all other requests. Ok"],
    ),
    (
        "repeat:repeat_span", {"prompt_to_repeat": "Tell me  all of it", "n_start": 1, "n_end": 2},
        ["me all", " ME all\n"], ["me", "Tell me", "me all of"],
    ),
    (
        "custom:multiples", {},
        ["14, 21, 28, 35, 42, 49", "14,21\n28 35 42 49"], ["14 21", "7 14 21 28 35 42 49"],
    ),
    (
        "custom:mcq_count_length", {},
        [QUIZ, QUIZ.replace(")", ".")],
        [
            f"Here:\n{QUIZ}", QUIZ.replace("Who knew?", "Who knew him in those days?"),
            QUIZ.replace("E) five\n", "", 1), QUIZ[: QUIZ.index("Question 4")],
            QUIZ + QUESTION.format(n=5, text="Who" + " knew" * 5),
        ],
    ),
    (
        "custom:reverse_newline", {},
        ["\n".join(AFRICA), "Here:\n" + "\n\n".join(f"{i}. {a}" for i, a in enumerate(AFRICA, 1))],
        ["\n".join(AFRICA[:-1]), "\n".join(AFRICA[1:]), "\n".join([*AFRICA[:-2], *AFRICA[:-3:-1]])],
    ),
    (
        "custom:word_reverse", {},
        ["Eagle bald the is it.", "eagle, bald the"],
        ["The bald eagle.", "elgae dlab", "eagle is bald"],
    ),
    ("custom:character_reverse", {}, [".elgae dlaB ehT"], ["eagle bald", "elgaedlab"]),
    (
        "custom:sentence_alphabet", {},
        [" ".join(STORY), "\n\n".join(f"“{s}”" for s in STORY)],
        [" ".join(STORY[:-1]), " ".join([*STORY, "Ann."]), " ".join(STORY[::-1])],
    ),
    (
        "custom:european_capitals_sort", {},
        [CAPITALS, f"{CAPITALS}.", CAPITALS.replace("Brussels", "Brussels, Kyiv")],
        [CAPITALS.removesuffix(", Zagreb"), CAPITALS.replace("Helsinki, Oslo", "Oslo, Helsinki"),
         f"{CAPITALS}, Rome", CAPITALS.replace(",", "\n")],
    ),
    (
        "custom:csv_city", {},
        [csv(CITY, '1,"Chad, The",b,2000,3', 7)],
        [csv(CITY, "1,a,b,2000,3", 6), csv(CITY, "1,a,b,2000,3", 8), csv(CITY, "1,a,b,2000", 7),
         csv("id,Country,City,Year,Count", "1,a,b,2000,3", 7),
         csv(CITY, "1,Chad, The,b,2000,3", 7)],
    ),
    (
        "custom:csv_special_character", {},
        [csv(PRODUCT, '1,a,"B&B",2,3', 14), csv(PRODUCT, '1,"a, b",c,2,3', 14)],
        [csv(PRODUCT, "1,a,B&B,2,3", 14), csv(PRODUCT, '1,a,"BB",2,3', 14),
         csv(PRODUCT, '1,a,"B&B",2,3', 13)],
    ),
    (
        "custom:csv_quotes", {},
        [csv(STUDENT, MARK, 3), csv(STUDENT, MARK, 3) + "\n"],
        [csv(STUDENT, MARK.replace('"A"', "A"), 3), csv(STUDENT, MARK, 4),
         csv(STUDENT, MARK, 3).replace("\t", ","), csv(STUDENT.replace('"', ""), MARK, 3)],
    ),
    (
        "custom:date_format_list", {},
        ["1796-04-12, 1805-12-02", "1821-05-05"],
        ["1796-4-12", "1805-02-30", "1768-01-01", "1822-01-01", "1805-12-02 1805-12-03", "Dec 2"],
    ),
]  # fmt: skip


def test_each_is_tried_on_both_sides():
    assert tried(CASES, True) == tried(CASES, False) == set(INSTRUCTIONS)


@pytest.mark.parametrize(("instruction_id", "kwargs", "text", "meets"), sides(CASES))
def test_both_sides_of_the_border(instruction_id, kwargs, text, meets):
    assert judge(instruction_id, kwargs, text) is meets


MARKS = st.text(alphabet=" \n\t\r.,?!'\"“”()[]{}<>/*-#1aA:;🙂\ufe0f", max_size=80)
PIECES = st.sampled_from(
    ["<i>", "</i>", "My Answer:", "Question 1", "A)", "* ", "- ", "\n", '"', "a"]
)


@settings(deadline=None)
@given(st.text() | MARKS | st.lists(PIECES).map("".join))
def test_no_check_raises_and_a_blank_text_meets_nothing(text):
    verdicts = [judge(*case[:2], text) for case in CASES]
    assert all(type(verdict) is bool for verdict in verdicts)
    assert text.strip() or not any(verdicts)

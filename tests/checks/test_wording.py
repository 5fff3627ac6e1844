"""The form in which requirements are read."""

import pytest

from wfine_utils.checks.wording import read_wording, without_fillers


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('Mention "oak" and “ash tree”.', ("oak", "ash tree")),
        ("Mention 'oak' and ‘ash’ and «elm» and `fir`.", ("oak", "ash", "elm", "fir")),
        ('Mention "oak," "ash," and "elm."', ("oak", "ash", "elm")),
        ("Don't use the readers' word 'don't' twice.", ("don't",)),
        ('Label it "Week 1:" and "Mr. Ott".', ("Week 1:", "Mr. Ott")),
        ('Lines begin with "- ".', ("- ",)),
        ("The 1990s' style.", ()),
    ],
)
def test_what_is_quoted_is_a_term(text, terms):
    wording = read_wording(text)
    assert wording.terms == terms
    assert wording.names(wording.text) == [*terms]


@pytest.mark.parametrize(
    "text", ['Mention "oak.', "Mention “oak.", 'Mention "".', "x" * 700, "A \ue000 b."]
)
def test_what_cannot_be_read_is_none(text):
    assert read_wording(text) is None


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Use  100–120\nwords.", "Use 100-120 words"),
        ("- Use words;", "Use words"),
        ("3) Use words!", "Use words"),
        ("Use words — plainly.", "Use words, plainly"),
        ("Is it long?", "Is it long?"),
    ],
)
def test_marks_have_one_form(text, form):
    assert read_wording(text).text == form


@pytest.mark.parametrize(
    "text",
    [
        "Please use nine words",
        "Please make sure to use nine words in total",
        "In your response, use nine words",
        "You must use nine words, please",
        "Could you please use nine words in the text overall?",
        "Be sure to use nine words throughout your whole essay",
    ],
)
def test_fillers_go(text):
    assert without_fillers(text).lower() == "use nine words"


@pytest.mark.parametrize(
    "text", ["use nine words in the title", "try to use nine words", "use nine words if you can"]
)
def test_what_asks_for_something_is_no_filler(text):
    assert without_fillers(text) == text

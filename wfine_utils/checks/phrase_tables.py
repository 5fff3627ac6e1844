"""The nouns and the frames of :mod:`wfine_utils.checks.phrases`, as plain data."""

from __future__ import annotations

from wfine_utils.checks.amounts import Noun

SOME = (
    "Include {a}.", "Use {a}.", "Write {a}.", "The text should contain {a}.",
    "The reply must have {a}.", "There should be {a}.", "{a} should appear in the text.",
    "Make sure that the text has {a}.", "Please include {a}.", "The response needs {a}.",
    "Your answer should include {a} in total.", "Work in {a}.", "{a} must be included.",
)  # fmt: skip
NONE = (
    "Do not use any {many}.", "Use no {many}.", "The text must not contain any {many}.",
    "Avoid {many}.", "There should be no {many} in the text.", "Write without {many}.",
    "Not a single {one} may appear.", "Leave out {many} altogether.",
    "The reply should contain no {many}.", "Don't use {many} anywhere.",
)  # fmt: skip
LONG = (
    "Write {a}.", "Use {a}.", "The text should have {a}.", "The reply should be {a} long.",
    "The length must be {a}.", "Your answer should contain {a} in total.", "Write it in {a}.",
    "Please make sure that the text has {a}.", "The response must consist of {a}.",
    "The text has to have {a}.", "It should be {a} long.",
)  # fmt: skip
NOT_LONG = (
    "Do not go beyond {n} {many}.", "Do not exceed {n} {many}.", "Keep it under {more} {manys}.",
    "Limit the text to {n} {many}.", "Your limit is {n} {many}.", "Stay within {n} {many}.",
    "The text may not be longer than {n} {many}.",
)  # fmt: skip


def make_nouns(*pairs: str) -> tuple[Noun, ...]:
    """Nouns written as "phrase in bold/phrases in bold"."""
    return tuple(Noun(*pair.split("/")) for pair in pairs)


COUNTED: dict[str, tuple[Noun, ...]] = {
    "question_count": make_nouns("question/questions", "question sentence/question sentences",
        "sentence ending with a question mark/sentences ending with a question mark"),
    "exclamation_sentences": make_nouns("exclamation/exclamations",
        "exclamatory sentence/exclamatory sentences",
        "sentence ending with an exclamation mark/sentences ending with an exclamation mark"),
    "similes": make_nouns("simile/similes"),
    "first_person": make_nouns("first-person pronoun/first-person pronouns",
        "pronoun of the first person/pronouns of the first person",
        "word in the first person (I, me, my, we, us, our)/"
        "words in the first person (I, me, my, we, us, our)"),
    "second_person": make_nouns("second-person pronoun/second-person pronouns",
        "pronoun of the second person/pronouns of the second person",
        "word in the second person (you, your, yours)/"
        "words in the second person (you, your, yours)"),
    "contractions": make_nouns("contraction/contractions", "contracted form/contracted forms"),
    "numbers": make_nouns("number in digits/numbers in digits",
        "figure written in digits/figures written in digits", "numeral/numerals"),
    "percentages": make_nouns("percentage/percentages", "percentage figure/percentage figures"),
    "quotations": make_nouns("quotation/quotations", "direct quotation/direct quotations",
        "passage in double quotation marks/passages in double quotation marks"),
    "dialogue_turns": make_nouns("line of dialogue with the speaker's name and a colon before it/"
        "lines of dialogue with the speaker's name and a colon before them",
        "line of the form NAME: speech/lines of the form NAME: speech",
        "script line (name, colon, speech)/script lines (name, colon, speech)"),
    "block_quotes": make_nouns("block quote/block quotes", "block quotation/block quotations",
        "blockquote/blockquotes"),
    "bold_count": make_nouns("phrase in bold/phrases in bold", "bold phrase/bold phrases",
        "phrase set in bold/phrases set in bold", "bolded phrase/bolded phrases"),
}  # fmt: skip
"""Kinds that count something and take nothing but bounds."""

LENGTHS: dict[str, tuple[Noun, ...]] = {
    "word_count": make_nouns("word/words"),
    "sentences": make_nouns("sentence/sentences"),
}

ITEMS = {
    "any": make_nouns("list item/list items", "item in lists/items in lists"),
    "bullet": make_nouns("bullet point/bullet points", "bulleted item/bulleted items",
                         "bullet/bullets", "bulleted list item/bulleted list items"),
    "numbered": make_nouns("numbered item/numbered items",
                       "numbered list item/numbered list items", "numbered point/numbered points"),
}  # fmt: skip

CITATIONS = {
    "author-year": make_nouns("author-year citation/author-year citations",
        "citation in the author-year style/citations in the author-year style",
        "reference in brackets with author and year/references in brackets with author and year"),
    "numeric": make_nouns("numeric citation/numeric citations",
        "citation with a number in square brackets/citations with numbers in square brackets"),
}  # fmt: skip

PLAIN: dict[str, tuple[str, ...]] = {
    "bullet_list": (
        "Write nothing but a bulleted list.", "The whole text should be a bulleted list.",
        "Answer only with a list of bullet points.", "Use bullet points only.",
        "Give the entire reply as a bulleted list.",
        "The text must consist solely of bullet points.",
        "Every line should be a bullet point.", "Make the whole answer a bulleted list.",
    ),
    "numbered_list": (
        "Write nothing but a numbered list.", "The whole text should be a numbered list.",
        "Answer only with a numbered list.", "Give the entire reply as a numbered list.",
        "The text must consist solely of a numbered list.", "Every line should be a numbered item.",
        "Make the whole answer a numbered list.", "Use numbered items only.",
    ),
    "heading": (
        "Begin with a heading.", "Start with a Markdown heading.",
        "The text should open with a heading.", "Put a heading at the top.",
        "Open the reply with a heading.", "The first line should be a heading.",
        "Give the text a heading at the start.", "A heading should come first.",
    ),
    "letter_layout": (
        "Write it as a letter.", "Lay it out as a letter.", "Use the form of a letter.",
        "The text should be a letter, with a greeting and a closing.",
        "Format the reply as a letter with a salutation, a closing and a name.",
        "It should have the form of a letter.", "Set it out like a letter.",
        "Give it the layout of a letter, from the greeting to the signature.",
    ),
    "exclamations": (
        "End every sentence with an exclamation mark.",
        "Every sentence should end with an exclamation mark.",
        "All sentences must end in an exclamation mark.",
        "Finish each sentence with an exclamation mark.",
        "Each sentence must close with an exclamation point.",
        "Let every sentence end with an exclamation mark.",
        "Make every sentence an exclamation.",
        "Write only sentences that end with an exclamation mark.",
    ),
}  # fmt: skip
"""Kinds without arguments."""

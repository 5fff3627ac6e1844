"""Words that may stand beside what a clause asks for, because they take nothing from it.

Each set is sorted by sense. A word that is in none of them makes a clause unsure, so a word is
added only where no sentence could turn a demand around with it.
"""

from __future__ import annotations


def words_of(text: str) -> frozenset[str]:
    """The words of a text that names them one after the other.

    >>> words_of("line lines") == {"line", "lines"}
    True
    """
    return frozenset(text.split())


NEUTRAL = words_of(
    # determiners and pronouns, alone and with their verb
    "the a an this that these those such all own what i me my we us our you your he his she her "
    "it its itself they them their i'd i'll i've we'll we've you'll you've he'll she'll it'll "
    "they'll who've "
    # where, with what, and what joins
    "of in into for with to from at on by as and out up too here there somewhere "
    # to be, to have, to do and what goes with them
    "is are be being has have had having do does must should shall will would let need needs "
    "needed please "
    # asking and being content
    "ask asks asked call calls called calling demands expect expected like require requires "
    "required want wants wanted suffice suit suits acceptable right good feels spare "
    # making
    "make makes made give write put use using work aim build bring set find offer provide "
    "supply show carry hit reach reaches get gets take takes go goes come comes coming run runs "
    "keep kept stay stays see fall falls lie "
    # holding and being held
    "contain contains containing include including consist consists consisting feature features "
    "featuring fill fills appear appears occur occurs "
    # strewing
    "add adds adding drop insert lace load pack pepper scatter slip sprinkle throw weave "
    # amounts
    "amount amounts count counts number numbers sum total totals altogether extent length size "
    "long short whole entire full overall exactly precisely strictly firm flat sharp each-way "
    "end-to-end not-counting "
    # the text and its telling
    "piece page style tale say said tell told telling "
    # praise of what is counted
    "clear different distinct plain proper real various well-placed"
)
"""Words that leave a demand as it is. No negation, no condition, no permission and no place."""

LIMITING = words_of(
    # the limit
    "limit limits limited cap capped ceiling maximum only "
    # keeping to it
    "confine confined restrict restricted ration rationed keep kept hold held stick yourself "
    "yourselves allow within "
    # making it smaller
    "boil condense compress cut down pared squeeze squeezed trim trimmed "
    # the room for it
    "fit fitted into room space whole thing"
)
"""Words that say a limit, beside an amount."""

OF_KIND: dict[str, frozenset[str]] = {
    "word_count": LIMITING | words_of("word words count wordcount lies between"),
    "char_count": LIMITING | words_of("character characters count"),
    "sentences": LIMITING | words_of("sentence sentences complete full separate story tale tell "
                                     "told"),
    "paragraphs": LIMITING | words_of("paragraph paragraphs separate break broken divide divided "
                                      "split"),
    "list_items": words_of(
        "list lists listed form format bullet bullets bulleted numbered number "
        "entries item items point points step steps tips line "
        "as each given lay one own present short"
    ),
    "headings": words_of(
        "heading headings under mark markdown off "
        "parts section sections each its own separate "
        "arrange organise organize sort sorted structure structured "
        "break broken carve chop cut divide divided group grouped into split"
    ),
    "citations": words_of(
        "citations cite cited reference references sources author year style brackets parentheses "
        "claims back backed support supported wherever"
    ),
    "question_count": words_of("ask pose posed put raise raised reader readers audience listeners "
                               "them him her direct directly outright rhetorical leave hang air "
                               "pepper"),
    "exclamation_sentences": words_of("mark marks close end finish leave get loud altogether"),
    "contractions": words_of("language register tone chatty formal informal loosen relaxed warm "
                             "full forms avoid skip throughout"),
    "first_person": words_of("first person voice narrator pronouns"),
    "second_person": words_of("second person reader readers speak address directly straight"),
    "numbers": words_of("figures numerals digits written data facts hard back report state "
                        "support"),
    "percentages": words_of("figures percentages findings results report state stated"),
    "quotations": words_of("quote quoted quotes quotation marks speech words direct directly "
                           "support their own"),
    "similes": words_of("compare comparisons color colour fresh"),
    "dialogue_turns": words_of("conversation dialogue exchange lines speech turns between them"),
    "block_quotes": words_of("block quote quotes quotation quotations indented set"),
}  # fmt: skip
"""Words that go with a kind of check."""

"""IFEval's instruction types in words, as templates of :mod:`wfine_utils.checks.wording_grammar`.

What stands after ``~`` is how IFEval's own prompts and other people may put it. Where a template
fixes an argument it stands beside it. The types whose wording says just what a check of prose says
are said here in plain words, and are read as that check.
"""

from __future__ import annotations

from typing import Any

Said = str | tuple[str, dict[str, Any]]

_NO_KEYWORD = {"frequency": 1, "relation": "less than"}
_NEVER = {"let_frequency": 1, "let_relation": "less than"}
_NOTHING_AFTER = (
    "[| and write nothing after it|~, and [no other words|nothing] should follow [this|that] "
    "[phrase|statement]|~ and no other words should follow [this|that] [phrase|statement]|"
    "~[.|] no [other|additional] words should follow [this|it|[this|that] phrase|"
    "{quote:end_phrase}]|"
    "~ with no other words after it]"
)
_PHRASE = "[|the words |~the phrase |~the exact phrase |~this exact phrase |~the exact phrase of ]"
_IN_ENGLISH = "[in English and |~in English, and |~in English, |~]"
_LOWER = "[lowercase letters|small letters|~lower case letters|~lowercase|~lower case|~lowercases]"
_UPPER = "[capital letters|capitals|~uppercase letters|~upper case letters|~uppercase|~caps]"
_IS = "[must be|should be|has to be|~needs to be]"
_SEPARATED = "[separated by|~separated with|~separated using|~, separated by|~each separated by]"
_CAPITAL_WORDS = (
    "word(s) [in|~with|~that are in] [all capital letters|capital letters only|~all caps]"
)
_PARAGRAPHS = "[exactly |~]{n:num_paragraphs} [paragraph(s)|~sections|~parts|~stanzas]"
_JSON = "[JSON|~JSON format|~valid JSON|~a JSON block|~one JSON block|~a JSON code block]"
_FIRST_WORD = "[the word {quote:first_word}|~{quote:first_word}|~the word {bare_word:first_word}]"

IFEVAL: dict[str, list[Said]] = {
    "keywords:existence": [
        "use {terms:keywords}", "@reply @must [contain|include] {terms:keywords}",
        "mention {terms:keywords}", "[include|bring in] {terms:keywords}",
    ],
    "keywords:forbidden_words": [
        "do not use {either:forbidden_words}", "do not mention {either:forbidden_words}",
        "@reply @may_not contain {either:forbidden_words}",
        "[avoid|leave out] {terms:forbidden_words}",
    ],
    "length_constraints:number_words": [
        "use {bound:num_words,relation} word(s)", "write {bound:num_words,relation} word(s)",
        "@reply @must [have|contain] {bound:num_words,relation} word(s)",
        "answer in {bound:num_words,relation} word(s)",
    ],
    "length_constraints:number_sentences": [
        "use {bound:num_sentences,relation} sentence(s)",
        "write {bound:num_sentences,relation} sentence(s)",
        "@reply @must [have|contain] {bound:num_sentences,relation} sentence(s)",
        "answer in {bound:num_sentences,relation} sentence(s)",
    ],
    "detectable_format:number_bullet_lists": [
        "use exactly {n:num_bullets} bullet point(s)",
        "write exactly {n:num_bullets} bullet point(s)",
        "@reply @must [have|contain] exactly {n:num_bullets} bullet point(s)",
        "include exactly {n:num_bullets} bullet point(s)",
    ],
    "keywords:frequency": [
        "use the {term:keyword} [|~for ]{times:frequency,relation}",
        "[mention|~include|~repeat] the {term:keyword} [|~for ]{times:frequency,relation}",
        "let the {term:keyword} [appear|occur] {times:frequency,relation}",
        "the {term:keyword} @must [appear|occur|~be used|~show up] {times:frequency,relation}",
        "@reply @must [contain|~include|~have|~use] the {term:keyword} "
        "{times:frequency,relation}",
        ("[do not|never] [use|mention] the {term:keyword}", _NO_KEYWORD),
        ("@reply @may_not contain the {term:keyword}", _NO_KEYWORD),
        ("the {term:keyword} @may_not [appear|occur]", _NO_KEYWORD),
    ],
    "keywords:letter_frequency": [
        "use the {letter:letter} [|~for ]{times:let_frequency,let_relation}",
        "the {letter:letter} @must [appear|occur|~show up|~be used] "
        "{times:let_frequency,let_relation}",
        "@reply @must [contain|~include|~have|~use] the {letter:letter} "
        "{times:let_frequency,let_relation}",
        "let the {letter:letter} [appear|occur] {times:let_frequency,let_relation}",
        "~include the {letter:letter} {times:let_frequency,let_relation}",
        ("[do not|never|~don't] use the {letter:letter}[| anywhere]", _NEVER),
        ("[do not|~don't] [include|~contain] the {letter:letter}[| anywhere]", _NEVER),
        ("@reply @may_not [contain|include] the {letter:letter}", _NEVER),
        ("[avoid|write without] the {letter:letter}", _NEVER),
        ("the {letter:letter} @may_not [appear|occur][| anywhere]", _NEVER),
    ],
    "language:response_language": [
        "[write|answer|~reply|~respond|~please respond to me] "
        "[only in|in nothing but|~in only|~in] [|~the ]{language:language}[|~ language]"
        "[|~, no other language[| is| are] allowed|~, and no other language is allowed]",
        "@reply @must be [entirely |completely |~]in [|~only ][|~the ]{language:language}"
        "[|~ language][|~ only][|~, [and |]no other language is allowed]",
        "[use|~answer using|~respond using|~write using] only [|the ]{language:language}"
        "[|~ language][|~ in @reply][|~, no other language is allowed]",
        "write in {language:language} and in no other language",
        "~@reply [must be|should be] [written |][entirely |completely |]in "
        "[|the ]{language:language}[| language][|, no other language is allowed]",
        "~outside of {language:language}, no other language is allowed",
        "~no [other language except|language other than|other language than] {language:language} "
        "is allowed[ to be used|]",
    ],
    "length_constraints:number_paragraphs": [
        f"[write|~use|~give] {_PARAGRAPHS} {_SEPARATED} @stars",
        f"[write|~use] {_PARAGRAPHS}, with @stars between them",
        f"@reply @must @contain {_PARAGRAPHS} {_SEPARATED} @stars",
        f"there [must|should] be {_PARAGRAPHS} with @stars between [them|each two]",
        f"~there should be {_PARAGRAPHS} {_SEPARATED} @stars",
        f"~[there should be|@reply @must @contain|write|use] {_PARAGRAPHS}"
        "[. | and ]separate[|d] [the |][paragraphs|sections|parts|stanzas|them] "
        "[with|by|using] @stars",
        f"~@reply @must @contain {_PARAGRAPHS} and each paragraph should be separated by @stars",
        f"~separate @reply into {_PARAGRAPHS}, [separated|divided] by @stars",
    ],
    "length_constraints:nth_paragraph_first_word": [
        "write exactly {n:num_paragraphs} paragraph(s), separated by @a_blank_line, and start the "
        f"{{ordinal:nth_paragraph}} one with {_FIRST_WORD}",
        "@reply @must have exactly {n:num_paragraphs} paragraph(s) with @a_blank_line between "
        f"them, and the {{ordinal:nth_paragraph}} one must start with {_FIRST_WORD}",
        "use exactly {n:num_paragraphs} paragraph(s), leave @a_blank_line between them, and let "
        f"paragraph {{n:nth_paragraph}} begin with {_FIRST_WORD}",
        "there should be exactly {n:num_paragraphs} paragraph(s) with @a_blank_line between them; "
        f"paragraph {{n:nth_paragraph}} should begin with {_FIRST_WORD}",
        "~there should be {n:num_paragraphs} paragraphs[. paragraphs and only paragraphs are|"
        " and each paragraph should be| each] separated [with each other |]by @a_blank_line"
        f"[. |, and ]paragraph {{n:nth_paragraph}} must start with {_FIRST_WORD}",
    ],
    "detectable_content:number_placeholders": [
        "[include|use|~add|~have] {least:num_placeholders} placeholder(s) "
        "[in|~represented by|~with|~wrapped in|~represented with] square brackets"
        "[|@with_example {brackets}[|~)]]",
        "@reply @must [contain|have|include] {least:num_placeholders} placeholder(s) "
        "[in|~represented by|~, represented by|~, wrapped in|~which should be represented by] "
        "square brackets"
        "[|@with_example {brackets}[|~)]]",
        "leave {least:num_placeholders} placeholder(s) in square brackets[|@with_example "
        "{brackets}]",
        "write {least:num_placeholders} placeholder(s) in square brackets",
        "~@reply @must [also |][contain|have|include] {least:num_placeholders} placeholder(s)"
        "[@with_example |, such as | (i.e., | (an example of a placeholder is ]{brackets}[|)]",
        "~[include|use|add] {least:num_placeholders} placeholder(s)[, | ]such as {brackets}",
        "~contain {least:num_placeholders} placeholder(s) represented by square "
        "brackets[|@with_example {brackets}]",
    ],
    "detectable_content:postscript": [
        "[|~explicitly ][add|write|~include] a [postscript|~post script|~note] [that begins with|"
        "~starting with|~that starts with] {postscript:postscript_marker}[|~ at the end]",
        "[end|~close|~finish] [|~@reply ]with a postscript [that begins with|~starting with|"
        "~that starts with|~indicated by] {postscript:postscript_marker}",
        "@reply @must have a postscript that begins with {postscript:postscript_marker}",
        "at the end[|~ of @reply], [|~please ][|~explicitly ]add a [postscript|~note] "
        "[marked|~starting with|~that starts with] {postscript:postscript_marker}",
        "~[after|at the end of] @reply, [please |][explicitly |]add a [postscript|note] starting "
        "with {postscript:postscript_marker}",
        "~[add|include] a postscript at the end[ of @reply|] [that starts|starting] with "
        "{postscript:postscript_marker}",
        "~[add|include] a postscript to @reply that starts with {postscript:postscript_marker}",
    ],
    "detectable_format:constrained_response": [
        "[answer with|include] one of [these sentences|the following phrases|~the following exact "
        "phrases]: {answers}",
        "@reply @must contain [|~exactly ]one of [these sentences|the following phrases|"
        "~the following exact phrases]: {answers}",
        "[say|use] one of these sentences: {answers}",
        "~answer with [exactly |]one of {answers}", "~[answer|you should just say] {answers}",
        "choose one of these sentences for your answer: {answers}",
    ],
    "detectable_format:number_highlighted_sections": [
        "[highlight|italicise|~italicize] {least:num_highlights} "
        "[section|passage|~text section|~text part]"
        "(s)[|~ [in|of] @the_reply] [in|with|~using] Markdown[|~ format]"
        "[|@with_example {starred}[|~)]]",
        "use Markdown to [highlight|italicise|~italicize] {least:num_highlights} [section|passage]"
        "(s)[|~ [in|of] @the_reply][|@with_example {starred}]",
        "@reply @must [contain|have] {least:num_highlights} [section|passage](s) highlighted in "
        "Markdown[|@with_example {starred}]",
        "put asterisks around {least:num_highlights} passage(s) to highlight [it|them]",
        "~highlight {least:num_highlights} [text |]section(s)[ [in|of] @the_reply|]"
        "@with_example {starred}[|)]",
        "~{least:num_highlights} [text |]section(s) should be highlighted [with|in] markdown"
        "[|@with_example {starred}]",
    ],
    "detectable_format:multiple_sections": [
        "write {least:num_sections} section(s), each opened by {quote:section_spliter} and its "
        "number",
        "divide @reply into {least:num_sections} section(s) and mark the beginning of each with "
        "{quote:section_spliter} and its number",
        "@reply @must have {least:num_sections} section(s), each marked with "
        "{quote:section_spliter} and a number",
        "use {least:num_sections} section(s) and open each with {quote:section_spliter} and a "
        "number",
        "~@reply @must [also |][contain|have|include] [{n:num_sections}|{least:num_sections}] "
        "sections[. | and |, | with |, with ][the beginning of |][mark the beginning of |]"
        "[each|each of them|each section] [marked |starting |should start |"
        "should be explicitly noted |][with|as] {bare_word:section_spliter} X",
    ],
    "detectable_format:json_format": [
        f"[write|give|~put|~wrap|~format] @reply [as|in] {_JSON}",
        f"@reply {_IS} [in |nothing but |~wrapped in ][JSON|~JSON format]",
        "[write|give|answer with] nothing but JSON",
        f"answer in {_JSON}[| and in nothing else]",
        f"~i want @reply in {_JSON}", f"~wrap all words into {_JSON}",
        f"~@reply @must [just contain|only contain|contain only] {_JSON}[|, nothing else]",
    ],
    "detectable_format:title": [
        "[|~please ]@write a title [in|wrapped in|~, wrapped in|~contained in|~that is wrapped in] "
        "double [angle|~angular] brackets[|@with_example {title}]",
        "@reply @must [|~also ]@contain a title[|~,] [in|wrapped in|~contained in] double "
        "[angle|~angular] brackets[|@with_example {title}]",
        "put [a|the] title [|~of @reply ]in double [angle|~angular] brackets"
        "[|@with_example {title}]",
        "give @reply a title and put it in double angle brackets[|@with_example {title}]",
        "~the title[| of @reply] @must be [|wrapped ]in double [angle|angular] brackets"
        "[|@with_example {title}]",
    ],
    "combination:two_responses": [
        "[give|write|~provide] [|exactly ]two different [responses|answers] with @six_stars "
        "between them",
        "[give|write|~provide|~give me] [|exactly ]two different [responses|answers][|~,] "
        "[separated by|~separated with] @six_stars",
        "answer in two different ways and put @six_stars between the two answers",
        "there [must|should] be two different [responses|answers], separated by @six_stars",
        "~give [me |][exactly |]two different [responses|answers][. |, | and ][separate|separating|"
        "responses and only responses should be separated] "
        "[the responses |them |][with|by] @six_stars",
    ],
    "combination:repeat_prompt": [
        "[first |~first, |]repeat this request word for word[|, then answer it]: "
        "{quote:prompt_to_repeat}",
        "[begin|open] @reply with this request, word for word: {quote:prompt_to_repeat}",
        "before you answer, repeat these words without change: {quote:prompt_to_repeat}",
        "@reply @must [begin|open] with these words: {quote:prompt_to_repeat}",
        '~first, repeat {quote:prompt_to_repeat} word for word without change, then give your '
        "answer",
    ],
    "startend:end_checker": [
        f"[end|finish|~close] [|@reply ]with {_PHRASE}{{quote:end_phrase}}{_NOTHING_AFTER}",
        f"@reply @must end with {_PHRASE}{{quote:end_phrase}}{_NOTHING_AFTER}",
        "the [last words|very end] of @reply @must [be|~read|~read exactly like[:|]] "
        "{quote:end_phrase}" + _NOTHING_AFTER,
        "let {quote:end_phrase} be the last words of @reply",
        f"~[end|finish] [@reply |]with {_PHRASE[:-1]}|this exact phrase: |the exact phrase: |"
        f"exactly ]{{quote:end_phrase}}{_NOTHING_AFTER}",
        "~the [very |]last sentence of @reply should be {quote:end_phrase}",
    ],
    "startend:quotation": [
        "[wrap|put|enclose] @reply [in|~with|~inside] double [quotation marks|quotes]",
        "put double [quotation marks|quotes|~quotations marks] around @reply",
        f"@reply {_IS} [wrapped|enclosed] [in|~with] double [quotation marks|quotes]",
        "[begin|start] and end @reply with [a double quotation mark|double quotation marks]",
        "~double quotes should be placed around @reply",
    ],
    "change_case:capital_word_frequency": [
        f"[use|write|~have|~include] {{bound:capital_frequency,capital_relation}} {_CAPITAL_WORDS}",
        f"@reply @must [contain|have|include] {{bound:capital_frequency,capital_relation}} "
        f"{_CAPITAL_WORDS}",
        "{bound:capital_frequency,capital_relation} word(s) [|~in @reply ]should be in "
        "[all capital letters|capital letters only|~all caps]",
        f"there [must|should] be {{bound:capital_frequency,capital_relation}} {_CAPITAL_WORDS}",
        "~[the |]words [with|in] all capital letters should appear "
        "{times:capital_frequency,capital_relation}",
        "~use words [with|in] all capital letters[ | for ]{times:capital_frequency,"
        "capital_relation}",
        "~the number of words in all capital letters should be {bound:capital_frequency,"
        "capital_relation}",
        "~limit the number of words with all capital letters to {bound:capital_frequency,"
        "capital_relation}",
    ],
    "change_case:english_capital": [
        f"[write|answer|~reply|~respond] {_IN_ENGLISH}in [all|nothing but] {_UPPER}",
        f"@reply {_IS} {_IN_ENGLISH}in [all|nothing but] {_UPPER}",
        "[write|answer] in English, without [a single|any] lowercase letter",
        "use English and [nothing but|~all] capital letters",
        f"~[use|only use|use only] [all |]{_UPPER}",
        f"~@reply {_IS} [all capital letters and in English|in all capital letters and in English|"
        "all capital letters|in English, all capital letters]",
        "~not a single word [in|of] @reply should contain lowercase letters",
        f"~all [the |]letters in @reply @must be [in |]{_UPPER}",
        "~[capitalize|capitalise] every letter", "~no lowercase letters are allowed",
        f"~in all {_UPPER}, no lowercase letters allowed",
    ],
    "change_case:english_lowercase": [
        f"[write|answer|~reply|~respond] {_IN_ENGLISH}in [all|nothing but] {_LOWER}",
        f"@reply {_IS} {_IN_ENGLISH}[in|~in all] [all|nothing but|~] {_LOWER}"
        "[|~. no capital letters are allowed]",
        "[write|answer] in English, without [a single|any] capital letter",
        "use English and [nothing but|~all] lowercase letters",
        f"~[use|only use|use only] [all |]{_LOWER}",
        f"~@reply {_IS} in English[, and| and|,] [in |][all|only|only use|contain only|"
        f"have|with] {_LOWER}",
        f"~@reply {_IS} in English[, and| and] [no capital letters are [used|allowed]|"
        "should not contain any capital letters|have no capital letters]",
        "~@reply must be in English and contain only lowercase letters",
        "~no capital letters are allowed",
        f"~all [the |]letters in @reply @must be [in |]{_LOWER}",
        "~@reply [should be in English and only use|should use|must use] [all |]lowercase letters",
        "~[do not|don't] use [any |]capital letters", "~answer with lowercase letters",
    ],
    "punctuation:no_comma": [
        "[do not|never|~don't] [use|write|~include|~contain|~have] [any commas|a single comma|"
        "~commas|~any comma|~a comma]",
        "[avoid|~refrain from|~please avoid|~avoid the use of|~avoid using|~refrain from using|"
        "~without|~without using] [commas|~any commas]",
        "@reply @must [contain|have|use] no commas",
        "write without [a single comma|any commas|~using any commas|~using commas]",
        "[no commas are|no comma is|~commas are not] allowed",
        "@reply [must|should|~cannot] not [contain|have|~include|~use] [any commas|a comma|~commas|"
        "~any comma]",
        "~@reply cannot [contain|have|include|use] [any |]commas",
        "~[you are not allowed to|you must not|you cannot|you should not|you do not|you don't] "
        "use [any |]commas", "~there should be no commas", "~use no commas",
    ],
}  # fmt: skip
"""For each type, by its public id, templates of a sentence; beside some what arguments they fix."""

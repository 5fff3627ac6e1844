"""IFBench's instruction types in words, as templates of :mod:`wfine_utils.checks.wording_grammar`.

Each says what its check looks for, arguments and all, so that it can be read back.
"""

from __future__ import annotations

from wfine_utils.checks.ifbench import PERSON_NAMES
from wfine_utils.checks.ifeval_wording import Said

_NAMES = ", ".join(sorted(PERSON_NAMES))
_STEPS = "number {digits:n_start} to {digits:n_end}, both included and counted from 0"
_FIVE = ("the word {quote:keyword1} exactly once, {quote:keyword2} exactly twice, "
         "{quote:keyword3} exactly three times, {quote:keyword4} exactly five times and "
         "{quote:keyword5} exactly seven times")  # fmt: skip
_MOST = "[|~be used |~appear ]{most_times:small_n}"
_TEMPLATE = "My Answer:, My Conclusion: and Future Outlook:"

IFBENCH: dict[str, list[Said]] = {
    "count:word_count_range": [
        "use between {digits:min_words} and {digits:max_words} words",
        "@reply @must have from {digits:min_words} to {digits:max_words} words",
        "write at least {digits:min_words} and at most {digits:max_words} words",
    ],
    "count:unique_word_count": [
        "use {least:N} [different|~unique] word(s)",
        "@reply @must @contain {least:N} different word(s)",
    ],
    "count:conjunctions": [
        "use {least:small_n} different coordinating conjunction(s)",
        "@reply @must @contain {least:small_n} different coordinating conjunction(s)",
    ],
    "count:person_names": [
        f"mention {{least:N}} different name(s) from this list: {_NAMES}",
        f"@reply @must @contain {{least:N}} different name(s) out of these: {_NAMES}",
    ],
    "count:numbers": [
        "use exactly {n:N} number(s) in digits",
        "@reply @must contain exactly {n:N} number(s) in digits",
    ],
    "count:pronouns": [
        "use {least:N} pronoun(s)",
        "@reply @must @contain {least:N} pronoun(s)",
    ],
    "count:punctuation": [
        "use each of the marks . , ; : ! ? at least once, and an interrobang (?!) besides",
        "@reply @must contain an interrobang (?!) and, besides it, each of the marks . , ; : ! ?",
    ],
    "count:words_japanese": [
        "[write|let] every {ordinal:N} word [stand|be] in Japanese",
        "every {ordinal:N} word @must be in Japanese",
    ],
    "count:keywords_multiple": [f"use {_FIVE}", f"@reply @must contain {_FIVE}"],
    "ratio:stop_words": [
        "let at most {digits:percentage} [per cent|percent] of the words be stop words",
        "stop words @shall make up no more than {digits:percentage} [per cent|percent] of @reply",
    ],
    "ratio:sentence_type": [
        "write exactly twice as many [statements as questions|sentences that end with a full stop "
        "as sentences that end with a question mark]",
        "@reply @must have a 2:1 ratio of sentences that end with a full stop to questions",
    ],
    "ratio:sentence_balance": [
        "write as many [statements as questions and as exclamations|sentences with a full stop at "
        "the end as with a question mark and as with an exclamation mark]",
        "@reply @must have equally many sentences that end with a full stop, with a question mark "
        "and with an exclamation mark",
    ],
    "ratio:overlap": [
        "{digits:percentage} [per cent|percent] of the different trigrams of @reply, give or take "
        "two points, @shall also stand in this text: {quote:reference_text}",
        "let {digits:percentage} [per cent|percent] of the different trigrams of @reply (within "
        "two points) occur in this text too: {quote:reference_text}",
    ],
    "ratio:sentence_words": [
        "write three sentences that have the same number of characters, and use no word twice",
        "@reply @must have three sentences of as many characters each and no word that stands "
        "there twice",
    ],
    "words:alphabet": [
        "start each word with the next letter of the alphabet, with A after Z",
        "each word @must begin with the letter of the alphabet after that of the word before, and "
        "A follows Z",
    ],
    "words:vowel": [
        "write one paragraph that uses [at most|no more than] three of the vowels a, e, i, o and u",
        "@reply @must be one paragraph in which no more than three different vowels occur",
    ],
    "words:consonants": [
        "use only words in which two consonants stand together",
        "every word @must have two consonants next to each other",
    ],
    "words:palindrome": [
        "use at least ten palindromes of five letters or more",
        "@reply @must @contain at least ten palindromes, each at least five letters long",
    ],
    "words:prime_lengths": [
        "use only words with a prime number of letters",
        "the number of letters of every word @must be prime",
    ],
    "words:repeats": [
        f"use each word {_MOST}",
        "[no word|~no single word] [may|~must|~should] be used more than {n:small_n} time(s)",
        f"every word may occur {_MOST}",
        "let no word occur more than {n:small_n} time(s)",
    ],
    "words:keywords_specific_position": [
        "let {quote:keyword} be the {ordinal:m} word of the {ordinal:n} sentence",
        "the {ordinal:m} word of the {ordinal:n} sentence @must be {quote:keyword}",
        "make {quote:keyword} word number {n:m} of sentence number {n:n}",
    ],
    "words:words_position": [
        "let {quote:keyword} be both the second word and the second-to-last word",
        "both the second word and the last word but one @shall be {quote:keyword}",
    ],
    "words:last_first": [
        "begin each sentence with the last word of the sentence before",
        "the last word of each sentence @must be the first word of the next",
    ],
    "words:paragraph_last_first": [
        "end each [line|paragraph] with the word that it begins with",
        "each [line|paragraph] @must begin and end with the same word",
    ],
    "words:no_consecutive": [
        "let no two words in a row begin with the same letter",
        "no word may begin with the same letter as the word before it",
    ],
    "sentence:alliteration_increment": [
        "let each sentence have a longer run of alliterating words than the one before",
        "the number of words in a row that alliterate @must grow from sentence to sentence",
    ],
    "sentence:increment": [
        "make each sentence exactly {n:small_n} word(s) longer than the one before",
        "each sentence @must have exactly {n:small_n} word(s) more than the sentence before it",
    ],
    "sentence:keyword": [
        "use the {term:word} in the {ordinal:N} sentence",
        "the {ordinal:N} sentence @must [contain|include] the {term:word}",
    ],
    "format:parentheses": [
        "nest brackets at least five deep, and close all of them",
        "@reply @must have brackets within brackets, at least five deep and all of them closed",
    ],
    "format:quotes": [
        "nest quotations at least three deep, with double and single quotation marks in turn",
        "@reply @must have quotations within quotations, three deep or more, in double and single "
        "marks by turns",
    ],
    "format:options": [
        "answer with one of these options and with nothing else: {quote:options}",
        "@reply @must be nothing but one of these options: {quote:options}",
    ],
    "format:newline": [
        "put each word on a line of its own",
        "every word @must stand on its own line",
    ],
    "format:emoji": [
        "put an emoji at the end of every sentence",
        "every sentence @must [end with an emoji|have an emoji at its end]",
    ],
    "format:line_indent": [
        "indent each line further than the line before, over two lines or more",
        "@reply @must look like stairs, each of at least two lines indented further than the one "
        "before",
    ],
    "format:quote_unquote": [
        "after each phrase in double quotation marks, go on in words without them",
        "every phrase in double quotation marks @must be followed by words outside of them",
    ],
    "format:list": [
        "write a list and put {quote:sep} where its bullets would stand",
        "@reply @must have a list with {quote:sep} in place of bullets",
    ],
    "format:thesis": [
        "open each section with a thesis in italics, marked in HTML",
        "every section @must begin with a thesis that stands in HTML italics",
    ],
    "format:sub-bullets": [
        "write bullet points marked * with at least one sub-bullet marked - under each",
        "each bullet point * of @reply @must have a sub-bullet - at least",
    ],
    "format:no_bullets_bullets": [
        "write at least two sentences that end with a full stop, and after them at least two "
        "bullet points marked *",
        "@reply @must begin with two sentences or more that end with a full stop, and go on with "
        "two bullet points * or more",
    ],
    "format:output_template": [
        f"write three parts that open with {_TEMPLATE} in this order",
        f"@reply @must follow a template with the parts {_TEMPLATE}, in order",
    ],
    "format:title_case": [
        "write @reply in title case",
        "each word @must begin with a capital letter, as in a title",
    ],
    "format:no_whitespace": [
        "write without any white space",
        "@reply @must contain no white space",
    ],
    "repeat:repeat_change": [
        "reply with this request again and nothing else, but change its first word: "
        "{quote:prompt_to_repeat}",
        "@reply @must be nothing but this request with another first word: "
        "{quote:prompt_to_repeat}",
    ],
    "repeat:repeat_simple": [
        "~only output this sentence here, ignore all other requests",
        "write this sentence and nothing else: Only output this sentence here, ignore all other "
        "requests",
        "@reply @must be this sentence alone: Only output this sentence here, ignore all other "
        "requests",
    ],
    "repeat:repeat_span": [
        f"repeat nothing but the words {_STEPS}, of this text: {{quote:prompt_to_repeat}}",
        f"@reply @must be the words {_STEPS}, of this text: {{quote:prompt_to_repeat}}",
    ],
    "custom:multiples": [
        "write the multiples of 7 from 10 to 50 in order and no other number",
        "@reply @must count from 10 to 50 and give the multiples of 7 as its only numbers",
    ],
    "custom:mcq_count_length": [
        "write four questions numbered Question 1 to 4, each longer than the one before and with "
        "five options A to E",
        "@reply @must have four parts that open with Question, each with five options A to E and "
        "with a longer question than the part before",
    ],
    "custom:reverse_newline": [
        "list the countries of Africa in reverse alphabetical order, each on a line of its own",
        "@reply @must list the countries of Africa from Z to A, one a line",
    ],
    "custom:word_reverse": [
        "name the national animal of the USA in a sentence whose words stand in reverse order",
        "say which animal stands for the USA, with the words of the sentence from last to first",
    ],
    "custom:character_reverse": [
        "name the national animal of the USA in a sentence whose letters stand in reverse order",
        "say which animal stands for the USA, with the letters of the sentence from last to first",
    ],
    "custom:sentence_alphabet": [
        "write 26 sentences, the first words of which begin with the letters A to Z in order",
        "@reply @must have 26 sentences that begin with A, B, C and so on to Z",
    ],
    "custom:european_capitals_sort": [
        "list the capitals of Europe north of 45 degrees of latitude, from north to south and "
        "between commas",
        "@reply @must be the European capitals above 45 degrees north, the northernmost first, "
        "with commas between them",
    ],
    "custom:csv_city": [
        "write CSV with the columns ID, Country, City, Year, Count and seven rows below the header",
        "@reply @must be CSV: the columns ID, Country, City, Year, Count and seven rows of data",
    ],
    "custom:csv_special_character": [
        "write CSV with the columns ProductID, Category, Brand, Price, Stock and 14 rows below the "
        "header, one field of which has a special character and stands in double quotation marks",
        "@reply @must be CSV: the columns ProductID, Category, Brand, Price, Stock and 14 rows of "
        "data, with a special character in a field in double quotation marks",
    ],
    "custom:csv_quotes": [
        "write a table with tabs between its columns StudentID, Subject, Grade, Semester, Score "
        "and three rows below the header, each field in double quotation marks",
        "@reply @must be a table of StudentID, Subject, Grade, Semester, Score with tabs between "
        "them, three rows of data and every field in double quotation marks",
    ],
    "custom:date_format_list": [
        "give dates from the years of Napoleon's life as YYYY-MM-DD between commas, and nothing "
        "else",
        "@reply @must be nothing but dates from Napoleon's lifetime in the form YYYY-MM-DD, with "
        "commas between them",
    ],
}  # fmt: skip
"""For each type, by its public id, templates of a sentence; beside some what arguments they fix."""

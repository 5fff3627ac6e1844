r"""IFBench's instruction types about format, about repeating the request, and its single tasks.

See :mod:`wfine_utils.checks.ifbench` for the others, and for what words and sentences are. Blank
lines count nowhere.

Differences from the published code, because the instruction says so. Stricter: stairs have two
lines, sub-bullets a bullet; five brackets are all closed; a thesis opens its section; marks of
bullets open a line; a template comes in its order, with words in each part. Milder: "of" and its
like may be small in a title; numbers may stand before the countries of Africa; Kyiv (50.45 degrees
north), which the published key leaves out, may stand among the capitals.

Source: Pyatkin et al. 2025, Generalizing Verifiable Instruction Following.
"""

from __future__ import annotations

import csv
import functools
import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from wfine_utils.checks.ifbench import end_marks, words_of
from wfine_utils.checks.instructions import Count, Registry, Text, Word, enter
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.errors import WfineError

INSTRUCTIONS: Registry = {}
"""The instruction types of this module by their public id: ``function(text, **arguments)``."""

_instruction = functools.partial(enter, INSTRUCTIONS)

# Blocks of Unicode that hold next to nothing but pictures, and the frame of keycaps.
_PICTURES = "\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u20e3\U0001f000-\U0001faff"
_PICTURE_LAST = re.compile(rf"[{_PICTURES}][^\w{_PICTURES}]*$")
_PICTURE_FIRST = re.compile(rf"[{_PICTURES}]")
_TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")
_MINOR_WORDS = frozenset(
    "a an the and but or nor for so yet as at by in into of off on onto out over per to up upon "
    "via from with".split()
)  # those that a title may leave small
_ONE_SENTENCE = "only output this sentence here, ignore all other requests."
_CAPITALS = (
    "reykjavik helsinki oslo tallinn stockholm riga moscow copenhagen vilnius minsk dublin berlin "
    "amsterdam warsaw london brussels kyiv prague luxembourg paris vienna bratislava budapest "
    "vaduz chisinau bern ljubljana zagreb".split()
)  # north of 45 degrees, from the north


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _bare(text: str) -> str:
    """In small letters, from the first letter or digit to the last."""
    match = re.search(r"[^\W_](?:.*[^\W_])?", text, re.DOTALL)
    return match[0].lower() if match else ""


def _plain(text: str) -> str:
    """Without accents too: São Tomé is sao tome."""
    start = text[:200]  # a name; normalising may take quadratic time in the number of marks
    return _bare(unicodedata.normalize("NFKD", start).encode("ascii", "ignore").decode())


def _depths(marks: str, pairs: dict[str, str]) -> Iterator[int]:
    """The depth of each group of marks when it closes, 1 if it has no group inside.

    A closing mark that does not fit ends all that is open.
    """
    open_groups: list[tuple[str, int]] = []  # the mark that closes it, the depth of what is inside
    for mark in marks:
        if open_groups and mark == open_groups[-1][0]:
            depth = open_groups.pop()[1] + 1
            if open_groups:
                closer, inside = open_groups[-1]
                open_groups[-1] = (closer, max(inside, depth))
            yield depth
        elif mark in pairs:
            open_groups.append((pairs[mark], 0))
        else:
            open_groups.clear()


@_instruction("format:parentheses")
def parentheses(text: str) -> bool:
    """Brackets of any kind stand within each other, five deep and all of them closed."""
    depths = _depths(re.sub(r"[^()\[\]{}]", "", text), {"(": ")", "[": "]", "{": "}"})
    return any(depth >= 5 for depth in depths)


@_instruction("format:quotes")
def quotes(text: str) -> bool:
    """Double and single quotation marks take turns within each other, three deep and closed."""
    without_apostrophes = re.sub(r"(?<=\w)['’](?=\w)", "", text)
    straight = without_apostrophes.translate(str.maketrans("“”‘’", "\"\"''"))
    depths = _depths(re.sub(r"[^\"']", "", straight), {'"': '"', "'": "'"})
    return any(depth >= 3 for depth in depths)


@_instruction("format:options")
def options(text: str, options: Text) -> bool:
    """Nothing but one of the options, which stand between ``/``, else ``or``, else commas.

    Letters such as a) must be given as they are; in other options case and outer marks may differ.
    """
    separator = "/" if "/" in options else r"\bor\b" if re.search(r"\bor\b", options) else ","
    choices = [choice.strip() for choice in re.split(separator, options)]
    if re.match(r"\W*a\W*b\W*c\b", options, re.IGNORECASE):
        return text.strip() in choices
    return _bare(text) in {*map(_bare, choices)} - {""}


@_instruction("format:newline")
def newline(text: str) -> bool:
    """Each word stands on a line of its own."""
    return all(sum(map(bool, map(words_of, line.split()))) <= 1 for line in _lines(text))


@_instruction("format:emoji")
def emoji(text: str) -> bool:
    """An emoji stands at the end of each sentence, before or after its end mark."""
    sentences = split_sentences(re.sub("[\ufe0f\u200d]", "", text))  # those join pictures to one
    pairs = pairwise([*sentences, ""])
    return bool(sentences) and all(
        _PICTURE_LAST.search(one) or _PICTURE_FIRST.match(after) for one, after in pairs
    )


@_instruction("format:line_indent")
def line_indent(text: str) -> bool:
    """Each line is indented further than the one before; there are two at least."""
    lines = [line.expandtabs() for line in _lines(text)]
    indents = [len(line) - len(line.lstrip()) for line in lines]
    return len(indents) > 1 and all(a < b for a, b in pairwise(indents))


@_instruction("format:quote_unquote")
def quote_unquote(text: str) -> bool:
    """After each phrase in double quotation marks come words without them."""
    straight = re.sub("[“”]", '"', text).replace("'\"'", "")  # the mark itself may be spoken of
    return all(map(words_of, straight.split('"')[2::2]))


@_instruction("format:list")
def list_marks(text: str, sep: Word) -> bool:
    """At least two lines open with the mark, which stands for bullets."""
    return sum(line.lstrip().startswith(sep) for line in _lines(text)) >= 2


@_instruction("format:thesis")
def thesis(text: str) -> bool:
    """Each section opens with words in HTML italics, and has other words after them.

    Sections are what stands below Markdown or HTML headings, or else the whole text.
    """
    heading = re.compile(r"^[ \t]*(?:#{1,6}[ \t]|<h[1-6]\b).*$", re.MULTILINE)
    sections = [section for section in heading.split(text) if section.strip()]
    return bool(sections) and all(map(_opens_in_italics, sections))


def _opens_in_italics(section: str) -> bool:
    opening = re.match(r"(?:\s|<(?!i>|em>)[^<>]*>)*+<(i|em)>", section)
    if opening is None:
        return False
    inside, _, after = section[opening.end() :].partition(f"</{opening[1]}>")
    return bool(words_of(inside) and words_of(re.sub(r"<[^<>]*>", "", after)))


@_instruction("format:sub-bullets")
def sub_bullets(text: str) -> bool:
    """There are bullets ``*``, and each has a sub-bullet ``-`` at least."""
    openings = (line.split()[0] for line in _lines(text))
    runs = "".join(mark for mark in openings if mark in ("*", "-")).split("*")[1:]
    return bool(runs) and all(runs)


@_instruction("format:no_bullets_bullets")
def no_bullets_bullets(text: str) -> bool:
    """Two sentences that end with a full stop at least, and after them two bullets ``*``."""
    lines = _lines(text)
    bullets = [i for i, line in enumerate(lines) if line.split()[0] == "*"]
    return len(bullets) >= 2 and end_marks("\n".join(lines[: bullets[0]]))["."] >= 2


@_instruction("format:output_template")
def output_template(text: str) -> bool:
    """``My Answer:``, ``My Conclusion:`` and ``Future Outlook:`` in order, words after each."""
    before, *parts = re.split(f"({'|'.join(_TEMPLATE)})", text)
    in_order = tuple(parts[::2]) == _TEMPLATE
    return in_order and not before.strip() and all(map(words_of, parts[1::2]))


@_instruction("format:title_case")
def title_case(text: str) -> bool:
    """Each word but small ones such as "of" begins with a capital, and the first one does."""
    words = re.findall(r"\b[^\W\d_]\w*(?:['’-]\w+)*", text)
    small = {i: word for i, word in enumerate(words) if word.islower()}
    return 0 not in small and _MINOR_WORDS.issuperset(small.values())


@_instruction("format:no_whitespace")
def no_whitespace(text: str) -> bool:
    """No white space, at the ends either."""
    return re.search(r"\s", text) is None


@_instruction("repeat:repeat_change")
def repeat_change(text: str, prompt_to_repeat: Text) -> bool:
    """The request again, but for its first word."""
    words, request = text.split(), prompt_to_repeat.split()
    return words[:1] != request[:1] and words[1:] == request[1:]


@_instruction("repeat:repeat_simple")
def repeat_simple(text: str) -> bool:
    """Nothing but the sentence of the instruction, ignoring case."""
    return text.strip().lower() == _ONE_SENTENCE


@_instruction("repeat:repeat_span")
def repeat_span(text: str, prompt_to_repeat: Text, n_start: Count, n_end: Count) -> bool:
    """The words of the request from ``n_start`` to ``n_end``, both inclusive and counted from 0."""
    span = prompt_to_repeat.lower().split()[n_start : n_end + 1]
    if not span:
        raise WfineError(
            f"arguments n_start and n_end: found {n_start} and {n_end}, expected a span of words "
            f"of prompt_to_repeat, which has {len(prompt_to_repeat.split())}."
        )
    return text.lower().split() == span


@_instruction("custom:multiples")
def multiples(text: str) -> bool:
    """The numbers in the text are the multiples of 7 from 10 to 50, in order."""
    return re.findall(r"\d+", text) == [str(n) for n in range(14, 51, 7)]


@_instruction("custom:mcq_count_length")
def mcq_count_length(text: str) -> bool:
    """Four parts that open with "Question", each with five options and longer than the last."""
    before, *parts = re.split(r"^Question\b[ \t]*\d*[.):;]?", text.strip(), flags=re.MULTILINE)
    lengths = []
    for part in parts:
        question, *choices = re.split(r"^[ \t]*[A-Ea-e][.)]", part, flags=re.MULTILINE)
        if len(choices) != 5 or not all(map(words_of, choices)):
            return False
        lengths.append(len(" ".join(question.split())))
    return not before and len(parts) == 4 and all(a < b for a, b in pairwise(lengths))


@_instruction("custom:reverse_newline")
def reverse_newline(text: str) -> bool:
    """From a line with Zimbabwe on, at least 52 lines in reverse alphabetical order."""
    names = [re.sub(r"^\d+\W+", "", name) for line in _lines(text) if (name := _plain(line))]
    start = next((i for i, name in enumerate(names) if "zimbabwe" in name), len(names))
    return len(names) >= start + 52 and all(a >= b for a, b in pairwise(names[start:]))


@_instruction("custom:word_reverse")
def word_reverse(text: str) -> bool:
    """The bald eagle, in a sentence whose words stand in reverse order."""
    return ("eagle", "bald") in pairwise(words_of(text))


@_instruction("custom:character_reverse")
def character_reverse(text: str) -> bool:
    """The bald eagle, in a sentence whose letters stand in reverse order."""
    return "elgae dlab" in text.lower()


@_instruction("custom:sentence_alphabet")
def sentence_alphabet(text: str) -> bool:
    """26 sentences, the first words of which start with the letters of the alphabet in order."""
    initials = "".join(words_of(sentence)[0][0] for sentence in split_sentences(text))
    return initials == "abcdefghijklmnopqrstuvwxyz"


@_instruction("custom:european_capitals_sort")
def european_capitals_sort(text: str) -> bool:
    """The European capitals north of 45 degrees between commas, from the north; Kyiv or not."""
    cities = [city for part in text.split(",") if (city := _plain(part))]
    return cities in (_CAPITALS, [city for city in _CAPITALS if city != "kyiv"])


def _table(text: str, header: str, n_rows: int, delimiter: str = ",") -> list[list[str]]:
    """The cells, header first; nothing if there are not so many rows of as many cells.

    Quotation marks around a cell stay, so that they can be asked for.
    """
    lines = text.strip().replace('"', '"""').splitlines()
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:  # such as a field of more than 131,072 characters
        return []
    columns = header.split()
    fits = len(rows) == n_rows + 1 and all(len(row) == len(columns) for row in rows)
    return rows if fits and [cell.strip('"') for cell in rows[0]] == columns else []


def _is_quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


@_instruction("custom:csv_city")
def csv_city(text: str) -> bool:
    """CSV with the columns ID, Country, City, Year, Count and seven rows."""
    return bool(_table(text, "ID Country City Year Count", 7))


@_instruction("custom:csv_special_character")
def csv_special_character(text: str) -> bool:
    """CSV with five columns and 14 rows; a field in double quotation marks has a special character.

    The columns are ProductID, Category, Brand, Price, Stock.
    """
    rows = _table(text, "ProductID Category Brand Price Stock", 14)[1:]
    quoted = (cell for row in rows for cell in row if _is_quoted(cell))
    return any(re.search(r"[^\w\s]", cell[1:-1]) for cell in quoted)


@_instruction("custom:csv_quotes")
def csv_quotes(text: str) -> bool:
    """Five columns and three rows between tabs, each field in double quotation marks.

    The columns are StudentID, Subject, Grade, Semester, Score.
    """
    rows = _table(text, "StudentID Subject Grade Semester Score", 3, "\t")
    return bool(rows) and all(_is_quoted(cell) for row in rows for cell in row)


@_instruction("custom:date_format_list")
def date_format_list(text: str) -> bool:
    """Nothing but dates ``YYYY-MM-DD`` between commas, in Napoleon's lifetime (1769 to 1821)."""
    for part in map(str.strip, text.split(",")):
        try:
            is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", part, re.ASCII) and date.fromisoformat(part)
        except ValueError:  # 1805-02-30
            return False
        if not is_date or not 1769 <= is_date.year <= 1821:
            return False
    return True

"""Annotation files: rankings by people as CSV, UTF-8, separated by commas, one record per line::

    annotator,chain_id,response,rank
    A,hand-01,0,1
    A,hand-01,1,2.5
    A,hand-01,2,2.5

``response`` is the place of the response in its chain, from 0, as in all our tables; ``rank`` is a
number from 1 (best) upwards. Responses that an annotator finds equal get equal ranks: 1, 2, 2, 4
and 1, 2, 2, 3 and 1, 2.5, 2.5, 4 all say the same, because only the order within one annotator and
chain is used. Who ranks a chain ranks all its responses.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from wfine_utils.chains.records import Problems, read_lines, short
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.files import atomic_write
from wfine_utils.weval.agreement import check_columns

ANNOTATION_COLUMNS = ("annotator", "chain_id", "response", "rank")
_Ranking = tuple[str, str, int, float]  # of these columns
_WHOLE = re.compile(r"[0-9]{1,6}")
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")  # not float(), which takes 1_0 and nan


def load_annotations(path: str | Path, chains: Sequence[Chain] | None = None) -> pd.DataFrame:
    """Read an annotation file, in the layout at the top of this module.

    Args:
        chains: those that were ranked; with them ids and places are checked too.

    Returns:
        Columns :data:`ANNOTATION_COLUMNS` (text, text, int, float), rows as in the file.

    Raises:
        WfineError: anything is wrong with the file, up to 20 problems at once, each as
            ``file:line: field: what was found, what was expected``.
    """
    path = Path(path)
    problems = Problems(path, "", "annotations")
    lines = read_lines(path, problems)
    number, text = next(lines, (1, ""))
    header = _fields(text, number, problems) or []
    if sorted(header) != sorted(ANNOTATION_COLUMNS):
        expected = f"expected the columns {','.join(ANNOTATION_COLUMNS)}, each once"
        message = f"found {short(text.strip())}, {expected}, separated by commas"
        problems.add(number, "header", message)
        problems.raise_if_any()
    records: dict[int, _Ranking] = {}
    for number, text in lines:
        if record := _record(header, text, number, problems):
            records[number] = record
    if not records and not problems.lines:
        problems.add(number, "whole file", "found a header only, expected at least one record")
    _check_together(records, chains, problems)
    problems.raise_if_any()
    return pd.DataFrame(list(records.values()), columns=list(ANNOTATION_COLUMNS))


def save_annotations(table: pd.DataFrame, path: str | Path) -> Path:
    """Write an annotation file; :func:`load_annotations` reads it back.

    Args:
        table: has the columns :data:`ANNOTATION_COLUMNS`; others are left out.

    Raises:
        WfineError: a column is missing, or the file cannot be written.
    """
    check_columns(table, ANNOTATION_COLUMNS, "save_annotations")
    part = table[list(ANNOTATION_COLUMNS)]
    return atomic_write(path, lambda p: part.to_csv(p, index=False, lineterminator="\n"))


def _fields(text: str, number: int, problems: Problems) -> list[str] | None:
    try:
        (fields,) = csv.reader([text.rstrip("\r\n")], strict=True)
    except (csv.Error, ValueError) as error:
        message = f"found {short(text)}, expected one CSV record ({error})"
        problems.add(number, "whole record", message)
        return None
    return [field.strip() for field in fields]


def _record(header: list[str], text: str, number: int, problems: Problems) -> _Ranking | None:
    """One line as a record, or None and its problems noted."""
    if (fields := _fields(text, number, problems)) is None:
        return None
    if len(fields) != len(header):
        problems.add(number, "whole record", f"found {len(fields)} fields, expected {len(header)}")
        return None
    record = dict(zip(header, fields, strict=True))
    annotator, chain_id, response, rank = (record[name] for name in ANNOTATION_COLUMNS)
    names = ("annotator", "chain_id")
    wrong = {name: "found nothing, expected a name" for name in names if not record[name]}
    if not _WHOLE.fullmatch(response):
        place = "the place of the response in its chain: 0, 1, …"
        wrong["response"] = f"found {short(response)}, expected {place}"
    if not _NUMBER.fullmatch(rank) or float(rank) < 1:
        wrong["rank"] = f"found {short(rank)}, expected a number of at least 1, where 1 is best"
    for name, message in wrong.items():
        problems.add(number, name, message)
    return None if wrong else (annotator, chain_id, int(response), float(rank))


def _check_together(
    records: Mapping[int, _Ranking], chains: Sequence[Chain] | None, problems: Problems
) -> None:
    """Note records that do not go together: repeated, of no chain, or of a chain half ranked."""
    places = None if chains is None else {c.chain_id: set(range(len(c.responses))) for c in chains}
    ranked: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)  # response: line
    seen: defaultdict[str, set[int]] = defaultdict(set)
    complete = not problems.lines  # else the records that could not be read would be missed here
    for number, (annotator, chain_id, response, _) in records.items():
        first = ranked[annotator, chain_id].setdefault(response, number)
        seen[chain_id].add(response)
        chain, by = f"chain {short(chain_id)}", f"by annotator {short(annotator)}"
        if first != number:
            again = f"again, first at line {first}, expected it once"
            problems.add(number, "response", f"found response {response} of {chain} {by} {again}")
        if places is not None and chain_id not in places:
            expected = f"expected the id of one of the {len(places)} chains given"
            problems.add(number, "chain_id", f"found {short(chain_id)}, {expected}")
        elif places is not None and response not in places[chain_id]:
            last = len(places[chain_id]) - 1
            problems.add(number, "response", f"found {response}, expected 0 to {last} in {chain}")
    for (annotator, chain_id), lines in ranked.items() if complete else ():
        wanted, number = (places or seen).get(chain_id, set()), min(lines.values())
        chain, by = f"chain {short(chain_id)}", f"by annotator {short(annotator)}"
        if len(wanted) < 2 and places is None:
            message = f"found one response of {chain}, expected two at least to rank"
            problems.add(number, "response", message)
        elif missing := sorted(wanted - set(lines)):
            rest = ", ".join(map(str, missing[:5]))
            message = f"found {len(lines)} responses of {chain} {by}, expected also {rest}"
            problems.add(number, "response", message)

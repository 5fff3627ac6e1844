"""Prompts in the layouts of the published files, for tests, and a backend that judges answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from wfine_utils.judges.backends import Reply
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_queries, write

QUERIES = sample_queries(12, TOPICS["test"], seed=3)
MARKS = ("1-2", "3-4", "5-6", "7-8", "9-10")


def ifeval_row(key: int, *instructions: tuple[str, dict], prompt: str = "Write.") -> dict:
    """A record of IFEval; arguments of other instructions are None, as in the published file."""
    names = {name: None for _, kwargs in instructions for name in kwargs}
    return {
        "key": key,
        "prompt": f"{prompt} {key}",
        "instruction_id_list": [instruction_id for instruction_id, _ in instructions],
        "kwargs": [names | kwargs for _, kwargs in instructions],
    }


NO_COMMA = ("punctuation:no_comma", {})
TWO_WORDS = ("length_constraints:number_words", {"num_words": 2.0, "relation": "at least"})
UNKNOWN = ("detectable_format:haiku", {"lines": 3})


ROWS = [
    ifeval_row(10, NO_COMMA),
    ifeval_row(11, NO_COMMA, TWO_WORDS),
    ifeval_row(12, TWO_WORDS, UNKNOWN),
    ifeval_row(13, UNKNOWN),
]


def writingbench_row(index: int, n_criteria: int = 2) -> dict:
    """A record of WritingBench."""
    return {
        "index": index,
        "domain1": "Law",
        "domain2": "Contracts",
        "query": f"Draft contract number {index}.",
        "checklist": [
            {"name": f"criterion {k}", "criteria_description": f"Looks at {index}.{k}."}
            | {marks: f"worth {marks}" for marks in MARKS}
            for k in range(n_criteria)
        ],
    }


def jsonl(path: Path, rows: list) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def parquet(path: Path, rows: list[dict]) -> Path:
    pd.DataFrame(rows).to_parquet(path)
    return path


@dataclass
class Reader:
    """A backend that finds a text met, or worth a 9, if it has the word "good" in it.

    It is silent on texts with the word "mute".
    """

    fingerprint: str = "reader"
    prompts: list[str] = field(default_factory=list)

    def response(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return re.search(r"<<response \w+>>\n(.*?)\n<<end of response", prompt, re.S)[1]

    def complete(self, prompts, *, max_tokens, temperature=0.0, seed=0):
        texts = [self.response(prompt) for prompt in prompts]
        return [
            Reply("Hm." if "mute" in text else json.dumps(
                {"reason": "Read it.", "score": 9 if "good" in text else 2}
            ))
            for text in texts
        ]  # fmt: skip

    def option_logprobs(self, prompts, options):
        texts = [self.response(prompt) for prompt in prompts]
        p = np.array([np.nan if "mute" in t else 0.9 if "good" in t else 0.2 for t in texts])
        return np.log(np.column_stack([p, 1 - p]))


def values(table: pd.DataFrame, policy: str) -> pd.DataFrame:
    return table[table["policy"] == policy].set_index("measure")


GOOD, BAD = (
    [
        write(q, (met,) * len(q.requirements), np.random.default_rng(i))
        for i, q in enumerate(QUERIES)
    ]
    for met in (True, False)
)

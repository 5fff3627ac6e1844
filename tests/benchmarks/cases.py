"""Files of benchmarks, made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wfine_utils.benchmarks import Benchmark, load_benchmark

LAMP = {
    "id": "set-1",
    "instruction": "Write a paragraph.",
    "genre": "Fiction",
    "responses": {"AI": "One.", "human": "Two.", "both": "Three."},
    "rankings": {"ann": ["human", "both", "AI"], "bob": ["human", "AI", "both"]},
}
GRAPH = {
    "id": 7,
    "instruction_type": "Multi_Turn",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Write a note of two lines, in French."},
    ],
    "checklist": ["Two lines?", "In French?"],
    "constraint_type": [
        {"item": "Two lines?", "constraint_categories": ["format"],
         "constraint_composition_types": ["And"]},
    ],
    "responses": [
        {"response_id": 10, "response": "a", "labels": [1, 1]},
        {"response_id": 11, "response": "b", "labels": [1, 0]},
        {"response_id": 12, "response": "c", "labels": [0, 0]},
    ],
    "preference_graph": [
        {"chosen": {"response_id": a}, "rejected": {"response_id": b}}
        for a, b in ((10, 11), (11, 12), (10, 12))
    ],
}  # fmt: skip
BEST_OF_FOUR = {
    "id": "1", "prompt": "What?", "subset": "Factuality", "chosen": ["right"],
    "rejected": ["wrong", "worse", "worst"],
}  # fmt: skip
WRITING = {
    "prompt": "Write a poem.", "tag": "poetry",
    "chosen": {"response": "good", "score": 3}, "rejected": {"response": "bad", "score": 1},
}  # fmt: skip
PREFERENCE = {"prompt": "Write.", "chosen": "good", "rejected": "bad"}


def ladder(levels: int = 2, category: str = "style", **changes: Any) -> list[dict[str, Any]]:
    return [
        {"example_id": 1, "category": category, "level": n, "instruction": f"Write, with {n}.",
         "response": f"text {n}"} | changes
        for n in range(1, levels + 1)
    ]  # fmt: skip


def save(path: Path, records: Sequence[Any]) -> Path:
    """As JSON lines, a JSON array or parquet, by the suffix; a text stands as it is."""
    if path.suffix == ".parquet":
        pd.DataFrame(records).to_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records))
    else:
        path.write_text(
            "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in records)
        )
    return path


def loaded(folder: Path, records: Sequence[Any], **options: Any) -> Benchmark:
    return load_benchmark(save(folder / "bench.jsonl", records), **options)


def values(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    return table.set_index(["metric", "subset"])["value"].to_dict()

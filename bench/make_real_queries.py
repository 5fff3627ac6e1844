"""Make the real queries that policies are trained on, from tasks that were written one by one.

Not speed, and not part of ``make bench``: this wrote ``wfine_utils/real_queries/``, and its test
writes it again and compares. ``--from FOLDER`` takes new tasks, one JSON line each, in files called
after the category; without it the tasks that are there are asked again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from wfine_utils.chains.files import save_queries
from wfine_utils.chains.real_queries import REAL_QUERIES
from wfine_utils.chains.taxonomy import Query, TaskCategory
from wfine_utils.checks.drawn_checks import MOST_REQUIREMENTS, Task, draw_query
from wfine_utils.seeds import rng_for

SEED = 0
PER_CATEGORY = {"train": 88, "validation": 12, "test": 36}
FILES = dict(
    zip(
        ("creative", "frameworks", "academic", "discussion", "practical"), TaskCategory, strict=True
    )
)


def read_written(folder: Path) -> list[Task]:
    """The tasks of five files, with the category that each file is of."""
    lines = [
        (category, line)
        for name, category in FILES.items()
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [Task(category=category, **json.loads(line)) for category, line in lines]


def read_tasks(path: Path) -> list[Task]:
    """The tasks of one file, which names the category of each."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Task(**{**row, "category": TaskCategory(row["category"])}) for row in rows]


def by_split(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Every category is dealt out alike; topics are unique, so no split shares one."""
    repeated = [t for t, n in Counter(task.topic for task in tasks).items() if n > 1]
    if repeated:
        raise SystemExit(f"found the topics {', '.join(repeated)} twice, expected each once")
    mixed: dict[TaskCategory, Iterator[Task]] = {}
    for category in TaskCategory:
        own = sorted((t for t in tasks if t.category == category), key=lambda task: task.query_id)
        order = rng_for(SEED, "real queries", "split", str(category)).permutation(len(own))
        mixed[category] = iter([own[int(i)] for i in order])
    return {
        split: [next(mixed[category]) for _ in range(n) for category in TaskCategory]
        for split, n in PER_CATEGORY.items()
    }


def ask(tasks: Sequence[Task]) -> list[Query]:
    """Queries with one, two, three, four requirements, one, two, …"""
    return [draw_query(task, 1 + i % MOST_REQUIREMENTS, SEED) for i, task in enumerate(tasks)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description="Make the real queries.")
    parser.add_argument("--from", dest="written", type=Path, help="folder of five files of tasks")
    parser.add_argument("--out", type=Path, default=REAL_QUERIES, help="where they go")
    args = parser.parse_args(arguments)
    args.out.mkdir(exist_ok=True)
    tasks = read_written(args.written) if args.written else read_tasks(REAL_QUERIES / "tasks.jsonl")
    lines = [json.dumps(asdict(task), ensure_ascii=False) + "\n" for task in tasks]
    (args.out / "tasks.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")
    for split, part in by_split(tasks).items():
        save_queries(ask(part), args.out / f"{split}.jsonl")
        sys.stdout.write(f"{split}: {len(part)} queries\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A board of WEval runs that cannot flatter: ``wfine board DIR… --out FILE``.

One HTML file of the tables of several runs, to be opened without a network and on a phone. What was
measured on other chains stands in another table; rows have intervals and no places; null baselines
and ceilings are marked; what the released rule would have said has a column of its own.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write, json_text
from wfine_utils.weval.baselines import OracleScorer
from wfine_workflow.board_runs import Measured, read_runs
from wfine_workflow.headline import NULL_BASELINES
from wfine_workflow.html_pages import TEMPLATES, template

CEILINGS = (OracleScorer.name, "another reader")
"""Scorers that say how well a scorer can do at best: exact checkers, a further reader."""

CONTROL = "requirements of another chain"
"""How the name of a model ends that was asked about what its texts were not written for."""

ALL = "all:all"
"""The part of a table that is about all chains of a data set."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """As in the tables of the report: three decimals, "–" for none."""
        if math.isnan(self.value):
            return "–"
        if math.isnan(self.low) or math.isnan(self.high):
            return f"{self.value:z.3f} (no interval)"
        return f"{self.value:z.3f} [{self.low:z.3f}, {self.high:z.3f}]"


def kind_of(scorer: str) -> str:
    """What a row is: ``"null"``, ``"control"``, ``"ceiling"`` or ``"scorer"``, by its name."""
    if scorer in NULL_BASELINES:
        return "null"
    if scorer in CEILINGS:
        return "ceiling"
    return "control" if scorer.endswith(CONTROL) else "scorer"


def build_board(folders: Sequence[str | Path], out: str | Path) -> Path:
    """Write the board of some runs: one HTML file, whole or not at all.

    Args:
        folders: each of a preset's results (notebook 05 has been run), or as ``wfine weval --out``
            writes it, with ``weval.csv`` and ``stamp.json``.
        out: the file to write; an older one is replaced.

    Returns:
        The path of the file.

    Raises:
        WfineError: no folder, or one that holds no such tables or wrong ones; it names every
            problem, 20 at most.
    """
    if not folders:
        raise WfineError("board: found no folder, expected those of one run or more.")
    runs = read_runs([Path(folder) for folder in folders])
    script = Path(TEMPLATES, "board.js").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    groups = _groups([measured for run in runs for measured in run.measured])
    page = template("board.html.j2").render(
        script=script,
        script_digest=digest,
        groups=groups,
        subsets=_subsets(groups),
        runs=[{"name": r.name, "id": r.id, "stamp": json_text(r.stamp, r.name)} for r in runs],
        all_chains=ALL,
    )
    return atomic_write(out, partial(Path.write_text, data=page, encoding="utf-8", newline="\n"))


def _groups(tables: Sequence[Measured]) -> list[dict[str, Any]]:
    """The rows of each data set, in parts: all its chains, each category, each type."""
    by_data: dict[str, list[Measured]] = {}
    for measured in tables:
        by_data.setdefault(measured.data.key, []).append(measured)
    groups = []
    for number, members in enumerate(by_data.values(), start=1):
        parts = []
        for kind, subset in _order(members):
            rows = [row for measured in members for row in _rows(measured, kind, subset)]
            main = "accuracy" if kind == "type" else "tau"
            rows.sort(key=lambda row: _best_first(row[main].value))
            parts.append({"key": f"{kind}:{subset}", "title": _title(kind, subset), "rows": rows})
        names = dict.fromkeys(measured.data.name for measured in members)
        n_chains = [int(measured.table["n_chains"].max()) for measured in members]
        groups.append(
            {"id": f"data-{number}", "name": ", ".join(names), "parts": parts,
             "digest": members[0].data.digest, "n": max(n_chains)}
        )  # fmt: skip
    return groups


def _best_first(value: float) -> tuple[bool, float]:
    return math.isnan(value), -value


def _order(members: Sequence[Measured]) -> list[tuple[str, str]]:
    """The subsets that these tables have, in the order of the taxonomy, others behind."""
    there = {
        (str(kind), str(subset))
        for measured in members
        for kind, subset in zip(
            measured.table["subset_kind"], measured.table["subset"], strict=True
        )
    }
    known = [("all", "all"), *(("category", str(x)) for x in TaskCategory)]
    known += [("type", str(x)) for x in RequirementType]
    return [x for x in known if x in there] + sorted(there - set(known))


def _title(kind: str, subset: str) -> str:
    return {"all": "all chains", "category": subset}.get(kind, f"{subset} dropped")


def _rows(measured: Measured, kind: str, subset: str) -> list[dict[str, Any]]:
    """One row per scorer of one subset, in the order of the table."""
    table = measured.table
    table = table[(table["subset_kind"] == kind) & (table["subset"] == subset)]
    rows = []
    for scorer, part in table.groupby("scorer", sort=False):
        by_metric = part.set_index("metric")
        main = by_metric.iloc[0]
        if "kendall_tau_b" in by_metric.index:
            main = by_metric.loc["kendall_tau_b"]
        rows.append({
            "scorer": scorer,
            "run": measured.run,
            "run_id": measured.run_id,
            "kind": kind_of(str(scorer)),
            "tau": _interval(by_metric, "kendall_tau_b"),
            "accuracy": _interval(by_metric, "pairwise_accuracy"),
            "released": _interval(by_metric, "released_rule_tau"),
            "n": int(main["n_chains"]),
            "ties": _number(main["tie_rate"]),
            "nans": _number(main["nan_rate"]),
            "pairs": _number(main["training_pairs"], ",.0f"),
        })  # fmt: skip
    return rows


def _interval(by_metric: Any, metric: str) -> Interval:
    if metric not in by_metric.index:
        return Interval(math.nan, math.nan, math.nan)
    row = by_metric.loc[metric]
    return Interval(*(float(row[column]) for column in ("value", "ci_low", "ci_high")))


def _number(value: float, form: str = ".3f") -> str:
    return "–" if math.isnan(value) else format(value, form)


def _subsets(groups: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """What can be chosen: every category and every type that some data set has."""
    keys = dict.fromkeys(part["key"] for group in groups for part in group["parts"])
    chosen: dict[str, list[dict[str, str]]] = {"task category": [], "requirement type": []}
    for key in keys:
        kind, _, name = key.partition(":")
        if kind != "all":
            where = "task category" if kind == "category" else "requirement type"
            chosen[where].append({"key": key, "name": name})
    return {where: options for where, options in chosen.items() if options}

"""Model cards: ``README.md`` beside a trained reward model or policy, as the Hub reads it.

A card is written when a model is trained, then without numbers, and anew when it has been measured.
What is not recorded anywhere is said to be unknown. Nothing in it names a folder of this machine.
The metadata have no field for an interval, so intervals stand in the tables of the text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from wfine_utils.base_model import CARD, MANIFEST
from wfine_utils.errors import WfineError
from wfine_utils.files import PARTIAL, atomic_write, display_path
from wfine_utils.models import card_texts

MARK = "<!-- Written by wfine, and anew with new numbers. Without this line it is yours. -->"
"""Line of a card that may be replaced; whoever writes their own words takes it out."""


def write_model_card(
    folder: str | Path,
    *,
    name: str = "",
    weval: Mapping[str, pd.DataFrame] | None = None,
    beside: Mapping[str, str] | None = None,
    adherence: pd.DataFrame | None = None,
    data: str = "",
    licence: str = "",
    versions: Mapping[str, str] | None = None,
    note: str = "",
    records: Path | None = None,
) -> Path:
    """Write the card of a trained model into its folder, all or nothing.

    The folder stays what it is: neither :func:`~wfine_utils.base_model.folder_fingerprint` nor a
    finished stage looks at the card.

    Args:
        folder: of a reward model or a policy, with its ``manifest.json``.
        name: what the tables call it; "" takes the name of the folder.
        weval: by the name of a set of chains, the table of ``weval.evaluate_all`` on it. None or
            empty: not measured yet.
        beside: scorers of these tables that stand beside this model, and what each is: at least
            one null baseline, as a number alone says nothing.
        adherence: of a policy, notebook 04's table of all policies, with the one called ``base``.
        data: what it was trained on, in a sentence; "" says what the run's stamps tell.
        licence: identifier as on the Hub, such as ``apache-2.0``; "" keeps that of an older card.
        versions: of Python and the libraries in training; None takes those that ``stage.json``,
            else an older card, has recorded.
        note: a sentence on how the numbers were measured.
        records: of a model that was copied, the folder in which it was trained, as the stamps and
            tables of the training lie there; None: it is ``folder``.

    Returns:
        The path of the card. A file of this name without the line :data:`MARK` is somebody's own
        and stays as it is.

    Raises:
        WfineError: no manifest, a table without this model or without a column, or a folder that
            cannot be written.
    """
    folder = Path(folder)
    path, trained_in = folder / CARD, (records or folder).resolve()
    if path.exists() and not is_ours(path):
        return path
    record, older = _record(folder), _older(path)
    name = name or folder.resolve().name.removeprefix(PARTIAL)  # while it is being made
    tables = dict(weval or {})
    for where, table in tables.items():
        _refuse_without(table, ("scorer", "metric", "subset_kind", "subset", "value", "n_chains"))
        _refuse_absent(name, table["scorer"], where)
        if not set(beside or ()) & set(table["scorer"]):
            raise WfineError(
                f"model card: found no scorer beside {name!r} in {where}, expected the null "
                "baselines: name them in beside, with what they are."
            )
    if adherence is not None:
        _refuse_without(adherence, ("prompt_set", "policy", "measure", "value", "n"))
        _refuse_absent(name, adherence["policy"], "the table of adherence")
    if versions is None:
        versions = _recorded_versions(trained_in) or older.get("versions")
    licence = licence or older.get("license") or ""
    base_is_folder = card_texts.is_folder(record["base_model"])
    results = [*_weval_results(name, tables), *_adherence_results(name, adherence)]
    is_policy = record["kind"] == "policy"
    origin = card_texts.origin_of(trained_in, record["kind"])
    about = ModelCardData(
        base_model=None if base_is_folder else record["base_model"],
        eval_results=results or None,
        library_name="peft",
        license=licence or None,
        model_name=name if results else None,
        pipeline_tag="text-generation" if is_policy else None,
        tags=["wfine", "lora", "writing", "arxiv:2604.27453", record["kind"].replace(" ", "-")],
        versions=dict(versions) if versions else None,
    )
    card = ModelCard.from_template(
        about,
        template_path=str(Path(__file__).parent / "templates" / "card.md.j2"),
        mark=MARK,
        title=f"{record['kind'].capitalize()}: {name}",
        what=card_texts.what_it_is(record),
        measured=card_texts.measured(name, tables, beside or {}, adherence, note),
        data=card_texts.trained_on(record, data or origin.words),
        code=card_texts.POLICY_CODE if is_policy else card_texts.REWARD_CODE,
        base_is_folder=base_is_folder,
        recipe=card_texts.recipe(folder, record),
        versions=card_texts.versions_in_words(versions),
        limits=[
            *card_texts.limits(record, origin),
            *card_texts.types_not_learnt(name, tables),
            *card_texts.kinds_not_learnt(trained_in, tables),
        ],
        licence=card_texts.licence_in_words(licence),
    )
    card.text = f"{card.text.rstrip()}\n"
    return atomic_write(path, card.save)


def is_ours(path: Path) -> bool:
    """Whether a card may be replaced: it has the line :data:`MARK`."""
    return MARK in path.read_text(encoding="utf-8", errors="replace")


# --- what is recorded -----------------------------------------------------------------------------


def _record(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise WfineError(
            f"{display_path(folder)}: found no {MANIFEST}, expected the folder of a trained reward "
            "model or policy: run notebook 03 or 04 first, or name a folder in theirs."
        )
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if absent := sorted({"kind", "base_model", "settings", "seed"} - record.keys()):
        raise WfineError(
            f"{display_path(path)}: found no {', '.join(absent)}, expected what a training of this "
            "version records. Train it again with notebook 03 or 04."
        )
    return record


def _older(path: Path) -> dict[str, Any]:
    """The metadata of the card that is there; none if there is no card or it cannot be read."""
    try:
        data: dict[str, Any] = ModelCard.load(path).data.to_dict()
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return data


def _recorded_versions(folder: Path) -> Mapping[str, str] | None:
    try:
        stage = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
        return dict(stage["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


# --- metadata -------------------------------------------------------------------------------------


def _weval_results(name: str, tables: Mapping[str, pd.DataFrame]) -> Iterable[EvalResult]:
    """This model's numbers on every set of chains: of all of them, and by requirement type."""
    for where, table in tables.items():
        own = table[table["scorer"] == name]
        own = own[own["subset_kind"].isin(["all", "type"]) & (own["metric"] != card_texts.FLATTERS)]
        for row in own.to_dict("records"):
            if math.isfinite(row["value"]):
                metric, n = row["metric"], f"mean over {row['n_chains']:,.0f} chains"
                yield EvalResult(
                    task_type="text-ranking",
                    task_name="WEval: ranking responses by the requirements they keep",
                    # the library keeps data sets apart by type and configuration, not by name
                    dataset_type=_slug(f"weval {where}"),
                    dataset_name=f"WEval, {where}",
                    dataset_config=None if row["subset_kind"] == "all" else str(row["subset"]),
                    metric_type=metric,
                    metric_name=f"{metric.replace('_', ' ')}, {n}",
                    metric_value=float(row["value"]),
                )


def _adherence_results(name: str, table: pd.DataFrame | None) -> Iterable[EvalResult]:
    """This policy's measures; its reward is none, as it was trained for it."""
    rows = [] if table is None else table[table["policy"] == name].to_dict("records")
    for row in rows:
        if math.isfinite(row["value"]) and not row["measure"].endswith(" reward"):
            yield EvalResult(
                task_type="text-generation",
                dataset_type=_slug(f"prompts {row['prompt_set']}"),
                dataset_name=f"prompts: {row['prompt_set']}",
                metric_type=_slug(row["measure"], "_"),
                metric_name=f"{row['measure']}, mean over {row['n']:,.0f} prompts",
                metric_value=float(row["value"]),
            )


def _slug(text: str, mark: str = "-") -> str:
    return re.sub(r"\W+", mark, text.lower()).strip(mark)


def _refuse_without(table: pd.DataFrame, columns: Iterable[str]) -> None:
    if absent := [column for column in columns if column not in table]:
        raise WfineError(
            f"model card: found the columns {', '.join(map(str, table))}, expected also "
            f"{', '.join(absent)}. Give the table as notebook 04 or 05 writes it."
        )


def _refuse_absent(name: str, names: pd.Series, where: str) -> None:
    if name not in set(names):
        raise WfineError(
            f"model card: found no {name!r} in {where} (there are: "
            f"{', '.join(sorted(set(names)))}), expected this model. Name it as the table does."
        )

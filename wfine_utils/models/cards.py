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
from typing import Any, NamedTuple

import pandas as pd
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from wfine_utils.base_model import CARD, MANIFEST, located
from wfine_utils.errors import WfineError
from wfine_utils.files import PARTIAL, atomic_write, display_path
from wfine_utils.notebook.render import to_markdown

MARK = "<!-- Written by wfine, and anew with new numbers. Without this line it is yours. -->"
"""Line of a card that may be replaced; whoever writes their own words takes it out."""

_FLATTERS = "released_rule_tau"  # no measure of quality: it gives a constant scorer 1
_SHOWN = ("kendall_tau_b", "pairwise_accuracy", "exact_match", "tie_rate", "nan_rate", _FLATTERS)
_COUNTED = ("tie_rate", "nan_rate")  # and not estimated: no interval
_CHANCE = 0.5  # accuracy of a coin on pairs
_BY_KIND = "accuracy_by_kind.csv"  # of notebook 03, beside its reward models
_OF_KINDS = "wrl_requirement"  # the reward model that it is about


class _Origin(NamedTuple):
    """Where the training data came from, and whether that is the tiny world."""

    words: str
    is_tiny: bool


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
    base_is_folder = _is_way(record["base_model"])
    results = [*_weval_results(name, tables), *_adherence_results(name, adherence)]
    is_policy, origin = record["kind"] == "policy", _origin(trained_in, record["kind"])
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
        what=_what(record),
        measured=_measured(name, tables, beside or {}, adherence, note),
        data=_data(record, data or origin.words),
        code=_POLICY_CODE if is_policy else _REWARD_CODE,
        base_is_folder=base_is_folder,
        recipe=_recipe(folder, record),
        versions=_versions_text(versions),
        limits=[*_limits(record, origin), *_not_learnt(name, tables), *_kinds(trained_in, tables)],
        licence=_licence_text(licence),
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


def _parameters(notebook: Path) -> dict[str, Any]:
    """The parameters of a notebook's run by its stamp; none where there is no stamp."""
    try:
        return dict(json.loads((notebook / "stamp.json").read_text("utf-8"))["parameters"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _origin(folder: Path, kind: str) -> _Origin:
    """What the stamps of the run say of the data that a model was trained on."""
    run = folder.parent
    own, drops = _parameters(run), _parameters(run.parent / "02_requirement_dropping")
    if path := own.get("chains_path"):
        return _Origin(f"Their source is the file `{Path(path).name}`.", False)
    source = drops.get("policy_queries" if kind == "policy" else "writer")
    if not own or not source:
        return _Origin("Where they come from is not recorded.", False)
    if source == "tiny":
        words = "They are of the tiny world: a program composes the texts from a small vocabulary, "
        return _Origin(words + "so that every requirement can be checked.", True)
    return _Origin(f"They are of notebook 02's run (`{source}`).", False)


def _is_way(model: str) -> bool:
    """Whether a manifest names the base model by the way to its folder, not by a Hub id."""
    return model.startswith((".", "/"))


# --- metadata -------------------------------------------------------------------------------------


def _weval_results(name: str, tables: Mapping[str, pd.DataFrame]) -> Iterable[EvalResult]:
    """This model's numbers on every set of chains: of all of them, and by requirement type."""
    for where, table in tables.items():
        own = table[table["scorer"] == name]
        own = own[own["subset_kind"].isin(["all", "type"]) & (own["metric"] != _FLATTERS)]
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


# --- text -----------------------------------------------------------------------------------------


def _what(record: Mapping[str, Any]) -> str:
    if record["kind"] == "policy":
        return (
            "LoRA adapters on a language model, trained by GRPO so that its texts earn more of a "
            "reward that stands for meeting the requirements of a writing instruction."
        )
    given = {
        "requirement": "one requirement at a time and a text, to one number; σ of it is how "
        "probable the model finds it that the text meets the requirement, and a text's score is "
        "the mean over its requirements",
        "prompt": "a whole instruction and a text, to one number: higher is better, among texts to "
        "the same instruction",
    }
    return (
        "LoRA adapters and a head on a base model, which together are a reward model: from "
        f"{given.get(record.get('granularity', ''), 'an instruction and a text, to one number')}."
    )


def _measured(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    beside: Mapping[str, str],
    adherence: pd.DataFrame | None,
    note: str,
) -> str:
    parts = [f"**{w}**\n\n{_scorers(name, table, beside)}" for w, table in tables.items()]
    by_type = {where: _types(name, table) for where, table in tables.items()}
    parts += [
        to_markdown(t, f"By requirement type, {w}").strip() for w, t in by_type.items() if len(t)
    ]
    if tables:
        parts.append(
            "Numbers are means over chains with 95 % bootstrap intervals over chains, so n is "
            "chains; fewer than six give no interval. Ties are ties: `released rule tau`, which "
            "resolves them in gold order and gives a constant 1, is shown to be seen and is not "
            "among the metadata. By type: pairs of texts that differ in one dropped requirement."
        )
    if adherence is not None:
        parts.append(_policies(name, adherence))
        parts.append(
            "Shares are means over prompts with 95 % bootstrap intervals over prompts, beside the "
            "base model that the training started from."
        )
    return "\n\n".join([*parts, note]).strip() if parts else "Not measured yet."


def _scorers(name: str, table: pd.DataFrame, beside: Mapping[str, str]) -> str:
    """This model and those beside it, best first by tau-b."""
    roles = {**beside, name: "this model"}
    rows = table[(table["subset_kind"] == "all") & table["scorer"].isin(roles)]
    shown: dict[str, dict[str, Any]] = {}
    for row in rows.to_dict("records"):
        scorer = row["scorer"]
        entry = shown.setdefault(
            scorer, {"scorer": scorer.replace("|", "/"), "is": roles[scorer], "n": row["n_chains"]}
        )
        if row["metric"] in _SHOWN:
            entry[row["metric"]] = row["value"]
            if row["metric"] not in _COUNTED:
                entry |= {f"{row['metric']}_{end}": row.get(end) for end in ("ci_low", "ci_high")}
    order = ["scorer", "is", *(x for m in _SHOWN for x in (m, f"{m}_ci_low", f"{m}_ci_high")), "n"]
    frame = pd.DataFrame([*shown.values()])
    frame = frame[[column for column in order if column in frame]]
    best = frame.sort_values("kendall_tau_b", ascending=False, kind="stable")
    return to_markdown(best, "").strip()


def _types(name: str, table: pd.DataFrame) -> pd.DataFrame:
    own = table[(table["scorer"] == name) & (table["subset_kind"] == "type")]
    own = own[own["metric"] == "pairwise_accuracy"]
    return pd.DataFrame(
        {"requirement_type": own["subset"], "pairwise_accuracy": own["value"],
         "pairwise_accuracy_ci_low": own["ci_low"], "pairwise_accuracy_ci_high": own["ci_high"],
         "n": own["n_chains"]}
    )  # fmt: skip


def _policies(name: str, table: pd.DataFrame) -> str:
    keys, columns = ["prompt_set", "measure"], ["value", "ci_low", "ci_high", "n"]
    columns += [column for column in ("n_unreadable", "share_cut") if column in table]
    own, base = (table[table["policy"] == x].set_index(keys)[columns] for x in (name, "base"))
    ends = {"value": "", "ci_low": "_ci_low", "ci_high": "_ci_high"}
    own = own.rename(columns={k: f"this_policy{v}" for k, v in ends.items()})
    base = base[[*ends]].rename(columns={k: f"base{v}" for k, v in ends.items()})
    wide = own.join(base).reset_index()
    first = [*keys, *(c for c in wide if c.startswith(("this_policy", "base"))), "n"]
    return to_markdown(wide[[*first, *wide.columns.difference(first)]], "").strip()


def _data(record: Mapping[str, Any], words: str) -> str:
    if record["kind"] == "policy":
        n = record.get("n_queries")
        counted = f"{n:,} queries" if n else "queries (how many is not recorded)"
        return f"Trained on {counted}, without any text to imitate. {words}"
    n, of = record.get("n_pairs"), record.get("granularity", "prompt")
    counted = f"{n:,} pairs" if n else "pairs (how many is not recorded)"
    given = {"requirement": "one requirement", "prompt": "a whole instruction"}.get(of, of)
    return f"Trained on {counted} of texts, one preferred to the other; asked is {given}. {words}"


def _recipe(folder: Path, record: Mapping[str, Any]) -> str:
    model, revision = record["base_model"], record.get("revision")
    if _is_way(model):
        last_part = Path(located(model, folder)).name
        said = f"a folder of that run, `{last_part}`"
    else:
        said = f"[{model}](https://huggingface.co/{model}), revision `{revision or 'not recorded'}`"
    digest = str(record.get("base_fingerprint", "not recorded"))
    lines = [
        f"Base model: {said}; fingerprint `{digest[:80]}`. Seed {record['seed']}. "
        f"Settings, as `{MANIFEST}` has them:",
        "\n".join(
            ["| setting | value |", "|---|---|"]
            + [f"| `{k}` | {json.dumps(v)} |" for k, v in sorted(record["settings"].items())]
        ),
    ]
    if cost := _cost(folder):
        lines.append(cost)
    return "\n\n".join(lines)


def _cost(folder: Path) -> str:
    try:
        cost = json.loads((folder / "cost.json").read_text(encoding="utf-8"))
        return (
            f"The training took {cost['seconds'] / 60:.1f} minutes and at most "
            f"{cost['peak_gib']:.2f} GiB ({cost['peak_of']})."
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _versions_text(versions: Mapping[str, str] | None) -> str:
    if not versions:
        return "The versions of the libraries in training are not recorded."
    return f"Trained with {', '.join(f'{k} {v}' for k, v in sorted(versions.items()))}."


def _licence_text(licence: str) -> str:
    if licence:
        return f"`{licence}`, as its maker says. The licences of base model and data hold besides."
    return "Not said. The licences of the base model and of the data hold in any case."


def _limits(record: Mapping[str, Any], origin: _Origin) -> list[str]:
    """What the records alone say of what a model can be used for."""
    if record["kind"] == "policy":
        limits = [
            "For research on rewards: what does a text gain, and what does it lose, when this "
            "reward rises? It is no assistant, and nothing was done to keep it from harm.",
            "A higher reward, and more requirements met by checkers, do not make a better text. A "
            "policy finds whatever its reward overlooks: read its texts.",
        ]
    else:
        limits = [
            "For research on fine-grained rewards: ranking texts that answer the same instruction.",
            "A higher score means that this model believes more of the requirements to be met. It "
            "is no grade of quality, truth or safety, and does not compare with the scores of "
            "another model"
            + (
                "."
                if record.get("granularity") == "requirement"
                else ", nor between different instructions."
            ),
            "A policy trained against it can learn to please it without meeting a requirement.",
        ]
        if places := record["settings"].get("max_tokens"):
            limits.append(f"Of texts longer than {places} tokens it does not read the middle.")
    limits.append(
        f"One training, with seed {record['seed']}: the intervals say how numbers move with other "
        "chains or prompts, not with another training."
    )
    if origin.is_tiny:
        limits.append(
            "It has learnt from texts of a tiny world. How little of that carries over to natural "
            "prose has to be measured, not assumed."
        )
    return limits


def _not_learnt(name: str, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """The requirement types of which a model tells pairs apart no better than a coin."""
    said = []
    for where, table in tables.items():
        types = _types(name, table)
        low = types["pairwise_accuracy_ci_low"]
        by_chance = types[~(low > _CHANCE)]  # without an interval too
        if len(by_chance):
            names = ", ".join(map(str, by_chance["requirement_type"]))
            said.append(f"On {where} it is not shown to be better than a coin at: {names}.")
    return said


def _kinds(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """The same by the kind of a check, from notebook 03's table, once that is of this training."""
    path = folder.parent / _BY_KIND
    if not tables or folder.name != _OF_KINDS or not path.is_file():
        return []
    table = pd.read_csv(path)
    table = table[table["kind"] != "all"]
    weak = table[~(table["ci_low"] > _CHANCE)]
    if weak.empty:
        return []
    return [
        "Of pairs of WEval-Hand's prose in which only what is asked about differs, it is not shown "
        f"to be better than a coin at {len(weak)} of {len(table)} kinds of checks: "
        f"{', '.join(f'{k} (n = {n})' for k, n in zip(weak['kind'], weak['n'], strict=True))}."
    ]


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


_REWARD_CODE = """\
from wfine_utils.rewards import load_reward_model

model = load_reward_model(".")
print(model.rewards(["Write exactly 2 sentences."], ["The harbour is calm. A ferry waits."]))"""

_POLICY_CODE = """\
from pathlib import Path

from wfine_utils.base_model import read_manifest
from wfine_utils.chains import Query, Requirement
from wfine_utils.policy import generate, load_policy

base, _ = read_manifest(Path("."), "policy")
model, tokenizer = load_policy(base, Path("."))
query = Query(None, "Write a notice.", (Requirement(None, None, "Write exactly 2 sentences."),))
print(generate(model, tokenizer, [query], max_new_tokens=80)[0].text)"""

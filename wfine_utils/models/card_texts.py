"""The words of a model card: what a model is, what was measured, what it is not good for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from wfine_utils.base_model import MANIFEST, located
from wfine_utils.notebook.render import to_markdown

FLATTERS = "released_rule_tau"  # no measure of quality: it gives a constant scorer 1
_SHOWN = ("kendall_tau_b", "pairwise_accuracy", "exact_match", "tie_rate", "nan_rate", FLATTERS)
_COUNTED = ("tie_rate", "nan_rate")  # and not estimated: no interval
_CHANCE = 0.5  # accuracy of a coin on pairs
_BY_KIND = "accuracy_by_kind.csv"  # of notebook 03, beside its reward models
_OF_KINDS = "wrl_requirement"  # the reward model that it is about


class Origin(NamedTuple):
    """Where the training data came from, and whether that is the tiny world."""

    words: str
    is_tiny: bool


def _parameters(notebook: Path) -> dict[str, Any]:
    """The parameters of a notebook's run by its stamp; none where there is no stamp."""
    try:
        return dict(json.loads((notebook / "stamp.json").read_text("utf-8"))["parameters"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def origin_of(folder: Path, kind: str) -> Origin:
    """What the stamps of the run say of the data that a model was trained on."""
    run = folder.parent
    own, drops = _parameters(run), _parameters(run.parent / "02_requirement_dropping")
    if path := own.get("chains_path"):
        return Origin(f"Their source is the file `{Path(path).name}`.", False)
    source = drops.get("policy_queries" if kind == "policy" else "writer")
    if not own or not source:
        return Origin("Where they come from is not recorded.", False)
    if source == "tiny":
        words = "They are of the tiny world: a program composes the texts from a small vocabulary, "
        return Origin(words + "so that every requirement can be checked.", True)
    return Origin(f"They are of notebook 02's run (`{source}`).", False)


def is_folder(model: str) -> bool:
    """Whether a manifest names the base model by the way to its folder, not by a Hub id."""
    return model.startswith((".", "/"))


def what_it_is(record: Mapping[str, Any]) -> str:
    """What kind of model it is, by its manifest."""
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


def measured(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    beside: Mapping[str, str],
    adherence: pd.DataFrame | None,
    note: str,
) -> str:
    """The tables of what was measured, as Markdown, and how to read them; or that nothing was."""
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


def trained_on(record: Mapping[str, Any], words: str) -> str:
    """On how much and on what it was trained; ``words`` say where the data come from."""
    if record["kind"] == "policy":
        n = record.get("n_queries")
        counted = f"{n:,} queries" if n else "queries (how many is not recorded)"
        return f"Trained on {counted}, without any text to imitate. {words}"
    n, of = record.get("n_pairs"), record.get("granularity", "prompt")
    counted = f"{n:,} pairs" if n else "pairs (how many is not recorded)"
    given = {"requirement": "one requirement", "prompt": "a whole instruction"}.get(of, of)
    return f"Trained on {counted} of texts, one preferred to the other; asked is {given}. {words}"


def recipe(folder: Path, record: Mapping[str, Any]) -> str:
    """Base model, seed, settings and cost of the training, as Markdown."""
    model, revision = record["base_model"], record.get("revision")
    if is_folder(model):
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


def versions_in_words(versions: Mapping[str, str] | None) -> str:
    """The versions of the libraries in training, or that they are not recorded."""
    if not versions:
        return "The versions of the libraries in training are not recorded."
    return f"Trained with {', '.join(f'{k} {v}' for k, v in sorted(versions.items()))}."


def licence_in_words(licence: str) -> str:
    """The licence, or that none is said."""
    if licence:
        return f"`{licence}`, as its maker says. The licences of base model and data hold besides."
    return "Not said. The licences of the base model and of the data hold in any case."


def limits(record: Mapping[str, Any], origin: Origin) -> list[str]:
    """What the records alone say of what a model can be used for."""
    if record["kind"] == "policy":
        said = [
            "For research on rewards: what does a text gain, and what does it lose, when this "
            "reward rises? It is no assistant, and nothing was done to keep it from harm.",
            "A higher reward, and more requirements met by checkers, do not make a better text. A "
            "policy finds whatever its reward overlooks: read its texts.",
        ]
    else:
        said = [
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
            said.append(f"Of texts longer than {places} tokens it does not read the middle.")
    said.append(
        f"One training, with seed {record['seed']}: the intervals say how numbers move with other "
        "chains or prompts, not with another training."
    )
    if origin.is_tiny:
        said.append(
            "It has learnt from texts of a tiny world. How little of that carries over to natural "
            "prose has to be measured, not assumed."
        )
    return said


def types_not_learnt(name: str, tables: Mapping[str, pd.DataFrame]) -> list[str]:
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


def kinds_not_learnt(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[str]:
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


REWARD_CODE = """\
from wfine_utils.rewards import load_reward_model

model = load_reward_model(".")
print(model.rewards(["Write exactly 2 sentences."], ["The harbour is calm. A ferry waits."]))"""

POLICY_CODE = """\
from pathlib import Path

from wfine_utils.base_model import read_manifest
from wfine_utils.chains import Query, Requirement
from wfine_utils.policy import generate, load_policy

base, _ = read_manifest(Path("."), "policy")
model, tokenizer = load_policy(base, Path("."))
query = Query(None, "Write a notice.", (Requirement(None, None, "Write exactly 2 sentences."),))
print(generate(model, tokenizer, [query], max_new_tokens=80)[0].text)"""

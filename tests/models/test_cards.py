"""Cards of trained models: what they say, that they are read back, and what they leave alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import EvalResult, ModelCard

from wfine_utils.base_model import CARD, Base, folder_fingerprint, write_manifest
from wfine_utils.errors import WfineError
from wfine_utils.models.cards import MARK, write_model_card
from wfine_utils.notebook.stages import stage, stage_is_done

COLUMNS = ["scorer", "metric", "subset_kind", "subset", "value", "ci_low", "ci_high", "n_chains"]
WEVAL = pd.DataFrame(
    [
        ["mine", "kendall_tau_b", "all", "all", 0.123456789, 0.05, 0.2, 40],
        ["mine", "pairwise_accuracy", "all", "all", 0.5625, 0.5, 0.625, 40],
        ["mine", "exact_match", "all", "all", math.nan, math.nan, math.nan, 40],
        ["mine", "tie_rate", "all", "all", 0.25, 0.2, 0.3, 40],
        ["mine", "released_rule_tau", "all", "all", 0.875, 0.8, 0.9, 40],
        ["mine", "kendall_tau_b", "category", "Academic", 0.75, 0.7, 0.8, 8],
        ["mine", "pairwise_accuracy", "type", "length", 0.75, 0.6, 0.9, 40],
        ["mine", "pairwise_accuracy", "type", "style", 0.55, 0.45, 0.65, 40],
        ["mine", "pairwise_accuracy", "type", "content", 1.0, math.nan, math.nan, 3],
        ["constant", "kendall_tau_b", "all", "all", 0.0, 0.0, 0.0, 40],
        ["another RM", "kendall_tau_b", "all", "all", 0.9, 0.8, 0.95, 40],
    ],
    columns=COLUMNS,
)
BESIDE = {"constant": "null baseline", "length": "null baseline"}


@pytest.fixture
def base(tmp_path) -> Base:
    (tmp_path / "weights of somebody").mkdir()
    (tmp_path / "weights of somebody" / "config.json").write_text("{}")
    return Base(str(tmp_path / "weights of somebody"))


@pytest.fixture
def folder(tmp_path, base) -> Path:
    """A reward model as a training leaves it, but for the weights."""
    made = tmp_path / "03_reward_model" / "wrl_requirement"
    made.mkdir(parents=True)
    facts = {"granularity": "requirement", "seed": 7, "n_pairs": 16000}
    settings = {"max_tokens": 256, "loss": "bradley_terry", "learning_rate": 7e-4}
    write_manifest(made, base, "reward model", **facts, settings=settings)
    cost = {"seconds": 90.0, "peak_gib": 1.5, "peak_of": "the process"}
    (made / "cost.json").write_text(json.dumps(cost))
    (made / "adapter_model.safetensors").write_bytes(b"weights")
    return made


def measured(folder: Path, **more) -> ModelCard:
    path = write_model_card(folder, name="mine", weval={"my chains": WEVAL}, beside=BESIDE, **more)
    return ModelCard.load(path)


def test_numbers_are_read_back_as_they_were_measured(folder, monkeypatch):
    monkeypatch.setattr(ModelCard, "validate", None)  # asks the Hub
    results = measured(folder).data.eval_results
    read = {(r.dataset_config, r.metric_type): r.metric_value for r in results}
    assert read == {
        (None, "kendall_tau_b"): 0.123456789,
        (None, "pairwise_accuracy"): 0.5625,
        (None, "tie_rate"): 0.25,
        ("length", "pairwise_accuracy"): 0.75,
        ("style", "pairwise_accuracy"): 0.55,
        ("content", "pairwise_accuracy"): 1.0,
    }, "no NaN, no released rule, no other scorer's"
    assert {r.dataset_name for r in results} == {"WEval, my chains"}
    first = next(r for r in results if r.metric_type == "kendall_tau_b")
    assert first == EvalResult(
        task_type="text-ranking",
        task_name="WEval: ranking responses by the requirements they keep",
        dataset_type="weval-my-chains", dataset_name="WEval, my chains",
        metric_type="kendall_tau_b", metric_name="kendall tau b, mean over 40 chains",
        metric_value=0.123456789,
    )  # fmt: skip


def test_two_sets_of_chains_stay_apart(folder):
    hand = WEVAL.assign(value=WEVAL["value"] / 2)
    path = write_model_card(
        folder, name="mine", weval={"my chains": WEVAL, "WEval-Hand": hand}, beside=BESIDE
    )
    tau = {
        r.dataset_name: r.metric_value
        for r in ModelCard.load(path).data.eval_results
        if r.metric_type == "kendall_tau_b"
    }
    assert tau == {"WEval, my chains": 0.123456789, "WEval, WEval-Hand": 0.0617283945}


def test_intervals_n_and_the_null_baselines_stand_in_the_text(folder):
    lines = measured(folder).text.splitlines()
    (own,) = (x for x in lines if x.startswith("| mine"))
    cells = [cell.strip() for cell in own.split("|")[1:-1]]
    assert cells[:4] == ["mine", "this model", "0.123 [0.050, 0.200]", "0.562 [0.500, 0.625]"]
    assert cells[-1] == "40"
    (null,) = (x for x in lines if x.startswith("| constant"))
    assert "null baseline" in null and "0.000 [0.000, 0.000]" in null
    assert not [x for x in lines if "another RM" in x]
    assert lines.index(own) < lines.index(null), "best first"


def test_what_is_not_learnt_is_said(folder):
    """Style by its interval; content has three chains and none."""
    (folder.parent / "accuracy_by_kind.csv").write_text(
        "kind,value,ci_low,n\nforbids,0.6,0.4,16\nheadings,0.9,0.8,18\nbold,0.3,,18\nall,0.5,0.4,52\n"
    )
    text = measured(folder).text
    assert "On my chains it is not shown to be better than a coin at: style, content." in text
    assert "at 2 of 3 kinds of checks: forbids (n = 16), bold (n = 18)." in text
    assert "One training, with seed 7" in text
    assert "Of texts longer than 256 tokens it does not read the middle." in text


def test_before_it_is_measured(folder):
    card = ModelCard.load(write_model_card(folder, versions={"torch": "2.0"}))
    assert card.data.eval_results is None
    assert "Not measured yet." in card.text
    assert card.text.count("# Reward model: wrl_requirement") == 1
    assert "16,000 pairs" in card.text and "Trained with torch 2.0." in card.text
    assert "not shown to be better" not in card.text


def test_where_the_data_come_from(folder):
    def said(own: dict, drops: dict) -> str:
        for name, parameters in (("03_reward_model", own), ("02_requirement_dropping", drops)):
            stamp = folder.parents[1] / name / "stamp.json"
            stamp.parent.mkdir(exist_ok=True)
            stamp.write_text(json.dumps({"parameters": parameters}))
        return write_model_card(folder).read_text("utf-8")

    assert "Where they come from is not recorded." in write_model_card(folder).read_text("utf-8")
    tiny = said({"chains_path": ""}, {"writer": "tiny"})
    assert "of the tiny world" in tiny and "texts of a tiny world" in tiny
    own = said({"chains_path": "/somewhere/else/mine.jsonl"}, {"writer": "tiny"})
    assert "the file `mine.jsonl`" in own and "tiny world" not in own and "/somewhere" not in own
    assert "from the moon" in write_model_card(folder, data="from the moon").read_text("utf-8")


def test_neither_fingerprint_nor_stage_changes(folder, base):
    before = folder_fingerprint(folder)

    def compute(unfinished: Path) -> None:
        for path in folder.iterdir():
            (unfinished / path.name).write_bytes(path.read_bytes())
        write_model_card(unfinished)

    trained, inputs = folder.with_name("trained"), {"key": 1}
    assert stage(trained, inputs, compute) == "computed"
    size = (trained / CARD).stat().st_size
    measured(trained)
    assert (trained / CARD).stat().st_size != size
    assert stage_is_done(trained, inputs)
    assert folder_fingerprint(trained) == before
    (trained / CARD).unlink()
    assert stage_is_done(trained, inputs)
    (trained / "adapter_model.safetensors").write_bytes(b"others")
    assert folder_fingerprint(trained) != before
    (trained / "adapter_model.safetensors").unlink()
    assert not stage_is_done(trained, inputs)


def test_no_folder_of_the_machine_is_named(folder, tmp_path):
    text = str(measured(folder))
    assert str(tmp_path) not in text and str(Path.home()) not in text and ".." not in text
    assert "`weights of somebody`" in text and "The base model is on no hub" in text
    assert measured(folder).data.base_model is None


def test_a_base_of_the_hub(folder):
    base = Base("someone/model", "0123456789abcdef")
    write_manifest(folder, base, "policy", seed=0, n_queries=330, settings={"beta": 0.1})
    card = ModelCard.load(write_model_card(folder))
    assert card.data.base_model == "someone/model"
    assert "revision `0123456789abcdef`" in card.text and "snapshot_download" in card.text
    assert card.text.count("# Policy:") == 1 and "330 queries" in card.text


def test_a_policy_beside_its_base(folder, base):
    write_manifest(folder, base, "policy", seed=0, n_queries=330, settings={"beta": 0.1})
    rows = [
        ["tiny", "base", "mean", 0.5, 0.4, 0.6, 200],
        ["tiny", "WRL", "mean", 0.75, 0.7, 0.8, 200],
        ["tiny", "WRL", "WRL reward", 0.9, 0.8, 0.95, 200],
        ["tiny", "coarse", "mean", 0.25, 0.2, 0.3, 200],
    ]
    columns = ["prompt_set", "policy", "measure", "value", "ci_low", "ci_high", "n"]
    table = pd.DataFrame(rows, columns=columns)
    card = ModelCard.load(write_model_card(folder, name="WRL", adherence=table))
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value) == ("mean", 0.75), "its reward is no measure"
    (line,) = (x for x in card.text.splitlines() if x.startswith("| tiny") and "| mean" in x)
    assert [x.strip() for x in line.split("|")[3:6]] == [
        "0.750 [0.700, 0.800]", "0.500 [0.400, 0.600]", "200",
    ]  # fmt: skip


def test_licence_and_versions_outlive_a_new_card(folder):
    write_model_card(folder, licence="apache-2.0", versions={"torch": "2.0"})
    card = measured(folder)
    assert card.data.license == "apache-2.0"
    assert "Trained with torch 2.0." in card.text
    (folder / "stage.json").write_text('{"versions": {"torch": "2.1"}}')
    assert "Trained with torch 2.1." in measured(folder).text, "the record of the training"


def test_a_card_of_ones_own_stays(folder):
    path = measured(folder) and folder / CARD
    path.write_text(path.read_text("utf-8").replace(MARK, "") + "My own words.\n", "utf-8")
    before = path.read_bytes()
    assert write_model_card(folder) == path
    assert path.read_bytes() == before


def test_a_name_with_a_bar_does_not_break_the_table(folder):
    table = WEVAL.replace({"scorer": {"mine": "a | b"}})
    path = write_model_card(folder, name="a | b", weval={"x": table}, beside=BESIDE)
    rows = [x for x in path.read_text("utf-8").splitlines() if x.startswith(("| a / b", "| const"))]
    assert len(rows) == 2
    assert rows[0].count("|") == rows[1].count("|")
    assert ModelCard.load(path).data.model_name == "a | b"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "others"}, "no 'others' in my chains .* constant, mine"),
        ({"weval": {"my chains": WEVAL.drop(columns="value")}}, "expected also value"),
        ({"beside": {"length": "null baseline"}}, "expected the null baselines"),
    ],
)
def test_what_cannot_be_told_is_refused(folder, change, message):
    given = {"name": "mine", "weval": {"my chains": WEVAL}, "beside": BESIDE} | change
    with pytest.raises(WfineError, match=rf"{message}"):
        write_model_card(folder, **given)
    assert not (folder / CARD).exists()


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(WfineError, match=r"found no manifest\.json"):
        write_model_card(tmp_path)

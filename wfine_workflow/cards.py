"""The card of a trained model, with the numbers of the run that it lies in: ``wfine card``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wfine_utils.base_model import CARD, MANIFEST, NOTEBOOKS, folder_fingerprint
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path
from wfine_utils.notebook.kept_models import LISTING
from wfine_utils.weval.baselines import OracleScorer
from wfine_workflow.headline import NULL_BASELINES
from wfine_workflow.paper_tables import POLICY, WEVAL, read_adherence, read_weval
from wfine_workflow.results import MissingRun

WEIGHTS = "adapter_model.safetensors"

SCORERS = {
    "coarse": "coarse RM",
    "wrl_prompt": "WRL RM, whole prompt",
    "wrl_requirement": "WRL RM, one requirement",
}
"""What notebook 05 calls the reward models of notebook 03, by their folders."""

BESIDE = dict.fromkeys(NULL_BASELINES, "null baseline") | {OracleScorer.name: "ceiling"}
"""Scorers that stand beside a reward model, and what they are."""

ROUNDED = (
    "The numbers were measured before the weights were rounded to 16 bits, as they are here; "
    "scores differ by about a hundredth of their range."
)


def card(folder: Path, *, licence: str = "", data: str = "") -> Path:
    """Write the card of a reward model or a policy, with the numbers of its run where it has some.

    The run is the preset's folder, two above: of a reward model its ``05_weval_correlation`` is
    read, of a policy its ``04_wrl_policy``. Of a kept model it is the kept run.

    Args:
        folder: ``outputs/<preset>/03_reward_model/<name>``, or of notebook 04; elsewhere the card
            says "not measured yet".
        licence, data: as in :func:`wfine_utils.models.cards.write_model_card`.

    Raises:
        WfineError: it is no folder of a trained model; the numbers are those of other weights; or
            the card is somebody's own.
    """
    from wfine_utils.models.cards import MARK, is_ours, write_model_card  # brings much

    folder = folder.resolve()
    for name in (MANIFEST, WEIGHTS):
        if not (folder / name).is_file():
            raise WfineError(
                f"{display_path(folder)}: found no {name}, expected the folder of a trained reward "
                "model or policy, such as outputs/mini/03_reward_model/wrl_requirement."
            )
    if (folder / CARD).exists() and not is_ours(folder / CARD):
        raise WfineError(
            f"{display_path(folder / CARD)}: found a card without the line {MARK!r}, so it is "
            "somebody's own, expected none or one that may be replaced. Move it away, or put the "
            "line back."
        )
    kind = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("kind")
    run, is_kept = folder.parents[1], False
    if (run / LISTING).is_file():  # outputs/reference/<preset>/models
        run, is_kept = run.parent, True
    numbers: dict[str, Any] = {}
    if folder.parent.name == NOTEBOOKS.get(str(kind)):
        measured = _of_policy if kind == "policy" else _of_reward_model
        numbers = measured(folder, run)
        if numbers and not is_kept:
            _refuse_other_weights(folder, run, str(kind), numbers["name"])
    note = ROUNDED if numbers and is_kept else ""
    records = run / folder.parent.name / folder.name if is_kept else None
    return write_model_card(
        folder, **numbers, licence=licence, data=data, note=note, records=records
    )


def _of_reward_model(folder: Path, run: Path) -> dict[str, Any]:
    """What notebook 05 has measured of it; nothing where that has not been run, or knows it not."""
    try:
        own = _stamp(run / WEVAL)["parameters"]
        chains, prose = read_weval(run), read_weval(run, "weval_hand.csv")
    except MissingRun:
        return {}
    if folder.name not in SCORERS or own.get("models_from") not in (None, "", run.name):
        return {}  # those of another run were measured
    path, tables = own.get("chains_path"), {}
    if not own.get("out_of_fold"):  # there the models of the folds were measured, not this one
        tables[Path(path).name if path else f"test chains of preset {run.name}"] = chains
    tables["WEval-Hand (test)"] = prose
    return {"name": SCORERS[folder.name], "weval": tables, "beside": BESIDE}


def _of_policy(folder: Path, run: Path) -> dict[str, Any]:
    """What notebook 04 has measured of it; nothing where that has not come so far."""
    from wfine_utils.policy import REWARDS  # brings much that --help need not wait for

    names = {reward.folder: reward.policy for reward in REWARDS.values()}
    try:
        table = read_adherence(run)
    except MissingRun:
        return {}
    name = names.get(folder.name)
    return {"name": name, "adherence": table} if name in set(table["policy"]) else {}


def _stamp(notebook: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((notebook / "stamp.json").read_text(encoding="utf-8")))
    except OSError:
        raise MissingRun(f"{display_path(notebook)}: found no stamp.json.") from None


def _refuse_other_weights(folder: Path, run: Path, kind: str, name: str) -> None:
    """The stages of scores and answers say which weights they are of."""
    if kind == "policy":
        stages, key = run.glob(f"{POLICY}/answers/*-{name}/stage.json"), "adapter"
    else:
        stages, key = run.glob(f"{WEVAL}/model_scores_hand/stage.json"), folder.name
    own = folder_fingerprint(folder)
    for path in stages:
        measured = json.loads(path.read_text(encoding="utf-8"))["key"].get(key)
        if measured != own:
            notebook = POLICY if kind == "policy" else WEVAL
            raise WfineError(
                f"{display_path(path)}: found numbers of a {kind} {measured}, expected {own}: "
                f"{display_path(folder)} was trained again since. Run notebook {notebook}."
            )

"""The parameters of notebook 06, and the grid of cells that follows from them.

A *cell* is one reward model, or one policy trained against the reward model of another cell. Its
slug names its folder; :mod:`wfine_study.run_cell` computes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from wfine_study.noise import PURE_NOISE, Noise
from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, read_yaml
from wfine_utils.notebook.params import NotebookParams, cell_defaults, merged
from wfine_utils.settings import (
    Count,
    Granularity,
    Loss,
    PairPlan,
    PolicySettings,
    RewardSettings,
    Settings,
    Share,
)


class StudySettings(Settings):
    """Size of the study of notebook 06: what is trained how often, and what it is examined on."""

    questions: list[Annotated[int, Field(ge=2, le=7)]] = Field(description="which are answered")
    seed: int = Field(ge=0, description="of everything that all cells have in common")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, description="of questions 2, 3")
    n_choice_seeds: Count = Field(description="of question 4: the first of seeds")
    n_generalisation_seeds: Count = Field(description="of question 5: the first of seeds")
    n_pairs: Count = Field(description="training pairs of every cell but those of sizes")
    shares: list[Share] = Field(min_length=1, description="of noisy pairs, question 2; 0 is added")
    sloppy_share: Share = Field(lt=1, description="of noisy pairs, question 3")
    losses: list[Loss] = Field(description="compared in question 4")
    pair_plans: list[PairPlan] = Field(description="compared in question 4")
    sizes: list[Count] = Field(description="further numbers of training pairs, question 4")
    n_types_out: int = Field(ge=0, le=len(RequirementType), description="question 5")
    n_categories_out: int = Field(ge=0, le=len(TaskCategory), description="question 5")
    values_out: list[Annotated[int, Field(ge=3, le=6)]] = Field(
        description="sentence counts, each left out by itself, question 5"
    )
    n_policy_models: Count = Field(description="policies of question 6, n_pairs each or fewer")
    policy_sizes: list[Count] = Field(description="training pairs of further policies, question 6")
    n_test_chains: Count = Field(description="nested chains on test topics")
    n_test_pairs: Count = Field(description="clean, test topics; a quarter per sentence count")
    n_ifeval_pairs: Count = Field(description="pairs per IFEval instruction")
    n_train_queries: Count = Field(description="of a policy, training topics")
    n_test_queries: Count = Field(description="of a policy, test topics")
    reward: RewardSettings = Field(description="its loss gives way to that of the cell")
    policy: PolicySettings

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        for name, values in self:
            if isinstance(values, list) and len(set(values)) < len(values):
                raise ValueError(f"{name}: found {values}, expected each value once")
        for name in ("n_choice_seeds", "n_generalisation_seeds"):
            if (n := getattr(self, name)) > len(self.seeds):
                raise ValueError(f"{name}: found {n}, expected at most the {len(self.seeds)} seeds")
        return self


class ValidityParams(NotebookParams):
    """Notebook 06: the study's cells, and what else is looked at."""

    notebook: ClassVar[str] = "06_validity_and_ablations"

    released_path: str = Field(description="chains file for question 1; empty: none")
    judge_model: str = Field(
        description="language model: folder, Hub id or name of a packaged one; empty: none"
    )
    n_judge_chains: int = Field(ge=1, description="test chains of WEval-Hand that it judges")
    n_boot: int = Field(ge=1, description="bootstrap draws of every interval")
    study: StudySettings

    @model_validator(mode="after")
    def _answers_all(self) -> Self:
        if sorted(self.study.questions) != [2, 3, 4, 5, 6, 7]:
            raise ValueError(
                f"study: questions: found {self.study.questions}, expected all of 2 to 7, "
                "which this notebook answers. For some of them alone: wfine study"
            )
        return self


ADAPTER = "reward_model"
"""Folder of a reward model inside that of its cell."""


class RewardCell(Settings):
    """A reward model: the pairs it is trained on, its input, its loss, its seed."""

    seed: int = Field(ge=0)
    n_pairs: int = Field(ge=1)
    pair_plan: PairPlan = "neighbours"
    granularity: Granularity = "requirement"
    loss: Loss = "bradley_terry"
    noise: Noise | None = None
    share: float = Field(0, ge=0, le=1, description="of noisy pairs")
    is_filtered: bool = Field(False, description="pairs that fail the checkers are replaced")
    hold_out_type: RequirementType | None = Field(None, description="never dropped")
    hold_out_category: TaskCategory | None = Field(None, description="never asked for")
    hold_out_values: tuple[int, ...] = Field((), description="sentence counts not asked")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.noise is None) != (self.share == 0):
            raise ValueError(f"found noise {self.noise}, share {self.share}, expected both or none")
        if self.is_filtered and self.noise != "sloppy":
            raise ValueError("found is_filtered without sloppy pairs, expected some to filter")
        if self.hold_out_type and self.granularity == "prompt":
            raise ValueError(
                "found a type held out of whole prompts, which ask for every type; "
                "expected granularity requirement"
            )
        return self

    @property
    def is_clean(self) -> bool:
        """No pair is noisy and nothing held out."""
        return not (
            self.noise or self.hold_out_type or self.hold_out_category or self.hold_out_values
        )

    @property
    def slug(self) -> str:
        """A name for files and tables; two cells that differ have different ones."""
        loss = "".join(word[0] for word in self.loss.split("_"))  # bt, btm, ce
        parts = ["rm", self.granularity, self.pair_plan, loss, f"n{self.n_pairs}"]
        if self.noise:
            parts += [*self.noise.split("_"), repr(round(100 * self.share, 10)).removesuffix(".0")]
        if self.is_filtered:
            parts.append("filtered")
        if self.hold_out_type:
            parts += ["no", self.hold_out_type.value]
        if self.hold_out_category:
            parts += ["no", self.hold_out_category.name.lower()]
        if self.hold_out_values:
            parts += ["no", *map(str, self.hold_out_values), "sentences"]
        return "-".join([*parts, f"s{self.seed}"])


class PolicyCell(Settings):
    """A policy, trained by GRPO against the reward model of another cell."""

    seed: int = Field(ge=0)
    reward_cell: RewardCell

    @property
    def slug(self) -> str:
        """A name for files and tables."""
        return f"policy-s{self.seed}-{self.reward_cell.slug}"


Cell = RewardCell | PolicyCell


def load_settings(path: str | Path) -> StudySettings:
    """The settings in a YAML (or JSON) file, at the top or under the key ``study``.

    What the file does not name is as in the parameters cell of notebook 06.

    Raises:
        WfineError: no such file, no YAML, or values that do not hold.
    """
    path = Path(path)
    content = read_yaml(path)
    if not {"preset", "study"} & content.keys():
        content = {"study": content}
    values = merged(cell_defaults(ValidityParams.notebook), content)
    return StudySettings.checked(values.get("study", {}), display_path(path))


# --- the grid ---------------------------------------------------------------------------


Changes = dict[str, Any]
"""Fields of a reward cell that set it apart from the clean one."""

_LENGTH_BIAS: Changes = {"noise": "length", "share": 1}


def clean_cell(settings: StudySettings, seed: int, **changes: Any) -> RewardCell:
    """The reward model that all others are compared with; ``changes`` give one of the others."""
    return RewardCell(**{"seed": seed, "n_pairs": settings.n_pairs} | changes)


def length_cell(settings: StudySettings, seed: int) -> RewardCell:
    """The reward model with a length bias: the rejected response of every pair is the shorter."""
    return clean_cell(settings, seed, **_LENGTH_BIAS)


def held_out(settings: StudySettings) -> list[Changes]:
    """What is never asked for in training, one thing per cell of question 5."""
    return [
        *({"hold_out_type": t} for t in list(RequirementType)[: settings.n_types_out]),
        *({"hold_out_category": c} for c in list(TaskCategory)[: settings.n_categories_out]),
        *({"hold_out_values": (n,)} for n in settings.values_out),
    ]


def cells_by_question(settings: StudySettings) -> dict[int, list[Cell]]:
    """The cells that each question uses; those that several use stand under each of them.

    2 label noise · 3 the filter · 4 choices · 5 generalisation · 6 WEval against adherence after
    RL · 7 length bias. Question 1 trains nothing.
    """
    s = settings
    doses = [{"noise": x, "share": y} for x in PURE_NOISE for y in s.shares]
    sloppy: Changes = {"noise": "sloppy", "share": s.sloppy_share}
    inputs = [{"granularity": "requirement"}, {"granularity": "prompt"}]
    choices: list[Changes] = [
        *({"loss": loss, "pair_plan": plan} for loss in s.losses for plan in s.pair_plans),
        *({"n_pairs": n} for n in (s.n_pairs, *s.sizes)),
    ]
    grid: dict[int, tuple[int, list[Changes]]] = {  # number of seeds, and what is changed
        2: (len(s.seeds), [{}, *doses]),
        3: (len(s.seeds), [{}, sloppy, sloppy | {"is_filtered": True}]),
        4: (s.n_choice_seeds, [an_input | choice for an_input in inputs for choice in choices]),
        5: (s.n_generalisation_seeds, [{}, *held_out(s)]),  # the clean one never saw IFEval either
        6: (1, _policy_candidates(s) if 6 in s.questions else []),
        7: (1, [{}, _LENGTH_BIAS]),
    }
    cells: dict[int, list[Cell]] = {}
    for question in sorted(s.questions):
        n_seeds, changes = grid[question]
        models = dict.fromkeys(clean_cell(s, x, **c) for x in s.seeds[:n_seeds] for c in changes)
        has_policies = question in (6, 7)
        policies = [PolicyCell(seed=x.seed, reward_cell=x) for x in models if has_policies]
        cells[question] = [*models, *policies]
    return cells


def all_cells(settings: StudySettings) -> list[Cell]:
    """Every cell once, a policy after all reward models."""
    cells = dict.fromkeys(cell for part in cells_by_question(settings).values() for cell in part)
    return sorted(cells, key=lambda cell: isinstance(cell, PolicyCell))  # stable


def find_cell(settings: StudySettings, slug: str) -> Cell:
    """The cell of that name; a :class:`WfineError` if there is none."""
    known = {cell.slug: cell for cell in all_cells(settings)}
    if slug not in known:
        raise WfineError(
            f"study: found no cell {slug!r} among the {len(known)} of these settings; expected one "
            "that this lists: wfine study list --settings FILE"
        )
    return known[slug]


def _policy_candidates(s: StudySettings) -> list[Changes]:
    """Reward models of different quality; the first of them differ most, the last are largest."""
    most, least = max(s.shares), min(s.shares)
    changes: list[Changes] = [
        {},
        {"noise": "not_dropped", "share": most},
        {"granularity": "prompt"},
        *({"n_pairs": n} for n in sorted(s.sizes)[:2]),
        {"noise": "others_broken", "share": most},
        {"noise": "length", "share": most},
        {"hold_out_type": RequirementType.STYLE},
        {"noise": "fluency", "share": most},
        {"hold_out_type": RequirementType.FORMAT},
        {"noise": "not_dropped", "share": least},
        {"noise": "sloppy", "share": s.sloppy_share},
        {"hold_out_type": RequirementType.LENGTH},
        {"hold_out_type": RequirementType.CONTENT},
    ]
    models = {clean_cell(s, 0, **change): change for change in changes}  # each once
    if s.n_policy_models > len(models):
        raise WfineError(
            f"study: n_policy_models: found {s.n_policy_models}, expected at most {len(models)}: "
            "that is what these shares and sizes give."
        )
    return [*list(models.values())[: s.n_policy_models], *({"n_pairs": n} for n in s.policy_sizes)]

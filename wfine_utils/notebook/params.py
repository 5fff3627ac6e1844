"""The parameters of every notebook, one pydantic model each.

The parameters cell of a notebook says what each parameter is by default, ``params/<preset>/
NN_name.yaml`` only what differs in a preset, and the model here what may be. Papermill only warns
of a key that a notebook does not know; these models refuse it.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, project_root, read_yaml
from wfine_utils.settings import (
    BaseModelSettings,
    Count,
    PolicySettings,
    QuerySource,
    RewardName,
    RewardSettings,
    Settings,
)


class NotebookParams(Settings):
    """What every notebook takes. Subclasses add their own; unknown keys are refused."""

    notebook: ClassVar[str]

    preset: str = Field(min_length=1)
    output_root: str = Field(min_length=1)
    seed: int = Field(ge=0, lt=2**32)

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """Check the parameters that a notebook defines, given its ``globals()``.

        Of a dictionary, papermill may have injected only what differs from the parameters cell.

        Raises:
            WfineError: a parameter is missing, bad, or injected but unknown to this notebook.
        """
        cell: dict[str, ast.expr] = {}
        injected: dict[str, ast.expr] = {}
        for source in namespace.get("In", []):
            if source.lstrip().startswith("# Parameters"):  # the header papermill writes
                injected |= _assigned(source)
            else:
                cell = _assigned(source) | cell  # the first is that of the parameters cell
        names = injected.keys() | cls.model_fields.keys()
        values = {name: namespace[name] for name in names if name in namespace}
        for name in injected.keys() & cell.keys() & values.keys():
            if isinstance(values[name], dict):
                with suppress(ValueError):  # no literal: then the injected one must be whole
                    values[name] = merged(ast.literal_eval(cell[name]), values[name])
        return cls.checked(values, "parameters cell")

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The parameters cell of the notebook with what a parameter file changes, checked.

        Raises:
            WfineError: the file cannot be read, or a parameter is unknown, missing or bad.
        """
        return cls.checked(merged(cell_defaults(cls.notebook), read_yaml(path)), display_path(path))


def cell_defaults(notebook: str) -> dict[str, Any]:
    """What the parameters cell of a notebook says; empty where the project has no such notebook.

    Raises:
        WfineError: a value in that cell is more than a literal.
    """
    path = project_root() / "notebooks" / f"{notebook}.ipynb"
    if not path.exists():
        return {}
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    values: dict[str, Any] = {}
    for cell in (c for c in cells if "parameters" in c["metadata"].get("tags", ())):
        for name, expression in _assigned("".join(cell["source"])).items():
            try:
                values[name] = ast.literal_eval(expression)
            except ValueError:
                raise WfineError(
                    f"{display_path(path)}: parameters cell: {name}: found "
                    f"{ast.unparse(expression)}, expected a plain value, which the batch run can "
                    "read without running the notebook. Write the value itself."
                ) from None
    return values


def merged(defaults: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``defaults`` with ``changes``; a mapping in both is merged in the same way."""
    values = dict(defaults)
    for name, value in changes.items():
        inner = values.get(name)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = merged(inner, value)
        values[name] = value
    return values


def _assigned(source: str) -> dict[str, ast.expr]:
    """The expression that each name is set to at the top of a cell; the last one if twice."""
    values: dict[str, ast.expr] = {}
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            values |= {x.id: node.value for x in targets if isinstance(x, ast.Name)}
    return values


Limit = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
DropOrder = Literal["random", "balanced"]
StartFrom = Literal["train", "kept"]


class BaseModelParams(BaseModelSettings, NotebookParams):
    """Notebook 00: a tiny writer made here, or a model from a folder or the Hub."""

    notebook: ClassVar[str] = "00_base_model"

    start_from: StartFrom
    base_model: str
    revision: str
    n_eval: Count
    max_new_tokens: Count


class DataParams(NotebookParams):
    """Notebook 01: which chains to look at."""

    notebook: ClassVar[str] = "01_data_taxonomy"

    chains_path: str
    n_chains: Count


class DroppingParams(NotebookParams):
    """Notebook 02: how many chains of which kind, and how sloppy the sloppy writer is."""

    notebook: ClassVar[str] = "02_requirement_dropping"

    n_train_single: Count
    n_train_nested: Limit
    n_validation: Count
    n_test: Count
    n_policy_train: Count
    n_policy_test: Count
    policy_queries: QuerySource
    train_order: DropOrder
    test_order: DropOrder
    n_sloppy: Count
    p_broken: Probability
    p_chance: Probability
    released_path: str
    writer: Literal["tiny", "model"]
    writer_max_tokens: Count


class RewardModelParams(RewardSettings, NotebookParams):
    """Notebook 03: three reward models from one base."""

    notebook: ClassVar[str] = "03_reward_model"

    start_from: StartFrom
    n_jobs: Limit
    chains_path: str
    n_pairs_requirement: Count
    n_pairs_prompt: Count
    n_pairs_coarse: Count
    n_pairs_validation: Count
    contrast_share: float = Field(ge=0, le=1)
    cross_share: float = Field(ge=0, le=1)
    foreign_share: float = Field(ge=0, le=1)
    batch_size_prompt: Count
    max_drop_distance: Count
    n_folds: Limit


class PolicyParams(PolicySettings, NotebookParams):
    """Notebook 04: one policy per reward model, before and after."""

    notebook: ClassVar[str] = "04_wrl_policy"

    start_from: StartFrom
    n_jobs: Limit
    rewards: list[RewardName] = Field(min_length=1)
    n_train_queries: Count
    min_requirements: Count
    n_test_queries: Count
    n_bootstrap: Count
    prompt_sets: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1)
    n_prompts: Limit
    judge_model: str
    strip_thoughts: bool
    fluency_model: str

    @model_validator(mode="after")
    def _each_reward_and_set_once(self) -> Self:
        for name, one in (("rewards", "reward"), ("prompt_sets", "set")):
            if len(set(values := getattr(self, name))) < len(values):
                raise ValueError(f"{name}: found {values}, expected each {one} once")
        return self


Writer = Literal["kept", "run"]


class RewardByHandParams(NotebookParams):
    """Notebook 03b: a LoRA layer and a Bradley–Terry step, beside those of the libraries."""

    notebook: ClassVar[str] = "03b_reward_model_by_hand"

    writer: Writer
    n_pairs: Count
    n_validation: Count
    lora_r: Count
    lora_alpha: Count
    learning_rate: float = Field(gt=0, lt=1)
    batch_size: Count
    center_coefficient: float = Field(ge=0)
    n_library_steps: Count
    n_short_steps: Count

    @model_validator(mode="after")
    def _at_least_one_batch(self) -> Self:
        if self.n_pairs < self.batch_size:
            raise ValueError(
                f"n_pairs: found {self.n_pairs}, expected at least one batch_size = "
                f"{self.batch_size}"
            )
        return self


class PolicyByHandParams(NotebookParams):
    """Notebook 04b: an update of GRPO, beside that of TRL, and what its parts are for."""

    notebook: ClassVar[str] = "04b_policy_by_hand"

    writer: Writer
    n_prompts: Count
    num_generations: int = Field(ge=2)
    max_new_tokens: Count
    lora_r: Count
    lora_alpha: Count
    learning_rate: float = Field(gt=0, lt=1)
    n_rollouts: Count
    updates_per_rollout: int = Field(ge=2)
    epsilon: float = Field(gt=0, lt=1)
    beta: float = Field(gt=0)


class WevalParams(NotebookParams):
    """Notebook 05: which chains and scorers, and how many draws."""

    notebook: ClassVar[str] = "05_weval_correlation"

    chains_path: str
    score_models: bool
    models_from: str = Field(pattern=r"^[^/]*$")
    out_of_fold: bool
    n_boot: Count
    n_permutations: Count


class TablesParams(NotebookParams):
    """Notebook 07: how the collected tables look."""

    notebook: ClassVar[str] = "07_paper_tables"

    digits: int = Field(ge=1, le=6)


class AnnotationParams(NotebookParams):
    """Notebook 08: which chains people rank, and where their files lie."""

    notebook: ClassVar[str] = "08_annotation"

    chains_path: str
    n_chains: Count
    annotations_dir: str = Field(min_length=1)
    annotator: str = Field(pattern=r"^[A-Za-z0-9_-]{0,32}$")
    simulated_error_rates: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=2)
    n_boot: Count


class PeopleParams(NotebookParams):
    """Notebook 09: whose rankings are the gold, and what is held against them."""

    notebook: ClassVar[str] = "09_people"

    rankings_path: str
    likelihood_model: str
    kept_models_of: str
    reward_models: dict[str, str]
    difference: float = Field(gt=0, lt=1)
    n_boot: Count
    n_permutations: Count

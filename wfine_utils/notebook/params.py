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
from wfine_utils.settings import BaseModelSettings, PolicySettings, RewardSettings, Settings


class NotebookParams(Settings):
    """What every notebook takes. Subclasses add their own; unknown keys are refused."""

    notebook: ClassVar[str]

    preset: str = Field(
        min_length=1, description="name of the parameter set; names the output folder"
    )
    output_root: str = Field(
        min_length=1,
        description="folder of all presets; relative paths count from the project root",
    )
    seed: int = Field(ge=0, lt=2**32, description="seed of everything stochastic in this notebook")

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """Check the parameters that a notebook defines.

        Args:
            namespace: the notebook's ``globals()``.

        Returns:
            The checked parameters. Of a dictionary, papermill may have injected only what differs
            from the parameters cell.

        Raises:
            WfineError: a parameter is missing, has a bad value, or papermill injected one
                that this notebook does not have.
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

        Args:
            path: YAML with some of the parameters; with all of them where the project has no
                such notebook.

        Raises:
            WfineError: the file cannot be read, or a parameter is unknown, missing or bad.
        """
        return cls.checked(merged(cell_defaults(cls.notebook), read_yaml(path)), display_path(path))


def cell_defaults(notebook: str) -> dict[str, Any]:
    """What the parameters cell of a notebook says; empty where the project has no such notebook.

    Args:
        notebook: ``"03_reward_model"``, say.

    Raises:
        WfineError: a value in that cell is more than a literal.
    """
    path = project_root() / "notebooks" / f"{notebook}.ipynb"
    if not path.exists():
        return {}
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    values: dict[str, Any] = {}
    for source in (
        "".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", ())
    ):
        for name, expression in _assigned(source).items():
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


class BaseModelParams(BaseModelSettings, NotebookParams):
    """Notebook 00: a tiny writer made here, or a model from a folder or the Hub."""

    notebook: ClassVar[str] = "00_base_model"

    base_model: str = Field(description="folder or Hub id; empty: train the tiny writer")
    revision: str = Field(description="Hub revision; empty: the newest, or a folder")
    n_eval: int = Field(gt=0, description="queries on test topics to measure adherence on")
    max_new_tokens: int = Field(gt=0, description="longest completion")


class DataParams(NotebookParams):
    """Notebook 01: which chains to look at."""

    notebook: ClassVar[str] = "01_data_taxonomy"

    chains_path: str = Field(description="chains file to look at; empty: a tiny-world sample")
    n_chains: int = Field(ge=1, description="size of the tiny-world sample")


DropOrder = Literal["random", "balanced"]


class DroppingParams(NotebookParams):
    """Notebook 02: how many chains of which kind, and how sloppy the sloppy writer is."""

    notebook: ClassVar[str] = "02_requirement_dropping"

    n_train_single: int = Field(ge=1, description="training, one dropped alone")
    n_train_nested: int = Field(ge=0, description="training, dropped step by step")
    n_validation: int = Field(ge=1, description="nested chains on validation topics")
    n_test: int = Field(ge=1, description="nested chains on test topics")
    n_policy_train: int = Field(ge=1, description="queries without responses, training topics")
    n_policy_test: int = Field(ge=1, description="queries without responses, test topics")
    train_order: DropOrder = Field(description="drop order of nested training chains")
    test_order: DropOrder = Field(description="drop order of validation and test chains")
    n_sloppy: int = Field(ge=1, description="single-drop chains by the sloppy writer")
    p_broken: float = Field(
        ge=0, le=1, description="P(the sloppy writer breaks a kept requirement)"
    )
    p_chance: float = Field(ge=0, le=1, description="P(the sloppy writer meets a dropped one)")
    released_path: str = Field(description="chains file to check for contrast; empty: none")
    writer: Literal["tiny", "model"] = Field(
        description="who writes the chains: the tiny world, or notebook 00's model, validated"
    )
    writer_max_tokens: int = Field(gt=0, description="longest response of that model")


class RewardModelParams(RewardSettings, NotebookParams):
    """Notebook 03: three reward models from one base."""

    notebook: ClassVar[str] = "03_reward_model"

    chains_path: str = Field(description="train on this file instead of notebook 02's chains")
    n_pairs_requirement: int = Field(gt=0, description="training pairs, one requirement as input")
    n_pairs_prompt: int = Field(gt=0, description="training pairs, whole prompt as input")
    n_pairs_coarse: int = Field(gt=0, description="training pairs, good against worse writing")
    n_pairs_validation: int = Field(gt=0, description="validation pairs per model")
    max_drop_distance: int = Field(
        ge=1, description="requirements dropped between the responses of a pair, at most"
    )
    n_folds: int = Field(
        ge=0, description="of a cross-validation of the one-requirement model; 0: none"
    )


class PolicyParams(PolicySettings, NotebookParams):
    """Notebook 04: one policy per reward model, before and after."""

    notebook: ClassVar[str] = "04_wrl_policy"

    n_train_queries: int = Field(gt=0, description="training queries used, from notebook 02")
    n_test_queries: int = Field(gt=0, description="held-out queries answered before and after")
    n_bootstrap: int = Field(gt=0, description="bootstrap draws of every interval")
    prompt_sets: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1,
        description="what policies are judged on: tiny, weval_hand, or files of prompts",
    )
    n_prompts: int = Field(ge=0, description="of each set but tiny, at most; 0: all")
    judge_model: str = Field(
        description="language model as judge of rubrics and checklists: folder, Hub id, or the "
        "name of a packaged model; empty: none"
    )

    @model_validator(mode="after")
    def _each_set_once(self) -> Self:
        if len(set(self.prompt_sets)) < len(self.prompt_sets):
            raise ValueError(f"prompt_sets: found {self.prompt_sets}, expected each set once")
        return self


class TablesParams(NotebookParams):
    """Notebook 07: how the collected tables look."""

    notebook: ClassVar[str] = "07_paper_tables"

    digits: int = Field(ge=1, le=6, description="decimals in the Markdown and LaTeX tables")


class WevalParams(NotebookParams):
    """Notebook 05: which chains and scorers, and how many draws."""

    notebook: ClassVar[str] = "05_weval_correlation"

    chains_path: str = Field(description="chains file to evaluate on; empty: 02's test chains")
    score_models: bool = Field(description="score with the models of notebooks 00 and 03 too")
    out_of_fold: bool = Field(
        description="scores of chains_path are those of the cross-validation in notebook 03"
    )
    n_boot: int = Field(ge=1, description="bootstrap draws over chains, for every interval")
    n_permutations: int = Field(ge=1, description="random sign flips, for every p-value")


class AnnotationParams(NotebookParams):
    """Notebook 08: which chains people rank, and where their files lie."""

    notebook: ClassVar[str] = "08_annotation"

    chains_path: str = Field(description="chains file to rank; empty: dev chains of WEval-Hand")
    n_chains: int = Field(ge=1, description="chains to rank, the same ones for all annotators")
    annotations_dir: str = Field(min_length=1, description="folder of the annotators' files")
    annotator: str = Field(
        pattern=r"^[A-Za-z0-9_-]{0,32}$", description="pseudonym; empty: the form asks for it"
    )
    n_boot: int = Field(ge=1, description="bootstrap draws over chains, for every interval")

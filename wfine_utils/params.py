"""The parameters of every notebook, one pydantic model each.

The parameters cell of a notebook, its ``params/<preset>/NN_name.yaml`` and its model here
name exactly the same parameters (a test compares them). Papermill only warns of a key that a
notebook does not know; these models refuse it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wfine_utils.errors import WfineError
from wfine_utils.taxonomy import RequirementType, TaskCategory

Loss = Literal["bradley_terry", "bradley_terry_margin", "cross_entropy"]
Source = Literal["neighbours", "single", "nested", "both"]
Precision = Literal["fp32", "auto"]
AnswerFormat = Literal["plain", "think_answer"]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class NotebookParams(BaseModel):
    """What every notebook takes. Subclasses add their own; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
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
            The checked parameters.

        Raises:
            WfineError: a parameter is missing, has a bad value, or papermill injected one
                that this notebook does not have.
        """
        injected = {
            target.id
            for source in namespace.get("In", [])
            if source.lstrip().startswith("# Parameters")  # the header papermill writes
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        names = injected | cls.model_fields.keys()
        return cls.checked({k: namespace[k] for k in names if k in namespace}, "parameters cell")

    @classmethod
    def checked(cls, values: Mapping[str, Any], where: str) -> Self:
        """``cls(**values)``, with every problem in one :class:`WfineError` that names ``where``."""
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'parameters'}: {e['msg']}"
                + ("" if e["type"] == "missing" else f" (found {e['input']!r})")
                for e in error.errors()[:20]
            )
            raise WfineError(
                f"{where}: the parameters of notebook {cls.notebook} do not hold: {problems}. "
                f"Known parameters: {', '.join(cls.model_fields)}."
            ) from None


class Settings(BaseModel):
    """Parameters that go together and travel into the package, e.g. those of a training run."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseModelSettings(Settings):
    """Shape and training of the tiny writer."""

    n_samples: int = Field(gt=0, description="texts in the corpus")
    keep_probability: float = Field(ge=0, le=1, description="that what is asked for is met")
    ask_probability: float = Field(ge=0, le=1, description="that a requirement is asked for")
    vocab_size: int = Field(ge=320, description="upper limit; 260 of them are bytes and marks")
    hidden_size: int = Field(gt=0, description="a multiple of 64, for NF4")
    n_layers: int = Field(gt=0)
    learning_rate: float = Field(gt=0, lt=1)
    batch_size: int = Field(gt=0, description="texts per optimiser step")


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
    released_path: str = Field(description="chains file to audit for contrast; empty: none")
    writer: Literal["tiny", "model"] = Field(
        description="who writes the chains: the tiny world, or notebook 00's model, validated"
    )
    writer_max_tokens: int = Field(gt=0, description="longest response of that model")


class RewardSettings(Settings):
    """How a reward model is trained."""

    loss: Loss = Field(
        description="of a pair; the margin is the number of requirements dropped between the two"
    )
    quantise: bool = Field(description="4-bit NF4 base; False trains on unquantised weights")
    precision: Precision = Field(
        "fp32", description="of the computation on a CPU; auto: bf16 where it has that"
    )
    lora_r: int = Field(gt=0, description="rank of the adapters")
    lora_alpha: int = Field(gt=0, description="adapters are scaled by alpha / r")
    adapted_layers: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the layers, from the top, that get adapters; below nothing is learnt "
        "and no gradient computed",
    )
    learning_rate: float = Field(gt=0, lt=1)
    batch_size: int = Field(gt=0, description="pairs per optimiser step")
    micro_batch_size: int = Field(gt=0, description="pairs per forward pass; divides batch_size")
    batch_by: Literal["length", "requirement"] = Field(
        "length",
        description="pairs of similar length in a batch; or all pairs of a chain that ask about "
        "the same requirement side by side, whose texts are then computed once",
    )
    n_epochs: float = Field(gt=0)
    max_tokens: int = Field(ge=16, description="longest sequence; the middle of longer ones is cut")
    center_coefficient: float = Field(
        ge=0,
        description="pulls the mean reward of a pair to 0, so that scores compare across prompts",
    )


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


class PolicySettings(Settings):
    """How a policy is trained by GRPO."""

    quantise: bool = Field(description="4-bit NF4 base; False trains on unquantised weights")
    lora_r: int = Field(gt=0, description="rank of the adapters")
    lora_alpha: int = Field(gt=0, description="adapters are scaled by alpha / r")
    learning_rate: float = Field(gt=0, lt=1)
    n_steps: int = Field(gt=0, description="optimiser steps")
    prompts_per_rollout: int = Field(gt=0)
    num_generations: int = Field(ge=2, description="completions per prompt: the group of GRPO")
    updates_per_rollout: int = Field(gt=0, description="optimiser steps on each rollout")
    micro_batch_size: int = Field(gt=0, description="completions per forward pass")
    beta: float = Field(ge=0, description="weight of the k3 estimate of KL to the base model")
    temperature: float = Field(gt=0)
    max_new_tokens: int = Field(gt=0, description="longest completion")
    answer_format: AnswerFormat = Field(
        description="think_answer asks for <think>…</think><answer>…</answer>: only the answer is "
        "judged, and the reward is 0 where the form is broken"
    )


class StudySettings(Settings):
    """Size of the study of notebook 06: what is trained how often, and what it is examined on."""

    questions: list[Annotated[int, Field(ge=2, le=7)]] = Field(description="which are answered")
    seed: int = Field(ge=0, description="of everything that all cells have in common")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, description="of questions 2, 3")
    n_choice_seeds: Count = Field(description="of question 4: the first of seeds")
    n_generalisation_seeds: Count = Field(description="of question 5: the first of seeds")
    n_pairs: Count = Field(description="training pairs of every cell but those of sizes")
    shares: list[Share] = Field(min_length=1, description="of dirty pairs, question 2; 0 is added")
    sloppy_share: Share = Field(lt=1, description="of dirty pairs, question 3")
    losses: list[Loss] = Field(description="compared in question 4")
    sources: list[Source] = Field(description="of pairs, compared in question 4")
    sizes: list[Count] = Field(description="further numbers of training pairs, question 4")
    n_types_out: int = Field(ge=0, le=len(RequirementType), description="question 5")
    n_categories_out: int = Field(ge=0, le=len(TaskCategory), description="question 5")
    values_out: list[Annotated[int, Field(ge=3, le=6)]] = Field(
        description="sentence counts, each left out by itself, question 5"
    )
    n_policy_models: Count = Field(description="policies of question 6, n_pairs each or fewer")
    policy_sizes: list[Count] = Field(
        description="further numbers of training pairs, each with a policy, question 6"
    )
    n_test_chains: Count = Field(description="nested chains on test topics")
    n_test_pairs: Count = Field(
        description="clean pairs on test topics; a quarter as many per sentence count"
    )
    n_ifeval_pairs: Count = Field(description="pairs per IFEval instruction")
    n_train_queries: Count = Field(description="of a policy, training topics")
    n_test_queries: Count = Field(description="of a policy, test topics")
    reward: RewardSettings = Field(description="its loss gives way to that of the cell")
    policy: PolicySettings

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        names = ("questions", "seeds", "shares", "losses", "sources", "sizes", "policy_sizes")
        for name in (*names, "values_out"):
            found = getattr(self, name)
            if len(set(found)) < len(found):
                raise ValueError(f"{name}: found {found}, expected each value once")
        for name in ("n_choice_seeds", "n_generalisation_seeds"):
            if (found := getattr(self, name)) > len(self.seeds):
                raise ValueError(
                    f"{name}: found {found}, expected at most the {len(self.seeds)} of seeds"
                )
        return self


class ValidityParams(NotebookParams):
    """Notebook 06: the study's cells, and what else is looked at."""

    notebook: ClassVar[str] = "06_validity_and_ablations"

    released_path: str = Field(description="chains file for question 1; empty: none")
    judge_model: str = Field(
        description="language model as judge of WEval-Hand: folder, Hub id, or the name of a "
        "packaged model; empty: none"
    )
    n_judge_chains: int = Field(ge=1, description="test chains of WEval-Hand that it judges")
    n_boot: int = Field(ge=1, description="bootstrap draws of every interval")
    study: StudySettings

    @model_validator(mode="after")
    def _answers_all(self) -> Self:
        if sorted(self.study.questions) != [2, 3, 4, 5, 6, 7]:
            raise ValueError(
                f"study: questions: found {self.study.questions}, expected all of 2 to 7, "
                "which this notebook answers. For some of them alone: python -m wfine_utils.study"
            )
        return self


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

"""Settings that travel into the package: of the tiny writer, a reward model, a policy.

A notebook's parameters (:mod:`wfine_utils.notebook.params`) are such settings and what only the
notebook needs; ``RewardSettings.of(cfg)`` takes the settings out of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wfine_utils.errors import WfineError

Loss = Literal["bradley_terry", "bradley_terry_margin", "cross_entropy"]
Granularity = Literal["prompt", "requirement"]
PairPlan = Literal["neighbours", "single", "nested", "both"]
Precision = Literal["fp32", "auto"]
Interaction = Literal["cross", "late", "query_likelihood"]
AnswerFormat = Literal["plain", "think_answer"]
RewardName = Literal["requirement", "prompt", "coarse", "hybrid", "checks", "likelihood"]
WITHOUT_MODEL: tuple[RewardName, ...] = ("checks", "likelihood")
"""Rewards that read no reward model; what each reward is: :mod:`wfine_utils.policy.rewards`."""

QuerySource = Literal["tiny", "real"]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Parameters that go together, e.g. those of a training run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of(cls, parameters: BaseModel) -> Self:
        """These settings, taken out of parameters that hold more than them."""
        return cls(**parameters.model_dump(include=set(cls.model_fields)))

    @classmethod
    def checked(cls, values: Mapping[Any, Any], where: str) -> Self:
        """These settings, or one :class:`WfineError` with every problem that names ``where``."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'all together'}: {e['msg']}"
                + ("" if e["type"] in ("missing", "value_error") else f" (found {e['input']!r})")
                for e in error.errors()[:20]
            )
            raise WfineError(
                f"{where}: the values do not hold: {problems}. Known parameters: "
                f"{', '.join(cls.model_fields)}."
            ) from None


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
    precision: Precision = Field("fp32", description="of products on a CPU; auto: bf16 if it can")


class RewardSettings(Settings):
    """How a reward model is trained."""

    loss: Loss = Field(description="of a pair; the margin counts requirements dropped between")
    interaction: Interaction = Field(
        "cross",
        description="requirement and response are read as one text; or apart: late, where their "
        "tokens meet after that (an encoder), or query_likelihood, by how likely the response "
        "makes the requirement (a decoder)",
    )
    quantise: bool = Field(description="4-bit NF4 base; False trains on unquantised weights")
    precision: Precision = Field("fp32", description="of products on a CPU; auto: bf16 if it can")
    lora_r: int = Field(gt=0, description="rank of the adapters")
    lora_alpha: int = Field(gt=0, description="adapters are scaled by alpha / r")
    adapted_layers: Share = Field(
        1.0, description="share of the layers, from the top, that are adapted; no gradient below"
    )
    learning_rate: float = Field(gt=0, lt=1)
    batch_size: int = Field(gt=0, description="pairs per optimiser step")
    micro_batch_size: int = Field(gt=0, description="pairs per forward pass; divides batch_size")
    batch_by: Literal["length", "requirement", "chain"] = Field(
        "length",
        description="pairs of similar length together; or all pairs of a chain that ask about "
        "the same requirement, or all pairs of a chain, whose texts are then computed once",
    )
    n_epochs: float = Field(gt=0)
    max_tokens: int = Field(
        ge=16,
        description="longest sequence (where they are read apart, longest response); the middle of "
        "longer ones is cut",
    )
    show_layout: bool = Field(
        True, description="an encoder, which reads words alone, sees signs for the line breaks"
    )
    center_coefficient: float = Field(
        ge=0, description="pulls a pair's mean reward to 0: scores compare across prompts"
    )


class PolicySettings(Settings):
    """How a policy is trained by GRPO."""

    quantise: bool = Field(description="4-bit NF4 base; False trains on unquantised weights")
    precision: Precision = Field("fp32", description="of products on a CPU; auto: bf16 if it can")
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
        description="think_answer: <think>…</think><answer>…</answer>, whose answer alone is "
        "judged; the reward is 0 where the form is broken"
    )

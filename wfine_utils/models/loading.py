"""Models and tokenizers from a folder or the Hub, in 4-bit where that is wanted."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, when trl is imported

import torch
from accelerate import PartialState
from huggingface_hub import errors as hub
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models.encoding import is_encoder
from wfine_utils.settings import Precision

Head = Literal["reward", "causal"]


def device() -> str:
    """``"cuda"`` where a GPU can be used, else ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_of_process() -> str:
    """Where this process puts its models: under a launcher each GPU has a process of its own."""
    rank = os.environ.get("LOCAL_RANK")  # set by `accelerate launch` and torchrun
    if rank is None or device() == "cpu":
        return device()
    return f"cuda:{int(rank) % torch.cuda.device_count()}"  # as accelerate deals them out


def processes() -> PartialState:
    """The processes that train together; one, unless ``accelerate launch`` started several."""
    return PartialState(cpu=device() == "cpu")


def compute_dtype(precision: Precision = "fp32") -> torch.dtype:
    """What matrix products are computed in: always bf16 on a GPU.

    On a CPU ``"fp32"`` is the same everywhere; ``"auto"`` is bf16 where the CPU has instructions
    for it, as without them bf16 is up to ten times slower.
    """
    fast = precision == "auto" and cpu_has_bf16()
    return torch.bfloat16 if device() == "cuda" or fast else torch.float32


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies matrices in bf16 (AVX512_BF16 or AMX)."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def precision_flags(precision: Precision = "fp32") -> dict[str, Any]:
    """The arguments that make a TRL or transformers config agree with :func:`compute_dtype`."""
    in_half = compute_dtype(precision) == torch.bfloat16
    return {"bf16": in_half, "fp16": False, "use_cpu": device() != "cuda"}


def load_config(base: Base) -> PreTrainedConfig:
    """The configuration of a base model; raises as :func:`from_pretrained`."""
    return from_pretrained(AutoConfig, base)


def load_tokenizer(base: Base) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model, from a folder or the Hub.

    Raises:
        WfineError: it cannot be loaded, has no padding token, or no chat template to write with.
    """
    tokenizer = from_pretrained(AutoTokenizer, base)
    if tokenizer.pad_token is None:
        # Not the end token in its place: trainers skip padding at the end of a text when they look
        # for the token whose reward counts, and would skip the end of the text along with it.
        raise WfineError(
            f"base_model {base.model}: its tokenizer has no padding token. Expected one that no "
            'text ends with: name an unused special token of the vocabulary as "pad_token" in the '
            "tokenizer_config.json of a folder with the model, and give that folder as base_model."
        )
    if not tokenizer.chat_template and not is_encoder(tokenizer):
        raise WfineError(
            f"base_model {base.model}: its tokenizer has no chat template; choose an instruction-"
            "tuned model, or save a tokenizer with a chat template beside the weights."
        )
    return tokenizer


def nf4_config(precision: Precision = "fp32") -> BitsAndBytesConfig:
    """4-bit NF4 with double quantisation; the heads of classifiers are left unquantised."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype(precision),
        llm_int8_skip_modules=["score", "classifier", "lm_head"],
    )


def load_quantised(
    base: Base,
    head: Head,
    *,
    tokenizer: PreTrainedTokenizerBase,
    quantise: bool = True,
    precision: Precision = "fp32",
) -> PreTrainedModel:
    """Load a base model, in 4-bit unless told otherwise.

    Args:
        base: folder or Hub id, and revision.
        head: ``"reward"`` for one scalar per sequence, ``"causal"`` for a language model.
        tokenizer: its padding token goes into the model's configuration, where sequence classifiers
            look for the last token of a text.
        quantise: False loads the weights unquantised in :func:`compute_dtype`.
        precision: see :func:`compute_dtype`.

    Raises:
        WfineError: unknown head, an encoder that is to write, or as :func:`from_pretrained`.
    """
    classes = {"reward": AutoModelForSequenceClassification, "causal": AutoModelForCausalLM}
    if head not in classes:
        raise WfineError(f"head: found {head!r}, expected one of {', '.join(classes)}.")
    if head == "causal" and is_encoder(tokenizer):
        raise WfineError(
            f"base_model {base.model}: found an encoder (its tokenizer has a mask token), expected "
            "a language model, as it has to write. Encoders can be reward models: preset encoder."
        )
    extra: dict[str, Any] = {"num_labels": 1} if head == "reward" else {}
    if quantise:
        extra["quantization_config"] = nf4_config(precision)
    model = from_pretrained(
        classes[head],
        base,
        dtype=compute_dtype(precision),
        device_map={"": device_of_process()},
        use_safetensors=True,
        attn_implementation="sdpa",
        pad_token_id=tokenizer.pad_token_id,
        **extra,
    )
    _disable_cpu_packing(model)
    for module in reward_heads(model):
        module.float()  # before an adapter is loaded, which brings a trained head in fp32
    return model


def _disable_cpu_packing(model: torch.nn.Module) -> None:
    """Keep 4-bit layers from repacking their weights, which breaks gradients without an error.

    Source: bitsandbytes 0.50.2, ``nn/modules.py``: on CPUs with AVX512_BF16 the first evaluation
        forward repacks a 4-bit weight in place, and training after it gets wrong gradients.
    """
    import bitsandbytes  # slow to import, and only needed where something is quantised

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def from_pretrained(auto_class: Any, base: Base, **kwargs: Any) -> Any:
    """``auto_class.from_pretrained(base, **kwargs)`` without remote code.

    Raises:
        WfineError: a revision of a folder; no such model or revision, or one without safetensors;
            the Hub cannot be reached.
    """
    if base.revision is not None and Path(base.model).is_dir():
        raise WfineError(
            f"base_model {base.model}: found revision {base.revision} beside a folder, which has "
            "none. Expected a revision with a Hub id alone: leave it empty."
        )
    # The report of a freshly initialised reward head is expected here and only alarms.
    log = logging.getLogger("transformers.modeling_utils")
    level = log.level
    log.setLevel(logging.ERROR)
    kwargs |= {"revision": base.revision, "trust_remote_code": False}
    try:
        return auto_class.from_pretrained(base.model, **kwargs)
    except (OSError, ValueError) as error:
        raise WfineError(f"base_model {base.model}: {_why_not_loaded(error, base)}") from error
    finally:
        log.setLevel(level)


def reward_heads(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The modules that turn a hidden state into a reward; none in a language model."""
    return [m for n, m in model.named_modules() if n.split(".")[-1] in ("score", "classifier")]


def n_positions(model: PreTrainedModel) -> int:
    """The longest text that the model has places for."""
    for module_name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if module_name.endswith("position_embeddings") and padding is not None:
            return module.num_embeddings - padding - 1  # RoBERTa counts from there
    n = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return n if n is not None and n > 0 else sys.maxsize


def _why_not_loaded(error: BaseException, base: Base) -> str:
    """What went wrong and what to do, told by what the Hub's client raised underneath."""
    causes: list[BaseException] = []  # transformers 5.23, utils/hub.py hides them in a long text
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    revision, name = base.revision, base.model.rpartition("/")[2]
    at, option = (f" at revision {revision}", f" --revision {revision}") if revision else ("", "")
    advice: dict[type[BaseException], str] = {
        hub.RevisionNotFoundError: f"the Hub has this model, and found no revision {revision}. "
        "Expected a branch, a tag or a commit of it: look under Files and versions on the model's "
        "page, or leave revision empty for the newest.",
        hub.GatedRepoError: "the Hub gives this model only to those who accepted its terms. "
        "Accept them on the model's page, then log in with: hf auth login",
        hub.RepositoryNotFoundError: "found neither a folder nor a model on the Hub with this "
        "name. Expected a folder that exists, taken from the working directory, or a Hub id such "
        "as Qwen/Qwen2.5-0.5B-Instruct; private models need: hf auth login",
        hub.LocalEntryNotFoundError: f"the Hub cannot be reached, and the model{at} is not in the "
        f"cache of this machine. On a machine with a network run: hf download {base.model}{option} "
        f"--local-dir models/{name} . Copy that folder here, and give it as base_model: "
        f'models/{name} with revision: "" (or repeat the download here without --local-dir when '
        "the network is back).",
    }
    if "/" not in base.model:  # no name of the Hub, so whether that is reached tells nothing
        del advice[hub.LocalEntryNotFoundError]
    for kind, text in advice.items():  # in this order: a gated repository is one not found, too
        if any(isinstance(each, kind) for each in causes):
            return text
    return (
        f"cannot be loaded ({str(error).splitlines()[0]}). Give a folder that holds config.json, "
        "*.safetensors and a tokenizer, or a Hub id."
    )


def load_classifier(base: Base, quantise: bool, precision: Precision, *, where: str) -> Any:
    """A sequence classifier in evaluation mode, every weight of it from the file.

    Args:
        base, quantise, precision: as for :func:`load_quantised`.
        where: how messages call the model.

    Raises:
        WfineError: as :func:`from_pretrained`, or weights are missing from its file.
    """
    # Unquantised on a GPU: as it was saved, so that a small encoder stays in fp32.
    as_saved = not quantise and precision == "fp32" and device() == "cuda"
    options: dict[str, Any] = {"dtype": "auto" if as_saved else compute_dtype(precision)}
    options |= {"device_map": {"": device()}, "use_safetensors": True, "output_loading_info": True}
    if quantise:
        options["quantization_config"] = nf4_config(precision)
    try:
        model, report = from_pretrained(AutoModelForSequenceClassification, base, **options)
        missing = sorted(report["missing_keys"])
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        missing = ["those whose shape in the file is not the one of the configuration"]
    if missing:
        raise WfineError(
            f"{where}: found no values in the file for the weights {', '.join(missing[:5])}; "
            "expected every weight, because transformers fills in random ones. Give the folder of "
            "the trained classifier, not of the language model that it started from."
        )
    _disable_cpu_packing(model)
    return model.eval()

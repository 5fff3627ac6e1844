"""Models and tokenizers from a folder or the Hub, in 4-bit where that is wanted."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging as progress

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import cpu_layers, devices
from wfine_utils.models.encoding import is_encoder
from wfine_utils.models.pretrained import from_pretrained
from wfine_utils.settings import Precision

Head = Literal["reward", "causal"]

HEADS = ("score", "classifier")
"""What transformers calls the last layer of a sequence classifier."""

AUTO_CLASSES: dict[str, Any] = {
    "reward": AutoModelForSequenceClassification,
    "causal": AutoModelForCausalLM,
}
KNOWN_CONFIGS: dict[str, Any] = {
    "reward": MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    "causal": MODEL_FOR_CAUSAL_LM_MAPPING,
}
_NO_TEMPLATE = (
    "its tokenizer has no chat template; choose an instruction-tuned model, or save a tokenizer "
    "with a chat template beside the weights."
)


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
    template: Any = tokenizer.chat_template
    if not template and not is_encoder(tokenizer):
        raise WfineError(f"base_model {base.model}: {_NO_TEMPLATE}")
    if isinstance(template, Mapping) and "default" not in template:
        raise WfineError(
            f"base_model {base.model}: found the chat templates {', '.join(template)} and none "
            "called default, which is the one that texts are written with. Expected one: save the "
            "right one as chat_template.jinja in a folder with the model."
        )
    return tokenizer


def nf4_config(
    precision: Precision = "fp32", unquantised: Sequence[str] = ()
) -> BitsAndBytesConfig:
    """4-bit NF4 with double quantisation, but for the heads and the modules named."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=devices.compute_dtype(precision),
        llm_int8_skip_modules=[*HEADS, "lm_head", *unquantised],
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
        base: folder or Hub id, and revision. Weights that lie there in NF4 stay as they are.
        head: ``"reward"`` for one scalar per sequence, ``"causal"`` for a language model.
        tokenizer: its padding token goes into the model's configuration, where sequence classifiers
            look for the last token of a text.
        quantise: False loads the weights unquantised.
        precision: of matrix products on a CPU, see :func:`devices.multiplies_in_bf16`.

    Raises:
        WfineError: as :func:`new_modules`.
    """
    config, new = _examined(base, head, tokenizer, quantise)
    config.pad_token_id = config.get_text_config().pad_token_id = tokenizer.pad_token_id
    if saved := saved_quantisation(config):
        skipped = saved.get("llm_int8_skip_modules") or ["lm_head"]
        own = {"llm_int8_skip_modules": [*skipped, *HEADS, *new]}
        config.quantization_config = saved | own | _computed_in()
    options = {"quantization_config": nf4_config(unquantised=new)} if quantise and not saved else {}
    model = from_pretrained(
        AUTO_CLASSES[head],
        base,
        config=config,
        dtype=devices.compute_dtype(),
        device_map={"": devices.device_of_process()},
        use_safetensors=True,
        ignore_mismatched_sizes=bool(new),  # a head for something else
        **options,
    )
    cpu_layers.disable_packing(model)
    if head == "causal" and devices.device() == "cpu":
        cpu_layers.read_in_one_piece(model.get_output_embeddings())
    trained = [*reward_heads(model), *map(model.get_submodule, new)]
    for module in trained:
        module.float()  # before an adapter is loaded, which brings a trained head in fp32
    if devices.multiplies_in_bf16(precision):
        cpu_layers.multiply_in_bf16(model, besides=[m for x in trained for m in x.modules()])
    return model


def _computed_in(precision: Precision = "fp32") -> dict[str, str]:
    """What a folder that is in 4-bit already has to say of its matrix products."""
    return {"bnb_4bit_compute_dtype": str(devices.compute_dtype(precision)).removeprefix("torch.")}


def new_modules(
    base: Base, head: Head, tokenizer: PreTrainedTokenizerBase, *, quantise: bool
) -> list[str]:
    """The modules of a reward model that its base has no weights for, by their names.

    The head; and in some encoders a layer before it, such as the pooler of a BERT that was saved
    without one. They begin with random weights, so they are trained in full and saved with the
    adapter. No weight is read.

    Raises:
        WfineError: the base cannot be what it is to be (an unknown head, an encoder that is to
            write, a model without a head of this kind), lacks other weights, is quantised
            otherwise than asked for or cannot be, or as :func:`from_pretrained`.
    """
    return _examined(base, head, tokenizer, quantise)[1]


def _examined(
    base: Base, head: Head, tokenizer: PreTrainedTokenizerBase, quantise: bool
) -> tuple[PreTrainedConfig, list[str]]:
    """The configuration of a base that will do, and its :func:`new_modules`."""
    where = f"base_model {base.model}"
    if head not in AUTO_CLASSES:
        raise WfineError(f"head: found {head!r}, expected one of {', '.join(AUTO_CLASSES)}.")
    config = load_config(base)
    _refuse_other_kind(config, head, tokenizer, where)
    refuse_other_quantisation(config, quantise, where)
    if head == "reward":
        config.num_labels = 1
    model, missing, mismatched = _not_in_file(AUTO_CLASSES[head], base, config)
    share = _quantisable_share(model)
    if quantise and share < 0.5:
        raise WfineError(
            f"{where}: found that {share:.0%} of the weights in {type(model).__name__} can be "
            "quantised, and quantise True; expected at least half of them, as bitsandbytes leaves "
            "layers of other kinds, such as experts, as they are. Set quantise False."
        )
    new, lost = set[str](), list[str]()
    if head == "reward":  # PEFT trains what is called like a head in full, DistilBERT has two
        new |= {name for name, _ in model.named_children() if name.endswith(HEADS)}
    for name in sorted({*missing, *mismatched}):
        first, _, rest = name.partition(".")
        if head == "reward" and first != model.base_model_prefix:
            new.add(first)
        elif head == "reward" and rest.startswith("pooler."):
            new.add(f"{first}.pooler")
        else:
            lost.append(name)
    if lost:
        raise WfineError(
            f"{where}: found no values in its files for the weights {', '.join(lost[:5])}"
            f"{' …' if lost[5:] else ''}; expected every weight of the "
            f"{'body' if head == 'reward' else 'language model'}, because transformers fills in "
            "random ones that nothing trains or saves. Give the whole model: copy or download it "
            "again, and save it from the class that its config.json names."
        )
    return config, sorted(new)


def _quantisable_share(model: PreTrainedModel) -> float:
    """The share of a body's weights, without embeddings, in layers that bitsandbytes replaces."""
    modules = list(model.base_model.modules())
    embeddings = {id(m.weight) for m in modules if isinstance(m, torch.nn.Embedding)}
    matrices = {id(p): p for p in model.base_model.parameters() if p.ndim > 1}
    sizes = {key: p.numel() for key, p in matrices.items() if key not in embeddings}
    linear = {id(m.weight) for m in modules if type(m) in (torch.nn.Linear, Conv1D)}
    return sum(sizes[key] for key in linear & sizes.keys()) / max(1, sum(sizes.values()))


def _refuse_other_kind(
    config: PreTrainedConfig, head: Head, tokenizer: PreTrainedTokenizerBase, where: str
) -> None:
    reads_both_ways = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if getattr(config, "is_encoder_decoder", False):
        raise WfineError(
            f"{where}: found an encoder with a decoder ({config.model_type}), expected one of the "
            "two alone, as a reward is read from one text. Choose one of docs/model_families.md."
        )
    if head == "causal" and (reads_both_ways or is_encoder(tokenizer)):
        raise WfineError(
            f"{where}: found an encoder (its tokenizer has a mask token), expected "
            "a language model, as it has to write. Encoders can be reward models: preset encoder."
        )
    if type(config) not in KNOWN_CONFIGS[head]:
        raise WfineError(
            f"{where}: found a model of type {config.model_type}, for which transformers has no "
            f"{'sequence classifier' if head == 'reward' else 'language model'}; expected one that "
            "it has. Choose one of docs/model_families.md."
        )
    if not reads_both_ways and is_encoder(tokenizer):
        raise WfineError(f"{where}: {_NO_TEMPLATE}")


def saved_quantisation(config: PreTrainedConfig) -> dict[str, Any]:
    """The configuration that a model's weights were quantised with before they were saved."""
    saved = getattr(config, "quantization_config", None) or {}
    return dict(saved if isinstance(saved, Mapping) else saved.to_dict())


def refuse_other_quantisation(config: PreTrainedConfig, quantise: bool, where: str) -> None:
    """Weights that were saved quantised stay so whatever is asked for: it has to be the same."""
    if not (saved := saved_quantisation(config)):
        return
    kind = str(saved.get("bnb_4bit_quant_type") if saved.get("load_in_4bit") else "")
    if quantise and kind == "nf4":
        return
    what = kind or saved.get("quant_method") or "8 bits"
    wanted = "NF4" if quantise else "no quantisation"
    advice = "Set quantise to True" if kind == "nf4" else "Give the unquantised model"
    raise WfineError(
        f"{where}: found weights that were saved quantised ({what}) and quantise {quantise}; "
        f"expected {wanted}, because scores would be those of another model. {advice}."
    )


def _not_in_file(
    auto_class: Any, base: Base, config: PreTrainedConfig
) -> tuple[PreTrainedModel, set[str], set[str]]:
    """Weights that a model needs and its files lack, told without reading any.

    Returns:
        The model without values, the weights that are missing, and those of another shape.
    """
    plain = copy.deepcopy(config)
    packed = plain.__dict__.pop("quantization_config", None) is not None
    options = {"config": plain, "device_map": "meta", "use_safetensors": True}
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
    with torch.random.fork_rng(devices=[]), _no_progress_bar():
        model, report = from_pretrained(auto_class, base, **options)
    mismatched = set() if packed else {name for name, *_ in report["mismatched_keys"]}
    return model, set(report["missing_keys"]), mismatched


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            progress.enable_progress_bar()


def reward_heads(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The modules that turn a hidden state into a reward; none in a language model."""
    return [m for n, m in model.named_modules() if n.split(".")[-1] in HEADS]


def load_classifier(base: Base, quantise: bool, precision: Precision, *, where: str) -> Any:
    """A sequence classifier in evaluation mode, every weight of it from the file.

    Args:
        base, quantise, precision: as for :func:`load_quantised`.
        where: how messages call the model.

    Raises:
        WfineError: as :func:`from_pretrained`, or weights are missing from its file.
    """
    config = load_config(base)
    refuse_other_quantisation(config, quantise, where)
    _, missing, mismatched = _not_in_file(AutoModelForSequenceClassification, base, config)
    if missing or mismatched:
        lost = ", ".join(sorted(missing)[:5])
        raise WfineError(
            f"{where}: found no values in the file for the weights "
            f"{lost or 'whose shape in the file is not the one of the configuration'}; "
            "expected every weight, because transformers fills in random ones. Give the folder of "
            "the trained classifier, not of the language model that it started from."
        )
    # Unquantised on a GPU: as it was saved, so that a small encoder stays in fp32.
    as_saved = not quantise and precision == "fp32" and devices.device() == "cuda"
    options: dict[str, Any] = {"dtype": "auto" if as_saved else devices.compute_dtype(precision)}
    options |= {"device_map": {"": devices.device()}, "use_safetensors": True}
    if saved := saved_quantisation(config):
        config.quantization_config = saved | _computed_in(precision)
        options["config"] = config
    elif quantise:
        options["quantization_config"] = nf4_config(precision)
    model = from_pretrained(AutoModelForSequenceClassification, base, **options)
    cpu_layers.disable_packing(model)
    return model.eval()

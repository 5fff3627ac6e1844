"""Loading a sequence classifier: every weight from its file, nothing filled in at random.

Used by :mod:`wfine_utils.classifier_scorer`.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoModelForSequenceClassification

from wfine_utils import bases, models
from wfine_utils.classifier_checks import refusal
from wfine_utils.params import Precision


def load_classifier(
    base: bases.Base, *, quantise: bool, precision: Precision = "fp32", shown: str
) -> Any:
    """The model in evaluation mode, every weight of it from the file.

    Args:
        base: folder or Hub id, and revision.
        quantise: in 4-bit.
        precision: of the computation on a CPU, see :func:`models.compute_dtype`.
        shown: how messages call the model.

    Raises:
        WfineError: it cannot be loaded, or weights are missing from its file.
    """
    # Unquantised on a GPU: as it was saved, so that a small encoder stays in fp32.
    as_saved = not quantise and precision == "fp32" and models.device() == "cuda"
    try:
        model, report = models._from_pretrained(
            AutoModelForSequenceClassification,
            *base,
            dtype="auto" if as_saved else models.compute_dtype(precision),
            device_map={"": models.device()},
            use_safetensors=True,
            output_loading_info=True,
            **({"quantization_config": models.nf4_config(precision)} if quantise else {}),
        )
        missing = sorted(report["missing_keys"])
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        missing = ["those whose shape in the file is not the one of the configuration"]
    if missing:
        raise refusal(
            shown,
            f"no values in the file for the weights {', '.join(missing[:5])}",
            "every weight, because transformers fills in random numbers, and a score from a "
            "random head is no score. Give the folder of the trained classifier, not of the "
            "language model that it started from",
        )
    models.disable_cpu_packing(model)
    return model.eval()

"""Models from a folder, the Hub or a package, in 4-bit with LoRA; the tiny writer; what memory a
training takes."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.base_model import Base, located, read_base, write_base
    from wfine_utils.models.cards import write_model_card
    from wfine_utils.models.devices import compute_dtype
    from wfine_utils.models.encoding import encode, is_encoder
    from wfine_utils.models.likelihood import LikelihoodScorer, load_fluency
    from wfine_utils.models.loading import load_config, load_quantised, load_tokenizer
    from wfine_utils.models.packaged import fetch

__getattr__ = on_demand(__name__)

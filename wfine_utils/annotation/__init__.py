"""People rank responses blind, and how well they agree with each other and with gold."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.annotation.agreement import agreement_with_gold, annotator_agreement
    from wfine_utils.annotation.concordance import reader_agreement
    from wfine_utils.annotation.form import start
    from wfine_utils.annotation.readers import compare_with_another_reader, evaluate_against_readers
    from wfine_utils.annotation.session import load_folder
    from wfine_utils.annotation.simulated import simulated_class
    from wfine_utils.annotation.sources import prefers_source

__getattr__ = on_demand(__name__)

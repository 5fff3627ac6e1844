"""What the method is about: queries with typed requirements, chains of responses with a known
ranking, the files they lie in, how requirements are dropped and pairs drawn."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.chains.dropping import build_chain, build_chains, nested_drops, single_drops
    from wfine_utils.chains.files import load_chains, load_queries, save_chains, save_queries
    from wfine_utils.chains.pairs import (
        PreferencePair,
        coarse_pairs,
        draw_pairs,
        n_identical,
        preference_pairs,
    )
    from wfine_utils.chains.real_queries import load_real_queries
    from wfine_utils.chains.splits import split_chains, swap_requirements
    from wfine_utils.chains.taxonomy import (
        SUBTYPES,
        Chain,
        Query,
        Requirement,
        RequirementType,
        Response,
        TaskCategory,
    )
    from wfine_utils.chains.units import mean_interval
    from wfine_utils.chains.weval_hand import WEVAL_HAND_CHAINS, load_weval_hand

__getattr__ = on_demand(__name__)

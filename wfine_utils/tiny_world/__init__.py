"""A world of known truth: queries of few words, and a writer that meets exactly what is kept."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.tiny_world.vocabulary import TOPICS
    from wfine_utils.tiny_world.writer import (
        damage,
        sample_queries,
        sample_query,
        sloppy_writer,
        write,
    )

__getattr__ = on_demand(__name__)

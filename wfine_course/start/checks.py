"""What the one exercise before week 1 is examined for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wfine_course.checking import as_number, expect

HELPERS = {"np": np}


def gold_rank(gold_rank: Callable[..., Any]) -> None:
    """The number of flags that are true."""
    for flags in ((True, False, True, True), (False, False), (True,) * 5):
        call = f"gold_rank({flags})"
        got = as_number(gold_rank(flags), call)
        expect(
            got == sum(flags),
            f"`{call}` gives {got:g}, expected {sum(flags)}: the number of requirements kept.",
        )

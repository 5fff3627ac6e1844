"""Checks that no text can meet, alone or together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def contradiction(check: Mapping[str, Any]) -> str | None:
    """Why no text can meet a check; None if one may.

    >>> contradiction({"kind": "word_count", "low": 200, "high": 100})
    'at least 200 and at most 100'
    """
    for low, high, what in (
        ("low", "high", ""), ("words_low", "words_high", " words"), ("rows_low", "rows_high", " rows")
    ):  # fmt: skip
        least, most = check.get(low), check.get(high)
        if least is not None and most is not None and least > most:
            return f"at least {least} and at most {most}{what}"
    return None

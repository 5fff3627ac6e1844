"""The tables of IFEval's wordings: complete, and sound as templates."""

from __future__ import annotations

import pytest

from wfine_utils.checks.ifeval import INSTRUCTIONS
from wfine_utils.checks.ifeval_wording import IFEVAL
from wfine_utils.checks.wording_grammar import Template


def test_each_type_has_four_wordings_or_more() -> None:
    assert set(IFEVAL) == set(INSTRUCTIONS)
    for name, wordings in IFEVAL.items():
        said = [one for one in wordings if not str(one).startswith("~")]
        assert len(said) >= 4, name


@pytest.mark.parametrize("name", IFEVAL)
def test_templates_are_sound_and_read_no_empty_text(name: str) -> None:
    for wording in IFEVAL[name]:
        template = wording if isinstance(wording, str) else wording[0]
        assert Template(template).reads("") is None

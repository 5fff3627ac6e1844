"""The tables of IFBench's wordings: complete, and sound as templates."""

from __future__ import annotations

import pytest

from wfine_utils.checks import ifbench, ifbench_layout
from wfine_utils.checks.ifbench_wording import IFBENCH
from wfine_utils.checks.wording_grammar import Template


def test_each_type_has_two_wordings_or_more() -> None:
    assert set(IFBENCH) == {*ifbench.INSTRUCTIONS, *ifbench_layout.INSTRUCTIONS}
    for name, wordings in IFBENCH.items():
        said = [one for one in wordings if not str(one).startswith("~")]
        assert len(said) >= 2, name


@pytest.mark.parametrize("name", IFBENCH)
def test_templates_are_sound_and_read_no_empty_text(name: str) -> None:
    for wording in IFBENCH[name]:
        template = wording if isinstance(wording, str) else wording[0]
        assert Template(template).reads("") is None

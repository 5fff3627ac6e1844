"""What changes besides the requirement that is dropped."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response
from wfine_utils.weval.controls import drop_shifts

LENGTH = Requirement(RequirementType.LENGTH, None, "Be brief.")
STYLE = Requirement(RequirementType.STYLE, None, "Be warm.")


def chain(name, *kept):
    return Chain(name, None, "Write.", (LENGTH, STYLE), tuple(Response("x", k) for k in kept))


def test_by_hand():
    chains = [
        chain("a", (True, True), (False, True), (False, False)),
        chain("b", (True, True), (True, False), (False, False)),
    ]
    table = drop_shifts(chains, [[5, 7, 8], [4, 4, 7]]).set_index("type")
    assert table.loc["length", "value"] == pytest.approx((2 + 3) / 2)
    assert table.loc["style", "value"] == pytest.approx((1 + 0) / 2)
    assert table.loc["all", "value"] == pytest.approx(6 / 4)
    assert table["n"].to_dict() == {"length": 2, "style": 2, "all": 4}


def test_steps_of_more_than_one_requirement_and_missing_values_are_left_out():
    far = chain("a", (True, True), (False, False))
    crossed = chain("b", (True, False), (False, True))
    missing = chain("c", (True, True), (False, True))
    table = drop_shifts([far, crossed, missing], [[1, 2], [1, 2], [1, np.nan]]).set_index("type")
    assert table["n"].to_dict() == {"length": 0, "all": 0}
    assert np.isnan(table.loc["all", "value"])


def test_unlabelled_requirements_have_a_row():
    bare = Requirement(None, None, "Rhyme.")
    one = Chain("a", None, "Write.", (bare,), (Response("x", (True,)), Response("y", (False,))))
    assert drop_shifts([one], [[1, 3]])["type"].tolist() == ["unlabelled", "all"]

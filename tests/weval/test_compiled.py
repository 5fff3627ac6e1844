"""Checks made of the wording of requirements, as a scorer: values by hand, what it tells."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response
from wfine_utils.weval import compiled
from wfine_utils.weval.compiled import CompiledChecks, compiled_by_type, compiled_verdicts
from wfine_utils.weval.evaluation import compare, evaluate
from wfine_utils.weval.scorers import score_all, scores_from_table, scores_table

TWO, SHORT, KIND = "Write exactly two sentences.", "Use at most 5 words.", "Be kind."
SPECS = {TWO: {"kind": "sentences", "low": 2, "high": 2}, SHORT: {"kind": "word_count", "high": 5}}
TEXTS = ["One. Two.", "A single sentence of many words.", "Long ones. There are two of them."]


@pytest.fixture(autouse=True)
def _a_small_compiler(monkeypatch):
    """What is compiled is the business of ``checks/compile.py`` and its tests."""
    monkeypatch.setattr(compiled, "compile_requirement", SPECS.get)


def chain_of(wordings: list[str], chain_id: str = "a", check: dict | None = None) -> Chain:
    types = [RequirementType.LENGTH, RequirementType.STYLE, RequirementType.STYLE]
    requirements = tuple(
        Requirement(t, None, w, check if w in SPECS else None)
        for t, w in zip(types, wordings, strict=False)
    )
    n = len(requirements)
    responses = tuple(
        Response(text, tuple(j < k for j in range(n))) for k, text in enumerate(TEXTS[: n + 1])
    )
    return Chain(chain_id, None, "Write.", requirements, responses)


def test_verdicts_are_one_zero_or_unknown():
    verdicts = compiled_verdicts([[TWO, SHORT, KIND]] * 3, TEXTS)
    expected = [[1, 1, np.nan], [0, 0, np.nan], [1, 0, np.nan]]
    np.testing.assert_array_equal(verdicts, expected)
    assert compiled_verdicts([], []) == []


def test_the_score_is_the_share_met_of_the_requirements_that_compile():
    scores = CompiledChecks().score([chain_of([TWO, KIND, SHORT]), chain_of([KIND, KIND])])
    assert scores[0].tolist() == [1, 0, 0.5]
    assert np.isnan(scores[1]).all() and len(scores[1]) == 3


def test_the_check_of_the_data_set_is_not_read():
    wrong = {"kind": "word_count", "low": 1000}
    assert CompiledChecks().score([chain_of([TWO], check=wrong)])[0].tolist() == [1, 0]


def test_the_share_that_compiles_goes_along_with_the_scores():
    chains = [chain_of([TWO, KIND, SHORT]), chain_of([KIND], "b")]
    scores = score_all([CompiledChecks(), compiled_free()], chains)
    assert scores["compiled checks"].compiled_rate == 0.5  # two of four, not of responses
    table = scores_table(scores, chains)
    assert table.loc[table["scorer"] == "compiled checks", "compiled_rate"].eq(0.5).all()
    back = scores_from_table(table, chains)
    assert back["compiled checks"].compiled_rate == 0.5
    assert np.isnan(back["other"].compiled_rate)
    weval = evaluate(chains, back["compiled checks"], n_boot=0)
    assert weval["compiled_rate"].eq(0.5).all() and weval["nan_rate"].max() == 0.5
    row = compare(chains, back["compiled checks"], back["other"], n_boot=0).iloc[0]
    assert row["compiled_rate_a"] == 0.5 and np.isnan(row["compiled_rate_b"])


def compiled_free():
    class Other:
        name = "other"

        def score(self, chains):
            return [np.arange(len(chain.responses)) for chain in chains]

    return Other()


def test_neither_order_nor_company_changes_a_score():
    chains = [chain_of([TWO, KIND, SHORT], "a"), chain_of([SHORT, KIND], "b")]
    scorer = CompiledChecks()
    together, backwards = scorer.score(chains), scorer.score(chains[::-1])[::-1]
    for chain, one, other in zip(chains, together, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, scorer.score([chain])[0])


def test_no_chains_have_no_share():
    scorer = CompiledChecks()
    assert scorer.score([]) == [] and np.isnan(scorer.compiled_rate)


def test_shares_by_type_and_agreement_with_the_chains_own_checks():
    own = {"kind": "sentences", "low": 1, "high": 2}  # more lenient than two
    chains = [chain_of([TWO, KIND, SHORT], f"c{i}") for i in range(6)]
    chains += [chain_of([TWO, KIND, KIND], f"d{i}", own) for i in range(6)]
    table = compiled_by_type(chains, n_boot=50).set_index("type")
    assert [*table.index] == ["length", "style", "all"]
    assert table["value"].tolist() == [1, 0.25, 0.5]
    assert table["n"].tolist() == [12, 24, 36] and table["n_chains"].tolist() == [12] * 3
    assert table.loc["style", "ci_low"] < 0.25 < table.loc["style", "ci_high"]
    # Six chains with both, three responses each; the second has one sentence, and they differ.
    assert table["n_verdicts"].tolist() == [18, 0, 18]
    assert table["agreement"].tolist() == pytest.approx([2 / 3, np.nan, 2 / 3], nan_ok=True)


def test_the_compiler_of_the_package_is_the_one_that_is_used(monkeypatch):
    monkeypatch.undo()
    (verdicts,) = compiled_verdicts([[TWO, "Make the reader feel at home."]], ["One. Two."])
    np.testing.assert_array_equal(verdicts, [1, np.nan])

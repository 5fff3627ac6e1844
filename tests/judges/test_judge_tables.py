"""Judges side by side, by hand; a model as a judge that is brought, killed and asked again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.judges.agreement import (
    CHECKERS,
    CONSTRUCTION,
    VERDICT_METRICS,
    judge_table,
    requirement_verdicts,
)
from wfine_utils.judges.backends import CachedBackend, CallCache
from wfine_utils.judges.judges import RequirementJudge
from wfine_utils.judges.local_model import load_judge
from wfine_utils.models import packaged

# Two chains of two responses. The first requirement has a check, the second has none.
REQUIREMENTS = (
    Requirement(None, None, "Two words.", {"kind": "word_count", "low": 2, "high": 2}),
    Requirement(None, None, "Be kind."),
)
CHAINS = [
    Chain(name, None, "Write.", REQUIREMENTS, (
        Response("dear friend", (True, True)),
        Response("dear old friend", (False, False)),
    ))
    for name in ("a", "b")
]  # fmt: skip
UNITS = [(c.chain_id, i, j) for c in CHAINS for i in (0, 1) for j in (0, 1)]
TRUTH = [1, 1, 0, 0] * 2


def probabilities(values) -> pd.DataFrame:
    table = pd.DataFrame(UNITS, columns=["chain_id", "response", "requirement"])
    return table.assign(probability=values)


def said(judge: str, verdicts) -> pd.DataFrame:
    """Verdicts on all units, in the words of a reward model."""
    return requirement_verdicts(probabilities(verdicts), CHAINS, judge=judge)


def pair(table: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    return table[(table["judge_a"] == a) & (table["judge_b"] == b)].set_index("metric")


# --- verdicts of a reward model ---------------------------------------------------------------


def test_a_probability_of_a_half_is_a_yes():
    given = probabilities([0.5, 0.4999, 0.0, 1.0, np.nan, 0.51, 0.2, 0.9])
    table = requirement_verdicts(given.sample(frac=1, random_state=0), CHAINS, judge="mine")
    assert list(table) == ["judge", "chain_id", "response", "requirement", "verdict"]
    assert table["judge"].eq("mine").all()
    assert list(zip(table["chain_id"], table["response"], table["requirement"])) == UNITS
    np.testing.assert_array_equal(table["verdict"], [1, 0, 0, 1, np.nan, 1, 0, 1])
    part = requirement_verdicts(given, CHAINS[1:], judge="mine")  # fewer chains than were examined
    np.testing.assert_array_equal(part["verdict"], [np.nan, 1, 0, 1])


@pytest.mark.parametrize(
    ("mend", "found"),
    [
        (lambda t: t[1:], "no probability for 1 of 8"),
        (lambda t: t[:0], "no probability for 8 of 8.*reads one requirement at a time"),
        (lambda t: pd.concat([t, t[:2]]), "2 rows too many"),
        (lambda t: t.assign(probability=-3.5), r"values from -3\.5 to -3\.5"),
        (lambda t: t.drop(columns="probability"), "expected also probability"),
    ],
)
def test_probabilities_that_are_not_of_these_chains_are_refused(mend, found):
    with pytest.raises(WfineError, match=found):
        requirement_verdicts(mend(probabilities(np.full(8, 0.5))), CHAINS, judge="mine")


# --- the table --------------------------------------------------------------------------------


def test_judges_by_hand():
    good, odd = said("good", TRUTH), said("odd", [1, 1, 0, 1, 1, 0, 1, 0])
    table = judge_table([good, odd], CHAINS, n_boot=50)
    columns = "judge_a judge_b metric value ci_low ci_high n_chains n_units nan_rate"
    assert list(table) == columns.split()
    pairs = list(dict.fromkeys(zip(table["judge_a"], table["judge_b"])))
    assert pairs == [
        ("good", "odd"), ("good", CONSTRUCTION), ("good", CHECKERS), ("odd", CONSTRUCTION),
        ("odd", CHECKERS), (CONSTRUCTION, CHECKERS),
    ]  # fmt: skip
    assert len(table) == len(pairs) * len(VERDICT_METRICS)

    together = pair(table, "odd", CONSTRUCTION)
    assert together["n_units"].eq(8).all() and together["n_chains"].eq(2).all()
    assert together.loc["share_equal", "value"] == 5 / 8
    # odd says 1 five times, construction four times, both three times, of eight
    tau = (3 * 8 - 5 * 4) / np.sqrt(5 * 3 * 4 * 4)
    assert together.loc["kendall_tau_b", "value"] == pytest.approx(tau)
    chance = (9 / 16) ** 2 + (7 / 16) ** 2
    kappa = (5 / 8 - chance) / (1 - chance)
    assert together.loc["fleiss_kappa", "value"] == pytest.approx(kappa)
    alpha = 1 - (3 / 8) / (2 * 9 * 7 / (16 * 15))
    assert together.loc["krippendorff_alpha", "value"] == pytest.approx(alpha)
    ends = together.loc["share_equal", ["ci_low", "ci_high"]].tolist()
    assert ends == [0.5, 0.75]  # the shares of the two chains

    checked = pair(table, "odd", CHECKERS)  # on the requirement with a check: 1 0 1 1 for 1 0 1 0
    assert checked["n_units"].eq(4).all() and checked["nan_rate"].eq(0.25).all()
    assert checked.loc["share_equal", "value"] == 3 / 4
    assert pair(table, "good", CHECKERS)["value"].eq(1).all()
    assert pair(table, "good", "odd")["value"].tolist() == together["value"].tolist()


def test_what_was_not_said_is_counted_and_other_chains_are_left_out():
    nan = np.nan
    silent = said("silent", [1, nan, 0, 0, nan, nan, nan, nan])
    brief = silent[silent["verdict"].notna()]
    other = said("silent", TRUTH).assign(chain_id="another")
    for given in (silent, brief, pd.concat([other, brief])):
        together = pair(judge_table([given], CHAINS, n_boot=0), "silent", CONSTRUCTION)
        assert together["n_units"].eq(3).all() and together["n_chains"].eq(1).all()
        assert together["nan_rate"].eq(5 / 16).all() and together["ci_low"].isna().all()
        assert together.loc["share_equal", "value"] == 1
    first = judge_table([silent], CHAINS[:1], n_boot=0)
    assert pair(first, "silent", CONSTRUCTION)["nan_rate"].eq(1 / 8).all()


def test_several_judges_in_one_table_are_as_one_each():
    judges = [said("good", TRUTH), said("odd", [1, 1, 0, 1, 1, 0, 1, 0])]
    apart = judge_table(judges, CHAINS, n_boot=20)
    pd.testing.assert_frame_equal(judge_table([pd.concat(judges)], CHAINS, n_boot=20), apart)
    reference = judge_table([], CHAINS, n_boot=20)  # none: construction against the checkers
    assert set(reference["judge_a"]) == {CONSTRUCTION} and len(reference) == len(VERDICT_METRICS)


@pytest.mark.parametrize(
    ("tables", "found"),
    [
        ([said("x", TRUTH), said("x", TRUTH)], "two judges called 'x'"),
        ([said(CHECKERS, TRUTH)], "two judges called 'checkers'"),
        ([said("x", TRUTH).assign(chain_id="another")], "no verdict of 'x' on the 2 chains"),
        ([said("x", [np.nan] * 8)], "no verdict of 'x'.*count_problems"),
        ([said("x", TRUTH).assign(verdict=7)], r"the verdicts \[7.0\]"),
        ([said("x", TRUTH).drop(columns="judge")], "expected also judge"),
        ([pd.concat([said("x", TRUTH)] * 2)], "found two rows"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(tables, found):
    with pytest.raises(WfineError, match=found):
        judge_table(tables, CHAINS, n_boot=0)


# --- a model as a judge -----------------------------------------------------------------------


class Counting:
    """A backend that counts what it is asked, and may be killed after so many calls."""

    fingerprint = "counting"

    def __init__(self, n_calls: float = np.inf) -> None:
        self.n_calls, self.asked = n_calls, []

    def option_logprobs(self, prompts, options):
        self.n_calls -= 1
        if self.n_calls < 0:
            raise KeyboardInterrupt
        self.asked += prompts
        p = np.array([0.1 + 0.8 * (hash_of(prompt) % 97) / 96 for prompt in prompts])
        return np.log(np.stack([p, 1 - p], axis=1))


def hash_of(text: str) -> int:
    return sum(map(ord, text))


def test_a_killed_run_goes_on_and_a_second_run_asks_nothing(tmp_path):
    chains = load_weval_hand("test")[:2]
    n = sum(len(c.responses) * len(c.requirements) for c in chains)

    def judge(backend):
        cached = CachedBackend(backend, CallCache(tmp_path / "calls.sqlite"), slice_size=8)
        return RequirementJudge(cached, "logits")

    killed, rest, again = Counting(n_calls=2), Counting(), Counting()
    with pytest.raises(KeyboardInterrupt):
        judge(killed).verdicts(chains)
    assert len(killed.asked) == 16
    table = judge(rest).verdicts(chains)
    assert len(rest.asked) == n - 16 and not set(rest.asked) & set(killed.asked)
    pd.testing.assert_frame_equal(judge(again).verdicts(chains), table)
    assert again.asked == []
    whole = RequirementJudge(Counting(), "logits").verdicts(chains)
    pd.testing.assert_frame_equal(table, whole)
    assert set(judge_table([table], chains, n_boot=0)["judge_a"]) == {"judge", CONSTRUCTION}


def test_a_folder_or_a_name_is_loaded_and_remembers(tiny_base, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    monkeypatch.chdir(tmp_path)  # the project root of this test
    fetched = []

    def fetch(name: str, folder: Path) -> Path:
        fetched.append((name, folder))
        folder.parent.mkdir(parents=True)
        folder.symlink_to(tiny_base)
        return folder

    monkeypatch.setattr("wfine_utils.judges.agreement.fetch", fetch)
    name = next(iter(packaged.MODELS))
    by_name = load_judge(name, cache="outputs/calls.sqlite")
    assert fetched == [(name, tmp_path / "outputs" / "models" / name)]
    by_folder = load_judge(f"outputs/models/{name}", cache=tmp_path / "outputs/calls.sqlite")
    assert by_folder.fingerprint == by_name.fingerprint and "nf4" not in by_name.fingerprint
    replies = by_name.complete(["a", "b"], max_tokens=3)
    assert by_folder.complete(["a", "b"], max_tokens=3) == replies
    assert (by_name.n_asked, by_folder.n_asked) == (2, 0)
    assert all(reply.text is not None for reply in replies)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(WfineError, match=r"base_model nobody/nothing: .*Hub"):
        load_judge("nobody/nothing", cache=tmp_path / "calls.sqlite")

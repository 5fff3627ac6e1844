"""Scorers: anything that gives every response of a chain a number, higher for better adherence.

What a scorer is, how one is run, and tables of scores. Those that come with WEval are in
:mod:`wfine_utils.weval.baselines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError

Scores = list[NDArray[np.float64]]
"""Shape [chains][responses of the chain]; NaN where a response could not be scored."""

TOLD = ("cut_rate", "saturated_rate", "compiled_rate")
"""What a scorer may say of its scores; see :class:`ScoreList`."""


@runtime_checkable
class Scorer(Protocol):
    """What WEval examines. No base class is needed: two attributes are enough."""

    @property
    def name(self) -> str:
        """How tables call it."""
        ...

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One float per response per chain: higher is better, NaN says "could not be scored".

        It must depend neither on the order of the chains nor on how they are batched.

        A scorer may tell three things of its latest call, in attributes, which then stand beside
        what is made of the scores: ``n_cut``, of how many responses it read only a part;
        ``saturated_rate`` (see :func:`saturated_rate`); and ``compiled_rate``, which share of the
        requirements checks have judged that were made of their wording alone.
        """
        ...


class ScoreList(list[NDArray[np.float64]]):
    """Scores [chains][responses of the chain], and what their scorer says of how they came about.

    Attributes:
        cut_rate: share of the responses of which the scorer read only a part; NaN: it does not say.
        saturated_rate: share of the pairs with different gold that are tied only because numbers
            close to 0 or 1 were rounded to them; see :func:`saturated_rate`. NaN: it does not say.
        compiled_rate: share of the requirements that were judged by checks made of their wording;
            see :mod:`wfine_utils.weval.compiled`. NaN: it does not say.
        rewards: before they became scores, [chains][responses, requirements]; None: it keeps none.
    """

    def __init__(
        self,
        arrays: Iterable[NDArray[np.float64]],
        cut_rate: float = np.nan,
        saturated_rate: float = np.nan,
        compiled_rate: float = np.nan,
    ) -> None:
        super().__init__(arrays)
        self.cut_rate, self.saturated_rate = cut_rate, saturated_rate
        self.compiled_rate = compiled_rate
        self.rewards: list[NDArray[np.float64]] | None = None

    @classmethod
    def of(cls, scorer: Scorer, scores: Scores) -> ScoreList:
        """Scores that a scorer has just returned, with what it says of them."""
        n_cut, n = getattr(scorer, "n_cut", np.nan), sum(map(len, scores))
        rates = (getattr(scorer, name, np.nan) for name in TOLD[1:])
        with_rates = cls(scores, n_cut / n, *rates)
        with_rates.rewards = getattr(scorer, "rewards", None)
        return with_rates

    def told(self) -> dict[str, float]:
        """:data:`TOLD`, by name."""
        return {name: getattr(self, name) for name in TOLD}


def saturated_rate(
    chains: Sequence[Chain], scores: Sequence[ArrayLike], logits: ArrayLike
) -> float:
    """Share of the pairs with different gold whose scores are equal and whose logits are not.

    σ of a logit above 36 is 1 in float64. A scorer that averages σ over requirements then ties
    responses between which it does see a difference; it tells how often in ``saturated_rate``.

    Args:
        scores: [chains][responses], means of σ.
        logits: [values], of every requirement of every response, in reading order.

    Returns:
        A mean over chains, as ``tie_rate`` of WEval is, of which it is a part; NaN without a pair.
    """
    sizes = [len(chain.responses) * len(chain.wanted) for chain in chains]
    ends, flat, shares = np.cumsum(sizes), np.asarray(logits, dtype=float), []
    for chain, score, n, end in zip(chains, scores, sizes, ends, strict=True):
        s, x, gold = np.asarray(score), flat[end - n : end], np.array(chain.gold)
        x = x.reshape(len(s), -1)  # [responses, requirements]
        i, j = np.nonzero(np.triu(gold[:, None] != gold))
        if len(i):
            shares.append(float(np.mean((s[i] == s[j]) & (x[i] != x[j]).any(axis=1))))
    return float(np.mean(shares)) if shares else float("nan")


def score_all(scorers: Sequence[Scorer], chains: Sequence[Chain]) -> dict[str, ScoreList]:
    """Scores of several scorers on the same chains, checked, with a progress bar.

    Returns:
        The scores of every scorer under its name, in the order given, with what it says of them.

    Raises:
        WfineError: something that is no :class:`Scorer`, two scorers of one name, a scorer that
            raised an error, or scores that :func:`checked_scores` refuses.
    """
    for scorer in scorers:
        if not isinstance(scorer, Scorer) or not isinstance(scorer.name, str):
            raise WfineError(
                f"score_all: found {scorer!r}, which is no scorer; expected an object with a text "
                "`name` and a method `score(chains)` that returns one array of numbers per chain."
            )
    names = [scorer.name for scorer in scorers]
    if len(set(names)) < len(names):
        raise WfineError(f"score_all: found the scorer names {names}; expected each name once.")
    scores: dict[str, ScoreList] = {}
    for scorer in (bar := tqdm(scorers, desc="scorers")):
        bar.set_postfix_str(scorer.name)
        try:
            returned = scorer.score(chains)
        except WfineError:
            raise
        except Exception as error:
            raise WfineError(
                f"scorer {scorer.name!r}: its score method raised {type(error).__name__} ({error}) "
                f"on {len(chains)} chains; expected one array per chain, NaN for what cannot be "
                "scored. Mend the method: the line is in the error above."
            ) from error
        checked = checked_scores(f"scorer {scorer.name!r}", returned, chains)
        scores[scorer.name] = ScoreList.of(scorer, checked)
    return scores


def checked_scores(source: str, scores: object, chains: Sequence[Chain]) -> Scores:
    """Scores [chains][responses of the chain] as float64 arrays, if they fit the chains.

    Args:
        source: where the scores come from, for the error.

    Raises:
        WfineError: no chains, another number of arrays than chains, an array of the wrong shape,
            an infinite score, or something that is not a number.
    """
    listed = scores if isinstance(scores, Sequence | np.ndarray) else None
    if listed is None or not 0 < len(chains) == len(listed):
        what = f"a {type(scores).__name__}" if listed is None else f"{len(listed)} arrays of scores"
        raise WfineError(
            f"{source}: found {what} for {len(chains)} chains; expected a chain at least, and one "
            "array per chain in their order. Mend the score method, or pass what it returned for "
            "these same chains."
        )
    arrays = []
    for chain, values in zip(chains, listed, strict=True):
        try:
            arrays.append(np.asarray(values, dtype=np.float64))
        except (TypeError, ValueError):
            problem = f"a {type(values).__name__} that does not hold numbers only"
            raise _no_scores(source, chain, problem) from None
        if arrays[-1].shape != (len(chain.responses),):
            raise _no_scores(source, chain, f"an array of shape {arrays[-1].shape}")
    if np.isinf(np.concatenate(arrays)).any():  # at once: chains are many and short
        of_chain = zip(chains, arrays, strict=True)
        raise _no_scores(source, next(c for c, x in of_chain if np.isinf(x).any()),
                         "an infinite score")  # fmt: skip
    return arrays


def _no_scores(source: str, chain: Chain, problem: str) -> WfineError:
    return WfineError(
        f"{source}, chain {chain.chain_id!r}: found {problem}; expected {len(chain.responses)} "
        "finite numbers, one per response, NaN for what cannot be scored. Mend the score method."
    )


def split_by_chain(flat: NDArray[np.float64], chains: Sequence[Chain]) -> Scores:
    """Scores of all responses in reading order, [responses], cut into one array per chain."""
    ends = np.cumsum([len(chain.responses) for chain in chains])
    return np.split(flat, ends[:-1]) if chains else []


def scores_table(scores: Mapping[str, Scores], chains: Sequence[Chain]) -> pd.DataFrame:
    """What :func:`score_all` returned for these chains, as a tidy table to be kept in a file.

    Returns:
        One row per scorer, chain and response: ``scorer, chain_id, response`` (place in the
        chain, from 0), ``gold, score``; and :data:`TOLD`, for scores that are a
        :class:`ScoreList`.
    """
    sizes = [len(chain.responses) for chain in chains]
    columns = {
        "chain_id": np.repeat([chain.chain_id for chain in chains], sizes),
        "response": np.concatenate([np.arange(n) for n in sizes]),
        "gold": np.concatenate([chain.gold for chain in chains]),
    }
    parts = []
    for name, arrays in scores.items():
        told = arrays.told() if isinstance(arrays, ScoreList) else {}
        part = {"scorer": name, **columns, "score": np.concatenate(arrays), **told}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def scores_from_table(table: pd.DataFrame, chains: Sequence[Chain]) -> dict[str, ScoreList]:
    """The scores of ``chains`` from a table of :func:`scores_table`, rows in any order.

    Returns:
        As :func:`score_all`. NaN where the table has no row for a response.

    Raises:
        WfineError: the table lacks a column, has two rows for a response, a score or a place that
            is no number, or a row of these chains that is not as they are: a response that they
            have not, or another ``gold``.
    """
    keys = ["scorer", "chain_id", "response"]
    if absent := ", ".join(c for c in [*keys, "score"] if c not in table):
        raise WfineError(f"scores: found the columns {[*table]}, expected also {absent}.")
    try:  # a CSV file has numbers for chain ids such as 17
        types = {"chain_id": str, "response": float, "score": float}
        table = table.astype(types)
        if (table["response"] % 1 != 0).any():  # NaN too
            raise ValueError("a place between two")
        table = table.astype({"response": int})
    except (TypeError, ValueError) as error:
        raise WfineError(
            f"scores: found a response or a score that is no number ({error}); expected the place "
            "of a response in its chain, from 0, and a number or nothing as its score."
        ) from error
    twice = table[table.duplicated(keys, keep=False)]
    if len(twice):
        first = twice.iloc[0]
        values = twice.loc[(twice[keys] == first[keys]).all(axis=1), "score"].tolist()
        raise WfineError(
            f"scores: found {len(values)} rows of scorer {first['scorer']!r} for response "
            f"{first['response']} of chain {first['chain_id']!r}, with the scores {values}; "
            "expected one. Delete those of earlier runs, or give the chains different ids."
        )
    _refuse_other_chains(table, chains)
    places = [(chain.chain_id, i) for chain in chains for i in range(len(chain.responses))]
    scores: dict[str, ScoreList] = {}
    for name, part in table.groupby("scorer", sort=False):
        known = part.set_index(["chain_id", "response"])["score"].to_dict()
        flat = np.array([known.get(place, np.nan) for place in places], dtype=float)
        told = {c: float(part[c].mean(skipna=False)) for c in TOLD if c in part}
        scores[str(name)] = ScoreList(split_by_chain(flat, chains), **told)
    return scores


def _refuse_other_chains(table: pd.DataFrame, chains: Sequence[Chain]) -> None:
    """Rows of chains that have the same ids and are others, or were others once."""
    gold = {(chain.chain_id, i): g for chain in chains for i, g in enumerate(chain.gold)}
    rows = table[table["chain_id"].isin({chain.chain_id for chain in chains})]
    golds = rows["gold"] if "gold" in rows else [None] * len(rows)
    for chain_id, place, g in zip(rows["chain_id"], rows["response"], golds, strict=True):
        expected = gold.get((chain_id, place), "no such response")
        is_same = g is None or g == expected or (pd.isna(g) and pd.isna(expected))
        if expected == "no such response" or not is_same:
            raise WfineError(
                f"scores: found a row for response {place} of chain {chain_id!r} with gold {g}, "
                f"expected {expected}: it was written for other chains of this id. Score these "
                "chains again, or give those that the table was made of."
            )

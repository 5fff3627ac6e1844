"""Requirements whose wording says how to check them: as a scorer, and how many there are.

"Write exactly three sentences." needs no model, only somebody who counts. What a program can tell
from the wording alone is a baseline for whatever is trained: :class:`CompiledChecks`. Of a
requirement nothing is read but its text (:mod:`wfine_utils.checks.compile`), never the check that
a data set gives along with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.chains.taxonomy import Chain, RequirementType
from wfine_utils.checks.compile import compile_requirement
from wfine_utils.checks.dispatch import check
from wfine_utils.weval.baselines import ReadsAll
from wfine_utils.weval.resampling import Bootstrap
from wfine_utils.weval.scorers import Scores, split_by_chain

FloatArray = NDArray[np.float64]


class CompiledChecks(ReadsAll):
    """Share of the requirements that compile which the response meets.

    NaN where no requirement of the chain compiles. ``compiled_rate`` is of the latest call: the
    share of the requirements that do.
    """

    def __init__(self, name: str = "compiled checks") -> None:
        self.name, self.compiled_rate = name, float("nan")

    def score(self, chains: Sequence[Chain]) -> Scores:
        """A number between 0 and 1 for every response, or NaN."""
        verdicts = chain_verdicts(chains)
        self.compiled_rate = compiled_rate(chains, verdicts)
        return split_by_chain(np.array([mean_of_known(v) for v in verdicts]), chains)


def compiled_verdicts(
    requirements: Sequence[Sequence[str]], texts: Sequence[str]
) -> list[FloatArray]:
    """What the compiled checks say of each of n texts.

    Args:
        requirements: n lists, the wordings that the text is held against.
        texts: n.

    Returns:
        n arrays, one number per requirement: 1 met, 0 not met, NaN where it does not compile.

    >>> compiled_verdicts([["Write exactly two sentences.", "Be kind."]], ["One. Two."])
    [array([ 1., nan])]
    """
    specs = {wording: compile_requirement(wording) for each in requirements for wording in each}
    return [
        np.array([_verdict(specs[wording], text) for wording in each], dtype=np.float64)
        for each, text in zip(requirements, texts, strict=True)
    ]


def _verdict(spec: dict | None, text: str) -> float:
    return np.nan if spec is None else float(check(spec, text))


def chain_verdicts(chains: Sequence[Chain]) -> list[FloatArray]:
    """:func:`compiled_verdicts` of every response, in reading order."""
    wordings = [[r.text for r in chain.wanted] for chain in chains for _ in chain.responses]
    texts = [response.text for chain in chains for response in chain.responses]
    return compiled_verdicts(wordings, texts)


def compiled_rate(chains: Sequence[Chain], verdicts: Sequence[FloatArray]) -> float:
    """Share of the chains' requirements that compile, given the verdicts on every response."""
    firsts = np.cumsum([0, *(len(chain.responses) for chain in chains)])[:-1]
    flat = np.concatenate([verdicts[i] for i in firsts]) if len(firsts) else np.zeros(0)
    return float(1 - np.isnan(flat).mean()) if len(flat) else float("nan")


def mean_of_known(values: FloatArray) -> float:
    """The mean of the values that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def compiled_by_type(chains: Sequence[Chain], *, n_boot: int = 1000, seed: int = 0) -> pd.DataFrame:
    """How many requirements compile, and whether their checks say what the chains' own checks say.

    Args:
        chains: at least one.
        n_boot, seed: of the bootstrap over chains, each drawn with all its requirements.

    Returns:
        One row per requirement type and one for ``all``: ``type``; ``value``, the share of the
        requirements that compile, ``ci_low, ci_high`` (95 %), of ``n`` requirements in
        ``n_chains``; ``agreement``, the share of the ``n_verdicts`` on responses in which a
        compiled check and the chain's own check agree, NaN where no requirement has both.
    """
    rows = [row for chain in chains for row in _compared(chain)]
    columns = ["chain_id", "type", "compiles", "n_verdicts", "n_agree"]
    each = pd.DataFrame(rows, columns=columns)
    known = [t for t in [*map(str, RequirementType), "unlabelled"] if (each["type"] == t).any()]
    table = []
    for name in [*(known if len(known) > 1 else []), "all"]:
        part = each[(each["type"] == name) | (name == "all")]
        compiles, ids = part["compiles"].to_numpy(dtype=float), part["chain_id"].to_numpy()
        interval = Bootstrap(n_boot, seed).means(compiles, "compiled", name, units=ids)
        value, low, high, n_chains = (column[0] for column in interval)
        n = int(part["n_verdicts"].sum())
        agreement = part["n_agree"].sum() / n if n else np.nan
        table.append([name, value, low, high, len(part), n_chains, agreement, n])
    names = "type value ci_low ci_high n n_chains agreement n_verdicts".split()
    return pd.DataFrame(table, columns=names)


def _compared(chain: Chain) -> list[tuple]:
    """For each requirement: does it compile, and on how many responses do both checks agree?"""
    rows = []
    for requirement in chain.requirements:
        spec, own = compile_requirement(requirement.text), requirement.check
        both = [] if spec is None or own is None else [r.text for r in chain.responses]
        agree = [check(spec, text) == check(own, text) for text in both if spec and own]
        type_ = str(requirement.type or "unlabelled")
        rows.append((chain.chain_id, type_, spec is not None, len(both), sum(agree)))
    return rows

"""The fluency control that needs no download; the kept one is tested with its model."""

from __future__ import annotations

import numpy as np

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.weval.fluency import FluencyScorer


class TestFluency:
    """The control that never sees an instruction."""

    @staticmethod
    def chain(name: str, *texts: str) -> Chain:
        requirement = Requirement(None, None, "Be brief.")
        kept = [(True,), *[(False,)] * (len(texts) - 1)]
        responses = tuple(Response(t, k) for t, k in zip(texts, kept, strict=True))
        return Chain(name, None, "Write.", (requirement,), responses)

    def test_what_the_other_chains_say_is_likelier(self):
        others = [
            self.chain(f"o{i}", "The net waits at noon. " * 5, "The oar rests.") for i in "ab"
        ]
        mine = self.chain("mine", "The net waits at noon.", "Xq zzv kkj wpp!", "")
        scores = FluencyScorer().score([*others, mine])[-1]
        assert scores[0] > scores[1] and np.isnan(scores[2])

    def test_its_own_chain_does_not_count(self):
        one = self.chain("a", "The net waits.", "Xq zzv.")
        two = self.chain("b", "The net waits.", "The oar rests.")
        doubled = self.chain("a", "The net waits.", "Xq zzv.", *["Xq zzv."] * 20)
        before, after = (FluencyScorer().score([c, two])[0] for c in (one, doubled))
        np.testing.assert_allclose(after[:2], before)

    def test_one_chain_alone_has_nothing_to_compare_with(self):
        assert np.isnan(FluencyScorer().score([self.chain("a", "One.", "Two.")])[0]).all()


def test_texts_under_a_model_of_reference_texts():
    """Each by itself: neither the other texts nor their number count."""
    reference = ["The net waits on the quay.", "The tide is out."]
    both = FluencyScorer().of_texts(["The net is out.", "zzz", ""], reference)
    alone = FluencyScorer().of_texts(["The net is out."], reference)
    assert both[0] == alone[0] > both[1]
    assert np.isnan(both[2])

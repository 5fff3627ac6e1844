"""The one render of instruction and response, and batches by tokens."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.base_model import Base
from wfine_utils.models import encoding, loading
from wfine_utils.models.encoding import token_budget_batches


class TestEncode:
    @pytest.fixture
    def tokenizer(self, tiny_base):
        return loading.load_tokenizer(Base(str(tiny_base)))

    def test_instruction_then_response_in_the_chat_template(self, tokenizer):
        ids = encoding.encode(tokenizer, "Use a list.", "The net waits.", 100)
        assert tokenizer.decode(ids) == (
            "<|user|>Use a list.<|end|><|assistant|>The net waits.<|end|>"
        )

    def test_control_tokens_in_a_response_are_plain_text(self, tokenizer):
        ids = encoding.encode(tokenizer, "Use a list.", "Bad<|end|><|assistant|><|pad|>", 100)
        assert ids.count(tokenizer.eos_token_id) == 2
        assert tokenizer.pad_token_id not in ids

    def test_the_middle_of_a_long_text_is_cut(self, tokenizer):
        long = encoding.encode(tokenizer, "Use a list.", "net " * 500 + "last", 64)
        whole = encoding.encode(tokenizer, "Use a list.", "net " * 500 + "last", 10**6)
        assert len(long) == 64 and long[:32] == whole[:32] and long[-32:] == whole[-32:]

    @pytest.mark.parametrize(
        ("n_instruction", "n_response"), [(60, 60), (60, 5), (60, 0), (33, 500), (500, 33)]
    )
    def test_the_marks_of_the_template_and_some_of_both_sides_stay(
        self, tokenizer, n_instruction, n_response
    ):
        """The middle of the whole lies in the instruction here, and often on the assistant mark."""
        parts = ["First " + "net " * n_instruction + "last.", "one " + "boat " * n_response + "two"]
        cut = encoding.encode(tokenizer, *parts, 64)
        assert len(cut) == 64
        text = tokenizer.decode(cut)
        assert re.fullmatch(
            r"<\|user\|>First .*last\.<\|end\|><\|assistant\|>one.*two<\|end\|>", text, re.DOTALL
        )

    def test_a_response_that_comes_first_is_cut_by_the_same_rule(self, tokenizer):
        tokenizer.chat_template = (
            "Text: {{ messages[1].content }} Asked: {{ messages[0].content }} Good?<|end|>"
        )
        cut = encoding.encode(tokenizer, "First " + "net " * 60, "one " + "boat " * 60, 64)
        text = tokenizer.decode(cut)
        assert len(cut) == 64 and text.startswith("Text: one") and text.endswith("Good?<|end|>")
        assert " Asked: First" in text

    def test_where_the_marks_alone_are_too_long_the_middle_is_cut(self, tokenizer):
        tokenizer.chat_template = "net " * 40 + "{{ messages[0].content }}{{ messages[1].content }}"
        assert len(encoding.encode(tokenizer, "a", "b " * 9, 16)) == 16

    def test_an_instruction_that_stands_before_and_after_leaves_room_for_the_response(
        self, tokenizer
    ):
        said = "{{ messages[0].content }}"
        tokenizer.chat_template = f"{said}<|user|>{{{{ messages[1].content }}}}<|end|>{said}"
        cut = encoding.encode(tokenizer, "a river " * 40, "two boats", 60)
        text = tokenizer.decode(cut)
        assert len(cut) == 60 and "two boats" in text
        assert text.startswith("a river") and text.rstrip().endswith("river")

    def test_a_text_that_is_no_unicode_has_no_tokens(self, tokenizer):
        assert encoding.encode(tokenizer, "be brief", "half \ud800", 60) == []


class TestEncoder:
    def test_is_a_pair(self, tiny_encoder):
        tokenizer = loading.load_tokenizer(Base(str(tiny_encoder)))
        assert encoding.is_encoder(tokenizer)
        text = tokenizer.decode(encoding.encode(tokenizer, "be brief", "a river [SEP] b", 99))
        assert text.startswith("[CLS] be brief [SEP]") and text.count("[SEP]") == 2

    def test_shows_its_layout(self, tiny_encoder):
        tokenizer = loading.load_tokenizer(Base(str(tiny_encoder)))
        one, two, list_ = (
            encoding.encode(tokenizer, "be brief", text, 99)
            for text in ("a river", "a\n\nriver", "a\nriver")
        )
        assert len({tuple(one), tuple(two), tuple(list_)}) == 3
        rule = encoding.encode(tokenizer, "be brief", "|" + "-" * 80 + "|", 99)
        assert len(rule) < 20

    def test_may_hide_its_layout(self, tiny_encoder):
        tokenizer = loading.load_tokenizer(Base(str(tiny_encoder)))
        one, two = (
            encoding.encode(tokenizer, "be brief", text, 99, show_layout=False)
            for text in ("a river", "a\n\nriver")
        )
        assert one == two

    def test_loses_its_middle(self, tiny_encoder):
        tokenizer = loading.load_tokenizer(Base(str(tiny_encoder)))
        whole = encoding.encode(tokenizer, "be brief", "a river " * 50 + "ends", 10**6)
        cut = encoding.encode(tokenizer, "be brief", "a river " * 50 + "ends", 40)
        assert cut == whole[:20] + whole[-20:]

    @pytest.mark.parametrize("response", ["", "ends", "a river " * 50 + "ends"])
    def test_keeps_its_separators(self, tiny_encoder, response):
        tokenizer = loading.load_tokenizer(Base(str(tiny_encoder)))
        cut = encoding.encode(tokenizer, "be brief " * 30, response, 40)
        text = tokenizer.decode(cut)
        assert len(cut) == 40 and text.startswith("[CLS] be brief")
        whole = encoding.encode(tokenizer, "be brief " * 30, response, 10**6)
        assert cut.count(tokenizer.sep_token_id) == whole.count(tokenizer.sep_token_id)
        assert text.endswith(response[-4:] + " [SEP]" * bool(response))

    def test_gemma_has_a_mask_token_and_writes(self, tiny_base):
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        tokenizer.mask_token = "<|pad|>"
        assert not encoding.is_encoder(tokenizer)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 200))
def test_token_budget(lengths, budget):
    batches = token_budget_batches(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == np.flatnonzero(lengths).tolist()
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget

"""The shape of the tiny writer."""

from __future__ import annotations

import pytest

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import loading, tiny_writer


def test_hidden_size(tiny_base):
    with pytest.raises(WfineError, match="multiple of 64"):
        tiny_writer.tiny_config(
            loading.load_tokenizer(Base(str(tiny_base))), hidden_size=100, n_layers=1, n_positions=8
        )

"""Layers that on a CPU would compute the wrong thing, or the right thing slowly."""

from __future__ import annotations

import torch


def disable_packing(model: torch.nn.Module) -> None:
    """Keep 4-bit layers from repacking their weights, which breaks gradients without an error.

    Source: bitsandbytes 0.50.2, ``nn/modules.py``: on CPUs with AVX512_BF16 the first evaluation
        forward repacks a 4-bit weight in place, and training after it gets wrong gradients.
    """
    import bitsandbytes  # slow to import, and only needed where something is quantised

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def read_in_one_piece(output_layer: torch.nn.Module) -> None:
    """Hand the states to the output layer in one piece, not as a slice of those of all tokens.

    Source: torch 2.13, ``aten/src/ATen/native/LinearAlgebra.cpp``: states that are a slice are
        multiplied text by text by weights that want no gradient, and in bf16 with a copy of the
        weights for each. To begin 32 texts of SmolLM2-135M so took 3 of 9 seconds.
    """

    def in_one_piece(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (inputs[0].contiguous(),)

    output_layer.register_forward_pre_hook(in_one_piece)

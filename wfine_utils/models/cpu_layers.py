"""Layers that on a CPU would compute the wrong thing, or the right thing slowly."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear


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


DENSE_GIB = 1.0
"""Most memory that dense copies of weights may take, in GiB; larger models go without."""


def fuse_adapters(model: torch.nn.Module) -> None:
    """Let linear layers with adapters compute in fewer passes over memory, in place.

    A frozen 4-bit weight is dequantised once, and not in every pass. In training the adapter's
    part is added by the matrix product itself; where no gradient is wanted, as in generation and
    scoring, weight and adapter are one matrix, which is made anew when the adapter has changed. All
    of it gives what PEFT's own forward gives, but for the last bits of fp32.

    Only on a CPU, in fp32, and up to :data:`DENSE_GIB`; else the model stays as it is.

    Args:
        model: with adapters of PEFT without dropout.

    Source: PEFT 0.21, ``tuners/lora/bnb.py``: clones the product of every 4-bit layer, scales the
        adapter's, and adds them, in three passes.
    """
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [m for m in model.modules() if isinstance(m, LoraLayer) and _is_plain(m)]
    n_bytes = 0
    for layer in layers:  # a dense copy of what is packed, and one with the adapter in it
        n_copies = 2 if _is_packed(layer.get_base_layer()) else 1
        n_bytes += 4 * n_copies * layer.in_features * layer.out_features
    if n_bytes <= DENSE_GIB * 2**30:
        for layer in layers:
            _FusedLayer(layer).take_over()


def _is_packed(layer: torch.nn.Module) -> bool:
    return hasattr(getattr(layer, "weight", None), "quant_state")


def _is_plain(layer: Any) -> bool:
    """Whether a layer with an adapter is linear, on a CPU, and computes in fp32."""
    base = layer.get_base_layer()
    if not isinstance(base, torch.nn.Linear) or base.weight.device.type != "cpu":
        return False
    in_fp32 = getattr(base, "compute_dtype", base.weight.dtype) == torch.float32
    return in_fp32 and all(
        rate.p == 0 for rate in layer.lora_dropout.values() if hasattr(rate, "p")
    )


class _FusedLayer:
    """The forward pass of a linear layer with an adapter; see :func:`fuse_adapters`."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._merged = self._a = self._b = torch.zeros(0)  # the matrix, and what it was made of
        self._scale = float("nan")

    def take_over(self) -> None:
        """Put this in the place of the layer's own forward pass."""
        base = self._layer.get_base_layer()
        self._bias = base.bias
        if _is_packed(base):
            from bitsandbytes.functional import dequantize_4bit

            weight = dequantize_4bit(base.weight.data, base.weight.quant_state)
            self._weight = weight.to(torch.float32)
        else:
            self._weight = base.weight
        self._plain = self._layer.forward
        self._layer.forward = self

    def __call__(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As ``forward`` of PEFT's layer."""
        layer = self._layer
        if layer.disable_adapters:
            return linear(x, self._weight, self._bias)
        names = [name for name in layer.active_adapters if name in layer.lora_A]
        if len(names) != 1 or args or kwargs:
            return self._plain(x, *args, **kwargs)
        a, b = layer.lora_A[names[0]].weight, layer.lora_B[names[0]].weight
        scale = layer.scaling[names[0]]
        if not torch.is_grad_enabled():
            return linear(x, self._with_adapter(a, b, scale), self._bias)
        rows = x.reshape(-1, x.shape[-1])
        base = linear(rows, self._weight, self._bias)
        return torch.addmm(base, linear(rows, a), b.T, alpha=scale).view(*x.shape[:-1], -1)

    def _with_adapter(self, a: torch.Tensor, b: torch.Tensor, scale: float) -> torch.Tensor:
        # By value: torch 2.13's fused AdamW changes weights without counting it in their _version
        same = self._scale == scale and torch.equal(a, self._a) and torch.equal(b, self._b)
        if not same:
            self._a, self._b, self._scale = a.detach().clone(), b.detach().clone(), scale
            self._merged = torch.addmm(self._weight.detach(), self._b, self._a, alpha=scale)
        return self._merged

"""Layers that on a CPU would compute the wrong thing, or the right thing slowly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

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


def multiply_in_bf16(
    model: torch.nn.Module, besides: Sequence[torch.nn.Module] = (), *, is_frozen: bool = True
) -> None:
    """Let linear layers on a CPU multiply in bf16, in place; everything else stays in fp32.

    Inputs, weights and products are rounded to bf16, sums inside a product are not. Norms,
    attention and losses see fp32 only, which autocast does not give them: on a CPU without AMX its
    attention takes several times as long backwards.

    Args:
        model: in fp32.
        besides: layers that stay as they are, such as heads that are trained.
        is_frozen: the weights of the layers will not change from now on, so they are rounded once.
    """
    layers = [m for m in model.modules() if _is_linear(m) and m not in besides]
    dense = is_frozen and _fits(layers, n_bytes=2)
    for layer in layers:
        layer.forward = _HalfLayer(layer, dense=dense)


def fuse_adapters(model: torch.nn.Module) -> None:
    """Let linear layers with adapters compute in fewer passes over memory, in place.

    A frozen 4-bit weight is dequantised once, and not in every pass. In training the adapter's
    part is added by the matrix product itself; where no gradient is wanted, as in generation and
    scoring, weight and adapter are one matrix, which is made anew when the adapter has changed. All
    of it gives what PEFT's own forward gives, but for the last bits; after
    :func:`multiply_in_bf16` the adapter's products are in bf16, too.

    Only on a CPU, where layers are in fp32, and up to :data:`DENSE_GIB`; else the model stays as
    it is.

    Args:
        model: with adapters of PEFT without dropout.

    Source: PEFT 0.21, ``tuners/lora/bnb.py``: clones the product of every 4-bit layer, scales the
        adapter's, and adds them, in three passes.
    """
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [m for m in model.modules() if isinstance(m, LoraLayer) and _is_plain(m)]
    bases = [layer.get_base_layer() for layer in layers]
    packed = [base for base in bases if _is_packed(base)]
    # A dense copy of what is packed, and one with the adapter in it
    if _fits([*packed, *bases], n_bytes=4):
        for layer in layers:
            layer.forward = _FusedLayer(layer)


def _is_linear(layer: torch.nn.Module) -> bool:
    return isinstance(layer, torch.nn.Linear) and layer.weight.device.type == "cpu"


def _is_packed(layer: torch.nn.Module) -> bool:
    return hasattr(getattr(layer, "weight", None), "quant_state")


def _is_plain(layer: Any) -> bool:
    """Whether a layer with an adapter is linear, on a CPU, and computes in fp32."""
    base = layer.get_base_layer()
    if not _is_linear(base):
        return False
    in_fp32 = getattr(base, "compute_dtype", base.weight.dtype) == torch.float32
    return in_fp32 and all(
        rate.p == 0 for rate in layer.lora_dropout.values() if hasattr(rate, "p")
    )


def _fits(layers: Sequence[Any], *, n_bytes: int) -> bool:
    """Whether dense copies of the layers' weights are small enough to be kept."""
    total = sum(n_bytes * layer.in_features * layer.out_features for layer in layers)
    return total <= DENSE_GIB * 2**30


def _weight(layer: Any) -> torch.Tensor:
    """The weight of a linear layer in fp32, dequantised if it is packed."""
    if not _is_packed(layer):
        return layer.weight
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(torch.float32)


class _BF16Product(torch.autograd.Function):
    """Rows times a matrix, and times an adapter of two matrices: products in bf16."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: torch.Tensor,
        weight: torch.Tensor,
        a: torch.Tensor | None,
        b: torch.Tensor | None,
        scale: float,
    ) -> torch.Tensor:
        x, weight = rows.to(torch.bfloat16), weight.to(torch.bfloat16)
        product = linear(x, weight)
        others: tuple[torch.Tensor, ...] = (x,) if ctx.needs_input_grad[1] else ()
        if a is not None and b is not None:
            a, b = a.to(torch.bfloat16), b.to(torch.bfloat16)
            inner = linear(x, a)
            product = torch.addmm(product, inner, b.T, alpha=scale)
            others = (x, inner, a, b)
        ctx.save_for_backward(weight, *others)
        ctx.scale = scale
        return product.float()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, *others = ctx.saved_tensors
        g = gradients[0].to(torch.bfloat16)
        if len(others) < 4:
            of_weight = (g.T @ others[0]).float() if others else None
            return (g @ weight).float(), of_weight, None, None, None
        x, inner, a, b = others
        of_inner = (g @ b) * ctx.scale
        of_a, of_b = (of_inner.T @ x).float(), (g.T @ inner).float() * ctx.scale
        if not ctx.needs_input_grad[0]:  # right behind frozen embeddings
            return None, None, of_a, of_b, None
        return torch.addmm(g @ weight, of_inner, a).float(), None, of_a, of_b, None


class _HalfLayer:
    """The forward pass of a linear layer, in bf16; see :func:`multiply_in_bf16`."""

    def __init__(self, layer: Any, *, dense: bool) -> None:
        self._layer = layer
        self._dense = _weight(layer).detach().to(torch.bfloat16) if dense else None

    def __call__(
        self,
        x: torch.Tensor,
        *,
        merged: torch.Tensor | None = None,
        adapter: tuple[torch.Tensor | None, torch.Tensor | None, float] = (None, None, 1.0),
    ) -> torch.Tensor:
        """The layer's output.

        Args:
            x: inputs, in fp32.
            merged: a weight in bf16 in the place of the layer's.
            adapter: its two matrices and its scale; what it gives is added.
        """
        weight = self._dense if merged is None else merged
        if weight is None:
            weight = _weight(self._layer)
        rows = x.reshape(-1, x.shape[-1])
        product = cast(torch.Tensor, _BF16Product.apply(rows, weight, *adapter))
        if self._layer.bias is not None:
            product = product + self._layer.bias
        return product.view(*x.shape[:-1], -1)


class _FusedLayer:
    """The forward pass of a linear layer with an adapter; see :func:`fuse_adapters`."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._merged = self._a = self._b = torch.zeros(0)  # the matrix, and what it was made of
        self._scale = float("nan")
        base = layer.get_base_layer()
        self._bias = base.bias
        self._half = base.forward if isinstance(base.forward, _HalfLayer) else None
        self._weight = torch.zeros(0) if self._half else _weight(base)  # that one has its own
        self._plain = layer.forward

    def __call__(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As ``forward`` of PEFT's layer."""
        layer, half = self._layer, self._half
        names = [name for name in layer.active_adapters if name in layer.lora_A]
        if layer.merged or len(names) != 1 or args or kwargs:
            return self._plain(x, *args, **kwargs)
        if layer.disable_adapters:
            return half(x) if half else linear(x, self._weight, self._bias)
        a, b = layer.lora_A[names[0]].weight, layer.lora_B[names[0]].weight
        scale = layer.scaling[names[0]]
        if not torch.is_grad_enabled():
            merged = self._with_adapter(a, b, scale)
            return half(x, merged=merged) if half else linear(x, merged, self._bias)
        if half:
            return half(x, adapter=(a, b, scale))
        rows = x.reshape(-1, x.shape[-1])
        base = linear(rows, self._weight, self._bias)
        return torch.addmm(base, linear(rows, a), b.T, alpha=scale).view(*x.shape[:-1], -1)

    def _with_adapter(self, a: torch.Tensor, b: torch.Tensor, scale: float) -> torch.Tensor:
        # By value: torch 2.13's fused AdamW changes weights without counting it in their _version
        same = self._scale == scale and torch.equal(a, self._a) and torch.equal(b, self._b)
        if not same:
            self._a, self._b, self._scale = a.detach().clone(), b.detach().clone(), scale
            weight = _weight(self._layer.get_base_layer()) if self._half else self._weight
            merged = torch.addmm(weight.detach(), self._b, self._a, alpha=scale)
            # Rounded after the sum: a small adapter would be lost in a weight that is rounded
            self._merged = merged.to(torch.bfloat16) if self._half else merged
        return self._merged

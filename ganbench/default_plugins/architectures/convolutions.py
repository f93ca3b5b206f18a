"""PyTorch's convolutions, with a faster gradient of the weights where maps are tiny.

In bfloat16, oneDNN's kernel for that gradient takes in a row of the smaller map at a time, padded
to the width of the CPU's matrix units: of a map of 4×4 most is padding. As one matrix product over
all pixels of the batch it takes a third of the time. All other cases are PyTorch's own.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = 4  # the widest map, in pixels, for which the matrix product is the faster one

convolution = torch.ops.aten.convolution
convolution_backward = torch.ops.aten.convolution_backward


class Conv2d(nn.Conv2d):
    """A `torch.nn.Conv2d` whose weights' gradient is faster for tiny maps in bfloat16."""

    def forward(self, maps: Tensor) -> Tensor:
        if _in_bfloat16(self, maps):
            margin = 2 * int(self.padding[-1]) - self.kernel_size[-1]
            if (maps.shape[-1] + margin) // self.stride[-1] < TINY:
                return _convolved(self, maps)
        return super().forward(maps)


class ConvTranspose2d(nn.ConvTranspose2d):
    """A `torch.nn.ConvTranspose2d` whose weights' gradient is faster for tiny maps in bfloat16."""

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        if maps.shape[-1] <= TINY and output_size is None and _in_bfloat16(self, maps):
            return _convolved(self, maps)
        return super().forward(maps, output_size)


def _in_bfloat16(layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor) -> bool:
    """Whether it is a CPU's convolution in bfloat16 and channels-last, with gradients.

    It does not look at the weight: where that is normalised by its spectrum, a look is a step of
    the power iteration.
    """
    return (
        not torch.compiler.is_compiling()
        and torch.is_grad_enabled()
        and maps.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and maps.dtype in (torch.float32, torch.bfloat16)  # autocast leaves doubles alone
        and maps.is_contiguous(memory_format=torch.channels_last)
        and layer.groups == 1
        and set(layer.dilation) == {1}
        and isinstance(layer.padding, tuple)  # not "same"
        and layer.padding_mode == "zeros"
    )


def _convolved(layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor) -> Tensor:
    bias = None if layer.bias is None else layer.bias.bfloat16()
    geometry = (
        list(layer.stride), list(layer.padding), list(layer.dilation), layer.transposed,
        list(layer.output_padding), layer.groups,
    )  # fmt: skip
    return _Convolved.apply(maps.bfloat16(), layer.weight.bfloat16(), bias, geometry)


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None, geometry: tuple[Any, ...]
    ) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.geometry = geometry
        return convolution(maps, weight, bias, *geometry)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        of_maps = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            asked = [True, False, False]
            of_maps, _, _ = convolution_backward(gradient, maps, weight, None, *ctx.geometry, asked)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(gradient, maps, weight.shape[2:], ctx.geometry)
        if ctx.needs_input_grad[2]:  # asked of oneDNN, it would compute the weights' as well
            of_bias = gradient.sum((0, 2, 3))
        return of_maps, of_weight, of_bias, None


def _of_weight(
    gradient: Tensor, maps: Tensor, kernel: torch.Size, geometry: tuple[Any, ...]
) -> Tensor:
    stride, padding, _, transposed, *_ = geometry
    large, small = (gradient, maps) if transposed else (maps, gradient)
    patches = _patches(large, kernel, stride, padding, small.shape[2:])
    pixels = small.permute(0, 2, 3, 1).flatten(0, 2)
    product = pixels.t() @ patches.flatten(0, 2).flatten(1)
    return product.unflatten(1, patches.shape[3:]).permute(0, 3, 1, 2)


def _patches(
    maps: Tensor, kernel: torch.Size, stride: list[int], padding: list[int], sides: torch.Size
) -> Tensor:
    """Return what the kernel sees at each place of (N, C, H, W): (N, *sides, *kernel, C)."""
    (top, left), (high, wide) = padding, sides
    padded = F.pad(maps, (left, left, top, top)).permute(0, 2, 3, 1)
    seen = padded.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])
    return seen[:, :high, :wide].permute(0, 1, 2, 4, 5, 3)

"""From feature maps to rows, and back, without leaving the memory layout that convolutions want."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Flatten(nn.Module):
    """As `nn.Flatten`, but a channels-last input gets its gradient channels-last, too.

    Where the two differ, what comes before on the way back takes several times as long.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if maps.ndim == 4 and maps.is_contiguous(memory_format=torch.channels_last):
            return _Flattened.apply(maps)
        return maps.flatten(1)


class Rows(nn.Module):
    """(N, C, H, W) -> (N, H * W * C), in the order of channels-last memory: nothing is copied."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)


class _Flattened(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        ctx.shape = maps.shape
        return maps.flatten(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.reshape(ctx.shape).contiguous(memory_format=torch.channels_last)


def unflatten(rows: Tensor, shape: tuple[int, int, int], convolution: nn.Module) -> Tensor:
    """Return (N, C * H * W) as (N, C, H, W), in the layout of the weights that come next."""
    weight = next(p for p in convolution.parameters() if p.ndim == 4)
    last = weight.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return rows.view(-1, *shape).contiguous(memory_format=layout)

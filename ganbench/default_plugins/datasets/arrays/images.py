"""From an array to images: which axis is which, and which numbers are black and white."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench import tracked

Layout = Literal["auto", "nchw", "nhwc"]
CHUNK = 4096  # images that are converted at once
CHANNELS = (1, 3)
DARK = 64  # below it, the largest value is hardly one of 0 to 255


class Unsuitable(Exception):
    """An array that cannot be images; the message says why and what to do."""


def arranged(shape: tuple[int, ...], layout: Layout) -> tuple[tuple[int, int, int], bool]:
    """Return (channels, height, width), and whether channels come last. Raises Unsuitable."""
    if len(shape) == 3:
        return (1, shape[1], shape[2]), False
    if len(shape) != 4:
        raise Unsuitable(f"an array of shape {shape} is no set of images: N×H×W, or with channels")
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if layout == "auto" and first and last:
        raise Unsuitable(f"channels of {shape} may be first or last; give layout: nchw or nhwc")
    if (layout == "nhwc" and last) or (layout == "auto" and last):
        return (shape[3], shape[1], shape[2]), True
    if layout != "nhwc" and first:
        return (shape[1], shape[2], shape[3]), False
    where = {"nchw": "second", "nhwc": "last", "auto": "second or last"}[layout]
    raise Unsuitable(
        f"an array of shape {shape} has no {where} axis of 1 or 3 channels; leave others out, as "
        "transparency, before saving"
    )


def as_images(
    values: NDArray[Any], layout: Layout, scale: tuple[float, float] | None
) -> Tensor:  # (N, C, H, W) uint8
    """Return an array as images. Raises Unsuitable.

    `scale` has the numbers of black and white; None: 0 to 255, or for fractions, by what they are:
    0 to 1 or -1 to 1.
    """
    (channels, height, width), last = arranged(values.shape, layout)
    if not values.size:
        raise Unsuitable("the array is empty")
    if values.dtype != np.uint8 or scale:
        values = _bytes(values, scale or _guessed(values))
    elif (high := int(values.max())) <= 1:
        raise Unsuitable("no value is above 1; where 1 is white, give range: [0, 1]")
    else:
        _refuse_dark(high)
    images = torch.from_numpy(np.ascontiguousarray(values) if last else values)
    if last:
        return images.permute(0, 3, 1, 2).contiguous()
    return images.view(-1, channels, height, width)


def usual_range(values: NDArray[Any]) -> tuple[float, float] | None:
    """Return the values of black and white, or None of bytes. Raises Unsuitable."""
    return None if values.dtype == np.uint8 else _guessed(values)


def _guessed(values: NDArray[Any]) -> tuple[float, float]:
    """Return black and white by all of the values. Raises Unsuitable where no usual range fits."""
    low, high = _extent(values)
    whole = values.dtype.kind in "iu"
    if whole and low >= 0 and 1 < high <= 255:
        _refuse_dark(high)
        return 0, 255
    if not whole and values.dtype.kind != "b":
        for usual in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
            if usual[0] <= low and high <= usual[1]:
                if usual[1] == 255:
                    _refuse_dark(high)
                return usual
    elif values.dtype.kind == "b":
        return 0, 1
    raise Unsuitable(
        f"values go from {low:g} to {high:g}; give range: [BLACK, WHITE], the values of black and "
        "white, such as [0, 1]"
    )


def _refuse_dark(high: float) -> None:
    """Refuse what is black on black where 255 is white, for something else may be."""
    if high < DARK:
        raise Unsuitable(
            f"no value is above {high:g}, which is nearly black where 255 is white; give range: "
            f"[0, {high:g}] where {high:g} is white, or [0, 255] where they are meant to be dark"
        )


def _extent(values: NDArray[Any]) -> tuple[float, float]:
    if values.dtype.kind not in "biuf":
        raise Unsuitable(f"values are {values.dtype}; images are whole numbers or fractions")
    lows, highs = [], []
    for i, part in enumerate(_chunks(values)):
        if values.dtype.kind == "f" and not np.isfinite(part).all():
            row = i * CHUNK + int((~np.isfinite(part)).reshape(len(part), -1).any(1).argmax())
            raise Unsuitable(f"image {row:,}, from 0, has a value that is NaN or infinite")
        lows.append(float(part.min()))
        highs.append(float(part.max()))
    return min(lows), max(highs)


def _bytes(values: NDArray[Any], scale: tuple[float, float]) -> NDArray[np.uint8]:
    black, white = scale
    low, high = _extent(values)
    if low < min(scale) or high > max(scale):
        raise Unsuitable(
            f"values go from {low:g} to {high:g}, outside of range [{black:g}, {white:g}]"
        )
    if values.dtype.kind == "u" and scale == (0, 255):
        return values.astype(np.uint8)
    found = np.empty(values.shape, np.uint8)
    chunks = tracked(_chunks(values), "converting images", -(-len(values) // CHUNK))
    for start, part in enumerate(chunks):
        fractions = (part.astype(np.float64) - black) / (white - black)
        found[start * CHUNK :][: len(part)] = np.rint(255 * fractions)
    return found


def _chunks(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))

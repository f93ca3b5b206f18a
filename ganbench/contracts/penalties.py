"""What bounds on D are made of: images at which its slope is taken, penalties, clipped weights."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.contracts.losses import norm_per_sample
from ganbench.contracts.steps import Scored, Step


def interpolated(
    step: Step,
    alpha: Literal["uniform", "normal"] = "uniform",
    alpha_of: Literal["real", "fake"] = "real",
) -> Scored:
    """Return D on images between each fake and its real, tracked.

    Each has a share of its own of the one that `alpha_of` names: uniform in [0, 1], or standard
    normal, which goes beyond both and lies around the other one.
    """
    draw = torch.rand_like if alpha == "uniform" else torch.randn_like
    share = draw(step.real.images[:, :1, :1, :1])
    ends = step.fake.images, step.real.images
    between = torch.lerp(*(ends if alpha_of == "real" else ends[::-1]), share)
    return step.score(between, step.real.labels, track_inputs=True)


def perturbed(
    step: Step, reach: float = 0.5, noise: Literal["positive", "symmetric"] = "positive"
) -> Scored:
    """Return D on reals that are moved by uniform noise, as DRAGAN has them, tracked.

    The noise goes up to `reach` standard deviations of the whole batch: upwards alone, or both
    ways, and then the images are clipped to [-1, 1].
    """
    images = step.real.images
    bound = reach * images.std(correction=0)
    drawn = torch.rand_like(images)
    if noise == "symmetric":
        moved = (images + bound * (2 * drawn - 1)).clamp(-1, 1)
    else:
        moved = images + bound * drawn
    return step.score(moved, step.real.labels, track_inputs=True)


def gradient_penalty(
    scored: Scored,
    target: float = 1.0,
    *,
    one_sided: bool = False,
    norm: Literal["l2", "linf"] = "l2",
    reduce: Literal["mean", "max"] = "mean",
    label_maps: bool = False,
) -> Tensor:
    """Return the squared distance of D's slopes at tracked images from `target`, a scalar.

    The slope is the norm of each image's gradient; `linf` is its largest entry. With `label_maps`
    the gradient is at all that D's backbone is shown. One-sided, slopes below the target cost
    nothing. `reduce` is over images.
    """
    gradient = scored.shown_gradient if label_maps else scored.input_gradient
    slope = norm_per_sample(gradient) if norm == "l2" else gradient.flatten(1).abs().amax(1)
    excess = slope - target
    squared = (F.relu(excess) if one_sided else excess).square()
    return squared.mean() if reduce == "mean" else squared.max()


@torch.no_grad()
def clip_weights(module: nn.Module, bound: float) -> None:
    """Clip all parameters to within ±bound, in place."""
    for parameter in module.parameters():
        parameter.clamp_(-bound, bound)

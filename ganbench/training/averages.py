"""The average of what G trains, which is what is judged."""

from __future__ import annotations

import copy
import math
from functools import partial

import torch
from torch import Tensor, nn

from ganbench.models import calibration
from ganbench.models.networks import ConditionalGenerator
from ganbench.models.trained import Progress
from ganbench.records.training_settings import HalfLife, TrainingSettings
from ganbench.training.changes import Changes


class Average:
    """The average of G's weights, and of the plugins' own networks that learn with it."""

    def __init__(
        self,
        generator: ConditionalGenerator,
        own: nn.ModuleDict,
        settings: TrainingSettings,
        changes: Changes,
    ) -> None:
        """Copy both as they are now, and have `changes` set the half-life where it is scheduled."""
        self.generator, self.own = copy.deepcopy(generator), copy.deepcopy(own)
        self._sources: tuple[nn.Module, nn.Module] = (generator, own)
        self._live = _weights(generator, own)
        self._averaged = _weights(self.generator, self.own)
        self._ema = settings.ema
        self._images = settings.images_per_iteration
        if isinstance(self._ema, HalfLife):
            self._half_life = changes.first(self._ema.half_life)
            changes.follow(self._ema.half_life, partial(setattr, self, "_half_life"))

    @torch.no_grad()
    def update(self, progress: Progress) -> None:
        """Move to the weights that the iteration which is ending has made."""
        torch._foreach_lerp_(self._averaged, self._live, 1 - self._decay(progress))

    def copy_buffers(self) -> None:
        """Take over all that the live networks keep beside their weights."""
        for source, target in zip(self._sources, (self.generator, self.own), strict=True):
            calibration.copy_buffers(source, target)

    def _decay(self, progress: Progress) -> float:
        if isinstance(self._ema, HalfLife):
            return decay(self._ema, self._half_life, progress.images - self._images, self._images)
        updates = progress.g_updates
        return min(self._ema, (1 + updates) / (10 + updates))  # forget the start quickly


def decay(ema: HalfLife, half_life: float, before: int, images: int) -> float:
    """Return the weight of the average so far in an iteration of so many images.

    `half_life`: in kimg, as it is now. `before`: images shown until then.
    """
    if before + images <= 1000 * ema.start:
        return 0.0
    half_life *= 1000
    if ema.ramp_up is not None:
        half_life = min(half_life, ema.ramp_up * before)
    return math.pow(0.5, images / half_life) if half_life > 0 else 0.0


def _weights(*modules: nn.Module) -> list[Tensor]:
    return [parameter for module in modules for parameter in module.parameters()]

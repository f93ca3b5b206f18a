"""Images of a trial's generator, drawn by the cell's samplers."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, replace
from typing import Any

import torch

from ganbench.contracts.feature_extractors import Unavailable
from ganbench.contracts.images import LabeledImages
from ganbench.errors import INTERRUPTIONS, ConfigError, told
from ganbench.models.drawing import Trained
from ganbench.models.mapped import Mapped
from ganbench.models.parts import Parts
from ganbench.models.sampling import Sampler, of_draw
from ganbench.models.trained import TrainingResult
from ganbench.records.cells import PLAIN, Cell, Spec
from ganbench.records.results import SamplerResult, TrialResult
from ganbench.util.machine import free_memory_bytes
from ganbench.util.random_streams import stream


@dataclass(frozen=True)
class Sampled:
    """What one sampler drew, or why there is nothing."""

    number: int  # of the sampler among the cell's
    sampler: str  # its name in rows
    images: LabeledImages
    seconds: float = 0.0
    protocol: dict[str, Any] | None = None  # None: of `plain`, for labels as in the data
    reason: str = ""  # why there are no images
    error: str = ""  # the same, where the sampler raised what it should not
    draw: int = 0  # of how many before it
    generator: Mapped | None = None  # for metrics that ask it, of what `plain` drew alone

    @property
    def per_second(self) -> float | None:
        """How many images it drew in a second."""
        return None if self.reason else len(self.images) / self.seconds


class Samplers:
    """The samplers of a cell, at work once its networks are trained and calibrated."""

    def __init__(self, cell: Cell, parts: Parts, sampler: Sampler) -> None:
        self.cell, self.parts, self.sampler = cell, parts, sampler
        self.names = cell.sampler_names or (PLAIN,)
        self._refuse_more_than_memory()

    def drawn(self, trained: TrainingResult, number: int, draw: int = 0) -> Sampled:
        """Return what one of them draws. But for `plain`, one that raises has no images.

        Each `draw` has random streams of its own.
        """
        name, count = self.names[number], self.cell.num_samples
        if name == PLAIN:
            drawn = self.sampler.draw(trained.generator, count, draw)
            generator = Mapped.of(trained.generator, self.sampler, draw)
            protocol = plain_protocol(self.cell)
            return Sampled(number, name, *drawn, protocol, draw=draw, generator=generator)
        method = self.parts.samplers[number]
        protocol = {**_protocol(self.cell.samplers[number]), **_labels(self.cell)}
        labels = self.sampler.labels(count, of_draw("labels", draw))
        model, rng = self._model(trained), stream(self.sampler.seed, of_draw("samples", draw))
        started = time.perf_counter()
        try:
            images = model.draw(method, labels, count, rng)
        except Unavailable as error:
            return self._nothing(number, protocol, str(error))
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # SystemExit too, as of metrics
            traceback.print_exc()
            nothing = self._nothing(number, protocol, told(error))
            return replace(nothing, error=nothing.reason)
        seconds = time.perf_counter() - started
        return Sampled(number, name, LabeledImages(images, labels), seconds, protocol, draw=draw)

    def _refuse_more_than_memory(self) -> None:
        """Raise ConfigError for more images than memory takes, before anything is trained."""
        image, count = self.parts.image, self.cell.num_samples
        values = image.channels * image.resolution**2 * self.sampler.dtype.itemsize
        needed = count * (values + 4 * self.parts.architecture.latent_dim)
        free = free_memory_bytes()
        if free is not None and needed > free:
            raise ConfigError(
                f"evaluation.num_samples: {count:,} images of {image} and their latents take "
                f"{needed:,} bytes of memory, and {free:,} are free; lower it"
            )

    def _model(self, trained: TrainingResult) -> Trained:
        own = {
            key: network
            for networks in trained.own.values()
            for key, network in networks.named_children()
        }
        sampler = self.sampler
        return Trained(
            sampler.architecture,
            trained.generator,
            sampler.device,
            sampler.dtype,
            trained.discriminator,
            own,
        )

    def _nothing(self, number: int, protocol: dict[str, Any], why: str) -> Sampled:
        image, name = self.parts.image, self.names[number]
        shape = (0, image.channels, image.resolution, image.resolution)
        none = LabeledImages(torch.empty(shape, dtype=self.sampler.dtype), None)
        return Sampled(number, name, none, 0.0, protocol, f"sampler '{name}': {why}")


def plain_protocol(cell: Cell) -> dict[str, Any] | None:
    """Return what protocols say of images that no sampler but `plain` drew; None: nothing."""
    labels = _labels(cell)
    return {"name": PLAIN, **labels} if labels else None


def _labels(cell: Cell) -> dict[str, Any]:
    return {} if cell.judged_labels == "data" else {"labels": cell.judged_labels}


def _protocol(spec: Spec) -> dict[str, Any]:
    return {"name": spec.name, "options": spec.options, "source": spec.counted_source}


def beside(
    judged: TrialResult, sampler: str, per_second: float | None, found: TrialResult
) -> TrialResult:
    """Return a result with the numbers of another sampler beside the first."""
    told = f" (sampler {sampler})"
    errors = [e if e.startswith("sampler ") else f"{e}{told}" for e in found.errors]
    return replace(
        judged,
        errors=(*judged.errors, *errors),
        protocols=judged.protocols | found.protocols,
        samplers=judged.samplers
        | {sampler: SamplerResult(found.metrics, found.metric_seconds, per_second, found.drawn)},
    )

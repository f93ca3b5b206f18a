"""What every trial shows of its generator and of its training: pictures in the trial's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from ganbench import pictures
from ganbench.contracts.images import LabeledImages, quantise
from ganbench.models import sampling
from ganbench.models.label_source import LabelSource
from ganbench.models.networks import ConditionalGenerator
from ganbench.models.parts import Parts
from ganbench.pictures import frames
from ganbench.pictures.labels import label_name
from ganbench.records.training_settings import Frame
from ganbench.records.windows import Probe, Unit, Window
from ganbench.training import diagnosis

COLUMNS = 10
POINTS = 2500  # of a scatter
CALIBRATION = 512  # latents by which a generator on its way gets its batch norm's statistics
SAMPLES, CURVES = "samples.png", "curves.png"


class Gallery:
    """samples.png and progress.gif show the same latents; curves.png what was logged."""

    def __init__(
        self,
        parts: Parts,
        asked: LabelSource | None,
        seed: int,
        device: str,
        directory: Path,
        epoch: int | None = None,
    ) -> None:
        """`asked` are the training data's labels, where the generator heeds any.

        `epoch`: how many images one has, where training is told in epochs; else it is in kimg.
        """
        self.unit: Unit = "epochs" if epoch else "kimg"
        image = parts.image
        self.device = torch.device(device)
        self.directory = directory
        self.is_plane = image.resolution == 1 and image.channels == 2
        self.source = asked
        self.mixture = parts.dataset.mixture()
        self.latents, self.labels = self._asked(parts, seed)
        self.names, self.caption = self._names(parts)
        self._calibration = (
            sampling.draw_latents(parts.architecture, CALIBRATION, seed, "frames"),
            None if asked is None else asked.draw(CALIBRATION, seed, "labels of frames"),
        )
        self.checkerboard: tuple[float, float] | None = None  # of the finished G's samples
        self._frames = pictures.ProgressFrames(
            directory, COLUMNS, self.names, self.caption, self.mixture, epoch
        )

    def rewind(self, kimg: float) -> None:
        """Training begins, or goes on, from there."""
        self._frames.rewind(kimg)

    def frame(
        self,
        generator: ConditionalGenerator,
        kimg: float,
        kept: Sequence[Frame] = (),
        *,
        in_film: bool = True,
    ) -> tuple[Image, float]:
        """Draw what the fixed latents give now, as a frame of progress.gif and one for each `kept`.

        `in_film`: whether progress.gif has it.

        Returns its picture, and how different the samples are. `generator` is a copy: its batch
        norm is calibrated.
        """
        sampling.recalibrate(generator, *self._calibration, self.device)
        images = self._drawn(generator)
        picture = self._frames.add(kimg, images) if in_film else self._frames.drawn(images)
        for moment in kept:
            about = (self.directory, round(1000 * kimg), moment.title)
            if self.is_plane:
                frames.keep_plot(*about, picture)
            else:
                frames.keep(*about, images, COLUMNS, self.names, self.caption)
        return picture, diagnosis.diversity(images, self._same_label)

    def real_diversity(self, data: LabeledImages) -> float:
        """How different as many real images of the same labels are."""
        if self._same_label is None or data.labels is None:
            chosen = _spread(torch.arange(len(data)), len(self.latents))
            return diagnosis.diversity(data.images[chosen])
        classes = self._same_label.unique().tolist()
        of_classes = [(data.labels == label).nonzero().flatten() for label in classes]
        chosen = torch.cat([_spread(of_class, COLUMNS) for of_class in of_classes])
        return diagnosis.diversity(data.images[chosen], data.labels[chosen])

    def real_checkerboard(self, data: LabeledImages) -> tuple[float, float] | None:
        """How much of a checkerboard as many real images have."""
        if self.is_plane:
            return None
        chosen = _spread(torch.arange(len(data)), len(self.latents))
        return diagnosis.checkerboard(data.images[chosen])

    def finish(
        self,
        generator: ConditionalGenerator,
        windows: Sequence[Window],
        probes: Sequence[Probe] = (),
    ) -> None:
        """Write all pictures. `generator` is the trained one, its batch norm calibrated."""
        images, path = self._drawn(generator), self.directory / SAMPLES
        self.checkerboard = None if self.is_plane else diagnosis.checkerboard(images)
        if self.is_plane:
            self._frames.plot.save(images.flatten(1), path)
        else:
            pictures.save_grid(images, COLUMNS, path, self.names, self.caption)
        self.end_early(windows, probes)

    def show(self, drawn: LabeledImages, directory: Path) -> None:
        """Write a picture of the first of what a sampler drew."""
        path, first = directory / SAMPLES, drawn.images[: POINTS if self.is_plane else COLUMNS**2]
        if self.is_plane:
            self._frames.plot.save(first.flatten(1), path)
        elif len(first):
            images = quantise(first) if first.is_floating_point() else first
            pictures.save_grid(images, COLUMNS, path)

    def end_early(self, windows: Sequence[Window], probes: Sequence[Probe] = ()) -> None:
        """Write what there is without a trained generator."""
        self._frames.finish()
        pictures.save_curves(windows, self.directory / CURVES, self.unit, probes)

    @property
    def _same_label(self) -> Tensor | None:
        """The classes within which samples are compared; vectors are rarely the same."""
        told = self.source is not None and self.labels is not None and self.labels.ndim == 1
        return self.labels if told else None

    def _drawn(self, generator: ConditionalGenerator) -> Tensor:
        images = sampling.generate(generator, self.latents, self.labels, self.device)
        return images if self.is_plane else quantise(images)

    def _asked(self, parts: Parts, seed: int) -> tuple[Tensor, Tensor | None]:
        """Rows are labels and columns latents; without labels, every image has its own latent."""
        if self.is_plane:
            latents = sampling.draw_latents(parts.architecture, POINTS, seed, "picture")
            return latents, None if self.source is None else self.source.spread(POINTS)
        if self.source is None:
            count = COLUMNS * COLUMNS
            return sampling.draw_latents(parts.architecture, count, seed, "picture"), None
        if parts.image.condition_dim:
            labels = self.source.spread(COLUMNS).repeat_interleave(COLUMNS, 0)
        else:
            labels = pictures.grid_labels(parts.image.num_classes, COLUMNS)
        latents = sampling.draw_latents(parts.architecture, COLUMNS, seed, "picture")
        return latents.repeat(len(labels) // COLUMNS, 1), labels

    def _names(self, parts: Parts) -> tuple[list[str], str]:
        """Return what stands before each row, and below all where not all classes have one."""
        if self.is_plane or self.source is None or self.labels is None:
            return [], ""
        if parts.image.condition_dim:
            return [label_name(vector, ()) for vector in self.labels[::COLUMNS]], ""
        shown = pictures.grid_classes(parts.image.num_classes)
        names = parts.dataset.class_names()
        total = parts.image.num_classes
        caption = f"{len(shown)} of {total} classes" if len(shown) < total else ""
        return [names[label] if names else str(label) for label in shown], caption


def _spread(indices: Tensor, count: int) -> Tensor:
    """So many of them, evenly spread: neighbours in a folder may be alike."""
    places = torch.linspace(0, len(indices) - 1, min(count, len(indices)))
    return indices[places.round().long()]

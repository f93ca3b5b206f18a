"""What is seen of a generator on its way: frames of the fixed latents, numbers, callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL.Image import Image

from ganbench.contracts.callbacks import Probed
from ganbench.contracts.feature_extractors import FeatureExtractor
from ganbench.contracts.images import LabeledImages
from ganbench.contracts.metrics import Metric
from ganbench.evaluation import trial_evaluation, watches
from ganbench.evaluation.evaluate import evaluate
from ganbench.evaluation.loading import load
from ganbench.models import calibration
from ganbench.models.parts import Parts
from ganbench.models.sampling import Sampler
from ganbench.models.trained import Snapshot
from ganbench.pictures import points
from ganbench.records import windows
from ganbench.records.cells import Cell
from ganbench.records.run_folder import PROBES
from ganbench.records.windows import Probe
from ganbench.registry.registry import Registry
from ganbench.runs import held_data
from ganbench.runs.callbacks import Callbacks
from ganbench.runs.trial_pictures import Gallery
from ganbench.training import readahead
from ganbench.util import files


@dataclass
class Seen:
    """What was found so far, which a checkpoint keeps."""

    probes: list[Probe] = field(default_factory=list)  # that metrics watch
    followed: list[Probe] = field(default_factory=list)  # of `evaluation.every`
    diversity: list[tuple[float, float]] = field(default_factory=list)  # by kimg
    errors: list[str] = field(default_factory=list)  # of metrics

    def plain(self) -> dict[str, Any]:
        """Return it as a checkpoint holds it."""
        return asdict(self)

    def add(self, kept: dict[str, Any]) -> None:
        """Go on from what a checkpoint held, also one of before, which had not all of it."""
        self.probes += [Probe(**probe) for probe in kept["probes"]]
        self.followed += [Probe(**probe) for probe in kept.get("followed", [])]
        self.diversity += kept["diversity"]
        self.errors += kept.get("errors", [])


class Looks:
    """Looks at copies of a generator while it trains, and changes nothing of the training."""

    def __init__(
        self,
        cell: Cell,
        parts: Parts,
        data: LabeledImages,
        plugins: Registry,
        directory: Path,
        gallery: Gallery,
        sampler: Sampler,
        judge: FeatureExtractor | None = None,
    ) -> None:
        """`gallery` keeps the frames; `sampler` draws what numbers are taken of."""
        self.judge = judge
        self.cell, self.parts, self.data, self.plugins = cell, parts, data, plugins
        self.directory, self.gallery, self.sampler = directory, gallery, sampler
        self.seen = Seen()
        self.watched = watches.Watched.of(parts.metrics)
        self.cheap = watches.cheap(parts.metrics, plugins)
        end = round(1000 * cell.schedule.kimg)
        followed = cell.followed
        self._kept_frames = list(followed.frames)
        self._usual = points(end)  # whose diversity a diagnosis goes by
        asked = {*followed.probes, *(frame.images for frame in followed.frames)}
        self._film = sorted({*asked, end} if followed.frames else {*asked, *self._usual})
        self._watching = self.watched.images(cell.schedule.kimg)
        self._following = list(followed.probes)
        (directory / PROBES).unlink(missing_ok=True)

    @property
    def moments(self) -> list[int]:
        """After how many real images there is anything to look at."""
        return sorted({*self._usual, *self._film, *self._watching, *self._following})

    def resume(self, kept: dict[str, Any], images: int) -> None:
        """Go on from what a checkpoint held, after so many images."""
        for waiting in (self._usual, self._film, self._watching, self._following):
            take_passed(waiting, images)
        self._kept_frames = [f for f in self._kept_frames if f.images > images]
        self.seen.add(kept)
        for probe in self.seen.followed:
            windows.append_probe(self.directory / PROBES, probe)

    def take(self, snapshot: Snapshot, epoch: int, callbacks: Callbacks) -> None:
        """Draw and measure what is due. `epoch`: how many images one has."""
        picture, kimg = None, snapshot.images / 1000
        values: dict[str, float | None] = {}
        usual, film = (take_passed(due, snapshot.images) for due in (self._usual, self._film))
        if usual or film:
            kept = [f for f in self._kept_frames if f.images <= snapshot.images]
            del self._kept_frames[: len(kept)]
            picture, diversity = self.gallery.frame(snapshot.generator, kimg, kept, in_film=film)
            if usual:
                self.seen.diversity.append((kimg, diversity))
        if take_passed(self._watching, snapshot.images):
            watched = self.watched
            probe = self._measured(snapshot, watched.metrics, watched.num_samples, watched.columns)
            self.seen.probes.append(probe)
            values |= probe.values
        if take_passed(self._following, snapshot.images):
            count = min(self.cell.num_samples, watches.FEW_SAMPLES)
            probe = self._measured(snapshot, self.cheap, count)
            self.seen.followed.append(probe)
            windows.append_probe(self.directory / PROBES, probe)
            values |= probe.values
        callbacks.probed(partial(self._shown, snapshot, epoch, values, picture))

    def _shown(
        self,
        snapshot: Snapshot,
        epoch: int,
        values: dict[str, float | None],
        picture: Image | None,
    ) -> Probed:
        """Return what a callback is told of a snapshot, in a copy of its own."""
        labels, device = self.gallery.labels, self.gallery.device
        return Probed(
            kimg=snapshot.images / 1000,
            epoch=snapshot.images / epoch,
            seconds=snapshot.seconds,
            values=dict(values),
            picture=None if picture is None else picture.copy(),
            generator=calibration.copied(snapshot.generator).eval(),
            latents=self.gallery.latents.to(device, copy=True),
            labels=None if labels is None else labels.to(device, copy=True),
        )

    def _measured(
        self,
        snapshot: Snapshot,
        metrics: Sequence[Metric],
        num_samples: int,
        columns: frozenset[str] | None = None,
    ) -> Probe:
        """Return these columns of the metrics, of so many samples; None: all columns."""
        self.sampler.calibrate(snapshot.generator)

        def drawn() -> LabeledImages:
            return self.sampler.draw(snapshot.generator, num_samples)[0]

        def again() -> tuple[LabeledImages, LabeledImages]:
            return load(self.parts.dataset, "train", files.data()), drawn()

        judge = trial_evaluation.TrialEvaluation(
            self.parts.dataset,
            self.data,
            drawn(),
            self.plugins,
            files.data(),
            again=again,
            judge=self.judge,
            device=self.sampler.device,
        )
        with readahead.in_order(self.data.images):
            evaluated = evaluate(metrics, judge)
        held_data.hold_all(self.directory, self.cell.dataset, judge.real_data.seen())
        self.seen.errors += evaluated.errors
        found = {v.column.name: v for v in evaluated.values}
        asked = {n: v for n, v in found.items() if columns is None or n in columns}
        return Probe(
            snapshot.images / 1000,
            snapshot.seconds,
            {name: v.value for name, v in asked.items()},
            {name: v.column.direction for name, v in asked.items()},
        )


def take_passed(waiting: list[int], shown: int) -> bool:
    """Whether one of these numbers of images was reached; take those that were off the list."""
    reached = [images for images in waiting if images <= shown]
    del waiting[: len(reached)]
    return bool(reached)

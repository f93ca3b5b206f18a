"""Images that no cell made, judged as a generator's samples are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import LabeledImages
from ganbench.contracts.metrics import Metric
from ganbench.errors import noting
from ganbench.evaluation import controls, trial_evaluation
from ganbench.evaluation.judges import choice as judges
from ganbench.evaluation.loading import load
from ganbench.evaluation.real_data import digest
from ganbench.records import cells, results
from ganbench.records.results import TrialResult
from ganbench.records.run_folder import FORESEEN, Trial
from ganbench.registry import registry
from ganbench.runs import held_data, outside
from ganbench.runs.clock import Clock
from ganbench.runs.held_data import Held
from ganbench.runs.judging import judged, loading
from ganbench.util import files


def judge_control(
    trial: Trial,
    reference: cells.Reference,
    plugins: registry.Registry,
    directory: Path,
    clock: Clock,
) -> TrialResult:
    """Return how the images of a reference row are judged.

    `clock` is told of what each part took.
    """
    metrics = [plugins.build_spec(spec) for spec in reference.metrics]
    foresee = partial(results.write, directory / FORESEEN)
    return measured(trial, reference, metrics, plugins, directory, clock, foresee)


def measured(
    trial: Trial,
    reference: cells.Reference,
    metrics: Sequence[Metric],
    plugins: registry.Registry,
    directory: Path,
    clock: Clock,
    foresee: Callable[[TrialResult], None],
) -> TrialResult:
    """Return what these metrics say of the images of a reference row.

    `foresee` is given, before each metric, the result if that ends the process.
    """
    dataset = plugins.build_spec(reference.dataset)
    make = partial(_made, trial, reference, dataset, plugins)
    with clock.part("data"), noting(partial(loading, reference.dataset)):
        made = make()
    for split, images in ((made.split, made.train), ("test", made.test)):
        if images is not None:
            found = Held.of(reference.dataset, split, digest(images), len(images))
            held_data.hold(directory, found)

    with clock.part("judge") if reference.judge else nullcontext():
        whole = made.train if made.split == "train" else None
        of_classes = judges.found(reference.judge, dataset, files.data(), whole)

    def again() -> tuple[LabeledImages, LabeledImages]:
        return (now := make()).train, now.samples

    judge = trial_evaluation.TrialEvaluation(
        dataset,
        made.train,
        made.samples,
        plugins,
        files.data(),
        split=made.split,
        again=again,
        sampler=_told(reference),
        judge=of_classes,
        device=trial.device,
    )
    with clock.part("evaluate"):
        result = judged(judge, metrics, foresee)
    held_data.hold_all(directory, reference.dataset, judge.real_data.seen())
    return result


def _made(
    trial: Trial, reference: cells.Reference, dataset: Dataset, plugins: registry.Registry
) -> controls.Judged:
    root = files.data()
    if reference.control is not None:
        return controls.make(reference.control, dataset, reference.num_samples, root)
    reading = outside.Reading(plugins, trial.plugins, trial.device)
    samples = outside.images_of(reference, dataset, reading)
    if reference.samples and reference.samples.source == reference.dataset:
        return controls.Judged(samples, samples, "no real images")
    return controls.Judged(load(dataset, "train", root), samples)


def _told(reference: cells.Reference) -> dict[str, Any] | None:
    """Return what protocols say of who made the images: nothing of real ones."""
    if reference.samples is None:
        return None
    return {"name": outside.SAMPLER, **reference.samples.told}

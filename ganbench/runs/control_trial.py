"""Real images judged as a generator's samples are."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ganbench.contracts.images import LabeledImages
from ganbench.errors import noting
from ganbench.evaluation import controls, trial_evaluation
from ganbench.evaluation.real_data import digest
from ganbench.records import cells, results
from ganbench.records.results import TrialResult
from ganbench.records.run_folder import FORESEEN
from ganbench.registry import registry
from ganbench.runs import held_data
from ganbench.runs.clock import Clock
from ganbench.runs.held_data import Held
from ganbench.runs.judging import judged, loading
from ganbench.util import files


def judge_control(
    reference: cells.Reference,
    plugins: registry.Registry,
    directory: Path,
    clock: Clock,
) -> TrialResult:
    """Return how real images are judged; `clock` is told of what each part took."""
    dataset = plugins.build_spec(reference.dataset)
    with clock.part("data"), noting(partial(loading, reference.dataset)):
        make = partial(
            controls.make, reference.control, dataset, reference.num_samples, files.data()
        )
        made = make()
    for split, images in ((made.split, made.train), ("test", made.test)):
        if images is not None:
            found = Held.of(reference.dataset, split, digest(images), len(images))
            held_data.hold(directory, found)

    def again() -> tuple[LabeledImages, LabeledImages]:
        return (now := make()).train, now.samples

    judge = trial_evaluation.TrialEvaluation(
        dataset, made.train, made.samples, plugins, files.data(), split=made.split, again=again
    )
    with clock.part("evaluate"):
        metrics = [plugins.build_spec(spec) for spec in reference.metrics]
        result = judged(judge, metrics, partial(results.write, directory / FORESEEN))
    held_data.hold_all(directory, reference.dataset, judge.real_data.seen())
    return result

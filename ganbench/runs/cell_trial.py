"""One cell with one seed: trained, drawn, kept and judged."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ganbench.contracts.callbacks import Callback
from ganbench.contracts.images import LabeledImages
from ganbench.contracts.metrics import Metric
from ganbench.errors import Diverged, Terminated, noting
from ganbench.evaluation import trial_evaluation
from ganbench.evaluation.judges import choice as judges
from ganbench.evaluation.loading import load
from ganbench.evaluation.real_data import digest
from ganbench.models import calibration
from ganbench.models.parts import Parts
from ganbench.models.sampling import make_sampler
from ganbench.models.saved import files as saved
from ganbench.models.trained import Snapshot, TrainingResult
from ganbench.records import cells, results, windows
from ganbench.records.results import (
    ENOUGH_ITERATIONS,
    Finding,
    Parameters,
    TrainingCounts,
    TrialResult,
)
from ganbench.records.run_folder import (
    FORESEEN,
    OPEN_WINDOW,
    STATE,
    WINDOWS,
    Trial,
    pictures_in,
)
from ganbench.records.status import Status
from ganbench.records.training_settings import Continued
from ganbench.records.windows import DISTURBED, Probe, Timings, Window
from ganbench.registry import registry
from ganbench.runs import continuing, draws, held_data, neighbours
from ganbench.runs.callbacks import Callbacks
from ganbench.runs.clock import Clock
from ganbench.runs.draws import Foresee, lacking
from ganbench.runs.held_data import Held
from ganbench.runs.judging import judged, loading
from ganbench.runs.looks import Looks
from ganbench.runs.sampled import Sampled, Samplers, beside
from ganbench.runs.trial_pictures import Gallery
from ganbench.training import diagnosis, readahead
from ganbench.training.build import make_trainer
from ganbench.training.trainer import Trainer
from ganbench.util import ending, files, gpus
from ganbench.util.random_streams import accelerators

logger = logging.getLogger(__name__)


class CellTrial:
    """A training with everything that it needs: data, networks, pictures, checkpoints, callbacks.

    `prepare` makes one; `run` carries it out.
    """

    def __init__(
        self,
        trial: Trial,
        cell: cells.Cell,
        plugins: registry.Registry,
        parts: Parts,
        data: LabeledImages,
        held: Held,
        directory: Path,
        callbacks: list[Callback],
        clock: Clock,
    ) -> None:
        self.trial, self.cell, self.plugins, self.directory = trial, cell, plugins, directory
        self.parts, self.data, self.held = parts, data, held
        self.clock = clock
        self.resumed_at: float | None = None  # kimg
        self._waiting = neighbours.Waiting(trial.threads)  # of the window that is open
        self._log = _logger(directory)
        uniform = cell.judged_labels == "uniform"
        self.sampler = make_sampler(parts, data, trial.seed, trial.device, uniform=uniform)
        self.samplers = Samplers(cell, parts, self.sampler)
        batch, in_epochs = cell.schedule.batch_size, cell.followed.unit == "epochs"
        epoch = len(data) // batch * batch if in_epochs else None
        asked = self.sampler.asked
        self.gallery = Gallery(parts, asked, trial.seed, trial.device, directory, epoch)
        with clock.part("judge") if cell.judge else nullcontext():
            self.judge = judges.found(cell.judge, parts.dataset, files.data(), data)
        self.looks = Looks(
            cell, parts, data, plugins, directory, self.gallery, self.sampler, self.judge
        )
        self.trainer = make_trainer(
            cell,
            parts,
            data,
            trial.seed,
            trial.device,
            self._on_window,
            on_open=partial(windows.write_open, directory / OPEN_WINDOW),
            snapshots_at=self.looks.moments,
            on_snapshot=self._on_snapshot,
        )
        self.callbacks = Callbacks(callbacks, accelerators(self.trainer.device))
        for kind in calibration.not_renewed(self.trainer.generator):
            logger.warning("%s: %s", kind, calibration.NOT_RENEWED)
        self.kept = continuing.kept(trial, directory, held)
        self.state = replace(self.kept, path=directory / STATE, every_seconds=math.inf)

    @classmethod
    def prepare(
        cls,
        trial: Trial,
        cell: cells.Cell,
        plugins: registry.Registry,
        directory: Path,
        callbacks: list[Callback],
        clock: Clock,
    ) -> CellTrial:
        """Return the trial as it begins, or as it goes on from a checkpoint.

        `callbacks` is filled with those that were told of the beginning, and `clock`, here and by
        `run`, told of what each part took, also where it ends with an exception.
        """
        parts = Parts.of(cell, plugins)
        with clock.part("data"), noting(partial(loading, cell.dataset)):
            data = load(parts.dataset, "train", files.data())
            held = Held.of(cell.dataset, "train", digest(data), len(data))
        held_data.hold(directory, held)
        with clock.part("prepare"):
            made = cls(trial, cell, plugins, parts, data, held, directory, callbacks, clock)
            made.callbacks.begin(trial, cell, plugins, directory)
            made._resume()
        return made

    def run(self) -> TrialResult:
        """Train, draw, keep and judge. Return the result, but for the clock and the environment."""
        where = partial(_whereabouts, self.trial, self.cell, self.trainer)
        before, reading = self.trainer.progress.iteration, readahead.at_random(self.data.images)
        waiting = self._waiting = neighbours.Waiting(self.trial.threads)
        with self.clock.part("train"), noting(where), reading:
            may_end = nullcontext() if self.trial.checkpoint is None else ending.heeded()
            try:
                with files.folder_put_back(), may_end:
                    trained = self.trainer.run()
                at_end = self.trainer.state()
                if trained.without_graph:
                    logger.warning("no graph of its iterations: %s", trained.without_graph)
                if self.trial.keep_state and self.trainer.progress.iteration > before:
                    self.state.save(at_end, self._beside())  # sampling changes what norms keep
            except Diverged as error:
                return self._diverged(error)
            finally:
                (self.directory / OPEN_WINDOW).unlink(missing_ok=True)
        with self.clock.part("sample"):
            self.sampler.calibrate(trained.generator)
            first = self.samplers.drawn(trained, 0)
            kept_waiting = waiting.share()
            saved.write(self.directory, self.trial, self.parts, self.data, trained)
            self.gallery.finish(trained.generator, trained.windows, self._probes)
        timings = Timings(
            train_seconds=trained.seconds,
            images_per_second=tuple(w.images_per_second for w in trained.windows),
            g_steps_per_second=tuple(w.g_steps_per_second for w in trained.windows),
            samples_per_second=first.per_second,
            **gpus.peaks(self.trial.device),
            alone=self.trial.alone and (kept_waiting or 0.0) <= DISTURBED,
            kept_waiting=kept_waiting,
            without_graph=trained.without_graph,
        )
        whole = partial(self._with_training, trained, timings)

        def foresee(found: TrialResult) -> None:
            results.write(self.directory / FORESEEN, whole(found))

        judged = self._judge(first, trained, timings, foresee)
        judged = self._with_others(judged, trained, timings, foresee)
        if judged.errors:  # so that they are asked again, and nothing is trained again
            self.kept.save(at_end, self._beside())
        saved.write_card(self.directory, judged.metrics, judged.data)
        diagnosed = self._diagnosis({m.column.name: m.value for m in judged.metrics})
        return replace(whole(judged), diagnosis=diagnosed)

    def _with_training(
        self, trained: TrainingResult, timings: Timings, judged: TrialResult
    ) -> TrialResult:
        return replace(
            judged,
            probes=tuple(self.looks.seen.probes),
            followed=tuple(self.looks.seen.followed),
            errors=tuple(dict.fromkeys([*self.looks.seen.errors, *judged.errors])),
            resumed_at_kimg=self.resumed_at,
            training=_counts(trained),
            parameters=_parameters(trained),
            timings=timings,
        )

    def _resume(self) -> None:
        """Go on from a checkpoint where there is one, or from where another run ended."""
        beside = self.kept.resume(self.trainer)
        if beside is None and self.cell.schedule.continues is not None:
            beside = self._continue(self.cell.schedule.continues)
        if beside is not None:
            self.resumed_at = (shown := self.trainer.progress.images) / 1000
            self.looks.resume(beside, shown)
            self.clock.add(beside.get("seconds", {}))
            for window in self.trainer.log.windows:
                self._tell(window)
        else:
            self.trainer.begin()
        self.gallery.rewind(self.resumed_at or 0.0)

    def _continue(self, continued: Continued) -> dict[str, Any]:
        """Take over what another run's trial ended with, but for when to look at the generator."""
        state, beside = continuing.state_of(continued, self.trial.seed, self.held)
        ahead = [n for n in self.looks.moments if n > state.progress.images]
        self.trainer.restore(replace(state, snapshots_at=ahead))
        return beside

    def _diverged(self, error: Diverged) -> TrialResult:
        self.gallery.end_early(self.trainer.log.windows, self._probes)
        diagnosed = self._diagnosis({}, failure=str(error))
        return TrialResult(status=Status.DIVERGED, reason=str(error), diagnosis=diagnosed)

    def _tell(self, window: Window) -> None:
        self._log(window)
        self.callbacks.window(window)

    def _on_window(self, window: Window) -> None:
        self._tell(replace(window, kept_waiting=self._waiting.share()))
        self._waiting = neighbours.Waiting(self.trial.threads)
        self.kept.save_in_time(self.trainer, self._beside())
        if ending.asked():
            self.kept.save(self.trainer.state(), self._beside())
            raise Terminated

    def _beside(self) -> dict[str, Any]:
        """Return what belongs to a checkpoint beside the trainer's state."""
        return {**self.looks.seen.plain(), "seconds": self.clock.seconds()}

    @property
    def _probes(self) -> list[Probe]:
        """All numbers that were taken on the way, in order of time."""
        seen = self.looks.seen
        return sorted([*seen.probes, *seen.followed], key=lambda probe: probe.kimg)

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        epoch = self.trainer.batches.per_epoch * self.cell.schedule.batch_size
        self.looks.take(snapshot, epoch, self.callbacks)

    def _again(self, drawn: Callable[[], LabeledImages]) -> tuple[LabeledImages, LabeledImages]:
        """Return the real images and the samples another time."""
        return load(self.parts.dataset, "train", files.data()), drawn()

    def _diagnosis(self, values: dict[str, float | None], failure: str = "") -> tuple[Finding, ...]:
        """Say what went wrong by the look of it, in the log too."""
        mixture = self.parts.dataset.mixture()
        found = diagnosis.diagnose(
            diagnosis.Evidence(
                windows=self.trainer.log.windows,
                diversity=self.looks.seen.diversity,
                real_diversity=self.gallery.real_diversity(self.data),
                values=values,
                num_modes=self.parts.image.num_classes if mixture is None else len(mixture.centers),
                num_samples=self.cell.num_samples,
                failure=failure,
                checkerboard=self.gallery.checkerboard,
                real_checkerboard=self.gallery.real_checkerboard(self.data),
                setup=diagnosis.Setup.of(
                    self.parts, self.cell.schedule, self.cell.d_norm, len(self.data)
                ),
            )
        )
        if found:
            logger.warning("%s", diagnosis.lines(found))
        if self.trainer.progress.iteration < ENOUGH_ITERATIONS and not failure:
            logger.info("too short to diagnose: %d iterations", self.trainer.progress.iteration)
        return tuple(found)

    def _with_others(
        self,
        judged: TrialResult,
        trained: TrainingResult,
        timings: Timings,
        foresee: Foresee,
    ) -> TrialResult:
        """Draw and judge by the samplers beside the first, one after the other."""
        for number, name in list(enumerate(self.samplers.names))[1:]:
            why = f"sampler '{name}': the process ended while it drew"
            nothing = lacking(judged, why, why, self.parts.metrics)
            foresee(beside(judged, name, None, nothing))
            with self.clock.part("sample"):
                drawn = self.samplers.drawn(trained, number)
            add = partial(beside, judged, name, drawn.per_second)
            of_it = replace(timings, samples_per_second=drawn.per_second)
            judged = add(
                self._judge(drawn, trained, of_it, lambda found, add=add: foresee(add(found)))  # type: ignore[misc]
            )
        return judged

    def _judge(
        self,
        drawn: Sampled,
        trained: TrainingResult,
        timings: Timings,
        foresee: Foresee,
    ) -> TrialResult:
        """Judge what a sampler drew, and what it draws again by other random streams."""
        directory = pictures_in(self.directory, drawn.sampler)
        if directory != self.directory:
            directory.mkdir(parents=True, exist_ok=True)
            self.gallery.show(drawn.images, directory)
        metrics = draws.of_samples(self.parts.metrics)

        def again(draw: int, foresee: Foresee) -> TrialResult:
            why = f"sampler '{drawn.sampler}': the process ended while it drew"
            foresee(lacking(TrialResult(), why, why, metrics))
            with self.clock.part("sample"):
                other = self.samplers.drawn(trained, drawn.number, draw)
            return self._judge_draw(other, metrics, trained, timings, None, foresee)

        first = self._judge_draw(drawn, self.parts.metrics, trained, timings, directory, foresee)
        count = self.cell.sampling_seeds if metrics else 1
        return draws.over_draws(first, count, again, foresee)

    def _judge_draw(
        self,
        drawn: Sampled,
        metrics: Sequence[Metric],
        trained: TrainingResult,
        timings: Timings,
        directory: Path | None,
        foresee: Foresee,
    ) -> TrialResult:
        judge = trial_evaluation.TrialEvaluation(
            self.parts.dataset,
            self.data,
            drawn.images,
            self.plugins,
            files.data(),
            timings,
            windows=trained.windows,
            probes=tuple(self.looks.seen.probes),
            directory=directory,
            again=partial(
                self._again,
                lambda: self.samplers.drawn(trained, drawn.number, drawn.draw).images,
            ),
            sampler=drawn.protocol,
            judge=self.judge,
            generator=drawn.generator,
            device=self.sampler.device,
        )
        with self.clock.part("evaluate"):
            found = judged(judge, () if drawn.reason else metrics, foresee)
        if found.data:  # a file that is mapped into memory may have changed meanwhile
            now = replace(self.held, sha256=found.data.sha256, num_images=found.data.num_images)
            held_data.check(self.held, now)
        held_data.hold_all(self.directory, self.cell.dataset, judge.real_data.seen())
        return lacking(found, drawn.reason, drawn.error, metrics) if drawn.reason else found


def _counts(trained: TrainingResult) -> TrainingCounts:
    progress = trained.progress
    return TrainingCounts(
        progress.images, progress.iteration, progress.g_updates, progress.d_updates
    )


def _parameters(trained: TrainingResult) -> Parameters:
    return Parameters(
        generator=sum(p.numel() for p in trained.generator.parameters()),
        discriminator=sum(p.numel() for p in trained.discriminator.parameters()),
    )


def _logger(directory: Path) -> Callable[[Window], None]:
    """Return what appends windows to metrics.jsonl, for whoever follows the trial."""
    path = directory / WINDOWS
    path.unlink(missing_ok=True)
    return partial(windows.append, path)


def _whereabouts(trial: Trial, cell: cells.Cell, trainer: Trainer) -> str:
    parts = dict.fromkeys(f"{s.kind} '{s.name}' of {s.source}" for s in cell.trained_specs())
    return (
        f"while training cell {cell.label} with seed {trial.seed}, after "
        f"{trainer.progress.iteration} iterations: {', '.join(parts)}"
    )

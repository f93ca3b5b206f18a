"""New columns for a finished run: samples drawn again of its saved models, and nothing trained."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

import ganbench
from ganbench.archive.long_form import write_records
from ganbench.config.plan import metrics_of
from ganbench.config.workshop import Workshop
from ganbench.contracts.images import LabeledImages
from ganbench.contracts.metrics import Metric
from ganbench.errors import DataError, GanbenchError, RunError
from ganbench.evaluation.judges import choice as judges
from ganbench.evaluation.judges.judge import Judge
from ganbench.evaluation.loading import load
from ganbench.evaluation.real_data import digest
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.models.parts import Parts, check_sources
from ganbench.models.sampling import make_sampler
from ganbench.models.saved.files import CONFIG
from ganbench.models.saved.model import load_model
from ganbench.models.trained import TrainingResult
from ganbench.records import additions
from ganbench.records.additions import About, Addition, Redrawn
from ganbench.records.cells import Cell, Spec
from ganbench.records.results import Environment, SamplerResult, TrialResult
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.status import Status
from ganbench.registry.registry import Registry
from ganbench.runs import control_trial, draws, runner
from ganbench.runs.clock import Clock
from ganbench.runs.evaluating import choices
from ganbench.runs.judging import judged
from ganbench.runs.provenance import now
from ganbench.runs.sampled import Sampled, Samplers
from ganbench.util import files, machine
from ganbench.util.process_settings import as_in_a_new_process

TOLD = 3  # different reasons that an error gives
Tell = Callable[[str], None]


@dataclass
class Added:
    """What came of it, trial by trial."""

    to: list[str] = field(default_factory=list)  # labels of trials that have new columns
    left_out: dict[str, str] = field(default_factory=dict)  # trials without, and why
    errors: list[str] = field(default_factory=list)  # of metrics


def add(
    run: Run,
    metrics: Sequence[str],
    registry: Registry,
    tell: Tell,
    *,
    judge: str | None = None,
    allow_other_versions: bool = False,
) -> Added:
    """Measure these metrics of every trial that went well, beside what was measured of it.

    A `judge` is named as in a benchmark file; None: that of the run. `registry` has the run's
    plugins. Raises GanbenchError where nothing can be added.
    """
    found, workshop = Added(), Workshop(registry)
    chosen = choices(metrics)
    with runner.locked(run), _inside(run):
        data = _Data(registry)
        for outcome in map(partial(_with_judge, judge, registry), run.outcomes()):
            label = _called(outcome)
            subject = outcome.trial.subject
            specs = metrics_of(chosen, subject.dataset, workshop, "--metrics")
            if why := _why_none(outcome, specs, registry):
                found.left_out[label] = why
                continue
            check_sources((subject.dataset,), registry)
            tell(f"{label}: {', '.join(spec.name for spec in specs)}")
            one = _Trial(outcome, specs, data, allow_other_versions)
            with as_in_a_new_process():
                addition = one.measured()
            additions.write(outcome.directory, (*outcome.additions, addition))
            found.to.append(label)
            found.errors += addition.result.errors
        write_records(run)
    if not found.to:
        reasons = {why: label for label, why in reversed(found.left_out.items())}
        told = "; ".join(f"{label}: {why}" for why, label in list(reasons.items())[:TOLD])
        raise RunError(f"{run.directory}: nothing was added: {told}")
    return found


def _with_judge(judge: str | None, registry: Registry, outcome: TrialOutcome) -> TrialOutcome:
    """Return a trial with another judge of classes."""
    if judge is None:
        return outcome
    trial = outcome.trial
    chosen = judges.planned(judge, registry.build_spec(trial.subject.dataset))
    cell = trial.cell and replace(trial.cell, judge=chosen)
    reference = trial.reference and replace(trial.reference, judge=chosen)
    return replace(outcome, trial=replace(trial, cell=cell, reference=reference))


def _called(outcome: TrialOutcome) -> str:
    trial = outcome.trial
    return f"{trial.subject.label} seed {trial.seed}" if trial.cell else trial.subject.label


def _why_none(outcome: TrialOutcome, specs: Sequence[Spec], registry: Registry) -> str:
    """Return why nothing is to be measured of a trial; "" where something is."""
    if outcome.status is not Status.OK:
        reason = f": {outcome.reason}" if outcome.reason else ""
        return f"the trial is {outcome.status}{reason}"
    if not _lacking(outcome.result, [registry.build_spec(spec) for spec in specs]):
        return "all of these columns were measured before, and none is measured again"
    if outcome.trial.cell and not (outcome.directory / CONFIG).is_file():
        return (
            "its model was not kept, so that no samples can be drawn again; execution.keep: model "
            "keeps them"
        )
    return ""


def _lacking(result: TrialResult, metrics: Sequence[Metric]) -> list[Metric]:
    """Return the metrics of which a column has no value."""
    there = {one.column.name for one in result.metrics if one.value is not None}
    return [m for m in metrics if not there.issuperset(column.name for column in m.columns)]


@contextmanager
def _inside(run: Run) -> Iterator[None]:
    """Be where the run was begun, where its relative paths begin; of a copied run, here."""
    begun = Path(run.info.cwd)
    with files.folder_put_back():
        if begun.is_dir():
            os.chdir(begun)
        yield


class _Data:
    """Training sets, of which the last one is kept."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._last: tuple[Spec, LabeledImages] | None = None

    def of(self, spec: Spec) -> LabeledImages:
        if self._last is None or self._last[0] != spec:
            dataset = self.registry.build_spec(spec)
            self._last = spec, load(dataset, "train", files.data())
        return self._last[1]


class _Trial:
    """One trial, judged again by other metrics."""

    def __init__(
        self,
        outcome: TrialOutcome,
        specs: Sequence[Spec],
        data: _Data,
        allow_other_versions: bool,
    ) -> None:
        self.outcome, self.data, self.allow_others = outcome, data, allow_other_versions
        registry = data.registry
        self.metrics = _lacking(outcome.result, [registry.build_spec(spec) for spec in specs])
        self.device = _device(outcome.trial.device)
        self.judge: Judge | None = None

    def measured(self) -> Addition:
        """Draw, judge, and return what is to be written."""
        trial = self.outcome.trial
        torch.set_num_threads(self._threads)
        found = self._of_cell(trial.cell) if trial.cell else self._of_reference()
        kept = TrialResult(
            status=Status.OK,
            metrics=found.metrics,
            protocols=found.protocols,
            metric_seconds=found.metric_seconds,
            errors=found.errors,
            samplers=found.samplers,
            drawn=found.drawn,
            environment=Environment(
                ganbench.__version__,
                str(torch.__version__),
                platform.python_version(),
                self.device,
                self._threads,
            ),
        )
        own = self.outcome.result.drawn
        about = About(now(), tuple(sys.argv), _redrawn(own, found.drawn), own)
        return Addition(about, kept)

    @property
    def _threads(self) -> int:
        """As many as the trial had, for they decide the last bits of sums."""
        environment = self.outcome.result.environment
        return (environment and environment.threads) or self.outcome.trial.threads

    def _of_reference(self) -> TrialResult:
        trial = replace(self.outcome.trial, device=self.device)
        reference = trial.reference
        assert reference is not None
        return control_trial.measured(
            trial,
            reference,
            self.metrics,
            self.data.registry,
            self.outcome.directory,
            Clock(),
            lambda found: None,
        )

    def _of_cell(self, cell: Cell) -> TrialResult:
        trial, registry = self.outcome.trial, self.data.registry
        model = load_model(
            self.outcome.directory,
            device=self.device,
            plugins=trial.plugins,
            allow_other_versions=self.allow_others,
        )
        parts, data = Parts.of(cell, registry), self.data.of(cell.dataset)
        self._check_data(cell, data)
        uniform = cell.judged_labels == "uniform"
        sampler = make_sampler(parts, data, trial.seed, self.device, uniform=uniform)
        samplers, trained = Samplers(cell, parts, sampler), model.trained()
        self.judge = judges.found(cell.judge, parts.dataset, files.data(), data)
        found = self._judged(samplers, trained, 0, data)
        for number, name in list(enumerate(samplers.names))[1:]:
            one = self._judged(samplers, trained, number, data)
            found = replace(
                found,
                errors=(*found.errors, *(f"{error} (sampler {name})" for error in one.errors)),
                protocols=found.protocols | one.protocols,
                samplers=found.samplers
                | {name: SamplerResult(one.metrics, one.metric_seconds, drawn=one.drawn)},
            )
        return found

    def _judged(
        self, samplers: Samplers, trained: TrainingResult, number: int, data: LabeledImages
    ) -> TrialResult:
        """Judge what a sampler draws, as often as the cell's samples were drawn."""

        def of_draw(metrics: Sequence[Metric], draw: int) -> TrialResult:
            return self._of_draw(partial(samplers.drawn, trained, number, draw), metrics, data)

        others = draws.of_samples(self.metrics)
        return draws.over_draws(
            of_draw(self.metrics, 0),
            samplers.cell.sampling_seeds if others else 1,
            lambda draw, foresee: of_draw(others, draw),
            lambda found: None,
        )

    def _of_draw(
        self, draw: Callable[[], Sampled], metrics: Sequence[Metric], data: LabeledImages
    ) -> TrialResult:
        drawn, result = draw(), self.outcome.result
        if drawn.reason:
            return draws.lacking(TrialResult(), drawn.reason, drawn.error, metrics)
        dataset = self.data.registry.build_spec(self.outcome.trial.subject.dataset)
        judge = TrialEvaluation(
            dataset,
            data,
            drawn.images,
            self.data.registry,
            files.data(),
            result.timings,
            windows=self.outcome.windows,
            probes=result.probes,
            again=lambda: (load(dataset, "train", files.data()), draw().images),
            sampler=drawn.protocol,
            judge=self.judge,
            generator=drawn.generator,
            device=self.device,
        )
        return judged(judge, metrics, lambda found: None)

    def _check_data(self, cell: Cell, data: LabeledImages) -> None:
        known = self.outcome.result.data
        if known and known.sha256 != (now_there := digest(data)):
            raise DataError(
                f"{self.outcome.directory}: data set '{cell.dataset.name}' is not what the trial "
                f"was judged beside: SHA-256 {now_there[:12]}…, was {known.sha256[:12]}…; put the "
                "former data back"
            )


def _device(asked: str) -> str:
    """Return the device of the trial, or the CPU where there is no such device here."""
    try:
        return machine.resolve_device(asked)
    except GanbenchError:
        return "cpu"


def _redrawn(own: str, now_drawn: str) -> Redrawn:
    return "unknown" if not own else "identical" if own == now_drawn else "other"

"""How long the trials of a plan are expected to take, before any of them begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ganbench.contracts.metrics import Metric
from ganbench.evaluation import judging_time
from ganbench.evaluation.judges import choice as judges
from ganbench.evaluation.watches import FEW_SAMPLES, Watched, cheap
from ganbench.models.parts import has_mapping_network
from ganbench.models.sampling import calibration_samples
from ganbench.records.cells import Cell, Plan, Reference, networks_key
from ganbench.records.run_folder import Trial
from ganbench.records.run_info import Execution
from ganbench.registry.registry import Registry
from ganbench.runs.costs import Cost, Costs, real_share
from ganbench.runs.neighbours import yielding
from ganbench.training.time_estimate import Bound, Estimator
from ganbench.util import files


@dataclass(frozen=True)
class Expected:
    """What a trial of a cell, or a reference row, is expected to cost."""

    cost: Cost
    bound: Bound | None = None  # of the training


@dataclass(frozen=True)
class ExpectedRun:
    """What a seed of each cell of a plan is expected to cost, each reference, and what is around.

    `around` are the seconds before the first trial begins, of what metrics ask of real images
    alone, and after the last trial has ended.
    """

    cells: list[Expected]
    references: list[Expected]
    around: float

    def seconds(self, seeds: int, jobs: int) -> float:
        """Return how long all of it takes, with so many seeds of a cell and trials at once."""
        trials = [one.cost.total or 0.0 for one in (*self.cells * seeds, *self.references)]
        return self.around + max(sum(trials) / jobs, *trials, 0.0)

    def guessed(self, seeds: int, jobs: int) -> float:
        """Return what of that is for judging which is neither timed nor measured."""
        trials = [one.cost for one in (*self.cells * seeds, *self.references)]
        return sum(cost.judging for cost in trials if not cost.judging_is_timed) / jobs


def expected(plan: Plan, registry: Registry, execution: Execution) -> ExpectedRun:
    """Return what a run of a plan costs.

    What was timed on this machine before counts; else some steps are trained and some stand-ins
    judged here and now, and what they took is kept for the run's own forecast.
    """
    costs = Costs.kept()
    estimator = Estimator(registry, plan.device, execution.threads)
    trials = [
        *(_trial(plan, execution, cell=cell) for cell in plan.cells if not cell.incompatible),
        *(_trial(plan, execution, reference=one) for one in plan.references),
    ]
    with yielding(execution.threads):  # as a trial's threads do
        mapped = _mapped(trials, registry, costs)
        for trial in mapped:  # first, as others of the same metrics count by the dearest
            _learn_judging(trial, registry, costs, mapped=True)
        for trial in trials:
            _learn_judging(trial, registry, costs, of_its_kind=bool(mapped))
        cells = [_of_cell(cell, plan, execution, costs, estimator) for cell in plan.cells]
    costs.keep()
    references = [
        Expected(costs.of(_trial(plan, execution, reference=one))) for one in plan.references
    ]
    count = len(cells) * len(plan.seeds) + len(references)
    around = costs.opening(execution.executor.name) + costs.building(trials) + costs.closing(count)
    return ExpectedRun(cells, references, around)


def _of_cell(
    cell: Cell, plan: Plan, execution: Execution, costs: Costs, estimator: Estimator
) -> Expected:
    trial = _trial(plan, execution, cell=cell)
    if cell.incompatible or costs.was_timed(trial):
        return Expected(costs.of(trial))
    estimate = estimator.estimate(cell)
    if estimate is None:
        return Expected(costs.of(trial))
    costs.estimate(trial, estimate.per_image, estimate.per_sample)
    cost = costs.of(trial)
    judging = cost.judging / cell.times_judged
    looks = _of_looks(cell, estimator.registry, estimate.per_sample, judging)
    return Expected(replace(cost, training=(cost.training or 0.0) + looks), estimate.bound)


def _of_looks(cell: Cell, registry: Registry, per_sample: float, judging: float) -> float:
    """Return the seconds of what is drawn and judged while a cell trains."""
    built: list[Metric] = [registry.build_spec(spec) for spec in cell.metrics]
    watched, few = Watched.of(built), min(cell.num_samples, FEW_SAMPLES)
    probes = len(cell.followed.probes)
    if not watched.points and not probes:
        return 0.0
    calibration = calibration_samples(registry.build_spec(cell.dataset).image_spec())
    seconds = 0.0
    for points, count, metrics in (
        (watched.points, watched.num_samples, watched.metrics),
        (probes, few, cheap(built, registry)),
    ):
        share = len(metrics) / len(built) * count / cell.num_samples
        seconds += points * (per_sample * (calibration + count) + share * judging)
    return seconds


def _mapped(trials: Sequence[Trial], registry: Registry, costs: Costs) -> list[Trial]:
    """Return those of generators with a mapping network whose judging is not known yet."""
    known: dict[str, bool] = {}  # by networks, which many cells share
    found = []
    for trial in trials:
        if trial.cell is None or costs.is_judging_known(trial):
            continue
        key = networks_key(trial.cell)
        if key not in known:
            known[key] = has_mapping_network(trial.cell, registry)
        if known[key]:
            found.append(trial)
    return found


def _learn_judging(
    trial: Trial,
    registry: Registry,
    costs: Costs,
    *,
    mapped: bool = False,
    of_its_kind: bool = False,
) -> None:
    """Let stand-ins be judged where it is not known yet what judging such a trial takes.

    With `of_its_kind` a reference does not count by what generators take.
    """
    if costs.is_judging_known(trial, of_its_kind=of_its_kind):
        return
    subject = trial.subject
    dataset, judge = registry.build_spec(subject.dataset), subject.judge
    building, each = judging_time.estimate(
        dataset,
        [registry.build_spec(spec) for spec in subject.metrics],
        subject.num_samples,
        registry,
        files.data(),
        trial.device,
        threads=trial.threads,
        judge=judges.found(judge, dataset, files.data()) if judge and judge.path else None,
        real_share=real_share(subject),
        mapped=mapped,
    )
    costs.estimate_judging(trial, building, each)


def _trial(
    plan: Plan,
    execution: Execution,
    *,
    cell: Cell | None = None,
    reference: Reference | None = None,
) -> Trial:
    return Trial(
        cell, reference, 0, plan.device, execution.threads, alone=execution.alone, plugins=()
    )

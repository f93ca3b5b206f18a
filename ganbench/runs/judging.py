"""Samples judged: the metrics' values, and the data that they were compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ganbench.contracts.metrics import Metric
from ganbench.evaluation import trial_evaluation
from ganbench.evaluation.evaluate import Evaluated, evaluate
from ganbench.evaluation.real_data import digest
from ganbench.records import cells
from ganbench.records.results import DataSeen, TrialResult
from ganbench.records.status import Status


def judged(
    judge: trial_evaluation.TrialEvaluation,
    metrics: Sequence[Metric],
    foresee: Callable[[TrialResult], None],
) -> TrialResult:
    """Return the result of a trial that has been no more than judged.

    `foresee` is given, before each metric, the result if that ends the process.
    """
    drawn = digest(judge.fake)
    found = evaluate(metrics, judge, lambda found: foresee(_result(found, judge, drawn)))
    return _result(found, judge, drawn)


def _result(found: Evaluated, judge: trial_evaluation.TrialEvaluation, drawn: str) -> TrialResult:
    real = judge.real_data
    return TrialResult(
        status=Status.OK,
        metrics=tuple(found.values),
        protocols=found.protocols,
        data=DataSeen(real.digest(), len(real.train), real.problems, real.remarks),
        metric_seconds=found.seconds,
        errors=tuple(found.errors),
        drawn=drawn,
    )


def loading(dataset: cells.Spec) -> str:
    """Return the note of an error that came up while a data set was loaded."""
    return f"while loading data set '{dataset.name}' of {dataset.source}"

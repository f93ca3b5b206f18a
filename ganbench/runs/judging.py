"""Samples judged: the metrics' values, and the data that they were compared with."""

from __future__ import annotations

from collections.abc import Sequence

from ganbench.contracts.metrics import Metric
from ganbench.evaluation import trial_evaluation
from ganbench.evaluation.evaluate import evaluate
from ganbench.records import cells
from ganbench.records.results import DataSeen, TrialResult
from ganbench.records.status import Status


def judged(judge: trial_evaluation.TrialEvaluation, metrics: Sequence[Metric]) -> TrialResult:
    """Return the result of a trial that has been no more than judged."""
    found, real = evaluate(metrics, judge), judge.real_data
    return TrialResult(
        status=Status.OK,
        metrics=tuple(found.values),
        protocols=found.protocols,
        data=DataSeen(real.digest(), len(real.train), real.problems, real.remarks),
        metric_seconds=found.seconds,
        errors=tuple(found.errors),
    )


def loading(dataset: cells.Spec) -> str:
    """Return the note of an error that came up while a data set was loaded."""
    return f"while loading data set '{dataset.name}' of {dataset.source}"

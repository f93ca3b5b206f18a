"""A trial's judge, and what result.json says of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import ganbench
from ganbench.evaluation import trial_evaluation
from ganbench.evaluation.evaluate import evaluate
from ganbench.records import cells


def judged(
    judge: trial_evaluation.TrialEvaluation, metrics: Sequence[ganbench.Metric]
) -> dict[str, Any]:
    values, protocols = evaluate(metrics, judge)
    return {
        "metrics": [
            {**asdict(v.column), "value": v.value, "protocol": v.protocol, "reason": v.reason}
            for v in values
        ],
        "protocols": protocols,
        "data": {
            "sha256": judge.digest,
            "num_images": judge.num_real,
            "problems": list(judge.problems),
        },
        "metric_seconds": judge.seconds,
    }


def loading(dataset: cells.Spec) -> str:
    return f"while loading data set '{dataset.name}' of {dataset.source}"

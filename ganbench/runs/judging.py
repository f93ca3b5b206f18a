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
    found = evaluate(metrics, judge)
    return {
        "metrics": [
            {**asdict(v.column), "value": v.value, "protocol": v.protocol, "reason": v.reason}
            for v in found.values
        ],
        "protocols": found.protocols,
        "data": {
            "sha256": judge.real_data.digest(),
            "num_images": len(judge.real_data.train),
            "problems": list(judge.real_data.problems),
        },
        "metric_seconds": found.seconds,
    }


def loading(dataset: cells.Spec) -> str:
    return f"while loading data set '{dataset.name}' of {dataset.source}"

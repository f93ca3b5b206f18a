"""Metrics computed one by one, each value with its protocol or the reason why there is none."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ganbench.contracts.feature_extractors import Unavailable
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.metrics import Metric
from ganbench.errors import ContractError, DataError, noting
from ganbench.evaluation.trial_evaluation import STATISTICS_VERSION, TrialEvaluation
from ganbench.models import sampling
from ganbench.records.columns import MEANINGLESS, Column


@dataclass(frozen=True)
class MetricValue:
    """One number with everything needed to defend it, or the reason why there is none."""

    column: Column
    value: float | None
    protocol: str  # id
    reason: str = ""


def evaluate(
    metrics: Iterable[Metric], evaluation: TrialEvaluation
) -> tuple[list[MetricValue], dict[str, dict[str, Any]]]:
    """Every column of every metric, and the protocols by id."""
    values: list[MetricValue] = []
    protocols: dict[str, dict[str, Any]] = {}
    for metric in metrics:
        evaluation.used, evaluation.asked = {}, {"train"}
        started = time.perf_counter()
        with noting(partial(_computing, metric)):
            numbers, reason = _computed(metric, evaluation)
        name = metric.columns[0].name
        evaluation.seconds[name] = round(time.perf_counter() - started, 3)
        protocol = _protocol(metric, evaluation)
        identity = _short_digest(protocol)
        protocols[identity] = protocol
        for column in metric.columns:
            value, why = _value_of(numbers.get(column.name), reason)
            values.append(MetricValue(column, value, identity, why))
    return values, protocols


def _computing(metric: Metric) -> str:
    return f"while computing metric '{metric.name}'"


def _value_of(number: float | Unavailable | None, reason: str) -> tuple[float | None, str]:
    """A finite number, or None and why."""
    if number is None:
        return None, reason or MEANINGLESS
    if isinstance(number, Unavailable):
        return None, str(number)
    value = float(number)
    return (value, "") if math.isfinite(value) else (None, f"the value is {value}")


def _computed(
    metric: Metric, evaluation: TrialEvaluation
) -> tuple[Mapping[str, float | Unavailable], str]:
    try:
        numbers = metric.compute(evaluation)
    except (Unavailable, DataError) as error:
        return {}, str(error)
    undeclared = set(numbers) - {column.name for column in metric.columns}
    if undeclared:
        raise ContractError(
            f"metric '{metric.name}' gave {', '.join(sorted(undeclared))}, which its columns do "
            "not declare"
        )
    return numbers, ""


def _protocol(metric: Metric, evaluation: TrialEvaluation) -> dict[str, Any]:
    fake, own = evaluation.fake, metric.protocol()
    prepared = evaluation.dataset.protocol()
    return {
        **own,
        "columns": [[c.name, c.unit, c.direction] for c in metric.columns],
        "extractors": evaluation.used,
        **_calibration(evaluation.image),
        "num_samples": min(own.get("num_samples", len(fake)), len(fake)),
        "sample_values": "uint8, clamped and rounded"
        if fake.images.dtype == torch.uint8
        else "float32",
        "real": evaluation.real_protocol(),
        **({"preparation": prepared} if prepared else {}),
        "statistics_version": STATISTICS_VERSION,
    }


def _calibration(image: ImageSpec) -> dict[str, Any]:
    """By how many samples batch norm is calibrated, where large images leave time for fewer."""
    count = sampling.calibration_samples(image)
    return {} if count == sampling.CALIBRATION_SAMPLES else {"calibration_samples": count}


def _short_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]

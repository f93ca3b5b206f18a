"""Metrics computed one by one, each value with its protocol or the reason why there is none."""

from __future__ import annotations

import copy
import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from ganbench.contracts.feature_extractors import Unavailable
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.metrics import Metric, OfClasses
from ganbench.errors import INTERRUPTIONS, ContractError, DataError, told
from ganbench.evaluation.shared import Spoiled
from ganbench.evaluation.trial_evaluation import STATISTICS_VERSION, TrialEvaluation, Usage
from ganbench.models import sampling
from ganbench.records.columns import MEANINGLESS, Column
from ganbench.records.results import MetricValue, protocol_id
from ganbench.util.process_settings import put_back
from ganbench.util.random_streams import accelerators, seed_others, undisturbed


class Evaluated(NamedTuple):
    """All numbers of one evaluation."""

    values: list[MetricValue]
    protocols: dict[str, dict[str, Any]]  # by id
    seconds: dict[str, float]  # by each metric's first column; first uses of extractors included
    errors: list[str]  # of metrics that raised what they should not


def evaluate(
    metrics: Sequence[Metric],
    evaluation: TrialEvaluation,
    foresee: Callable[[Evaluated], None] = lambda found: None,
) -> Evaluated:
    """Compute every column of every metric, with its protocol.

    A metric that raises, or gives columns that it does not declare, costs its own columns alone:
    the error is their reason, and its traceback goes to the log. What one draws or sets is nothing
    to the others; what it changes in place of what all share is an error of its own. `foresee` is
    given, before each metric, what is found if that ends the process.
    """
    found = Evaluated([], {}, {}, [])
    devices = accelerators(evaluation.extracts_on)
    for i, metric in enumerate(metrics):
        foresee(_if_it_ends(found, metrics[i:]))
        started = time.perf_counter()
        try:
            # What it set is put back before anything is made again, which may draw.
            with undisturbed(devices), evaluation.protected(), put_back():
                seed_others(0, metric.name)
                values, protocol = _measured(metric, evaluation)
        except Spoiled as error:
            raise ContractError(f"metric '{metric.name}': {error}") from error
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            traceback.print_exc()
            why = told(error)
            found.errors.append(f"metric '{metric.name}': {why}")
            values = [MetricValue(column, None, reason=why) for column in metric.columns]
        else:
            found.protocols[values[0].protocol] = protocol
        found.values.extend(values)
        found.seconds[metric.columns[0].name] = round(time.perf_counter() - started, 3)
    return found


def _if_it_ends(found: Evaluated, metrics: Sequence[Metric]) -> Evaluated:
    """Return all numbers if no metric of these gives any, as the first of them ends the process."""
    told = "the process ended while {} was computed"
    why = told.format(f"metric '{metrics[0].name}'")
    missing = [MetricValue(c, None, reason=why) for metric in metrics for c in metric.columns]
    error = f"metric '{metrics[0].name}': {told.format('it')}"
    return found._replace(values=[*found.values, *missing], errors=[*found.errors, error])


def _measured(
    metric: Metric, evaluation: TrialEvaluation
) -> tuple[list[MetricValue], dict[str, Any]]:
    """Return a value for each column, and their protocol."""
    with evaluation.recording() as usage:
        numbers, reason = _computed(metric, copy.copy(evaluation))  # whose attributes are its own
    protocol = _protocol(metric, evaluation, usage)
    identity = protocol_id(protocol)
    found = [
        _value_of(column, numbers.get(column.name), identity, reason) for column in metric.columns
    ]
    return found, protocol


def _value_of(
    column: Column, number: float | Unavailable | None, protocol: str, reason: str
) -> MetricValue:
    """Return a finite number with all that is known of it, or None and why."""
    if number is None or isinstance(number, Unavailable):
        why = reason or MEANINGLESS if number is None else str(number)
        return MetricValue(column, None, protocol, why)
    if isinstance(number, str | bytes):  # of which float() would take some
        raise ContractError(f"column '{column.name}' is the text {number!r:.60}; give a number")
    value = float(number)
    if not math.isfinite(value):
        return MetricValue(column, None, protocol, f"the value is {value}")
    if isinstance(number, OfClasses):
        classes = {str(k): float(v) for k, v in number.classes.items() if math.isfinite(v)}
        return MetricValue(column, value, protocol, "", classes, str(number.which))
    return MetricValue(column, value, protocol)


def _computed(
    metric: Metric, evaluation: TrialEvaluation
) -> tuple[Mapping[str, float | Unavailable], str]:
    try:
        numbers = metric.compute(evaluation)
    except (Unavailable, DataError) as error:
        return {}, str(error)
    if not isinstance(numbers, Mapping):
        raise ContractError(
            f"compute gave {numbers!r:.60}; give a mapping of columns' names to numbers"
        )
    undeclared = set(numbers) - {column.name for column in metric.columns}
    if undeclared:
        raise ContractError(
            f"metric '{metric.name}' gave {', '.join(sorted(map(str, undeclared)))}, which its "
            "columns do not declare"
        )
    return numbers, ""


def _protocol(metric: Metric, evaluation: TrialEvaluation, usage: Usage) -> dict[str, Any]:
    fake, own = evaluation.fake, metric.protocol()
    prepared = evaluation.dataset.protocol()
    return {
        **own,
        "columns": [[c.name, c.unit, c.direction] for c in metric.columns],
        "extractors": usage.extractors,
        **_calibration(evaluation.image),
        "num_samples": min(own.get("num_samples", len(fake)), len(fake)),
        "sample_values": "uint8, clamped and rounded"
        if fake.images.dtype == torch.uint8
        else "float32",
        "real": evaluation.real_data.protocol(usage.splits),
        **({"preparation": prepared} if prepared else {}),
        **({"sampler": dict(evaluation.sampler)} if evaluation.sampler else {}),
        "statistics_version": STATISTICS_VERSION,
    }


def _calibration(image: ImageSpec) -> dict[str, Any]:
    """By how many samples batch norm is calibrated, where large images leave time for fewer."""
    count = sampling.calibration_samples(image)
    return {} if count == sampling.CALIBRATION_SAMPLES else {"calibration_samples": count}

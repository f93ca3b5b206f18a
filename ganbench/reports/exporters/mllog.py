"""MLPerf's log lines: each trial with its seed, its batch size and every number it gave.

When a trial began is not in measurements: they are written as if one had followed another from the
run's beginning on, so that durations are the measured ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ganbench.reports.exporters.named_measurements import (
    Export,
    NamedMeasurements,
    Number,
    line,
    setting,
)

TOKEN = ":::MLLOG"


def export(source: NamedMeasurements) -> Export:
    """Return one file with the lines of all trials, one trial after the other."""
    lines: list[str] = []
    now = _start(source.created)
    for (_, seed), numbers in _trials(source).items():
        seconds = _seconds(numbers, seed)
        lines += _trial(source, seed, numbers, now, now + round(1000 * seconds))
        now += round(1000 * seconds)
    return Export(("".join(f"{text}\n" for text in lines),))


def _trials(source: NamedMeasurements) -> dict[tuple[str, int], list[Number]]:
    found: dict[tuple[str, int], list[Number]] = {}
    for number in source.numbers:
        for seed in number.values:
            found.setdefault((number.cell, seed), []).append(number)
    return found


def _trial(
    source: NamedMeasurements, seed: int, numbers: list[Number], start: int, stop: int
) -> Iterator[str]:
    where = {"benchmark": source.name, "variant": numbers[0].cell, "seed": seed}
    batch_size = setting(numbers[0].measured, "schedule", "batch_size")
    yield _line(start, "INTERVAL_START", "run_start", None, where)
    yield _line(start, "POINT_IN_TIME", "seed", seed, where)
    if isinstance(batch_size, int):
        yield _line(start, "POINT_IN_TIME", "global_batch_size", batch_size, where)
    for number in numbers:
        about = {"unit": line(number.column.unit), "direction": number.column.direction}
        value = number.values[seed]
        yield _line(stop, "POINT_IN_TIME", number.metric, value, {**where, **about})
    yield _line(stop, "INTERVAL_END", "run_stop", None, where)


def _line(time_ms: int, event: str, key: str, value: Any, metadata: dict[str, Any]) -> str:
    """ASCII, as its parser reads Latin-1; the parser also looks for the token within a line."""
    found = {
        "namespace": "ganbench",
        "time_ms": time_ms,
        "event_type": event,
        "key": key,
        "value": value,
        "metadata": {"file": "ganbench/exporters/mllog.py", "lineno": 0, **metadata},
    }
    text = json.dumps(found, allow_nan=False).replace(TOKEN, "\\u003a" + TOKEN[1:])
    return f"{TOKEN} {text}"


def _seconds(numbers: list[Number], seed: int) -> float:
    return next((n.values[seed] for n in numbers if n.column.name == "seconds"), 0.0)


def _start(created: str) -> int:
    try:
        return round(1000 * datetime.fromisoformat(created).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0

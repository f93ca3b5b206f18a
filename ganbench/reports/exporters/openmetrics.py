"""OpenMetrics text: for GitLab's metrics reports, and for Prometheus' textfile collector."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ganbench.reports.exporters.named_measurements import Export, NamedMeasurements, Number, line


def export(source: NamedMeasurements) -> Export:
    """Return one file with a family of medians for each number."""
    families: dict[str, list[Number]] = {}
    for number in source.numbers:
        families.setdefault(family(number.metric), []).append(number)
    lines = [text for name, group in families.items() for text in _family(source, name, group)]
    return Export(("\n".join([*lines, "# EOF"]) + "\n",))


def family(metric: str) -> str:
    """Return the name of a family, as ganbench_fid_pixels of fid@pixels.

    The label `metric` tells apart what becomes one.
    """
    return f"ganbench_{re.sub('[^a-zA-Z0-9]+', '_', metric).strip('_') or 'unnamed'}"


def _family(source: NamedMeasurements, name: str, numbers: Sequence[Number]) -> Iterator[str]:
    column = numbers[0].column
    better = {"min": "lower is better", "max": "higher is better"}.get(column.direction, "")
    about = ", ".join(filter(None, [line(column.unit), better]))
    text = f"Median over seeds of {numbers[0].metric}" + (f" ({about})" if about else "")
    yield f"# TYPE {name} gauge"
    yield f"# HELP {name} {_escaped(text)}"
    for number in numbers:
        labels = {"benchmark": source.name, "variant": number.cell, "metric": number.metric}
        inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
        yield f"{name}{{{inside}}} {_digits(number.median)}"


def _digits(value: float) -> str:
    """Return a number rounded where it is no count: GitLab compares texts."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _escaped(text: str) -> str:
    """Without #, where GitLab cuts lines, also within quotes."""
    return text.replace("#", r"\x23").replace("\\", r"\\").replace('"', r"\"")

"""JUnit XML, as Ant's and Jenkins' schemas have it: a suite of every cell's numbers.

Without a comparison a cell's `status` is an error where a trial ended badly, and what has a value
passes. With one, cases end as their verdicts do. Neither schema gives a case properties of its own,
so the values are properties of the suite.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench.reports.exporters.named_measurements import Export, NamedMeasurements, line

if TYPE_CHECKING:
    from ganbench.gate.comparison import Comparison, Verdict
    from ganbench.gate.measurements import Measured

STATUS = "status"  # the case on how a cell's trials ended, as in comparisons
ENDS = {
    "regressed": "failure",
    "failed": "error",
    "missing": "error",
    "inconclusive": "skipped",
    "incomparable": "skipped",
    "new": "skipped",
}
"""Of gated verdicts; the rest pass."""


@dataclass(frozen=True)
class Case:
    """One test case: a number of a cell and how it ended."""

    cell: str
    metric: str
    end: str = ""  # failure, error or skipped; empty: passed
    type: str = ""
    message: str = ""


def export(source: NamedMeasurements) -> Export:
    """Return one file, in which each number of each cell is a test case."""
    found = source.comparison
    cases = list(_judged(source, found) if found else _plain(source))
    times = _times(source)
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", _attributes(source, cases, sum(times.values())))
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(source):
        ET.SubElement(properties, "property", name=name, value=value)
    for case in cases:
        _write(suite, source, case, times.get(case.cell, 0.0) if case.metric == STATUS else 0.0)
    for stream in ("system-out", "system-err"):
        ET.SubElement(suite, stream)
    ET.indent(suites, " ")
    text = ET.tostring(suites, "unicode")
    return Export((f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n',))


def _attributes(source: NamedMeasurements, cases: list[Case], seconds: float) -> dict[str, str]:
    ends = [case.end for case in cases]
    found = {
        "name": source.name,
        "package": source.name,
        "id": "0",
        "hostname": "localhost",
        "tests": str(len(cases)),
        "failures": str(ends.count("failure")),
        "errors": str(ends.count("error")),
        "skipped": str(ends.count("skipped")),
        "time": f"{seconds:.3f}",
    }
    if re.match(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}", source.created):
        found["timestamp"] = source.created[:19]
    return found


def _properties(source: NamedMeasurements) -> Iterator[tuple[str, str]]:
    for key, value in source.measurements.platform.items():
        yield f"platform.{line(key)}", line(value)
    for number in source.numbers:
        yield f"{number.cell}/{number.metric}", str(number.median)


def _write(suite: ET.Element, source: NamedMeasurements, case: Case, seconds: float) -> None:
    name = {"classname": f"{source.name}/{case.cell}", "name": case.metric}
    element = ET.SubElement(suite, "testcase", {**name, "time": f"{seconds:.3f}"})
    if case.end:
        end = ET.SubElement(element, case.end, type=case.type, message=case.message)
        end.text = None if case.end == "skipped" else case.message


def _plain(source: NamedMeasurements) -> Iterator[Case]:
    there = {(number.cell, number.column.name) for number in source.numbers}
    for id, cell in source.measurements.cells.items():
        name = source.cells[id]
        yield _status(name, cell)
        for series in cell.series.values():
            metric = line(series.column.name)
            if (name, series.column.name) in there:
                yield Case(name, metric)
            else:
                why = line(series.reason) or "no trial gave this number"
                yield Case(name, metric, "skipped", "missing", why)


def _status(name: str, cell: Measured) -> Case:
    if not cell.bad:
        return Case(name, STATUS)
    why = f": {line(cell.reasons[0])}" if cell.reasons else ""
    return Case(name, STATUS, "error", "failed", f"{line(cell.ends)}{why}")


def _judged(source: NamedMeasurements, found: Comparison) -> Iterator[Case]:
    """Cell by cell, the status first; where two verdicts are on one number, the graver."""
    cases = {(id, STATUS): Case(name, STATUS) for id, name in source.cells.items()}
    judged: set[tuple[str, str]] = set()
    for verdict in found.verdicts:
        key = (verdict.cell, verdict.metric)
        if key not in judged:
            judged.add(key)
            cases[key] = _case(source.cells.get(verdict.cell) or line(verdict.label), verdict)
    cells: dict[str, list[Case]] = {}
    for (id, _), case in cases.items():
        cells.setdefault(id, []).append(case)
    for group in cells.values():
        yield from group


def _case(cell: str, verdict: Verdict) -> Case:
    metric, word, evidence = line(verdict.metric), verdict.word, line(verdict.evidence)
    end = ENDS.get(word, "")
    if end in ("failure", "error") and not verdict.gated:
        return Case(cell, metric, "skipped", word, f"not gated: {word}: {evidence}")
    return Case(cell, metric, end, word, evidence)


def _times(source: NamedMeasurements) -> dict[str, float]:
    """Seconds of all trials of a cell."""
    return {
        number.cell: sum(number.values.values())
        for number in source.numbers
        if number.column.name == "seconds"
    }

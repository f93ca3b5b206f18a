"""JUnit XML is what Ant's and Jenkins' schemas and junitparser read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from helpers.exported import CREATED, FID, MODES, PLAIN, TEN, cell, each_source, side, text_of

from ganbench.gate.compare import compare
from ganbench.gate.comparison import Policy
from ganbench.gate.measurements import Series
from ganbench.records.columns import Column
from ganbench.reports.exporters.named_measurements import NamedMeasurements

# What Ant's schema and Jenkins' both allow: attributes (those that one requires, and others) and
# children, in order.
JUNIT: dict[str, tuple[set[str], set[str], str]] = {
    "testsuites": (set(), set(), "(testsuite )*"),
    "testsuite": (
        {"name", "package", "id", "hostname", "tests", "failures", "errors", "time", "timestamp"},
        {"skipped"},
        "properties (testcase )*system-out system-err ",
    ),
    "properties": (set(), set(), "(property )*"),
    "property": ({"name", "value"}, set(), ""),
    "testcase": (
        {"name", "classname", "time"},
        set(),
        "((failure )|(error )|(skipped ))?",
    ),
    "failure": ({"type", "message"}, set(), ""),
    "error": ({"type", "message"}, set(), ""),
    "skipped": ({"type", "message"}, set(), ""),
    "system-out": (set(), set(), ""),
    "system-err": (set(), set(), ""),
}


def junit(source: NamedMeasurements) -> tuple[str, dict[tuple[str, str], Any]]:
    """The text, seen to fit, and its cases by cell and metric as junitparser reads them."""
    junitparser = pytest.importorskip("junitparser")
    text = text_of("junit", source)
    for element in ET.fromstring(text.encode()).iter():
        required, optional, children = JUNIT[element.tag]
        assert required <= set(element.attrib) <= required | optional
        assert re.fullmatch(children, "".join(f"{child.tag} " for child in element))
    (suite,) = junitparser.JUnitXml.fromstring(text.encode())
    assert (suite.name, suite.tests) == (source.name, len(list(suite)))
    results = [type(r).__name__ for case in suite for r in case.result]
    counts = (suite.failures, suite.errors, suite.skipped)
    assert counts == tuple(results.count(kind) for kind in ("Failure", "Error", "Skipped"))
    cases = {(c.classname.removeprefix(f"{source.name}/"), c.name): c for c in suite}
    assert len(cases) == suite.tests
    return text, cases


def end(case: Any) -> tuple[str, str, str]:
    if not case.result:
        return ("passed", "", "")
    (result,) = case.result
    return (type(result).__name__.lower(), result.type, result.message)


@each_source
def test_junit_is_parsed(source):
    _, cases = junit(source)
    assert len(cases) == len(source.numbers) + len(source.measurements.cells)
    assert {name for name, _ in cases} == set(source.cells.values())


def test_junit_has_values_as_properties_and_seconds_of_all_trials():
    text, cases = junit(PLAIN)
    assert '<property name="ring/bce/fid@pixels" value="2.0" />' in text
    assert '<property name="platform.torch" value="2.14.1" />' in text
    assert cases["ring/bce", "status"].time == 7.5
    assert all(end(case) == ("passed", "", "") for case in cases.values())


def test_junit_without_comparison_has_errors_for_failed_trials():
    lost = cell(
        {FID: [1.0, 2.0], MODES: []},
        statuses={"ok": 2, "failed": 1},
        reasons=("out of\n<ideas>",),
    )
    lost.series["modes"] = Series(MODES, {}, "p0", "no sample is finite")
    _, cases = junit(NamedMeasurements(side(lost), CREATED))
    assert end(cases["ring/bce", "status"]) == (
        "error",
        "failed",
        "2 ok, 1 failed: out of\\n<ideas>",
    )
    assert end(cases["ring/bce", "fid@pixels"])[0] == "passed"
    assert end(cases["ring/bce", "modes"]) == ("skipped", "missing", "no sample is finite")


def test_junit_with_comparison_ends_as_the_verdicts_do():
    def column(name: str) -> Column:
        return Column(name, "", "min", gated=True)

    worse, noisy, same, gone, extra = map(column, ("worse", "noisy", "same", "gone", "extra"))
    loose = replace(worse, name="loose", gated=False)
    then = side(
        cell({worse: TEN, noisy: TEN, same: TEN, gone: TEN, loose: TEN}),
        cell({same: TEN}, id="c1", label="other"),
        cell({same: TEN}, id="c2", label="old <cell>"),
    )
    now = side(
        cell(
            {
                worse: [2.0, 2.1, 2.2],
                noisy: [0.9, 1.3, 1.2],
                same: [1.0, 1.001, 0.999],
                extra: [1.0],
                loose: [2.0, 2.1, 2.2],
            },
            first_seed=50,
        ),
        cell({same: TEN[:2]}, id="c1", label="other", statuses={"ok": 2, "diverged": 1}),
        cell({same: TEN}, id="c3", label="new & cell"),
    )
    found = compare(then, now, Policy())
    _, cases = junit(NamedMeasurements(now, CREATED, found))
    ends = {key: end(case) for key, case in cases.items()}
    evidence = {(v.label, v.metric): v.evidence for v in found.verdicts}
    assert {key: (kind, type) for key, (kind, type, _) in ends.items()} == {
        ("ring/bce", "status"): ("passed", ""),
        ("ring/bce", "worse"): ("failure", "regressed"),
        ("ring/bce", "noisy"): ("skipped", "inconclusive"),
        ("ring/bce", "same"): ("passed", ""),
        ("ring/bce", "gone"): ("error", "missing"),
        ("ring/bce", "extra"): ("skipped", "new"),
        ("ring/bce", "loose"): ("skipped", "regressed"),
        ("other", "status"): ("error", "failed"),
        ("other", "same"): ("passed", ""),
        ("new & cell", "status"): ("skipped", "new"),
        ("old <cell>", "status"): ("error", "missing"),
    }
    assert ends["ring/bce", "worse"][2] == evidence["ring/bce", "worse"]
    assert ends["ring/bce", "loose"][2].startswith("not gated: regressed: n 3 against 10")


def test_junit_of_other_data_is_incomparable():
    then, now = cell({FID: TEN}), replace(cell({FID: TEN}), data="d1", statuses={"failed": 1})
    source = NamedMeasurements(side(now), CREATED, compare(side(then), side(now), Policy()))
    _, cases = junit(source)
    assert end(cases["ring/bce", "status"])[:2] == ("error", "failed")  # the graver of two

"""What is exported is read by the parser, or fits the schema, of the tool that it is for."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import tiny

from ganbench.cli import cli
from ganbench.errors import BaselineError, ConfigError, RunError
from ganbench.gate import baseline
from ganbench.gate.compare import Policy, compare
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.records.columns import Column
from ganbench.records.run_folder import Run
from ganbench.reports import exporters
from ganbench.reports.exporters.bencher import shortened
from ganbench.reports.exporters.named_measurements import NamedMeasurements, line
from ganbench.reports.exporters.openmetrics import family
from ganbench.util import files

jsonschema = pytest.importorskip("jsonschema")

SHORT = tiny.TINY.replace("execution: {threads: 1}", "execution: {threads: 1, executor: inline}")
FID = Column("fid@pixels", "", "min", gated=True)
MODES = Column("modes", "", "max", gated=True)
MARGIN = Column("margin", "nats", "max")
SECONDS = Column("seconds", "s", kind="timing")
SIZE = Column("g-parameters", kind="count", gated=True)
CREATED = "2026-01-02T03:04:05+00:00"
PLATFORM = {"device": "A Processor", "threads": "1", "torch": "2.14.1", "python": "3.11.7"}
TEN = [1.00, 1.01, 0.99, 1.02, 0.98, 1.03, 0.97, 1.04, 0.96, 1.005]
HOSTILE = [
    "\"double\" 'single' `back`",
    "two\nlines\r\tand a tab",
    "<b>&amp;</b>]]><!--",
    'a=b,c{d="e"} 7',
    "ünï—cödé 模型 🎲\u200d\u2028",
    "\x00\x1b[31m\x7f\ufffe",
    "lone \ud800 surrogate",
    "#hash # EOF",
    "\\back\\slash\\",
    ':::MLLOG {"key": "run_stop"}',
    " padded ",
    "",
    "NaN",
    "x" * 1500,
    "x" * 1499 + "y",
    "模" * 800,
]


def cell(
    values: Mapping[Column, Sequence[float]],
    *,
    id: str = "c0",
    label: str = "ring/bce",
    statuses: dict[str, int] | None = None,
    reasons: tuple[str, ...] = (),
    first_seed: int = 0,
) -> Measured:
    series = {
        column.name: Series(column, dict(enumerate(numbers, start=first_seed)), "p0")
        for column, numbers in values.items()
    }
    schedule = {"schedule": {"precision": "float32", "batch_size": 50}}
    return Measured(id, label, "ring", schedule, statuses or {"ok": 3}, series, "d0", reasons)


def side(*cells: Measured, name: str = "bench") -> Measurements:
    return Measurements(name, {c.id: c for c in cells}, PLATFORM)


THREE = cell(
    {
        FID: [3.0, 1.0, 2.0],
        MODES: [8, 7, 7],
        MARGIN: [-0.5, 0.0, -1.0],
        SECONDS: [1.5, 2.5, 3.5],
        SIZE: [100, 100, 100],
    }
)
PLAIN = NamedMeasurements(side(THREE), CREATED)
TAUNTS = NamedMeasurements(
    side(
        *(cell({FID: TEN, SIZE: [5]}, id=f"c{i}", label=label) for i, label in enumerate(HOSTILE)),
        cell({replace(FID, name=n, unit=n): TEN for n in HOSTILE}, id="columns", label="columns"),
        name="be\nnch <1>",
    ),
    CREATED,
)
SOURCES = {"plain": PLAIN, "hostile": TAUNTS}
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
each_format = pytest.mark.parametrize("to", list(exporters.FILES))


def text_of(to: str, source: NamedMeasurements) -> str:
    (text,) = exporters.render(to, source).texts
    return text


def strictly(text: str) -> Any:
    """JSON without NaN, Infinity, or a key that stands twice."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


def valid(schema: dict[str, Any], value: Any) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(value)


def record(required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    """A schema of objects with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT: dict[str, Any] = {"type": "string"}
TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": TEXT}
NUMBER: dict[str, Any] = {"type": "number"}
NAME = {"type": "string", "minLength": 1}

GHA = {
    "type": "array",
    "items": record(
        ("name", "value", "unit"),
        name=NAME,
        value={"type": "number", "exclusiveMinimum": 0},
        unit=TEXT,
        range={"type": "string", "pattern": r"^± \d.+$"},
        extra=TEXT,
    ),
}
BMF = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": 64},
        "additionalProperties": record(
            ("value",), value=NUMBER, lower_value=NUMBER, upper_value=NUMBER
        ),
    },
}
COUNT = {"type": "integer", "minimum": 0}
OSS = {
    "type": "array",
    "items": record(
        ("metric", "benchmark", "model"),
        benchmark=record(("name",), name=NAME, mode=TEXT, dtype=TEXT, extra_info=TEXTS),
        model=record(
            ("name",),
            name=NAME,
            type=TEXT,
            backend=TEXT,
            origins={"type": "array", "items": TEXT},
            extra_info=TEXTS,
        ),
        metric=record(
            ("name", "benchmark_values"),
            name=TEXT,
            benchmark_values={"type": "array", "items": NUMBER, "minItems": 1},
            target_value=NUMBER,
            extra_info=TEXTS,
        ),
        runners={
            "type": "array",
            "items": record(
                name=TEXT,
                type=TEXT,
                cpu_info=TEXT,
                cpu_count=COUNT,
                mem_info=TEXT,
                avail_mem_in_gb=COUNT,
                gpu_info=TEXT,
                gpu_count=COUNT,
                gpu_mem_info=TEXT,
                avail_gpu_mem_in_gb=COUNT,
                extra_info=TEXTS,
            ),
        },
        dependencies={
            "type": "object",
            "additionalProperties": record(
                repo=TEXT, branch=TEXT, sha=TEXT, version=TEXT, extra_info=TEXTS
            ),
        },
    ),
}
NESTED = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {"type": "object", "additionalProperties": NUMBER},
    },
}


@each_source
def test_github_action_benchmark_takes_both_files(source):
    for text in exporters.render("github-action-benchmark", source).texts:
        entries = strictly(text)
        valid(GHA, entries)
        names = [entry["name"] for entry in entries]
        assert len(set(names)) == len(names)
        for entry in entries:  # as the action finds what to rescale
            found = re.search(r"(\+-|±)\s*(?P<value>\d.+)", entry["range"])
            assert found
            assert float(found["value"]) >= 0


def test_github_action_benchmark_has_a_file_for_each_direction():
    found = exporters.render("github-action-benchmark", PLAIN)
    smaller, bigger = map(json.loads, found.texts)
    assert smaller == [
        {
            "name": "bench/ring/bce/fid@pixels",
            "value": 2.0,
            "unit": "",
            "range": "± 0.5",
            "extra": "median of 3 seeds, ± half the interquartile range\nfrom 1 to 3",
        }
    ]
    assert [(e["name"], e["range"]) for e in bigger] == [("bench/ring/bce/modes", "± 0.25")]
    assert found.notes == (
        "left out 2 numbers of which neither way is the better one: ring/bce/seconds, "
        "ring/bce/g-parameters",
        "left out 1 number at or below 0, which the action cannot compare by ratio: "
        "ring/bce/margin",
    )


def test_github_action_benchmark_says_where_trials_did_not_end_well():
    one = cell({FID: [8.0, 8.0]}, statuses={"ok": 2, "diverged": 1})
    (entry,) = json.loads(
        exporters.render("github-action-benchmark", NamedMeasurements(side(one))).texts[0]
    )
    assert entry["range"] == "± 0.0"
    assert entry["extra"].endswith("\n1 trial did not end well")


def test_github_action_benchmark_says_which_file_is_empty():
    found = exporters.render("github-action-benchmark", NamedMeasurements(side(cell({FID: [8.0]}))))
    assert found.texts[1] == "[]\n"
    assert found.notes == (
        "no number of which bigger is better is left, and the action refuses an empty file",
    )


@each_source
def test_bencher_takes_the_file(source):
    found = strictly(text_of("bencher", source))
    valid(BMF, found)
    assert len(found) == len(source.measurements.cells)
    for name, measures in found.items():
        assert len(name.encode()) <= 1024
        for measure, metric in measures.items():
            assert len(measure.encode()) <= 64
            low, high = metric.get("lower_value", -1e9), metric.get("upper_value", 1e9)
            assert low <= metric["value"] <= high


def test_bencher_has_medians_between_quartiles():
    measures = json.loads(text_of("bencher", PLAIN))["bench/ring/bce"]
    assert measures["fid@pixels"] == {"value": 2.0, "lower_value": 1.5, "upper_value": 2.5}
    assert measures["margin"]["value"] == -0.5
    single = json.loads(text_of("bencher", NamedMeasurements(side(cell({FID: [4.0]})))))
    assert single == {"bench/ring/bce": {"fid@pixels": {"value": 4.0}}}


def test_names_too_long_are_cut_and_stay_apart():
    long = "模" * 30
    assert shortened("short", 64) == "short"
    assert shortened("x" * 64, 64) == "x" * 64
    digest = hashlib.sha256(long.encode()).hexdigest()[:8]
    assert shortened(long, 64) == "模" * 18 + "~" + digest


@each_source
def test_pytorch_oss_takes_the_file(source):
    records = strictly(text_of("pytorch-oss", source))
    valid(OSS, records)
    assert len(records) == len(source.numbers)


def test_pytorch_oss_has_every_seed():
    first, *_ = json.loads(text_of("pytorch-oss", PLAIN))
    assert first["metric"] == {
        "name": "fid@pixels",
        "benchmark_values": [3.0, 1.0, 2.0],
        "extra_info": {"direction": "min", "kind": "quality", "seeds": "0,1,2", "protocol": "p0"},
    }
    assert first["benchmark"]["dtype"] == "float32"
    assert first["runners"] == [{"type": "A Processor", "extra_info": {"threads": "1"}}]
    assert first["dependencies"]["torch"] == {"version": "2.14.1"}


def test_pytorch_oss_leaves_unknown_platforms_to_the_uploader():
    (first,) = json.loads(
        text_of("pytorch-oss", NamedMeasurements(Measurements("b", {"c": cell({FID: [1]})})))
    )
    assert not {"runners", "dependencies"} & set(first)


@each_source
def test_openmetrics_is_parsed(source):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    text = text_of("openmetrics", source)
    families = list(parser.text_string_to_metric_families(text))
    samples = [sample for family in families for sample in family.samples]
    assert len(samples) == len(source.numbers)
    for sample, number in zip(
        samples, sorted(source.numbers, key=lambda n: _order(families, n)), strict=True
    ):
        assert sample.labels == {
            "benchmark": source.name.replace("#", r"\x23"),
            "variant": number.cell.replace("#", r"\x23"),
            "metric": number.metric.replace("#", r"\x23"),
        }
        assert sample.value == pytest.approx(number.median, rel=1e-5)


def _order(families: Sequence[Any], number: Any) -> int:
    return [f.name for f in families].index(family(number.metric))


@each_source
def test_openmetrics_is_read_by_gitlab_as_a_name_and_a_number(source):
    names = []
    for text in text_of("openmetrics", source).splitlines():
        words = shlex.split(re.sub("#.*$", "", text))  # what GitLab's parser does
        if words:
            name, value = words
            assert re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", value)
            names.append(name)
    assert len(set(names)) == len(names) == len(source.numbers)


def test_openmetrics_rounds_what_is_no_count():
    numbers = cell({FID: [1.23456789], SIZE: [123456789]})
    lines = text_of("openmetrics", NamedMeasurements(side(numbers))).splitlines()
    labels = 'benchmark="bench",variant="ring/bce",metric='
    assert f'ganbench_fid_pixels{{{labels}"fid@pixels"}} 1.23457' in lines
    assert f'ganbench_g_parameters{{{labels}"g-parameters"}} 123456789' in lines
    assert lines[-1] == "# EOF"


def test_openmetrics_keeps_metrics_of_one_name_apart():
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    columns = [Column(n) for n in ("a-b", "a@b", "a_b", "a", "a_total", "a_count", "é", "a_info")]
    text = text_of("openmetrics", NamedMeasurements(side(cell({c: [1.0] for c in columns}))))
    families = {f.name: len(f.samples) for f in parser.text_string_to_metric_families(text)}
    assert families["ganbench_a_b"] == 3
    assert families["ganbench_unnamed"] == 1
    assert sum(families.values()) == len(columns)


@each_source
def test_dvc_takes_nested_numbers(source):
    found = strictly(text_of("dvc", source))
    valid(NESTED, found)
    assert sum(map(len, found[source.name].values())) == len(source.numbers)


def test_dvc_has_medians_by_cell():
    assert json.loads(text_of("dvc", PLAIN)) == {
        "bench": {
            "ring/bce": {
                "fid@pixels": 2.0,
                "modes": 7.0,
                "margin": -0.5,
                "seconds": 2.5,
                "g-parameters": 100,
            }
        }
    }


@each_source
def test_mllog_is_parsed(source, tmp_path):
    parser = pytest.importorskip("mlperf_logging.compliance_checker.mlp_parser")
    path = tmp_path / "mllog.log"
    path.write_text(text_of("mllog", source), "utf-8")
    lines, errors = parser.parse_file(str(path), ruleset="6.0.0")
    assert errors == []
    assert len(lines) == len(path.read_text("utf-8").splitlines())
    values = [x for x in lines if x.value["metadata"].get("direction")]
    assert len(values) == sum(len(n.values) for n in source.numbers)
    assert {x.value["metadata"]["variant"] for x in lines} == set(source.cells.values())
    assert [x.timestamp for x in lines] == sorted(x.timestamp for x in lines)


def test_mllog_has_a_run_for_each_trial():
    lines = [strictly(x.removeprefix(":::MLLOG ")) for x in text_of("mllog", PLAIN).splitlines()]
    found = [(x["event_type"], x["key"], x["value"]) for x in lines[:9]]
    assert found[:4] == [
        ("INTERVAL_START", "run_start", None),
        ("POINT_IN_TIME", "seed", 0),
        ("POINT_IN_TIME", "global_batch_size", 50),
        ("POINT_IN_TIME", "fid@pixels", 3.0),
    ]
    assert found[8] == ("INTERVAL_END", "run_stop", None)
    assert [x["key"] for x in lines].count("run_stop") == 3
    assert lines[0]["time_ms"] == 1767323045000
    assert lines[8]["time_ms"] - lines[0]["time_ms"] == 1500
    assert {"namespace", "time_ms", "event_type", "key", "value", "metadata"} == set(lines[0])


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


@each_format
def test_numbers_that_are_not_finite_are_left_out(to):
    nan, inf, huge = float("nan"), float("inf"), 1.7e308
    numbers = cell({FID: [nan, 1.0, inf], MODES: [nan], MARGIN: [huge, huge], SIZE: []})
    source = NamedMeasurements(side(numbers), CREATED)
    assert [(n.metric, n.values) for n in source.numbers] == [("fid@pixels", {1: 1.0})]
    assert source.missing == ["ring/bce/modes", "ring/bce/margin", "ring/bce/g-parameters"]
    for text in exporters.render(to, source).texts:
        assert not re.search(r"\b(nan|inf|infinity)\b", text, re.IGNORECASE)


@each_format
def test_names_have_neither_seed_nor_order_nor_date(to):
    def names(source: NamedMeasurements) -> set[str]:
        text = "".join(exporters.render(to, source).texts)
        return set(re.findall(r"[\w/@-]*(?:fid|modes)[\w/@-]*", text))

    later = side(cell({MODES: [6.0], FID: [5.0]}, id="c9", first_seed=77))
    first = NamedMeasurements(side(cell({FID: TEN, MODES: TEN})), CREATED)
    assert names(first) == names(NamedMeasurements(later, "2027-12-31T00:00:00+00:00")) != set()


def test_cells_of_one_label_are_told_apart():
    twins = [cell({FID: [1.0]}, id="a"), cell({FID: [2.0]}, id="b"), cell({FID: [3.0]}, id="c")]
    source = NamedMeasurements(side(*twins[:2], replace(twins[2], label="other")))
    assert source.cells == {"a": "ring/bce~a", "b": "ring/bce~b", "c": "other"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a é 模", "a é 模"), ("a\nb", r"a\nb"), ("\x00\u2028", r"\x00\u2028"), ("\ud800", r"\ud800")],
)
def test_names_are_in_one_line(text, expected):
    assert line(text) == expected


@pytest.fixture(scope="module")
def many() -> NamedMeasurements:
    columns = [FID, SIZE]
    cells = (
        cell(dict.fromkeys(columns, TEN[:3]), id=f"c{i}", label=f"l{i}") for i in range(10_000)
    )
    return NamedMeasurements(side(*cells), CREATED)


@each_format
def test_ten_thousand_cells_take_seconds(many, to):
    start = time.perf_counter()
    found = exporters.render(to, many)
    assert sum(map(len, found.texts)) > 500_000
    assert time.perf_counter() - start < 20  # two or less where the machine is idle


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of one cell and two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    out = folder / "run"
    done = invoke(
        "run",
        tiny.write(folder, SHORT),
        "--quiet",
        "--seeds",
        "0,1",
        "--only",
        "loss=bce",
        "--out",
        out,
    )
    assert done.return_value == 0, done.output
    return out


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of it, measured by a clean tree."""
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    about = json.loads((copy / "run.json").read_text())
    about["provenance"]["git"] = {"ganbench": None, "benchmark": None}
    files.write_json(copy / "run.json", about)
    return copy


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def invoke(*arguments: object):
    """The exit code is in `return_value`, as `main` gets it; errors are raised."""
    return CliRunner().invoke(
        cli, [str(a) for a in arguments], standalone_mode=False, catch_exceptions=False
    )


@each_format
def test_files_are_written_here_and_named(finished, here, to):
    done = invoke("export", finished, "--to", to)
    assert done.return_value == 0, done.output
    assert done.stdout.split() == list(exporters.FILES[to])
    assert {path.name for path in here.iterdir()} == set(exporters.FILES[to])
    assert b"nan" not in b"".join(path.read_bytes() for path in here.iterdir()).lower()


def test_baseline_is_exported_as_its_run_is(run, here):
    baseline.of(Run.read(run), "a test", min_seeds=2).write(here / "tiny.json")
    for to in exporters.FILES:
        for source, folder in ((run, "a"), (here / "tiny.json", "b")):
            (here / folder).mkdir(exist_ok=True)
            assert invoke("export", source, "--to", to, "--out", folder).return_value == 0
    for path in (here / "a").iterdir():
        assert path.read_text("utf-8") == (here / "b" / path.name).read_text("utf-8")


def test_out_is_a_file_or_a_folder_where_there_are_several(finished, here):
    assert invoke("export", finished, "--to", "dvc", "--out", "new/m.json").return_value == 0
    assert json.loads((here / "new/m.json").read_text())["tiny"]
    done = invoke("export", finished, "--to", "github-action-benchmark", "--out", "gha")
    assert {path.name for path in (here / "gha").iterdir()} == {
        "gha-smaller.json",
        "gha-bigger.json",
    }
    assert "note: left out" in done.stderr


@pytest.mark.parametrize("to", ["github-action-benchmark", "dvc"])
def test_place_that_cannot_be_written_is_named(finished, here, to):
    (here / "file").write_text("")
    with pytest.raises(RunError, match=r"^file/below.*: cannot be written: \w+"):
        invoke("export", finished, "--to", to, "--out", "file/below")
    assert (here / "file").read_text() == ""


def test_file_in_the_place_of_a_folder_is_named(finished, here):
    (here / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        invoke("export", finished, "--to", "github-action-benchmark", "--out", "file")


def test_unknown_format_lists_the_known(finished, here):
    done = tiny.ganbench("export", finished, "--to", "asv", cwd=here)
    assert done.returncode == 2
    assert all(f"'{to}'" in done.stderr for to in exporters.FILES)


def test_baseline_goes_with_junit_alone(finished, here):
    with pytest.raises(ConfigError, match="--to junit only"):
        invoke("export", finished, "--to", "dvc", "--against", finished)
    assert not list(here.iterdir())


def test_run_against_itself_has_no_failure(finished, here):
    done = invoke("export", finished, "--to", "junit", "--against", finished)
    assert done.return_value == 0, done.output
    text = Path("junit.xml").read_text("utf-8")
    assert 'failures="0" errors="0"' in text
    assert 'type="incomparable"' in text  # timings


@pytest.mark.parametrize("to", ["dvc", "junit"])
def test_run_without_a_number_ends_with_3(run, here, to):
    for path in (run / "trials").iterdir():
        shutil.rmtree(path)
    done = invoke("export", run, "--to", to)
    assert done.return_value == 3
    assert "no trial has given a number" in done.stderr
    assert Path("junit.xml").exists() == (to == "junit")
    assert not Path("metrics.json").exists()
    answer = json.loads(invoke("export", run, "--to", "dvc", "--json").stdout)
    assert answer["error"]["exit_code"] == 3


def test_what_is_no_run_is_named(here):
    with pytest.raises(BaselineError, match="nowhere"):
        invoke("export", "nowhere", "--to", "dvc")
    with pytest.raises(RunError, match="not a run"):
        invoke("export", ".", "--to", "dvc")


def test_json_says_what_was_written(finished, here):
    done = invoke("export", finished, "--to", "bencher", "--json")
    answer = strictly(done.stdout)
    assert (answer["to"], answer["files"]) == ("bencher", ["bmf.json"])
    assert answer["numbers"] > 10

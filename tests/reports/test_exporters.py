"""What is exported is read by the parser, or fits the schema, of the tool that it is for."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from helpers.exported import (
    CREATED,
    FID,
    MARGIN,
    MODES,
    PLAIN,
    SIZE,
    TEN,
    cell,
    each_format,
    each_source,
    side,
    strictly,
    text_of,
)

from ganbench.gate.measurements import Measurements
from ganbench.records.columns import Column
from ganbench.reports import exporters
from ganbench.reports.exporters.bencher import shortened
from ganbench.reports.exporters.named_measurements import NamedMeasurements, line
from ganbench.reports.exporters.openmetrics import family

jsonschema = pytest.importorskip("jsonschema")


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

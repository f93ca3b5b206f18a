"""Results are read as types, whatever a file lacks, adds or has damaged."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest

from ganbench import Column, DataSeen, MetricValue, Status, TrainingCounts, TrialResult
from ganbench.records import results
from ganbench.testing.fixtures import trials


@pytest.fixture
def read(tmp_path):
    """Reads a result.json of this content."""

    def read(content: Any) -> TrialResult:
        path = tmp_path / "result.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return results.read(path)

    return read


@pytest.mark.parametrize(
    "found", [trials.finished(), trials.judged(trials.GOOD), trials.lost("timeout", "slow")]
)
def test_what_is_read_is_written_again(read, found):
    written = json.loads(json.dumps(read(found).plain()))
    for key, value in found.items():
        kept = written[key]
        assert (kept if not isinstance(value, dict) else {k: kept[k] for k in value}) == value
    if "training" not in found:
        assert set(written) <= {*found, "metric_seconds"}


def test_parts_are_typed(read):
    result = read(trials.finished())
    assert result.status is Status.OK
    assert result.data == DataSeen("00" * 32, 1000)
    assert result.training == TrainingCounts(4000, 40, 40, 40)
    first, *_ = result.metrics
    assert first == MetricValue(trials.COLUMNS[0], 1.25, "0123abcd")
    assert result.timings is not None
    assert result.timings.images_per_second == (1000.0, 1300.0)


def test_counts_and_durations_are_numbers_too(read):
    result = read(trials.finished())
    found = {n.column.name: (n.value, n.column.kind, n.column.gated) for n in result.numbers()}
    assert found["kimg"] == (4.0, "count", True)
    assert found["d-updates"] == (40, "count", True)
    assert found["g-parameters"] == (1234, "count", True)
    assert found["seconds"] == (4.5, "timing", False)
    assert [n.column.name for n in TrialResult().numbers()] == []


def test_what_a_file_lacks_has_a_default_and_what_it_adds_is_left_alone(read):
    result = read({"status": "ok", "metrics": [{"name": "x", "value": 1}], "of tomorrow": {}})
    assert result.metrics == (MetricValue(Column("x"), 1.0),)
    assert (result.training, result.diagnosis, result.seconds) == (None, (), {})


def test_the_next_file_counts_where_there_is_no_result(tmp_path):
    (tmp_path / "end.json").write_text('{"status": "timeout", "reason": "stopped after 1 s"}')
    found = results.read(tmp_path / "result.json", tmp_path / "end.json")
    assert (found.status, found.reason) == (Status.TIMEOUT, "stopped after 1 s")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"seconds": 1}, "result.json: seconds: expected a mapping, found 1"),
        ({"diagnosis": [7]}, "diagnosis.0: "),
        ({"training": {}}, "'training.images' is missing"),
        ({"metrics": [{"value": 1}]}, "'metrics.0.name' is missing"),
    ],
)
def test_damage_costs_its_part_and_is_told(read, damage, says):
    result = read({**trials.finished(), **damage})
    assert result.status is Status.OK
    assert says in result.reason
    (part,) = damage
    assert getattr(result, part) == getattr(TrialResult(), part)
    assert result.parameters is not None


def test_status_of_no_meaning_is_no_status(read):
    result = read({**trials.finished(), "status": "splendid"})
    assert result.status is Status.UNFINISHED
    assert "result.json: status: expected 'ok', 'failed'" in result.reason


def test_list_is_no_result(read):
    result = read([1])
    assert result.status is Status.UNFINISHED
    assert result.reason.endswith("result.json: expected a mapping, found list")


def test_counts_and_durations_have_their_units() -> None:
    columns = (results.KIMG, results.G_UPDATES, results.G_PARAMETERS, results.SECONDS)
    assert [(c.name, c.unit, c.kind, c.gated) for c in columns] == [
        ("kimg", "kimg", "count", True),
        ("g-updates", "", "count", True),
        ("g-parameters", "", "count", True),
        ("seconds", "s", "timing", False),
    ]


@pytest.mark.parametrize("content", [b"", b'{"status": "ok", "met', b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_not_whole_is_named(tmp_path, content):
    (tmp_path / "result.json").write_bytes(content)
    found = results.read(tmp_path / "result.json", tmp_path / "end.json")
    assert found.status == "unfinished"
    assert (
        found.reason
        == f"{tmp_path / 'result.json'}: expected a whole JSON document, found a "
        + ("damaged file")
    )
    (tmp_path / "end.json").write_text('{"status": "timeout", "reason": "stopped after 5 s"}')
    found = results.read(tmp_path / "result.json", tmp_path / "end.json")
    assert (found.status, found.reason) == ("timeout", "stopped after 5 s")


@pytest.mark.parametrize("content", ["null", "0", "[]", "{}"])
def test_json_that_is_no_result_says_so(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    found = results.read(tmp_path / "result.json")
    assert found.status == "unfinished"
    assert found.reason.startswith(f"{tmp_path / 'result.json'}: ")


def test_a_broken_metric_costs_that_metric_alone(tmp_path):
    metrics = [{"name": "a", "value": 1.0, "digits": "x"}, {"name": "b", "value": 2.0}]
    (tmp_path / "result.json").write_text(json.dumps({"status": "ok", "metrics": metrics}))
    found = results.read(tmp_path / "result.json")
    assert [(m.column.name, m.value) for m in found.metrics] == [("b", 2.0)]
    assert found.status == "ok"
    assert found.reason == (
        f"{tmp_path / 'result.json'}: metrics.0.digits: expected a whole number, found 'x'"
    )


@pytest.mark.parametrize(
    "value", ["NaN", "1e999", "9" * 5000, '"1.5"', "true", "[1]"], ids=lambda v: v[:9]
)
def test_what_is_no_number_is_no_value(tmp_path, value):
    content = '{"status": "ok", "metrics": [{"name": "a", "value": VALUE}, {"name": "b"}]}'
    (tmp_path / "result.json").write_text(content.replace("VALUE", value))
    found = results.read(tmp_path / "result.json")
    assert [m for m in found.metrics if m.value is not None] == []
    assert "result.json: " in found.reason


def test_result_of_tomorrow_is_no_result_of_today(read):
    found = read({**trials.finished(), "schema_version": 2})
    assert found.status == "unfinished"
    assert found.metrics == ()
    assert found.reason.endswith(
        "of schema version 2, and this ganbench reads 1; use the version that wrote it"
    )


def test_pipe_in_a_results_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    found = results.read(tmp_path / "result.json")
    assert found.status == "unfinished"
    assert found.reason.endswith("result.json: cannot be read: not a regular file")


GOOD = TrialResult(
    status=Status.OK,
    metrics=(MetricValue(Column("fid"), 12.5, "0123abcd"),),
    protocols={"0123abcd": {"weights": {10: 0.1, 9: 1e-300}}},  # JSON orders its keys otherwise
    seconds={"total": 1.5},
)


def test_whole_result_is_as_it_was_written(tmp_path):
    path = tmp_path / "result.json"
    results.write(path, GOOD)
    found = results.read(path)
    assert (found.status, found.reason, found.metrics) == ("ok", "", GOOD.metrics)
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert results.read(path) == found, "spaces and the order of keys are not its content"


@pytest.mark.parametrize(
    "change", [("12.5", "12.6"), ('"ok"', '"failed"'), ('"0123abcd"', '"0123abce"'), ("1.5", "2.5")]
)
def test_result_with_another_character_is_unfinished_and_says_so(tmp_path, change):
    path = tmp_path / "result.json"
    results.write(path, GOOD)
    path.write_text(path.read_text().replace(*change))
    found = results.read(path)
    assert found == TrialResult(reason=f"{path}: not as it was written: its SHA-256 is another")


def test_no_flipped_bit_gives_another_result(tmp_path):
    path = tmp_path / "result.json"
    results.write(path, GOOD)
    written, whole = results.read(path), path.read_bytes()
    for at in random.Random(0).sample(range(8 * len(whole)), 300):
        changed = bytearray(whole)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        found = results.read(path)
        assert found == written or (found.status is Status.UNFINISHED and found.reason)


def test_result_of_before_has_no_seal_and_is_believed(tmp_path):
    path = tmp_path / "result.json"
    results.write(path, GOOD)
    rest = json.loads(path.read_text())
    del rest["sha256"]
    path.write_text(json.dumps(rest).replace("12.5", "12.6"))
    assert results.read(path).metrics[0].value == 12.6

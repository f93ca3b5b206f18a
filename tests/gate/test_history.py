"""A history shows every number over commits, and marks what the exact test tells apart."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ganbench.cli import cli
from ganbench.errors import BaselineError, NothingSelected
from ganbench.gate import history
from ganbench.gate.baseline import SCHEMA_VERSION, Baseline
from ganbench.gate.comparison import Policy
from ganbench.gate.history import MOST, Point
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.records.columns import Column

FID = Column("fid@x", "", "min", gated=True)
COUNT = Column("updates", "", "none", kind="count", gated=True)


def measured(
    values: Sequence[float],
    first: int = 0,
    *,
    column: Column = FID,
    settings: dict[str, Any] | None = None,
    protocol: str = "p",
    id: str = "a",
) -> Measurements:
    series = {column.name: Series(column, dict(enumerate(values, first)), protocol)}
    cell = Measured(id, "bce/mlp", "ring", settings or {}, {"ok": len(values)}, series)
    return Measurements("bench", {id: cell}, {}, {protocol: {"id": protocol}})


def points(levels: Sequence[float], seeds: int = 20, *, own: bool = False) -> list[Point]:
    """Noise of spread 1 about each level; seeds are the same at each point, or its own."""
    draw = random.Random(2)
    return [
        Point(f"p{k}", f"2026-01-{k + 1:02}", f"c{k}", "",
              measured([level + draw.gauss(0, 1) for _ in range(seeds)], k * seeds * own))
        for k, level in enumerate(levels)
    ]  # fmt: skip


def marks(found: Sequence[Point], policy: Policy | None = None) -> dict[int, str]:
    [row] = history.history(found, policy or Policy()).rows
    return {i: verdict.word for i, verdict in sorted(row.marks.items())}


def test_a_change_is_marked_where_it_is_and_with_its_direction() -> None:
    assert marks(points([10] * 4 + [14] * 4)) == {4: "regressed"}
    assert marks(points([10] * 4 + [14] * 3 + [10] * 3)) == {4: "regressed", 7: "improved"}


def test_few_seeds_of_each_point_add_up_where_they_are_others() -> None:
    levels = [10.0] * 6 + [13.0] * 6
    assert marks(points(levels, 3, own=True)) == {6: "regressed"}
    assert marks(points(levels, 3)) == {}


def test_noise_is_not_marked() -> None:
    assert marks(points([10] * 12)) == {}
    assert marks(points([10] * 30, 3, own=True)) == {}


def test_the_same_seeds_trained_again_are_no_more_evidence() -> None:
    """Three numbers, the same every night, and three others after a change of the last bits."""
    before, after = measured([1.0, 2.0, 3.0]), measured([4.0, 5.0, 6.0])
    nights = [Point(str(k), "", "", "", before if k < 20 else after) for k in range(40)]
    assert marks(nights) == {}


def test_less_than_the_tolerance_is_not_marked() -> None:
    found = points([10] * 4 + [10.9] * 4, 40)
    assert marks(found) == {}
    assert history.history(found, Policy()).policy.tolerance(FID).of(10.0) == 1.0


def test_level_is_alpha_divided_by_all_splits() -> None:
    assert history.history(points([10] * 6), Policy(alpha=0.04)).level == pytest.approx(0.04 / 5)


def test_verdicts_are_of_the_nearest_seeds() -> None:
    [row] = history.history(points([10] * 40 + [15] * 40, 3, own=True), Policy()).rows
    assert len(row.marks[40].baseline) == len(row.marks[40].candidate) == MOST


def test_other_settings_and_protocols_begin_anew_and_say_why() -> None:
    rate = {"schedule": {"g_lr": 0.1}}
    found = [
        Point("0", "", "", "", measured([1.0] * 20, settings=rate)),
        Point("1", "", "", "", measured([9.0] * 20, settings={"schedule": {"g_lr": 0.2}}, id="b")),
        Point("2", "", "", "", measured([9.0] * 20, settings={"schedule": {"g_lr": 0.2}}, id="b",
                                        protocol="q")),
    ]  # fmt: skip
    [row] = history.history(found, Policy()).rows
    assert {i: v.word for i, v in row.marks.items()} == {1: "incomparable", 2: "incomparable"}
    assert row.marks[1].evidence == "schedule.g_lr 0.2, was 0.1"
    assert row.marks[2].evidence == "other protocol: id q, was p"


def test_a_setting_that_is_new_is_the_same_work_and_noted() -> None:
    found = [
        Point("0", "", "", "", measured([float(i) for i in range(20)])),
        Point(
            "1", "", "", "", measured([50.0 + i for i in range(20)], settings={"new": 1}, id="b")
        ),
    ]
    what = history.history(found, Policy())
    assert {i: v.word for i, v in what.rows[0].marks.items()} == {1: "regressed"}
    assert what.notes == ("1: bce/mlp: one side alone has new 1, was null",)


def test_counts_are_marked_where_they_are_not_equal() -> None:
    found = [
        Point(str(k), "", "", "", measured([100.0 + (k > 1)] * 3, column=COUNT)) for k in range(4)
    ]
    assert marks(found) == {2: "regressed"}


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=x@y", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def bank(path: Path, values: Sequence[float], commit: str, reason: str = "why") -> None:
    source = {"git": {"benchmark": {"commit": commit, "dirty": False}}}
    gate = {"metrics": ["fid@x"]}
    Baseline(SCHEMA_VERSION, "2026-01-01", reason, source, gate, measured(values)).write(path)


@pytest.fixture
def banked(tmp_path: Path) -> Path:
    """A baseline of which the third commit is worse, and the second no baseline at all."""
    git(tmp_path, "init", "-q")
    path = tmp_path / "b.json"
    draw = random.Random(3)
    for k, level in enumerate((10, None, 10, 30)):
        if level is None:
            path.write_text("{}")
        else:
            bank(path, [level + draw.gauss(0, 1) for _ in range(12)], f"{k}" * 40, f"reason {k}")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", f"Bank {k}")
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["compare", "--history", *map(str, arguments)])


def test_commits_of_a_baselines_file_are_its_history(banked: Path) -> None:
    done = run(banked)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    [mark] = [line for line in lines if line.startswith("regressed at")]
    assert mark.startswith("regressed at 3333333333: bce/mlp fid@x: n 12 against 12: median 29.")
    assert mark.endswith("; banked because: reason 3")
    [row] = [line for line in lines if "◀ regressed" in line]
    assert git(banked.parent, "rev-parse", "HEAD")[:10] in row
    [note] = [line for line in lines if line.startswith("note: left out")]
    assert f"{git(banked.parent, 'rev-parse', 'HEAD~2')[:10]}: of schema version" in note
    assert (
        "history: 3 points, 1 change; the chance of any where nothing changed is below"
        in done.output
    )


def test_document_has_all_values_and_what_is_not_committed_is_the_last_point(banked: Path) -> None:
    bank(banked, [50.0 + k for k in range(12)], "f" * 40)
    said = json.loads(run(banked, "--json").output)
    assert [point["name"] for point in said["points"]][-1] == "uncommitted"
    [row] = said["rows"]
    assert [entry["n"] for entry in row["values"]] == [12, 12, 12, 12]
    assert row["values"][-1]["mean"] == pytest.approx(55.5)
    assert [bool(entry["change"]) for entry in row["values"]] == [False, False, True, True]
    assert said["exit_code"] == 0


def test_several_baselines_are_shown_by_their_time(banked: Path) -> None:
    other = banked.parent / "other.json"
    bank(other, [10.0 + k for k in range(12)], "e" * 40)
    done = run(banked, other)
    assert done.exit_code == 0, done.output
    assert "history: 2 points" in done.output


def test_one_point_is_nothing_to_compare(banked: Path) -> None:
    alone = banked.parent / "alone.json"
    bank(alone, [1.0] * 12, "a" * 40)
    git(banked.parent, "add", "-A")
    git(banked.parent, "commit", "-q", "-m", "x")
    done = CliRunner().invoke(cli, ["compare", "--history", str(alone)], standalone_mode=False)
    assert done.return_value == 4
    assert "one point, so that nothing can be compared" in done.output


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ([], None, "name one baseline's file"),
        (["."], None, "name one baseline's file"),
        (["b.json", "--fail-on", "failed"], None, "--fail-on: a history shows"),
        (["b.json", "--inconclusive", "ok"], None, "--inconclusive: a history shows"),
        (["none.json"], BaselineError, "no commit has it"),
        (["new.json"], BaselineError, "no commit has it.*commit it"),
        (["b.json", "--gate", "fid"], NothingSelected, "--gate fid: .*did you mean 'fid@x'"),
        (["b.json", "gone.json"], BaselineError, "gone.json: No such file"),
    ],
)
def test_what_has_no_history_is_a_sentence(
    banked: Path, monkeypatch: pytest.MonkeyPatch, arguments, error, says
) -> None:
    monkeypatch.chdir(banked.parent)
    bank(banked.parent / "new.json", [1.0] * 12, "a" * 40)
    done = run(*arguments)
    if error is None:
        assert done.exit_code == 2
        assert says in done.output
    else:
        with pytest.raises(error, match=says):
            raise done.exception or AssertionError(done.output)


def test_a_file_outside_any_repository_has_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    bank(tmp_path / "b.json", [1.0] * 12, "a" * 40)
    done = run(tmp_path / "b.json")
    assert isinstance(done.exception, BaselineError)
    assert not isinstance(done.exception, click.ClickException)

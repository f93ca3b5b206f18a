"""Trackers are told all of a trial in their own process, and cost it nothing where they break."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

from helpers.trackers import Missing, Noting, NotingTable

from ganbench import TrialInfo, Window
from ganbench.contracts import trackers
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures import probes, trials
from ganbench.testing.rules.reporters import REPORTS

RESULT: dict[str, Any] = {
    "status": "ok",
    "metrics": [{"name": "fid", "value": 1.5}, {"name": "modes", "value": None}],
}


@parametrize_with_checks(Missing)
def test_conforms(check):
    check()


def window(number: int) -> Window:
    return Window(0.5 * number, 5, 0.5, 800.0, 10.0, {"real": 1.0}, {"adversarial": 0.25},
                  {"d_real": 2.0}, epoch=0.1 * number)  # fmt: skip


def follow(tracker: Noting, directory: Path, windows: int = 2) -> list[float]:
    """Tell a whole trial; return the seconds that each call took."""
    calls = [
        (tracker.began, TrialInfo("ring", "bce", {"loss": "bce"}, 3, directory, {"at": directory})),
        *((tracker.window, window(number + 1)) for number in range(windows)),
        (tracker.probed, probes.probed(1)),
        (tracker.ended, RESULT),
    ]
    seconds = []
    for call, argument in calls:
        started = time.monotonic()
        call(argument)
        seconds.append(time.monotonic() - started)
    return seconds


def notes(directory: Path) -> list[list[Any]]:
    return [json.loads(line) for line in (directory / "notes.jsonl").read_text().splitlines()]


def test_all_of_a_trial_arrives_in_order(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(trackers, "TRIAL_SECONDS", 60.0)
    follow(Noting(), tmp_path)
    opened, first, second, quality, picture, closed = notes(tmp_path)
    assert opened == ["open", "bce", 3]
    assert first == [
        "scalars", 500,
        {"loss/d/real": 1.0, "loss/g/adversarial": 0.25, "signal/d_real": 2.0,
         "speed/images_per_second": 800.0, "progress/epoch": 0.1, "progress/kimg": 0.5},
    ]  # fmt: skip
    assert second[1] == 1000
    assert quality == ["scalars", 500, {"quality/fid@kit-features": 1.25}]
    assert picture == ["picture", 500, [64, 24], "RGB", [255, 255, 255]]
    assert closed == ["close", "ok", {"final/fid": 1.5}]
    assert not caplog.records
    assert not (tmp_path / "noting.log").exists()  # as nothing was printed


def test_broken_tracker_ends_no_trial(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(trackers, "TRIAL_SECONDS", 60.0)
    with caplog.at_level(logging.WARNING):
        follow(Noting(fails_at="scalars"), tmp_path)
    assert notes(tmp_path) == [["open", "bce", 3]]
    assert "'noting' may lack numbers: its process ended with 1 (see noting.log)" in caplog.text
    assert "no route to the tracker's server" in (tmp_path / "noting.log").read_text()


def test_hanging_tracker_is_waited_for_for_so_long_and_no_longer(
    tmp_path: Path, monkeypatch, caplog
) -> None:
    """Nothing is waited for before the end, and what waits has a bound."""
    assert trackers.TRIAL_SECONDS == 5
    monkeypatch.setattr(trackers, "TRIAL_SECONDS", 0.3)
    monkeypatch.setattr("ganbench.util.aside.GRACE_SECONDS", 0.1)
    monkeypatch.setattr("ganbench.util.aside.MOST_BYTES", 20_000)
    tracker = Noting(fails_at="open", hangs=True)
    with caplog.at_level(logging.WARNING):
        *told, ended = follow(tracker, tmp_path, windows=1500)
    assert sorted(told)[len(told) // 2] < 0.001  # of windows, which take 100 ms and more
    assert 0.3 <= ended < 3
    assert tracker._aside is not None
    assert 500 < tracker._aside.left_out < 1500  # beside what the pipe holds
    assert "'noting' may lack numbers: it was not done after 0.3 s" in caplog.text


def test_missing_library_is_named(tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        follow(Missing(), tmp_path)
    assert f"'missing' tracks nothing in {tmp_path}: the package 'no_such_library" in caplog.text
    assert not list(tmp_path.iterdir())


def test_table_arrives_with_one_set_of_keys(tmp_path: Path, monkeypatch) -> None:
    """Also in a folder that is named from the working directory."""
    monkeypatch.chdir(tmp_path.parent)
    report = trials.report(tmp_path, REPORTS["failed"])
    NotingTable().write(report, Path(tmp_path.name))
    name, rows = json.loads((tmp_path / "table.json").read_text())
    assert name == report.table.name
    assert len(rows) == len(report.table.rows)
    assert {*rows[0]} == {"label", "status", "n", *(c.name for c in report.table.columns)}
    assert all(row.keys() == rows[0].keys() for row in rows)


def test_what_cannot_start_ends_no_trial(tmp_path: Path, monkeypatch, caplog) -> None:
    """As for a class that is in no file, such as one of a notebook."""
    monkeypatch.setattr(Noting, "__module__", "in_no_file")
    with caplog.at_level(logging.WARNING):
        follow(Noting(), tmp_path)
    assert "'noting' tracks nothing in" in caplog.text
    assert "in_no_file" in caplog.text

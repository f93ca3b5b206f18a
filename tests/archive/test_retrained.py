"""A trial that was trained again beside what was submitted: what is confirmed, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.many_runs import FID, finished, write

from ganbench.archive import retrained
from ganbench.errors import ConfigError, NothingSelected
from ganbench.records import results
from ganbench.records.results import TrialResult
from ganbench.records.run_folder import Run
from ganbench.testing.fixtures import trials


def again(fid: float | str, **changes: Any) -> TrialResult:
    return results.parsed({**finished(fid), **changes})


@pytest.fixture
def run(tmp_path) -> Run:
    return write(tmp_path / "run", {"bce": {0: 1.0, 1: 1.2, 2: 0.8, 3: 1.0}})


def compared(run: Run, result: TrialResult, to_the_bit: bool, tolerance: float = 0.1):
    submitted = run.outcomes()[0]
    return list(
        retrained.compared(run, submitted, result, to_the_bit=to_the_bit, tolerance=tolerance)
    )


def test_the_same_numbers_are_confirmed_to_the_bit(run):
    found = compared(run, again(1.0), to_the_bit=True)
    assert [one.column for one in found] == [FID, "modes", "cond-accuracy"]  # no timings
    assert retrained.unconfirmed(found) == []


def test_a_number_that_differs_in_its_last_bit_is_found(run):
    (one,) = retrained.unconfirmed(compared(run, again(1.0 + 2**-52), to_the_bit=True))
    assert (one.column, one.why) == (FID, "1.0000000000000002 here, 1.0 as submitted")


def test_elsewhere_the_first_number_may_differ_by_the_tolerance(tmp_path):
    run = write(tmp_path / "one", {"bce": {0: 1.0}})
    for fid, confirmed in ((1.09, True), (0.91, True), (1.11, False), (0.89, False)):
        (one,) = compared(run, again(fid), to_the_bit=False)
        assert (one.column, one.confirmed) == (FID, confirmed), fid


def test_elsewhere_other_seeds_may_allow_more(run):
    # of 1.2, 0.8 and 1.0: a standard deviation of 0.2, and four of them
    for fid, confirmed in ((1.79, True), (1.81, False), (0.21, True), (0.19, False)):
        (one,) = compared(run, again(fid), to_the_bit=False)
        assert one.allowed == pytest.approx(0.8)
        assert one.confirmed is confirmed


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (again(1.0, data={"sha256": "11" * 32}), "SHA-256 111111111111… here, 000000000000…"),
        (results.parsed(trials.lost("diverged", "nan")), "diverged here, ok as submitted"),
        (again("too few samples"), "no value here: too few samples"),
        (results.parsed(finished(1.0, {"metric": "other"})), "here, "),
    ],
)
@pytest.mark.parametrize("to_the_bit", [True, False])
def test_what_was_trained_or_judged_otherwise_is_not_confirmed(run, result, why, to_the_bit):
    found = retrained.unconfirmed(compared(run, result, to_the_bit))
    assert why in found[0].why


def test_chance_goes_by_the_draw_and_reaches_every_trial(run):
    ids = {retrained.drawn(run, str(draw)).trial.id for draw in range(50)}
    assert len(ids) == 4
    assert retrained.drawn(run, "7").trial.id == retrained.drawn(run, "7").trial.id


def test_trials_that_came_to_nothing_are_not_drawn(tmp_path):
    run = write(tmp_path / "run", {"bce": {0: trials.lost("failed", "why"), 1: 1.0}})
    assert {retrained.drawn(run, str(d)).trial.seed for d in range(20)} == {1}
    lost = write(tmp_path / "lost", {"bce": {0: trials.lost("failed", "why")}})
    with pytest.raises(NothingSelected, match="no trial of it was trained to its end"):
        retrained.drawn(lost, "")


def test_the_runs_of_changed_files_are_found(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trial = next((tmp_path / "run").glob("trials/*/result.json"))
    names = ["run/run.json", str(trial.relative_to(tmp_path)), "README.md", "gone/run.json", ""]
    (tmp_path / "names").write_text("\0".join(names), "utf-8")
    assert retrained.changed(tmp_path / "names") == [Path("run")]
    with pytest.raises(ConfigError, match="cannot be read"):
        retrained.changed(tmp_path / "none")

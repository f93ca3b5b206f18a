"""`run --until-decided`: which seeds are bought, and what the table says; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner
from helpers import tiny
from helpers.many_runs import FID, finished, write
from helpers.tables import row

from ganbench import Report
from ganbench.cli import cli
from ganbench.errors import ConfigError
from ganbench.records.run_folder import RESULT, Run
from ganbench.runs import deciding
from ganbench.runs.deciding import Deciding
from ganbench.util import sealed


def trained(values: Callable[[str, int], float]) -> Callable[[Run], None]:
    """Give each trial without a result the number that its loss and seed have."""

    def execute(run: Run) -> None:
        for trial in run.trials:
            directory = run.directory / "trials" / trial.id
            if not (directory / RESULT).exists():
                directory.mkdir(parents=True, exist_ok=True)
                value = values(trial.subject.axes["loss"], trial.seed)
                sealed.write_json(directory / RESULT, finished(value))

    return execute


@pytest.fixture
def run(tmp_path) -> Run:
    values = {loss: {seed: number(loss, seed) for seed in range(4)} for loss in ("a", "b", "c")}
    return write(tmp_path / "run", values)


def number(loss: str, seed: int) -> float:
    """b is better than a by one spread, and c is the same as b to the last digit."""
    spread = (seed * 7 % 11) / 5
    return spread + (0.0 if loss != "a" else 1.3)


def test_seeds_are_bought_until_pairs_are_decided(run):
    done = Deciding(FID, 20).decided(run, trained(number))
    table = Report.of(done).table
    seeds = {label: row(table, f"{label}/none/mlp").n for label in "abc"}
    assert seeds["a"] > 4
    notes = [str(note) for note in table.notes if getattr(note, "kind", "") == "decided"]
    assert "looking at 4, 8" in notes[0]
    assert any(note.startswith("b beats a: decided at ") for note in notes)
    assert any(note.startswith("c beats a: decided at ") for note in notes)
    assert any(note.startswith("b and c are tied after ") for note in notes)
    assert Run.read(done.directory).plan.id == done.info.plan  # it can be read, and resumed


def test_what_is_out_of_reach_is_not_bought(tmp_path):
    same = {loss: {seed: 1.0 + seed for seed in range(3)} for loss in ("a", "b")}
    run = write(tmp_path / "run", same)
    done = Deciding(None, 20).decided(run, trained(number))
    assert done.plan.seeds == (0, 1, 2)
    assert "a and b are tied after 3 seeds, and out of reach of 20." in done.info.decided


def test_the_cap_is_kept_and_what_is_tied_then_is_told(tmp_path):
    ends = {"a": [1.0, 2.0, 3.0, 4.0], "b": [2.5, 3.5, 4.5, 5.5]}
    run = write(tmp_path / "run", {v: dict(enumerate(found)) for v, found in ends.items()})

    def alternating(loss: str, seed: int) -> float:
        return float(seed % 4) + (1.5 if (loss == "b") == (seed % 2 == 0) else 0.0)

    done = Deciding(FID, 10).decided(run, trained(alternating))
    assert len(done.plan.seeds) <= 10
    assert any("ied" in sentence for sentence in done.info.decided)


@pytest.mark.parametrize(
    ("losses", "seeds", "cap", "why"),
    [
        (("a", "b"), 1, 20, "one seed tells of no spread"),
        (("a", "b"), 4, 3, "--max-seeds 3: the run begins with 4 seeds already"),
        (("a",), 4, 20, "one cell has nothing to be told apart from"),
    ],
)
def test_what_cannot_be_decided_is_refused_before_training(tmp_path, losses, seeds, cap, why):
    run = write(tmp_path / "run", {loss: dict.fromkeys(range(seeds), 1.0) for loss in losses})
    with pytest.raises(ConfigError, match=why):
        Deciding(None, cap).check(run.plan)


class Stopped(Exception):
    """What ends a run in its middle."""


def stopped_after(trials: int) -> Callable[[Run], None]:
    """Train so many trials, and then be stopped."""
    left = iter(range(trials))

    def value(loss: str, seed: int) -> float:
        if next(left, None) is None:
            raise Stopped
        return number(loss, seed)

    return trained(value)


def test_a_run_that_was_stopped_goes_on_and_decides_as_one_in_one_go(run, tmp_path):
    whole = Deciding(FID, 20).decided(run, trained(number))
    values = {loss: {seed: number(loss, seed) for seed in range(4)} for loss in ("a", "b", "c")}
    again = write(tmp_path / "again", values)
    stops = 0
    for trials in (1, 2, 3, 5, 8, 100):
        asked = Deciding(None if stops else FID, 20)
        try:
            done = asked.decided(Run.read(again.directory), stopped_after(trials))
        except Stopped:
            stops += 1
            told = asked.goes_on(Run.read(again.directory))
            assert told.startswith("goes on where it was: look ")
    assert stops > 2
    assert done.info.decided == whole.info.decided
    assert done.plan.id == whole.plan.id
    before = (done.directory / "run.json").read_bytes()
    assert Deciding(FID, 20).decided(done, trained(number)).plan.id == whole.plan.id
    assert (done.directory / "run.json").read_bytes() == before  # there was nothing left to do


@pytest.mark.parametrize("writes", [1, 2, 3, 4])
def test_a_run_that_is_killed_while_it_buys_stays_a_run(run, monkeypatch, writes):
    whole, left = run.directory / "run.json", iter(range(writes))
    write_json = deciding.files.write_json

    def dying(path, content):
        if path == whole and next(left, None) is None:
            raise Stopped
        write_json(path, content)

    monkeypatch.setattr(deciding.files, "write_json", dying)
    with pytest.raises(Stopped):
        Deciding(FID, 20).decided(run, trained(number))
    monkeypatch.undo()
    done = Deciding(FID, 20).decided(Run.read(run.directory), trained(number))
    assert "looking at 4, 8" in done.info.decided[0]
    assert max(map(len, done.plan.seeds_of.values())) in (8, 12, 16, 20)


def test_another_cap_or_metric_than_it_began_with_is_refused(run):
    done = Deciding(FID, 8).decided(run, trained(number))
    with pytest.raises(ConfigError, match="begun with --max-seeds 8, and with 20 its chance"):
        Deciding(FID, 20).goes_on(done)
    with pytest.raises(ConfigError, match=f"begun with --metric {FID}, and with modes"):
        Deciding("modes", 8).goes_on(done)
    assert Deciding(None, 8).goes_on(run) == ""  # as it was read before its first look


def test_the_same_command_goes_on_in_its_own_folder(tmp_path):
    text = tiny.INLINE.replace("num_samples: 200,", "num_samples: 200, controls: [],")
    file = tiny.write(
        tmp_path,
        text.replace("kimg: 1", "kimg: 0.05").replace(
            "mode-coverage, fid, throughput", "mode-coverage"
        ),
    )
    words = ["run", file, "--quiet", "--seeds", "0,1", "--until-decided", "--max-seeds", "4"]
    words = [*map(str, words), "--metric", "modes", "--out", str(tmp_path / "run")]
    first = CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False)
    assert first.return_value == 0, first.output
    run = Run.read(tmp_path / "run")
    assert run.info.bought is not None
    lost = sorted((tmp_path / "run").glob("trials/*/result.json"))[-1]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("trials/*/r*.json")}
    lost.unlink()
    again = CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False)
    assert again.return_value == 0, again.output
    assert "goes on where it was: look " in again.stderr
    after = Run.read(tmp_path / "run")
    assert (after.plan.id, after.info.decided) == (run.plan.id, run.info.decided)
    kept = [path for path, when in before.items() if path.stat().st_mtime_ns == when]
    assert kept == [path for path in before if path != lost]

"""`run --until-decided`: which seeds are bought, and what the table says; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers.many_runs import FID, finished, write
from helpers.tables import row

from ganbench import Report
from ganbench.errors import ConfigError
from ganbench.records.run_folder import RESULT, Run
from ganbench.runs.deciding import Deciding
from ganbench.util import sealed


def trained(values: Callable[[str, int], float]) -> Callable[[Run], None]:
    """Give each trial without a result the number that its loss and seed have."""

    def execute(run: Run) -> None:
        for trial in run.trials:
            directory = run.directory / "trials" / trial.id
            if not (directory / RESULT).exists():
                directory.mkdir(parents=True)
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

"""A plan is a table where its lines fit, and a list of cells where they don't."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import tiny
from helpers.bench import OPEN

from ganbench.cli import cli, plan_view
from ganbench.cli.commands import plan as plan_command
from ganbench.cli.commands.plan import _described
from ganbench.runs import expected
from ganbench.runs.costs import Cost
from ganbench.runs.expected import Expected

TEXT = OPEN + "loss: bce\ntraining: {batch_size: 10, budget: {kimg: 1}, n_critic: 2}\n"


@pytest.fixture
def shown(planned: Any, plugins: Any) -> Any:
    """The plan and what is told of its cells."""
    from types import SimpleNamespace

    plan = planned(TEXT)
    took = Expected(Cost(1.0, 30.0, 2.0, 0.0, False), "at most")
    return plan, _described(SimpleNamespace(plan=plan, registry=plugins), [took])


def test_wide_enough_is_a_table(shown: Any, capsys: pytest.CaptureFixture[str]) -> None:
    plan_view.show(*shown)
    lines = capsys.readouterr().out.splitlines()
    assert "updates G/D" in lines[2]
    assert "50/100" in lines[4]
    assert "≤ 33 s" in lines[4]


def test_too_narrow_is_a_list_that_loses_nothing(
    shown: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_view, "PIPE_WIDTH", 80)
    plan_view.show(*shown)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    told = " ".join(said.split())
    for part in ("batch 10", "updates G/D 50/100", "time a seed ≤ 33 s", shown[1][0]["id"]):
        assert part in told


def test_a_list_says_once_what_all_cells_have_in_common(
    shown: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_view, "PIPE_WIDTH", 80)
    plan, [first] = shown
    second = {**first, "label": "lsgan/none/mlp", "id": "0123456789", "g_updates": 51}
    unbuilt = {**first, "label": "lsgan/none/dcgan", "incompatible": "wants images"}
    plan_view.show(plan, [first, second, unbuilt])
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("batch 10") == told.count("n_critic 2") == 1
    assert "every cell" in told
    for part in ("updates G/D 50/100", "updates G/D 51/100", "id 0123456789", "n/a: wants images"):
        assert part in told


@pytest.mark.parametrize(
    ("jobs", "reason", "guessed", "said"),
    [
        (1, "", 0.0, "the run takes at most about 66 s, one by one"),
        (2, "they fit", 0.0, "the run takes at most about 66 s, 2 at once, as they fit"),
        (1, "", 5.0, "one by one; 5 s of it for judging are a guess, as nothing was judged so on"),
    ],
)
def test_durations_say_what_they_hold(
    shown: Any, jobs: int, reason: str, guessed: float, said: str
) -> None:
    at_once = plan_view.at_once(jobs, reason)
    assert said in plan_view.durations(shown[1], 66.0, at_once, guessed)


@pytest.mark.parametrize("lasts", [True, False])
def test_plan_says_what_it_waits_for_where_that_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasts: bool
) -> None:
    measured = expected.expected

    def slowly(*given: Any) -> Any:
        time.sleep(0.3)
        return measured(*given)

    monkeypatch.setattr(expected, "expected", slowly)
    monkeypatch.setattr(plan_command, "PATIENCE", 0.05 if lasts else 300.0)
    done = CliRunner().invoke(cli, ["plan", str(tiny.write(tmp_path))], catch_exceptions=False)
    assert done.exit_code == 0
    assert ("--no-estimate leaves it out" in done.stderr) == lasts
    assert "leaves it out" not in done.stdout

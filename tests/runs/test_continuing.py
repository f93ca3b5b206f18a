"""A model trained on is what one training to the larger budget gives, and says what it is."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from helpers import tiny
from safetensors.torch import load_file

import ganbench
from ganbench.cli.commands.clean import command as clean
from ganbench.config import benchmark_file, plan
from ganbench.errors import ConfigError, RunError
from ganbench.records.run_folder import STATE, Run
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.runs import continuing
from ganbench.util import sealed

# Spectral norms and no average: what sampling changes of the network is the live one's.
ONE = tiny.INLINE.replace("  loss: [bce, lsgan]", "  loss: [bce]\ng_norm: spectral").replace(
    "log_every: 5", "log_every: 7, ema: 0"
)
LARGER = "training.budget.kimg=2"
KEPT = "execution.keep_state=true"


def run(folder: Path, out: str, *overrides: str, continues: Path | None = None, seeds: str = "0"):
    file = tiny.write(folder, ONE)
    return ganbench.run(
        file, overrides=overrides, out=folder / out, continues=continues, seeds=seeds, device="cpu"
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    """A run of 1 kimg, which kept its state."""
    folder = tmp_path_factory.mktemp("first")
    report = run(folder, "first", KEPT)
    assert {o.status for o in report.outcomes} == {"ok"}
    return report.run.directory


def trained(report):
    return next(o for o in report.outcomes if o.trial.cell)


def planned(folder: Path, plugins: Registry, *overrides: str, seeds=(), text: str = ONE):
    config = benchmark_file.load(tiny.write(folder, text), plugins, overrides=overrides)
    return plan.make(config, plugins, device="cpu", seeds=seeds)


def test_it_is_bit_for_bit_one_training_to_the_larger_budget(first, tmp_path):
    at_once = trained(run(tmp_path, "whole", LARGER))
    assert not list(tmp_path.rglob(STATE))
    report = run(tmp_path, "on", LARGER, KEPT, continues=first)
    on = trained(report)
    assert on.status == at_once.status == "ok", on.reason
    mine, theirs = (load_file(o.directory / "model.safetensors") for o in (on, at_once))
    assert mine.keys() == theirs.keys()
    assert all(mine[name].equal(theirs[name]) for name in mine)
    found = [tiny.without_clock(o.result.plain()) for o in (on, at_once)]
    assert found[0]["metrics"] == found[1]["metrics"] != []
    assert on.result.training == at_once.result.training
    assert [w.kimg for w in on.windows] == [0.35, 0.7, 1.0, 1.05, 1.4, 1.75, 2.0]  # 1.0 is a seam
    assert (on.directory / STATE).is_file()
    longer = run(tmp_path, "on and on", "training.budget.kimg=2.5", continues=report.run.directory)
    assert trained(longer).result.training.images == 2500


def test_it_is_a_cell_of_its_own_that_says_so_everywhere(first, tmp_path):
    report = run(tmp_path, "on", LARGER, "reporters=[markdown, json, html]", continues=first)
    on, before = trained(report), next(o for o in Run.read(first).outcomes() if o.trial.cell)
    anew = planned(tmp_path, registry.load(), LARGER).cells[0]
    cell = on.trial.cell
    assert cell.id not in (anew.id, before.trial.cell.id)
    assert cell.training_id not in (anew.training_id, before.trial.cell.training_id)
    assert cell.label == f"{anew.label}/from 1 kimg"
    said = f"continued from {first}, cell {before.trial.cell.label} ({before.trial.cell.id}), at 1"
    assert any(f"{cell.label}: {said} kimg." == note for note in report.table.notes)
    assert said in (report.run.directory / "table.md").read_text("utf-8")
    assert said in (report.run.directory / "report.html").read_text("utf-8")
    assert said in (on.directory / "README.md").read_text("utf-8")
    assert "| continued |" in (report.run.directory / "table.md").read_text("utf-8")
    assert on.result.resumed_at_kimg == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (("training.budget.kimg=1",), r"budget of 1 kimg is not larger than .* there, 1 kimg;"),
        (("training.budget.kimg=0.5",), "budget of 0.5 kimg is not larger"),
        ((LARGER, "training.g_lr=0.01"), "differs in training.g_lr$"),
        ((LARGER, "training.batch_size=25"), "differs in training.batch_size$"),
        ((LARGER, "architecture.width=17"), "differs in architecture$"),
        ((LARGER, "dataset.train_size=1000"), "differs in dataset$"),
        ((LARGER, "training.ema={half_life: 1, start: 0.5}"), "differs in training.ema$"),
    ],
)
def test_what_was_trained_otherwise_is_refused(first, tmp_path, plugins, changes, error):
    with pytest.raises(ConfigError, match=error):
        continuing.planned(planned(tmp_path, plugins, *changes), first, plugins)


def test_judging_may_differ_and_the_path_is_in_no_id(first, tmp_path, plugins):
    asked = planned(tmp_path, plugins, LARGER, "evaluation.num_samples=100")
    shutil.copytree(first, tmp_path / "copy")
    here, there = (
        continuing.planned(asked, place, plugins).cells[0] for place in (first, tmp_path / "copy")
    )
    assert here.schedule.continues.run != there.schedule.continues.run
    assert here.id == there.id != asked.cells[0].id


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        ("1e-3", []),
        ("{from: 1e-3, to: 1e-4}", ["training.g_lr"]),
        ("{from: 1e-3, to: 1e-4, until: {kimg: 0.8}, warmup: 0.1}", ["training.g_lr"]),
        ("{from: 1e-3, to: 1e-4, until: {kimg: 0.8}}", []),
    ],
)
def test_schedules_with_shares_go_by_the_budget(tmp_path, plugins, schedule, found):
    (cell,) = planned(tmp_path, plugins, f"training.g_lr={schedule}").cells
    assert list(continuing.going_by_the_budget(cell, plugins)) == found


def test_what_goes_by_the_budget_is_refused(first, tmp_path, plugins, monkeypatch):
    asked = planned(tmp_path, plugins, LARGER)
    monkeypatch.setattr(continuing, "going_by_the_budget", lambda *given: iter(["it"]))
    with pytest.raises(ConfigError, match=r"it goes by the budget: with a larger one .* train it"):
        continuing.planned(asked, first, plugins)


READING = """\
from dataclasses import dataclass
from ganbench import hookimpl
from ganbench.default_plugins.losses import BCE

@dataclass(kw_only=True)
class Reading(BCE):
    \"\"\"BCE that grows.\"\"\"

    name = "reading"

    def generator_loss(self, step):
        return {k: v * (1 + step.progress) for k, v in super().generator_loss(step).items()}

@hookimpl
def register_losses(register):
    register(Reading)
"""


def test_a_loss_that_reads_the_progress_goes_by_the_budget(tmp_path):
    plugin = tmp_path / "reading.py"
    plugin.write_text(READING)
    found = registry.load([str(plugin)])
    (cell,) = planned(tmp_path, found, text=ONE.replace("[bce]", "[reading]")).cells
    assert list(continuing.going_by_the_budget(cell, found)) == [
        "'reading', which reads `step.progress`,"
    ]


def test_a_run_that_kept_no_state_says_what_it_takes(first, tmp_path, plugins):
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    next(copy.glob(f"trials/*/{STATE}")).unlink()
    with pytest.raises(RunError, match=r"no state.pt: .* --set execution.keep_state=true; run it"):
        continuing.planned(planned(tmp_path, plugins, LARGER), copy, plugins)


def test_another_seed_and_an_unfinished_trial_are_refused(first, tmp_path, plugins):
    with pytest.raises(RunError, match="it has no seed 3, only 0; name those with --seeds"):
        continuing.planned(planned(tmp_path, plugins, LARGER, seeds=[3]), first, plugins)
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    trial = next(copy.glob(f"trials/*/{STATE}")).parent
    (trial / "result.json").unlink()
    with pytest.raises(RunError, match="it is unfinished, and what is gone on from has to be ok"):
        continuing.planned(planned(tmp_path, plugins, LARGER), copy, plugins)
    with pytest.raises(RunError, match="not a run of ganbench"):
        continuing.planned(planned(tmp_path, plugins, LARGER), tmp_path, plugins)


def test_other_versions_and_another_device_are_refused(first, tmp_path, plugins):
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    (result,) = (path.parent / "result.json" for path in copy.glob(f"trials/*/{STATE}"))
    tiny.change_result(result, lambda found: found["environment"].update(torch="1.0"))
    with pytest.raises(RunError, match=r"with torch 1.0, and these are"):
        continuing.planned(planned(tmp_path, plugins, LARGER), copy, plugins)
    config = benchmark_file.load(tiny.write(tmp_path, ONE), plugins, overrides=[LARGER])
    elsewhere = plan.make(config, plugins, device="meta")
    with pytest.raises(ConfigError, match="trained on cpu, and this is planned for meta; add --de"):
        continuing.planned(elsewhere, first, plugins)


@pytest.mark.parametrize("spoil", ["data", "bytes"])
def test_other_data_and_a_damaged_state_come_to_no_number(first, tmp_path, spoil):
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    (state,) = copy.glob(f"trials/*/{STATE}")
    if spoil == "bytes":
        content = bytearray(state.read_bytes())
        content[len(content) // 2] ^= 1
        state.write_bytes(content)
    else:
        kept = torch.load(io.BytesIO(sealed.read(state)), weights_only=True)
        kept["data"]["sha256"] = "0" * 64
        buffer = io.BytesIO()
        torch.save(kept, buffer)
        sealed.write(state, buffer.getvalue())
    on = trained(run(tmp_path, "on", LARGER, continues=copy))
    why = "not to be gone on from: its content" if spoil == "bytes" else "not the data that"
    assert on.status == "failed"
    assert why in on.reason
    assert not on.result.metrics


def test_states_are_counted_where_runs_are_cleaned(first, capsys):
    shown = CliRunner().invoke(clean, [str(first)])  # where nobody can be asked
    assert "are states of trainings)" in shown.output
    assert json.loads((first / "run.json").read_text())["execution"]["keep_state"] is True

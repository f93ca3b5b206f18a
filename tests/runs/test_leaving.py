"""What a trial that is done leaves on disk, as its file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import tiny

from ganbench.config import benchmark_file, plan
from ganbench.errors import ConfigError, DataError
from ganbench.models.saved import files as saved
from ganbench.records.run_folder import Run
from ganbench.registry.registry import Registry
from ganbench.runs import beginning, leaving, runner

MODEL = {"model.safetensors", "config.json", "README.md"}
PICTURES = {"samples.png", "curves.png", "progress.gif"}
NUMBERS = {"result.json", "metrics.jsonl", "trial.json"}
ONE = tiny.INLINE.replace("execution: {", "execution: {keep: KEPT, ")


def started(tmp_path: Path, plugins: Registry, keep: str) -> Run:
    assert ONE != tiny.INLINE
    path = tiny.write(tmp_path, ONE.replace("KEPT", keep))
    found = benchmark_file.load(path, plugins)
    planned = plan.make(found, plugins, device="cpu")
    asked = beginning.Order(found, path, None, (), (), 1)
    return beginning.create(tmp_path / "run", planned, asked, plugins)


@pytest.mark.parametrize(
    ("keep", "there", "gone"),
    [
        ("model", MODEL | PICTURES | NUMBERS, set()),
        ("pictures", PICTURES | NUMBERS, MODEL),
        ("numbers", NUMBERS, MODEL | PICTURES),
    ],
)
def test_a_trial_leaves_what_its_file_says(tmp_path, plugins, keep, there, gone):
    run = started(tmp_path, plugins, keep)
    outcomes = runner.execute(run, plugins)
    assert {outcome.status for outcome in outcomes} == {"ok"}
    (trained, *_) = (o for o in outcomes if o.trial.cell)
    found = {path.name for path in trained.directory.iterdir()}
    assert there <= found
    assert not gone & found
    assert json.loads((run.directory / "run.json").read_text())["execution"]["keep"] == keep
    assert trained.result.metrics
    if keep == "numbers":
        assert not [p for p in trained.directory.rglob("*") if p.suffix in (".png", ".gif")]
    if keep != "model":
        with pytest.raises(DataError, match=r"unless its file has execution\.keep: pictures or"):
            saved.read_config(trained.directory)
    again = runner.execute(Run.read(run.directory), plugins)  # as `resume`
    assert [o.result for o in again] == [o.result for o in outcomes]
    assert {path.name for path in trained.directory.iterdir()} >= there


def test_what_others_wrote_stays(tmp_path):
    for name in ("mine.csv", "samplers/x/samples.png", "model.safetensors", "notes/deep.gif"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    leaving.remove(tmp_path, "pictures")
    assert not (tmp_path / "model.safetensors").exists()
    assert (tmp_path / "samplers" / "x" / "samples.png").exists()
    leaving.remove(tmp_path, "numbers")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["mine.csv"]


def test_anything_else_is_refused(tmp_path, plugins):
    with pytest.raises(ConfigError, match="keep"):
        started(tmp_path, plugins, "nothing")

"""What a notebook calls: a benchmark's plan and its run, as the command line has them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from helpers import documents, tiny

import ganbench
from ganbench.errors import ConfigError, NothingSelected
from ganbench.util import process_settings

PAGE = documents.text("docs/benchmark-file.md")
QUICK = (
    tiny.TINY.replace("name: tiny", "name: my_benchmark").replace(
        "threads: 1", "threads: 1, executor: inline"
    )
    + "profiles:\n  quick: {training: {budget: {kimg: 0.5}}}\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_benchmark.yaml").write_text(QUICK, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_block_of_the_page_plans_and_runs(folder: Path, capsys: pytest.CaptureFixture) -> None:
    (code,) = documents.fenced("python", PAGE)
    names: dict[str, object] = {}
    exec(code, names)
    plan, run = names["plan"], names["run"]
    assert {cell.loss.name for cell in plan.cells} == {"bce"}
    assert run.plan.cells == plan.cells
    assert run.plan.seeds == (0, 1)
    assert {outcome.status for outcome in run.outcomes} == {"ok"}
    assert run.table == ganbench.load_run("quick").table
    assert Path("quick/table.md").exists()
    assert "│" not in capsys.readouterr().out, "a library prints no table"


def test_what_a_notebook_set_of_torch_changes_no_number(folder: Path) -> None:
    def numbers(out: str) -> list[float | None]:
        run = ganbench.run("my_benchmark.yaml", profile="quick", only=["loss=bce"], out=out)
        assert {outcome.status for outcome in run.outcomes} == {"ok"}
        found = [m for o in run.outcomes for m in o.result.metrics if m.column.kind == "quality"]
        return [m.value for m in found]

    expected = numbers("plain")
    with process_settings.put_back():
        torch.set_default_dtype(torch.float64)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            assert numbers("set") == expected


def test_plan_writes_nothing_and_takes_the_words_of_the_command_line(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    plan = ganbench.plan(
        "my_benchmark.yaml",
        profile="quick",
        overrides=["training.batch_size=20"],
        seeds=[3, 5],
        device="cpu",
    )
    assert plan.seeds == (3, 5)
    assert [cell.schedule.batch_size for cell in plan.cells] == [20, 20]
    assert sorted(folder.rglob("*")) == before


def test_what_the_command_line_refuses_is_an_error_with_the_same_words(folder: Path) -> None:
    file = folder / "my_benchmark.yaml"
    with pytest.raises(ConfigError, match="the same seed stands twice"):
        ganbench.plan(file, seeds=[1, 1])
    with pytest.raises(NothingSelected, match="leaves no cell"):
        ganbench.plan(file, only=["loss=wgan-gp"])
    with pytest.raises(ConfigError, match="--allow-config-plugins"):
        ganbench.plan(file, overrides=["plugins=[loss.py]"])


def test_warnings_are_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = folder / "my_benchmark.yaml"
    with caplog.at_level(logging.INFO, "ganbench"):
        ganbench.plan(file, overrides=["matrix.exclude=[{loss: wgan-gp}]"])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "this exclude rule matches nothing" in record.getMessage()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"only": "loss=zzz"}, "--only loss=zzz"),
        ({"overrides": "a=b"}, "--set a=b"),
        ({"plugins": Path("nowhere.py")}, "nowhere.py"),
        ({"only": 3}, "only: expected texts, found 3"),
        ({"seeds": []}, "seeds: no seed in it"),
    ],
)
def test_one_value_is_as_good_as_a_list_of_it(tmp_path, how, said):
    with pytest.raises(ganbench.GanbenchError) as caught:
        ganbench.plan(tiny.write(tmp_path), **how)
    assert said in str(caught.value).replace("unknown key 'a'", "--set a=b")


@pytest.mark.parametrize("jobs", [0, -1, "2", True])
def test_jobs_are_checked(tmp_path, jobs):
    with pytest.raises(ganbench.GanbenchError, match="jobs: expected a whole number of at least 1"):
        ganbench.run(tiny.write(tmp_path), jobs=jobs, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_seed_may_be_a_number(tmp_path):
    assert ganbench.plan(tiny.write(tmp_path), seeds=3).seeds == (3,)


def test_batches_of_more_images_than_there_are_are_refused_before_the_run(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(
        "version: 1\nname: small\ndataset: {name: ring, train_size: 60}\nloss: bce\n"
        "conditioning: none\narchitecture: mlp\ntraining: {batch_size: 128}\n"
    )
    with pytest.raises(ConfigError, match=r"small\.yaml:3:1: data set 'ring' has 60 images, fewer"):
        ganbench.plan(path)
    assert ganbench.plan(path, overrides=["training.batch_size=60"]).cells
    digits = ["dataset=mnist", "architecture=dcgan", "training.batch_size=60001"]
    with pytest.raises(ConfigError, match="data set 'mnist' has 60,000 images, fewer than one"):
        ganbench.plan(path, overrides=digits)


def test_thousands_of_label_planes_are_warned_of(tmp_path, caplog):
    np = pytest.importorskip("numpy")
    path = tmp_path / "many.npz"
    labels = np.arange(3000)
    np.savez(path, images=np.zeros((3000, 32, 32), np.uint8), labels=labels)
    text = (
        "version: 1\nname: many\ndataset: {name: tensor, path: many.npz, range: [0, 255]}\n"
        "loss: bce\nconditioning: concat\narchitecture: dcgan\ntraining: {batch_size: 256}\n"
        "evaluation: {metrics: [fid@pixels]}\n"
    )
    (tmp_path / "many.yaml").write_text(text.replace("many.npz", str(path)))
    ganbench.plan(tmp_path / "many.yaml")
    assert "'concat' gives D 3,001 channels for 3,000 classes, 3.1 GB a batch" in caplog.text
    caplog.clear()
    ganbench.plan(tmp_path / "many.yaml", overrides=["conditioning=projection"])
    assert "a batch" not in caplog.text

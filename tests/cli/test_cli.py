"""The command line as a user meets it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import tiny, warm

import ganbench
from ganbench.cli import cli
from ganbench.util import gpus

ROOT = Path(__file__).parents[2]
LIGHT = ("torch", "pandas", "rich", "pydantic")


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [(["--help"], LIGHT), (["plugins", "--json"], ("torch", "pandas")), (["--version"], LIGHT)],
)
def test_light_commands_import_nothing_heavy(arguments: list[str], absent: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom ganbench.cli import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        f"print([m for m in {absent!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=tiny.surroundings(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"


def test_help_names_every_command_and_commands_have_help() -> None:
    from click.testing import CliRunner

    from ganbench.cli import COMMANDS, cli

    runner = CliRunner()
    listing = runner.invoke(cli, ["--help"]).output
    for name in COMMANDS:
        assert name in listing
        assert runner.invoke(cli, [name, "--help"]).exit_code == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the tiny benchmark in it."""
    folder = tmp_path_factory.mktemp("finished")
    done = tiny.ganbench(
        "run", tiny.write(folder), "--seeds", "0,1", "--jobs", "2", "--out", "run", "--json",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "stdout.json").write_text(done.stdout, "utf-8")
    (folder / "stderr.txt").write_text(done.stderr, "utf-8")
    return folder


def test_run_writes_everything_that_the_results_folder_promises(finished: Path) -> None:
    run = finished / "run"
    for name in ("run.json", "plan.json", "config.source.yaml", "config.resolved.yaml",
                 "results.csv", "table.md", "table.csv", "table.json"):  # fmt: skip
        assert (run / name).stat().st_size > 0
    trials = sorted((run / "trials").iterdir())
    assert len(trials) == 5  # two cells, two seeds, and the real test set
    for trial in trials:
        assert (trial / "trial.json").exists()
        assert (trial / "result.json").exists()
        trained = not trial.name.startswith("real")
        for name in ("samples.png", "model.safetensors", "metrics.jsonl"):
            assert (trial / name).exists() == trained


def test_json_is_one_document_on_stdout_and_progress_is_on_stderr(finished: Path) -> None:
    document = json.loads((finished / "stdout.json").read_text("utf-8"))
    rows = {row["label"]: row for row in document["rows"]}
    assert set(rows) == {"real test set (ring)", "bce/none/mlp", "lsgan/none/mlp"}
    assert rows["bce/none/mlp"]["n"] == 2
    assert rows["bce/none/mlp"]["values"]["fid@pixels"]["standard_error"] is not None
    assert not rows["bce/none/mlp"]["ran_alone"]
    progress = (finished / "stderr.txt").read_text("utf-8")
    assert progress.count("ok, ") == 5
    assert "\x1b" not in progress


def test_run_json_can_defend_the_numbers(finished: Path) -> None:
    about = json.loads((finished / "run" / "run.json").read_text("utf-8"))
    assert about["execution"]["jobs"] == 2
    assert about["provenance"]["packages"]["torch"]
    assert about["provenance"]["plugins"] == [f"ganbench {ganbench.__version__}"]
    assert about["provenance"]["weights"]["mnist-cnn-v1"].startswith("mnist-cnn-v1:gap96:")
    assert set(about["provenance"]["git"]) == {"ganbench", "benchmark"}
    assert about["data"]["ring"]["num_images"] == 2000
    assert len(about["data"]["ring"]["sha256"]) == 64
    assert about["machine"]["cpu"]
    assert about["provenance"]["argv"]


def test_results_csv_is_long_form(finished: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(finished / "run" / "results.csv")
    one = frame[(frame.loss == "bce") & (frame.seed == 1) & (frame.metric == "fid@pixels")]
    assert len(one) == 1
    row = one.iloc[0]
    assert row.status == "ok"
    assert row.direction == "min"
    assert len(row.protocol) == 8
    assert row.value > 0


def test_a_second_run_of_the_same_benchmark_in_the_folder_does_nothing_again(
    finished: Path,
) -> None:
    before = tiny.results(finished / "run")
    done = tiny.ganbench(
        "run", "tiny.yaml", "--seeds", "0,1", "--jobs", "2", "--out", "run", "--quiet", cwd=finished
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert tiny.results(finished / "run") == before


def test_a_second_run_says_what_it_does_not_take_over(finished: Path) -> None:
    asked = ("--seeds", "0,1", "--jobs", "1", "--set", "gate.alpha=0.01", "--out", "run", "--quiet")
    done = tiny.ganbench("run", "tiny.yaml", *asked, cwd=finished)
    assert done.returncode == 0
    assert "run: goes on with its gate and its jobs as it was begun, which is not" in done.stderr


def test_another_benchmark_in_the_folder_is_refused(finished: Path) -> None:
    before = sorted(p for p in (finished / "run").rglob("*"))
    done = tiny.ganbench("run", "tiny.yaml", "--seeds", "7", "--out", "run", cwd=finished)
    assert done.returncode == 2
    assert "holds another run ('tiny', plan " in done.stderr
    assert sorted(p for p in (finished / "run").rglob("*")) == before


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    done = tiny.ganbench("run", tiny.write(tmp_path), "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "not empty (thesis.tex…) and no run of ganbench" in done.stderr
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_show_and_list_find_the_run_again(finished: Path) -> None:
    shown = tiny.ganbench("show", "run", "--json", cwd=finished)
    document = json.loads(shown.stdout)
    assert document["rows"] == json.loads((finished / "stdout.json").read_text("utf-8"))["rows"]
    table = tiny.ganbench("show", "run", cwd=finished)
    assert "real test set (ring)" in table.stdout
    listed = json.loads(tiny.ganbench("list", ".", "--json", cwd=finished).stdout)
    assert [(run["name"], run["trials"]) for run in listed] == [("tiny", {"ok": 5})]


def test_only_and_set_choose_cells_and_nothing_left_is_exit_5(tmp_path: Path) -> None:
    file = tiny.write(tmp_path)
    done = tiny.ganbench(
        "plan", file, "--only", "loss=lsgan", "--set", "training.budget.kimg=2.5", "--json",
        "--no-estimate", cwd=tmp_path,
    )  # fmt: skip
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["label"], cell["schedule"]["kimg"]) == ("lsgan/none/mlp", 2.5)
    nothing = tiny.ganbench("run", file, "--only", "loss=wgan", cwd=tmp_path)
    assert nothing.returncode == 5
    assert "the values of loss are bce, lsgan" in nothing.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("value", ["0.002", "g_lr=0.002"])  # as the file has it, and as tables do
def test_only_chooses_among_settings(tmp_path: Path, value: str) -> None:
    file = tiny.write(
        tmp_path, tiny.TINY.replace("matrix:\n", "matrix:\n  training.g_lr: [0.001, 0.002]\n")
    )
    only = ("--only", f"training.g_lr={value}", "--only", "loss=bce")
    done = tiny.ganbench("plan", file, *only, "--json", "--no-estimate", cwd=tmp_path)
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["schedule"]["g_lr"] == 0.002
    nothing = tiny.ganbench("plan", file, "--only", "training.g_lr=7", cwd=tmp_path)
    assert nothing.returncode == 5
    assert "the values of training.g_lr are 0.001, 0.002" in nothing.stderr


def test_plan_measures_and_trains_nothing(tmp_path: Path) -> None:
    done = tiny.ganbench("plan", tiny.write(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bce/none/mlp" in done.stdout
    assert "2 cells × 1 seed = 2 trials on cpu; the run takes about" in done.stdout
    assert "training.precision auto is " in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.yaml"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "nope.yaml"], "nope.yaml: there is no such file"),
        (["run", "tiny.yaml", "--device", "cuda:3"], "--device cuda:3: not on this machine"),
        (["run", "tiny.yaml", "--device", "gpu"], "expected auto, cpu, cuda, cuda:N or mps"),
        (["run", "tiny.yaml", "--seeds", "a"], "--seeds a: expected whole numbers"),
        (["run", "tiny.yaml", "--only", "colour=red"], "the axes are dataset, loss"),
        (["run", "tiny.yaml", "--plugin", "x.py"], "--plugin x.py: there is no such file"),
        (["run", "tiny.yaml", "--profile", "fast"], "--profile fast: "),
        (["run", "tiny.yaml", "--set", "training.epochs=3"], "--set training.epochs=3: "),
        (["run", "tiny.yaml", "--out", "tiny.yaml"], "tiny.yaml: is a file; --out names a folder"),
        (["run", "tiny.yaml", "--jobs", "0"], "0 is not in the range"),
        (["run", "tiny.yaml", "--columns", "fidd"], "--columns: no column 'fidd'"),
        (["resume", "."], "not a run of ganbench"),
        (["show", "missing"], "missing: not a run of ganbench: there is no such folder"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_bad_input_is_one_sentence_exit_2_and_writes_nothing(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    tiny.write(tmp_path)
    done = tiny.ganbench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.yaml"]


def test_error_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    done = tiny.ganbench("run", "nope.yaml", "--json", cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert error == {"message": "nope.yaml: there is no such file", "exit_code": 2}


def test_unwritable_results_folder_is_a_sentence(tmp_path: Path) -> None:
    done = tiny.ganbench("run", tiny.write(tmp_path), "--out", "/proc/run", cwd=tmp_path)
    assert done.returncode == 2
    assert "/proc/run: cannot be written" in done.stderr


def test_cells_that_cannot_be_built_are_named_before_anything_is_written(tmp_path: Path) -> None:
    text = tiny.TINY.replace("conditioning: none", "conditioning: projection")
    done = tiny.ganbench("run", tiny.write(tmp_path, text), cwd=tmp_path)
    assert done.returncode == 2
    assert "architecture 'mlp' has none; use {generator: concat, discriminator:" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.yaml"]


def test_incompatible_cells_may_stay_in_the_table_with_their_reason(tmp_path: Path) -> None:
    text = tiny.INLINE.replace("conditioning: none", "on_incompatible: skip").replace(
        "matrix:\n", "matrix:\n  conditioning: [none, cbn]\n"
    )
    done = tiny.ganbench("run", tiny.write(tmp_path, text), "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {r["label"]: r["status"] for r in json.loads(done.stdout)["rows"]}
    assert rows["bce/cbn/mlp"] == "incompatible"
    assert rows["bce/none/mlp"] == "ok"


def test_doctor_and_datasets_speak_json(tmp_path: Path) -> None:
    found = json.loads(tiny.ganbench("doctor", "--json", cwd=tmp_path).stdout)
    assert found["versions"]["torch"]
    assert found["problems"] == []
    assert any("no GPU" in line for line in found["slow"]) or found["machine"]["device"] != "cpu"
    datasets = json.loads(tiny.ganbench("datasets", "--json", cwd=tmp_path).stdout)
    assert {"mnist", "ring", "grid", "image-folder"} <= {d["name"] for d in datasets}


def test_doctor_says_that_a_device_does_not_compute(monkeypatch) -> None:
    monkeypatch.setattr(gpus, "fault", lambda device: "AcceleratorError: no kernel image")
    monkeypatch.setattr(gpus, "remarks", lambda: ["cuda:1 is used by other programs"])
    done = CliRunner().invoke(cli, ["doctor"], standalone_mode=False)
    assert done.return_value == 2
    assert (
        "cpu does not compute (AcceleratorError: no kernel image): install a torch" in done.output
    )
    assert "  - cuda:1 is used by other programs" in done.output


def test_damaged_data_is_said_by_doctor_and_by_the_run(tmp_path: Path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                 "t10k-labels-idx1-ubyte"):  # fmt: skip
        (raw / name).write_bytes(b"cut short")
    doctor = tiny.ganbench("doctor", cwd=tmp_path, GANBENCH_DATA=str(tmp_path / "data"))
    assert doctor.returncode == 2
    assert "data set mnist is damaged: damaged: train-images-idx3-ubyte" in doctor.stdout
    smoke = ROOT / "benchmarks" / "cgan_mnist.yaml"
    run = tiny.ganbench(
        "run", smoke, "--profile", "smoke", "--only", "loss=bce", "--only", "conditioning=concat",
        "--out", "run", cwd=tmp_path, GANBENCH_DATA=str(tmp_path / "data"),
    )  # fmt: skip
    assert run.returncode == 2
    assert "cgan_mnist.yaml:11:1: data set 'mnist' is not usable: " in run.stderr
    assert "damaged: train-images-idx3-ubyte" in run.stderr
    assert not (tmp_path / "run").exists()


def test_missing_data_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    text = tiny.TINY.replace("{name: ring, train_size: 2000, test_size: 500}", "DATA")
    text = text.replace("DATA", "{name: mnist, root: nowhere}")
    done = tiny.ganbench("run", tiny.write(tmp_path, text), "--out", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "tiny.yaml:4:1: data set 'mnist' is not usable: nowhere/MNIST/raw: missing:" in done.stderr
    )
    assert not (tmp_path / "run").exists()


def test_show_imports_nothing_that_a_run_names(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "run", tmp_path / "run")
    (tmp_path / "bomb.py").write_text("open('exploded', 'w')\n")
    path = tmp_path / "run" / "run.json"
    about = json.loads(path.read_text("utf-8"))
    about["execution"]["plugins"] = [str(tmp_path / "bomb.py")]
    path.write_text(json.dumps(about), "utf-8")
    assert tiny.ganbench("show", "run", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("text", ["{}", "[1]", '{"schema_version": 99}', "not json"])
def test_run_folder_of_another_kind_is_a_sentence(tmp_path: Path, text: str) -> None:
    for name in ("run.json", "plan.json"):
        (tmp_path / name).write_text(text)
    done = tiny.ganbench("show", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert tiny.ganbench("list", tmp_path, cwd=tmp_path).returncode == 0


@pytest.mark.integration  # of light workers, test_processes.py proves it
def test_modules_of_the_users_folder_are_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('not the random you wanted')\n")
    tiny.write(tmp_path, tiny.UNCONTROLLED)
    command = "import sys; sys.path.pop(0); from ganbench.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "run", "tiny.yaml", "--only", "loss=bce", "--out", "run"],
        cwd=tmp_path, env=tiny.surroundings(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_progress_in_a_terminal_is_live(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")  # not on Windows
    file = tiny.write(tmp_path, tiny.TINY.replace("kimg: 1}", "kimg: 10}"))
    surroundings = tiny.surroundings(TERM="xterm", COLUMNS="80", LINES="24")
    surroundings.pop("CI", None)
    master, slave = pty.openpty()
    process = warm.start(
        "ganbench", "run", file, "--only", "loss=bce", "--out", "run",
        cwd=tmp_path, environment=surroundings, stdout=subprocess.DEVNULL, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):  # a closed terminal reads as an error on Linux
        while part := os.read(master, 4096):
            seen += part
    os.close(master)
    assert process.wait(timeout=60) == 0
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode("utf-8")))
    assert max(len(line) for line in lines) <= 80
    assert any(
        re.search(r"━ +1 of 2 trials, \d:\d\d, about \d+:\d\d left$", line) for line in lines
    )
    assert any(
        re.search(r"bce/none/mlp: [\d.]+ of 10 kimg, .* kimg/s, D \d", line) for line in lines
    )
    assert any(line.startswith("bce/none/mlp seed 0: ok, modes") for line in lines)

"""Every command that takes a benchmark file takes the name of one that comes with ganbench."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from helpers import tiny

from ganbench.cli import cli
from ganbench.config import shipped
from ganbench.errors import ConfigError

SHORT = ("--only", "dataset=ring", "--only", "loss=bce", "--seeds", "0", "--set",
         "training.budget.kimg=1", "--set", "evaluation.num_samples=100", "--set",
         "execution.executor=inline", "--set", "evaluation.controls=[]")  # fmt: skip
RING = Path(shipped.files()["ring_modes"])


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: object, fails: bool = False) -> Result:
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    assert bool(done.exit_code) == fails, done.output or done.exception
    return done


def test_a_name_runs_the_shipped_file_and_says_which(here: Path) -> None:
    done = call("run", "ring_modes", *SHORT)
    assert f"ring_modes is {RING}\n" in done.stderr
    (run,) = (here / "results" / "ring_modes").iterdir()
    assert json.loads((run / "run.json").read_text("utf-8"))["config"] == str(RING)
    assert (run / "config.source.yaml").read_text("utf-8") == RING.read_text("utf-8")
    assert not (run / "config.parent.yaml").exists()
    assert sorted(path.name for path in here.iterdir()) == ["results"]


def test_ids_by_name_and_by_path_are_the_same() -> None:
    of_name, of_path = (
        json.loads(call("plan", file, "--no-estimate", "--json").stdout)
        for file in ("ring_modes", RING)
    )
    assert of_name == of_path
    assert of_name["cells"]


def test_quiet_and_json_say_nothing_that_was_not_asked(here: Path) -> None:
    done = call("run", "ring_modes", *SHORT, "--out", "run", "--quiet", "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout)["run"] == "run"


@pytest.mark.parametrize(
    "command",
    [
        ["plan", "ring_modes", "--no-estimate"],
        ["profile", "ring_modes", "--only", "loss=nothing"],
        ["noise", "ring_modes", "--only", "loss=nothing"],
        ["ab", "ring_modes", "--base", "no-such-version"],
    ],
)
def test_other_commands_take_it_too(command: list[str]) -> None:
    done = CliRunner().invoke(cli, command)
    assert f"ring_modes is {RING}\n" in done.stderr
    assert "no such file" not in str(done.exception)


def test_a_runs_folder_of_that_name_is_judged_where_runs_are(here: Path) -> None:
    (here / "ring_modes").mkdir()
    done = call("noise", "ring_modes", fails=True)
    assert "ring_modes is " not in done.stderr
    assert "ring_modes: not a run of ganbench" in str(done.exception)


def test_a_name_wins_over_a_file_and_a_slash_reaches_it(here: Path) -> None:
    (here / "ring_modes").write_text("version: 2\n", "utf-8")
    assert call("plan", "ring_modes", "--no-estimate").exit_code == 0
    assert "ring_modes:1:1: version: expected 1" in str(
        call("plan", "./ring_modes", fails=True).exception
    )


def test_a_data_set_of_a_shipped_file_is_previewed() -> None:
    call("datasets", "preview", "cgan_mnist", "--out", "digits.png", "-q")


def test_python_takes_names_too() -> None:
    import ganbench

    assert ganbench.plan("ring_modes").id == ganbench.plan(RING).id


def test_list_has_each_with_its_own_sentence() -> None:
    said = " ".join(call("run", "--list").stdout.split())
    found = json.loads(call("run", "--list", "--json").stdout)
    assert found["folder"] == str(shipped.folder())
    assert [one["name"] for one in found["benchmarks"]] == list(shipped.files())
    for one in found["benchmarks"]:
        assert f"{one['name']} {one['description']}" in said
        assert Path(one["file"]).is_file()
    assert "--list takes no FILE" in call("run", "--list", "cgan_mnist", fails=True).stderr
    assert "Missing argument 'FILE'" in call("run", fails=True).stderr


def test_new_copies_one_with_its_comments(here: Path) -> None:
    done = call("new", "--from", "cgan_mnist", "--out", "my digits.yaml")
    source = shipped.files()["cgan_mnist"]
    assert (here / "my digits.yaml").read_bytes() == source.read_bytes()
    assert done.stdout.splitlines() == [
        f"my digits.yaml: a copy of {source}",
        "ganbench plan 'my digits.yaml'",
        "ganbench run 'my digits.yaml'",
    ]
    found = json.loads(call("new", "--from", "cdcgan_mnist", "--json").stdout)
    assert found["file"] == "cdcgan_mnist.yaml"
    call("plan", "cdcgan_mnist.yaml", "--no-estimate")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "cgan_mnits"], "did you mean 'cgan_mnist' or 'cdcgan_mnist', which come with"),
        (["--from", "x"], "--from x: nothing of that name comes with ganbench\n  known: bounds"),
        (["--from", ""], "--from : nothing of that name comes with ganbench"),
        (["--from", "cgan_mnist.yaml"], "did you mean 'cgan_mnist'"),
        (["--from", "ring_modes", "--minutes", "3", "-o", "a=1"], "--minutes: of a benchmark"),
        (["--from", "ring_modes", "--out", "x.txt"], "--out x.txt: expected .yaml, .yml"),
        (["--from", "ring_modes", "--out", "none/x.yaml"], "there is no folder none"),
        (["--from", "ring_modes", "--out", "there.yaml"], "--force replaces it"),
        (["cgan_mnist"], "to copy that: ganbench new --from cgan_mnist"),
    ],
)
def test_new_refuses_what_it_cannot_copy(here: Path, arguments: list[str], said: str) -> None:
    (here / "there.yaml").write_text("mine", "utf-8")
    error = call("new", *arguments, fails=True).exception
    assert isinstance(error, ConfigError)
    assert said in str(error)
    assert (here / "there.yaml").read_text("utf-8") == "mine"


def test_new_takes_data_or_from() -> None:
    both = call("new", "here", "--from", "cgan_mnist", fails=True)
    assert "--from takes no NAME|FOLDER|FILE" in both.stderr
    assert "Missing argument 'NAME|FOLDER|FILE'" in call("new", fails=True).stderr


def test_a_file_that_extends_one_is_planned_run_and_kept(here: Path) -> None:
    text = "extends: ring_modes\nname: mine\nmatrix: {dataset: [ring], loss: [bce]}\n"
    (here / "mine.yaml").write_text(text, "utf-8")
    said = call("plan", "mine.yaml", "--no-estimate").stdout
    assert f"what mine.yaml over {RING} says, and where" in said
    lines = [line.split() for line in said.splitlines()]
    assert any("matrix.loss" in line and "mine.yaml:3:33" in line for line in lines)
    assert any("training.g_lr" in line and f"{RING}:16:9" in line for line in lines)
    found = json.loads(call("plan", "mine.yaml", "--no-estimate", "--json").stdout)
    assert found["extends"] == str(RING)
    assert {"key": "name", "value": "mine", "place": "mine.yaml:2:7"} in found["origins"]
    call("run", "mine.yaml", *SHORT[4:], "--out", "run")
    assert (here / "run" / "config.source.yaml").read_text("utf-8") == text
    assert (here / "run" / "config.parent.yaml").read_text("utf-8") == RING.read_text("utf-8")
    assert "extends" not in (here / "run" / "config.resolved.yaml").read_text("utf-8")
    assert json.loads((here / "run" / "run.json").read_text("utf-8"))["extends"] == str(RING)
    assert "name: mine" in (here / "run" / "config.resolved.yaml").read_text("utf-8")


def test_origins_of_a_plain_file_are_shown_where_asked() -> None:
    assert "says, and where" not in call("plan", "ring_modes", "--no-estimate").stdout
    said = call("plan", "ring_modes", "--no-estimate", "--origins", "--seeds", "0").stdout
    assert f"what {RING} says, and where" in said


def test_shells_complete_names_and_files() -> None:
    complete = ShellComplete(cli, {}, "ganbench", "_GANBENCH_COMPLETE")
    found = complete.get_completions(["run"], "cgan_")
    assert [one.value for one in found if one.type == "plain"] == [
        "cgan_mnist", "cgan_attribute", "cgan_eyeglasses",
    ]  # fmt: skip
    assert "file" in {one.type for one in found}


def test_an_unknown_name_is_a_usage_error(here: Path) -> None:
    done = tiny.ganbench("run", "cgan_mnits", cwd=here)
    assert done.returncode == 2
    assert done.stderr == (
        "error: cgan_mnits: there is no such file; did you mean 'cgan_mnist' or 'cdcgan_mnist', "
        "which come with ganbench?\n"
    )

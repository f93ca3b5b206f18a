"""`ganbench export`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import tiny
from helpers.exported import each_format, strictly

from ganbench.cli import cli
from ganbench.errors import BaselineError, ConfigError, RunError
from ganbench.gate import baseline
from ganbench.records.run_folder import Run
from ganbench.reports import exporters
from ganbench.util import files

SHORT = tiny.TINY.replace("execution: {threads: 1}", "execution: {threads: 1, executor: inline}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of one cell and two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    out = folder / "run"
    done = invoke(
        "run",
        tiny.write(folder, SHORT),
        "--quiet",
        "--seeds",
        "0,1",
        "--only",
        "loss=bce",
        "--out",
        out,
    )
    assert done.return_value == 0, done.output
    return out


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of it, measured by a clean tree."""
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    about = json.loads((copy / "run.json").read_text())
    about["provenance"]["git"] = {"ganbench": None, "benchmark": None}
    files.write_json(copy / "run.json", about)
    return copy


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def invoke(*arguments: object):
    """The exit code is in `return_value`, as `main` gets it; errors are raised."""
    return CliRunner().invoke(
        cli, [str(a) for a in arguments], standalone_mode=False, catch_exceptions=False
    )


@each_format
def test_files_are_written_here_and_named(finished, here, to):
    done = invoke("export", finished, "--to", to)
    assert done.return_value == 0, done.output
    assert done.stdout.split() == list(exporters.FILES[to])
    assert {path.name for path in here.iterdir()} == set(exporters.FILES[to])
    assert b"nan" not in b"".join(path.read_bytes() for path in here.iterdir()).lower()


def test_baseline_is_exported_as_its_run_is(run, here):
    baseline.of(Run.read(run), "a test", min_seeds=2).write(here / "tiny.json")
    for to in exporters.FILES:
        for source, folder in ((run, "a"), (here / "tiny.json", "b")):
            (here / folder).mkdir(exist_ok=True)
            assert invoke("export", source, "--to", to, "--out", folder).return_value == 0
    for path in (here / "a").iterdir():
        assert path.read_text("utf-8") == (here / "b" / path.name).read_text("utf-8")


def test_out_is_a_file_or_a_folder_where_there_are_several(finished, here):
    assert invoke("export", finished, "--to", "dvc", "--out", "new/m.json").return_value == 0
    assert json.loads((here / "new/m.json").read_text())["tiny"]
    done = invoke("export", finished, "--to", "github-action-benchmark", "--out", "gha")
    assert {path.name for path in (here / "gha").iterdir()} == {
        "gha-smaller.json",
        "gha-bigger.json",
    }
    assert "note: left out" in done.stderr


@pytest.mark.parametrize("to", ["github-action-benchmark", "dvc"])
def test_place_that_cannot_be_written_is_named(finished, here, to):
    (here / "file").write_text("")
    with pytest.raises(RunError, match=r"^file/below.*: cannot be written: \w+"):
        invoke("export", finished, "--to", to, "--out", "file/below")
    assert (here / "file").read_text() == ""


def test_file_in_the_place_of_a_folder_is_named(finished, here):
    (here / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        invoke("export", finished, "--to", "github-action-benchmark", "--out", "file")


def test_unknown_format_lists_the_known(finished, here):
    done = tiny.ganbench("export", finished, "--to", "asv", cwd=here)
    assert done.returncode == 2
    assert all(f"'{to}'" in done.stderr for to in exporters.FILES)


def test_baseline_goes_with_junit_alone(finished, here):
    with pytest.raises(ConfigError, match="--to junit only"):
        invoke("export", finished, "--to", "dvc", "--against", finished)
    assert not list(here.iterdir())


def test_run_against_itself_has_no_failure(finished, here):
    done = invoke("export", finished, "--to", "junit", "--against", finished)
    assert done.return_value == 0, done.output
    text = Path("junit.xml").read_text("utf-8")
    assert 'failures="0" errors="0"' in text
    assert 'type="incomparable"' in text  # timings


@pytest.mark.parametrize("to", ["dvc", "junit"])
def test_run_without_a_number_ends_with_3(run, here, to):
    for path in (run / "trials").iterdir():
        shutil.rmtree(path)
    done = invoke("export", run, "--to", to)
    assert done.return_value == 3
    assert "no trial has given a number" in done.stderr
    assert Path("junit.xml").exists() == (to == "junit")
    assert not Path("metrics.json").exists()
    answer = json.loads(invoke("export", run, "--to", "dvc", "--json").stdout)
    assert answer["error"]["exit_code"] == 3


def test_what_is_no_run_is_named(here):
    with pytest.raises(BaselineError, match="nowhere"):
        invoke("export", "nowhere", "--to", "dvc")
    with pytest.raises(RunError, match="not a run"):
        invoke("export", ".", "--to", "dvc")


def test_json_says_what_was_written(finished, here):
    done = invoke("export", finished, "--to", "bencher", "--json")
    answer = strictly(done.stdout)
    assert (answer["to"], answer["files"]) == ("bencher", ["bmf.json"])
    assert answer["numbers"] > 10

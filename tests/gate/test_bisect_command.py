"""`ganbench bisect`: real checkouts of a repository, with trainings that are made up or tiny."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers import tiny

from ganbench.cli import cli, exit_codes
from ganbench.cli.commands.bisect import _code
from ganbench.errors import (
    BaselineError,
    ConfigError,
    MeasurementError,
    NothingSelected,
    PluginError,
    RunError,
)
from ganbench.gate import jobs
from ganbench.gate.jobs import Job
from ganbench.gate.versions import Version
from ganbench.testing.fixtures import trials

FID = "fid@kit-features"
COMMITS, CULPRIT, BROKEN = 10, 7, 5


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=x@y", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, subject: str, **files: str) -> str:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten commits, of which the eighth made it worse and the sixth does not run; and a branch."""
    folder = (tmp_path_factory.mktemp("bisect") / "repository").resolve()
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "b.yaml").write_text(tiny.TINY.replace("seeds: [0]", "seeds: [0, 1, 2, 3, 4]"))
    for k in range(COMMITS):
        level = "broken" if k == BROKEN else "5" if k >= CULPRIT else "1"
        commit(folder, f"Change {k}", level_txt=f"{level}\n{k}")
        git(folder, "tag", f"v{k}")
    git(folder, "checkout", "-q", "-b", "other", "v2")
    commit(folder, "Elsewhere", other_txt="x")
    git(folder, "checkout", "-q", "main")
    return folder


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Runs take their numbers from the tree's level.txt; returned are commits and seeds trained."""
    trained: list[tuple[str, str]] = []

    def run(job: Job, version: Version, out: Path, what: str) -> None:
        seeds = job.arguments[job.arguments.index("--seeds") + 1]
        assert version.tree is not None
        level, salt = (version.tree / "level.txt").read_text().split()
        trained.append((version.commit, seeds))
        if level == "broken":
            raise MeasurementError("its run ended with exit code 2; the last it said:\n  no more")
        wanted = [int(seed) for seed in seeds.split(",")]
        results: list[Any] = [None] * (max(wanted) + 1)
        for seed in wanted:
            value = float(level) + random.Random(f"{salt}/{seed}").random()
            results[seed] = trials.finished((value, 8.0, 0.75, 1.0, 1.0))
        out.mkdir()
        trials.report(out, {"bce": results})

    fid, modes, accuracy, speed, memory = trials.COLUMNS
    columns = (replace(fid, gated=True), modes, accuracy, replace(speed, kind="timing"), memory)
    monkeypatch.setattr(trials, "COLUMNS", columns)
    monkeypatch.setattr(jobs, "run", run)
    monkeypatch.setattr(Version, "package", lambda version: "")
    return trained


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


def bisect(*arguments: object) -> Result:
    words = ["bisect", "b.yaml", *map(str, arguments)]
    return CliRunner().invoke(cli, words, standalone_mode=False)


def test_first_bad_commit_is_told_with_all_that_is_known_of_it(
    here: Path, made_up: list[tuple[str, str]], tmp_path: Path
) -> None:
    done = bisect("--good", "v0", "--metric", FID, "--out", tmp_path / "kept")
    assert done.return_value == 0, done.output
    culprit = git(here, "rev-parse", f"v{CULPRIT}")
    told = done.output.splitlines()
    at = told.index(f"first bad commit: {culprit}")
    date = git(here, "log", "-1", "--format=%aI", culprit)
    assert told[at + 1 : at + 3] == [f"    Ada, {date}", f"    Change {CULPRIT}"]
    assert re.search(rf"{culprit[:10]} .*Change {CULPRIT} .* bad +│ +\d+ │", done.output)
    assert re.search(r"skipped.*no more", done.output)
    assert len({id for id, _ in made_up}) <= 7
    assert git(here, "worktree", "list").count("\n") == 0


def test_document_has_the_steps_with_their_values(
    here: Path, made_up: list[tuple[str, str]]
) -> None:
    done = bisect("--good", "v0", "--metric", FID, "--json", "-q")
    said = json.loads(done.output)
    assert said["first_bad"]["commit"] == git(here, "rev-parse", f"v{CULPRIT}")
    assert said["first_bad"]["author"] == "Ada"
    assert (said["cell"], said["metric"], said["exit_code"]) == ("bce/none/mlp", FID, 0)
    assert {step["verdict"] for step in said["steps"]} == {"good", "bad", "skipped"}
    for step in said["steps"]:
        if step["verdict"] != "skipped":
            assert len(step["values"]) >= 5
            assert min(step["p_worse"], step["p_better"]) < step["level"]


def test_interrupted_search_goes_on_with_what_was_trained(
    here: Path, made_up: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    right: Callable[..., None] = jobs.run

    def killed(job: Job, version: Version, out: Path, what: str) -> None:
        right(job, version, out, what)
        if len(made_up) == 3:
            shutil.rmtree(next((out / "trials").glob("*s3")))  # the last of a batch had not ended
            shutil.rmtree(next((out / "trials").glob("*s4")))
            raise KeyboardInterrupt

    arguments = ("--good", "v0", "--metric", FID, "--out", tmp_path / "kept", "--json", "-q")
    monkeypatch.setattr(jobs, "run", killed)
    assert bisect(*arguments).exit_code == 1
    assert git(here, "worktree", "list").count("\n") == 0
    monkeypatch.setattr(jobs, "run", right)
    said = json.loads(bisect(*arguments).output)
    assert said["first_bad"]["subject"] == f"Change {CULPRIT}"
    ok = [(id, s) for id, seeds in made_up for s in seeds.split(",")]
    again = {one for one in ok if ok.count(one) > 1 and one[0] == made_up[2][0]}
    assert again <= {(made_up[2][0], "3"), (made_up[2][0], "4")}
    made_up.clear()
    bisect(*arguments)
    assert {id for id, _ in made_up} <= {git(here, "rev-parse", f"v{BROKEN}")}


def test_skipped_and_undecided_ends_have_their_exit_codes(
    here: Path, made_up: list[tuple[str, str]]
) -> None:
    done = bisect("--good", "v0", "--metric", FID, "--skip", f"v{CULPRIT}", "-q")
    assert done.return_value == exit_codes.TRIAL_FAILED
    assert "the first bad commit is one of 2 commits" in done.output
    assert "all but the last of them were skipped" in done.output
    undecided = type("Found", (), {"undecided": "x", "suspects": ("x", "y")})()
    assert _code(undecided) == exit_codes.NOT_COMPARABLE


def test_uncommitted_changes_stay_and_are_told_of(
    repository: Path, made_up: list[tuple[str, str]], tmp_path: Path, monkeypatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    (copy / "level.txt").write_text("99\nx")
    monkeypatch.chdir(copy)
    done = bisect("--good", "v0", "--metric", FID)
    assert done.return_value == 0, done.output
    assert "uncommitted changes are in none of them" in done.stderr
    assert (copy / "level.txt").read_text() == "99\nx"
    assert git(copy, "status", "--porcelain") == "M level.txt"
    assert git(copy, "branch", "--show-current") == "main"


def test_ends_that_are_alike_are_told_apart_from_a_finding(
    here: Path, made_up: list[tuple[str, str]]
) -> None:
    done = bisect("--good", "v0", "--bad", "v3", "--metric", FID, "--max-seeds", 10)
    assert isinstance(done.exception, BaselineError)
    assert "are not told apart by 10 seeds of each" in str(done.exception)


def test_an_end_that_cannot_run_is_an_error(here: Path, made_up: list[tuple[str, str]]) -> None:
    done = bisect("--good", f"v{BROKEN}", "--metric", FID)
    assert isinstance(done.exception, MeasurementError)


def test_folder_of_another_search_is_refused(
    here: Path, made_up: list[tuple[str, str]], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    bisect("--good", "v0", "--metric", FID, "--out", kept)
    done = bisect("--good", "v0", "--set", "training.batch_size=10", "--out", kept)
    assert isinstance(done.exception, RunError)
    assert "of another benchmark, other options or versions" in str(done.exception)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = bisect("--good", "v0", "--out", tmp_path / "full")
    assert "not of a search (file)" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (
            ["--good", "nowhere"],
            ConfigError,
            r"--good nowhere: .*no such revision; .*unshallow`\)$",
        ),
        (["--good", "v0", "--bad", "nowhere"], ConfigError, "--bad nowhere: .*no such revision"),
        (["--good", "v0", "--skip", "no"], ConfigError, "--skip no: .*no such revision"),
        (["--good=-h"], ConfigError, "no such revision"),
        (["--good", "v3", "--bad", "v3"], ConfigError, "are one commit"),
        (["--good", "v9"], ConfigError, "are one commit"),
        (["--good", "v3", "--bad", "v1"], ConfigError, "is newer than --bad v1"),
        (["--good", "other"], ConfigError, "not in the history of --bad HEAD; their last common"),
        (["--good", "v0", "--skip", "v0"], ConfigError, "that is an end of the search"),
        (["--good", "v0", "--max-seeds", "3"], ConfigError, "5 are trained at a time"),
        (["--good", "v0", "--seeds", "x"], ConfigError, "expected whole numbers"),
        (["--good", "v0", "--tolerance", "x"], ConfigError, "expected METRIC=PART"),
        (["--good", "v0", "--plugin", "no.py"], PluginError, "no such file"),
        (["--good", "v0", "--set", "plugins=[x.py]"], ConfigError, "--allow-config-plugins"),
        (["--good", "v0", "--repo", "/"], ConfigError, "/ is not in a git repository; .*--repo"),
        (["--good", "v0", "--metric", "modus"], NothingSelected, "--metric modus: .*mean 'modes'"),
        (["--good", "v0", "--metric", "train-images-per-s"], ConfigError, "`ganbench ab`"),
        (["--good", "v0", "--metric", "modes"], BaselineError, "identical in 20 seeds"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(
    here: Path, made_up: list[tuple[str, str]], arguments, error, says
) -> None:
    done = bisect(*arguments)
    with pytest.raises(error, match=says):
        raise done.exception or AssertionError(done.output)
    assert git(here, "worktree", "list").count("\n") == 0


def test_a_file_in_no_repository_says_what_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tiny.write(tmp_path).rename("b.yaml")
    done = bisect("--good", "HEAD~3")
    assert isinstance(done.exception, ConfigError)
    assert "in a git repository; name one with --repo" in str(done.exception)


PLUGIN = '''\
"""Least squares, of which the generator's part has a sign."""

from dataclasses import dataclass

from ganbench import Loss, Step, Terms, hookimpl

TARGET = {target}
SIGN = {sign}


@dataclass(kw_only=True)
class Soft(Loss):
    """Least squares against targets that are not quite one."""

    name = "soft"

    def discriminator_loss(self, step: Step) -> Terms:
        loss = (step.real.logits - TARGET).square().mean() + step.fake.logits.square().mean()
        return {{"adversarial": loss}}

    def generator_loss(self, step: Step) -> Terms:
        return {{"adversarial": SIGN * (step.fake.logits - TARGET).square().mean()}}


@hookimpl
def register_losses(register):
    register(Soft)
'''
RINGS = """\
version: 1
name: rings
seeds: [0, 1, 2, 3, 4]
dataset: {name: ring, train_size: 1000, test_size: 200}
loss: soft
conditioning: none
architecture: {name: mlp, width: 16, depth: 1}
training: {batch_size: 50, budget: {kimg: 5}, g_lr: 0.005, d_lr: 0.005, log_every: 20}
evaluation: {num_samples: 200, metrics: [fid], controls: []}
execution: {threads: 1, executor: inline}
reporters: []
gate: {metrics: [fid@pixels]}
"""


@pytest.mark.integration
def test_a_planted_regression_is_found_by_training(tmp_path: Path) -> None:
    """Ten commits that each change every number, one that has a wrong sign, one that is broken."""
    draw = random.Random()
    culprit = draw.randint(2, 9)
    broken = draw.choice([k for k in range(1, 9) if k not in (culprit - 1, culprit)])
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "b.yaml").write_text(RINGS)
    for k in range(10):
        text = PLUGIN.format(target=1 + k / 1000, sign=-1.0 if k >= culprit else 1.0)
        commit(folder, f"Change {k}", soft_py="raise RuntimeError\n" if k == broken else text)
    done = tiny.ganbench(
        "bisect", "b.yaml", "--good", "HEAD~9", "--plugin", "soft.py", "--max-seeds", 10, "--json",
        "--out", tmp_path / "kept", cwd=folder,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said.get("exit_code") == done.returncode == 0, (culprit, broken, done.stdout)
    assert said["first_bad"]["subject"] == f"Change {culprit}", (culprit, broken)
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "worktree", "list").count("\n") == 0

"""Two versions in turns: whichever is slower is found, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import tiny, warm
from helpers.hanging import processes_of

from ganbench.cli import cli, other_versions
from ganbench.cli.commands import ab as command
from ganbench.config import shipped
from ganbench.errors import ConfigError, MeasurementError, NothingSelected, PluginError, RunError
from ganbench.gate import ab
from ganbench.gate.ab import reconciled, rounds
from ganbench.gate.compare import compare
from ganbench.gate.comparison import Policy
from ganbench.gate.jobs import Job
from ganbench.gate.versions import Version, checked_out
from ganbench.records.columns import Column
from ganbench.runs.benchmark import BenchmarkArguments

SPEED = Column("train-images-per-s", "1/s", "max", kind="timing", gated=True, rel_tol=0.05)
FID = Column("fid@x", "", "min", gated=True)
BENCHMARK = """\
version: 1
name: tiny
seeds: [7, 8]
dataset: {name: ring, train_size: 1000, test_size: 100}
loss: slow
conditioning: none
architecture: {name: mlp, width: 8, depth: 1}
training: {batch_size: 50, budget: {kimg: 1}, log_every: 5}
evaluation: {num_samples: 100, metrics: [throughput], controls: []}
execution: {threads: 1, executor: inline}
reporters: []
"""
PLUGIN = '''\
"""A loss that takes its time."""

import time
from dataclasses import dataclass

from ganbench import Loss, Step, Terms, hookimpl

SECONDS = 0.0


@dataclass(kw_only=True)
class Slow(Loss):
    """Least squares, slowly."""

    name = "slow"

    def discriminator_loss(self, step: Step) -> Terms:
        time.sleep(SECONDS)
        loss = (step.real.logits - 1).square().mean() + step.fake.logits.square().mean()
        return {"adversarial": loss}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": (step.fake.logits - 1).square().mean()}


@hookimpl
def register_losses(register):
    register(Slow)
'''
SLOW = PLUGIN.replace("SECONDS = 0.0", "SECONDS = 0.02")
BROKEN = "raise RuntimeError('no longer')\n"


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@y", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def made(folder: Path) -> Path:
    """A repository of two commits: a plugin that cannot be imported, and then one that can."""
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "b.yaml").write_text(BENCHMARK)
    commit(folder, slow=BROKEN)
    commit(folder, slow=PLUGIN)
    return folder.resolve()


def trees(repository: Path) -> int:
    return len(git(repository, "worktree", "list").splitlines())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return made(tmp_path / "repository")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good commit against a working tree that is slower, in two rounds."""
    repository = made(tmp_path_factory.mktemp("finished") / "repository")
    (repository / "slow.py").write_text(SLOW)
    done = tiny.ganbench(
        "ab", "b.yaml", "--base", "HEAD", "--head", ".", "--plugin", "slow.py", "--rounds", 2,
        "--alpha", 0.3, "--json", "--out", "../kept", cwd=repository,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (repository.parent / "stdout.json").write_text(done.stdout)
    (repository.parent / "stderr.txt").write_text(done.stderr)
    return repository


def test_slower_working_tree_has_regressed(finished: Path) -> None:
    said = json.loads((finished.parent / "stdout.json").read_text())
    verdicts = {v["metric"]: v for v in said["verdicts"]}
    speed = verdicts["train-images-per-s"]
    assert (said["exit_code"], said["interleaved"], speed["verdict"]) == (1, True, "regressed")
    assert len(speed["baseline"]) == len(speed["candidate"]) == 2
    assert speed["ratio"] < 0.5
    assert verdicts["g-updates"]["verdict"] == "unchanged"
    assert said["baseline"] == f"base HEAD ({git(finished, 'rev-parse', 'HEAD')[:10]})"
    assert "and uncommitted changes" in said["candidate"]
    assert "rounds of base and head in turns: 2" in said["notes"]


def test_order_changes_from_round_to_round_and_trees_are_gone(finished: Path) -> None:
    told = (finished.parent / "stderr.txt").read_text().splitlines()
    turns = [line.split(", ")[0] for line in told if line.startswith("round")]
    assert turns == [
        "round 1 of 2: base",
        "round 1 of 2: head",
        "round 2 of 2: head",
        "round 2 of 2: base",
    ]
    assert trees(finished) == 1


def test_runs_are_kept_and_each_had_its_own_code(finished: Path) -> None:
    kept = finished.parent / "kept"
    plugins = {
        side: json.loads((kept / "round-2" / side / "run.json").read_text())["execution"]["plugins"]
        for side in ab.SIDES
    }
    assert plugins["head"] == [str(finished / "slow.py")]
    assert plugins["base"][0].endswith("/base/slow.py")
    assert not Path(plugins["base"][0]).exists()
    both = reconciled(ab.read(kept))
    verdicts = compare(both.base, both.head, Policy(alpha=0.3, interleaved=True)).verdicts
    assert "regressed" in [v.word for v in verdicts]
    assert [list(c.statuses.items()) for c in both.base.cells.values()] == [[("ok", 2)]]


def test_version_whose_run_fails_ends_with_3_and_its_last_lines(repository: Path) -> None:
    done = tiny.ganbench(
        "ab", "b.yaml", "--base", "HEAD~1", "--plugin", "slow.py", "--json", cwd=repository
    )
    assert done.returncode == 3, done.stderr
    message = json.loads(done.stdout)["error"]["message"]
    assert message.startswith("--base HEAD~1 (")
    assert "its run in round 1 ended with exit code 2; the last it said:" in message
    assert "no longer" in message
    assert trees(repository) == 1


def test_ctrl_c_ends_workers_and_removes_trees(repository: Path) -> None:
    hangs = PLUGIN.replace("SECONDS = 0.0", "SECONDS = 600.0")
    commit(repository, slow=hangs)
    (repository / "b.yaml").write_text(BENCHMARK.replace(", executor: inline", ""))
    kept = repository.parent / "kept"
    arguments = ("--base", "HEAD", "--plugin", "slow.py", "--out", kept)
    process = warm.start(
        "ganbench",
        *("ab", "b.yaml", *arguments),
        cwd=repository,
        environment=tiny.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 90
    while not (workers := processes_of(f"{kept}/round-1/base/trials")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    assert trees(repository) == 2
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert trees(repository) == 1
    assert not set(workers) & set(processes_of(str(kept)))


def test_two_environments_are_compared_without_git(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(BENCHMARK.replace("loss: slow", "loss: bce"))
    done = tiny.ganbench(
        "ab", "b.yaml", "--base-python", sys.executable, "--head-python", sys.executable,
        "--rounds", 1, "--inconclusive", "fail", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "1 against 1 can never fall below 0.5 here: more rounds are needed" in done.stdout
    assert "note: both import ganbench from" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.yaml"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ([], ConfigError, "which version to compare with"),
        (["--base", "nowhere"], ConfigError, "has no such revision.*git fetch --unshallow"),
        (["--base=-h"], ConfigError, "has no such revision"),
        (["--base-python", "python"], ConfigError, "needs its counterpart"),
        (["--base", "HEAD", "--head-python", "/no/python"], ConfigError, "No such file.*venv/bin"),
        (["--base", "HEAD", "--plugin", "other.py"], PluginError, "no such file"),
        (["--base", "HEAD", "--plugin", "new.py"], PluginError, r"--base HEAD \(.* has no such"),
        (["--base", "HEAD", "--seeds", "x"], ConfigError, "expected whole numbers"),
        (["--base", "HEAD", "--fail-on", "worse"], ConfigError, "expected verdicts of"),
        (["--base", "HEAD", "--tolerance", "x"], ConfigError, "expected METRIC=PART"),
        (["--base", "HEAD", "--out", "."], RunError, "not empty"),
        (["--base", "HEAD", "--set", "plugins=[x.py]"], ConfigError, "--allow-config-plugins"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(
    repository: Path, monkeypatch: pytest.MonkeyPatch, arguments, error, says
) -> None:
    monkeypatch.chdir(repository)
    (repository / "new.py").write_text(PLUGIN)
    done = CliRunner().invoke(cli, ["ab", "b.yaml", *arguments])
    with pytest.raises(error, match=says):
        raise done.exception or AssertionError(done.output)
    assert trees(repository) == 1


def test_revisions_need_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "b.yaml").write_text(BENCHMARK)
    done = CliRunner().invoke(cli, ["ab", "b.yaml", "--base", "HEAD"])
    assert isinstance(done.exception, ConfigError)
    assert "is in a git repository" in str(done.exception)


def test_selection_of_nothing_in_a_version_is_its_own_exit_code(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise MeasurementError("leaves no cell", 5)

    monkeypatch.chdir(repository)
    monkeypatch.setattr(ab, "measure", nothing)
    done = CliRunner().invoke(cli, ["ab", "b.yaml", "--base", "HEAD", "--plugin", "slow.py"])
    assert isinstance(done.exception, NothingSelected)


def test_plugins_that_the_file_names_are_each_versions_own(repository: Path) -> None:
    from ganbench.config import benchmark_file

    document = benchmark_file.read(repository / "b.yaml", overrides=("plugins=[slow.py]",))
    asked = BenchmarkArguments(repository / "b.yaml", overrides=("x=1",), device="cpu")
    arguments = other_versions.of_run(asked, document)
    assert arguments == ("--set", "x=1", "--set", "plugins=[]", "--device", "cpu")
    assert other_versions.first_seeds(document) == (7, 8)


def test_a_repository_is_not_looked_for_around_an_installed_benchmark(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    file = Path(shipped.files()["ci_throughput"])
    assert other_versions.places(file) == [file.parent, repository]
    monkeypatch.setattr(shipped, "PACKAGE", file.parents[1])  # as in ganbench/shipped
    assert other_versions.places(file) == [repository]


def test_trees_are_what_the_revisions_were_and_go_even_after_an_error(repository: Path) -> None:
    wanted = [Version("base", "HEAD~1"), Version("head", "HEAD")]
    (repository / "slow.py").write_text(SLOW)

    def fail() -> None:
        with checked_out(wanted, [repository]) as (base, head):
            assert base.tree is not None
            assert head.tree is not None
            seen.extend([base.tree, head.tree])
            assert [(v.tree / "slow.py").read_text() for v in (base, head)] == [BROKEN, PLUGIN]
            assert head.plugin(str(repository / "slow.py")) == str(head.tree / "slow.py")
            raise KeyboardInterrupt

    seen: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not any(tree.exists() for tree in seen)
    assert trees(repository) == 1
    assert (repository / "slow.py").read_text() == SLOW


def test_tree_comes_first_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # under it, workers would look elsewhere
    (tmp_path / "src").mkdir()
    environment = Version("base", "x", tree=tmp_path).environment()
    assert environment["PYTHONPATH"].split(os.pathsep) == [
        str(tmp_path / "src"),
        str(tmp_path),
        "elsewhere",
    ]
    assert "PYTHONSAFEPATH" not in environment
    assert Version("base", None).environment()["PYTHONPATH"] == "elsewhere"


def test_working_tree_against_itself_is_said_to_be_noise(repository: Path) -> None:
    job = Job(repository / "b.yaml", (), ())
    with checked_out([Version("base", "."), Version("head", ".")], [repository]) as same:
        assert "whatever differs is noise" in " ".join(command._notes(job, same, 5))


def test_package_of_the_tree_is_the_one_that_is_imported(tmp_path: Path) -> None:
    (tmp_path / "ganbench").mkdir()
    (tmp_path / "ganbench" / "__init__.py").write_text("")
    assert Version("base", "x", tree=tmp_path).package() == str(
        tmp_path / "ganbench" / "__init__.py"
    )
    (tmp_path / "ganbench" / "__init__.py").write_text("raise ImportError('half done')")
    with pytest.raises(ConfigError, match="cannot be imported there: ImportError: half done"):
        Version("base", "x", tree=tmp_path).package()


@pytest.mark.parametrize(
    ("warm_up", "order"),
    [(0, ["1bh", "2hb", "3bh"]), (1, ["0hb", "1bh", "2hb", "3bh"])],
)
def test_whoever_was_first_is_second_next(warm_up: int, order: list[str]) -> None:
    assert [f"{n}{a[0]}{b[0]}" for n, (a, b) in rounds(3, warm_up)] == order

"""`pytest --ganbench`: verdicts as outcomes, no training before a test starts, no cost unasked."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny, warm

from ganbench.gate import baseline
from ganbench.gate.comparison import Comparison, Policy, Verdict
from ganbench.gate.measurements import Measurements, Series
from ganbench.pytest_plugin import Judge
from ganbench.records.run_folder import Run
from ganbench.util import files

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
MODULE = "ganbench.pytest_plugin"
IS_INSTALLED = any(e.value == MODULE for e in entry_points(group="pytest11"))
GATE = "\ngate: {metrics: [fid@mnist-cnn-v1, modes, train-images-per-s]}\n"
TINY = tiny.TINY.replace("{threads: 1}", "{threads: 1, executor: inline}") + GATE
LABELS = BCE, LSGAN, WGAN = "bce/none/mlp", "lsgan/none/mlp", "wgan-gp/none/mlp"
REAL = "real test set (ring)"
LESS = "--seeds 0 --only loss=bce"
PLATFORM = {"packages": {"torch": "2"}, "python": "3"}


@pytest.fixture
def tests(pytester: pytest.Pytester):
    """Runs pytest in a process of its own, beside one ordinary test."""
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(test_ordinary="def test_ordinary(): pass")
    loaded = () if IS_INSTALLED else ("-p", MODULE)

    def run(*arguments: object, cold: bool = False) -> pytest.RunResult:
        options = (*loaded, "-p", "no:cacheprovider", *arguments)
        if cold:
            return pytester.runpytest_subprocess(*options)
        done = warm.run("pytest", *options, cwd=pytester.path, environment=tiny.surroundings())
        return pytest.RunResult(
            done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), 0.0
        )

    return run


@pytest.fixture
def recorded(runs: Any):
    """A run of made-up numbers, three seeds each."""

    def recorded(text: str | None = None) -> Run:
        usual = {"fid@mnist-cnn-v1": 1.0, "modes": 8.0, "train-images-per-s": 100.0}
        speed = runs.COLUMNS["train-images-per-s"]
        runs.COLUMNS |= {speed.name: dataclasses.replace(speed, kind="timing")}
        results: dict[str, list[Any]] = {
            label: [runs.result({**usual, "fid@mnist-cnn-v1": 1 + seed / 100}) for seed in range(3)]
            for label in LABELS
        }
        results[REAL] = [runs.reference(usual)]
        run = runs.write(results, text or runs.TEXT.replace("lsgan]", "lsgan, wgan-gp]"))
        about = {**dataclasses.asdict(run.info), "provenance": PLATFORM, "gate": _gate()}
        files.write_json(run.directory / "run.json", about)
        return Run.read(run.directory)

    return recorded


def _gate() -> dict[str, Any]:
    names = ["fid@mnist-cnn-v1", "modes", "train-images-per-s"]
    return {"metrics": names, "alpha": 0.05, "tolerances": {}}


def banked(run: Run, path: Path, **numbers: dict[str, list[float]]) -> Measurements:
    """The run as a baseline of thirty seeds that are not the run's own."""
    found = Measurements.of(run)
    for cell in found.cells.values():
        for name, series in cell.series.items():
            many = {100 + i: next(iter(series.values.values())) + 0.001 * i for i in range(30)}
            if series.column.kind != "count":
                cell.series[name] = dataclasses.replace(series, values=many)
    write_baseline(found, path)
    return found


def write_baseline(found: Measurements, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    baseline.Baseline(1, "2026", "why", {}, {}, found).write(path)


def outcomes(done: pytest.RunResult) -> dict[str, str]:
    """Of each test, by the part of its id after the file."""
    text = "\n".join(done.outlines)
    return dict(re.findall(r"^\S*?(?:::)(\S+) (PASSED|FAILED|SKIPPED|ERROR)", text, re.MULTILINE))


def test_package_declares_the_plugin():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(rf'\[project\.entry-points\.pytest11\]\nganbench = "{MODULE}"\n', text)


def test_nothing_is_imported_where_nothing_is_asked(tests, pytester):
    heavy = ("torch", "numpy", "pandas", "pydantic", "click", "rich", "ganbench.cli")
    pytester.makepyfile(
        test_light=f"""
        import sys

        def test_light(pytestconfig):
            assert "{MODULE}" in sys.modules
            assert not [name for name in {heavy} if name in sys.modules]
        """
    )
    done = tests(cold=True)
    done.assert_outcomes(passed=2)
    assert "ganbench:" not in done.stdout.str()


def test_verdicts_are_outcomes(tests, recorded, pytester):
    run = recorded()
    path = pytester.path / "results/baselines/bench.json"
    found = banked(run, path)
    for trial in run.trials:  # what the candidate is worse in
        if trial.cell is None:
            continue
        place = run.directory / "trials" / trial.id / "result.json"
        result = json.loads(place.read_text("utf-8"))
        metrics = {m["name"]: m for m in result["metrics"]}
        if trial.cell.label == BCE:
            metrics["fid@mnist-cnn-v1"]["value"] += 5
            metrics["modes"] |= {"value": None, "reason": "the features are not finite"}
        if trial.cell.label == LSGAN:
            metrics["fid@mnist-cnn-v1"]["value"] += 5 if trial.seed == 0 else 0
            metrics["modes"]["protocol"] = "cccc3333"
            if trial.seed == 2:
                result = {"status": "diverged", "reason": "loss is nan"}
        files.write_json(place, result)
    ids = {cell.label: id for id, cell in found.cells.items()}
    gone = dataclasses.replace(found.cells.pop(ids[WGAN]), id="gone", label="gone")
    write_baseline(dataclasses.replace(found, cells={**found.cells, "gone": gone}), path)

    done = tests(f"--ganbench-run={run.directory}", "-v", "-rs", "--junitxml=junit.xml")
    assert outcomes(done) == {
        "test_ordinary": "PASSED",
        f"{BCE}::fid@mnist-cnn-v1": "FAILED",
        f"{BCE}::modes": "FAILED",
        f"{BCE}::train-images-per-s": "SKIPPED",
        f"{BCE}::status": "PASSED",
        f"{LSGAN}::fid@mnist-cnn-v1": "SKIPPED",
        f"{LSGAN}::modes": "SKIPPED",
        f"{LSGAN}::train-images-per-s": "SKIPPED",
        f"{LSGAN}::status": "FAILED",
        f"{WGAN}::status": "SKIPPED",
        "gone::status": "FAILED",
        "comparison": "PASSED",
        **{
            f"{label}::{count}": "PASSED"
            for label in (BCE, LSGAN)
            for count in ("kimg", "g-updates", "d-updates", "g-parameters", "d-parameters")
        },
    }
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    text = done.stdout.str()
    for said in (
        f"{BCE} fid@mnist-cnn-v1: regressed: n 3 against 30: median 6.01, was 1.014",
        f"{BCE} modes: missing: the features are not finite",
        f"{LSGAN} status: failed: 2 ok, 1 diverged; the baseline has no failed trial: loss is nan",
        "gone status: missing: the candidate has no such cell",
        f"{LSGAN} fid@mnist-cnn-v1: inconclusive: n 2 against 30",
        f"{LSGAN} modes: incomparable: protocol cccc3333, was aaaa1111",
        f"{WGAN} status: new: the baseline has no such cell",
        "train-images-per-s: incomparable: timings of two jobs",
    ):
        assert said in text
    assert "Traceback" not in text
    assert "pytest_plugin.py:" not in text.split("= FAILURES =")[1].split("short test summary")[0]
    report = (pytester.path / "junit.xml").read_text("utf-8")
    assert '<property name="verdict" value="regressed" />' in report


def test_graver_of_two_verdicts_on_a_cell_is_its_outcome():
    nothing: Any = None
    judge = Judge(*[nothing] * 8)
    found = [Verdict("c", "l", "status", o, "", True) for o in ("failed", "incomparable")]
    judge.__dict__["_answer"] = Comparison("a", "b", Policy(), tuple(found))
    assert judge.verdict("c", "status") == judge.verdict("c", "modes") == found[0]


def test_comparison_of_nothing_is_never_green(tests, recorded, pytester):
    run = recorded()
    found = banked(run, pytester.path / "b.json")
    for cell in found.cells.values():
        for name, series in cell.series.items():
            cell.series[name] = Series(series.column, series.values, "another")
    write_baseline(found, pytester.path / "b.json")
    done = tests(f"--ganbench-run={run.directory}", "--ganbench-baseline=b.json", "-v")
    assert outcomes(done)["comparison"] == "FAILED"
    assert "gate: nothing could be compared" in done.stdout.str()
    assert "PASSED" not in {v for k, v in outcomes(done).items() if k.endswith("modes")}


def test_names_reach_the_terminal_as_text(tests, recorded, pytester):
    run = recorded()
    found = banked(run, pytester.path / "b.json")
    one = next(iter(found.cells.values()))
    found.cells["gone"] = dataclasses.replace(one, id="gone", label="\x1b[31mred")
    write_baseline(found, pytester.path / "b.json")
    done = tests(f"--ganbench-run={run.directory}", "--ganbench-baseline=b.json", "-v")
    assert outcomes(done)[r"\u001b[31mred::status"] == "FAILED"
    assert "\x1b" not in done.stdout.str()


@pytest.fixture
def file(pytester: pytest.Pytester, planned: Any, recorded: Any) -> Path:
    """A benchmark file, and a baseline of its cells."""
    text = TINY.replace("lsgan]", "lsgan, wgan-gp]").replace("[0]", "[0, 1, 2]")
    path = tiny.write(pytester.path, text)
    run = recorded(text=text)
    banked(run, pytester.path / "results/baselines/tiny.json")
    return path


def test_collecting_trains_nothing(tests, file, pytester):
    done = tests("--ganbench", file.name, "--ganbench-out", "out", "--collect-only", "-q")
    assert done.ret == 0
    found = [line for line in done.outlines if "::" in line]
    assert "test_ordinary.py::test_ordinary" in found
    assert f"tiny.yaml::{BCE}::fid@mnist-cnn-v1" in found
    assert len(found) == 1 + 3 * (3 + 5 + 1) + 1
    assert not (pytester.path / "out").exists()


def test_benchmark_is_run_when_a_test_of_it_starts(tests, file, pytester):
    arguments = ("--ganbench", file.name, "--ganbench-out", "out", f"--ganbench-args={LESS}")
    done = tests(*arguments, "-v", "-k", "bce or ordinary")
    found = outcomes(done)
    assert found["test_ordinary"] == found[f"{BCE}::status"] == found[f"{BCE}::kimg"] == "PASSED"
    assert found[f"{BCE}::g-updates"] == "FAILED"  # a made-up number that the real one is not
    assert not any(LSGAN in name for name in found)
    assert len(list(pytester.path.glob("out/trials/*/result.json"))) == 2  # with the real data's


def test_finished_run_is_reused(tests, file, runs):
    before = {path: path.stat().st_mtime_ns for path in runs.folder.rglob("*")}
    done = tests("--ganbench", file.name, "--ganbench-out", runs.folder, "-k", "fid")
    done.assert_outcomes(passed=3, deselected=26)
    assert {path: path.stat().st_mtime_ns for path in runs.folder.rglob("*")} == before


def test_run_that_cannot_begin_fails_each_test_with_the_sentence(tests, file, pytester):
    (pytester.path / "out").mkdir()
    (pytester.path / "out" / "thesis.tex").touch()
    done = tests("--ganbench", file.name, "--ganbench-out", "out", "-k", "lsgan and pdates")
    done.assert_outcomes(failed=2, deselected=27)
    text = done.stdout.str()
    assert text.count("tiny.yaml could not be run: ") >= 2
    assert "out: not empty (thesis.tex…) and no run of ganbench" in text
    assert "Traceback" not in text


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("xdist"), reason="pytest-xdist is not installed")
def test_workers_of_xdist_run_the_benchmark_once(tests, file, pytester):
    arguments = ("--ganbench", file.name, "--ganbench-out", "out", f"--ganbench-args={LESS}")
    done = tests(*arguments, "-n", "2", "-v", "-k", "bce or ordinary")
    assert f"PASSED tiny.yaml::{BCE}::status" in done.stdout.str()
    assert done.parseoutcomes()["passed"] >= 3
    assert len(list(pytester.path.glob("out/trials/*/result.json"))) == 2
    again = tests("--ganbench", "none.yaml", "-n", "2")
    assert again.ret == pytest.ExitCode.USAGE_ERROR
    again.stderr.fnmatch_lines(["ERROR: ganbench: *none.yaml: there is no such file"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ganbench", "a.yaml", "--ganbench-run", "b"], "exclude each other"),
        (["--ganbench-out", "a"], "--ganbench-out goes with --ganbench FILE"),
        (["--ganbench-run", "a", "--ganbench-args", "b"], "--ganbench-args goes with --ganbench"),
        (["--ganbench-baseline", "a"], "--ganbench-baseline goes with --ganbench FILE or"),
        (["--ganbench-run", "none"], "none: not a run of ganbench: there is no such folder"),
        (["--ganbench", "none.yaml"], "none.yaml: there is no such file"),
        (["--ganbench", "ring_modes"], "baselines/ring_modes.json: No such file*"),
        (["--ganbench", "tiny.yaml"], "baselines/tiny.json: No such file*baseline update RUN"),
        (["--ganbench", "tiny.yaml", "--ganbench-args=--nope"], "No such option*--nope"),
        (["--ganbench", "tiny.yaml", "--ganbench-args=--only loss=x"], "--only loss=x: leaves no"),
    ],
)
def test_what_cannot_be_judged_is_a_usage_error(pytester, arguments, says):
    tiny.write(pytester.path, TINY)
    loaded = () if IS_INSTALLED else ("-p", MODULE)
    done = pytester.runpytest_inprocess(*loaded, *arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: *{says}*"])

"""How small a change can be seen: closed forms, and what the gate itself says of such changes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from helpers import tiny

from ganbench.cli import cli
from ganbench.cli.commands.noise import yaml as snippet
from ganbench.config.schema import Gate
from ganbench.errors import BaselineError, ConfigError, RunError
from ganbench.gate import sensitivity
from ganbench.gate.comparison import Policy, Tolerance
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.sensitivity import Design
from ganbench.gate.sensitivity import minimum_detectable_effect as mde
from ganbench.gate.significance import larger_p
from ganbench.records.columns import Column

FID = Column("fid@x", "", "min", gated=True)
ACCURACY = Column("cond-accuracy", "", "max", gated=True)
SHARES = Column("reverse-kl", "nats", "min")
SPEED = Column("speed", "1/s", "max", kind="timing", gated=True)
SHORT = tiny.TINY.replace("execution: {threads: 1}", "execution: {threads: 1, executor: inline}")


def normal(n: int, mean: float = 10.0, sd: float = 1.0) -> list[float]:
    """Evenly spaced quantiles."""
    return [NormalDist(mean, sd).inv_cdf((i + 0.5) / n) for i in range(n)]


def measured(*cells: Mapping[Column, Sequence[float]]) -> Measurements:
    found = {}
    for i, values in enumerate(cells):
        series = {c.name: Series(c, dict(enumerate(x)), "p") for c, x in values.items()}
        found[f"c{i}"] = Measured(f"c{i}", f"cell {i}", "ring", {}, {"ok": 1}, series)
    return Measurements("bench", found)


@pytest.mark.parametrize(("n", "candidates", "family"), [(10, 3, 1), (20, 3, 4), (20, 5, 2)])
def test_shift_is_found_with_the_power_asked_for(n: int, candidates: int, family: int) -> None:
    level = 0.05 / family
    bank = normal(n)
    shift = mde(bank, "min", Design(candidates, alpha=level))
    drawn = np.random.default_rng(1).normal(10 + shift, 1, (3000, candidates))
    found = [
        larger_p(list(row), bank) < level and np.median(row) > np.median(bank) for row in drawn
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_shift_is_near_that_of_the_normal_test() -> None:
    quantile = NormalDist().inv_cdf
    wanted = (quantile(0.95) + quantile(0.8)) * math.sqrt(1 / 20 + 1 / 20)
    assert mde(normal(20), "min", Design(20, alpha=0.05)) == pytest.approx(wanted, rel=0.1)


def test_shift_scales_with_the_spread_and_knows_the_direction() -> None:
    one = mde(normal(20), "min", Design(3, alpha=0.05))
    wide = mde(normal(20, 500, 10), "min", Design(3, alpha=0.05))
    assert wide == pytest.approx(10 * one, rel=0.01)
    flipped = [-x for x in normal(20)]
    assert mde(flipped, "max", Design(3, alpha=0.05)) == pytest.approx(one, rel=1e-6)


def test_more_power_less_alpha_and_a_tolerance_need_larger_shifts() -> None:
    plain = mde(normal(20), "min", Design(3, alpha=0.05))
    assert mde(normal(20), "min", Design(3, 0.95, 0.05)) > plain
    assert mde(normal(20), "min", Design(3, alpha=0.005)) > plain
    assert mde(normal(20), "min", Design(5, alpha=0.05)) < plain
    wide = mde(normal(20), "min", Design(3, alpha=0.05), tolerance=5.0)
    assert wide == pytest.approx(5 + 0.8416 * 0.6700, abs=0.1)  # the median of three by then


def test_few_seeds_can_see_nothing() -> None:
    assert math.isinf(mde(normal(3), "min", Design(3, alpha=0.05)))  # 1 / 20 is not below
    assert math.isinf(mde([], "min", Design(3, alpha=0.05)))
    assert sensitivity.needed_seeds(3, 1, 0.05) == 4
    assert sensitivity.needed_seeds(3, 4, 0.05) == 6  # 4 / 84 < 0.05 <= 4 / 56
    assert sensitivity.needed_seeds(1, 20, 0.001) is None


def test_smoothing_keeps_mean_and_spread() -> None:
    values = np.asarray(normal(12, 3, 2))
    drawn = sensitivity.smoothed(values, (50_000, 3), np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.02)
    assert drawn.std() == pytest.approx(values.std(ddof=1), rel=0.01)


def test_report_of_what_was_measured() -> None:
    found = measured(
        {FID: normal(20), ACCURACY: normal(20, 0.9, 0.01), SHARES: normal(20), SPEED: normal(20)},
        {FID: normal(20, 20, 4), ACCURACY: normal(20, 0.8, 0.01)},
    )
    report = sensitivity.analyse(found, Policy())
    by = {(n.label, n.metric): n for n in report.numbers}
    assert report.family == 4
    assert ("cell 0", "speed") not in by
    assert not by["cell 0", "reverse-kl"].gated
    first = by["cell 0", "fid@x"]
    assert (first.median, first.sd) == pytest.approx((10, 0.994), abs=0.001)
    assert first.mad == pytest.approx(0.6745, abs=0.07)
    assert first.mde is not None
    assert first.mde == pytest.approx(2.28, abs=0.1)
    largest = max(n.part(n.mde) or 0 for n in report.numbers if n.metric == "fid@x")
    assert largest <= report.tolerances["fid@x"].rel <= 1.1 * largest
    assert "reverse-kl" not in report.tolerances
    assert (first.mde_with_tolerance or 0) > first.mde
    assert report.warnings == ()
    assert sensitivity.analyse(found, Policy()) == report


def test_splits_of_the_same_seeds_alarm_no_more_often_than_alpha() -> None:
    generator = np.random.default_rng(3)
    cells = [
        {FID: generator.standard_t(2, 20).tolist(), ACCURACY: generator.normal(size=20).tolist()}
        for _ in range(2)
    ]
    strict = Policy(
        tolerances={"fid@x": Tolerance(0, 0), "cond-accuracy": Tolerance(0, 0)}, alpha=0.2
    )
    found = sensitivity.false_alarms(measured(*cells), strict, 3)
    assert found is not None
    assert (found.splits, found.candidates, found.banked) == (sensitivity.SPLITS, 3, 17)
    assert 0 < found.alarms / found.splits < 0.25
    assert sum(found.words.values()) == 4 * found.splits


def test_all_splits_are_tried_where_they_are_few() -> None:
    found = sensitivity.false_alarms(measured({FID: normal(6)}), Policy(), 2)
    assert found is not None
    assert found.splits == 15
    assert sensitivity.false_alarms(measured({FID: normal(3)}), Policy(), 3) is None


def test_few_seeds_are_warned_of_with_the_cure() -> None:
    report = sensitivity.analyse(measured({FID: normal(3), ACCURACY: normal(3)}), Policy())
    assert {n.mde for n in report.numbers} == {None}
    assert report.warnings == (
        "3 candidates against 3 can never reach alpha 0.05 over 2 gated numbers: bank 5 seeds or "
        "more, or gate fewer numbers",
    )
    assert report.tolerances == {}
    assert "can never be significant" in report.numbers[0].reason


def test_numbers_that_do_not_decide_are_not_warned_of() -> None:
    few, same = Column("reverse-kl", "", "min"), Column("modes", "", "max")
    values = {FID: normal(10), few: normal(3), same: [8.0] * 10}
    assert sensitivity.analyse(measured(values), Policy()).warnings == ()
    (one,) = sensitivity.analyse(measured({**values, FID: normal(3)}), Policy()).warnings
    assert one.endswith("alpha 0.05 over 1 gated number: bank 4 seeds or more")


def test_constant_and_single_values_are_said_to_tell_nothing() -> None:
    report = sensitivity.analyse(measured({FID: [2.0] * 10}), Policy())
    (number,) = report.numbers
    assert (number.mde, number.sd, number.mad) == (0.0, 0.0, 0.0)
    assert report.tolerances == {}
    assert "the same value in every seed" in report.warnings[0]
    (alone,) = sensitivity.analyse(measured({FID: [2.0]}), Policy()).numbers
    assert (alone.sd, alone.mde) == (None, None)


def test_ties_are_judged_as_the_gate_does() -> None:
    modes = [10.0, 9, 10, 9, 10, 10, 9, 10, 10, 9]
    shift = mde(modes, "max", Design(3, alpha=0.05))
    assert 0 < shift < 3


def test_numbers_around_zero_get_absolute_tolerances_and_none_gated_is_said() -> None:
    report = sensitivity.analyse(measured({SHARES: normal(20, 0.0, 1.0)}), Policy())
    assert report.tolerances["reverse-kl"].rel == 0
    assert report.tolerances["reverse-kl"].abs > 1
    assert "no number is gated" in report.warnings[0]
    assert report.false_alarms is not None
    assert sum(report.false_alarms.words.values()) == report.false_alarms.splits
    text = snippet({"fid@x": Tolerance(0.13, 0), **report.tolerances})
    gate = Gate.model_validate(yaml.safe_load(text)["gate"])
    assert gate.tolerances["fid@x"].rel == 0.13
    assert gate.tolerances["reverse-kl"].abs == report.tolerances["reverse-kl"].abs


@pytest.mark.parametrize(
    ("value", "up"), [(0.1234, 0.13), (0.12, 0.12), (99.1, 100.0), (0.00501, 0.0051), (3, 3)]
)
def test_tolerances_are_rounded_up_to_two_digits(value: float, up: float) -> None:
    assert sensitivity._rounded_up(value) == pytest.approx(up)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark that `noise` itself has run with eight seeds."""
    folder = tmp_path_factory.mktemp("finished")
    file = tiny.write(folder, SHORT.replace("matrix:", "on_incompatible: skip\nmatrix:"))
    done = invoke(
        "noise", file, "--seeds", "0-7", "--out", folder / "run", "--quiet", "--json", "--gate",
        "fid@pixels", "--set", "execution.executor=inline", "--set", "training.budget.kimg=0.2",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    (folder / "stdout.json").write_text(done.stdout)
    return folder


def invoke(*arguments: object):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def test_benchmark_is_run_and_then_examined(finished: Path) -> None:
    said = json.loads((finished / "stdout.json").read_text())
    gated = [n for n in said["numbers"] if n["gated"]]
    assert (said["family"], len(gated)) == (2, 2)
    assert all(n["n"] == 8 and n["seen"] > 0 for n in gated)
    assert said["tolerances"].keys() == {"fid@pixels"}
    assert said["a_a"]["splits"] == 56
    assert said["a_a"]["false_alarm_share"] <= 0.1
    assert Gate.model_validate(yaml.safe_load(said["yaml"])["gate"]).tolerances


def test_run_is_examined_again_without_a_training(finished: Path) -> None:
    done = invoke("noise", finished / "run", "--gate", "fid@pixels", "--candidates", 4)
    assert done.exit_code == 0, done.output
    assert "what 4 candidates can show" in done.output
    assert "tolerances:\n    fid@pixels: " in done.output
    assert "A/A as it is: " in done.output
    assert "numbers not gated; --all shows them" in done.output


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["run", "--seeds", "0-3"], ConfigError, "--seeds: what is measured already"),
        (["run", "--set", "a=1", "--out", "x"], ConfigError, "--set, --out"),
        (["run", "--gate", "fids"], Exception, "neither side has such a number"),
        (["none.yaml"], ConfigError, "none.yaml"),
        (["none.json"], BaselineError, "none.json"),
        (["."], RunError, "not a run of ganbench"),
    ],
)
def test_what_cannot_be_examined_is_a_sentence(
    finished: Path, monkeypatch: pytest.MonkeyPatch, arguments, error, says
) -> None:
    monkeypatch.chdir(finished)
    done = invoke("noise", *arguments)
    with pytest.raises(error, match=says):
        raise done.exception or AssertionError(done.output)


def test_run_of_timings_alone_has_nothing_to_examine(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = measured({SPEED: normal(5)})
    monkeypatch.setattr("ganbench.cli.commands.noise.side", lambda path: (only, {}, ""))
    done = invoke("noise", finished / "run")
    assert isinstance(done.exception, BaselineError)
    assert "`ganbench ab` judges them" in str(done.exception)


def test_failed_trial_ends_with_3(tmp_path: Path) -> None:
    text = SHORT.replace("[bce, lsgan]", "[{name: trouble, does: raise}]")
    done = tiny.ganbench(
        "noise", tiny.write(tmp_path, text), "--plugin", tiny.write_trouble(tmp_path),
        "--out", "run", "--quiet", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "out of ideas" in done.stderr
    assert "`ganbench resume run`, then `ganbench noise run`" in done.stderr

"""One training, drawn of several times: what each draw gave, and the first as it is alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import tiny

import ganbench
from ganbench.cli import cli
from ganbench.gate.measurements import Measurements
from ganbench.records.columns import Column
from ganbench.records.results import MetricValue, TrialResult
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.status import Status
from ganbench.runs.draws import averaged, over_draws

DRAWS = 3
FID = "fid@pixels"
SPEED = "train-images-per-s"
TEXT = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace("seeds: [0]", "seeds: [0, 1]").replace(
    "metrics: [mode-coverage, fid, throughput]",
    "samplers: [plain, {name: truncation, psi: 0.7}], controls: [], metrics: [mode-coverage, fid, "
    "throughput]",
)  # fmt: skip


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one training: `once` is drawn of once, and `often` three times."""
    here = tmp_path_factory.mktemp("drawn")
    file = tiny.write(here, TEXT)
    call("run", file, "--out", here / "once", "--quiet")
    often = f"evaluation.sampling_seeds={DRAWS}"
    call("run", file, "--out", here / "often", "--set", often, "--quiet")
    return here


def outcomes(run: Path) -> list[TrialOutcome]:
    """Of cells, by seed and sampler."""
    return [o for o in ganbench.load_run(run).outcomes if o.trial.cell]


def numbers(outcome: TrialOutcome) -> dict[str, MetricValue]:
    return {m.column.name: m for m in outcome.result.metrics}


def test_the_first_draw_is_what_is_drawn_alone_to_the_bit(folder: Path) -> None:
    for once, often in zip(outcomes(folder / "once"), outcomes(folder / "often"), strict=True):
        alone, found = numbers(once), numbers(often)
        assert alone.keys() == found.keys()
        for name in (FID, "modes", "high-quality"):
            draws = found[name].draws
            assert len(draws) == DRAWS
            assert draws[0] == alone[name].value
            assert found[name].value == fmean(draws)
            assert found[name].protocol == alone[name].protocol
            assert alone[name].draws == ()
        assert len(set(found[FID].draws)) == DRAWS
        assert found[SPEED].draws == ()
        assert once.trial.subject.training_id == often.trial.subject.training_id
        assert once.trial.subject.id != often.trial.subject.id
        pictures = [o.pictures / "samples.png" for o in (once, often)]
        assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_left_at_one_it_is_in_no_id(folder: Path, planned: Any) -> None:
    said = TEXT.replace("samplers:", "sampling_seeds: 1, samplers:")
    for text in (TEXT, said):
        assert planned(text).cells[0].id in next((folder / "once" / "trials").glob("bce*")).name
    assert planned(TEXT.replace("samplers:", "sampling_seeds: 3, samplers:")).cells[0].id in str(
        [*(folder / "often" / "trials").iterdir()]
    )


def test_tables_have_both_spreads(folder: Path) -> None:
    table = (folder / "often" / "table.md").read_text("utf-8")
    assert "of training seeds and" in table
    found = ganbench.load_run(folder / "often").table
    summary = found.rows[-1].values[FID]
    assert f"({summary.spread.training_sd:,.4f}, {summary.spread.sampling_sd:,.4f})" in table
    with (folder / "often" / "table.csv").open(encoding="utf-8") as file:
        line = list(csv.DictReader(file))[-1]
    assert float(line[f"{FID} sampling sd"]) == summary.spread.sampling_sd > 0
    assert f"{SPEED} sampling sd" not in line
    with (folder / "once" / "table.csv").open(encoding="utf-8") as file:
        assert f"{FID} sampling sd" not in next(csv.reader(file))
    plain = json.loads((folder / "often" / "table.json").read_text("utf-8"))
    assert plain["rows"][-1]["values"][FID]["training_sd"] == summary.spread.training_sd


def test_gates_compare_the_means(folder: Path) -> None:
    found = Measurements.of(Run.read(folder / "often"))
    values = {o.trial.seed: numbers(o)[FID].value for o in outcomes(folder / "often")[::2]}
    assert values in [one.series[FID].values for one in found.cells.values()]
    call("compare", folder / "often", folder / "often")


def test_columns_that_are_added_are_of_as_many_draws(folder: Path) -> None:
    call("evaluate", folder / "often", "--metrics", "kid@pixels", "--quiet")
    for outcome in outcomes(folder / "often"):
        added = numbers(outcome)["kid@pixels"]
        assert len(set(added.draws)) == DRAWS
        assert added.value == fmean(added.draws)
    (told,) = (n for n in ganbench.load_run(folder / "often").table.notes if n.kind == "added")
    assert "identical to those that were judged before" in told


def test_the_plan_says_how_often_samples_are_drawn(folder: Path) -> None:
    file, often = folder / "tiny.yaml", "evaluation.sampling_seeds=3"
    told = call("plan", file, "--set", often, "--no-estimate")
    assert "samples of each drawn and judged 3 times" in told
    assert "drawn and judged" not in call("plan", file, "--no-estimate")


COLUMN = Column("n")


def result(value: float | None, reason: str = "", **changes: Any) -> TrialResult:
    one = MetricValue(COLUMN, value, "p", reason)
    return TrialResult(Status.OK, metrics=(one,), metric_seconds={"n": 1.0}, **changes)


def test_a_number_that_one_draw_lacks_has_no_mean() -> None:
    found = averaged([result(1.0), result(None, "no class 7"), result(3.0)])
    (one,) = found.metrics
    assert (one.value, one.draws) == (None, (1.0, None, 3.0))
    assert one.reason == "draw 2 of 3: no class 7"
    assert found.metric_seconds == {"n": 3.0}
    (none,) = averaged([result(None, "no"), result(None, "no")]).metrics
    assert (none.reason, none.draws) == ("no", ())


def test_errors_name_their_draw() -> None:
    found = averaged([result(1.0, errors=("a",)), result(1.0), result(2.0, errors=("b",))])
    assert found.errors == ("a", "b (draw 3)")


def test_numbers_of_classes_are_means_of_theirs() -> None:
    ones = [
        MetricValue(COLUMN, value, "p", "", {"a": value, "b": 2 * value}, which)
        for value, which in ((1.0, "a"), (3.0, "b"))
    ]
    (found,) = averaged([TrialResult(metrics=(one,)) for one in ones]).metrics
    assert (found.classes, found.which) == ({"a": 2.0, "b": 4.0}, "a, b")


def test_values_of_different_protocols_have_no_mean() -> None:
    ones = [MetricValue(COLUMN, 1.0, protocol) for protocol in ("p", "q")]
    (found,) = averaged([TrialResult(metrics=(one,)) for one in ones]).metrics
    assert (found.value, found.reason) == (None, "its draws were measured by different protocols")


def test_what_a_draw_foresees_has_the_draws_before_it() -> None:
    told: list[TrialResult] = []

    def judge(draw: int, foresee: Any) -> TrialResult:
        foresee(result(None, "the process ended"))
        return result(float(draw))

    found = over_draws(result(0.0), 3, judge, told.append)
    assert found.metrics[0].draws == (0.0, 1.0, 2.0)
    assert [one.metrics[0].draws for one in told] == [(0.0, None), (0.0, 1.0, None)]
    assert told[1].metrics[0].reason == "draw 3 of 3: the process ended"


def test_where_the_first_draw_has_no_number_there_are_no_others() -> None:
    def judge(draw: int, foresee: Any) -> TrialResult:
        raise AssertionError(draw)

    none = result(None, "D accepts nothing")
    assert over_draws(none, 3, judge, lambda found: None) == none

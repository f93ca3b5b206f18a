"""Several runs as one: what is united, what is refused, and what a damaged run costs."""

from __future__ import annotations

import json
import shutil

import pytest
from helpers import many_runs
from helpers.many_runs import FID, finished, write
from helpers.tables import row

from ganbench import Report
from ganbench.archive import merge
from ganbench.errors import RunError
from ganbench.records.platforms import PLATFORM
from ganbench.records.run_folder import Run
from ganbench.testing.fixtures import trials

BCE, LSGAN = "bce/none/mlp", "lsgan/none/mlp"


def table(*runs: Run, **how):
    return Report.of(merge.merged(runs, **how)).table


@pytest.fixture
def two(tmp_path):
    """Seeds 0 and 1 of one person, 2 and 3 of another."""
    a = write(tmp_path / "a", {"bce": {0: 1.0, 1: 2.0}, "lsgan": {0: 5.0, 1: 6.0}})
    b = write(tmp_path / "b", {"bce": {2: 3.0, 3: 4.0}, "lsgan": {2: 7.0, 3: 8.0}})
    return a, b


def test_seeds_of_two_people_are_one_row(two):
    found = table(*two)
    assert [r.label for r in found.rows] == [BCE, LSGAN]
    assert (row(found, BCE).n, row(found, BCE).values[FID].mean) == (4, 2.5)
    assert row(found, BCE).values[FID].mark == "best"
    assert PLATFORM not in found.axes
    assert "Merged of 2 runs: kit-a (4 trials), kit-b (4 trials)." in found.notes


def test_a_merged_folder_is_a_run_that_outlives_those_it_is_of(two, tmp_path):
    written = merge.write(merge.merged(two), two, tmp_path / "all")
    for run in two:
        shutil.rmtree(run.directory)
    again = Run.read(tmp_path / "all")
    assert again.plan.id == written.plan.id
    assert [o.status.value for o in again.outcomes()] == ["ok"] * 8
    assert Report.of(again).table.plain() == Report.of(written).table.plain()
    frame = again.frame()
    assert set(frame["run"]) == {"kit-a", "kit-b"}
    assert (tmp_path / "all" / "results.csv").is_file()
    assert (tmp_path / "all" / "parts" / "kit-b" / "config.source.yaml").is_file()


def test_merging_again_adds_to_what_was_merged(two, tmp_path):
    merge.write(merge.merged(two), two, tmp_path / "all")
    more = write(tmp_path / "c", {"bce": {4: 5.0}})
    runs = [Run.read(tmp_path / "all"), more]
    found = merge.merged(runs)
    assert [part.id for part in found.info.parts] == ["kit-a", "kit-b", "kit-c"]
    merge.write(found, runs, tmp_path / "every")
    assert sorted(p.name for p in (tmp_path / "every" / "parts").iterdir()) == [
        "kit-a",
        "kit-b",
        "kit-c",
    ]
    assert row(Report.of(Run.read(tmp_path / "every")).table, BCE).n == 5


def test_one_run_alone_and_the_same_twice_are_as_they_were(two):
    alone = Report.of(two[0]).table
    assert table(two[0]).plain() == alone.plain()
    assert row(table(two[0], two[0]), BCE).n == 2


def test_platforms_are_a_column_and_their_speeds_are_not_averaged(two, tmp_path):
    c = write(tmp_path / "c", {"bce": {2: 3.0}, "wgan": {2: 1.0}}, device="B Processor")
    found = table(two[0], c)
    assert row(found, BCE).axes[PLATFORM] == "A Processor + B Processor"
    assert row(found, LSGAN).axes[PLATFORM] == "A Processor"
    assert PLATFORM in found.axes
    assert row(found, BCE).values[FID].n == 3
    speed = row(found, BCE).values["train-images-per-s"]
    assert (speed.mean, speed.n) == (None, 0)
    assert "different platforms (A Processor; B Processor)" in speed.reason
    assert row(found, LSGAN).values["train-images-per-s"].mean == trials.GOOD[3]
    assert {r.values["train-images-per-s"].mark for r in found.rows} == {""}


def test_a_platform_is_told_by_what_differs(tmp_path):
    runs = [
        write(tmp_path / version, {"bce": {seed: 1.0 + seed}}, torch=version)
        for seed, version in enumerate(("2.9.0", "2.10.0"))
    ]
    platform = row(table(*runs), BCE).axes[PLATFORM]
    assert platform == "A Processor, torch 2.9.0 + A Processor, torch 2.10.0"


def test_duplicates_that_agree_count_once(two, tmp_path):
    again = write(tmp_path / "c", {"bce": {0: 1.0, 5: 9.0}}, device="B Processor")
    assert row(table(two[0], again), BCE).n == 3


def test_duplicates_that_do_not_agree_are_refused_by_name(two, tmp_path):
    other = write(tmp_path / "c", {"bce": {0: 1.5}}, device="B Processor")
    with pytest.raises(RunError) as caught:
        merge.merged([two[0], other])
    told = str(caught.value)
    assert f"c: {BCE} seed 0 is in {two[0].directory} too, and they do not agree" in told
    assert f"{FID} 1.5, was 1.0 (other platform: device B Processor, was A Processor)" in told
    assert row(table(two[0], other, first_wins=True), BCE).values[FID].mean == 1.5  # of 1 and 2
    assert row(table(other, two[0], first_wins=True), BCE).values[FID].mean == 1.75


def test_a_training_that_diverged_elsewhere_does_not_agree(two, tmp_path):
    other = write(tmp_path / "c", {"bce": {0: trials.lost("diverged", "loss is nan")}})
    with pytest.raises(RunError, match="diverged, was ok"):
        merge.merged([two[0], other])


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_trial_that_went_wrong_gives_way_to_one_that_is_ok(two, tmp_path, status):
    other = write(tmp_path / "c", {"bce": {0: trials.lost(status, "why")}})
    for runs in ([two[0], other], [other, two[0]]):
        found = row(table(*runs), BCE)
        assert (found.n, found.failed) == (2, 0)


def test_other_protocols_are_refused_with_what_differs(two, tmp_path):
    protocol = {**many_runs.PROTOCOL, "num_samples": 50}
    other = write(tmp_path / "c", {"bce": {2: 3.0}}, protocol=protocol)
    with pytest.raises(RunError) as caught:
        merge.merged([two[0], other])
    told = str(caught.value)
    assert f"c: {FID}, modes, cond-accuracy of 'ring' by another protocol than in" in told
    assert "num_samples 50, was 1000" in told
    assert "train-images-per-s" not in told  # which no protocol decides


def test_other_protocols_of_another_data_set_are_no_matter(two, tmp_path):
    protocol = {**many_runs.PROTOCOL, "num_samples": 50}
    other = write(tmp_path / "c", {"bce": {0: 3.0}}, dataset="grid", protocol=protocol)
    found = table(two[0], other)
    assert [r.label for r in found.rows] == [f"ring/{BCE}", f"ring/{LSGAN}", f"grid/{BCE}"]


def test_other_data_are_refused(two, tmp_path):
    other = write(tmp_path / "c", {"bce": {2: 3.0}}, data="11")
    with pytest.raises(RunError, match=r"other data of 'ring' than in .*a: SHA-256 1111"):
        merge.merged([two[0], other])


def test_data_sets_of_one_name_are_told_apart_by_their_options(tmp_path):
    a = write(tmp_path / "a", {"bce": {0: 1.0}}, options={"std": 0.02, "size": 5})
    b = write(tmp_path / "b", {"bce": {0: 1.0}}, options={"std": 0.05, "size": 5}, data="11")
    assert [r.label for r in table(a, b).rows] == [f"ring(std=0.02)/{BCE}", f"ring(std=0.05)/{BCE}"]


def test_cells_that_runs_called_the_same_are_told_apart_by_what_differs(two, tmp_path):
    other = write(tmp_path / "c", {"bce": {0: 9.0}}, g_lr=0.5)
    labels = [r.label for r in table(two[0], other).rows]
    assert labels == [f"{BCE}/g_lr=0.001", LSGAN, f"{BCE}/g_lr=0.5"]


def test_a_damaged_run_costs_its_own_rows_and_a_sentence(two, tmp_path):
    c = write(tmp_path / "c", {"wgan": {0: 1.0}})
    (c.directory / "plan.json").write_text("{", "utf-8")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "run.json").write_text("[]", "utf-8")
    runs, damaged = merge.read([tmp_path / name for name in "abcd"])
    found = Report.of(merge.merged(runs, damaged)).table
    assert [r.label for r in found.rows] == [BCE, LSGAN]
    left = [note for note in found.notes if note.startswith("Left out: ")]
    assert len(left) == 2
    assert "plan.json is missing or not whole" in left[0]


def test_a_damaged_result_costs_its_trial_and_a_sentence(two):
    path = next(two[1].directory.glob("trials/bce*-s2/result.json"))
    content = json.loads(path.read_text("utf-8"))
    content["metrics"][0]["value"] = 0.0
    path.write_text(json.dumps(content), "utf-8")  # its SHA-256 is another now
    found = table(*two)
    assert row(found, BCE).n == 3
    assert any("SHA-256 is another" in note for note in found.notes if "Left out" in note)


def test_trials_without_a_result_are_left_out_and_told(two, tmp_path):
    c = write(tmp_path / "c", {"bce": {7: None, 8: 2.0}, "wgan": {7: None}})
    found = table(two[0], c)
    assert row(found, BCE).status == "ok"
    (left,) = [note for note in found.notes if note.startswith("Left out: ")]
    assert f"{BCE} seed 7, wgan/none/mlp seed 7" in left
    runs = [write(tmp_path / name, {"bce": {0: None}}) for name in ("x", "y")]
    with pytest.raises(RunError, match="no trial of them has a result"):
        merge.merged(runs)


def test_what_is_no_run_is_named(two, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "none"):
        with pytest.raises(RunError, match=f"{name}: not a run of ganbench"):
            merge.read([two[0].directory, tmp_path / name])
    assert len(merge.read([tmp_path])[0]) == 2  # a folder with runs below it


def test_nothing_is_written_over(two, tmp_path):
    with pytest.raises(RunError, match="is there already"):
        merge.write(merge.merged(two), two, two[0].directory)


def test_samples_without_a_number_say_why(two, tmp_path):
    other = write(tmp_path / "c", {"bce": {2: finished("the features are not finite")}})
    assert row(table(two[0], other), BCE).values[FID].n == 2


def test_a_merged_run_is_not_trained_in(two, tmp_path):
    written = merge.write(merge.merged(two), two, tmp_path / "all")
    with pytest.raises(RunError, match="merged of kit-a, kit-b, and nothing is trained in it"):
        merge.check_not_merged(written, "nothing is trained in it")
    merge.check_not_merged(two[0], "nothing is trained in it")


def executed(run: Run, **execution: object) -> Run:
    """A run that was run so."""
    about = json.loads((run.directory / "run.json").read_text("utf-8"))
    about["execution"] |= execution
    (run.directory / "run.json").write_text(json.dumps(about), "utf-8")
    return Run.read(run.directory)


def test_how_many_ran_at_a_time_is_kept_where_runs_agree_and_by_run_where_not(two, tmp_path):
    gpus = {"jobs": 2, "own_gpus": True, "jobs_reason": "2 of 2 GPUs are free"}
    a, b = (executed(run, **gpus) for run in two)
    same = merge.merged([a, b]).info
    kept = (same.execution.jobs, same.execution.own_gpus, same.execution.jobs_reason)
    assert kept == (2, True, "2 of 2 GPUs are free")
    assert same.execution.alone
    c = executed(write(tmp_path / "c", {"bce": {4: 5.0}}), jobs=4, jobs_reason="of four cores")
    written = merge.write(merge.merged([a, c]), [a, c], tmp_path / "all")
    info = Run.read(written.directory).info
    assert (info.execution.own_gpus, info.execution.jobs_reason) == (False, "")
    assert [(p.jobs, p.own_gpus, p.jobs_reason) for p in info.parts] == [
        (2, True, "2 of 2 GPUs are free"),
        (4, False, "of four cores"),
    ]
    one = executed(write(tmp_path / "d", {"bce": {5: 5.0}}), jobs=1)
    assert merge.merged([a, one]).info.execution.alone  # each trial had its device to itself

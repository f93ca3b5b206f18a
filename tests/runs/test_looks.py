"""Numbers and pictures on the way: at each multiple of `evaluation.every`, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny

from ganbench import load_run
from ganbench.models.parts import Parts
from ganbench.records import windows
from ganbench.records.windows import Probe
from ganbench.registry import registry
from ganbench.runs.looks import Looks, Seen

CALLBACK = '''\
"""Notes the values that it is shown, and whether there was a picture."""

import json
from dataclasses import dataclass

from ganbench import Callback, Probed, TrialInfo, hookimpl


@dataclass(kw_only=True)
class Looks(Callback):
    """Notes what it is shown."""

    name = "looks"

    def began(self, trial: TrialInfo) -> None:
        self.path = trial.directory / "diary.txt"

    def probed(self, probe: Probed) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps([probe.kimg, probe.values, probe.picture is not None]) + "\\n")


@hookimpl
def register_callbacks(register):
    register(Looks)
'''
FOLLOWED = "{name: time-to, targets: {modes: 1}, points: 5, num_samples: 50}"
TEXT = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace(
    "metrics: [mode-coverage, fid, throughput]",
    f"controls: [], metrics: [mode-coverage, fid, throughput, final-losses, {FOLLOWED}]",
)


def run(folder: Path, *settings: str) -> tuple[Path, dict[str, Any]]:
    """The trial's folder and its result."""
    folder.mkdir()
    (folder / "looks.py").write_text(CALLBACK, "utf-8")
    sets = [part for setting in settings for part in ("--set", setting)]
    path = tiny.write(folder, TEXT)
    done = tiny.ganbench("run", path, "--plugin", "looks.py", "--out", "run", *sets, cwd=folder)
    assert done.returncode == 0, done.stderr
    (trial,) = (folder / "run" / "trials").glob("bce*")
    return trial, json.loads((trial / "result.json").read_text("utf-8"))


def numbers(result: dict[str, Any]) -> list[tuple[str, float]]:
    return [(m["name"], m["value"]) for m in result["metrics"] if m["kind"] == "quality"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    return run(tmp_path_factory.mktemp("looks") / "plain")


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("looks") / "every"
    return run(folder, "evaluation.every=0.3 kimg", "callbacks=[looks]")


def test_cheap_columns_are_measured_at_each_multiple(looked_at) -> None:
    trial, result = looked_at
    followed = result["followed"]
    assert [probe["kimg"] for probe in followed] == pytest.approx([0.3, 0.6, 0.9])
    for probe in followed:
        assert {"modes", "high-quality", "fid@pixels"} <= set(probe["values"])
        assert not {"train-images-per-s", "d-loss", "kimg-to-modes"} & set(probe["values"])
    lines = [json.loads(line) for line in (trial / "probes.jsonl").read_text().splitlines()]
    assert [line["values"] for line in lines] == [probe["values"] for probe in followed]
    last = windows.last_probe(trial / "probes.jsonl")
    assert last is not None
    assert last.values == followed[-1]["values"]


def test_callbacks_are_handed_numbers_and_pictures_of_them(looked_at) -> None:
    trial, result = looked_at
    diary = [json.loads(line) for line in (trial / "diary.txt").read_text().splitlines()]
    told = {kimg: (values, drawn) for kimg, values, drawn in diary}
    for probe in result["followed"]:
        values, drawn = told[probe["kimg"]]
        assert {k: v for k, v in values.items() if k in probe["values"]} == probe["values"]
        assert drawn


def test_looking_changes_no_number_and_no_id(plain, looked_at) -> None:
    (trial, result), (other, looked) = plain, looked_at
    assert numbers(result) == numbers(looked)
    assert len(numbers(result)) > 6
    assert [p["values"] for p in result["probes"]] == [p["values"] for p in looked["probes"]]
    assert trial.name == other.name
    assert result["followed"] == []
    assert not (trial / "probes.jsonl").exists()


def test_page_draws_quality_against_images_and_time(looked_at) -> None:
    from ganbench.default_plugins.reporters.html import HTML

    directory = looked_at[0].parents[1]
    HTML().write(load_run(directory), directory)
    page = (directory / "report.html").read_text("utf-8")
    assert "Quality while training" in page
    assert page.count(" against images</b>") == page.count(" against time</b>") >= 2


def test_page_without_numbers_on_the_way_has_no_such_part(plain) -> None:
    from ganbench.default_plugins.reporters.html import HTML

    directory = plain[0].parents[1]
    HTML().write(load_run(directory), directory)
    assert "Quality while training" not in (directory / "report.html").read_text("utf-8")


def test_a_trial_that_goes_on_repeats_no_look(looked_at, tmp_path) -> None:
    run_of = load_run(looked_at[0].parents[1])
    (cell,) = run_of.plan.cells
    plugins = registry.load((), rehearse=False)
    parts = Parts.of(cell, plugins)

    def looks(folder: Path) -> Looks:
        unused: Any = None
        folder.mkdir(exist_ok=True)
        return Looks(cell, parts, unused, plugins, folder, unused, unused)

    fresh, resumed = looks(tmp_path / "fresh"), looks(tmp_path / "resumed")
    assert {300, 600, 900} <= set(fresh.moments)
    half = Seen(followed=[Probe(0.3, 1.0, {"modes": 2.0})], diversity=[(0.3, 0.5)])
    kept = json.loads(json.dumps(half.plain()))
    resumed.resume(kept, 350)
    assert resumed.moments == [images for images in fresh.moments if images > 350]
    assert resumed.seen.followed == half.followed
    assert windows.last_probe(tmp_path / "resumed" / "probes.jsonl") == half.followed[0]
    before = {"probes": [], "diversity": [], "errors": []}  # of a checkpoint of an older version
    fresh.resume(before, 0)
    assert fresh.seen == Seen()

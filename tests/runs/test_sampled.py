"""One training, judged by several samplers: a row for each, and `plain` as it is alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import methods, tiny

import ganbench
from ganbench.errors import ConfigError
from ganbench.gate.measurements import Measurements
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.registry.catalog import FIRST_RELEASE

KEEPS = '''\
from dataclasses import dataclass

import torch

from ganbench import Column, Metric, SamplingMethod, Unavailable, hookimpl


@dataclass(kw_only=True)
class Keeps(Metric):
    """Keeps the samples in a file."""

    name = "keeps"

    @property
    def columns(self):
        return (Column("kept", digits=0),)

    def compute(self, evaluation):
        torch.save(evaluation.fake.images, evaluation.directory / "fake.pt")
        return {"kept": float(len(evaluation.fake))}


@dataclass(kw_only=True)
class Breaks(SamplingMethod):
    """Raises."""

    name = "breaks"
    needs_discriminator = True
    kindly: bool = False

    def draw(self, model, labels, count, rng):
        if self.kindly:
            raise Unavailable("D accepts nothing")
        raise RuntimeError("out of ideas")


@dataclass(kw_only=True)
class Coded(SamplingMethod):
    """Latents whose codes are what InfoGAN's own network reads off D's features."""

    name = "coded"
    needs_discriminator = True
    needs_own = True

    def draw(self, model, labels, count, rng):
        z = model.prior(count, rng)
        read = model.own["infogan/q"](model.score(model.generate(z, labels), labels).features)
        return model.images(torch.cat([read, z[:, read.shape[1] :]], 1), labels)


@hookimpl
def register_metrics(register):
    register(Keeps)


@hookimpl
def register_samplers(register):
    register(Breaks)
    register(Coded)
'''
SAMPLERS = "{name: truncation, psi: 0.7}, ddls, plain, {name: rejection, burn_in: 300}, coded"
BROKEN = "breaks, {name: breaks, kindly: true}"
NAMES = (
    *("plain", "truncation", "ddls", "rejection", "coded"),
    *("breaks(kindly=false)", "breaks(kindly=true)"),
)
DDLS, INFOGAN = methods.FILES["ddls"], methods.package_file("infogan")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one training: `many` with all samplers, `alone` with none named."""
    here = tmp_path_factory.mktemp("sampled")
    (here / "keeps.py").write_text(KEEPS, "utf-8")
    text = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace(
        "metrics: [mode-coverage, fid, throughput]",
        "controls: [], metrics: [keeps, fid, throughput]",
    )
    file = tiny.write(here, text + "regularizers: [infogan]\n")
    plugins = [part for path in ("keeps.py", DDLS, INFOGAN) for part in ("--plugin", path)]
    asked = {
        "many": ("--set", f"evaluation.samplers=[{SAMPLERS}, {BROKEN}]"),
        "alone": (),
    }
    for out, options in asked.items():
        done = tiny.ganbench("run", file, *plugins, "--out", out, *options, cwd=here)
        assert done.returncode == (3 if out == "many" else 0), done.stderr
    return here


def outcomes(run: Path) -> list[TrialOutcome]:
    return list(ganbench.load_run(run).outcomes)


def numbers(outcome: TrialOutcome) -> dict[str, Any]:
    return {m.column.name: m for m in outcome.result.metrics}


def protocol(outcome: TrialOutcome, column: str) -> dict[str, Any]:
    return outcome.result.protocols[numbers(outcome)[column].protocol]


def test_plain_is_first_and_as_it_is_alone_to_the_bit(folder: Path) -> None:
    (alone,), many = outcomes(folder / "alone"), outcomes(folder / "many")
    plain = many[0]
    assert plain.trial.subject.id == alone.trial.subject.id
    for column in ("kept", "fid@pixels"):
        assert numbers(plain)[column] == numbers(alone)[column]  # value and protocol
    assert "sampler" not in protocol(plain, "fid@pixels")
    assert torch.equal(*(torch.load(o.pictures / "fake.pt") for o in (plain, alone)))
    written = [json.loads((o.directory / "result.json").read_text()) for o in (plain, alone)]
    assert list(written[0]["samplers"]) == list(NAMES[1:])
    assert "samplers" not in written[1]


def test_every_sampler_has_a_row_and_is_in_its_protocols(folder: Path) -> None:
    table = json.loads((folder / "many" / "table.json").read_text())
    assert table["axes"][-1] == "sampler"
    assert [row["axes"]["sampler"] for row in table["rows"]] == list(NAMES)
    assert [row["label"] for row in table["rows"]] == [
        f"bce/none/mlp/infogan/{name}" for name in NAMES
    ]
    truncation, rejection = outcomes(folder / "many")[1:4:2]
    found = protocol(truncation, "fid@pixels")["sampler"]
    ours = FIRST_RELEASE  # as ids count it, whatever the release
    assert found == {"name": "truncation", "options": {"psi": 0.7}, "source": ours}
    assert protocol(rejection, "kept")["sampler"]["options"]["burn_in"] == 300
    ids = {numbers(o)["fid@pixels"].protocol for o in outcomes(folder / "many")[:4]}
    assert len(ids) == 4
    assert table["rows"][0]["values"]["fid@pixels"]["mark"] in ("", "best")
    marks = [row["values"]["fid@pixels"]["mark"] for row in table["rows"]]
    assert marks.count("best") == 1  # rows differ in the sampler alone, and are rivals


def test_rows_are_of_one_training_in_one_folder(folder: Path) -> None:
    many = outcomes(folder / "many")
    assert len({o.directory for o in many}) == 1
    assert len({o.trial.subject.training_id for o in many}) == 1
    assert len({o.trial.subject.id for o in many}) == len(NAMES)
    speeds = [o.result.timings.samples_per_second for o in many]
    assert speeds[0] > speeds[3] > 0  # rejection makes more images than it keeps
    assert all(numbers(o)["train-images-per-s"].value for o in many[:4])
    assert (many[1].pictures / "samples.png").is_file()
    assert set(ganbench.load_run(folder / "many").frame()["sampler"]) == set(NAMES)


def test_a_sampler_that_fails_costs_its_own_row(folder: Path) -> None:
    broken, kind = outcomes(folder / "many")[5:]
    assert (
        numbers(broken)["fid@pixels"].reason
        == "sampler 'breaks(kindly=false)': RuntimeError: out of ideas"
    )
    assert numbers(kind)["kept"].reason == "sampler 'breaks(kindly=true)': D accepts nothing"
    assert len(broken.result.errors) == 1  # an Unavailable is none
    assert broken.result.timings.samples_per_second is None


def test_a_baseline_of_plain_goes_on(folder: Path) -> None:
    alone, many = (Measurements.of(Run.read(folder / run)) for run in ("alone", "many"))
    (id,) = alone.cells
    assert many.cells[id].series["fid@pixels"] == alone.cells[id].series["fid@pixels"]
    assert many.cells[id].settings == alone.cells[id].settings
    assert len(many.cells) == len(NAMES)


@pytest.mark.parametrize(
    ("number", "sampler"),
    [
        (0, "plain"),
        (1, "truncation"),
        (2, "ddls"),
        (3, {"name": "rejection", "burn_in": 300}),
        (3, "rejection(burn_in=300)"),
        (4, "coded"),
    ],
)
def test_the_saved_model_draws_what_the_trial_was_judged_by(
    folder: Path, number: int, sampler: Any
) -> None:
    outcome = outcomes(folder / "many")[number]
    plugins = [str(path) for path in (folder / "keeps.py", DDLS, INFOGAN)]
    model = ganbench.load_model(outcome.directory, plugins=plugins)
    samples = model.sample(200, seed=0, sampler=sampler)
    assert torch.equal(samples.images, torch.load(outcome.pictures / "fake.pt"))
    assert (samples.latents is None) == (number > 0)


def test_the_model_card_and_the_report_tell_of_samplers(folder: Path) -> None:
    outcome = outcomes(folder / "many")[0]
    card = (outcome.directory / "README.md").read_text("utf-8")
    assert "| sampler of the numbers below | `plain` |" in card
    done = tiny.ganbench("report", "many", "--out", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (folder / "page.html").read_text("utf-8")
    assert "truncation" in page
    assert "1 ok" in page  # trial, not rows


def test_wrong_samplers_of_a_saved_model_are_refused_with_a_sentence(folder: Path) -> None:
    model = ganbench.load_model(outcomes(folder / "alone")[0].directory)
    with pytest.raises(ConfigError, match=r"unknown sampler 'rejektion'; did you mean 'rejection'"):
        model.sample(2, sampler="rejektion")
    with pytest.raises(ConfigError, match=r"expected a sampler like truncation.psi=0.7., found"):
        model.sample(2, sampler="truncation(psi=")
    with pytest.raises(ConfigError, match="sampler 'truncation': a truncation of 1e-06 keeps 0"):
        model.sample(2, sampler={"name": "truncation", "psi": 1e-6})
    with pytest.raises(ConfigError, match="a truncation is a sampler of its own"):
        model.sample(2, truncation=0.5, sampler="rejection")


def test_sample_draws_by_a_sampler(folder: Path) -> None:
    outcome = outcomes(folder / "alone")[0]
    done = tiny.ganbench(
        *("sample", outcome.directory, "-n", 20, "--sampler", "rejection(burn_in=50)"),
        *("--out", "s.npz"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    import numpy as np

    with np.load(folder / "s.npz") as found:
        assert found["images"].shape == (20, 1, 1, 2)
        assert "latents" not in found


def test_more_samples_than_memory_takes_are_refused_before_training(tmp_path: Path) -> None:
    text = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace(
        "{name: ring,", "{name: mixture1200,"
    )
    text = text.replace("num_samples: 200,", "num_samples: 1000000000, controls: [],")
    done = tiny.ganbench("run", tiny.write(tmp_path, text), "--out", "run", cwd=tmp_path)
    assert done.returncode == 3
    (outcome,) = outcomes(tmp_path / "run")
    assert "evaluation.num_samples: 1,000,000,000 images of 3×20×20, 10 classes" in outcome.reason
    assert not (outcome.directory / "metrics.jsonl").exists()

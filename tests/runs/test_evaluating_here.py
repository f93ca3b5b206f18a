"""`ganbench.evaluate`: samples judged in this process, with the numbers of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers import outside as made
from helpers import tiny

import ganbench
from ganbench.cli import cli
from ganbench.errors import ConfigError, DataError, GanbenchError

METRICS = ("fid", "intra-fid")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    names = {"images": "images", "labels": "labels"}
    names |= {f"test_{key}": f"test_{value}" for key, value in names.items()}
    return {"name": "tensor", "path": str(made.write_data(tmp_path)), **names}


def numbers(found: ganbench.TrialResult) -> dict[str, tuple[float | None, str]]:
    return {one.column.name: (one.value, one.protocol) for one in found.metrics}


@pytest.mark.parametrize("kind", ["tensor", "array", "channels last", "fractions", "file"])
def test_values_and_protocols_are_those_of_the_command(kind, data, tmp_path):
    path = made.write_arrays(tmp_path / "a.npz")
    images, labels = made.images(60, 2, shift=20)
    told = {"labels": labels}
    samples: Any = {
        "tensor": torch.from_numpy(images)[:, None],
        "array": images,
        "channels last": images[..., None],
        "fractions": torch.from_numpy(images).float() / 127.5 - 1,
        "file": path,
    }[kind]
    if kind == "fractions":
        np.savez(path, images=samples.numpy(), labels=labels)
    before = {*tmp_path.iterdir()}
    found = ganbench.evaluate(samples, data, METRICS, **({} if kind == "file" else told))
    assert {*tmp_path.iterdir()} == before
    said = "\n".join(f"  {key}: {value}" for key, value in data.items())
    Path("data.yaml").write_text(f"dataset:\n{said}\n", "utf-8")
    asked = ("evaluate", path, "--data", "data.yaml", "--metrics", ",".join(METRICS))
    done = CliRunner().invoke(cli, [*map(str, asked), "--out", "out", "-q"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (own,) = (o for o in ganbench.load_run("out").outcomes if o.trial.subject.samples)
    assert numbers(found) == {  # of as many threads, to the bit
        name: (pytest.approx(value, rel=1e-12), protocol)
        for name, (value, protocol) in numbers(own.result).items()
    }
    assert found.protocols == own.result.protocols
    assert all(one.value is not None for one in found.metrics)
    assert not found.errors


def test_of_a_trained_model_the_data_is_its_own(data, tmp_path):
    text = tiny.INLINE.replace("[bce, lsgan]", "[bce]")
    file = tiny.write(tmp_path, text.replace("num_samples", "controls: [], num_samples"))
    done = CliRunner().invoke(cli, ["run", str(file), "--out", "run", "-q"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (outcome,) = ganbench.load_run("run").outcomes
    found = ganbench.evaluate(outcome.directory, metrics="mode-coverage,fid")
    own = numbers(outcome.result)
    for name, (value, _) in numbers(found).items():
        assert value == own[name][0]


def test_fewer_are_judged_and_missing_values_have_their_reason(data):
    images, labels = made.images(60, 2)
    found = ganbench.evaluate(images, data, ["fid", "mode-coverage"], labels=labels, count=40)
    fid, *others = found.metrics
    assert found.protocols[fid.protocol]["num_samples"] == 40
    assert all(one.value is None and "no judge of classes" in one.reason for one in others)


def test_what_the_caller_has_set_is_left_and_changes_nothing(data):
    images, labels = made.images(60, 2)
    before = numbers(ganbench.evaluate(images, data, METRICS, labels=labels))
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with torch.inference_mode():
        assert numbers(ganbench.evaluate(images, data, METRICS, labels=labels)) == before
        assert torch.is_inference_mode_enabled()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("samples", "more", "told"),
    [
        (np.zeros((9, 8, 8, 3), np.uint8) + 90, {}, r"samples: images of 3×8×8, and .* 1×8×8"),
        (np.full((9, 8, 8), -3.5, np.float32), {}, "samples: images: values go from -3.5"),
        (np.full((9, 8, 8), np.nan, np.float32), {}, "NaN or infinite"),
        (np.full((9, 8, 8), 200, np.uint8), {"count": 10}, "9 samples, and 10 are judged"),
        (np.full((9, 8, 8), object(), object), {}, "samples: expected a path, a tensor or"),
        ([{"a": 1}], {}, "expected a path, a tensor or an array of numbers, found list"),
        ("gone", {}, "gone: there is no such file or folder"),
        ("gone", {"data": None}, "gone: there is no such file or folder"),
        ("gone", {"data": 3}, "data: expected a data set's name, or a mapping .* found 3"),
        ("gone", {"labels": [1]}, "labels: of gone they are read from its folders or arrays"),
        ("gone", {"metrics": ["fd"]}, "unknown metric 'fd'"),
    ],
)
def test_what_cannot_be_judged_is_a_sentence(samples, more, told, data):
    with pytest.raises(GanbenchError, match=told) as error:
        ganbench.evaluate(samples, **{"data": data, "metrics": ["fid"], **more})
    assert isinstance(error.value, ConfigError | DataError)
    assert "ganbench-evaluate-" not in str(error.value)

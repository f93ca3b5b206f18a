"""Samples that were made elsewhere: read as they are, or refused with what differs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import outside as made
from PIL import Image

from ganbench.config.choices import DatasetChoice
from ganbench.config.workshop import Workshop
from ganbench.errors import DataError
from ganbench.records.cells import Reference, Spec
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.runs import outside
from ganbench.runs.outside import Reading


@pytest.fixture(scope="module")
def plugins() -> Registry:
    return registry.load()


@pytest.fixture
def real(plugins: Registry, tmp_path: Path) -> Spec:
    return spec(plugins, path=str(made.write_data(tmp_path)))


def spec(plugins: Registry, **options: Any) -> Spec:
    options = {"images": "images", "labels": "labels", "test_images": "test_images", **options}
    options.setdefault("test_labels", "test_labels")
    return Workshop(plugins).spec(DatasetChoice.model_validate({"name": "tensor", **options}))


def read(
    path: Path, data: Spec, plugins: Registry, count: int | None = None, **options: Any
) -> tuple[Any, Any]:
    """What `evaluate` notes of samples, and the images that a trial then judges."""
    reading = Reading(plugins)
    samples, number = outside.samples_at(path, options, data, count, reading)
    row = Reference("theirs", {}, None, data, number, (), samples)
    return samples, outside.images_of(row, plugins.build_spec(data), reading)


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.pt"])
def test_arrays_are_read_as_they_are(name, real, plugins, tmp_path):
    samples, found = read(made.write_arrays(tmp_path / name), real, plugins)
    images, labels = made.images(60, 2, shift=20)
    assert torch.equal(found.images[:, 0], torch.from_numpy(images))
    assert samples.told["read"]["range"] == [0, 255]
    if name == "a.npy":
        assert found.labels is None
    else:
        assert found.labels.tolist() == labels.tolist()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_read_as_they_are_and_folders_are_classes(mode, real, plugins, tmp_path):
    """torchvision saves grey images with three channels, all of them the same."""
    samples, found = read(made.write_folder(tmp_path / "a", mode=mode), real, plugins)
    images, labels = made.images(60, 2, shift=20)
    order = np.argsort(labels, kind="stable")
    assert torch.equal(found.images[:, 0], torch.from_numpy(images[order]))
    assert found.labels.tolist() == sorted(labels.tolist())
    assert samples.told["files"] == [".png"]


def test_fractions_are_rounded_and_their_range_is_told(real, plugins, tmp_path):
    images, _ = made.images(60, 2)
    np.save(tmp_path / "a.npy", (images / 127.5 - 1).astype(np.float32))
    samples, found = read(tmp_path / "a.npy", real, plugins)
    assert torch.equal(found.images[:, 0], torch.from_numpy(images))
    assert samples.told["read"]["range"] == [-1, 1]


def test_classes_are_told_by_name_or_by_number(plugins, tmp_path):
    images, labels = made.images(60, 0)
    words = np.array(["ant", "bee", "cat"])[labels]
    np.savez(tmp_path / "words.npz", images=images, labels=words)
    data = spec(plugins, path=str(tmp_path / "words.npz"), test_images=None, test_labels=None)
    for name, theirs in (("names", ["cat", "ant"]), ("numbers", ["2", "0"])):
        for label, folder in zip((2, 0), theirs, strict=True):
            (tmp_path / name / folder).mkdir(parents=True)
            for i in range(3):
                Image.fromarray(images[labels == label][i]).save(
                    tmp_path / name / folder / f"{i}.png"
                )
        _, found = read(tmp_path / name, data, plugins)
        assert sorted(found.labels.tolist()) == [0, 0, 0, 2, 2, 2]
        assert (found.images[found.labels == 2][0, 0].numpy() == images[labels == 2][0]).all()
    (tmp_path / "numbers" / "2").rename(tmp_path / "numbers" / "dog")
    with pytest.raises(DataError, match="'dog' is no class of data set 'tensor'"):
        read(tmp_path / "numbers", data, plugins)
    _, found = read(tmp_path / "numbers", data, plugins, labels="none")
    assert found.labels is None


def test_fewer_are_always_the_same_ones_and_of_all_classes(real, plugins, tmp_path):
    path = made.write_folder(tmp_path / "a")
    samples, found = read(path, real, plugins, 30)
    _, again = read(path, real, plugins, 30)
    assert torch.equal(found.images, again.images)
    assert samples.told["of"] == 60
    assert found.labels.bincount().min() >= 4


def test_samples_that_change_meanwhile_are_refused(real, plugins, tmp_path):
    path, reading = made.write_arrays(tmp_path / "a.npz"), Reading(plugins)
    samples, count = outside.samples_at(path, {}, real, None, reading)
    row = Reference("theirs", {}, None, real, count, (), samples)
    made.write_arrays(path, seed=3)
    with pytest.raises(DataError, match="not those that the run began with"):
        outside.images_of(row, plugins.build_spec(real), reading)


def of_size(tmp_path: Path, *shape: int, dtype: type = np.uint8) -> Path:
    path = tmp_path / "odd.npy"
    source = np.random.default_rng(0)
    np.save(path, source.integers(0, 255, shape).astype(dtype))
    return path


def test_other_shapes_are_refused_with_both(real, plugins, tmp_path):
    for shape, told in (((20, 9, 9), "1×9×9"), ((20, 8, 8, 3), "3×8×8")):
        with pytest.raises(DataError, match=rf"images of {told}, and .* 1×8×8"):
            read(of_size(tmp_path, *shape), real, plugins)
    _, found = read(of_size(tmp_path, 20, 9, 9), real, plugins, resolution=8)
    assert found.images.shape == (20, 1, 8, 8)


def test_pictures_of_another_size_or_in_colour_are_refused(real, plugins, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    for i in range(3):
        Image.new("L", (9, 8), 10 * i).save(folder / f"{i}.png")
    with pytest.raises(DataError, match=r"0\.png: 9×8, and images of data set 'tensor' are 8×8"):
        read(folder, real, plugins)
    samples, _ = read(folder, real, plugins, resolution=8)
    assert samples.told["read"]["resolution"] == 8
    for i in range(3):
        Image.new("RGB", (8, 8), (10 * i, 90, 200)).save(folder / f"{i}.png")
    with pytest.raises(DataError, match="a coloured picture, and data set 'tensor' is grey"):
        read(folder, real, plugins)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full((9, 8, 8), 3.5, np.float32), "values go from 3.5 to 3.5"),
        (np.full((9, 8, 8), np.nan, np.float32), "NaN or infinite"),
        (np.full((1, 8, 8), 200, np.uint8), "one sample"),
    ],
)
def test_values_that_are_no_images_are_a_sentence(values, told, real, plugins, tmp_path):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError, match=told):
        read(tmp_path / "a.npy", real, plugins, **({"range": [0, 1]} if "go" in told else {}))


class Bomb:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pt"])
def test_pickles_are_never_run(name, real, plugins, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.full((9, 8, 8), Bomb(), dtype=object)
    if name == "a.npy":
        np.save(tmp_path / name, objects, allow_pickle=True)
    elif name == "a.npz":
        np.savez(tmp_path / name, images=objects)
    else:
        torch.save({"images": Bomb()}, tmp_path / name)
    with pytest.raises(DataError, match=r"could run code|images object\["):
        read(tmp_path / name, real, plugins)
    assert not Path("ran").exists()
    with pytest.raises((DataError, pickle.UnpicklingError)):
        read(tmp_path / name, real, plugins)


def test_what_is_not_there_and_too_few_are_sentences(real, plugins, tmp_path):
    with pytest.raises(DataError, match="there is no such file or folder; samples are"):
        read(tmp_path / "gone", real, plugins)
    path = made.write_arrays(tmp_path / "a.npz")
    with pytest.raises(DataError, match="60 samples, and 61 are judged"):
        read(path, real, plugins, 61)
    with pytest.raises(DataError, match="expected two samples or more, found 1"):
        read(path, real, plugins, 1)


def test_points_are_refused(plugins, tmp_path):
    ring = Workshop(plugins).spec(DatasetChoice(name="ring"))
    with pytest.raises(DataError, match="is of points"):
        read(made.write_arrays(tmp_path / "a.npz"), ring, plugins)

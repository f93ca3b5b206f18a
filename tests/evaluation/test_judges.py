"""Judges of one's own classes: how they are trained, checked, described and kept."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from ganbench import DataError, Dataset, DatasetStatus, ImageSpec, LabeledImages
from ganbench.cli.commands.judge import train
from ganbench.errors import ConfigError
from ganbench.evaluation.judges import choice, judge, training
from ganbench.evaluation.judges.judge import Judge
from ganbench.evaluation.loading import load
from ganbench.records.cells import JudgeChoice
from ganbench.records.judges import sentences, weakness
from ganbench.records.results import TrialResult


class Bars(Dataset):
    """Noise with a bright bar, at a place for each class; told apart by anyone."""

    name = "bars"

    def __init__(self, counts=(60, 60, 60), names=("a", "b", "c"), test=True, side=12, noise=90):
        self.counts, self.names, self.side, self.noise = counts, names, side, noise
        self.splits = ("train", "test") if test else ("train",)

    def image_spec(self):
        return ImageSpec(1, self.side, len(self.names))

    def class_names(self):
        return self.names

    def load(self, split, root):
        generator = torch.Generator().manual_seed(int(split == "test"))
        labels = torch.cat([torch.full((n,), i) for i, n in enumerate(self.counts)])
        shape = (len(labels), 1, self.side, self.side)
        images = torch.randint(0, self.noise, shape, generator=generator).byte()
        for row, label in enumerate(labels.tolist()):
            images[row, :, :, 4 * label : 4 * label + 2] = 200
        return LabeledImages(images, labels if self.names else None)

    def status(self, root):
        return DatasetStatus("shelf", True, None)


@pytest.fixture(scope="module")
def bars() -> tuple[Dataset, LabeledImages]:
    dataset = Bars()
    return dataset, load(dataset, "train", Path())


@pytest.fixture(scope="module")
def trained(bars) -> Judge:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "LEAST_STEPS", 60)
        return training.train(*bars, Path())


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(training, "LEAST_STEPS", 3)
    monkeypatch.setattr(training, "EPOCHS", 1)
    monkeypatch.setattr(training, "BATCH", 16)


def test_what_anyone_tells_apart_it_tells_apart(trained, bars):
    card = trained.card
    assert card.accuracy > 0.95
    assert card.checked_on == "180 test images"
    assert [one.name for one in card.classes] == ["a", "b", "c"]
    assert sum(map(sum, card.confusion)) == 180
    diagonal = sum(row[i] for i, row in enumerate(card.confusion))
    assert card.accuracy == diagonal / 180
    assert card.low < card.accuracy <= card.high
    function = trained.load(bars[0].image_spec(), Path())
    found = function(bars[1].images[:70])
    assert torch.allclose(found.probabilities.sum(1), torch.ones(70))
    assert found.embedding.shape == (70, 256)
    assert (found.probabilities.argmax(1) == bars[1].labels[:70]).double().mean() > 0.9


def test_a_seed_gives_the_same_one_and_leaves_others_streams_alone(bars, few_steps):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    once = training.train(*bars, Path())
    assert torch.equal(torch.rand(3), expected)
    again, other = training.train(*bars, Path()), training.train(*bars, Path(), seed=1)
    assert once.card.weights_sha256 == again.card.weights_sha256 != other.card.weights_sha256


def test_images_it_is_stopped_and_checked_by_are_not_those_it_learnt_from():
    labels = torch.arange(300) % 3
    split = training._split(labels, has_test=False)
    parts = [set(part.tolist()) for part in (split.learnt, split.held, split.checked)]
    assert [len(part) for part in parts] == [210, 30, 60]
    assert not parts[0] & parts[1]
    assert not parts[2] & (parts[0] | parts[1])
    assert [labels[rows].bincount().tolist() for rows in (split.held, split.checked)] == [
        [10, 10, 10],
        [20, 20, 20],
    ]
    assert len(training._split(labels, has_test=True).checked) == 0


def test_images_are_moved_each_by_itself_and_not_mirrored_unless_that_is_harmless():
    images = torch.zeros(200, 1, 28, 28)
    images[:, :, 14, 7] = 1
    torch.manual_seed(0)
    places = training._moved(images, mirrored=False).flatten(1).argmax(1)
    rows, columns = places // 28, places % 28
    assert {*rows.tolist()} == {13, 14, 15}
    assert {*columns.tolist()} == {6, 7, 8}
    mirrored = training._moved(images, mirrored=True).flatten(1).argmax(1) % 28
    assert 0.35 < (mirrored > 14).double().mean() < 0.65


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(9, 10, 0.5958, 0.9821), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_wilsons(hits, total, low, high):
    assert training._share(hits, total)[1:] == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        (Bars(counts=(30,), names=("a",)), "all images are of one class"),
        (Bars(counts=(60, 9, 60)), "class 'b' has 9 images; a judge needs 10 of each class"),
        (Bars(counts=(60,), names=()), "it has no labels, and a judge learns classes from them"),
        (Bars(side=4, counts=(60, 0, 0)), "a judge sees 8×8 and more"),
    ],
)
def test_what_no_judge_can_learn_from_is_a_sentence(dataset, told):
    data = dataset.load("train", Path())
    with pytest.raises(DataError, match=told):
        training.train(dataset, data, Path())


def test_without_a_test_set_it_is_checked_on_images_held_out(few_steps):
    dataset = Bars(test=False)
    card = training.train(dataset, dataset.load("train", Path()), Path()).card
    assert card.checked_on == "36 held-out images"
    assert sum(one.images for one in card.classes) == 36


def test_a_folder_holds_it_and_what_people_read(trained, tmp_path):
    judge.write(tmp_path / "judge", trained)
    found = judge.read(tmp_path / "judge")
    assert found.card == trained.card
    assert found.fingerprint() == trained.fingerprint()
    card = (tmp_path / "judge" / "README.md").read_text()
    assert f"{trained.card.accuracy:.2%}" in card
    assert "| b | 60 |" in card
    assert trained.card.data["sha256"] in card


def test_one_that_finds_no_room_is_kept_in_the_cache(trained, tmp_path, monkeypatch):
    """A disk that filled up while it was trained, which is stood in for."""
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    write_bytes = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.is_relative_to(tmp_path / "full"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"full: cannot be written: No space left.* is in (.*)$"):
        train._write(tmp_path / "full", trained)
    (kept,) = (tmp_path / "cache/kept").iterdir()
    assert judge.read(kept).card == trained.card


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: (path / "judge.json").unlink(), "no judge in it"),
        (lambda path: (path / "judge.safetensors").write_bytes(b"x"), "not the weights that"),
        (lambda path: change(path, seconds=-1.0), "its SHA-256 is another"),
        (lambda path: (path / "judge.json").write_text("{}"), "of another program"),
    ],
)
def test_a_damaged_folder_is_a_sentence(trained, tmp_path, change, told):
    judge.write(tmp_path, trained)
    change(tmp_path)
    with pytest.raises(DataError, match=told):
        judge.read(tmp_path)


def change(path: Path, **values: Any) -> None:
    found = json.loads((path / "judge.json").read_text())
    (path / "judge.json").write_text(json.dumps({**found, **values}))


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        (Bars(side=16), "the judge sees images of 1×12×12"),
        (Bars(names=("a", "b"), counts=(9, 9)), "tells 3 classes apart, and there are 2 classes"),
        (Bars(names=("a", "c", "b")), "has class 'b' where the data set has 'c'"),
    ],
)
def test_a_judge_of_others_is_refused(trained, tmp_path, dataset, told):
    judge.write(tmp_path, trained)
    assert choice.planned(str(tmp_path), Bars()).sha256 == trained.card.weights_sha256
    with pytest.raises(ConfigError, match=told):
        choice.planned(str(tmp_path), dataset)


def test_another_judge_than_was_planned_is_refused(trained, bars, tmp_path):
    judge.write(tmp_path, trained)
    asked = choice.planned(str(tmp_path), bars[0])
    assert choice.found(asked, bars[0], Path()).fingerprint() == trained.fingerprint()
    with pytest.raises(DataError, match="not the one that the run was planned with"):
        choice.found(JudgeChoice(sha256="0", path=str(tmp_path)), bars[0], Path())


def test_auto_trains_once_and_keeps_it(bars, tmp_path, monkeypatch, few_steps):
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path))
    asked = choice.planned("auto", bars[0])
    once = choice.found(asked, bars[0], Path(), bars[1])
    monkeypatch.setattr(training, "train", None)
    assert choice.found(asked, bars[0], Path()).fingerprint() == once.fingerprint()


def test_auto_is_the_data_sets_own_where_it_has_one(bars):
    dataset = Bars()
    dataset.judge = "mnist-cnn-v1"
    assert choice.planned("auto", dataset) is None
    with pytest.raises(ConfigError, match="has no labels, and a judge tells"):
        choice.planned("auto", Bars(names=()))


def test_a_weak_judge_is_used_with_a_note():
    assert weakness(0.9, "a", 0.7) == ""
    assert weakness(0.899, "a", 0.7) == "it judges 89.9% of real images right, less than 90%"
    assert "it judges 69.0% of class 'a' right" in weakness(0.95, "a", 0.69)

    def protocol(accuracy: float) -> dict[str, Any]:
        worst = {"class": "b", "accuracy": 0.8}
        about = {"weights": {"sha256": "abcdefgh1"}, "checked_on": "9 test images"}
        return {"extractors": {"judge": {**about, "accuracy": accuracy, "worst": worst}}}

    good, weak = (
        list(sentences([TrialResult(protocols={"1": protocol(a)}, seconds={"judge": 12.3})]))
        for a in (0.95, 0.5)
    )
    assert good == [
        "Classes are told by judge abcdefgh, which judges 95.00% of 9 test images right, made "
        "ready in 12 s."
    ]
    assert "numbers of classes are of its mistakes, too" in weak[0]
    assert list(sentences([TrialResult(protocols={"1": {"extractors": None}})])) == []

"""Labels that were made wrong on purpose are what the small judge doubts first."""

from __future__ import annotations

import pytest
import torch

from ganbench import DataError, LabeledImages
from ganbench.evaluation import small_judge


def planted(count: int = 90, classes: int = 3, side: int = 8, wrong: int = 6):
    """Noise with a bright bar, at a place for each class; every fifteenth label is the next one."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 100, (count, 1, side, side), generator=generator).byte()
    right = torch.arange(count) % classes
    for i, label in enumerate(right.tolist()):
        images[i, :, 2 * label] = 255
    rows = torch.arange(wrong) * (count // wrong)
    labels = right.clone()
    labels[rows] = (labels[rows] + 1) % classes
    return LabeledImages(images, labels), right, set(rows.tolist())


def test_planted_labels_come_first_with_what_they_should_be():
    data, right, wrong = planted()
    doubts = small_judge.doubts(data, 3, 10)
    found = doubts.suspects
    assert {one.row for one in found[:6]} == wrong
    assert all(one.judged == right[one.row] != one.given for one in found[:6])
    assert [one.probability for one in found] == sorted(one.probability for one in found)
    assert found[5].probability < 0.5
    assert 0.8 < doubts.agreement <= 1 - 6 / 90
    assert doubts.guessing == data.labels.bincount().max() / 90
    assert not doubts.weak


def test_a_seed_gives_the_same_and_leaves_others_streams_alone(monkeypatch):
    monkeypatch.setattr(small_judge, "LEAST_STEPS", 5)
    monkeypatch.setattr(small_judge, "EPOCHS", 1)
    data, _, _ = planted(30, 2, 4, 3)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    once = small_judge.cross_validated(data.images, data.labels, 2, seed=1)
    assert torch.equal(torch.rand(3), expected)
    again = small_judge.cross_validated(data.images, data.labels, 2, seed=1)
    other = small_judge.cross_validated(data.images, data.labels, 2, seed=2)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert torch.allclose(once.sum(1), torch.ones(30))


def test_judges_have_not_seen_what_they_judge(monkeypatch):
    seen: list[set[int]] = []
    judged: list[int] = []

    def trained(images, labels, classes, seed, rows, what):
        seen.append(set(rows.tolist()))

        def judge(these):
            rows = [int(image.flatten()[0]) for image in these]
            assert not seen[-1] & set(rows)
            judged.extend(rows)
            return torch.ones(len(these), classes) / classes

        return judge

    monkeypatch.setattr(small_judge, "trained", trained)
    images = torch.arange(20).byte().view(20, 1, 1, 1)
    small_judge.cross_validated(images, torch.arange(20) % 2, 2, seed=0)
    assert sorted(judged) == list(range(20))
    assert sorted(map(len, seen)) == [13, 13, 14]


def test_a_judge_that_guesses_is_weak(monkeypatch):
    def guess(images, labels, classes, seed):
        return torch.tensor([0.6, 0.4]).expand(len(labels), 2)

    monkeypatch.setattr(small_judge, "cross_validated", guess)
    labels = torch.tensor([0] * 6 + [1] * 4)
    doubts = small_judge.doubts(LabeledImages(torch.zeros(10, 1, 4, 4), labels), 2, 5)
    assert (doubts.agreement, doubts.guessing, doubts.weak) == (0.6, 0.6, True)
    assert [one.row for one in doubts.suspects] == [6, 7, 8, 9, 0]


@pytest.mark.parametrize("images", [torch.zeros(9, 3, 100, 100), torch.zeros(9, 5, 1, 1)])
def test_images_of_any_size_and_type_are_judged(images, monkeypatch):
    monkeypatch.setattr(small_judge, "LEAST_STEPS", 2)
    monkeypatch.setattr(small_judge, "EPOCHS", 1)
    for given in (images, images.byte()):
        found = small_judge.cross_validated(given, torch.arange(9) % 3, 3, seed=0)
        assert found.shape == (9, 3)
        assert found.isfinite().all()


@pytest.mark.parametrize(
    ("labels", "classes", "why"),
    [
        ([0] * 9, 1, "all images are of one class"),
        ([1] * 9, 2, "all images are of one class"),
        ([0, 1, 0, 1, 0], 2, "5 images are too few to judge; give 6 or more"),
    ],
)
def test_what_cannot_be_judged_says_why(labels, classes, why):
    data = LabeledImages(torch.zeros(len(labels), 1, 4, 4), torch.tensor(labels))
    with pytest.raises(DataError, match=why):
        small_judge.doubts(data, classes, 3)

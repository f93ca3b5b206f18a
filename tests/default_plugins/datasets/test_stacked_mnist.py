"""Stacked MNIST: what its images are made of, what its judge makes of them, and how many modes."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ganbench import DataError, ImageSpec, LabeledImages
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.datasets.stacked_mnist import StackedMNIST, StackedMnistCNNv1
from ganbench.default_plugins.features.builtin import SHA256, MnistCNNv1
from ganbench.default_plugins.metrics.coverage import DEFINITIONS, ModeCoverage
from ganbench.errors import ConfigError
from ganbench.evaluation.evaluate import evaluate
from ganbench.evaluation.real_data import digest
from ganbench.testing import parametrize_with_checks

SMALL = StackedMNIST(train_size=20_000, test_size=300)
STACKED = ImageSpec(3, 28, 1000)


@parametrize_with_checks(SMALL, StackedMNIST(train_size=20_000, test_size=1, source="train+test"))
def test_data_set_conforms(check):
    check()


@parametrize_with_checks(StackedMnistCNNv1)
def test_judge_conforms(check):
    check()


@pytest.fixture(scope="module")
def small(mnist_root) -> LabeledImages:
    return SMALL.load("test", mnist_root)


@pytest.fixture(scope="module")
def judge(mnist_root):
    return StackedMnistCNNv1().load(STACKED, mnist_root)


@pytest.fixture(scope="module")
def read(mnist_root, mnist_test) -> torch.Tensor:
    """The digit that the judge sees in each of the 10,000 test images."""
    of_digits = MnistCNNv1().load(ImageSpec(1, 28, 10), mnist_root)
    return torch.cat([of_digits(b).probabilities.argmax(1) for b in mnist_test.images.split(500)])


@pytest.fixture(scope="module")
def judged_test(read) -> torch.Tensor:
    """The class that the judge sees in each of the 26,000 images of the test split."""
    return read[StackedMNIST().triples("test", 10_000)] @ torch.tensor([100, 10, 1])


def test_label_is_hundreds_tens_and_ones(mnist_root, mnist_test, small):
    triples = SMALL.triples("test", 10_000)
    assert small.images.shape == (300, 3, 28, 28)
    assert (small.images.dtype, small.labels.dtype) == (torch.uint8, torch.int64)
    for channel, weight in enumerate((100, 10, 1)):
        chosen = triples[:, channel]
        assert torch.equal(small.images[:, channel], mnist_test.images[chosen, 0])
        assert torch.equal(small.labels // weight % 10, mnist_test.labels[chosen])


def test_same_sizes_give_the_same_images(mnist_root, small):
    again = StackedMNIST(train_size=5, test_size=300).load("test", mnist_root)
    assert digest(again) == digest(small)
    assert digest(again).startswith("d5806cd94245558b")


@pytest.mark.parametrize(
    ("source", "digits", "start"),
    [("train", 60_000, "ef016710c138d519"), ("train+test", 70_000, "9106e03879fa5ffb")],
)
def test_training_set_is_of_the_digits_that_were_asked_for(mnist_root, source, digits, start):
    data = StackedMNIST(train_size=2000, source=source)
    assert len(data.digits("train", mnist_root)) == digits
    assert len(data.digits("test", mnist_root)) == 10_000
    assert data.triples("train", digits).max() >= digits - 100
    assert digest(data.load("train", mnist_root)).startswith(start)


def test_training_set_has_every_class_about_as_often_as_its_digits(mnist_train):
    labels = mnist_train.labels[StackedMNIST().triples("train", 60_000)]  # (N, 3)
    assert labels.shape == (128_000, 3)
    counts = (labels @ torch.tensor([100, 10, 1])).bincount(minlength=1000).double()
    assert counts.min() > 60
    digits = mnist_train.labels.bincount().double() / 60_000
    expected = 128_000 * torch.einsum("a,b,c->abc", digits, digits, digits).flatten()
    z = (counts - expected) / expected.sqrt()
    assert z.square().mean().item() == pytest.approx(1, abs=5 * math.sqrt(2 / 1000))
    assert z.abs().max() < 5


@pytest.mark.slow
def test_whole_training_set(mnist_root):
    data = StackedMNIST().load("train", mnist_root)
    assert data.images.shape == (128_000, 3, 28, 28)
    assert digest(data).startswith("ace19c32f94cabfa")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"train_size": 0}, "train_size must be positive, found 0"),
        ({"test_size": -1}, "test_size must be positive, found -1"),
        ({"source": "test"}, "source"),
        ({"size": 3}, "has no option 'size'"),
    ],
)
def test_bad_options_are_refused(plugins, options, why):
    with pytest.raises(ConfigError, match=f"stacked-mnist.*{why}"):
        plugins.build("dataset", "stacked-mnist", options)


def test_status_is_that_of_mnist(mnist_root, tmp_path):
    status = StackedMNIST().status(mnist_root)
    assert (status.present, status.verified, status.note) == (True, True, "stacked on use")
    fresh = StackedMNIST().status(tmp_path)
    assert fresh.note == "carried in the package, unpacked on use; stacked on use"
    own = StackedMNIST(root=str(tmp_path / "nothing"))
    assert own.status(tmp_path) == MNIST(root=str(tmp_path / "nothing")).status(tmp_path)
    assert not own.status(tmp_path).present
    with pytest.raises(DataError, match=r"nothing/MNIST/raw/train-images"):
        own.load("train", tmp_path)


def test_judge_sees_each_channel_by_itself(mnist_root, judge, small):
    of_digits = MnistCNNv1().load(ImageSpec(1, 28, 10), mnist_root)
    images = small.images[:20]
    found = judge(images)
    assert found.embedding.shape == (20, 288)
    assert found.probabilities.shape == (20, 1000)
    seen = [of_digits(images[:, c : c + 1]) for c in range(3)]
    apart = torch.cat([features.embedding for features in seen], 1)
    torch.testing.assert_close(found.embedding, apart, atol=1e-5, rtol=1e-5)
    cube = found.probabilities.view(20, 10, 10, 10)
    for channel, others in enumerate([(2, 3), (1, 3), (1, 2)]):
        alone = seen[channel].probabilities
        torch.testing.assert_close(cube.sum(others), alone, atol=1e-5, rtol=1e-4)
    best = torch.stack([features.probabilities.argmax(1) for features in seen], 1)
    assert torch.equal(found.probabilities.argmax(1), best @ torch.tensor([100, 10, 1]))


def test_judge_is_as_right_as_its_protocol_says(judge, small, judged_test, mnist_test):
    stated = StackedMnistCNNv1().protocol()
    assert stated["judge_accuracy"] == pytest.approx(0.9949**3, abs=5e-5)
    assert "cube of 0.9949" in stated["judge_accuracy_is"]
    truth = mnist_test.labels[StackedMNIST().triples("test", 10_000)] @ torch.tensor([100, 10, 1])
    accuracy = (judged_test == truth).double().mean().item()
    assert accuracy == pytest.approx(stated["judge_accuracy"], abs=0.003)
    first = judge(small.images).probabilities.argmax(1)
    assert torch.equal(first, judged_test[:300])  # the first rows do not depend on the size


def test_judge_is_known_by_the_weights_of_the_digits_judge():
    assert SHA256 in StackedMnistCNNv1().fingerprint()
    assert StackedMnistCNNv1().fingerprint() != MnistCNNv1().fingerprint()


@pytest.mark.parametrize("image", [ImageSpec(1, 28, 10), ImageSpec(3, 32)], ids=str)
def test_judge_sees_triples_only(image):
    assert StackedMnistCNNv1().unsupported(STACKED) is None
    why = StackedMnistCNNv1().unsupported(image)
    assert why == f"it sees images of 3×28×28, and these are {image}"


def seen(classes: torch.Tensor, dataset: StackedMNIST) -> SimpleNamespace:
    return SimpleNamespace(dataset=dataset, fake=classes, classes=lambda: classes)


def counted(name: str, classes: torch.Tensor) -> dict[str, float]:
    """The columns of a definition, without its name."""
    data = StackedMNIST(**DEFINITIONS[name].options)
    found = ModeCoverage(definition=name).compute(seen(classes, data))
    return {column.removesuffix(f"[{name}]"): value for column, value in found.items()}


def test_real_triples_reach_every_mode(judged_test):
    """KL 0.0235 with true labels and about 0.0246 with a judge; the floor alone is 0.0192."""
    found = counted("stacked-mnist/veegan-26k", judged_test)
    assert set(found) == {"modes", "modes-20pct", "reverse-kl", "reverse-kl-floor"}
    assert found["modes"] == 1000
    assert found["modes-20pct"] >= 998
    assert found["reverse-kl"] == pytest.approx(0.0235, abs=0.003)
    assert found["reverse-kl-floor"] == pytest.approx(999 / 52_000, rel=1e-12)


def test_real_triples_reach_every_mode_of_the_unrolled_setting(judged_test):
    found = counted("stacked-mnist/unrolled-25.6k", judged_test)
    assert found["modes"] == 1000
    assert found["reverse-kl"] == pytest.approx(0.0238, abs=0.003)
    assert found["reverse-kl-floor"] == pytest.approx(999 / 51_200, rel=1e-12)


def test_real_triples_through_the_whole_evaluation(judged, mnist_root, small, judged_test):
    """Of the first 2000 of the test split, as its 78,000 digits take a while."""
    data = StackedMNIST(source="train+test", test_size=2000)
    evaluation = judged(data, small, data.load("test", mnist_root))
    found = ModeCoverage().compute(evaluation)
    first = judged_test[:2000]
    assert torch.equal(evaluation.classes(), first)
    assert found["modes"] == len(first.unique())


def test_floor_is_the_mean_of_uniform_samples():
    modes, count, repeats = 1000, 26_000, 20
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randint(modes, (count,), generator=generator) for _ in range(repeats)]
    found = [counted("stacked-mnist/veegan-26k", classes) for classes in drawn]
    mean = sum(values["reverse-kl"] for values in found) / repeats
    # The sum is half a chi-square of 999 over 26,000: its standard error is 0.0002.
    assert mean == pytest.approx(found[0]["reverse-kl-floor"], rel=0.04)
    assert all(values["modes"] == 1000 for values in found)


def test_only_the_first_samples_count():
    first = torch.zeros(25_600, dtype=torch.int64)
    found = counted("stacked-mnist/unrolled-25.6k", torch.cat([first, torch.arange(1000)]))
    assert found["modes"] == 1
    assert found["reverse-kl"] == pytest.approx(math.log(1000), abs=1e-12)


def test_one_stray_sample_reaches_a_mode_and_holds_none():
    classes = torch.cat([torch.zeros(25_599, dtype=torch.int64), torch.tensor([7])])
    found = counted("stacked-mnist/unrolled-25.6k", classes)
    assert (found["modes"], found["modes-20pct"]) == (2, 1)


def test_definition_names_its_judge_in_the_protocol(judged, small):
    name = "stacked-mnist/unrolled-25.6k"
    repeated = LabeledImages(small.images[:1].expand(25_600, -1, -1, -1), None)
    evaluation = judged(StackedMNIST(), small, repeated)
    evaluation._features["stacked-mnist-cnn-v1"] = SimpleNamespace(  # 76,800 digits take a while
        probabilities=torch.eye(1000)[:1].expand(25_600, -1)
    )
    values, protocols, *_ = evaluate([ModeCoverage(definition=name)], evaluation)
    (protocol,) = protocols.values()
    assert protocol["extractors"]["stacked-mnist-cnn-v1"]["judge_accuracy"] == 0.9848
    assert protocol["definition"]["name"] == name
    assert protocol["definition"]["num_samples"] == 25_600
    assert values[0].column.name == f"modes[{name}]"
    assert values[0].value == 1

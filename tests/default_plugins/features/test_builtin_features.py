"""The shipped judge is the one its card describes, and refuses to be another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files

import pytest
import torch
from helpers import mutants

from ganbench import DataError, Features, ImageSpec, Unavailable
from ganbench.default_plugins.features import builtin as features
from ganbench.default_plugins.features.builtin import SHA256, MnistCNNv1, Pixels
from ganbench.default_plugins.features.mnist_cnn import MnistCNN
from ganbench.testing.rules.feature_extractors import SPECS

DIGITS = ImageSpec(1, 28, 10)
SOME = [0, 7, 19, 42, 63, 95]  # of the 96 features
FEATURES = [  # of the first 16 test images
    [0.092661, 0.373075, 1.454967, 1.334834, 0.052523, 0.102529],
    [1.336155, 0.274709, 0.146997, 1.412310, 1.357351, 0.481436],
    [0.284860, 1.162303, 0.665295, 0.083934, 0.135833, 0.155079],
    [1.599168, 1.230336, 0.077028, 0.932621, 0.296793, 1.154589],
    [1.048956, 0.450489, 1.600015, 0.285279, 0.778495, 0.580765],
    [0.267386, 1.367694, 0.905289, 0.105339, 0.075105, 0.114355],
    [0.938600, 0.441470, 1.752302, 0.335300, 0.496746, 0.206794],
    [0.364464, 0.211137, 0.973304, 0.686556, 0.063922, 0.097592],
    [0.670307, 0.655766, 0.155684, 1.046452, 0.494973, 0.689053],
    [0.111069, 0.442322, 1.641397, 0.953121, 0.063762, 0.120455],
    [1.745353, 1.497973, 0.119844, 1.484836, 0.152382, 1.305499],
    [1.782576, 1.731114, 0.086636, 0.859227, 1.933650, 0.598886],
    [0.148371, 0.505237, 2.044971, 0.913488, 0.040544, 0.020128],
    [1.430995, 1.566281, 0.209667, 1.175636, 0.129482, 1.105023],
    [0.195139, 0.582591, 0.486341, 0.056787, 0.435937, 0.847384],
    [0.118497, 0.536581, 0.011159, 0.461756, 0.471641, 1.911719],
]
NORMS = [  # over all 96
    *(7.83212, 8.83362, 7.48466, 8.87534, 9.20373, 8.22311, 10.3876, 6.7998),
    *(8.53882, 8.97602, 9.66267, 10.97553, 8.78514, 9.84723, 7.25231, 9.50396),
]


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return MnistCNNv1().load(DIGITS, tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def predicted(judge, mnist_test):
    """Of the whole test set."""
    batches = [judge(batch).probabilities for batch in mnist_test.images.split(500)]
    return torch.cat(batches)


def test_shipped_weights_are_the_ones_named():
    content = (
        files("ganbench.default_plugins.data") / "mnist_cnn_v1" / "weights.safetensors"
    ).read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256 == MnistCNNv1.card()["sha256"]


def test_card_agrees_with_the_network():
    parameters = sum(p.numel() for p in MnistCNN().parameters())
    assert MnistCNNv1.card()["num_parameters"] == parameters
    assert MnistCNNv1.card()["name"] == MnistCNNv1.name
    assert MnistCNNv1.card()["label_smoothing"] == 0


def test_accuracy_on_the_test_set(predicted, mnist_test):
    accuracy = (predicted.argmax(1) == mnist_test.labels).double().mean().item()
    assert 0.994 <= accuracy <= 1
    assert accuracy == pytest.approx(MnistCNNv1.card()["test_accuracy"], abs=2e-4)


def test_probabilities_are_a_distribution(predicted):
    assert predicted.shape == (10_000, 10)
    assert predicted.min() >= 0
    torch.testing.assert_close(predicted.sum(1), torch.ones(10_000), atol=1e-5, rtol=0)


def test_features_of_sixteen_images_are_as_ever(judge, mnist_test):
    embedding = judge(mnist_test.images[:16]).embedding
    assert embedding.shape == (16, 96)
    torch.testing.assert_close(embedding[:, SOME], torch.tensor(FEATURES), atol=1e-4, rtol=0)
    torch.testing.assert_close(embedding.norm(dim=1), torch.tensor(NORMS), atol=5e-4, rtol=0)


@pytest.mark.parametrize("size", [1, 7])
def test_features_do_not_depend_on_the_batch(judge, mnist_test, size):
    images = mnist_test.images[:32]
    whole = judge(images)
    parts = [judge(part) for part in images.split(size)]
    torch.testing.assert_close(
        torch.cat([p.embedding for p in parts]), whole.embedding, atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        torch.cat([p.probabilities for p in parts]), whole.probabilities, atol=1e-5, rtol=1e-4
    )


def test_features_are_float32_and_carry_no_graph(judge, mnist_test):
    found = judge(mnist_test.images[:2])
    assert found.embedding.dtype == torch.float32
    assert not found.embedding.requires_grad


def test_damaged_weights_are_refused(monkeypatch, tmp_path):
    folder = tmp_path / "mnist_cnn_v1"
    folder.mkdir()
    content = (
        files("ganbench.default_plugins.data") / "mnist_cnn_v1" / "weights.safetensors"
    ).read_bytes()
    (folder / "weights.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    monkeypatch.setattr(features, "files", lambda package: tmp_path)
    with pytest.raises(
        DataError, match=r"have SHA-256 [0-9a-f]{12}…, expected bacd3dc2315c…; inst"
    ):
        MnistCNNv1().load(DIGITS, tmp_path)


def test_fingerprint_holds_the_weights_hash():
    assert SHA256 in MnistCNNv1().fingerprint()


@pytest.mark.parametrize(
    "image", [ImageSpec(3, 28, 10), ImageSpec(1, 32, 10), ImageSpec(2, 1, 8)], ids=str
)
def test_judge_sees_digits_only(image):
    assert MnistCNNv1().unsupported(DIGITS) is None
    why = MnistCNNv1().unsupported(image)
    assert why == f"it sees images of 1×28×28, and these are {image}"


def test_pixels_are_the_values_in_zero_to_one(tmp_path):
    images = torch.tensor([[[[0, 51], [255, 102]]]], dtype=torch.uint8)
    found = Pixels().load(ImageSpec(1, 2), tmp_path)(images)
    torch.testing.assert_close(found.embedding, torch.tensor([[0, 0.2, 1, 0.4]]))
    assert found.probabilities is None


def test_pixels_of_points_are_their_coordinates(tmp_path):
    points = torch.tensor([[0.25, -0.5], [1.0, 0.0]])
    found = Pixels().load(ImageSpec(2, 1), tmp_path)(points.view(-1, 2, 1, 1))
    assert torch.equal(found.embedding, points)


def test_pixels_of_large_images_are_refused():
    assert Pixels().unsupported(ImageSpec(3, 32)) is None
    assert Pixels().unsupported(ImageSpec(3, 33)) == (
        "images of 3×33×33, unlabelled have 3,267 values each; at most 3,072 are used"
    )
    assert Pixels(max_values=3267).unsupported(ImageSpec(3, 33)) is None


BUILT_IN = ["mnist-cnn-v1", "pixels", "inception", "effnet-lite0", "random-conv"]
BUILT_IN += ["dinov2-s14", "dinov2-b14", "dinov2-l14", "clip"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_protocol_says_what_a_reader_must_know(plugins, name):
    extractor = plugins.extractor(name)
    found = extractor.protocol()
    assert {"weights", "layer", "dim", "resize", "values"} <= found.keys()
    assert json.loads(json.dumps(found)) == found
    if isinstance(found["weights"], dict):
        assert found["weights"]["sha256"] in extractor.fingerprint()


@pytest.mark.parametrize("name", BUILT_IN)
def test_points_have_features_of_their_own_kind_alone(plugins, name):
    why = plugins.extractor(name).unsupported(ImageSpec(2, 1))
    assert (why is None) == (name == "pixels")
    assert why is None or why.startswith("it sees ")


@dataclass(kw_only=True)
class WithoutWeights(Pixels):
    """Pixels that need a file which is nowhere."""

    name = "without-weights"

    def missing(self, root):
        return "its weights are not here; install some package"

    def load(self, image, root, device="cpu"):
        raise Unavailable(self.missing(root))


def test_extractor_without_its_weights_conforms():
    assert mutants.failures(WithoutWeights) == {}


@dataclass(kw_only=True)
class MissingCurtly(WithoutWeights):
    """A reason that explains nothing."""

    name = "missing-curtly"
    caught_by = {"missing_weights_get_a_sentence"}

    def missing(self, root):
        return "no weights"


@dataclass(kw_only=True)
class MissingAndThere(WithoutWeights):
    """A substitute for what it says is missing."""

    name = "missing-and-there"
    caught_by = {"missing_weights_get_a_sentence"}

    def load(self, image, root, device="cpu"):
        return lambda images: Features(torch.zeros(len(images), 1))


@mutants.parametrize(MissingCurtly, MissingAndThere)
def test_wrong_absence_is_caught(mutant):
    mutants.assert_caught(mutant)


def test_wrong_absence_without_any_size_is_caught():
    assert all(WithoutWeights(max_values=0).unsupported(image) for image in SPECS)
    assert "it supports none of the sizes" in " ".join(
        mutants.failures(WithoutWeights(max_values=0)).values()
    )

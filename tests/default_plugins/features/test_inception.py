"""The Inception path gives what torch-fidelity's own gives, on weights of the same architecture
that are drawn here: the real ones cannot come with the tests."""

from __future__ import annotations

import copy
import hashlib
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ganbench import DataError, ImageSpec, LabeledImages, Moments
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.features import inception
from ganbench.default_plugins.features.inception import Inception, cleanly_resized
from ganbench.default_plugins.features.weights import INCEPTION
from ganbench.default_plugins.metrics.frechet import FID, frechet_distance
from ganbench.evaluation.evaluate import evaluate
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.networks import random_pixels

fidelity = pytest.importorskip("torch_fidelity", reason="needs pip install 'ganbench[inception]'")
Network = fidelity.FeatureExtractorInceptionV3


class Blank(Network):
    """Before any weights."""

    def __init__(self) -> None:
        nothing = io.BytesIO()
        torch.save({}, nothing)
        nothing.seek(0)
        super().__init__("blank", ["2048"], feature_extractor_weights_path=nothing)

    def load_state_dict(self, state, **how):
        return super().load_state_dict(state, **how) if state else None


def randomised(net: nn.Module) -> nn.Module:
    """Weights that keep the size of what passes, so that features are of order one."""
    source = torch.Generator().manual_seed(0)

    def around(value: float, tensor: Tensor, scale: float) -> None:
        tensor.copy_(value + scale * torch.randn(tensor.shape, generator=source))

    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                around(0, module.weight, math.sqrt(2 / module.weight[0].numel()))
            elif isinstance(module, nn.BatchNorm2d):
                around(1, module.weight, 0.1)
                around(0, module.bias, 0.1)
                around(0, module.running_mean, 0.1)
                module.running_var.uniform_(0.8, 1.2, generator=source)
            elif isinstance(module, nn.Linear):
                around(0, module.weight, 0.02)
                around(0, module.bias, 0.1)
    return net


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory) -> Path:
    """A file as the real one."""
    path = tmp_path_factory.mktemp("weights") / INCEPTION.names[0]
    torch.save(randomised(Blank()).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def known(stand_in):
    content = stand_in.read_bytes()
    return replace(INCEPTION, size=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def given(monkeypatch, stand_in, known):
    """The stand-in is what the plugin looks for, and finds."""
    monkeypatch.setattr(inception, "WEIGHTS", known)
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(stand_in))


@pytest.fixture
def nothing_there(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("GANBENCH_WEIGHTS", raising=False)
    monkeypatch.delenv("GANBENCH_OFFLINE", raising=False)


@pytest.fixture(scope="module")
def theirs(stand_in) -> nn.Module:
    """torch-fidelity's own extractor, which reads the file itself."""
    layers = ["2048", "logits_unbiased"]
    return Network("theirs", layers, feature_extractor_weights_path=str(stand_in))


@pytest.fixture(scope="module")
def ours(stand_in, known, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "WEIGHTS", known)
        patch.setenv("GANBENCH_WEIGHTS", str(stand_in.parent))
        return Inception().load(ImageSpec(3, 28), tmp_path_factory.mktemp("root"))


@pytest.mark.parametrize("size", [28, 64, 299, 320])
def test_features_are_torch_fidelitys(ours, theirs, size):
    images = random_pixels(2, ImageSpec(3, size))
    images[1] = images[1].sort(-1).values  # smooth
    found = ours(images)
    embedding, logits = theirs(images)
    assert embedding.std() > 0.1  # so that 1e-4 means something
    torch.testing.assert_close(found.embedding, embedding, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.probabilities, logits.softmax(1), atol=1e-6, rtol=1e-4)
    assert found.probabilities.shape == (2, 1008)


@pytest.fixture(scope="module")
def clean(stand_in, known, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "WEIGHTS", known)
        patch.setenv("GANBENCH_WEIGHTS", str(stand_in.parent))
        return Inception(resize="clean").load(ImageSpec(3, 28), tmp_path_factory.mktemp("root"))


def clean_fids(image: Tensor, size: int) -> Tensor:
    """One image (C, H, W) as clean-fid resizes it: PIL's bicubic of each channel's floats."""
    channels = [
        np.asarray(
            Image.fromarray(channel.numpy().astype(np.float32)).resize(
                (size, size), Image.Resampling.BICUBIC
            )
        )
        for channel in image
    ]
    return torch.from_numpy(np.stack(channels)).clamp(0, 255)


@pytest.mark.parametrize("size", [28, 32, 64, 256, 299, 300, 420])
def test_clean_resizing_is_pils_of_floats(size):
    image = random_pixels(1, ImageSpec(3, size))
    found = cleanly_resized(image, 299)[0]
    torch.testing.assert_close(found, clean_fids(image[0], 299), atol=1e-2, rtol=0)  # of 255
    if size != 299:
        assert (found - found.round()).abs().max() > 0.4  # never rounded
    else:
        assert torch.equal(found, image[0].float())


def test_clean_features_are_those_of_the_resized_image(clean, ours, theirs):
    at_size = random_pixels(1, ImageSpec(3, 299))  # which neither has to resize
    found, expected = clean(at_size), ours(at_size)
    torch.testing.assert_close(found.embedding, expected.embedding, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.probabilities, expected.probabilities, atol=1e-7, rtol=1e-5)
    small = random_pixels(1, ImageSpec(3, 28))
    rounded = clean_fids(small[0], 299)[None].round().to(torch.uint8)
    theirs_of_it, _ = theirs(rounded)
    torch.testing.assert_close(clean(small).embedding, theirs_of_it, atol=0.05, rtol=0.05)
    assert (ours(small).embedding - theirs_of_it).abs().max() > 0.1


def test_clean_is_another_protocol():
    plain, clean = Inception(), Inception(resize="clean")
    assert plain.fingerprint() == f"inception:pool3:tf1-bilinear-299:{inception.WEIGHTS.sha256}"
    assert clean.fingerprint() != plain.fingerprint()
    assert "bilinear as TensorFlow 1" in plain.protocol()["resize"]
    assert "bicubic as PIL of floats" in clean.protocol()["resize"]
    assert plain.protocol() | {"resize": ""} == clean.protocol() | {"resize": ""}


@pytest.mark.parametrize("size", [28, 320])
def test_grey_is_repeated(ours, theirs, size):
    grey = random_pixels(1, ImageSpec(1, size))
    embedding, _ = theirs(grey.repeat(1, 3, 1, 1))
    torch.testing.assert_close(ours(grey).embedding, embedding, atol=1e-4, rtol=1e-4)


def test_fid_is_torch_fidelitys(ours, theirs):
    """Of the first features only: their formula takes the eigenvalues of a full matrix."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    torch.manual_seed(0)
    real = random_pixels(5, ImageSpec(1, 28))
    fake = real // 16
    mine = [Moments.of([ours(images).embedding[:, :64]]) for images in (real, fake)]
    other = [
        fid_features_to_statistics(theirs(images.repeat(1, 3, 1, 1))[0][:, :64].double())
        for images in (real, fake)
    ]
    expected = fid_statistics_to_metric(*other, verbose=False)["frechet_inception_distance"]
    assert expected > 1e-3
    assert frechet_distance(*mine) == pytest.approx(expected, rel=1e-6)


@pytest.fixture(scope="module")
def smallest(stand_in, known) -> nn.Module:
    net = inception._network(known.read(stand_in))
    net.INPUT_IMAGE_SIZE = 75
    return net


@pytest.fixture
def small(given, monkeypatch, known, smallest):
    """A network that resizes to the smallest size it takes: seconds instead of minutes."""
    net = copy.deepcopy(smallest)  # which a rule brings to another device
    monkeypatch.setattr(inception, "_network", lambda state: net)
    monkeypatch.setattr(type(known), "load", lambda self, root: {})


@parametrize_with_checks(Inception, Inception(resize="clean"))
def test_conforms(small, check):
    check()


@parametrize_with_checks(Inception)
def test_conforms_without_weights(nothing_there, check):
    check()


@pytest.mark.parametrize("keep", [1000, -1], ids=["truncated", "one byte"])
def test_wrong_weights_are_refused(given, stand_in, monkeypatch, tmp_path, keep):
    content = stand_in.read_bytes()
    path = tmp_path / INCEPTION.names[1]
    path.write_bytes(content[:keep] + (b"" if keep > 0 else b"?"))
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(DataError, match=r"not the weights of inception: [0-9,]+ bytes with SHA-25"):
        Inception().load(ImageSpec(3, 32), tmp_path)


def test_torch_fidelity_gets_a_file_of_tensors_alone(given, stand_in, monkeypatch, tmp_path):
    """It would unpickle anything; nor may it download."""
    handed = []

    def watching(*arguments, feature_extractor_weights_path):
        handed.append(torch.load(feature_extractor_weights_path, weights_only=True))
        return nn.Identity()

    module = "torch_fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3"
    monkeypatch.setattr(module, watching)
    Inception().load(ImageSpec(3, 32), tmp_path)
    (state,) = handed
    expected = torch.load(stand_in, weights_only=True)
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_real_weights_are_the_published_ones():
    assert Inception().protocol()["weights"] == {
        "file": "pt_inception-2015-12-05-6726825d.pth",
        "sha256": "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    }
    assert inception.WEIGHTS.size == 95_628_359
    assert inception.WEIGHTS.sha256 in Inception().fingerprint()


def test_missing_package_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(inception, "find_spec", lambda name: None)
    why = Inception().missing(tmp_path)
    assert why == "its network comes from torch-fidelity; pip install 'ganbench[inception]'"


def in_table(judged, images: LabeledImages):
    ((value,), *_) = evaluate([FID(features="inception")], judged(MNIST(), images, images))
    return value.value, value.reason


def test_column_without_weights_says_why(nothing_there, judged, mnist_test):
    value, reason = in_table(judged, LabeledImages(mnist_test.images[:4], mnist_test.labels[:4]))
    assert value is None
    assert reason.startswith("feature extractor 'inception': its weights, pt_inception-2015-12-05")
    assert "`ganbench weights inception`" in reason


def test_column_with_wrong_weights_says_why(nothing_there, judged, mnist_test, tmp_path):
    folder = tmp_path / "weights"  # of the data folder
    folder.mkdir()
    (folder / INCEPTION.names[0]).write_bytes(b"<html>")
    value, reason = in_table(judged, LabeledImages(mnist_test.images[:4], mnist_test.labels[:4]))
    assert value is None
    assert "not the weights of inception: 6 bytes" in reason
    assert "remove the file and run `ganbench weights inception`" in reason


def test_points_are_no_pictures():
    assert "it sees grey and colour pictures" in Inception().unsupported(Ring().image_spec())

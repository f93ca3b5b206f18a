"""LPIPS's features are as far apart as torchmetrics' LPIPS says, by the same weights.

Those of VGG-16 are drawn here: the real ones cannot come with the tests. The linear ones are real.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image.lpips import _LPIPS
from torchvision.models import vgg16

from ganbench import DataError, Features, ImageSpec, Unavailable
from ganbench.default_plugins.features import lpips
from ganbench.default_plugins.features.lpips import LPIPS
from ganbench.default_plugins.features.weights import VGG16
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.networks import random_pixels


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """VGG-16's convolutions, drawn so that what passes keeps its size."""
    source = torch.Generator().manual_seed(0)
    found = {}
    for name, tensor in vgg16(weights=None, init_weights=False).features.state_dict().items():
        scale = math.sqrt(2 / tensor[0].numel()) if tensor.ndim > 1 else 0.1
        found[f"features.{name}"] = scale * torch.randn(tensor.shape, generator=source)
    return found


@pytest.fixture
def weights(state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file as the real one, in a folder that GANBENCH_WEIGHTS names."""
    path = tmp_path / VGG16.names[0]
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2)}, path)
    content = path.read_bytes()
    known = replace(VGG16, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(lpips, "VGG16", known)
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(tmp_path))
    return path


def loaded(image: ImageSpec) -> Callable[[Tensor], Features]:
    return LPIPS().load(image, Path())


def theirs(state: dict[str, Tensor], a: Tensor, b: Tensor) -> Tensor:
    """Return torchmetrics' distances of images in [-1, 1]."""
    net = _LPIPS(pretrained=True, net="vgg", pnet_rand=True, eval_mode=True)
    own = {
        f"net.slice{i}.{name.removeprefix('features.')}": tensor
        for name, tensor in state.items()
        for i, end in enumerate(lpips.LEVELS[1:], 1)
        if lpips.LEVELS[i - 1] <= int(name.split(".")[1]) < end
    }
    missing, unexpected = net.load_state_dict(own, strict=False)
    assert not unexpected
    assert all(name.startswith("lin") for name in missing), missing
    with torch.inference_mode():
        return net(a, b).flatten()


@parametrize_with_checks(LPIPS)
def test_conformance(check, weights):
    check()


@pytest.mark.parametrize(("channels", "side"), [(3, 16), (3, 64), (1, 37)])
def test_distances_are_those_of_torchmetrics(
    weights: Path, state: dict[str, Tensor], channels: int, side: int
) -> None:
    image = ImageSpec(channels, side)
    torch.manual_seed(0)
    a, b = (random_pixels(3, image) for _ in range(2))
    of = loaded(image)
    found = (of(a).embedding - of(b).embedding).square().sum(1)
    expected = theirs(state, *((x.float() / 127.5 - 1).expand(-1, 3, -1, -1) for x in (a, b)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert (found > 0.01).all()
    fractions = of(a.float() / 127.5 - 1).embedding
    torch.testing.assert_close(fractions, of(a).embedding, rtol=1e-3, atol=1e-6)


def test_large_images_are_averaged_down(weights: Path) -> None:
    large = random_pixels(2, ImageSpec(3, 512))
    found = loaded(ImageSpec(3, 512))(large).embedding
    small = F.avg_pool2d(large.float(), 2) / 127.5 - 1
    expected = loaded(ImageSpec(3, 256))(small).embedding
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_the_linear_weights_come_with_torchmetrics_and_none_is_below_zero() -> None:
    path = lpips._linear()
    assert path is not None
    found = lpips._weights(lpips.LINEAR.read(path))
    assert [len(w.flatten()) for w in found.values()] == [64, 128, 256, 512, 512]
    assert all((w >= 0).all() for w in found.values())


def test_what_is_missing_is_said(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = ImageSpec(3, 32)
    assert LPIPS().missing(tmp_path) is None
    assert "16×16 and more" in (LPIPS().unsupported(ImageSpec(3, 8)) or "")
    assert "grey and colour" in (LPIPS().unsupported(ImageSpec(2, 32)) or "")
    weights.write_bytes(b"another")
    with pytest.raises(DataError, match="not the weights of lpips"):
        loaded(image)
    weights.unlink()
    with pytest.raises(Unavailable, match="`ganbench weights lpips` downloads them"):
        loaded(image)
    monkeypatch.setattr(lpips, "find_spec", lambda name: None)
    assert "torchmetrics" in (LPIPS().missing(tmp_path) or "")

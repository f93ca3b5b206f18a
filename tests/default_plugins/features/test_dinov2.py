"""DINOv2's transformer is the published one in structure, shown on a small one of drawn weights."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.drawn_weights import drawn_for_good, pictures_for_good
from PIL import Image
from torch import Tensor, nn

from ganbench import DataError, ImageSpec
from ganbench.default_plugins.features.dinov2 import (
    DEVIATION,
    MEAN,
    Block,
    DINOv2B14,
    DINOv2L14,
    DINOv2S14,
    VisionTransformer,
    normalised,
)
from ganbench.default_plugins.features.weights import DINOV2_L14
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.networks import random_pixels

TRANSFORMERS = [  # the first eight of 32, of two images
    [0.638809, -1.124235, 2.540959, 1.185567, 0.057260, -0.889989, 0.691807, -1.386878],
    [0.635800, -0.871130, 2.035712, 0.982050, -0.054895, -1.725791, 0.430639, -1.325013],
]
SMALL = {"width": 16, "depth": 2, "heads": 4, "grid": 37}


def drawn(net: nn.Module) -> nn.Module:
    source = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        values = torch.randn(parameter.shape, generator=source)
        parameter.data = values * (0.2 if parameter.ndim > 1 else 0.5)
    return net


@pytest.fixture
def given(monkeypatch, tmp_path):
    """A small network's weights, found as the real ones would be."""
    path = tmp_path / DINOV2_L14.names[0]
    torch.save(drawn(VisionTransformer(**SMALL)).state_dict(), path)
    content = path.read_bytes()
    known = replace(DINOV2_L14, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(DINOv2L14, "weights", known)
    monkeypatch.setattr(DINOv2L14, "sizes", SMALL)
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(tmp_path))
    return path


@parametrize_with_checks(DINOv2L14)
def test_conforms(given, check):
    check()


def test_features_are_the_networks_own(given, tmp_path):
    images = random_pixels(3, ImageSpec(3, 32))
    found = DINOv2L14().load(ImageSpec(3, 32), tmp_path)(images)
    with torch.no_grad():
        expected = drawn(VisionTransformer(**SMALL))(normalised(images))
    torch.testing.assert_close(found.embedding, expected, atol=1e-4, rtol=1e-4)
    assert found.probabilities is None


def test_another_file_is_refused(given, tmp_path):
    given.write_bytes(given.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"not the weights of dinov2-l14: .*weights dinov2-l14`"):
        DINOv2L14().load(ImageSpec(3, 32), tmp_path)


def test_missing_weights_are_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("GANBENCH_WEIGHTS", raising=False)
    assert "dinov2_vitl14_pretrain.pth, are not on this machine" in DINOv2L14().missing(tmp_path)


@pytest.mark.parametrize(
    ("extractor", "width", "depth"),
    [(DINOv2S14, 384, 12), (DINOv2B14, 768, 12), (DINOv2L14, 1024, 24)],
)
def test_network_fills_the_published_file(extractor, width, depth):
    with torch.device("meta"):
        net = VisionTransformer(**extractor.sizes)
    tensors = 14 * depth + 7
    assert len(net.state_dict()) == tensors
    size = 4 * sum(p.numel() for p in net.parameters())
    beside = extractor.weights.size - size  # what a file needs beside the numbers
    assert 0 < beside < 400 * tensors
    for name, shape in (
        ("pos_embed", (1, 1370, width)),
        ("mask_token", (1, width)),
        ("patch_embed.proj.weight", (width, 3, 14, 14)),
        (f"blocks.{depth - 1}.attn.qkv.weight", (3 * width, width)),
        ("blocks.0.ls1.gamma", (width,)),
        ("blocks.0.mlp.fc1.weight", (4 * width, width)),
    ):
        assert net.state_dict()[name].shape == shape
    assert net.blocks[0].attn.heads == width // 64


def test_outputs_are_those_of_transformers():
    """Of its Dinov2Model with the same weights, drawn by NumPy, which promises them for good."""
    net = drawn_for_good(VisionTransformer(32, 2, 4, grid=16))
    with torch.no_grad():
        found = net(pictures_for_good(2, 224))
    torch.testing.assert_close(found[:, :8], torch.tensor(TRANSFORMERS), atol=1e-5, rtol=0)


def as_torchs(block: Block, width: int, heads: int) -> nn.Module:
    """torch's own layer with the same weights, the scales multiplied into them."""
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, 0.0, F.gelu, 1e-6, batch_first=True, norm_first=True
    )
    own = {name: value.data for name, value in block.named_parameters()}
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": own["attn.qkv.weight"],
            "self_attn.in_proj_bias": own["attn.qkv.bias"],
            "self_attn.out_proj.weight": own["ls1.gamma"][:, None] * own["attn.proj.weight"],
            "self_attn.out_proj.bias": own["ls1.gamma"] * own["attn.proj.bias"],
            "linear1.weight": own["mlp.fc1.weight"],
            "linear1.bias": own["mlp.fc1.bias"],
            "linear2.weight": own["ls2.gamma"][:, None] * own["mlp.fc2.weight"],
            "linear2.bias": own["ls2.gamma"] * own["mlp.fc2.bias"],
            **{name: own[name] for name in own if name.startswith("norm")},
        }
    )
    return layer.train()  # its fast path for evaluation is another program


def test_block_is_torchs_encoder_layer():
    block = drawn(Block(16, 4))
    x = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(block(x), as_torchs(block, 16, 4)(x), atol=1e-5, rtol=1e-5)


def test_class_token_comes_out(given):
    """Of an image of zeros, patch by patch the bias alone."""
    net = drawn(VisionTransformer(16, 1, 4, grid=2))
    tokens = net.patch_embed["proj"].bias.expand(1, 4, -1)
    x = torch.cat([net.cls_token, tokens], 1) + net.pos_embed
    expected = net.norm(net.blocks[0](x))[:, 0]
    torch.testing.assert_close(net(torch.zeros(1, 3, 28, 28)), expected)


def test_positions_are_scaled_as_published():
    net = drawn(VisionTransformer(**SMALL))
    assert net.positions(37) is net.pos_embed
    found = net.positions(16)
    assert found.shape == (1, 257, 16)
    assert torch.equal(found[:, 0], net.pos_embed[:, 0])
    ramp = torch.arange(37.0).expand(37, 37).reshape(1, -1, 1).expand(-1, -1, 16)
    net.pos_embed.data = torch.cat([torch.zeros(1, 1, 16), ramp], 1)
    columns = net.positions(16)[0, 1:, 0].view(16, 16)
    expected = (torch.arange(16) + 0.5) * 37 / 16.1 - 0.5  # and not 37 / 16
    inner = slice(
        1, -1
    )  # at the edges the cubic has no neighbours, and elsewhere it bends a little
    torch.testing.assert_close(columns[3, inner], expected[inner], atol=0.06, rtol=0)


@pytest.mark.parametrize("size", [28, 32, 64, 224, 256, 300])
def test_resizing_is_pils(size):
    image = random_pixels(1, ImageSpec(3, size))
    picture = Image.fromarray(image[0].permute(1, 2, 0).numpy())
    resized = np.array(picture.resize((224, 224), Image.Resampling.BICUBIC))
    expected = torch.from_numpy(resized).permute(2, 0, 1)
    difference = (pixels(normalised(image))[0] - expected).abs()
    assert difference.max() <= 2 + 1e-3  # PIL's sums have fewer bits
    assert difference.mean() < 0.02


def pixels(images: Tensor) -> Tensor:
    """In 0 to 255 again."""
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    return (images * deviation + mean) * 255


def test_values_are_imagenets():
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    black = normalised(images)[0, :, 0, 0]
    white = normalised(images + 255)[0, :, 0, 0]
    torch.testing.assert_close(
        black, torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    )
    torch.testing.assert_close(white, torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]))


def test_protocol_names_the_published_weights():
    found = DINOv2L14().protocol()
    assert found["weights"]["sha256"].startswith("d5383ea8f487")
    assert found["dim"] == 1024
    assert found["weights"]["sha256"] in DINOv2L14().fingerprint()


@pytest.mark.parametrize(
    ("extractor", "file", "sha256", "dim"),
    [
        (DINOv2S14, "dinov2_vits14_pretrain.pth", "b938bf1bc15c", 384),
        (DINOv2B14, "dinov2_vitb14_pretrain.pth", "0b8b82f85de9", 768),
        (DINOv2L14, "dinov2_vitl14_pretrain.pth", "d5383ea8f487", 1024),
    ],
)
def test_each_size_has_its_own_file(monkeypatch, tmp_path, extractor, file, sha256, dim):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("GANBENCH_WEIGHTS", raising=False)
    found = extractor().protocol()
    assert (found["weights"]["file"], found["dim"]) == (file, dim)
    assert found["weights"]["sha256"].startswith(sha256)
    assert (
        extractor().fingerprint()
        == f"{extractor.name}:cls:bicubic-224:" + (found["weights"]["sha256"])
    )
    (url,) = extractor.weights.urls
    assert url.endswith(f"/{file.removesuffix('_pretrain.pth')}/{file}")
    assert f"`ganbench weights {extractor.name}`" in extractor().missing(tmp_path)

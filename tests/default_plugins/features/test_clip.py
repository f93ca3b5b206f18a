"""CLIP's transformer of images is the published one, shown on a small one of drawn weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers import mutants
from helpers.drawn_weights import drawn_for_good, pictures_for_good
from safetensors.torch import load_file, save_file

from ganbench import DataError, ImageSpec, LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.features import clip
from ganbench.default_plugins.features.clip import (
    CLIP,
    CONFIG,
    PROJECTION,
    TOWER,
    WEIGHTS,
    Sizes,
    VisionTower,
    described,
    vision_tower,
)
from ganbench.default_plugins.metrics.kernel import CMMD
from ganbench.evaluation.evaluate import evaluate
from ganbench.testing.fixtures.networks import random_pixels

SMALL = Sizes(width=32, depth=2, heads=4, patch=8, grid=4, inner=128, dim=16)
TRANSFORMERS = {  # the first eight of 16, of two images, by hidden_act
    "quick_gelu": [
        [1.249938, -0.017116, -0.466753, -0.928800, -1.497010, -0.658021, 1.260327, -0.751183],
        [0.998316, 0.863768, -0.123161, -1.712340, 0.111343, -0.558796, 0.367771, 1.118371],
    ],
    "gelu": [
        [1.257228, -0.014997, -0.465719, -0.936485, -1.493850, -0.657069, 1.263473, -0.744450],
        [1.020675, 0.853066, -0.127534, -1.724125, 0.107129, -0.572364, 0.362754, 1.124501],
    ],
}


def folder(path: Path, sizes: Sizes = SMALL, **config: object) -> Path:
    """A folder as Hugging Face has it, with a text tower that nobody needs."""
    path.mkdir(exist_ok=True)
    state = drawn_for_good(VisionTower(sizes)).state_dict()
    stored = {(name if name == PROJECTION else TOWER + name): t for name, t in state.items()}
    stored["text_model.embeddings.token_embedding.weight"] = torch.zeros(7, 32)
    stored[f"{TOWER}embeddings.position_ids"] = torch.arange(17)[None]  # of older files
    save_file(stored, path / WEIGHTS)
    vision = {"num_attention_heads": sizes.heads, "hidden_act": sizes.activation, **config}
    (path / CONFIG).write_text(json.dumps({"vision_config": vision}), "utf-8")
    return path


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    return folder(tmp_path_factory.mktemp("clip") / "small")


@pytest.mark.parametrize("activation", TRANSFORMERS)
def test_outputs_are_those_of_transformers(tmp_path, activation):
    """Of its CLIPVisionModelWithProjection with the same weights, drawn by NumPy for good."""
    sizes = Sizes(**{**vars(SMALL), "activation": activation})
    net = vision_tower(folder(tmp_path / "small", sizes)).eval()
    with torch.no_grad():
        found = net(pictures_for_good(2, 32))
    expected = torch.tensor(TRANSFORMERS[activation])
    torch.testing.assert_close(found[:, :8], expected, atol=1e-5, rtol=0)


def test_sizes_are_read_from_the_weights(given):
    assert described(given) == SMALL
    assert described(given).resolution == 32


def test_flat_configuration_and_defaults_will_do(tmp_path):
    path = folder(tmp_path / "plain")
    (path / CONFIG).write_text('{"hidden_act": "gelu", "layer_norm_eps": 1e-6}', "utf-8")
    found = described(path)
    assert (found.activation, found.eps, found.heads) == ("gelu", 1e-6, 1)  # 64 values a head
    (path / CONFIG).write_text("{}", "utf-8")
    assert described(path).activation == "quick_gelu"


@pytest.fixture(scope="module")
def extractor(given) -> CLIP:
    return CLIP(path=str(given))


def test_conforms_without_weights():
    assert mutants.failures(CLIP) == {}


def test_conforms(extractor):
    assert mutants.failures(extractor) == {}


def test_images_are_prepared_as_clips(extractor, tmp_path):
    white = torch.full((1, 3, 40, 40), 255, dtype=torch.uint8)
    seen = []
    net = vision_tower(Path(extractor.path)).eval()
    net.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip, "vision_tower", lambda folder: net)
        extractor.load(ImageSpec(3, 40), tmp_path)(white)
    (pixels,) = seen
    assert pixels.shape == (1, 3, 32, 32)
    expected = torch.tensor([(1 - m) / d for m, d in zip(clip.MEAN, clip.DEVIATION, strict=True)])
    torch.testing.assert_close(pixels[0, :, 5, 5], expected)


def test_grey_is_repeated(extractor, tmp_path):
    grey = random_pixels(2, ImageSpec(1, 28))
    found = extractor.load(ImageSpec(1, 28), tmp_path)(grey)
    expected = extractor.load(ImageSpec(3, 28), tmp_path)(grey.repeat(1, 3, 1, 1))
    torch.testing.assert_close(found.embedding, expected.embedding)


def test_protocol_is_of_the_file(extractor, given, tmp_path):
    found = extractor.protocol()
    assert found["dim"] == 16
    assert found["network"] == "ViT, 32 pixels, width 32, 2 layers, patches of 8"
    assert found["weights"]["sha256"] in extractor.fingerprint()
    moved = CLIP(path=str(folder(tmp_path / "elsewhere")))
    assert moved.fingerprint() == extractor.fingerprint()
    state = load_file(given / WEIGHTS)
    save_file({**state, PROJECTION: state[PROJECTION] + 1}, tmp_path / "elsewhere" / WEIGHTS)
    assert moved.fingerprint() != extractor.fingerprint()


def test_cmmd_is_of_its_features(judged, given, mnist_test):
    name = f"clip(path={given})"
    images = LabeledImages(mnist_test.images[:64], mnist_test.labels[:64])
    dark = LabeledImages(images.images // 8, images.labels)
    values = []
    for fake in (images, dark):
        ((value,), *_) = evaluate([CMMD(features=name)], judged(MNIST(), images, fake))
        values.append(value)
    assert values[0].column.name == f"cmmd@{name}"
    assert values[0].value == pytest.approx(0, abs=1e-9), values[0].reason
    assert values[1].value > 1


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "clip(path=FOLDER) names a folder with config.json and model.safetensors"),
        ("nowhere", "there is no config.json and no model.safetensors in 'nowhere'"),
    ],
)
def test_missing_weights_are_a_sentence(tmp_path, path, why):
    assert why in CLIP(path=path).missing(tmp_path)
    with pytest.raises(Unavailable, match=r"config\.json"):
        CLIP(path=path).load(ImageSpec(3, 32), tmp_path)
    assert CLIP(path=path).protocol()["dim"] == "as the weights say"


def broken(path: Path, what: str) -> None:
    state = load_file(path / WEIGHTS)
    if what == "another file":
        (path / WEIGHTS).write_bytes(b"PK\x03\x04 a pickle")
    elif what == "no picture":
        save_file({"text_model.a": torch.zeros(1)}, path / WEIGHTS)
    elif what == "a layer short":
        del state[f"{TOWER}encoder.layers.1.mlp.fc2.weight"]
        save_file(state, path / WEIGHTS)
    elif what == "another shape":
        save_file({**state, f"{TOWER}pre_layrnorm.weight": torch.ones(31)}, path / WEIGHTS)
    elif what == "activation":
        (path / CONFIG).write_text('{"vision_config": {"hidden_act": "relu"}}', "utf-8")
    elif what == "no JSON":
        (path / CONFIG).write_text("<html>", "utf-8")
    else:
        (path / CONFIG).write_text("[]", "utf-8")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("another file", r"model\.safetensors: no file of safetensors"),
        ("no picture", r"no CLIP with a vision transformer; it lacks vision_model\.embeddings"),
        ("a layer short", r"it lacks vision_model\.encoder\.layers\.1\.mlp\.fc2\.weight"),
        ("another shape", r"size mismatch for pre_layrnorm"),
        ("activation", r"config\.json: hidden_act is 'relu'; it may be quick_gelu or gelu"),
        ("no JSON", r"config\.json: it cannot be read as JSON"),
        ("a list", r"config\.json: a list, not a model's configuration"),
    ],
)
def test_wrong_folders_are_refused(tmp_path, what, why):
    path = folder(tmp_path / "small")
    broken(path, what)
    with pytest.raises(DataError, match=why):
        CLIP(path=str(path)).load(ImageSpec(3, 32), tmp_path)

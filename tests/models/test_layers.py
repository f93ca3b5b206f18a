"""Networks layer by layer: in the order of their calls, with shapes, and every parameter once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import methods, tiny

import ganbench
from ganbench.models.layers import layers
from ganbench.models.parts import num_parameters
from ganbench.registry import registry

FILE = """\
version: 1
name: nets
dataset: mnist
conditioning: {conditioning}
loss: bce
architecture: {architecture}
training: {{batch_size: 8, budget: {{kimg: 1}}}}
evaluation: {{num_samples: 100, metrics: [fid]}}
{more}
"""


def planned(folder: Path, conditioning="concat", architecture="dcgan", more="", plugins=()):
    path = folder / "nets.yaml"
    path.write_text(
        FILE.format(conditioning=conditioning, architecture=architecture, more=more), "utf-8"
    )
    return path, ganbench.plan(path, plugins=plugins).cells[0], registry.load(plugins)


def test_layers_are_in_the_order_of_their_calls_with_what_they_make(tmp_path):
    _, cell, found = planned(tmp_path, architecture="{name: dcgan, width: 8}")
    told = layers(cell, found)
    convolutions = [one for one in told.generator if one.kind == "ConvTranspose2d"]
    assert [one.shape for one in convolutions] == [(16, 7, 7), (8, 14, 14), (1, 28, 28)]
    assert convolutions[0].parameters == 32 * 16 * 3 * 3 + 16
    assert told.discriminator[-1].name == "head.linear"
    assert told.discriminator[-1].shape == (1,)
    assert told.reason == ""


@pytest.mark.parametrize(
    ("conditioning", "architecture", "more"),
    [
        ("none", "dcgan", ""),
        ("cbn", "dcgan", ""),
        ("projection", "resnet", ""),
        ("concat", "resnet", "g_norm: batch+spectral"),
    ],
)
def test_parameters_add_up_and_all_layers_are_called(tmp_path, conditioning, architecture, more):
    _, cell, found = planned(tmp_path, conditioning, architecture, more)
    told, counts = layers(cell, found), num_parameters(cell, found)
    assert told.reason == ""
    for of, expected in ((told.generator, counts[0]), (told.discriminator, counts[1])):
        assert sum(layer.parameters for layer in of) == expected
        assert all(layer.shape is not None for layer in of)
        assert not any("parametrizations" in layer.name for layer in of)


def test_what_cannot_be_called_has_its_reason_and_its_parameters(tmp_path):
    (tmp_path / "odd.py").write_text(
        """\
from dataclasses import dataclass

import torch
from torch import nn

from ganbench import Architecture, hookimpl


class Odd(nn.Module):
    feature_dim = 4

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(784, 4)

    def forward(self, images):
        if float(images.sum()) > 0:
            return self.linear(images.flatten(1))
        return self.linear(-images.flatten(1))


@dataclass(kw_only=True)
class OddD(Architecture):
    name = "odd"
    latent_dim: int = 4

    def generator(self, image, latent_dim, norm):
        class G(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(latent_dim, 784)

            def forward(self, z, condition):
                return self.linear(z).tanh().view(-1, 1, 28, 28)

        return G()

    def discriminator(self, image, norm):
        return Odd()


@hookimpl
def register_architectures(register):
    register(OddD)
""",
        "utf-8",
    )
    plugins = (str(tmp_path / "odd.py"),)
    _, cell, found = planned(tmp_path, "none", "odd", plugins=plugins)
    told, counts = layers(cell, found), num_parameters(cell, found)
    assert "DataDependent" in told.reason
    assert sum(layer.parameters for layer in told.discriminator) == counts.discriminator
    assert told.generator[0].shape == (784,)


def test_plan_shows_them(tmp_path):
    path, _, _ = planned(tmp_path)
    told = tiny.ganbench("plan", path, "--no-estimate", "--networks", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "G of bce/concat/dcgan" in told.stdout
    assert "D of bce/concat/dcgan" in told.stdout
    assert "1×28×28" in told.stdout
    plain = tiny.ganbench("plan", path, "--no-estimate", "--networks", "--json", cwd=tmp_path)
    (cell,) = json.loads(plain.stdout)["cells"]
    total = sum(layer["parameters"] for layer in cell["layers"]["generator"])
    assert total == cell["g_parameters"]
    without = json.loads(
        tiny.ganbench("plan", path, "--no-estimate", "--json", cwd=tmp_path).stdout
    )
    assert "layers" not in without["cells"][0]


def test_networks_of_plugins_are_shown_too(tmp_path):
    plugins = (str(methods.FILES["minibatch_stddev"]),)
    (name,) = (cls.name for cls in methods.plugins("minibatch_stddev"))
    _, cell, found = planned(tmp_path, "none", name, plugins=plugins)
    told, counts = layers(cell, found), num_parameters(cell, found)
    assert sum(layer.parameters for layer in told.discriminator) == counts.discriminator

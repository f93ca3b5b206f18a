"""The prior of every built-in architecture is the one that a file says."""

from __future__ import annotations

import pytest

from ganbench import Architecture
from ganbench.errors import ConfigError
from ganbench.models.latents import draw, natural_path
from ganbench.registry.registry import Registry

UNIFORM = ["cdcgan"]  # by themselves, as their notebook has it
NORMAL = ["mlp", "dcgan", "resnet", "unrolled-dcgan", "bricks-dcgan", "faces-wgan"]
NORMAL += ["eyeglasses-cgan"]


def built(plugins: Registry, name: str, **options: object) -> Architecture:
    return plugins.build("architecture", name, options)


@pytest.mark.parametrize("name", [*UNIFORM, *NORMAL])
@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_the_prior_is_the_one_that_is_said(plugins, name, prior):
    architecture = built(plugins, name, prior=prior, latent_dim=50)
    latents = draw(architecture, 400, seed=0)
    assert latents.shape == (400, 50)
    assert latents.mean().item() == pytest.approx(0, abs=0.03)
    assert latents.std().item() == pytest.approx(1 if prior == "normal" else 3**-0.5, rel=0.03)
    assert (latents.abs().max() <= 1) == (prior == "uniform")
    assert natural_path(architecture) == ("slerp" if prior == "normal" else "lerp")


def test_the_notebook_s_prior_is_uniform_and_all_others_are_normal(plugins):
    mine = [e for e in plugins.entries("architecture") if e.source.distribution == "ganbench"]
    assert {entry.name for entry in mine} == {*UNIFORM, *NORMAL}
    for name in (*UNIFORM, *NORMAL):
        assert built(plugins, name).prior == ("uniform" if name in UNIFORM else "normal")


def test_another_prior_is_refused(plugins):
    with pytest.raises(ConfigError, match=r"prior: .*'normal' or 'uniform'"):
        built(plugins, "dcgan", prior="cauchy")

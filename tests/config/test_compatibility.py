"""Which norms of D go with which losses, and which losses need a bound on D."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.config import compatibility, plan
from ganbench.contracts.losses import Loss
from ganbench.default_plugins.architectures import DCGAN, MLP, ResNet
from ganbench.default_plugins.constraints import GradientPenalty, WeightClipping
from ganbench.default_plugins.losses import BCE, WGAN, WGANGP
from ganbench.errors import Incompatible
from ganbench.registry import registry

RING = """\
version: 1
name: bench
dataset: ring
conditioning: none
architecture: {name: mlp, width: 8}
"""
PLUGINS = Path(__file__).parents[2] / "plugins"


def d_norm(architecture, *losses: Loss, asked: str | None = None) -> str:
    return compatibility.resolve_d_norm(asked, architecture, losses)


@pytest.mark.parametrize(
    "penalised", [(WGANGP(),), (WGAN(), GradientPenalty()), (BCE(), GradientPenalty(at="dragan"))]
)
def test_losses_of_papers_without_spectral_norm_do_not_take_it_unasked(penalised):
    assert d_norm(ResNet(), *penalised) == "layer"
    assert d_norm(ResNet(), *penalised, asked="spectral") == "spectral"
    assert d_norm(DCGAN(), *penalised) == "layer"
    assert d_norm(MLP(), *penalised) == "none"


def test_an_architecture_with_nothing_else_gives_what_is_not_asked_for():
    only_spectral = ResNet()
    only_spectral.d_norms = ("spectral",)
    assert d_norm(only_spectral, WGANGP()) == "spectral"
    with pytest.raises(Incompatible, match=r"only offers d_norm 'spectral'$"):
        d_norm(only_spectral, BCE(), WeightClipping())


def test_norms_beside_spectral_are_refused_as_each_of_them_is():
    assert d_norm(ResNet(), BCE(), asked="batch+spectral") == "batch+spectral"
    compatibility.check_constraint([WGAN()], "layer+spectral")
    with pytest.raises(
        Incompatible, match="which d_norm 'batch\\+spectral' mixes across the batch"
    ):
        d_norm(ResNet(), WGANGP(), asked="batch+spectral")
    with pytest.raises(Incompatible, match="does not work under d_norm 'layer\\+spectral'; use"):
        d_norm(ResNet(), WGAN(), WeightClipping(), asked="layer+spectral")
    with pytest.raises(Incompatible, match="'mlp' offers d_norm 'none', 'spectral', not 'layer"):
        d_norm(MLP(), BCE(), asked="layer+spectral")


def test_clipping_is_refused_under_spectral_norm():
    assert d_norm(ResNet(), WGAN(), WeightClipping()) == "layer"
    assert d_norm(DCGAN(), WGAN(), WeightClipping()) == "batch"
    with pytest.raises(
        Incompatible,
        match=r"^loss 'weight-clipping' does not work under d_norm 'spectral'; use 'layer', .*"
        r"or leave d_norm out to get the first of these$",
    ):
        d_norm(ResNet(), WGAN(), WeightClipping(), asked="spectral")


def test_two_losses_each_refuse_norms_of_their_own():
    both = (WGAN(), GradientPenalty(), WeightClipping())
    with pytest.raises(Incompatible, match="'gradient-penalty' takes per-image gradients"):
        d_norm(DCGAN(), *both, asked="batch")
    with pytest.raises(Incompatible, match="'weight-clipping' does not work"):
        d_norm(DCGAN(), *both, asked="spectral")


@pytest.mark.parametrize(
    ("lines", "is_bound"),
    [
        ("loss: wgan\n", False),
        ("loss: wgan\nd_norm: spectral\n", True),
        ("loss: wgan\nregularizers: [gradient-penalty]\n", True),
        ("loss: wgan\nregularizers: [weight-clipping]\n", True),
        ("loss: wgan-gp\n", True),
        ("loss: bce\n", True),
    ],
)
def test_a_loss_that_needs_a_bound_is_refused_without(plugins, parse, lines, is_bound):
    asked = parse(RING + lines + "on_incompatible: skip\n")
    (cell,) = plan.make(asked, plugins, device="cpu").cells
    why = None if is_bound else (
        "loss 'wgan' needs a bound on D's slope; add regularizers: [gradient-penalty] or "
        "[weight-clipping], or d_norm: spectral"
    )  # fmt: skip
    assert cell.incompatible == why


def test_all_losses_are_those_that_need_nothing_beside_them(plugins, parse):
    asked = parse(RING + "matrix: {loss: all}\n")
    assert [cell.axes["loss"] for cell in asked.cells] == ["bce", "lsgan", "wgan-gp"]


@pytest.mark.parametrize(
    ("penalty", "lines", "why"),
    [
        ("{}", "training: {fake_labels: random}\n", "'gradient-penalty' looks at pairs"),
        ("{at: real}", "training: {fake_labels: random}\n", None),
        ("{at: dragan}", "training: {micro_batch: 8}\n", "'gradient-penalty' needs the whole"),
        ("{reduce: max}", "training: {micro_batch: 8}\n", "'gradient-penalty' needs the whole"),
        ("{at: fake}", "training: {micro_batch: 8}\n", None),
    ],
)
def test_what_options_declare_decides_what_a_plan_refuses(plugins, parse, penalty, lines, why):
    beside = penalty.replace("{", "{name: gradient-penalty, ").replace(", }", "}")
    text = RING.replace("conditioning: none", "conditioning: concat") + lines
    asked = parse(
        f"{text}loss: bce\nregularizers: [{beside}]\non_incompatible: skip\n",
        overrides=["training.batch_size=64"],
    )
    (cell,) = plan.make(asked, plugins, device="cpu").cells
    assert (cell.incompatible or "").startswith(
        f"loss {why}" if why and "pairs" in why else why or ""
    )
    assert bool(cell.incompatible) == bool(why)


def test_packages_bound_what_they_bound(tmp_path, monkeypatch):
    """DRAGAN gets no spectral norm unasked, clipping none at all; R1 bounds a critic."""
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    names = ("dragan", "wgan-clip", "r3gan")
    files = [PLUGINS / f"ganbench-{n}" / f"ganbench_{n.replace('-', '_')}.py" for n in names]
    found = registry.load(map(str, files))
    dragan, clip, r1 = (found.build("loss", name, {}) for name in ("dragan", "wgan-clip", "r1"))
    assert d_norm(ResNet(), dragan) == d_norm(ResNet(), clip) == "layer"
    assert d_norm(ResNet(), dragan, asked="spectral") == "spectral"
    with pytest.raises(Incompatible, match="'wgan-clip' does not work under d_norm 'spectral'"):
        d_norm(ResNet(), clip, asked="spectral")
    compatibility.check_constraint([WGAN(), r1], "layer")

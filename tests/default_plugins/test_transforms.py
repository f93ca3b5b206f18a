"""What D is shown in place of images: built, refused, trained and penalised through."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from ganbench import ImageSpec, Scored, Transform
from ganbench.default_plugins.architectures import MLP
from ganbench.default_plugins.conditionings import Concat, Unconditional
from ganbench.models.networks import build, shown_to_d
from ganbench.models.parts import Parts
from ganbench.registry.discovery import PluginSource
from ganbench.registry.kinds import KINDS
from ganbench.registry.registry import Registry


@dataclass(kw_only=True)
class Half(Transform):
    """Half as bright."""

    name = "half"

    def apply(self, images: Tensor) -> Tensor:
        return images / 2


@dataclass(kw_only=True)
class Pairs(Transform):
    """Two images side by side in their channels."""

    name = "pairs"
    per_sample = False

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        return f"a batch of {batch_size} makes no pairs" if batch_size % 2 else None

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return replace(image, channels=2 * image.channels)

    def apply(self, images: Tensor) -> Tensor:
        return images.unflatten(0, (-1, 2)).flatten(1, 2)


IMAGE = ImageSpec(1, 4, 3)


def players(*transforms: Transform, conditioning=None):
    torch.manual_seed(0)
    side = conditioning or Unconditional()
    return build(
        MLP(width=8), side, side, IMAGE, g_norm="none", d_norm="none", transforms=transforms
    )


def test_transforms_apply_in_order_and_change_the_spec_in_order():
    assert shown_to_d(IMAGE, [Pairs(), Half(), Pairs()]) == ImageSpec(4, 4, 3)
    images = torch.randn(8, 1, 4, 4)
    _, discriminator = players(Pairs(), Half(), Pairs())
    assert discriminator(images).logits.shape == (2,)


def test_discriminator_sees_the_transformed_image_and_its_own_label():
    images, labels = torch.randn(4, 1, 4, 4), torch.tensor([0, 1, 2, 0])
    _, plain = players(conditioning=Concat())
    _, halved = players(Half(), conditioning=Concat())
    halved.load_state_dict(plain.state_dict())
    assert torch.equal(halved(images, labels).logits, plain(images / 2, labels).logits)


def test_input_gradient_is_that_of_the_image_before_the_transform():
    images = torch.randn(4, 1, 4, 4)
    _, plain = players()
    _, halved = players(Half())
    halved.load_state_dict(plain.state_dict())
    through = Scored(images, None, halved, track_inputs=True).input_gradient
    directly = Scored(images / 2, None, plain, track_inputs=True).input_gradient
    assert torch.allclose(through, directly / 2)


def test_generator_is_never_transformed():
    z = torch.randn(4, 16)
    assert torch.equal(players()[0](z), players(Half())[0](z))


@pytest.fixture
def with_transforms(plugins: Registry):
    """The plugins and these two transforms, taken away again."""
    before = dict(plugins._entries)
    made: dict = {}
    register = plugins._registrar(KINDS["transform"], PluginSource("test", "tests", "1"), made)
    register(Half)
    register(Pairs)
    plugins._entries.update(made)
    yield plugins
    plugins._entries.clear()
    plugins._entries.update(before)


TEXT = """\
version: 1
name: bench
dataset: ring
loss: bce
conditioning: none
architecture: mlp
on_incompatible: skip
"""


def reason(planned, text: str) -> str | None:
    (cell,) = planned(text).cells
    return cell.incompatible


@pytest.mark.usefixtures("with_transforms")
class TestPlan:
    def test_transforms_are_part_of_the_cell(self, planned, plugins):
        (cell,) = planned(TEXT + "transforms: [half, pairs]\n").cells
        assert [spec.name for spec in cell.transforms] == ["half", "pairs"]
        assert cell.label == "bce/none/mlp/half+pairs"
        assert cell.id != planned(TEXT).cells[0].id
        assert len(Parts.of(cell, plugins).networks(cell)[1].transforms) == 2

    def test_transforms_may_be_an_axis(self, planned):
        found = planned(TEXT + "matrix: {transforms: [[], [half]]}\n")
        assert [cell.axes["transforms"] for cell in found.cells] == ["none", "half"]

    def test_batch_that_does_not_fit_is_refused(self, planned):
        text = TEXT + "transforms: [pairs]\ntraining: {batch_size: 33}\n"
        assert reason(planned, text) == "transform 'pairs': a batch of 33 makes no pairs"
        assert reason(planned, text.replace("33", "34")) is None

    def test_penalty_per_image_is_refused_where_images_are_mixed(self, planned):
        text = TEXT.replace("bce", "wgan-gp") + "transforms: [pairs]\n"
        assert reason(planned, text) == (
            "loss 'wgan-gp' takes per-image gradients, and transform 'pairs' makes one input of "
            "several images"
        )
        assert reason(planned, text.replace("pairs", "half")) is None

    def test_label_for_d_is_refused_where_images_are_mixed(self, planned):
        text = TEXT.replace("conditioning: none", "conditioning: concat") + "transforms: [pairs]\n"
        assert "conditioning 'concat' tells D the label of each image" in reason(planned, text)
        mixed = "conditioning: {generator: concat, discriminator: none}"
        assert reason(planned, text.replace("conditioning: concat", mixed)) is None

    def test_unknown_transform_is_a_sentence(self, planned):
        from ganbench.errors import ConfigError

        with pytest.raises(ConfigError, match=r"b.yaml:8:14: unknown transform 'haf'; did you"):
            planned(TEXT + "transforms: [haf]\n")

import pytest
import torch
from ganbench_feature_matching import FeatureMatching
from torch import nn

from ganbench import ContractError, DiscriminatorOutput, Scored, Step


class D(nn.Module):
    """Two layers whose outputs a pencil finds: 3x and 6x."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.second = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.first.weight.copy_(3 * torch.eye(2))
            self.second.weight.copy_(2 * torch.eye(2))
        self.asked = 0

    def forward(self, images, labels):
        self.asked += 1
        made = self.second(self.first(images.flatten(1)))
        return DiscriminatorOutput(made[:, 0], images.flatten(1))


REAL = [[1.0, 0.0], [3.0, 2.0]]  # means 2 and 1, variances 1 and 1
FAKE = [[0.0, 0.0], [2.0, 0.0]]  # means 1 and 0: gaps of 1 and 1


def matched(**options):
    network = D().requires_grad_(False)
    fake = torch.tensor(FAKE).reshape(2, 2, 1, 1).requires_grad_()
    scored = [Scored(x, None, network) for x in (torch.tensor(REAL).reshape(2, 2, 1, 1), fake)]
    step = Step(*scored, torch.zeros(2, 2), 0, lambda *a, **k: None, lambda z, y: z)
    (term,) = FeatureMatching(**options).generator_loss(step).values()
    term.backward()
    _ = step.real.logits, step.fake.logits
    return term.item(), network.asked, fake.grad


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"scale": "sum"}, 2.0),
        ({"scale": "mean"}, 1.0),
        ({"scale": "relative"}, 1.0),  # of variances of 1
        ({"scale": "relative", "weight": 5.0}, 5.0),
        ({"layers": ("first",)}, 2 * 3.0**2),
        ({"layers": ("first",), "scale": "mean"}, 3.0**2),
        ({"layers": ("first",), "scale": "relative"}, 1.0),
        ({"layers": ("second",), "scale": "relative"}, 1.0),
        ({"layers": ("first", "second")}, 2 * 3.0**2 + 2 * 6.0**2),
        ({"layers": ("*",), "scale": "relative"}, 2.0),  # a term for each layer
    ],
)
def test_layers_and_scales_by_pencil(options, value):
    found, asked, slope = matched(**options)
    assert found == pytest.approx(value)
    assert asked == 2  # once for reals and once for fakes, whatever is read of D
    assert slope.abs().sum() > 0


def test_relative_is_the_same_for_features_of_any_size():
    """6x where the first layer has 3x: the sum grows fourfold, the relative distance does not."""
    assert matched(layers=("second",))[0] == pytest.approx(4 * matched(layers=("first",))[0])
    assert matched(layers=("second",), scale="relative")[0] == pytest.approx(
        matched(layers=("first",), scale="relative")[0]
    )


def test_d_is_left_uncompiled_only_where_layers_are_asked_for():
    assert FeatureMatching(layers=("first",)).looks_ahead
    assert not FeatureMatching().looks_ahead


def test_a_layer_that_d_has_not_is_refused():
    with pytest.raises(ContractError, match="D has no layer 'third'; it has first, second"):
        matched(layers=("third",))

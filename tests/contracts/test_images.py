import pytest
import torch

from ganbench.contracts.images import quantise


@pytest.mark.parametrize(
    ("value", "pixel"),
    [(-1.0, 0), (1.0, 255), (0.0, 128), (1 / 255, 128), (-1 / 255, 127), (-1 + 2 / 255, 1)],
)
def test_quantise_rounds_to_the_nearest(value, pixel):
    assert quantise(torch.tensor([value])).tolist() == [pixel]


def test_quantise_clamps():
    found = quantise(torch.tensor([-1.5, 1.01, 300.0, -300.0]))
    assert found.dtype == torch.uint8
    assert found.tolist() == [0, 255, 255, 0]

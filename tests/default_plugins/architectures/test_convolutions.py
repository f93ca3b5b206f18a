"""The convolutions of our networks are PyTorch's, to rounding, also where a matrix product is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganbench.default_plugins.architectures import convolutions
from ganbench.default_plugins.architectures.convolutions import Conv2d, ConvTranspose2d

COUNT = 6  # images
LAYERS: list[tuple[type[nn.Module], tuple[int, int], tuple[Any, ...], dict[str, Any]]] = [
    (Conv2d, (7, 7), (5, 8, 3, 2, 1), {"bias": False}),
    (Conv2d, (8, 8), (5, 8, 4, 2, 1), {}),
    (Conv2d, (4, 4), (5, 8, 3, 1, 1), {}),
    (Conv2d, (9, 6), (5, 8, (5, 2), (2, 3), (2, 1)), {"bias": False}),
    (Conv2d, (8, 4), (5, 8, 1), {"bias": False}),
    (ConvTranspose2d, (4, 4), (5, 8, 3, 2, 1), {"bias": False}),
    (ConvTranspose2d, (4, 4), (5, 8, 4, 2, 1), {}),
    (ConvTranspose2d, (3, 3), (5, 8, 3, 2, 1, 1), {"bias": False}),
    (ConvTranspose2d, (2, 3), (5, 8, (4, 3), (3, 2), (1, 0)), {}),
]
CASES = [pytest.param(*layer, id=f"{layer[0].__name__}{layer[2]}") for layer in LAYERS]


@contextmanager
def bfloat16() -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16):
        yield


def pair(kind: type[nn.Module], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A layer of ours and PyTorch's own, of equal weights, channels-last."""
    torch.manual_seed(0)
    ours = kind(*arguments, **options).to(memory_format=torch.channels_last)
    theirs = kind.__base__(*arguments, **options).to(memory_format=torch.channels_last)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def maps(sides: tuple[int, int], channels: int = 5) -> Tensor:
    torch.manual_seed(1)
    drawn = torch.randn(COUNT, channels, *sides)
    return drawn.contiguous(memory_format=torch.channels_last).requires_grad_()


def first(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, and the gradients of a weighted sum of it."""
    y = layer(x).float()
    torch.manual_seed(2)
    return [y, *torch.autograd.grad((y * torch.randn_like(y)).sum(), [x, *layer.parameters()])]


def second(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """As a gradient penalty: of the squared gradient of the input, by the weights and input."""
    (g,) = torch.autograd.grad(layer(x).float().tanh().sum(), x, create_graph=True)
    return list(torch.autograd.grad(g.float().square().sum(), [x, layer.weight]))  # type: ignore[list-item]


def products(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each convolution that takes our way."""
    taken: list[object] = []
    own = convolutions._convolved

    def watched(layer: Any, x: Tensor) -> Tensor:
        taken.append(layer)
        return own(layer, x)

    monkeypatch.setattr(convolutions, "_convolved", watched)
    return taken


@pytest.mark.parametrize(("kind", "sides", "arguments", "options"), CASES)
@pytest.mark.parametrize("gradients", [first, second])
def test_gradients_are_pytorchs_to_rounding(
    gradients: Any,
    kind: type[nn.Module],
    sides: tuple[int, int],
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = pair(kind, arguments, options)
    exact = gradients(theirs.double(), maps(sides).double().detach().requires_grad_())
    taken = products(monkeypatch)
    with bfloat16():
        found = gradients(ours, maps(sides))
    assert len(taken) == 1
    for one, right in zip(found, exact, strict=True):
        assert one.shape == right.shape
        assert one.dtype == torch.float32
        error = (one.double() - right).norm() / right.norm()
        assert 0 < error < 0.02  # bfloat16 has 8 bits


@pytest.mark.parametrize(("kind", "sides", "arguments", "options"), CASES)
def test_the_forward_pass_is_pytorchs_to_the_bit(
    kind: type[nn.Module],
    sides: tuple[int, int],
    arguments: tuple[Any, ...],
    options: dict[str, Any],
) -> None:
    ours, theirs = pair(kind, arguments, options)
    with bfloat16():
        assert torch.equal(ours(maps(sides)), theirs(maps(sides)))


def test_all_other_cases_are_pytorchs_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = products(monkeypatch)
    ours, theirs = pair(Conv2d, (5, 8, 3, 2, 1), {})
    x, large = maps((7, 7)), maps((16, 16))

    for one, other in zip(first(ours, x), first(theirs, x), strict=True):  # in float32
        assert torch.equal(one, other)
    with bfloat16():
        for one, other in zip(first(ours, large), first(theirs, large), strict=True):
            assert torch.equal(one, other)
        with torch.no_grad():
            ours(x)
        ours(x.contiguous(memory_format=torch.contiguous_format))
        assert ours.double()(x.double()).dtype == torch.float64
    assert not taken


@pytest.mark.parametrize("frozen", ["input", "parameters"])
def test_what_is_frozen_gets_no_gradient(frozen: str) -> None:
    ours, theirs = pair(Conv2d, (5, 8, 3, 2, 1), {})
    x = maps((7, 7)).requires_grad_(frozen != "input")
    for layer in (ours, theirs):
        layer.requires_grad_(frozen != "parameters")
    with bfloat16():
        found = torch.autograd.grad(ours(x).float().square().sum(), wanted(ours, x))
        right = torch.autograd.grad(theirs(x).float().square().sum(), wanted(theirs, x))
    assert len(found) == (2 if frozen == "input" else 1)
    for one, other in zip(found, right, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02 * float(other.abs().max()))


def wanted(layer: nn.Module, x: Tensor) -> list[Tensor]:
    return [tensor for tensor in (x, *layer.parameters()) if tensor.requires_grad]


@pytest.mark.parametrize(
    "options", [{"padding": "same"}, {"dilation": 2}, {"groups": 5}, {"padding_mode": "circular"}]
)
def test_what_the_matrix_product_does_not_know_is_pytorchs(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = products(monkeypatch)
    ours, theirs = pair(Conv2d, (5, 10, 3), {"padding": 1, **options})
    with bfloat16():
        for one, other in zip(first(ours, maps((4, 4))), first(theirs, maps((4, 4))), strict=True):
            assert torch.equal(one, other)
    assert not taken


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("sides", [(7, 7), (16, 16)])
@pytest.mark.parametrize("autocast", [True, False])
def test_spectral_normalisation_takes_one_power_iteration(
    autocast: bool, sides: tuple[int, int], trained: bool
) -> None:
    ours, theirs = pair(Conv2d, (5, 8, 3, 2, 1), {"bias": False})
    for layer in (ours, theirs):
        torch.manual_seed(3)
        nn.utils.parametrizations.spectral_norm(layer)
        layer.requires_grad_(trained)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        one, other = ours(maps(sides)), theirs(maps(sides))
    assert torch.equal(one, other)
    for found, right in zip(ours.buffers(), theirs.buffers(), strict=True):
        assert torch.equal(found, right)
    if trained:
        one.float().square().sum().backward()
        other.float().square().sum().backward()
        found, right = (layer.parametrizations.weight.original.grad for layer in (ours, theirs))
        torch.testing.assert_close(found, right, rtol=0.02, atol=0.02 * float(right.abs().max()))

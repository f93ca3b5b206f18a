"""What would wait for a GPU, or mix devices, is told apart from what keeps to its device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganbench.testing.fixtures.meta_device import on_meta


@pytest.fixture
def images() -> Tensor:
    return torch.empty(4, 1, 8, 8, device="meta")


def test_what_keeps_to_the_device_passes(images: Tensor) -> None:
    with on_meta("it"):
        assert (images * torch.rand_like(images)).device.type == "meta"


@pytest.mark.parametrize("read", [Tensor.item, bool, Tensor.cpu], ids=lambda read: read.__name__)
def test_reading_a_value_back_is_named(images: Tensor, read) -> None:
    with (
        pytest.raises(AssertionError, match="it reads a tensor's values back"),
        on_meta("it"),
    ):
        read(images.sum())


def test_tensor_of_another_device_is_named(images: Tensor) -> None:
    with (
        pytest.raises(AssertionError, match="the loss makes a tensor on the CPU beside one of"),
        on_meta("the loss"),
    ):
        images + torch.rand(4, 1, 8, 8)


def test_operator_that_cannot_be_run_there_proves_nothing(images: Tensor) -> None:
    with on_meta("it"):
        raise NotImplementedError("no kernel for this device")


def test_other_errors_pass_through(images: Tensor) -> None:
    with pytest.raises(TypeError, match="view"), on_meta("it"):
        images.view("square")


def test_autocast_of_the_images_device_works_there(images: Tensor) -> None:
    with on_meta("it"), torch.autocast(images.device.type, torch.bfloat16):
        assert images.sum().device.type == "meta"

"""What the kernel is told about data that memory cannot hold."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganbench.training import readahead
from ganbench.util import machine

SIZE = 64 * mmap.PAGESIZE
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/smaps")


@pytest.fixture
def images(tmp_path: Path) -> Tensor:
    """Mapped from a file, copy on write, as data sets map theirs."""
    path = tmp_path / "images.u8"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    return torch.from_numpy(np.memmap(path, np.uint8, "c", shape=(SIZE // 256, 1, 16, 16)))


def read_at_random(values: Tensor) -> bool:
    """Whether the kernel has that flag on the memory where these values begin."""
    inside = False
    for line in Path("/proc/self/smaps").read_text("utf-8", "replace").splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            first, end = (int(part, 16) for part in head.split("-"))
            inside = first <= values.data_ptr() < end
        elif inside and head == "VmFlags:":
            return "rr" in line.split()
    raise AssertionError("these values are nowhere")


def test_pages_alone_are_read_while_data_that_memory_cannot_hold_is_drawn(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: SIZE)
    before = images.clone()
    with readahead.at_random(images[3:]):  # a view: all that its memory holds counts
        assert read_at_random(images)
        assert torch.equal(images, before)
    assert not read_at_random(images)


def test_the_advice_ends_with_a_training_that_fails(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: SIZE)
    with pytest.raises(ZeroDivisionError), readahead.at_random(images):
        raise ZeroDivisionError
    assert not read_at_random(images)


def test_what_is_judged_meanwhile_is_read_in_order(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: SIZE)
    with readahead.at_random(images):
        with readahead.in_order(images):
            assert not read_at_random(images)
        assert read_at_random(images)
    assert not read_at_random(images)


def test_a_kernel_that_takes_no_advice_is_told_of_and_training_goes_on(
    images: Tensor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: SIZE)
    monkeypatch.setattr(mmap, "MADV_RANDOM", 12345)
    with readahead.at_random(images):
        assert images.any()
    assert "takes no advice on how to read the images (Invalid argument)" in caplog.text


@pytest.mark.parametrize("memory", [None, 3 * SIZE])
def test_neighbours_are_read_where_there_is_room(
    images: Tensor, memory: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: memory)
    with readahead.at_random(images):
        assert not read_at_random(images)


@pytest.mark.parametrize(
    "values", [torch.zeros(SIZE), torch.zeros(1).expand(SIZE), torch.empty(0), torch.zeros(3)]
)
def test_what_is_no_file_stays_what_it_is(values: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: 0)
    with readahead.at_random(values):
        assert values.sum() == 0


def test_tensors_of_other_devices_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: 0)
    with readahead.at_random(torch.empty(SIZE, device="meta")):
        pass

"""What is told of GPUs, with stand-ins for what torch says of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from ganbench.records.results import Gpu
from ganbench.records.windows import Timings
from ganbench.util import gpus, machine

GIB = 2**30
DRIVER = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""


@pytest.fixture
def card(monkeypatch, tmp_path):
    """Two cards of 80 GiB, of which this process holds one GiB each."""
    told = tmp_path / "version"
    told.write_text(DRIVER, encoding="utf-8")
    about = SimpleNamespace(name="Card", major=9, minor=0, total_memory=80 * GIB, uuid="u-1")
    monkeypatch.setattr(gpus, "DRIVER", told)
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", "cuda:0", "cuda:1"])
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: about)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (78 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: GIB)
    return monkeypatch


def test_a_gpu_is_described_as_records_hold_it(card):
    found = Gpu(**gpus.described("cuda:0"))
    assert (found.uuid, found.name, found.capability) == ("u-1", "Card", "9.0")
    assert (found.memory_bytes, found.driver, found.cuda) == (80 * GIB, "550.54.15", "13.0")
    assert found.flags["deterministic"] is False
    assert gpus.described("cpu") is None
    assert gpus.described("mps") is None


def test_a_driver_that_tells_nothing_is_empty(monkeypatch, tmp_path):
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "gone")
    assert gpus.driver() == ""


def test_peaks_tell_the_device_and_the_host_apart(monkeypatch):
    forgotten = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", forgotten.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 9)
    gpus.forget_peaks("cpu")
    assert forgotten == []
    gpus.forget_peaks("cuda:1")
    assert forgotten == ["cuda:1"]
    found = Timings(**gpus.peaks("cuda:1"))
    assert (found.peak_memory_bytes, found.peak_reserved_bytes) == (7, 9)
    assert found.peak_host_bytes == machine.peak_memory()
    assert gpus.peaks("cpu") == {"peak_memory_bytes": machine.peak_memory()}


def test_a_device_that_computes_has_no_fault_and_one_that_cannot_says_why(monkeypatch):
    assert gpus.fault("cpu") is None
    assert "nowhere" in gpus.fault("nowhere")
    monkeypatch.setattr(torch, "arange", lambda *size, **how: torch.ones(4))
    assert gpus.fault("cpu") == "0² + 1² + 2² + 3² is 4 there"


def test_idle_and_busy_gpus_are_told(card):
    (idle,) = gpus.remarks()
    assert idle.startswith("2 GPUs are here, and a run that measures speed uses one unless it is")
    card.setattr(torch.cuda, "mem_get_info", lambda device: (40 * GIB, 80 * GIB))
    first, second, _ = gpus.remarks()
    assert first.startswith("cuda:0 is used by other programs (39.0 of 80.0 GiB)")
    assert second.startswith("cuda:1 ")
    card.setattr(machine, "devices", lambda: ["cpu", "cuda:0"])
    assert len(list(gpus.remarks())) == 1


def test_a_gpu_is_busy_that_others_hold_or_that_lets_nobody_in(card):
    assert not gpus.is_busy("cuda:0")

    def refuse(device):
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable")

    card.setattr(torch.cuda, "mem_get_info", refuse)
    assert gpus.is_busy("cuda:0")
    first, *_ = gpus.remarks()
    assert first == "cuda:0 is used by other programs: timings will suffer"


def test_what_this_program_needs_itself_makes_no_small_gpu_busy(card):
    card.setattr(torch.cuda, "mem_get_info", lambda device: (2.2 * GIB, 4 * GIB))
    assert not gpus.is_busy("cuda:0")
    card.setattr(torch.cuda, "mem_get_info", lambda device: (1.8 * GIB, 4 * GIB))
    assert gpus.is_busy("cuda:0")


def test_a_torch_without_cuda_beside_a_gpu_is_told(card, tmp_path):
    card.setattr(machine, "devices", lambda: ["cpu"])
    assert list(gpus.remarks()) == []
    card.setattr(torch.version, "cuda", None)
    (told,) = gpus.remarks()
    assert "this torch was built without CUDA" in told
    card.setattr(gpus, "DRIVER", tmp_path / "gone")
    card.setenv("PATH", str(tmp_path))
    assert list(gpus.remarks()) == []

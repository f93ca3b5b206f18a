"""Cores, devices and precision, as they are resolved on machines that are not this one."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ganbench.errors import ConfigError
from ganbench.util import machine


@pytest.fixture
def system(monkeypatch):
    """Files of /proc and /sys as a test wants them."""
    texts: dict[str, str] = {}
    for name in ("_text", "_now"):
        monkeypatch.setattr(machine, name, lambda path: texts.get(str(path), ""))
    return texts


@pytest.fixture
def gpus(monkeypatch):
    def gpus(cuda: int, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return gpus


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 1),
        ("50000 100000", 1),  # never none at all
        ("6400000 100000", 16),  # never more than there are
        ("max 100000", 16),
        ("", 16),
    ],
)
def test_cores_are_capped_by_the_containers_quota(monkeypatch, system, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    system["/sys/fs/cgroup/cpu.max"] = quota
    assert machine.cores() == cores


def test_cores_are_those_of_the_affinity(monkeypatch, system):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert machine.cores() == 3


@pytest.mark.parametrize(
    ("files", "megabytes"),
    [
        ({}, 8000),
        ({"/sys/fs/cgroup/memory.max": "1500000000\n"}, 1500),  # a container's
        ({"/sys/fs/cgroup/memory.max": "max\n"}, 8000),
        ({"/sys/fs/cgroup/memory.max": "9000000000\n"}, 8000),  # more than there is
        (
            {
                "/proc/self/cgroup": "0::/user/one\n",
                "/sys/fs/cgroup/user/one/memory.max": "700000000\n",
            },
            700,
        ),
        (  # of a group above
            {
                "/proc/self/cgroup": "0::/job/step/task\n",
                "/sys/fs/cgroup/job/memory.max": "600000000\n",
                "/sys/fs/cgroup/job/step/task/memory.max": "max\n",
            },
            600,
        ),
        (
            {
                "/proc/self/cgroup": "5:cpu:/other\n4:memory,hugetlb:/mine\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "/sys/fs/cgroup/memory/mine/memory.limit_in_bytes": "900000000\n",
            },
            900,
        ),
    ],
)
def test_memory_is_capped_by_control_groups(monkeypatch, system, files, megabytes):
    pages = {"SC_PAGE_SIZE": 4000, "SC_PHYS_PAGES": 2_000_000}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    system.update(files)
    assert machine.memory_bytes() == megabytes * 10**6


def test_memory_is_unknown_where_no_one_says(monkeypatch, system):
    monkeypatch.delattr(os, "sysconf")
    assert machine.memory_bytes() is None


GROUP = "/sys/fs/cgroup/job"
FREE = {"/proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 5000 kB\n"}
IN_JOB = FREE | {"/proc/self/cgroup": "0::/job\n", f"{GROUP}/memory.max": "4000000\n"}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        (FREE, 5_120_000),
        (IN_JOB | {f"{GROUP}/memory.current": "1000000\n"}, 3_000_000),
        (IN_JOB | {f"{GROUP}/memory.current": "4100000\n"}, 0),
        (
            IN_JOB
            | {
                f"{GROUP}/memory.current": "3900000\n",
                f"{GROUP}/memory.stat": "anon 1\ninactive_file 500000\nactive_file 9\n",
            },
            600_000,
        ),
        (IN_JOB | {f"{GROUP}/memory.max": "max\n", f"{GROUP}/memory.current": "7\n"}, 5_120_000),
        (
            {
                "/proc/self/cgroup": "4:memory:/mine\n",
                "/sys/fs/cgroup/memory/mine/memory.limit_in_bytes": "900000\n",
                "/sys/fs/cgroup/memory/mine/memory.usage_in_bytes": "800000\n",
                "/sys/fs/cgroup/memory/mine/memory.stat": "inactive_file 1\n"
                "total_inactive_file 50000\n",
            },
            150_000,
        ),
    ],
)
def test_free_memory_is_what_control_groups_leave(system, files, free):
    system.update(files)
    assert machine.free_memory_bytes() == free


def test_free_memory_is_all_where_only_that_is_known(monkeypatch, system):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4000, "SC_PHYS_PAGES": 1000}.__getitem__)
    assert machine.free_memory_bytes() == 4_000_000
    monkeypatch.delattr(os, "sysconf")
    assert machine.free_memory_bytes() is None


def test_cores_without_affinity_are_all(monkeypatch, system):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1


def test_peak_memory_is_not_known_where_nothing_counts_it(monkeypatch):
    found = machine.peak_memory()
    assert found is None or found > 1e6
    monkeypatch.setattr(machine.sys, "platform", "win32")
    assert machine.peak_memory() is None


@pytest.mark.parametrize(
    ("cuda", "mps", "device"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda:0")]
)
def test_auto_is_a_gpu_where_there_is_one(gpus, cuda, mps, device):
    gpus(cuda, mps)
    assert machine.resolve_device("auto") == device


def test_every_device_can_be_asked_for_by_name(gpus):
    gpus(2, mps=True)
    assert machine.devices() == ["cpu", "cuda:0", "cuda:1", "mps"]
    for asked in machine.devices():
        assert machine.resolve_device(asked) == asked
    assert machine.resolve_device("cuda") == "cuda:0"


@pytest.mark.parametrize("asked", ["cuda", "cuda:0", "mps"])
def test_device_that_is_not_here_is_a_sentence(gpus, asked):
    gpus(0)
    with pytest.raises(ConfigError) as caught:
        machine.resolve_device(asked)
    assert str(caught.value) == f"--device {asked}: not on this machine, which has cpu"


def test_gpu_of_too_high_a_number_lists_those_that_are_here(gpus):
    gpus(2)
    with pytest.raises(ConfigError, match=r"cuda:2: not on .*, which has cpu, cuda:0, cuda:1$"):
        machine.resolve_device("cuda:2")


@pytest.mark.parametrize(
    ("device", "capability", "there"), [("cuda:0", (8, 6), True), ("cuda:0", (7, 5), False)]
)
def test_tf32_is_refused_where_there_is_none(monkeypatch, device, capability, there) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    if there:
        assert machine.resolve_precision("tf32", device) == "tf32"
    for one in ("cpu", "mps", *(() if there else (device,))):
        with pytest.raises(ConfigError, match=f"tf32 is of NVIDIA's .* planned for {one}; use"):
            machine.resolve_precision("tf32", one)


@pytest.mark.parametrize("asked", ["gpu", "", "CPU", "cuda:", "cuda:x", "cpu:0"])
def test_unknown_device_is_a_sentence(asked):
    with pytest.raises(ConfigError, match=f"--device {asked}: expected auto, cpu, cuda, cuda:N or"):
        machine.resolve_device(asked)


@pytest.mark.parametrize("fast", [True, False])
def test_auto_precision_is_bfloat16_on_cpus_with_matrix_units(system, fast):
    system["/proc/cpuinfo"] = f"flags\t\t: avx2 {'amx_bf16 amx_tile' if fast else 'avx512_bf16'}\n"
    assert machine.resolve_precision("auto", "cpu") == ("bfloat16" if fast else "float32")
    said = "bfloat16, as this CPU has" if fast else "float32, as this CPU has no"
    assert machine.auto_precision("cpu") == f"{said} matrix units for bfloat16 (AMX)"


@pytest.mark.parametrize("native", [True, False])
def test_auto_precision_on_a_gpu_asks_for_bfloat16_without_emulation(monkeypatch, native):
    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    monkeypatch.setattr(torch.cuda, "device", lambda device: asked.append(device) or nullcontext())
    assert machine.resolve_precision("auto", "cuda:0") == ("bfloat16" if native else "float32")
    said = "bfloat16, as this GPU has" if native else "float32, as this GPU has no"
    assert machine.auto_precision("cuda:0") == f"{said} arithmetic units for bfloat16"
    assert set(asked) == {"cuda:0"}


def test_precision_asked_for_is_kept(system):
    for asked in ("float32", "bfloat16"):
        assert machine.resolve_precision(asked, "cpu") == asked
        assert machine.resolve_precision(asked, "mps") == asked
    assert machine.resolve_precision("auto", "mps") == "float32"
    assert machine.auto_precision("mps") == "float32, as bfloat16 is not tried on mps"


def test_gpu_has_its_own_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Fake {device}")
    assert machine.device_name("cuda:1") == "Fake cuda:1"
    assert machine.device_name("cpu") == machine.cpu_name()


def test_processor_is_named_by_the_system(monkeypatch, system):
    system["/proc/cpuinfo"] = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nflags\t: x\n"
    assert machine.cpu_name.__wrapped__() == "A Processor @ 2 GHz"


def test_free_disk_of_a_folder_to_come_is_that_of_its_parent(tmp_path: Path, monkeypatch):
    asked = []

    def usage(path):
        asked.append(path)
        return SimpleNamespace(free=42)

    monkeypatch.setattr(machine.shutil, "disk_usage", usage)
    assert machine.free_disk_bytes(tmp_path / "a" / "b") == 42
    assert asked == [tmp_path]


def test_description_is_what_records_carry():
    found = machine.describe()
    assert found["cores"] >= 1
    assert found["memory_bytes"] is None or found["memory_bytes"] > 2**27
    assert (found["device"], found["device_name"]) == ("cpu", found["cpu"])

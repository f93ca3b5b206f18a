"""`ganbench doctor`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from ganbench.cli import options
from ganbench.cli.output import print_json
from ganbench.util.messages import counted

LOW_DISK = 2e9


@click.command("doctor")
@options.as_json
def command(as_json: bool) -> int:
    """Show versions, device, threads, cores, disk, data, plugins, and what would be slow.

    Exit code 2 where a plugin cannot be loaded, a data set is damaged or the device does not
    compute.
    """
    found = examine()
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 2 if found["problems"] else 0


def examine() -> dict[str, Any]:
    """Return what the command shows, as JSON has it."""
    from dataclasses import asdict
    from pathlib import Path

    import torch

    import ganbench
    from ganbench.cli.commands.datasets import described
    from ganbench.registry import registry
    from ganbench.runs import neighbours, provenance
    from ganbench.util import downloads, files, gpus, machine

    device = machine.resolve_device("auto")
    plugins = registry.load()
    datasets = [described(plugins, name, files.data()) for name in plugins.names("dataset")]
    found: dict[str, Any] = {
        "versions": {
            "ganbench": ganbench.__version__,
            **{name: provenance.version(name) for name in provenance.PACKAGES},
        },
        "machine": asdict(provenance.hardware(device)),
        "devices": machine.devices(),
        "device_fault": gpus.fault(device),
        "gpus": list(gpus.remarks()),
        "precision": machine.resolve_precision("auto", device),
        "threads": {
            "torch": torch.get_num_threads(),
            "cores": machine.cores(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
            "beside_others": neighbours.how_threads_wait(),
        },
        "folders": {
            "cache": str(files.cache()),
            "data": str(files.data()),
            "free_bytes": {
                "cache": machine.free_disk_bytes(files.cache()),
                "here": machine.free_disk_bytes(Path.cwd()),
            },
        },
        "offline": downloads.offline(),
        "datasets": datasets,
        "plugins": {
            "count": len(plugins.entries()),
            "distributions": sorted({str(e.source) for e in plugins.entries()}),
        },
        "failures": [{"source": str(f.source), "error": f.reason} for f in plugins.failures],
    }
    return {**found, "problems": list(_problems(found)), "slow": list(_slow(found))}


def _problems(found: dict[str, Any]) -> Iterator[str]:
    if why := found["device_fault"]:
        yield (
            f"{found['machine']['device']} does not compute ({why}): install a torch that is built "
            "for it, or run with --device cpu"
        )
    for failure in found["failures"]:
        yield f"plugin of {failure['source']} cannot be loaded: {failure['error']}"
    for dataset in found["datasets"]:
        if dataset["verified"] is False:
            yield f"data set {dataset['name']} is damaged: {dataset['note']}"


def _slow(found: dict[str, Any]) -> Iterator[str]:
    """Yield what would make runs slow or spoil their timings, and what to do."""
    cores, threads = found["threads"]["cores"], found["threads"]["torch"]
    here = counted(cores, "core")
    if found["machine"]["device"] == "cpu":
        yield "no GPU: training runs on the CPU; keep to small images and budgets"
        if found["precision"] == "float32":
            yield "no bfloat16 matrix units (AMX) in this CPU: float32 is used, as the faster one"
    yield from found["gpus"]
    if threads < cores:
        yield f"torch uses {threads} of {cores} cores: OMP_NUM_THREADS limits it"
    if threads > cores:
        yield f"torch uses {threads} threads on {here}: set OMP_NUM_THREADS={cores}"
    load = found["machine"]["load_average"]
    if load is not None and load > 0.5 * cores:
        yield f"the machine is busy (load average {load:.1f} on {here}): timings will suffer"
    for name, free in found["folders"]["free_bytes"].items():
        if free < LOW_DISK:
            yield f"only {free / 1e9:.1f} GB free for {name}"


def _print(found: dict[str, Any]) -> None:
    machine, threads = found["machine"], found["threads"]
    print("versions:  " + ", ".join(f"{k} {v}" for k, v in found["versions"].items() if v))
    print(f"device:    {machine['device']} ({machine['device_name']}); {found['precision']}")
    if len(found["devices"]) > 1:
        print(f"           of {', '.join(found['devices'])}")
    memory = machine["memory_bytes"]
    size = f", {memory / 2**30:.1f} GiB for this process" if memory else ""
    print(f"machine:   {machine['platform']}, {counted(threads['cores'], 'core')}{size}")
    print(f"threads:   {threads['torch']}; {threads['beside_others']}")
    for name in ("cache", "data"):
        print(f"{name + ':':10} {found['folders'][name]}")
    print(f"disk:      {found['folders']['free_bytes']['here'] / 1e9:.0f} GB free here")
    print("downloads: " + ("forbidden by GANBENCH_OFFLINE" if found["offline"] else "allowed"))
    for dataset in found["datasets"]:
        print(f"data:      {dataset['name']}: {dataset['state']}")
    plugins = found["plugins"]
    print(f"plugins:   {plugins['count']} of {', '.join(plugins['distributions'])}")
    for title, lines in (("problems", found["problems"]), ("slow", found["slow"])):
        print(f"{title}:" + ("" if lines else " none"))
        for line in lines:
            print(f"  - {line}")

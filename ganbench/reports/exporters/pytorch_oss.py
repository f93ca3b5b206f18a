"""Records of version 3 of the PyTorch OSS benchmark database, every seed's value in them."""

from __future__ import annotations

from typing import Any

from ganbench.reports.exporters.named_measurements import (
    Export,
    NamedMeasurements,
    Number,
    line,
    setting,
    strict_array,
)


def export(source: NamedMeasurements) -> Export:
    """Return one file with a record for each number of each cell."""
    platform = {key: line(value) for key, value in source.measurements.platform.items()}
    shared = {**_runners(platform), **_dependencies(platform)}
    return Export((strict_array({**_record(source, n), **shared} for n in source.numbers),))


def _record(source: NamedMeasurements, number: Number) -> dict[str, Any]:
    cell, column = number.measured, number.column
    return {
        "benchmark": {
            "name": "ganbench",
            "mode": "training",
            "dtype": str(setting(cell, "schedule", "precision") or ""),
            "extra_info": _texts(suite=source.name, dataset=cell.dataset),
        },
        "model": {
            "name": number.cell,
            "type": "gan",
            "backend": "eager",
            "origins": ["ganbench"],
            "extra_info": _texts(cell=cell.id),
        },
        "metric": {
            "name": number.metric,
            "benchmark_values": list(number.values.values()),
            "extra_info": _texts(
                direction=column.direction,
                unit=column.unit,
                kind=column.kind,
                seeds=",".join(map(str, number.values)),
                protocol=number.protocol,
            ),
        },
    }


def _texts(**values: str) -> dict[str, str]:
    """As the database's maps are: of text alone, what is empty left out."""
    return {key: line(value) for key, value in values.items() if value}


def _runners(platform: dict[str, str]) -> dict[str, Any]:
    """Where the platform is unknown the uploader fills in its own."""
    if "device" not in platform:
        return {}
    extra = {key: platform[key] for key in ("threads",) if key in platform}
    return {"runners": [{"type": platform["device"], "extra_info": extra}]}


def _dependencies(platform: dict[str, str]) -> dict[str, Any]:
    found = {key: {"version": platform[key]} for key in ("torch", "python") if key in platform}
    return {"dependencies": found} if found else {}

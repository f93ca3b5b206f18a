"""Samples judged in this process, for notebooks: values with their protocols, and no folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ganbench.config.choices import DatasetChoice
from ganbench.errors import ConfigError, DataError, GanbenchError
from ganbench.records.results import TrialResult
from ganbench.records.run_folder import Trial
from ganbench.registry import registry
from ganbench.runs import control_trial, evaluating
from ganbench.runs.clock import Clock
from ganbench.runs.evaluating import METRICS, Asked
from ganbench.runs.outside import Reading
from ganbench.util import machine
from ganbench.util.messages import shown
from ganbench.util.process_settings import as_in_a_new_process


def evaluate(
    samples: str | Path | Tensor | NDArray[Any],
    data: str | Mapping[str, Any] | None = None,
    metrics: Sequence[str] = METRICS,
    *,
    labels: ArrayLike | Tensor | None = None,
    count: int | None = None,
    judge: str | None = None,
    options: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    device: str = "auto",
    allow_other_versions: bool = False,
) -> TrialResult:
    """Judge samples beside real images, and return the values of metrics with their protocols.

    The samples are those that `ganbench evaluate` takes, or a tensor or array of images, with
    channels first or last, of bytes or of numbers from 0 to 1 or from -1 to 1; `labels` are their
    classes. `data` is a data set as a benchmark file names it, `"mnist"` or `{"name":
    "image-folder", "path": …}`; None: a trained model's own. `options` say how samples are read,
    as `{"range": [0, 1]}`; the other arguments are the options of `ganbench evaluate`.

    Nothing is trained, and no folder is written. In the result, `metrics` has a value for each
    column, or the reason why there is none, and `protocols` what decided it, by the value's
    `protocol`; a metric that raised is in `errors`. Raises GanbenchError where the samples cannot
    be judged beside the data, and says what differs.
    """
    found = registry.load(plugins)
    wanted = tuple(metrics.split(",")) if isinstance(metrics, str) else tuple(metrics)
    where = machine.resolve_device(device)
    reading = Reading(found, tuple(plugins), where, allow_other_versions)
    with as_in_a_new_process(), _placed(samples, labels) as (path, folder):
        dataset = evaluating.own_data(path, found) if data is None else _chosen(data)
        asked = Asked(path, dataset, wanted, "samples", count, dict(options or {}), (), judge)
        plan = evaluating.prepare(asked, reading).plan
        (row,) = plan.references
        threads = torch.get_num_threads()
        trial = Trial(None, row, 0, plan.device, threads, alone=False, plugins=tuple(plugins))
        built = [found.build_spec(spec) for spec in row.metrics]
        return control_trial.measured(trial, row, built, found, folder, Clock(), lambda one: None)


def _chosen(data: str | Mapping[str, Any]) -> DatasetChoice:
    try:
        return DatasetChoice.model_validate(data)
    except pydantic.ValidationError as error:
        raise ConfigError(
            f"data: expected a data set's name, or a mapping with a name and options, found "
            f"{shown(data)}"
        ) from error


@contextmanager
def _placed(
    samples: str | Path | Tensor | NDArray[Any], labels: ArrayLike | Tensor | None
) -> Iterator[tuple[Path, Path]]:
    """Give the path of the samples, for arrays that of a file, and a folder of passing use."""
    with tempfile.TemporaryDirectory(prefix="ganbench-evaluate-") as folder:
        if isinstance(samples, str | Path):
            if labels is not None:
                raise ConfigError(
                    f"labels: of {samples} they are read from its folders or arrays; options may "
                    "say which"
                )
            yield Path(samples).expanduser(), Path(folder)
            return
        path = Path(folder) / "samples.npz"
        images = _array(samples, "samples")
        if labels is None:
            np.savez(path, images=images)
        else:
            np.savez(path, images=images, labels=_array(labels, "labels"))
        try:
            yield path, Path(folder)
        except GanbenchError as error:  # of which nobody knows the file
            raise type(error)(str(error).replace(f"{path}", "samples")) from error


def _array(values: Any, what: str) -> NDArray[Any]:
    """Return a tensor or array on the CPU, of a type that files of arrays have."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    found = np.asarray(values)
    if found.dtype.kind not in "biufUS":
        raise DataError(
            f"{what}: expected a path, a tensor or an array of numbers, found "
            f"{type(values).__name__}"
        )
    return found

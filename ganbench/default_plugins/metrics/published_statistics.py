"""Fréchet distances to statistics that others have published."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench import Column, DataError, Evaluation, Metric, Moments, Unavailable, hookimpl
from ganbench.default_plugins.metrics.frechet import fake_moments, frechet_distance

SPATIAL = {"mu_s", "sigma_s"}  # beside the others in files of guided-diffusion's evaluation
CLOSE = 1e-6  # of the largest value, by which a covariance may be no mirror of itself


@dataclass(kw_only=True)
class FIDToStatistics(Metric):
    """Fréchet distance to a mean `mu` and a covariance `sigma` from a .npz file.

    Such files come with pytorch-fid, TTUR and guided-diffusion (ADM). Whose they are is no more
    than what `whose` says, or the file's arrays: of how their images were resized, and of how many
    they are, such files tell nothing.
    """

    name = "fid-to-statistics"
    path: str
    features: str = "inception"  # the extractor that they are of
    whose: str | None = None  # null: by the arrays in the file

    def __post_init__(self) -> None:
        if not self.path.endswith(".npz"):
            raise ValueError(f"path must end in .npz, found {self.path}")

    @property
    def columns(self) -> tuple[Column, ...]:
        setting = Path(self.path).stem.replace("[", "(").replace("]", ")")
        return (Column(f"fid@{self.features}[{setting}]", "", "min", digits=4),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        mean, covariance, _ = self._statistics
        fake = fake_moments(evaluation.features(self.features).embedding)
        if fake.mean.shape != mean.shape:
            raise Unavailable(
                f"{self.path}: statistics of {len(mean):,} features, and {self.features} has "
                f"{len(fake.mean):,}"
            )
        real = Moments(0, mean, covariance)
        return {self.columns[0].name: frechet_distance(real, fake)}

    def protocol(self) -> dict[str, Any]:
        about: dict[str, Any] = {"metric": self.name, "version": self.version}
        try:
            mean, covariance, names = self._statistics
        except DataError as error:
            return {**about, "statistics": str(error)}
        content = mean.numpy().tobytes() + covariance.numpy().tobytes()
        return {
            **about,
            "features": self.features,
            "statistics": {
                "sha256": hashlib.sha256(content).hexdigest(),
                "whose": self.whose or _whose(names),
                "features": len(mean),
                "images": "not told",
                "resize": "not told",
            },
        }

    @cached_property
    def _statistics(self) -> tuple[Tensor, Tensor, frozenset[str]]:
        """Return mean (F,), covariance (F, F) in float64, and what else is there by name."""
        path = Path(os.path.expanduser(self.path))
        try:
            with np.load(path, allow_pickle=False) as found:
                names = frozenset(found.files)
                if not {"mu", "sigma"} <= names:
                    raise DataError(
                        f"{path}: expected arrays mu and sigma, found {', '.join(sorted(names))}"
                    )
                mean, covariance = (
                    torch.from_numpy(np.asarray(found[name], np.float64))
                    for name in ("mu", "sigma")
                )
        except DataError:
            raise
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error
        except Exception as error:  # of any kind: of zip, of headers, of objects in it
            why = "holds Python objects" if "pickle" in str(error) else str(error).splitlines()[0]
            raise DataError(f"{path}: cannot be read: {why}") from error
        if why := _unfit(mean, covariance):
            raise DataError(f"{path}: {why}")
        return mean, covariance, names


def _unfit(mean: Tensor, covariance: Tensor) -> str:
    """Return why these are no mean and covariance; "" where they are."""
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        shapes = f"{tuple(mean.shape)} and {tuple(covariance.shape)}"
        return f"expected mu (F,) and sigma (F, F), found {shapes}"
    if not (mean.isfinite().all() and covariance.isfinite().all()):
        return "mu or sigma has a value that is NaN or infinite"
    if (covariance - covariance.T).abs().max() > CLOSE * covariance.abs().max():
        return "sigma is no covariance: it is not symmetric"
    return ""


def _whose(names: frozenset[str]) -> str:
    return "ADM (guided-diffusion)" if names >= SPATIAL else "pytorch-fid or TTUR, not told which"


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(FIDToStatistics)

"""The example packages and what each brings, so that a name that is missing finds its package."""

from __future__ import annotations

PACKAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "ganbench-acgan": {"conditioning": ("acgan",)},
    "ganbench-csv-log": {"callback": ("csv-log",)},
    "ganbench-dask": {"executor": ("dask",)},
    "ganbench-diffaugment": {"transform": ("diffaugment",)},
    "ganbench-dragan": {"loss": ("dragan",)},
    "ganbench-feature-matching": {"loss": ("feature-matching",)},
    "ganbench-hf-datasets": {"dataset": ("hf-datasets",)},
    "ganbench-hinge": {"loss": ("hinge",)},
    "ganbench-lecam": {"loss": ("lecam",)},
    "ganbench-mlflow": {"callback": ("mlflow",), "reporter": ("mlflow",)},
    "ganbench-mode-seeking": {"loss": ("mode-seeking",)},
    "ganbench-pacgan": {"transform": ("pacgan",), "architecture": ("pacgan-mlp",)},
    "ganbench-r3gan": {"loss": ("rpgan", "r1", "r2"), "architecture": ("r3gan",)},
    "ganbench-ragan": {"loss": ("ragan",)},
    "ganbench-ray": {"executor": ("ray",)},
    "ganbench-submitit": {"executor": ("submitit",)},
    "ganbench-tensorboard": {"callback": ("tensorboard",), "reporter": ("tensorboard",)},
    "ganbench-trackio": {"callback": ("trackio",), "reporter": ("trackio",)},
    "ganbench-wandb": {"callback": ("wandb",), "reporter": ("wandb",)},
    "ganbench-wgan-clip": {"loss": ("wgan-clip",)},
}
"""By package, in ganbench's folder `plugins`: the names it brings, by kind."""


def installable(kind: str) -> dict[str, str]:
    """Return the names of a kind that could be installed, each with its package."""
    return {name: package for package, brings in PACKAGES.items() for name in brings.get(kind, ())}

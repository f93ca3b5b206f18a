"""The example packages and what each brings, so that a name that is missing finds its package."""

from __future__ import annotations

PACKAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "ganbench-acgan": {"conditioning": ("acgan",)},
    "ganbench-ada": {"transform": ("ada",), "loss": ("apa",)},
    "ganbench-bigan": {"loss": ("bigan",)},
    "ganbench-biggan": {
        "architecture": ("sagan", "biggan", "biggan-deep"),
        "conditioning": ("shared-projection",),
    },
    "ganbench-consistency": {"loss": ("cr", "bcr", "zcr")},
    "ganbench-contrastive": {
        "conditioning": ("contragan", "reacgan", "tac", "adc"),
        "loss": ("multi-hinge",),
    },
    "ganbench-csv-log": {"callback": ("csv-log",)},
    "ganbench-dask": {"executor": ("dask",)},
    "ganbench-diffaugment": {"transform": ("diffaugment",)},
    "ganbench-diffusion": {"transform": ("diffusion",)},
    "ganbench-divergences": {"loss": ("f-gan", "wgan-lp", "wgan-div", "fisher")},
    "ganbench-dragan": {"loss": ("dragan",)},
    "ganbench-energy": {"loss": ("ebgan", "began")},
    "ganbench-feature-matching": {"loss": ("feature-matching",)},
    "ganbench-gngan": {"loss": ("gradient-normalised",)},
    "ganbench-hf-datasets": {"dataset": ("hf-datasets",)},
    "ganbench-hinge": {"loss": ("hinge",)},
    "ganbench-infogan": {"conditioning": ("infogan",), "loss": ("infogan",)},
    "ganbench-lecam": {"loss": ("lecam",)},
    "ganbench-logan": {"loss": ("logan",)},
    "ganbench-mgan": {"conditioning": ("mgan",)},
    "ganbench-mlflow": {"callback": ("mlflow",), "reporter": ("mlflow",)},
    "ganbench-mode-seeking": {"loss": ("mode-seeking",)},
    "ganbench-pacgan": {"transform": ("pacgan",), "architecture": ("pacgan-mlp",)},
    "ganbench-progressive": {"architecture": ("progressive", "spread-mlp"), "loss": ("drift",)},
    "ganbench-r3gan": {"loss": ("rpgan", "r1", "r2"), "architecture": ("r3gan",)},
    "ganbench-ragan": {"loss": ("ragan",)},
    "ganbench-ray": {"executor": ("ray",)},
    "ganbench-ssgan": {"loss": ("rotations",)},
    "ganbench-stylegan2": {
        "architecture": ("stylegan2",),
        "loss": ("path-length", "style-mixing"),
    },
    "ganbench-stylegan3": {"architecture": ("stylegan3",)},
    "ganbench-submitit": {"executor": ("submitit",)},
    "ganbench-tensorboard": {"callback": ("tensorboard",), "reporter": ("tensorboard",)},
    "ganbench-topk": {"loss": ("top-k",)},
    "ganbench-trackio": {"callback": ("trackio",), "reporter": ("trackio",)},
    "ganbench-unrolled": {"loss": ("unrolled",)},
    "ganbench-wandb": {"callback": ("wandb",), "reporter": ("wandb",)},
    "ganbench-wgan-clip": {"loss": ("wgan-clip",)},
}
"""By package, in ganbench's folder `plugins`: the names it brings, by kind."""


def installable(kind: str) -> dict[str, str]:
    """Return the names of a kind that could be installed, each with its package."""
    return {name: package for package, brings in PACKAGES.items() for name in brings.get(kind, ())}

"""The hooks of the plugin group `ganbench`.

Each is called with a function to hand classes to, one plugin at a time:

    @hookimpl
    def register_losses(register):
        register(MyLoss)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ganbench.contracts.architectures import Architecture
    from ganbench.contracts.callbacks import Callback
    from ganbench.contracts.conditionings import Conditioning
    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.executors import Executor
    from ganbench.contracts.feature_extractors import FeatureExtractor
    from ganbench.contracts.losses import Loss
    from ganbench.contracts.metrics import Metric
    from ganbench.contracts.reporters import Reporter
    from ganbench.contracts.transforms import Transform

PROJECT = "ganbench"
API_VERSION = 1
"""Of the hooks and contracts. A plugin may say which it is written for: `GANBENCH_API = 1`."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    """Register losses and regularizers: call `register(MyLoss)` for each."""


@hookspec
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    """Register conditioning methods: call `register(MyConditioning)` for each."""


@hookspec
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    """Register architectures: call `register(MyArchitecture)` for each."""


@hookspec
def register_transforms(register: Callable[[type[Transform]], None]) -> None:
    """Register transforms of what D sees: call `register(MyTransform)` for each."""


@hookspec
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    """Register data sets: call `register(MyDataset)` for each."""


@hookspec
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    """Register feature extractors: call `register(MyExtractor)` for each."""


@hookspec
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    """Register metrics: call `register(MyMetric)` for each."""


@hookspec
def register_reporters(register: Callable[[type[Reporter]], None]) -> None:
    """Register reporters: call `register(MyReporter)` for each."""


@hookspec
def register_executors(register: Callable[[type[Executor]], None]) -> None:
    """Register executors: call `register(MyExecutor)` for each."""


@hookspec
def register_callbacks(register: Callable[[type[Callback]], None]) -> None:
    """Register callbacks that follow trials: call `register(MyCallback)` for each."""


KINDS = {
    "loss": ("register_losses", "ganbench.contracts.losses", "Loss"),
    "conditioning": ("register_conditionings", "ganbench.contracts.conditionings", "Conditioning"),
    "architecture": ("register_architectures", "ganbench.contracts.architectures", "Architecture"),
    "transform": ("register_transforms", "ganbench.contracts.transforms", "Transform"),
    "dataset": ("register_datasets", "ganbench.contracts.datasets", "Dataset"),
    "feature extractor": (
        "register_feature_extractors",
        "ganbench.contracts.feature_extractors",
        "FeatureExtractor",
    ),
    "metric": ("register_metrics", "ganbench.contracts.metrics", "Metric"),
    "reporter": ("register_reporters", "ganbench.contracts.reporters", "Reporter"),
    "executor": ("register_executors", "ganbench.contracts.executors", "Executor"),
    "callback": ("register_callbacks", "ganbench.contracts.callbacks", "Callback"),
}
"""Each kind of plugin: its hook, and the module and name of its contract."""

KIND_OF_HOOK = {hook: kind for kind, (hook, _, _) in KINDS.items()}

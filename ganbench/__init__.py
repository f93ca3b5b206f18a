"""ganbench: benchmarks of GAN losses, conditionings and architectures.

These names are what plugins are written with. They load on first use, so that the command line
starts without importing torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ganbench.registry.kinds import KINDS as _KINDS

if TYPE_CHECKING:
    from ganbench.contracts.architectures import Architecture, NormFactory
    from ganbench.contracts.callbacks import Callback, Probed, TrialInfo
    from ganbench.contracts.conditionings import (
        Conditioning,
        DiscriminatorConditioner,
        GeneratorConditioner,
        LinearHead,
        PlainNorm,
        Unconditioned,
    )
    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.executors import Executor, Resources, TrialRef
    from ganbench.contracts.feature_extractors import FeatureExtractor, Features, Unavailable
    from ganbench.contracts.images import DatasetStatus, ImageSpec, LabeledImages, Mixture, Split
    from ganbench.contracts.losses import (
        InputGradients,
        Loss,
        Owned,
        Recipe,
        Regularizer,
        Shapes,
        Terms,
        norm_per_sample,
    )
    from ganbench.contracts.metrics import Evaluation, Metric, OfClasses, Watch, require_classes
    from ganbench.contracts.moments import Moments, MomentSums
    from ganbench.contracts.optimizers import Optimizer
    from ganbench.contracts.penalties import (
        clip_weights,
        gradient_penalty,
        interpolated,
        perturbed,
    )
    from ganbench.contracts.reporters import Reporter, markdown_cell, spreadsheet_cell
    from ganbench.contracts.samplers import Sampling, SamplingMethod, truncated
    from ganbench.contracts.steps import (
        DiscriminatorOutput,
        Generate,
        PlayerParameters,
        Scored,
        Step,
        logit_per_image,
    )
    from ganbench.contracts.trackers import TrackedTable, Tracker
    from ganbench.contracts.transforms import Transform
    from ganbench.errors import ContractError, DataError, GanbenchError
    from ganbench.models.saved.model import Samples, SavedModel, load_model
    from ganbench.pictures import save_grid, save_neighbours
    from ganbench.records.cells import Cell, Plan, Reference, Spec
    from ganbench.records.columns import Column
    from ganbench.records.report import Report, Section, load_run
    from ganbench.records.results import (
        DataSeen,
        Environment,
        Finding,
        MetricValue,
        Parameters,
        SamplerResult,
        TrainingCounts,
        TrialResult,
    )
    from ganbench.records.run_folder import Run, Trial, TrialOutcome
    from ganbench.records.run_info import (
        Execution,
        GitState,
        Machine,
        PluginChoice,
        Provenance,
        RunInfo,
    )
    from ganbench.records.schedules import Amount, Schedule, Scheduled
    from ganbench.records.status import Status
    from ganbench.records.table import Note, Row, Summary, Table
    from ganbench.records.training_settings import (
        HalfLife,
        OwnSettings,
        PlayerSettings,
        TrainingSettings,
    )
    from ganbench.records.windows import Probe, Timings, Window, distance_and_quality
    from ganbench.registry.hookspecs import hookimpl
    from ganbench.runs.benchmark import plan, run
    from ganbench.util.downloads import download, offline
    from ganbench.util.files import cache, write_atomically
    from ganbench.util.machine import free_memory_bytes
    from ganbench.util.picture_files import open_picture
    from ganbench.util.progress import tracked
    from ganbench.util.terminal import terminal_text
    from ganbench.util.version import __version__

_HOMES = {
    "contracts.architectures": "NormFactory",
    "contracts.callbacks": "Probed TrialInfo",
    "contracts.conditionings": "DiscriminatorConditioner GeneratorConditioner LinearHead PlainNorm "
    "Unconditioned",
    "contracts.executors": "Resources TrialRef",
    "contracts.feature_extractors": "Features Unavailable",
    "contracts.losses": "InputGradients Owned Recipe Shapes Terms norm_per_sample",
    "contracts.metrics": "Evaluation OfClasses Watch require_classes",
    "contracts.moments": "Moments MomentSums",
    "contracts.penalties": "clip_weights gradient_penalty interpolated perturbed",
    "contracts.reporters": "markdown_cell spreadsheet_cell",
    "contracts.samplers": "Sampling truncated",
    "contracts.steps": "DiscriminatorOutput Generate PlayerParameters Scored Step logit_per_image",
    "contracts.trackers": "TrackedTable Tracker",
    "util.downloads": "download offline",
    "errors": "ContractError DataError GanbenchError",
    "util.files": "cache write_atomically",
    "registry.hookspecs": "hookimpl",
    "contracts.images": "DatasetStatus ImageSpec LabeledImages Mixture Split",
    "records.cells": "Cell Plan Reference Spec",
    "records.columns": "Column",
    "records.windows": "Probe Timings Window distance_and_quality",
    "pictures": "save_grid save_neighbours",
    "util.picture_files": "open_picture",
    "models.saved.model": "SavedModel Samples load_model",
    "records.report": "Report Section load_run",
    "records.results": "DataSeen Environment Finding MetricValue Parameters SamplerResult "
    "TrainingCounts TrialResult",
    "records.run_folder": "Run Trial TrialOutcome",
    "records.run_info": "Execution GitState Machine PluginChoice Provenance RunInfo",
    "records.schedules": "Amount Schedule Scheduled",
    "records.training_settings": "HalfLife OwnSettings PlayerSettings TrainingSettings",
    "records.status": "Status",
    "records.table": "Note Row Summary Table",
    "runs.benchmark": "plan run",
    "util.machine": "free_memory_bytes",
    "util.progress": "tracked",
    "util.terminal": "terminal_text",
    "util.version": "__version__",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_HOME_OF |= {
    name: kind.module.removeprefix("ganbench.") for kind in _KINDS.values() for name in kind.classes
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ganbench' has no attribute {name!r}")
    return getattr(import_module(f"ganbench.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})

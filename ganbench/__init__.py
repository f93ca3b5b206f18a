"""ganbench: benchmarks of GAN losses, conditionings and architectures.

These names are what plugins are written with. They load on first use, so that the command line
starts without importing torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ganbench.registry.kinds import KINDS as _KINDS

if TYPE_CHECKING:
    from ganbench.contracts.architectures import (
        Architecture as Architecture,
        NormFactory as NormFactory,
    )
    from ganbench.contracts.callbacks import (
        Callback as Callback,
        Probed as Probed,
        TrialInfo as TrialInfo,
    )
    from ganbench.contracts.conditionings import (
        Conditioning as Conditioning,
        DiscriminatorConditioner as DiscriminatorConditioner,
        GeneratorConditioner as GeneratorConditioner,
        LinearHead as LinearHead,
        PlainNorm as PlainNorm,
        Unconditioned as Unconditioned,
    )
    from ganbench.contracts.clusters import (
        Cluster as Cluster,
        ClusterExecutor as ClusterExecutor,
        Errand as Errand,
        JobEnd as JobEnd,
    )
    from ganbench.contracts.datasets import Dataset as Dataset
    from ganbench.contracts.executors import (
        Executor as Executor,
        Resources as Resources,
        TrialRef as TrialRef,
        module_command as module_command,
    )
    from ganbench.contracts.feature_extractors import (
        FeatureExtractor as FeatureExtractor,
        Features as Features,
        Unavailable as Unavailable,
    )
    from ganbench.contracts.images import (
        DatasetStatus as DatasetStatus,
        ImageSpec as ImageSpec,
        LabeledImages as LabeledImages,
        Mixture as Mixture,
        Split as Split,
    )
    from ganbench.contracts.losses import (
        InputGradients as InputGradients,
        Loss as Loss,
        Owned as Owned,
        Recipe as Recipe,
        Regularizer as Regularizer,
        Shapes as Shapes,
        Terms as Terms,
        norm_per_sample as norm_per_sample,
    )
    from ganbench.contracts.metrics import (
        Claim as Claim,
        Evaluation as Evaluation,
        MappedGenerator as MappedGenerator,
        Metric as Metric,
        OfClasses as OfClasses,
        Watch as Watch,
        require_classes as require_classes,
    )
    from ganbench.contracts.moments import Moments as Moments, MomentSums as MomentSums
    from ganbench.contracts.optimizers import Optimizer as Optimizer
    from ganbench.contracts.penalties import (
        clip_weights as clip_weights,
        gradient_penalty as gradient_penalty,
        interpolated as interpolated,
        perturbed as perturbed,
    )
    from ganbench.contracts.reporters import (
        Reporter as Reporter,
        markdown_cell as markdown_cell,
        spreadsheet_cell as spreadsheet_cell,
    )
    from ganbench.contracts.samplers import (
        Sampling as Sampling,
        SamplingMethod as SamplingMethod,
        truncated as truncated,
    )
    from ganbench.contracts.steps import (
        DiscriminatorOutput as DiscriminatorOutput,
        Generate as Generate,
        PlayerParameters as PlayerParameters,
        Scored as Scored,
        Step as Step,
        at_least_float32 as at_least_float32,
        logit_per_image as logit_per_image,
    )
    from ganbench.contracts.trackers import TrackedTable as TrackedTable, Tracker as Tracker
    from ganbench.contracts.transforms import Transform as Transform
    from ganbench.errors import (
        ContractError as ContractError,
        DataError as DataError,
        GanbenchError as GanbenchError,
    )
    from ganbench.models.saved.model import (
        Samples as Samples,
        SavedModel as SavedModel,
        load_model as load_model,
    )
    from ganbench.pictures import save_grid as save_grid, save_neighbours as save_neighbours
    from ganbench.records.cells import (
        Cell as Cell,
        Plan as Plan,
        Reference as Reference,
        Spec as Spec,
    )
    from ganbench.records.columns import Column as Column
    from ganbench.records.report import Report as Report, Section as Section, load_run as load_run
    from ganbench.records.results import (
        DataSeen as DataSeen,
        Environment as Environment,
        Finding as Finding,
        MetricValue as MetricValue,
        Parameters as Parameters,
        SamplerResult as SamplerResult,
        TrainingCounts as TrainingCounts,
        TrialResult as TrialResult,
    )
    from ganbench.records.run_folder import Run as Run, Trial as Trial, TrialOutcome as TrialOutcome
    from ganbench.records.run_info import (
        Execution as Execution,
        GitState as GitState,
        Machine as Machine,
        PluginChoice as PluginChoice,
        Provenance as Provenance,
        RunInfo as RunInfo,
    )
    from ganbench.records.schedules import (
        Amount as Amount,
        Schedule as Schedule,
        Scheduled as Scheduled,
    )
    from ganbench.records.status import Status as Status
    from ganbench.records.spread import Spread as Spread
    from ganbench.records.table import Note as Note, Row as Row, Summary as Summary, Table as Table
    from ganbench.records.training_settings import (
        HalfLife as HalfLife,
        OwnSettings as OwnSettings,
        PlayerSettings as PlayerSettings,
        TrainingSettings as TrainingSettings,
    )
    from ganbench.records.windows import (
        Probe as Probe,
        Timings as Timings,
        Window as Window,
        distance_and_quality as distance_and_quality,
    )
    from ganbench.registry.hookspecs import hookimpl as hookimpl
    from ganbench.runs.benchmark import plan as plan, run as run
    from ganbench.runs.evaluating_here import evaluate as evaluate
    from ganbench.util.downloads import download as download, offline as offline
    from ganbench.util.files import cache as cache, write_atomically as write_atomically
    from ganbench.util.machine import free_memory_bytes as free_memory_bytes
    from ganbench.util.picture_files import open_picture as open_picture
    from ganbench.util.progress import tracked as tracked
    from ganbench.util.terminal import terminal_text as terminal_text
    from ganbench.util.version import __version__ as __version__

_HOMES = {
    "contracts.architectures": "NormFactory",
    "contracts.callbacks": "Probed TrialInfo",
    "contracts.conditionings": "DiscriminatorConditioner GeneratorConditioner LinearHead PlainNorm "
    "Unconditioned",
    "contracts.clusters": "Cluster ClusterExecutor Errand JobEnd",
    "contracts.executors": "Resources TrialRef module_command",
    "contracts.feature_extractors": "Features Unavailable",
    "contracts.losses": "InputGradients Owned Recipe Shapes Terms norm_per_sample",
    "contracts.metrics": "Claim Evaluation MappedGenerator OfClasses Watch require_classes",
    "contracts.moments": "Moments MomentSums",
    "contracts.penalties": "clip_weights gradient_penalty interpolated perturbed",
    "contracts.reporters": "markdown_cell spreadsheet_cell",
    "contracts.samplers": "Sampling truncated",
    "contracts.steps": "DiscriminatorOutput Generate PlayerParameters Scored Step at_least_float32 "
    "logit_per_image",
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
    "records.spread": "Spread",
    "records.table": "Note Row Summary Table",
    "runs.benchmark": "plan run",
    "runs.evaluating_here": "evaluate",
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


if not TYPE_CHECKING:  # or any name would be one to type checkers

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module 'ganbench' has no attribute {name!r}")
        return getattr(import_module(f"ganbench.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})

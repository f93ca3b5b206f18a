"""Models that nobody trained, in folders as trials leave them, and the plugins they are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator
from ganbench.models.parts import Parts
from ganbench.models.saved import files
from ganbench.models.trained import Progress, TrainingResult
from ganbench.records import cells, run_folder
from ganbench.records.run_folder import Run, Trial
from ganbench.registry import registry
from ganbench.training.torch_settings import memory_format
from ganbench.util import files as folders
from ganbench.util import sealed

TOYS = '''\
"""A data set and conditionings for tests."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch.nn.functional import one_hot

from ganbench import (
    Conditioning, Dataset, DatasetStatus, GeneratorConditioner, ImageSpec, LabeledImages, hookimpl
)


@dataclass(kw_only=True)
class Toys(Dataset):
    """Flat images, dark ones first, of three classes."""

    name = "toys"
    splits = ("train",)
    features = "pixels"
    channels: Literal[1, 3] = 3
    size: int = 28
    labelled: bool = True

    def image_spec(self):
        return ImageSpec(self.channels, self.size, 3 if self.labelled else 0)

    def class_names(self):
        return ("red", "light blue", "2") if self.labelled else ()

    def load(self, split, root):
        shades = torch.arange(0, 240, 4, dtype=torch.uint8)
        images = shades.view(-1, 1, 1, 1).expand(-1, self.channels, self.size, self.size)
        labels = torch.tensor([0] * 30 + [1] * 20 + [2] * 10) if self.labelled else None
        return LabeledImages(images.contiguous(), labels)

    def status(self, root):
        return DatasetStatus("shelf", "NO_TOYS" not in os.environ, None, "put away")


class Scattered(GeneratorConditioner):
    """z ++ one-hot(y), made in one of the ways that people write."""

    def __init__(self, latent_dim, num_classes, way):
        super().__init__(latent_dim + num_classes)
        self.num_classes, self.way = num_classes, way
        self.register_buffer("rows", torch.eye(num_classes), persistent=False)

    def latent(self, z, labels):
        return torch.cat([z, getattr(self, "_" + self.way)(z, labels)], 1)

    def _rows(self, z, labels):
        return self.rows[labels]

    def _one_hot(self, z, labels):
        return one_hot(labels, self.num_classes).float()

    def _scatter(self, z, labels):
        zeros = torch.zeros(len(labels), self.num_classes)
        zeros.scatter_(1, labels.unsqueeze(1), 1.0)
        return zeros

    def _assign(self, z, labels):
        zeros = z.new_zeros(len(labels), self.num_classes)
        zeros[torch.arange(len(labels)), labels] = 1.0
        return zeros

    def _compare(self, z, labels):
        return torch.where(labels[:, None] == torch.arange(self.num_classes), 1.0, 0.0)

    def _item(self, z, labels):
        return torch.stack([self.rows[label.item()] for label in labels])

    def _ignore(self, z, labels):
        return self.rows[:1].expand(len(z), -1)


@dataclass(kw_only=True)
class ScatteredLabels(Conditioning):
    name = "scattered"
    way: str = "rows"

    def generator(self, latent_dim, num_classes):
        return Scattered(latent_dim, num_classes, self.way)


@hookimpl
def register_datasets(register):
    register(Toys)


@hookimpl
def register_conditionings(register):
    register(ScatteredLabels)
'''
FILE = """\
version: 1
name: toys
dataset: {{name: toys{options}}}
loss: bce
matrix: {{conditioning: [{conditionings}]}}
architecture: {{name: dcgan, width: 4, latent_dim: 6, init_std: null}}
training: {{batch_size: 10, budget: {{kimg: 1}}, precision: float32}}
evaluation: {{num_samples: 100, metrics: [throughput]}}
"""


def write_plugin(folder: Path) -> Path:
    path = folder / "toys.py"
    path.write_text(TOYS, encoding="utf-8")
    return path


def write_run(
    run: Path, plugin: Path, *conditionings: str, options: str = "", text: str = FILE
) -> list[Path]:
    """A run's folder with a model of every cell; returns the folders of these."""
    plugins = registry.load([str(plugin)])
    text = text.format(conditionings=", ".join(conditionings), options=options)
    planned = plan.make(
        benchmark_file.parse(Document.parse(text, "toys.yaml"), plugins), plugins, device="cpu"
    )
    execution = {"threads": 1, "jobs": 1, "plugins": [str(plugin)], "callbacks": []}
    run.mkdir(parents=True, exist_ok=True)
    about = {"schema_version": run_folder.SCHEMA_VERSION, "id": "toys-1", "execution": execution}
    folders.write_json(run / run_folder.RUN, about)
    run_folder.write_plan(run / run_folder.PLAN, planned)
    trials = [trial for trial in Run.read(run).trials if trial.cell is not None]
    return [write_model(run / run_folder.TRIALS / trial.id, trial, plugins) for trial in trials]


def networks(
    cell: cells.Cell, parts: Parts
) -> tuple[ConditionalGenerator, ConditionalDiscriminator]:
    """Always the same ones, laid out as in training; the generator's images have some contrast."""
    torch.manual_seed(1)
    generator, discriminator = parts.networks(cell)
    with torch.no_grad():
        for parameter in generator.backbone.parameters():
            parameter.mul_(3)
    layout = memory_format(cell.schedule)
    return generator.eval().to(memory_format=layout), discriminator.eval().to(memory_format=layout)


def write_model(directory: Path, trial: Trial, plugins: registry.Registry) -> Path:
    assert trial.cell is not None
    parts = Parts.of(trial.cell, plugins)
    data = parts.dataset.load("train", folders.data())
    trained = TrainingResult(*networks(trial.cell, parts), Progress(5, 1000, 4, 5), (), 2.5, {})
    directory.mkdir(parents=True, exist_ok=True)
    trial.write(directory / run_folder.TRIAL)
    files.write(directory, trial, parts, data, trained)
    return directory


def change_config(folder: Path, **values: Any) -> None:
    """Change config.json as if it had been written so: sealed again."""
    found = json.loads((folder / files.CONFIG).read_text("utf-8"))
    sealed.write_json(folder / files.CONFIG, {**found, **values})


def change_source(folder: Path, kind: str, source: str) -> None:
    found = json.loads((folder / files.CONFIG).read_text("utf-8"))
    found["cell"][kind]["source"] = source
    change_config(folder, cell=found["cell"])

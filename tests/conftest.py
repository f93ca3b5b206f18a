"""What the test files share. Nothing is written outside temporary folders; one thread is used."""

from __future__ import annotations

import os

if not os.environ.get("GANBENCH_TEST_GPU"):  # before torch looks for one
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import warm

from ganbench import Column, Dataset, LabeledImages, Timings
from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.records import cells, run_folder
from ganbench.records.run_folder import Run
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.util import files

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def temporary_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        if "GANBENCH_CACHE" not in os.environ:
            patch.setenv("GANBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def hastened_workers(temporary_cache):
    warm.hasten()


@pytest.fixture(scope="module", autouse=True)
def blank_pages():
    """Figures are made and written, but not drawn, which is half of a tiny trial.

    tests/pictures, where they are looked at, has its own, and so has test_watches.py.
    """
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "draw", lambda figure, renderer: None)
        patch.setattr(Axes, "draw_artist", lambda axes, artist: None)  # points, frame by frame
        yield


@pytest.fixture(scope="session")
def plugins() -> Registry:
    """The built-in plugins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_LOAD_PLUGINS", "")
        return registry.load()


@pytest.fixture(scope="session")
def with_packages() -> Registry:
    """The built-in plugins and those of every package in plugins/."""
    packages = sorted(Path(__file__).parents[1].glob("plugins/ganbench-*/ganbench_*.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_LOAD_PLUGINS", "")
        return registry.load([str(path) for path in packages])


@pytest.fixture(scope="session")
def mnist_root(tmp_path_factory) -> Path:
    """A data folder with MNIST unpacked in it. Read only, please."""
    root = tmp_path_factory.mktemp("data")
    for split in MNIST.splits:
        MNIST().load(split, root)
    return root


@pytest.fixture(scope="session")
def mnist_train(mnist_root: Path) -> LabeledImages:
    return MNIST().load("train", mnist_root)


@pytest.fixture(scope="session")
def mnist_test(mnist_root: Path) -> LabeledImages:
    return MNIST().load("test", mnist_root)


@pytest.fixture
def judged(plugins: Registry, tmp_path: Path) -> Callable[..., TrialEvaluation]:
    """What metrics see of fakes beside a training set."""

    def judged(
        dataset: Dataset,
        train: LabeledImages,
        fake: LabeledImages,
        timings: Timings | None = None,
        extractors: Registry = plugins,
    ) -> TrialEvaluation:
        return TrialEvaluation(dataset, train, fake, extractors, tmp_path, timings)

    return judged


@pytest.fixture
def planned(plugins: Registry) -> Callable[..., cells.Plan]:
    """The plan of a benchmark file's text."""

    def planned(text: str, *, device: str = "cpu", **how: Any) -> cells.Plan:
        asked = benchmark_file.parse(Document.parse(text, "b.yaml"), plugins, **how)
        return plan.make(asked, plugins, device=device)

    return planned


class Runs:
    """Run directories as workers would have left them, from made-up numbers."""

    COLUMNS = {
        column.name: column
        for column in (
            Column("fid@mnist-cnn-v1", "", "min", 3),
            Column("fid@inception", "", "min", 3),
            Column("modes", "", "max", 1),
            Column("cond-accuracy", "", "max", 3, "cond. accuracy"),
            Column("train-images-per-s", "1/s", "max", 0, "train img/s"),
            Column("peak-memory-mb", "MB", "min", 0, "peak MB"),
        )
    }
    TEXT = """\
version: 1
name: bench
dataset: ring
architecture: mlp
conditioning: none
training: {precision: float32}
matrix: {loss: [bce, lsgan]}
"""

    def __init__(self, folder: Path, planned: Callable[..., cells.Plan]) -> None:
        self.folder, self.planned = folder, planned

    def result(
        self,
        values: Mapping[str, float | str],  # a text is the reason of a missing value
        *,
        protocol: str = "aaaa1111",
        budget: tuple[int, int, int] = (1000, 10, 10),  # images, updates of G and of D
        alone: bool = True,
    ) -> dict[str, Any]:
        images, g_updates, d_updates = budget
        return {
            "status": "ok",
            "reason": "",
            "metrics": [self._metric(name, value, protocol) for name, value in values.items()],
            "training": {"images": images, "g_updates": g_updates, "d_updates": d_updates},
            "timings": {"alone": alone},
            "parameters": {"generator": 1234, "discriminator": 987},
            "seconds": {"total": 12.5},
        }

    def reference(self, values: Mapping[str, float | str], protocol: str = "bbbb2222") -> Any:
        result = self.result(values, protocol=protocol)
        return {k: v for k, v in result.items() if k in ("status", "reason", "metrics", "seconds")}

    def lost(self, status: str, reason: str) -> dict[str, Any]:
        return {"status": status, "reason": reason}

    def write(
        self,
        results: Mapping[str, Sequence[Any]],  # of each row, one per seed; None: unfinished
        text: str = TEXT,
        *,
        jobs: int = 1,
    ) -> Run:
        seeds = max(len(found) for found in results.values())
        found = self.planned(text, overrides=(f"seeds={list(range(seeds))}",))
        about = {
            "schema_version": run_folder.SCHEMA_VERSION,
            "id": "bench-1",
            "execution": {"threads": 1, "jobs": jobs, "plugins": [], "callbacks": []},
            "machine": {"device": "cpu", "device_name": "A Processor"},
        }
        files.write_json(self.folder / run_folder.RUN, about)
        run_folder.write_plan(self.folder / run_folder.PLAN, found)
        run = Run.read(self.folder)
        for trial in run.trials:
            of_row = results.get(trial.subject.label, ())
            if trial.seed < len(of_row) and of_row[trial.seed] is not None:
                directory = self.folder / run_folder.TRIALS / trial.id
                directory.mkdir(parents=True)
                files.write_json(directory / run_folder.RESULT, of_row[trial.seed])
        return run

    def _metric(self, name: str, value: float | str, protocol: str) -> dict[str, Any]:
        number, reason = (None, value) if isinstance(value, str) else (value, "")
        return {
            **asdict(self.COLUMNS[name]),
            "value": number,
            "protocol": protocol,
            "reason": reason,
        }


@pytest.fixture
def runs(tmp_path: Path, planned: Callable[..., cells.Plan]) -> Runs:
    folder = tmp_path / "run"
    folder.mkdir()
    return Runs(folder, planned)

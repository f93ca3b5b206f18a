"""One trial: `python -m ganbench.worker DIR` reads DIR/trial.json and leaves DIR/result.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import ganbench
from ganbench import (
    cells,
    checkpoints,
    controls,
    evaluation,
    folders,
    pictures,
    registry,
    sampling,
    watching,
)
from ganbench.contracts.callbacks import Callback, TrialInfo
from ganbench.errors import Diverged, noting, told
from ganbench.models import ConditionalGenerator
from ganbench.randomness import stream_seed
from ganbench.records import RESULT, SCHEMA_VERSION, TRIAL, Trial
from ganbench.specs import LabeledImages, Probe, Timings, Window
from ganbench.trainer import Probed, Trained, Trainer

GRID_COLUMNS = 10
CALIBRATION_SAMPLES = 5120


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ganbench.worker", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="end when standard input closes, as it does when the parent dies",
    )
    arguments = parser.parse_args(argv)
    if arguments.stop_with_parent:
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    return run(arguments.directory)


def run(directory: Path) -> int:
    """Run the trial and write its result. Returns 0 when the trial is `ok`, else 3."""
    started = time.perf_counter()
    result: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "status": "ok", "reason": ""}
    callbacks: list[Callback] = []
    try:
        trial = Trial.read(directory / TRIAL)
        result.update(_work(trial, directory, callbacks))
    except Diverged as error:
        result.update(status="diverged", reason=str(error))
    except Exception as error:
        result.update(_failed(error))
    result["seconds"] = {**result.get("seconds", {}), "total": time.perf_counter() - started}
    for callback in callbacks:
        try:
            callback.ended(result)
        except Exception as error:
            result.update(_failed(error, f"callback '{callback.name}': "))
    folders.write_json(directory / RESULT, result)
    (directory / checkpoints.NAME).unlink(missing_ok=True)  # what failed begins anew
    return 0 if result["status"] == "ok" else 3


def _failed(error: Exception, whose: str = "") -> dict[str, Any]:
    """The status and the reason, with the traceback in the log."""
    traceback.print_exc()
    return {"status": "failed", "reason": f"{whose}{told(error)}"}


def _work(trial: Trial, directory: Path, callbacks: list[Callback]) -> dict[str, Any]:
    """What the trial found; `callbacks` is filled with those that were told of its beginning."""
    torch.set_num_threads(trial.threads)
    plugins = registry.load(trial.plugins)
    seconds: dict[str, float] = {}
    if trial.reference is not None:
        found = _judge_control(trial, trial.reference, plugins, seconds)
    else:
        assert trial.cell is not None
        cells.check_sources(trial.cell.specs(), plugins)
        found = _train_and_judge(trial, trial.cell, plugins, directory, callbacks, seconds)
    return {**found, "seconds": seconds, "environment": _environment(trial)}


def _train_and_judge(
    trial: Trial,
    cell: cells.Cell,
    plugins: registry.Registry,
    directory: Path,
    callbacks: list[Callback],
    seconds: dict[str, float],
) -> dict[str, Any]:
    parts = cells.Parts.of(cell, plugins)
    with _clocked(seconds, "data"), noting(partial(_loading, cell.dataset)):
        data = parts.dataset.load("train", folders.data())
    log = _logger(directory)
    probes: list[Probe] = []

    def tell(window: Window) -> None:
        log(window)
        for callback in callbacks:
            with noting(partial(_name_of, callback)):
                callback.window(window)

    def on_window(window: Window) -> None:
        tell(window)
        kept.save_in_time(trainer, {"probes": [asdict(probe) for probe in probes]})

    def on_probe(probed: Probed) -> None:
        fake, _ = _sample(cell, parts, data, probed.generator, trial, watched.num_samples)
        judge = evaluation.TrialEvaluation(parts.dataset, data, fake, plugins, folders.data())
        values, _ = evaluation.evaluate(watched.metrics, judge)
        found = {v.column.name: v for v in values if v.column.name in watched.columns}
        probes.append(
            Probe(
                probed.images / 1000,
                probed.seconds,
                {name: v.value for name, v in found.items()},
                {name: v.column.direction for name, v in found.items()},
            )
        )

    watched = watching.Watched.of(parts.metrics)
    trainer = make_trainer(
        cell,
        parts,
        data,
        trial.seed,
        trial.device,
        on_window,
        probes=watched.images(cell.schedule.kimg),
        on_probe=on_probe,
    )
    kept = checkpoints.Checkpoints(
        directory / checkpoints.NAME, (directory / TRIAL).read_text(), trial.checkpoint
    )
    about = TrialInfo(trial.run, cell.label, cell.axes, trial.seed, directory, asdict(cell))
    for choice in trial.callbacks:
        callbacks.append(plugins.build("callback", **choice))
        with noting(partial(_name_of, callbacks[-1])):
            callbacks[-1].began(about)
    resumed_at = None
    if half_done := kept.load():
        trainer.restore(half_done[0])
        resumed_at = trainer.progress.images / 1000
        probes += [Probe(**probe) for probe in half_done[1]["probes"]]
        for window in trainer.windows:
            tell(window)
    with _clocked(seconds, "train"), noting(partial(_whereabouts, trial, cell, trainer)):
        trained = trainer.run()
    with _clocked(seconds, "sample"):
        fake, sampling_seconds = _sample(
            cell, parts, data, trained.generator, trial, cell.num_samples
        )
        _draw(parts, trained, trial, directory)
        _save_networks(trained, directory)
    timings = Timings(
        train_seconds=trained.seconds,
        images_per_second=tuple(w.images_per_second for w in trained.windows),
        g_steps_per_second=tuple(w.g_steps_per_second for w in trained.windows),
        samples_per_second=cell.num_samples / sampling_seconds,
        peak_memory_bytes=_peak_memory(trial.device),
        alone=trial.alone,
    )
    judge = evaluation.TrialEvaluation(
        parts.dataset,
        data,
        fake,
        plugins,
        folders.data(),
        timings,
        windows=trained.windows,
        probes=tuple(probes),
        directory=directory,
    )
    with _clocked(seconds, "evaluate"):
        judged = _judged(judge, parts.metrics)
    progress = trained.progress
    return {
        **judged,
        "probes": [asdict(probe) for probe in probes],
        "resumed_at_kimg": resumed_at,
        "training": {
            "images": progress.images,
            "iterations": progress.iteration,
            "g_updates": progress.g_updates,
            "d_updates": progress.d_updates,
        },
        "timings": asdict(timings),
        "parameters": {
            "generator": sum(p.numel() for p in trained.generator.parameters()),
            "discriminator": sum(p.numel() for p in trained.discriminator.parameters()),
        },
    }


def make_trainer(
    cell: cells.Cell,
    parts: cells.Parts,
    data: LabeledImages,
    seed: int,
    device: str,
    on_window: Callable[[Window], None] = lambda window: None,
    *,
    probes: Sequence[int] = (),
    on_probe: Callable[[Probed], None] = lambda probed: None,
) -> Trainer:
    """A trainer of freshly initialised networks."""
    torch.manual_seed(stream_seed(seed, "initialisation"))
    generator, discriminator = parts.networks(cell)
    return Trainer(
        generator,
        discriminator,
        parts.losses,
        data,
        parts.architecture.latents,
        cell.schedule,
        seed=seed,
        num_classes=parts.image.num_classes,
        device=torch.device(device),
        on_window=on_window,
        probes=probes,
        on_probe=on_probe,
    )


def _judge_control(
    trial: Trial, reference: cells.Reference, plugins: registry.Registry, seconds: dict[str, float]
) -> dict[str, Any]:
    dataset = reference.dataset.build(plugins)
    with _clocked(seconds, "data"), noting(partial(_loading, reference.dataset)):
        made = controls.make(reference.control, dataset, reference.num_samples, folders.data())
    judge = evaluation.TrialEvaluation(
        dataset, made.train, made.samples, plugins, folders.data(), split=made.split
    )
    with _clocked(seconds, "evaluate"):
        return _judged(judge, [spec.build(plugins) for spec in reference.metrics])


def _judged(
    judge: evaluation.TrialEvaluation, metrics: Sequence[ganbench.Metric]
) -> dict[str, Any]:
    values, protocols = evaluation.evaluate(metrics, judge)
    return {
        "metrics": [
            {**asdict(v.column), "value": v.value, "protocol": v.protocol, "reason": v.reason}
            for v in values
        ],
        "protocols": protocols,
        "data": {
            "sha256": judge.digest,
            "num_images": judge.num_real,
            "problems": list(judge.problems),
        },
        "metric_seconds": judge.seconds,
    }


def _sample(
    cell: cells.Cell,
    parts: cells.Parts,
    data: LabeledImages,
    generator: ConditionalGenerator,
    trial: Trial,
    count: int,
) -> tuple[LabeledImages, float]:
    """The images to judge, and the seconds that generating them took."""
    device, seed, architecture = torch.device(trial.device), trial.seed, parts.architecture

    def labels(count: int, name: str) -> torch.Tensor | None:
        if data.labels is None or not parts.g_conditioning.needs_labels:
            return None
        return sampling.draw_labels(data.labels.bincount().double(), count, seed, name)

    sampling.recalibrate(
        generator,
        sampling.draw_latents(architecture, CALIBRATION_SAMPLES, seed, "calibration latents"),
        labels(CALIBRATION_SAMPLES, "calibration labels"),
        device,
    )
    latents = sampling.draw_latents(architecture, count, seed)
    asked = labels(count, "labels")
    started = time.perf_counter()
    images = sampling.generate(generator, latents, asked, device, dtype=data.images.dtype)
    return LabeledImages(images, asked), time.perf_counter() - started


def _draw(parts: cells.Parts, trained: Trained, trial: Trial, directory: Path) -> None:
    """samples.png: rows are labels, columns fixed latents; or a scatter of points."""
    image, architecture = parts.image, parts.architecture
    device, path = torch.device(trial.device), directory / "samples.png"
    if image.resolution == 1 and image.channels == 2:
        latents = sampling.draw_latents(architecture, 2500, trial.seed, "picture")
        labels = torch.arange(2500) % image.num_classes if image.num_classes else None
        points = sampling.generate(trained.generator, latents, labels, device)
        pictures.save_scatter(points.flatten(1), parts.dataset.mixture(), path)
        return
    rows = image.num_classes if parts.g_conditioning.needs_labels else GRID_COLUMNS
    count = rows if parts.g_conditioning.needs_labels else rows * GRID_COLUMNS
    latents = sampling.draw_latents(architecture, max(GRID_COLUMNS, count), trial.seed, "picture")
    labels, names = None, []
    if parts.g_conditioning.needs_labels:
        latents = latents[:GRID_COLUMNS].repeat(rows, 1)
        labels = pictures.grid_labels(rows, GRID_COLUMNS)
        names = [str(row) for row in range(rows)]
    images = sampling.generate(trained.generator, latents, labels, device)
    pictures.save_grid(sampling.quantise(images), GRID_COLUMNS, path, names)


def _save_networks(trained: Trained, directory: Path) -> None:
    tensors = {
        f"{name}.{key}": value.detach().cpu().contiguous().clone()
        for name, net in (
            ("generator", trained.generator),
            ("discriminator", trained.discriminator),
        )
        for key, value in net.state_dict().items()
    }
    folders.write_atomically(
        directory / "model.safetensors", lambda temporary: save_file(tensors, temporary)
    )


def _logger(directory: Path) -> Callable[[Window], None]:
    """Appends a JSON line per window to metrics.jsonl, for whoever follows the trial."""
    path = directory / "metrics.jsonl"
    path.unlink(missing_ok=True)

    def log(window: Window) -> None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(window)) + "\n")

    return log


@contextmanager
def _clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = time.perf_counter() - started


def _whereabouts(trial: Trial, cell: cells.Cell, trainer: Trainer) -> str:
    parts = dict.fromkeys(f"{s.kind} '{s.name}' of {s.source}" for s in cell.trained_specs())
    return (
        f"while training cell {cell.label} with seed {trial.seed}, after "
        f"{trainer.progress.iteration} iterations: {', '.join(parts)}"
    )


def _loading(dataset: cells.Spec) -> str:
    return f"while loading data set '{dataset.name}' of {dataset.source}"


def _name_of(callback: Callback) -> str:
    return f"in callback '{callback.name}'"


def _environment(trial: Trial) -> dict[str, Any]:
    return {
        "ganbench": ganbench.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": trial.device,
        "threads": torch.get_num_threads(),
    }


def _peak_memory(device: str) -> int | None:
    """On a GPU, of its memory; else, of this process's."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _stop_at_end_of_input() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock this thread would hold at the end
        pass
    os._exit(4)


if __name__ == "__main__":
    sys.exit(main())

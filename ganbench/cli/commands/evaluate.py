"""`ganbench evaluate`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import completion, exit_codes, options
from ganbench.cli.running import check_columns, finish
from ganbench.errors import ConfigError
from ganbench.records.run_folder import RUN
from ganbench.util import allocator
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from ganbench.config.choices import DatasetChoice
    from ganbench.registry.registry import Registry
    from ganbench.runs.evaluating import Asked


@click.command("evaluate")
@click.argument("samples", metavar="SAMPLES", type=click.Path(path_type=Path))
@click.option(
    "--data",
    metavar="NAME|FOLDER|FILE",
    shell_complete=completion.plugins("dataset", or_else="file"),
    help="The real images to judge them beside.  [default: a trained model's own]",
)
@click.option(
    "--metrics",
    callback=options.names,
    metavar="fid,kid@pixels",
    help="What to measure.  [default: fid,kid,mode-coverage,cond-accuracy]",
)
@click.option(
    "--stats",
    multiple=True,
    metavar="[WHOSE=]FILE.npz",
    help="FID to published statistics, mu and sigma; without --data, to these alone.",
)
@click.option("--features", metavar="EXTRACTOR", help="That --stats are of.  [default: inception]")
@click.option(
    "--judge",
    metavar="FOLDER|auto",
    help="What tells classes: of `ganbench judge train`, or one that is trained once and kept.",
)
@click.option("--name", metavar="NAME", help="What tables call them.  [default: of the path]")
@click.option("-n", "count", type=int, metavar="N", help="Judge so many, always the same ones.")
@options.key_values("How samples are read, as in resolution=32, range=[0,1] or labels=none.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|cuda:N|mps",
    help="Where a model draws.",
)
@options.allow_other_versions("Of a run or a model")
@options.offline
@options.plugin
@options.columns
@options.as_json
@options.quiet
def command(
    samples: Path,
    data: str | None,
    metrics: list[str] | None,
    stats: tuple[str, ...],
    features: str | None,
    judge: str | None,
    name: str | None,
    count: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    device: str,
    allow_other_versions: bool,
    plugins: tuple[str, ...],
    columns: list[str] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Judge SAMPLES that exist already: a folder of pictures, whose subfolders are classes, a .npz,
    .npy or .pt file, or a trained model (RUN/TRIAL, or any folder of one); or measure more of a
    finished RUN.

    Nothing is trained. The result is a run's folder like any other, in results/NAME/TIME or --out,
    with a row for the samples and one of real test images. No pickle is ever run.

    Of a RUN, samples are drawn again of its saved models, and --metrics become new columns of its
    table; what was measured stays. The run's plugins are imported, from where they were.

    \b
    ganbench evaluate theirs/ --data mnist --metrics fid,mode-coverage
    ganbench evaluate theirs.npz --data cifar10 -n 10000 -o range=[-1,1]
    ganbench evaluate theirs/ --stats ADM=VIRTUAL_imagenet64.npz
    ganbench evaluate results/mnist/bce --metrics kid@pixels
    ganbench evaluate results/mnist --metrics density-coverage,kid
    """  # noqa: D205
    allocator.keep_memory()
    how = {"judge": judge, "allow_other_versions": allow_other_versions}
    if (samples / RUN).is_file():
        own = {"--data": data, "--stats": stats, "--name": name, "-n": count, "-o": settings}
        if wrong := [option for option, value in {**own, "--out": out}.items() if value]:
            raise ConfigError(f"{wrong[0]}: not of a run, whose trials are judged as they were")
        return _added(samples, metrics, plugins, columns, as_json, quiet, **how)
    from ganbench.registry import registry
    from ganbench.runs import benchmark, evaluating
    from ganbench.runs.benchmark import BenchmarkArguments
    from ganbench.runs.outside import Reading
    from ganbench.util import machine
    from ganbench.util.process_settings import as_in_a_new_process

    found = registry.load(plugins)
    with as_in_a_new_process():
        asked = replace(
            _asked(samples, data, metrics, stats, settings, plugins, found),
            name=name,
            count=count,
            judge=judge,
            statistics=evaluating.statistics(stats, features),
        )
        where = machine.resolve_device(device)
        reading = Reading(found, plugins, where, allow_other_versions)
        prepared = evaluating.prepare(asked, reading)
    check_columns(prepared.plan, found, columns)
    arguments = BenchmarkArguments(samples, plugins=plugins, device=device)
    run = benchmark.begin(prepared, arguments, jobs=1, out=out)
    return finish(run, found, fail_fast=False, columns=columns, as_json=as_json, quiet=quiet)


def _asked(
    samples: Path,
    data: str | None,
    metrics: list[str] | None,
    stats: tuple[str, ...],
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    registry: Registry,
) -> Asked:
    """Return the samples, and what they are judged beside and by."""
    from ganbench.cli.commands.datasets.chosen import reading_options
    from ganbench.runs import evaluating, outside

    read_by = reading_options(settings)
    if stats and data is None and outside.model_in(samples) is None:
        if metrics:
            raise ConfigError(f"--metrics {','.join(metrics)}: name the real images with --data")
        own = outside.as_data(samples, read_by)
        return evaluating.Asked(samples, own, (), options=read_by, controls=())
    chosen = tuple(evaluating.METRICS if metrics is None else metrics)
    dataset = _dataset(samples, data, plugins, registry)
    return evaluating.Asked(samples, dataset, chosen, options=read_by)


def _added(
    run_dir: Path,
    metrics: list[str] | None,
    plugins: tuple[str, ...],
    columns: list[str] | None,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> int:
    """Measure more of a finished run, show its table, and say how it went."""
    from ganbench.cli import running
    from ganbench.records.run_folder import Run
    from ganbench.registry import registry
    from ganbench.runs import adding

    if metrics is None:
        raise ConfigError(f"{run_dir}: which columns are to be added? Name them with --metrics")
    run = Run.read(run_dir.absolute())
    found = registry.load((*run.info.execution.plugins, *plugins))

    def tell(sentence: str) -> None:
        if not quiet:
            print(sentence, file=sys.stderr)

    added = adding.add(run, metrics, found, tell, **how)
    for label, why in added.left_out.items():
        print(f"note: {label}: nothing was added: {why}", file=sys.stderr)
    running.show(Run.read(run_dir), found, as_json=as_json, columns=columns)
    if not as_json:
        trials = counted(len(added.to), "trial")
        print(f"\nadded to {trials}; to see all columns: ganbench show {run_dir} --columns all")
    for error in added.errors:
        print(f"warning: {error}", file=sys.stderr)
    return exit_codes.TRIAL_FAILED if added.errors else exit_codes.OK


def _dataset(
    samples: Path, data: str | None, plugins: tuple[str, ...], registry: Registry
) -> DatasetChoice:
    """Return the data that samples are judged beside. Raises ConfigError where none is named."""
    from ganbench.cli.commands.datasets.chosen import as_mapping, chosen
    from ganbench.config.choices import DatasetChoice
    from ganbench.runs import evaluating

    if data is None:
        return evaluating.own_data(samples, registry)
    found = chosen(data, (), plugins)
    return DatasetChoice.model_validate({**as_mapping(found.dataset), "title": found.title})

"""`ganbench new`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from ganbench.cli import model_options, options, shipped_files
from ganbench.cli.commands.datasets import bars, chosen
from ganbench.errors import ConfigError
from ganbench.util import allocator

MINUTES = 10.0
OF_COPIES = {"copied", "out", "force", "as_json", "quiet"}  # options beside --from


@click.command("new")
@chosen.arguments
@click.option(
    "--from",
    "copied",
    metavar="NAME",
    is_eager=True,
    help="Copy a benchmark that comes with ganbench instead, comments included.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="The benchmark file.  [default: the name of the data or of what is copied, here]",
)
@options.force
@click.option(
    "--minutes",
    type=float,
    default=MINUTES,
    show_default=True,
    metavar="N",
    help="How long it may train on this machine.",
)
@options.device("Where it is to train.")
@click.pass_context
def command(
    ctx: click.Context,
    target: str,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    trusts_file: bool,
    as_json: bool,
    quiet: bool,
    copied: str | None,
    out: Path | None,
    force: bool,
    minutes: float,
    device: str,
) -> int:
    """Write a first benchmark of your own images: of a FOLDER of pictures or a .zip of one, whose
    subfolders are classes, a CSV file with their labels, a file of arrays, or a data set by NAME.

    The data is looked at, and a few training steps are timed: image size, width, budget and
    metrics are such that this machine is done in about --minutes. The file says why of each
    line, and three commands are printed that follow. With --from, a benchmark that comes with
    ganbench is copied (`ganbench run --list` shows them).

    \b
    ganbench new ~/birds
    ganbench new digits.npz --out digits.yaml --minutes 5
    ganbench new ~/scans -o "range=[0, 4095]"
    ganbench new --from cgan_mnist --out mine.yaml
    """  # noqa: D205
    allocator.keep_memory()
    if copied is not None:
        _refuse_others(ctx)
        return shipped_files.copy(copied, out, force=force, as_json=as_json)
    if not 0 < minutes < float("inf"):
        raise ConfigError(f"--minutes {minutes:g}: expected a number above 0")
    shipped_files.refuse(target)
    return _write(
        target, settings, plugins, out,
        trusts_file=trusts_file, force=force, minutes=minutes, device=device,
        as_json=as_json, quiet=quiet,
    )  # fmt: skip


def _refuse_others(ctx: click.Context) -> None:
    """Refuse what says how a benchmark of one's own images becomes, beside --from."""
    given = [
        param.opts[0]
        for param in ctx.command.params
        if param.name not in OF_COPIES
        and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        raise ConfigError(
            f"{', '.join(given)}: of a benchmark of your own images, and --from copies one as it "
            "is; leave it out"
        )


def _write(
    target: str,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    out: Path | None,
    *,
    trusts_file: bool,
    force: bool,
    minutes: float,
    device: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Look at somebody's images, write the benchmark of them, and say what follows."""
    from ganbench.cli import own_data
    from ganbench.cli.output import print_json
    from ganbench.registry import registry
    from ganbench.runs import first_benchmark
    from ganbench.util import files, machine

    found = registry.load(plugins)
    subject = chosen.chosen(target, settings, plugins, trusts_file=trusts_file, with_tables=True)
    name = own_data.named(subject.label)
    given = {setting.partition("=")[0].strip() for setting in settings}
    mapping = chosen.as_mapping(subject.dataset, given)
    out = out or Path(f"{name}.yaml")
    model_options.check_out(out, (".yaml", ".yml"), force)
    with bars.shown(quiet):
        look = replace(own_data.look(name, target, mapping, found), file=str(out), plugins=plugins)
    first = first_benchmark.written(
        look, found, minutes=minutes, device=machine.resolve_device(device)
    )
    with model_options.writing(out):
        files.write_text(out, first.text)
    commands = first_benchmark.commands(name, str(out), plugins)
    if as_json:
        print_json({"file": str(out), "commands": commands, "minutes": first.minutes})
        return 0
    print(f"{out}: {look.train:,} images of {first.choice.side}×{first.choice.side}, "
          f"{first.choice.kimg:g} kimg, about {first.minutes:.0f} minutes here")  # fmt: skip
    print("\n".join(commands))
    return 0

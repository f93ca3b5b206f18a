"""`ganbench export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import completion, options
from ganbench.cli.exit_codes import OK, TRIAL_FAILED
from ganbench.cli.output import print_json
from ganbench.errors import ConfigError, RunError
from ganbench.reports.exporters import FILES

if TYPE_CHECKING:
    from ganbench.reports.exporters.named_measurements import NamedMeasurements


MODELS = {"torchscript": "generator.pt", "onnx": "generator.onnx"}
"""Formats of a trained generator, each with its file."""
HUB = "hf-results"
"""Results for the Hugging Face Hub: a file for each trained model, and the benchmark's own."""
TABLES = {"latex": "table.tex"}
"""Formats of a run's table, with means over seeds."""


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path), shell_complete=completion.models)
@click.option(
    "--to", required=True, type=click.Choice([*FILES, *TABLES, HUB, *MODELS]), help="The format."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file, or the folder where the format has several; else the current folder.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="BASELINE",
    help="For junit: cases end as the verdicts of `ganbench compare BASELINE RUN` do.",
)
@click.option(
    "--columns",
    callback=options.names,
    metavar="fid,modes|all",
    help="For latex: these columns; by default the first of quality that a page has room for.",
)
@click.option(
    "--benchmark",
    metavar="OWNER/NAME",
    help="For hf-results: the repository of data on the Hub whose leaderboard they are for.",
)
@options.as_json
def command(
    run: Path,
    to: str,
    out: Path | None,
    against: Path | None,
    columns: list[str] | None,
    benchmark: str | None,
    as_json: bool,
) -> int:
    """Write what RUN, a run's directory or a banked file, measured for another tool to read.

    With --to torchscript or onnx RUN is RUN/TRIAL or a model's folder, and its generator is written
    as one file that runs without ganbench; it is run, and its images are compared.

    With --to latex it is the run's table: booktabs, means ± standard errors, the best in bold and
    ties marked, with a caption that names budget, protocols and seeds.

    With --to hf-results each trained model has its numbers in .eval_results/ganbench.yaml, as
    repositories of models on the Hugging Face Hub have them, in a folder below --out, and the
    benchmark the eval.yaml that lists its tasks. Nothing is uploaded: what to type is printed.

    Else numbers are medians over seeds and are named BENCHMARK/CELL/METRIC. What has no value is
    left out. Ends with 3 where nothing was measured.
    """
    from ganbench.reports import exporters
    from ganbench.reports.exporters.named_measurements import left_out

    if against is not None and to != "junit":
        raise ConfigError(f"--against {against}: verdicts can be exported --to junit only")
    if columns is not None and to not in TABLES:
        raise ConfigError(f"--columns are of tables, as --to {', '.join(TABLES)} writes one")
    if (benchmark is None) == (to == HUB):
        raise ConfigError(
            f"--to {HUB}: name the benchmark on the Hub, as in --benchmark my-lab/gan-benchmark"
            if benchmark is None
            else f"--benchmark {benchmark}: is for --to {HUB}"
        )
    if benchmark is not None:
        return _hub(run, benchmark, out, as_json)
    if to in MODELS:
        return _model(run, to, out, as_json)
    if to in TABLES:
        return _table(run, to, out, columns, as_json)
    source = _source(run, against)
    written: list[Path] = []
    notes: tuple[str, ...] = ()
    if source.numbers or (to == "junit" and source.measurements.cells):
        found = exporters.render(to, source)
        written = _paths(to, out)
        _write(dict(zip(written, found.texts, strict=True)))
        notes = (*left_out(source.missing, "without a value"), *found.notes)
    nothing = "" if source.numbers else _nothing(run)
    _say(to, len(source.numbers), written, notes, nothing, as_json)
    return TRIAL_FAILED if nothing else OK


def _table(path: Path, to: str, out: Path | None, columns: list[str] | None, as_json: bool) -> int:
    from ganbench.records.report import Report
    from ganbench.records.run_folder import Run
    from ganbench.reports import latex

    report = Report.of(Run.read(path))
    measured = any(s.mean is not None for row in report.table.rows for s in row.values.values())
    target = Path(TABLES[to]) if out is None else out / TABLES[to] if out.is_dir() else out
    found = latex.table(report, columns)
    if measured:
        _write({target: found.text})
    written, numbers = ([target], len(report.table.rows)) if measured else ([], 0)
    _say(to, numbers, written, found.notes, "" if measured else _nothing(path), as_json)
    return OK if measured else TRIAL_FAILED


def _hub(path: Path, benchmark: str, out: Path | None, as_json: bool) -> int:
    from ganbench.records.run_folder import Run
    from ganbench.reports import hub

    found = hub.export(Run.read(path), benchmark, Path(HUB) if out is None else out)
    _write(found.texts)
    nothing = "" if found.numbers else _nothing(path)
    more = {"commands": found.commands} if as_json else {}
    _say(HUB, found.numbers, list(found.texts), found.notes, nothing, as_json, **more)
    if found.commands and not as_json:
        print("to publish them:")
        for command in found.commands:
            print(f"  {command}")
    return TRIAL_FAILED if nothing else OK


def _model(path: Path, to: str, out: Path | None, as_json: bool) -> int:
    from ganbench.cli.model_options import load
    from ganbench.models.saved import exported

    exported.check_can(to)  # type: ignore[arg-type]
    model = load(path, "cpu", (), False)
    name = MODELS[to]
    target = Path(name) if out is None else out / name if out.is_dir() else out
    done = exported.write(model, to, target)  # type: ignore[arg-type]
    if as_json:
        about = {"to": to, "files": [str(done.path)], "inputs": done.inputs}
        print_json({**about, "largest_difference": done.difference})
        return OK
    print(done.path)
    for given, what in done.inputs.items():
        print(f"  {given}: {what}")
    print(
        f"checked: run on other latents, its images differ by at most {done.difference:.2g} on a "
        "scale from -1 to 1"
    )
    return OK


def _source(run: Path, against: Path | None) -> NamedMeasurements:
    from ganbench.cli.gating import policy_of, side
    from ganbench.gate.compare import compare
    from ganbench.reports.exporters.named_measurements import NamedMeasurements

    found, own, created = side(run)
    if against is None:
        return NamedMeasurements(found, created)
    then, gate, _ = side(against)
    policy = policy_of(own or gate, (), (), None, [then, found])
    return NamedMeasurements(found, created, compare(then, found, policy, (str(against), str(run))))


def _paths(to: str, out: Path | None) -> list[Path]:
    names = FILES[to]
    if out is None:
        return [Path(name) for name in names]
    if len(names) == 1 and not out.is_dir():
        return [out]
    return [out / name for name in names]


def _write(texts: dict[Path, str]) -> None:
    from ganbench.util.files import write_text

    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunError(f"{path}: cannot be written: {reason}") from error


def _nothing(run: Path) -> str:
    hint = f"; `ganbench resume {run}` runs what failed or is left" if run.is_dir() else ""
    return f"{run}: no trial has given a number, so there is nothing to export{hint}"


def _say(
    to: str,
    numbers: int,
    files: list[Path],
    notes: tuple[str, ...],
    nothing: str,
    as_json: bool,
    **more: Any,
) -> None:
    if as_json:
        found: dict[str, Any] = {
            "to": to,
            "files": [str(path) for path in files],
            "numbers": numbers,
            "notes": list(notes),
            **more,
        }
        if nothing:
            found["error"] = {"message": nothing, "exit_code": TRIAL_FAILED}
        print_json(found)
        return
    for path in files:
        print(path)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if nothing:
        print(f"error: {nothing}", file=sys.stderr)

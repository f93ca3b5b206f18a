"""The command line. Each command is a module that is imported when it is called."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

import click

from ganbench import __version__
from ganbench.cli import exit_codes, streams
from ganbench.cli.lazy_group import LazyGroup
from ganbench.errors import (
    OUT_OF_MEMORY,
    BaselineError,
    GanbenchError,
    MeasurementError,
    NothingSelected,
    Terminated,
    cause,
    place,
    told,
)
from ganbench.util import lingering
from ganbench.util.messages import brief

COMMANDS = {
    "new": "Write a first benchmark of your own images, of a size for this machine.",
    "run": "Run a benchmark file and print the finished tables.",
    "plan": "Show every cell with resolved settings, sizes and time; train nothing.",
    "resume": "Finish a run that was interrupted or had failures.",
    "watch": "Follow a run live, from another terminal or machine.",
    "cancel": "End a run that is at work, so that it can be resumed.",
    "show": "Print a run's table again.",
    "report": "Print it as Markdown or JSON, beside published numbers, or with other runs.",
    "results": "Merge runs into one, and rank variants over data sets and seeds.",
    "evaluate": "Judge samples from elsewhere, or a trained model; train nothing.",
    "judge": "Train a classifier of your own labelled images, for numbers of classes.",
    "sample": "Draw new images from a trained model.",
    "frames": "Show the same latents at chosen moments of a training.",
    "interpolate": "Walk between latents, between labels, or both.",
    "arithmetic": "Add and subtract latents, as a − b + c.",
    "nearest": "Show samples beside the training images nearest to them.",
    "compare": "Compare a run with a baseline or another run: verdicts with evidence.",
    "baseline": "Bank a run as the baseline that others are compared with.",
    "ab": "Measure two versions of the code in turns: has it become slower?",
    "bisect": "Find the commit that made a benchmark worse, by exact tests.",
    "profile": "Show where the time of training steps and of judging goes, part by part.",
    "noise": "Say how small a change a benchmark can see, and which tolerances suit it.",
    "export": "Write measurements for github-action-benchmark, Bencher, JUnit, DVC, ….",
    "list": "List the runs under a folder.",
    "clean": "Remove old runs, or what the cache holds; asks first.",
    "plugins": "List every loss, conditioning, architecture, data set, metric, ….",
    "datasets": "Show which data sets are there; prepare, verify or preview one, or a folder.",
    "weights": "Show which feature extractors can work here, or download what one needs.",
    "doctor": "Show versions, device, threads, disk, data, plugins, and what would be slow.",
    "schema": "Print the JSON Schema of benchmark files, for editors.",
}


@click.group(
    cls=LazyGroup,
    package="ganbench.cli.commands",
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="ganbench")
def cli() -> None:
    """Benchmarks of GAN losses, conditionings and architectures: one YAML, one command, tables
    that can be defended.

    Exit codes: 0 fine; 1 a gated regression, or a plugin that failed its checks; 2 usage,
    configuration or plugin error, or one of ganbench's own; 3 a trial failed or diverged, or
    nothing was measured; 4 no usable baseline, or nothing that could be compared; 5 the selection
    matched nothing; 130, 143 interrupted, and resumable.
    """  # noqa: D205


def main() -> NoReturn:
    """Run the `ganbench` command and end the process with its exit code."""
    for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):  # the last two announce the end of a batch job
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _terminate)
    wants_json = "--json" in sys.argv[1:]
    streams.install(as_json=wants_json)
    code = _code(wants_json)
    if why := streams.trouble():
        print(f"error: standard output could not be written: {why}", file=sys.stderr)
        code = code or exit_codes.USAGE
    lingering.end_soon(code)
    sys.exit(code)


def _code(wants_json: bool) -> int:
    """Run the command, tell of its error, and return its exit code."""
    try:
        code = cli.main(
            prog_name="ganbench", complete_var="_GANBENCH_COMPLETE", standalone_mode=False
        )
        return code or exit_codes.OK
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _told(error.format_message(), exit_codes.USAGE, wants_json, error)
    except NothingSelected as error:
        return _told(str(error), exit_codes.NOTHING_SELECTED, wants_json)
    except BaselineError as error:
        return _told(str(error), exit_codes.NOT_COMPARABLE, wants_json)
    except MeasurementError as error:
        return _told(str(error), exit_codes.TRIAL_FAILED, wants_json)
    except GanbenchError as error:
        return _told(str(error), exit_codes.USAGE, wants_json)
    except (KeyboardInterrupt, click.Abort):
        return _told("interrupted", exit_codes.INTERRUPTED, wants_json)
    except Terminated:
        return _told("terminated", exit_codes.TERMINATED, wants_json)
    except BaseException as error:
        return _unforeseen(error, wants_json)


def _unforeseen(error: BaseException, wants_json: bool) -> int:
    """Tell of an error in a plugin by its name, of a file, and of ours with a traceback."""
    from ganbench.registry.discovery import culprit

    if source := culprit(error):
        message = f"plugin '{source.plugin}' ({source}): {told(error)}{place(error)}"
        return _told(message, exit_codes.USAGE, wants_json)
    if isinstance(error, SystemExit):  # click's own, as of shells that ask for completions
        raise error
    if isinstance(error, OSError) and error.filename:  # a folder that may not be read, say
        message = f"{brief(str(error.filename))}: cannot be used: {(error.strerror or '').lower()}"
        return _told(message, exit_codes.USAGE, wants_json)
    if cause(error) == OUT_OF_MEMORY:
        message = f"the memory does not suffice; ask for less at a time: {brief(told(error))}"
        return _told(message, exit_codes.USAGE, wants_json)
    traceback.print_exception(error)
    message = f"this is an error of ganbench, please report it: {told(error)}"
    return _told(message, exit_codes.USAGE, wants_json)


def _told(message: str, code: int, as_json: bool, error: click.ClickException | None = None) -> int:
    if as_json:
        document = {"error": {"message": message, "exit_code": code}}
        print(json.dumps(document, ensure_ascii=False), file=streams.documents())
    elif isinstance(error, click.UsageError):
        error.show(file=sys.stderr)
    else:
        print(f"error: {message}", file=sys.stderr)
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated

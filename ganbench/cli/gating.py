"""What the commands with a gate share: its options, both sides, the policy, the exit code."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ganbench.cli import options
from ganbench.cli.output import json_text, print_json
from ganbench.errors import BaselineError, ConfigError, NothingSelected

if TYPE_CHECKING:
    from ganbench.config.schema import Gate
    from ganbench.gate.comparison import Comparison, Policy
    from ganbench.gate.measurements import Measurements


GATES_DIFFER = "the gate is the candidate's; the baseline was banked with another one"
FAIL_ON = ("regressed", "failed", "missing", "incomparable")


def gate_options(function: options.F) -> options.F:
    """Give a command the options that decide a gate's exit code."""
    for option in reversed(_GATE):
        function = option(function)
    return function


tolerance = click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="METRIC=PART",
    help="The change that does not matter, as a part of the baseline: fid@pixels=0.1.",
)
alpha = click.option(
    "--alpha", type=click.FloatRange(0, 1, True, True), help="Else the file's, 0.05."
)
_GATE = [
    click.option(
        "--fail-on",
        default="regressed,failed,missing",
        show_default=True,
        metavar="VERDICTS",
        help=f"Gated verdicts that end with 1; of {', '.join(FAIL_ON)}, or none.",
    ),
    click.option(
        "--inconclusive",
        type=click.Choice(["ok", "warn", "fail"]),
        default="warn",
        show_default=True,
        help="What to do where the data cannot tell; fail ends with 4.",
    ),
    click.option(
        "--gate",
        "metrics",
        multiple=True,
        metavar="METRIC",
        help="Gate this number alone; may be repeated. Else as the benchmark file says.",
    ),
    tolerance,
    alpha,
]
github_summary = click.option(
    "--github-summary",
    is_flag=True,
    help="Append Markdown to the step's summary in GitHub Actions, and annotate gated verdicts.",
)


class Side(NamedTuple):
    """What a run's directory or a baseline's file holds."""

    measurements: Measurements
    gate: dict[str, Any]  # of its benchmark file
    created: str


def side(path: Path) -> Side:
    """Read the measurements of a run's directory or of a baseline's file."""
    from ganbench.gate import baseline
    from ganbench.gate.measurements import Measurements
    from ganbench.records.run_folder import Run

    if path.is_dir():
        run = Run.read(path)
        return Side(Measurements.of(run), run.info.gate, run.info.created)
    found = baseline.read(path)
    return Side(found.measurements, found.gate, found.created)


def policy_of(
    gate: dict[str, object],
    metrics: tuple[str, ...],
    tolerances: tuple[str, ...],
    alpha: float | None,
    sides: list[Measurements],
    *,
    interleaved: bool = False,
    option: str = "--gate",
) -> Policy:
    """Lay the command line's wishes over the benchmark file's; `option` is what names metrics.

    Raises ConfigError for what cannot be read, and NothingSelected for a number that neither side
    has.
    """
    from ganbench.gate.comparison import ALPHA, Policy, Tolerance

    file = _gate(gate)
    known = {name for side in sides for cell in side.cells.values() for name in cell.series}
    for name in metrics or file.metrics or ():
        _require(name, known, f"{option} {name}" if metrics else f"gate.metrics: {name}")
    chosen = {name: Tolerance(t.rel, t.abs) for name, t in file.tolerances.items()}
    for text in tolerances:
        name, _, part = text.rpartition("=")
        chosen[name] = Tolerance(_part(text, name, part), 0.0)
        _require(name, known, f"--tolerance {text}")
    return Policy(alpha or file.alpha or ALPHA, metrics or file.metrics, chosen, interleaved)


def _gate(recorded: dict[str, object]) -> Gate:
    import pydantic

    from ganbench.config.schema import Gate
    from ganbench.util.messages import dotted

    try:
        return Gate.model_validate_json(json_text(recorded)) if recorded else Gate()
    except ValueError as error:
        what = str(error)
        if isinstance(error, pydantic.ValidationError):
            first = error.errors(include_url=False)[0]
            what = f"{dotted(tuple(first['loc']))}: {first['msg']}"
        raise BaselineError(
            f"the recorded gate cannot be used: {what}; it was edited by hand: take it from git "
            "again, or measure anew"
        ) from error


def _require(name: str, known: set[str], where: str) -> None:
    if known and name not in known:
        from ganbench.util.messages import known as listed
        from ganbench.util.messages import suggestion

        raise NothingSelected(
            f"{where}: neither side has such a number{suggestion(name, known)}"
            f"{listed(sorted(known))}"
        )


def _part(text: str, name: str, part: str) -> float:
    try:
        found = float(part)
    except ValueError:
        found = math.nan
    if not name or not 0 <= found < math.inf:
        raise ConfigError(
            f"--tolerance {text}: expected METRIC=PART, as in {name or text}=0.1, with a number of "
            "at least 0"
        )
    return found


def parse_fail_on(text: str) -> tuple[str, ...]:
    """Return the verdicts that fail a gate. Raises ConfigError for a word that is none."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if found == ("none",):
        return ()
    for part in found or ("",):  # an empty variable of a script must not open the gate
        if part not in FAIL_ON:
            raise ConfigError(
                f"--fail-on {text}: expected verdicts of {', '.join(FAIL_ON)}, or none, found "
                f"'{part}'"
            )
    return found


def conclude(
    found: Comparison,
    fail_on: tuple[str, ...],
    inconclusive: str,
    *,
    everything: bool,
    as_json: bool,
    page: Path | None = None,
) -> int:
    """Print the comparison, on GitHub's page too; return the exit code."""
    from ganbench.gate import verdicts
    from ganbench.reports import github

    code, why = verdicts.conclusion(found, fail_on, inconclusive)
    if as_json:
        print_json({**verdicts.plain(found), "exit_code": code, "conclusion": why})
    else:
        print(verdicts.text(found, everything=everything))
        print(why, file=sys.stderr if code else sys.stdout)
    if page is not None:
        github.append(page, github.comparison(found, why))
        for line in github.annotate(found, fail_on, inconclusive, (code, why)):
            print(line, file=sys.stderr if as_json else sys.stdout)  # GitHub reads both
    return code

"""Callbacks and reporters of trackers, whose libraries work in processes of their own."""

from __future__ import annotations

import base64
import importlib.util
import io
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ganbench.contracts.callbacks import Callback, Probed, TrialInfo
from ganbench.contracts.reporters import Reporter
from ganbench.errors import told
from ganbench.records.report import Report
from ganbench.records.windows import Window
from ganbench.util.aside import Aside

if TYPE_CHECKING:
    from PIL.Image import Image

TRIAL_SECONDS = 5.0  # that a trial waits at its end
TABLE_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Tracker(Callback):
    """A callback whose library works in a process of its own, beside the trial's.

    Subclasses are dataclasses of their options. `open`, `scalars`, `picture` and `close` are called
    there, where the library is imported. Steps are real images shown to D. Whatever happens there,
    the trial goes on: one that breaks is named in the log, one that hangs is waited for for 5
    seconds at the trial's end. What it prints is in NAME.log in the trial's folder.
    """

    library: ClassVar[str]  #: the module that it needs

    def open(self, trial: Mapping[str, Any]) -> None:
        """Begin, in its process: `run`, `label`, `axes`, `seed`, `directory` and `settings`."""
        raise NotImplementedError

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Take numbers, in its process."""
        raise NotImplementedError

    def picture(self, step: int, image: Image) -> None:
        """Take what the fixed latents give, in its process."""
        raise NotImplementedError

    def close(self, status: str, values: Mapping[str, float]) -> None:
        """End, in its process, with the numbers of the trial's result."""
        raise NotImplementedError

    def began(self, trial: TrialInfo) -> None:
        """Start its process."""
        self._aside = _aside(self, trial.directory)
        self._call("open", {**asdict(trial), "directory": str(trial.directory.absolute())})

    def window(self, window: Window) -> None:
        """Send the window's numbers."""
        values = {
            **{f"loss/d/{name}": value for name, value in window.d_terms.items()},
            **{f"loss/g/{name}": value for name, value in window.g_terms.items()},
            **{f"signal/{name}": value for name, value in window.signals.items()},
            "speed/images_per_second": window.images_per_second,
            "progress/epoch": window.epoch,
            "progress/kimg": window.kimg,
        }
        self._call("scalars", _step(window.kimg), values)

    def probed(self, probe: Probed) -> None:
        """Send its numbers and its picture."""
        values = {f"quality/{k}": v for k, v in probe.values.items() if v is not None}
        if values:
            self._call("scalars", _step(probe.kimg), values)
        if probe.picture is not None:
            png = io.BytesIO()
            probe.picture.save(png, "PNG", compress_level=1)
            self._call("take_picture", _step(probe.kimg), base64.b64encode(png.getvalue()).decode())

    def take_picture(self, step: int, png: str) -> None:
        """Decode a picture, in its process."""
        from PIL import Image

        with Image.open(io.BytesIO(base64.b64decode(png))) as image:
            self.picture(step, image.convert("RGB"))

    def ended(self, result: dict[str, Any]) -> None:
        """Send the result's numbers, and wait for a few seconds."""
        found = {
            f"final/{one['name']}": one["value"]
            for one in result.get("metrics", ())
            if one["value"] is not None
        }
        self._call("close", str(result["status"]), found)
        if self._aside is not None:
            _end(self, self._aside, TRIAL_SECONDS)

    def _call(self, method: str, *arguments: Any) -> None:
        if self._aside is not None:
            self._aside.call(method, *arguments)


class TrackedTable(Reporter):
    """A reporter that gives a run's table to a tracker's library, in a process of its own.

    Subclasses are dataclasses of their options. `table` is called there. One that breaks, or takes
    longer than a minute, is named in the log, and ends no run.
    """

    library: ClassVar[str]

    def table(self, name: str, rows: list[dict[str, Any]], directory: str) -> None:
        """Take the run's name and its rows, all of one set of keys, in its process."""
        raise NotImplementedError

    def write(self, report: Report, directory: Path) -> None:
        """Send the table, and wait for a minute at most."""
        table = report.table
        rows = [
            {"label": row.label, "status": row.status, "n": row.n}
            | {
                column.name: (value.mean if (value := row.values.get(column.name)) else None)
                for column in table.columns
            }
            for row in table.rows
        ]
        aside = _aside(self, directory)
        if aside is not None:
            aside.call("table", table.name, rows, str(directory.absolute()))
            _end(self, aside, TABLE_SECONDS)


def _aside(owner: Tracker | TrackedTable, directory: Path) -> Aside | None:
    """Return an object of this class in its own process; None where its library is missing."""
    directory = directory.absolute()
    try:
        if importlib.util.find_spec(owner.library) is not None:
            log = directory / f"{owner.name}.log"
            return Aside(type(owner), asdict(owner), directory, log)  # type: ignore[call-overload]
        why = f"the package '{owner.library}' is not installed"
    except Exception as error:  # whatever it is, the trial goes on
        why = told(error)
    _log.warning("'%s' tracks nothing in %s: %s", owner.name, directory, why)
    return None


def _end(owner: Tracker | TrackedTable, aside: Aside, seconds: float) -> None:
    """End it, and say where something is missing."""
    code = aside.end(seconds)
    with suppress(OSError):  # someone may have removed it
        if code is not None and not aside.log.stat().st_size:
            aside.log.unlink()
    if code:
        why = f"its process ended with {code}"
    elif code is None:
        why = f"it was not done after {seconds:g} s"
    elif aside.left_out:
        why = f"{aside.left_out} messages were left out, as it did not keep up"
    else:
        return
    _log.warning("'%s' may lack numbers: %s (see %s.log)", owner.name, why, owner.name)


def _step(kimg: float) -> int:
    return round(1000 * kimg)

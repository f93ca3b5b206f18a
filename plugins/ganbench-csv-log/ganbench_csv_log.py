"""A CSV log of training for ganbench."""

import csv
from dataclasses import dataclass
from pathlib import Path

from ganbench import Callback, TrialInfo, Window, hookimpl, write_atomically


@dataclass(kw_only=True)
class CSVLog(Callback):
    """log.csv in the trial's folder: a line per window, a column per loss term."""

    name = "csv-log"

    def began(self, trial: TrialInfo) -> None:
        self.path = trial.directory / "log.csv"
        self.lines: list[dict[str, float]] = []

    def window(self, window: Window) -> None:
        line = {
            "kimg": window.kimg,
            "images_per_second": window.images_per_second,
            **{f"d_{name}": value for name, value in window.d_terms.items()},
            **{f"g_{name}": value for name, value in window.g_terms.items()},
        }
        self.lines.append(line)
        columns = dict.fromkeys(name for line in self.lines for name in line)

        def write(path: Path) -> None:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(self.lines)

        write_atomically(self.path, write)


@hookimpl
def register_callbacks(register):
    register(CSVLog)

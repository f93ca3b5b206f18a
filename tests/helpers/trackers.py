"""Trackers that note, break and hang, as their libraries may."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from ganbench import TrackedTable, Tracker


@dataclass(kw_only=True)
class Noting(Tracker):
    """Writes a line for each call; `fails_at` names the method that breaks or hangs."""

    name = "noting"
    library = "json"
    fails_at: str = ""
    hangs: bool = False

    def open(self, trial):
        self.notes = Path(trial["directory"]) / "notes.jsonl"
        self._note("open", trial["label"], trial["seed"])

    def scalars(self, step, values):
        self._note("scalars", step, values)

    def picture(self, step, image):
        self._note("picture", step, image.size, image.mode, image.getpixel((0, 0)))

    def close(self, status, values):
        self._note("close", status, values)

    def _note(self, method, *found):
        if method == self.fails_at:
            if self.hangs:
                time.sleep(3600)
            raise RuntimeError("no route to the tracker's server")
        with self.notes.open("a") as file:
            file.write(json.dumps([method, *found]) + "\n")


@dataclass(kw_only=True)
class NotingTable(TrackedTable):
    """Writes a run's table as it was sent."""

    name = "noting"
    library = "json"

    def table(self, name, rows, directory):
        (Path(directory) / "table.json").write_text(json.dumps([name, rows]))


@dataclass(kw_only=True)
class Missing(Noting):
    """A tracker whose library is not there."""

    name = "missing"
    library = "no_such_library_of_anyone"

"""Trackio follows trials of ganbench."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ganbench import TrackedTable, Tracker, hookimpl


@dataclass(kw_only=True)
class Trackio(Tracker):
    """A run for each trial, in the project and the group of its benchmark."""

    name = "trackio"
    library = "trackio"
    folder: str | None = None  # left out: TRACKIO_DIR, or `trackio` in the trial's folder
    space_id: str | None = None  # a Space of the Hugging Face Hub to send it to

    def open(self, trial):
        name = f"{trial['label']} s{trial['seed']}"
        told = {"axes": trial["axes"], "seed": trial["seed"], "cell": trial["settings"]}
        self.run = _run(self, trial["directory"], trial["run"], name, told)
        self.last = 0

    def scalars(self, step, values):
        self.last = max(self.last, step)
        self.run.log(values, step=step)

    def picture(self, step, image):
        import trackio

        self.run.log({"samples": trackio.Image(image)}, step=step)

    def close(self, status, values):
        self.run.log({**values, "status": status}, step=self.last)
        self.run.finish()


@dataclass(kw_only=True)
class TrackioTable(TrackedTable):
    """The run's table, in a run of its own in the project."""

    name = "trackio"
    library = "trackio"
    breaks = {"writing_twice_is_writing_once": "Trackio writes the time into its data base"}
    folder: str | None = None  # left out: TRACKIO_DIR, or `trackio` in the run's folder
    space_id: str | None = None

    def table(self, name, rows, directory):
        import pandas

        shutil.rmtree(Path(directory) / "trackio", ignore_errors=True)
        run = _run(self, directory, name, "table", {})
        import trackio

        run.log({"table": trackio.Table(dataframe=pandas.DataFrame(rows))})
        run.finish()


def _run(asked, directory, project, name, told):
    """Begin a run; where Trackio keeps it is said before it is imported."""
    if asked.folder is not None:
        os.environ["TRACKIO_DIR"] = asked.folder
    os.environ.setdefault("TRACKIO_DIR", str(Path(directory) / "trackio"))
    import trackio

    return trackio.init(
        project=project,
        name=name,
        group=project,
        config=told,
        space_id=asked.space_id,
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )


@hookimpl
def register_callbacks(register):
    register(Trackio)


@hookimpl
def register_reporters(register):
    register(TrackioTable)

"""Weights & Biases follows trials of ganbench."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganbench import TrackedTable, Tracker, hookimpl

Mode = Literal["auto", "online", "offline"]


@dataclass(kw_only=True)
class WandB(Tracker):
    """A run for each trial, in the group of its benchmark, offline unless there is a key."""

    name = "wandb"
    library = "wandb"
    project: str = "ganbench"
    entity: str | None = None
    mode: Mode = "auto"  # auto: online where W&B finds a key, else offline

    def open(self, trial):
        self.run = _run(
            self,
            trial["directory"],
            name=f"{trial['label']} s{trial['seed']}",
            group=trial["run"],
            config={"axes": trial["axes"], "seed": trial["seed"], "cell": trial["settings"]},
        )
        self.run.define_metric("images")
        self.run.define_metric("*", step_metric="images")

    def scalars(self, step, values):
        self.run.log({"images": step, **values})

    def picture(self, step, image):
        import wandb

        self.run.log({"images": step, "samples": wandb.Image(image)})

    def close(self, status, values):
        self.run.summary.update({**values, "status": status})
        self.run.finish(exit_code=0 if status == "ok" else 1)


@dataclass(kw_only=True)
class WandBTable(TrackedTable):
    """The run's table, in a run of its own in the group."""

    name = "wandb"
    library = "wandb"
    breaks = {"writing_twice_is_writing_once": "W&B names each run anew, by the time"}
    project: str = "ganbench"
    entity: str | None = None
    mode: Mode = "auto"

    def table(self, name, rows, directory):
        import wandb

        shutil.rmtree(Path(directory) / "wandb", ignore_errors=True)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        data = [[row[column] for column in columns] for row in rows]
        run = _run(self, directory, name="table", group=name)
        run.log({"table": wandb.Table(columns=columns, data=data)})
        run.finish()


def _run(asked, directory, **told):
    """Begin a run whose files are in a folder `wandb` of this directory."""
    import wandb

    mode = asked.mode
    if mode == "auto":
        mode = "online" if wandb.login(prompt=False, verify=False) else "offline"
    return wandb.init(project=asked.project, entity=asked.entity, mode=mode, dir=directory, **told)


@hookimpl
def register_callbacks(register):
    register(WandB)


@hookimpl
def register_reporters(register):
    register(WandBTable)

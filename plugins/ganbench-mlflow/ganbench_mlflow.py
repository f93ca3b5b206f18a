"""MLflow follows trials of ganbench."""

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from ganbench import TrackedTable, Tracker, hookimpl


@dataclass(kw_only=True)
class MLflow(Tracker):
    """A run for each trial, in the experiment of its benchmark."""

    name = "mlflow"
    library = "mlflow"
    uri: str | None = None  # left out: MLFLOW_TRACKING_URI, or mlflow.db in the trial's folder

    def open(self, trial):
        self.client, experiment = _store(self.uri, trial["directory"], trial["run"])
        name = f"{trial['label']} s{trial['seed']}"
        run = self.client.create_run(experiment, run_name=name)
        self.id, self.last = run.info.run_id, 0
        for key, value in {**trial["axes"], "seed": trial["seed"]}.items():
            self.client.log_param(self.id, _named(key), value)

    def scalars(self, step, values):
        from mlflow.entities import Metric

        now, self.last = int(1000 * time.time()), max(self.last, step)
        found = [Metric(_named(name), value, now, step) for name, value in values.items()]
        self.client.log_batch(self.id, metrics=found)

    def picture(self, step, image):
        self.client.log_image(self.id, image, key="samples", step=step)

    def close(self, status, values):
        self.scalars(self.last, values)
        self.client.set_tag(self.id, "ganbench.status", status)
        self.client.set_terminated(self.id, "FINISHED" if status == "ok" else "FAILED")


@dataclass(kw_only=True)
class MLflowTable(TrackedTable):
    """The run's table, table.json of a run of its own in the experiment."""

    name = "mlflow"
    library = "mlflow"
    breaks = {"writing_twice_is_writing_once": "MLflow names each run anew"}
    uri: str | None = None  # left out: MLFLOW_TRACKING_URI, or mlflow.db in the run's folder

    def table(self, name, rows, directory):
        for former in ("mlflow.db", "mlartifacts"):
            path = Path(directory) / former
            path.unlink(missing_ok=True) if path.is_file() else shutil.rmtree(path, True)
        client, experiment = _store(self.uri, directory, name)
        run = client.create_run(experiment, run_name="table")
        columns = dict.fromkeys(key for row in rows for key in row)
        data = {column: [row[column] for row in rows] for column in columns}
        client.log_table(run.info.run_id, data, "table.json")
        client.set_terminated(run.info.run_id)


def _store(uri, directory, experiment):
    """Return a client and the experiment's id; a store in the directory where none is named."""
    from mlflow import MlflowClient

    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    folder = Path(directory)
    client = MlflowClient(tracking_uri=uri or f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
    known = client.get_experiment_by_name(experiment)
    if known is not None:
        return client, known.experiment_id
    artifacts = None if uri else (folder / "mlartifacts").as_uri()
    return client, client.create_experiment(experiment, artifact_location=artifacts)


def _named(name):
    """Return a name that MLflow takes: fid@pixels is fid_pixels."""
    return re.sub(r"[^\w\-. /]", "_", name)


@hookimpl
def register_callbacks(register):
    register(MLflow)


@hookimpl
def register_reporters(register):
    register(MLflowTable)

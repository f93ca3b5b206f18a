"""What MLflow itself reads of what was written."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from ganbench_mlflow import MLflow, MLflowTable

from ganbench.contracts import trackers
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures import probes, trials
from ganbench.testing.fixtures.bare_trackers import WithoutLibrary
from ganbench.testing.rules.reporters import REPORTS

LIBRARY = "mlflow"
integration = pytest.mark.integration


@dataclass(kw_only=True)
class Bare(WithoutLibrary, MLflow):
    """The callback."""


@dataclass(kw_only=True)
class BareTable(WithoutLibrary, MLflowTable):
    """The reporter."""


@parametrize_with_checks(Bare, BareTable)
def test_conformance(check):
    check()


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """A trial's folder, with all of its trial told."""
    pytest.importorskip(LIBRARY, reason=f"pip install {LIBRARY}")
    monkeypatch.setattr(trackers, "TRIAL_SECONDS", 120.0)
    probes.tell(MLflow(), tmp_path)
    return tmp_path


@pytest.fixture
def tabled(tmp_path):
    """A run's folder with its table written, and the table."""
    pytest.importorskip(LIBRARY, reason=f"pip install {LIBRARY}")
    report = trials.report(tmp_path, REPORTS["ordinary"])
    MLflowTable().write(report, tmp_path)
    return tmp_path, report.table


def stored(folder: Path):
    """Return the client of a folder's store, and the one run in it."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    return client, experiment, run


@integration
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
def test_store_holds_losses_quality_and_pictures(followed):
    client, experiment, run = stored(followed)
    assert (experiment.name, run.info.run_name, run.info.status) == ("ring", "bce s3", "FINISHED")
    assert run.data.params == {"loss": "bce", "seed": "3"}
    assert run.data.tags["ganbench.status"] == "ok"

    def numbers(name: str) -> list[tuple[int, float]]:
        return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]

    assert numbers("loss/d/real") == [(500, 2.0), (1000, 2.5)]
    assert numbers("quality/fid_kit-features") == [(1000, 1.25)]
    assert numbers("final/fid_pixels") == [(1000, 4.5)]
    pictures = [f.path for f in client.list_artifacts(run.info.run_id, "images")]
    assert any(path.endswith(".png") and "1000" in path for path in pictures)


@integration
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
def test_table_is_a_run_of_its_own(tabled):
    folder, table = tabled
    _, experiment, run = stored(folder)
    assert (experiment.name, run.info.run_name) == (table.name, "table")
    (path,) = folder.glob("mlartifacts/*/artifacts/table.json")
    found = json.loads(path.read_text())
    assert found["columns"][:3] == ["label", "status", "n"]
    assert [row[0] for row in found["data"]] == [row.label for row in table.rows]

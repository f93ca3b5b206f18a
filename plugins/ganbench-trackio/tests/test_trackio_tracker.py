"""What Trackio itself reads of what was written."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from ganbench_trackio import Trackio, TrackioTable

from ganbench.contracts import trackers
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures import probes, trials
from ganbench.testing.fixtures.bare_trackers import WithoutLibrary
from ganbench.testing.rules.reporters import REPORTS

LIBRARY = "trackio"
integration = pytest.mark.integration


@dataclass(kw_only=True)
class Bare(WithoutLibrary, Trackio):
    """The callback."""


@dataclass(kw_only=True)
class BareTable(WithoutLibrary, TrackioTable):
    """The reporter."""


@parametrize_with_checks(Bare, BareTable)
def test_conformance(check):
    check()


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """A trial's folder, with all of its trial told."""
    pytest.importorskip(LIBRARY, reason=f"pip install {LIBRARY}")
    monkeypatch.setattr(trackers, "TRIAL_SECONDS", 120.0)
    probes.tell(Trackio(), tmp_path)
    return tmp_path


@pytest.fixture
def tabled(tmp_path):
    """A run's folder with its table written, and the table."""
    pytest.importorskip(LIBRARY, reason=f"pip install {LIBRARY}")
    report = trials.report(tmp_path, REPORTS["ordinary"])
    TrackioTable().write(report, tmp_path)
    return tmp_path, report.table


def lines(folder: Path, project: str) -> list[tuple[str, int, dict]]:
    """Return what was logged: the run, the step and the numbers."""
    with closing(sqlite3.connect(folder / "trackio" / f"{project}.db")) as base:
        found = base.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id")
        return [(run, step, json.loads(values)) for run, step, values in found]


@integration
def test_data_base_holds_losses_quality_and_pictures(followed):
    found = lines(followed, "ring")
    assert {run for run, *_ in found} == {"bce s3"}

    def numbers(name: str) -> list[tuple[int, float]]:
        return [(step, values[name]) for _, step, values in found if name in values]

    assert numbers("loss/d/real") == [(500, 2.0), (1000, 2.5)]
    assert numbers("quality/fid@kit-features") == [(1000, 1.25)]
    assert numbers("final/fid@pixels") == [(1000, 4.5)]
    assert numbers("status") == [(1000, "ok")]
    ((step, picture),) = numbers("samples")
    assert step == 1000
    assert picture["_type"] == "trackio.image"
    assert list(followed.glob("trackio/media/**/*.png"))


@integration
def test_table_is_a_run_of_its_own(tabled):
    folder, table = tabled
    ((run, _, values),) = lines(folder, table.name)
    assert run == "table"
    shown = values["table"]["_value"]
    assert [row["label"] for row in shown] == [row.label for row in table.rows]

"""What W&B itself reads of what was written."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest
from ganbench_wandb import WandB, WandBTable

from ganbench.contracts import trackers
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures import probes, trials
from ganbench.testing.fixtures.bare_trackers import WithoutLibrary
from ganbench.testing.rules.reporters import REPORTS

LIBRARY = "wandb"
integration = pytest.mark.integration


@dataclass(kw_only=True)
class Bare(WithoutLibrary, WandB):
    """The callback."""


@dataclass(kw_only=True)
class BareTable(WithoutLibrary, WandBTable):
    """The reporter."""


@parametrize_with_checks(Bare, BareTable)
def test_conformance(check):
    check()


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """A trial's folder, with all of its trial told."""
    pytest.importorskip(LIBRARY, reason=f"pip install {LIBRARY}")
    monkeypatch.setattr(trackers, "TRIAL_SECONDS", 120.0)
    probes.tell(WandB(), tmp_path)
    return tmp_path


@pytest.fixture
def tabled(tmp_path):
    """A run's folder with its table written, and the table."""
    pytest.importorskip(LIBRARY, reason=f"pip install {LIBRARY}")
    report = trials.report(tmp_path, REPORTS["ordinary"])
    WandBTable().write(report, tmp_path)
    return tmp_path, report.table


BLOCK, HEADER = 32768, 7  # of the log format of LevelDB


def records(folder: Path):
    """Yield what is in the one file of an offline run."""
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, at, whole = path.read_bytes(), HEADER, b""
    while at < len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + HEADER])
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # the whole of a record, or its last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def history(folder: Path) -> list[dict]:
    """Return what was logged, by name; what has parts by name and part: samples/width."""
    return [
        {"/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in records(folder)
        if record.WhichOneof("record_type") == "history"
    ]


@integration
def test_offline_run_holds_losses_quality_and_pictures(followed):
    (run,) = [r.run for r in records(followed) if r.WhichOneof("record_type") == "run"][:1]
    assert (run.project, run.run_group, run.display_name) == ("ganbench", "ring", "bce s3")
    lines = history(followed)
    assert [(x["images"], x["loss/d/real"]) for x in lines if "loss/d/real" in x] == [
        (500, 2.0), (1000, 2.5),
    ]  # fmt: skip
    assert [x["quality/fid@kit-features"] for x in lines if "quality/fid@kit-features" in x] == [
        1.25
    ]
    (picture,) = [x for x in lines if "samples/path" in x]
    assert (picture["images"], picture["samples/width"], picture["samples/height"]) == (
        1000,
        64,
        24,
    )
    assert list(followed.glob(f"wandb/offline-run-*/files/{picture['samples/path']}"))
    kinds = [r.WhichOneof("record_type") for r in records(followed)]
    assert "exit" in kinds


@integration
def test_table_is_in_a_run_of_its_own(tabled):
    folder, table = tabled
    (line,) = history(folder)
    assert line["table/nrows"] == len(table.rows)
    (path,) = folder.glob(f"wandb/offline-run-*/files/{line['table/path']}")
    found = json.loads(path.read_text())
    assert found["columns"][:3] == ["label", "status", "n"]
    assert [row[0] for row in found["data"]] == [row.label for row in table.rows]

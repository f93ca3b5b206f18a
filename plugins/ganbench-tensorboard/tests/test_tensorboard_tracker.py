"""What TensorBoard itself reads of what was written."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from ganbench_tensorboard import TensorBoard, TensorBoardTable

from ganbench.contracts import trackers
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures import probes, trials
from ganbench.testing.fixtures.bare_trackers import WithoutLibrary
from ganbench.testing.rules.reporters import REPORTS

integration = pytest.mark.integration


@dataclass(kw_only=True)
class Bare(WithoutLibrary, TensorBoard):
    """The callback."""


@dataclass(kw_only=True)
class BareTable(WithoutLibrary, TensorBoardTable):
    """The reporter."""


@parametrize_with_checks(Bare, BareTable)
def test_conformance(check):
    check()


@pytest.fixture
def tensorboard(monkeypatch):
    """The library; a slow machine may need longer than a trial waits."""
    monkeypatch.setattr(trackers, "TRIAL_SECONDS", 120.0)
    return pytest.importorskip("tensorboard", reason="pip install tensorboard")


def follow(directory: Path, kimgs=(0.5, 1.0), real: float = 1.5) -> None:
    probes.tell(TensorBoard(), directory, kimgs, real, look=1)


def read(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def numbers(found, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in found.Scalars(tag)]


@integration
def test_losses_quality_and_pictures_against_images_shown(tmp_path, tensorboard):
    follow(tmp_path)
    found = read(tmp_path / "tensorboard")
    assert numbers(found, "loss/d/real") == [(500, 2.0), (1000, 2.5)]
    assert numbers(found, "loss/g/adversarial") == [(500, 0.25), (1000, 0.25)]
    assert numbers(found, "signal/d_real") == [(500, 2.0), (1000, 2.0)]
    assert numbers(found, "quality/fid@kit-features") == [(500, 1.25)]
    assert numbers(found, "final/fid@pixels") == [(1000, 4.5)]
    (picture,) = found.Images("samples")
    assert (picture.step, picture.width, picture.height) == (500, 64, 24)
    assert picture.encoded_image_string.startswith(b"\x89PNG")


def texts(found) -> dict[str, str]:
    tags = found.Tags()["tensors"]
    return {t: found.Tensors(t)[0].tensor_proto.string_val[0].decode() for t in tags}


@integration
def test_texts_say_what_trial_it_is_and_how_it_ended(tmp_path, tensorboard):
    follow(tmp_path)
    found = texts(read(tmp_path / "tensorboard"))
    assert '"label": "bce"' in found["trial"]
    assert found["status"] == "ok"


@integration
def test_trial_that_is_run_again_writes_over_what_it_wrote(tmp_path, tensorboard):
    follow(tmp_path, (0.5, 1.0, 1.5))
    follow(tmp_path, (1.0, 1.5), real=9.0)
    assert numbers(read(tmp_path / "tensorboard"), "loss/d/real") == [
        (500, 2.0), (1000, 10.0), (1500, 10.5),
    ]  # fmt: skip


@integration
def test_table_is_text(tmp_path, tensorboard):
    report = trials.report(tmp_path, REPORTS["ordinary"])
    TensorBoardTable().write(report, tmp_path)
    found = texts(read(tmp_path / "tensorboard"))[report.table.name]
    assert found.startswith("| label | status | n |")
    assert len(found.splitlines()) == 2 + len(report.table.rows)

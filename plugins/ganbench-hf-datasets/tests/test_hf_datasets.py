"""Pictures and labels in columns: as pyarrow has them in the tests that are marked, else alike."""

import io
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import ganbench_hf_datasets
import numpy as np
import pytest
import torch
from ganbench_hf_datasets import HFDatasets, Table
from PIL import Image, ImageOps

from ganbench import DataError
from ganbench.testing import parametrize_with_checks

integration = pytest.mark.integration
IMAGE = {"_type": "Image"}
CLASSES = {"names": ["owl", "tit"], "_type": "ClassLabel"}


class Column(list):
    """Values as pyarrow hands them out."""

    def to_pylist(self):
        return list(self)

    def __getitem__(self, row):
        return SimpleNamespace(as_py=lambda: list(self)[row])


class Columns:
    """Of a pyarrow.Table, what is asked of it."""

    def __init__(self, **columns):
        self.columns = columns
        self.column_names = list(columns)
        self.num_rows = len(next(iter(columns.values())))
        kinds = {bytes: "binary", dict: "struct<bytes: binary, path: string>"}
        self.schema = [
            SimpleNamespace(name=name, type=kinds.get(type(values[0]), "int64"))
            for name, values in columns.items()
        ]

    def column(self, name):
        return Column(self.columns[name])


def picture(red, mode="RGB", size=(12, 8)):
    noise = np.random.default_rng(red).integers(0, 60, (*size[::-1], 3), np.uint8)
    found = Image.fromarray(noise + np.array([red, 0, 0], np.uint8)).convert(mode)
    if mode == "RGBA":
        found.putalpha(0)
    return found


def png(*args, **kwargs):
    file = io.BytesIO()
    picture(*args, **kwargs).save(file, "PNG")
    return file.getvalue()


def rows(count, start=0):
    images = [{"bytes": png(100 * (i % 2) + start + i), "path": None} for i in range(count)]
    return {"image": images, "label": [i % 2 for i in range(count)]}


WHOLE = {"image": IMAGE, "label": CLASSES}
BIRDS = Table(Columns(**rows(24)), WHOLE)
STORED = {
    "birds": {"train": BIRDS},
    "both": {"train": BIRDS, "validation": Table(Columns(**rows(9, 30)), WHOLE)},
    "plain": {"train": Table(Columns(**{**rows(24), "image": [png(i) for i in range(24)]}), {})},
}


@dataclass(kw_only=True)
class Stored(HFDatasets):
    """The data set without files, and so without pyarrow."""

    @property
    def _tables(self):
        if self.path not in STORED:
            raise DataError(f"{self.path}: no Parquet file is there, and nothing that was saved")
        return STORED[self.path]


@parametrize_with_checks(
    Stored(path="birds", resolution=8),
    Stored(path="both", resolution=8, channels=1),
    Stored(path="plain", resolution=8, test_share=0.3, label="none"),
    Stored(path="nowhere", resolution=8, label="none"),
)
def test_conformance(check):
    check()


def loaded(of="train", **options):
    return Stored(**{"path": "birds", "resolution": 8, **options}).load(of, Path())


def test_columns_become_images_and_classes():
    found = loaded()
    assert tuple(found.images.shape) == (24, 3, 8, 8)
    assert found.labels.tolist() == [0, 1] * 12
    assert found.ids[:2] == ["0", "1"]
    expected = np.asarray(ImageOps.fit(picture(0), (8, 8), Image.Resampling.LANCZOS))
    assert np.array_equal(found.images[0].permute(1, 2, 0).numpy(), expected)
    assert Stored(path="birds").class_names() == ("owl", "tit")
    assert Stored(path="plain").class_names() == ("0", "1")
    assert Stored(path="birds", label="none").image_spec().num_classes == 0


def test_a_split_or_a_share_is_for_testing():
    assert Stored(path="birds").splits == ("train",)
    assert len(loaded("test", path="both")) == 9
    train, test = loaded(test_share=0.3), loaded("test", test_share=0.3)
    assert sorted(map(int, (*train.ids, *test.ids))) == list(range(24))
    assert 2 <= len(test) <= 12
    with pytest.raises(DataError, match="no test split; give test_share"):
        loaded("test")


def test_what_is_transparent_shows_the_background(monkeypatch):
    clear = {"image": [{"bytes": png(9, "RGBA")}], "label": [0]}
    monkeypatch.setitem(STORED, "clear", {"train": Table(Columns(**clear), WHOLE)})
    assert loaded(path="clear").images.eq(255).all()
    assert loaded(path="clear", background="black").images.eq(0).all()


def test_rows_that_cannot_be_used_are_named(monkeypatch):
    images = [{"bytes": one} for one in (png(1), b"no", png(2)[:90], png(3))]
    images.append({"bytes": None, "path": "/nowhere/a.png"})
    table = Table(Columns(image=images, label=[0, 1, 1, -1, 0]), WHOLE)
    monkeypatch.setitem(STORED, "mess", {"train": table})
    found = loaded(path="mess")
    assert found.ids == ["0"]
    assert [problem[:12] for problem in found.problems] == [
        "row 1: not a", "row 2: damag", "row 3: no la", "row 4: no pi",
    ]  # fmt: skip
    monkeypatch.setattr(ganbench_hf_datasets, "MOST_BAD", 3)
    with pytest.raises(DataError, match="4 of 5 rows are unusable\n  row 1: not a picture"):
        loaded(path="mess")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image": "photo"}, "no column 'photo'; it has image, label"),
        ({"label": "kind"}, "no column 'kind'; it has image, label"),
        ({"split": "all"}, "no split 'all'; it has train"),
        ({"path": "plain", "label": "image"}, "values that are no classes"),
        ({"path": "two"}, "2 columns of pictures among image, photo; name one with image"),
    ],
)
def test_what_is_not_there_is_a_sentence(monkeypatch, options, said):
    two = Columns(image=[png(1)], photo=[png(2)])
    monkeypatch.setitem(STORED, "two", {"train": Table(two, {})})
    with pytest.raises(DataError, match=said):
        loaded(**options)


@pytest.mark.parametrize("options", [{"resolution": 0}, {"test_share": 1.0}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Stored(path="birds", **options)


@pytest.fixture
def birds():
    """Birds as the library itself has them."""
    datasets = pytest.importorskip("datasets", reason="pip install datasets")
    columns = {
        "image": [picture(100 * (i % 2) + i) for i in range(12)],
        "label": [i % 2 for i in range(12)],
    }
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["owl", "tit"])}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def same(path, split="train", **options):
    data = HFDatasets(path=str(path), resolution=8, **options)
    assert data.status(Path()).present, data.status(Path()).note
    assert data.class_names() == ("owl", "tit")
    return data.load(split, Path())


@integration
def test_what_the_library_saves_is_read(birds, tmp_path):
    birds.save_to_disk(tmp_path / "whole", num_shards=3)
    birds.to_parquet(tmp_path / "birds.parquet")
    birds.select([5, 3, 8]).save_to_disk(tmp_path / "some")
    expected = [loaded().images[i] for i in range(12)]
    for path in (tmp_path / "whole", tmp_path / "birds.parquet"):
        found = same(path)
        assert found.labels.tolist() == [0, 1] * 6
        assert all(map(torch.equal, found.images, expected))
    found = same(tmp_path / "some")
    assert found.labels.tolist() == [1, 1, 0]
    assert all(map(torch.equal, found.images, [expected[i] for i in (5, 3, 8)]))


@integration
def test_splits_of_the_library_are_known(birds, tmp_path):
    import datasets

    splits = datasets.DatasetDict(train=birds, test=birds.select(range(4)))
    splits.save_to_disk(tmp_path / "saved")
    for name, part in splits.items():
        (tmp_path / "hub" / "data").mkdir(parents=True, exist_ok=True)
        for shard in range(2):
            file = tmp_path / "hub" / "data" / f"{name}-0000{shard}-of-00002.parquet"
            part.shard(2, shard).to_parquet(file)
    for path in (tmp_path / "saved", tmp_path / "hub"):
        assert len(same(path)) == 12
        assert len(same(path, "test")) == 4


@integration
def test_files_that_are_damaged_are_named(birds, tmp_path):
    birds.to_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:500])
    for path in (tmp_path / "a.parquet", tmp_path / "nowhere", tmp_path):
        status = HFDatasets(path=str(path)).status(Path())
        assert not status.present
        assert str(path) in status.note

"""Images from arrays: which are taken, how they are read, and what is said of what cannot be."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import mutants, stand_ins

from ganbench import DataError, ImageSpec
from ganbench.default_plugins.datasets.arrays.images import CHUNK
from ganbench.default_plugins.datasets.tensor import Tensors

IMAGES = stand_ins.noise(1, 12, 8, 8, 3)  # N×H×W×C
LABELS = np.arange(12) % 3


@pytest.fixture
def at(tmp_path):
    """A data set of a file that is written first."""

    def at(content=None, name="data.npz", **options) -> Tensors:
        path = tmp_path / name
        if content is not None:
            write(path, content)
        return Tensors(path=str(path), **options)

    return at


def write(path: Path, content) -> None:
    if path.suffix == ".npz":
        np.savez_compressed(path, **content)
    elif path.suffix == ".npy":
        np.save(path, content)
    elif path.suffix in (".pt", ".pth"):
        torch.save(content, path)
    else:
        path.write_bytes(content)


def loaded(dataset: Tensors, split="train"):
    return dataset.load(split, Path())


def nchw(values=IMAGES) -> torch.Tensor:
    return torch.from_numpy(values).permute(0, 3, 1, 2)


TENSORS = {"images": nchw().contiguous(), "labels": torch.from_numpy(LABELS)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", {"images": IMAGES, "labels": LABELS}),
        ("a.npz", {"x": IMAGES, "y": LABELS.astype(np.uint8)[:, None]}),
        ("a.npz", {"arr_0": IMAGES, "arr_1": LABELS.astype(str)}),
        ("a.npz", {"train_images": IMAGES, "train_labels": LABELS, "val_images": IMAGES[:3]}),
        ("a.npz", {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}),
        ("a.pt", TENSORS),
        ("a.pth", tuple(TENSORS.values())),
        ("a.pt", [TENSORS["images"].float() / 255, LABELS.tolist()]),
        ("a.pt", {"meta": {"made": "today", "n": 3}, "data": {**TENSORS, "epochs": [1, 2]}}),
        ("a.pt", {"images": TENSORS["images"].bfloat16(), "labels": list(map(str, LABELS))}),
    ],
)
def test_arrays_are_found_by_what_they_are(at, name, content):
    dataset = at(content, name)
    found = loaded(dataset)
    if "bfloat16" in str(content):
        assert (found.images.int() - nchw().int()).abs().max() <= 1  # of its eight bits
    else:
        assert torch.equal(found.images, nchw())
    assert found.labels.tolist() == LABELS.tolist()
    assert dataset.image_spec() == ImageSpec(3, 8, 3)
    assert found.images.dtype == torch.uint8
    assert mutants.failures(dataset) == {}


def test_old_files_of_torch_are_read(at, tmp_path):
    torch.save(TENSORS, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(loaded(at(name="old.pt")).images, nchw())


def test_bare_arrays_are_unlabelled(at):
    for dataset in (at(IMAGES, "a.npy"), at(TENSORS["images"], "a.pt"), at({"x": IMAGES})):
        found = loaded(dataset)
        assert torch.equal(found.images, nchw())
        assert found.labels is None
        assert dataset.image_spec() == ImageSpec(3, 8, 0)
        assert dataset.splits == ("train",)
        assert mutants.failures(dataset) == {}


def test_labels_of_bare_arrays_are_in_another_file(at, tmp_path):
    np.save(tmp_path / "ids.npy", LABELS)
    found = loaded(at(IMAGES, "a.npy", labels="ids.npy"))
    assert found.labels.tolist() == LABELS.tolist()
    both = at(IMAGES, "a.npy", labels=str(tmp_path / "both.npz"))
    np.savez(tmp_path / "both.npz", a=LABELS, b=LABELS)
    with pytest.raises(DataError, match=r"both\.npz: holds a int64\[12\], b int64\[12\]; give lab"):
        loaded(both)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_with_the_labels_beside_them(at, tmp_path, packed):
    end = ".gz" if packed else ""
    pack = gzip.compress if packed else bytes
    for start, count in (("train", 12), ("t10k", 6)):
        for what, values in (("images-idx3", IMAGES[..., 0]), ("labels-idx1", LABELS)):
            held_out = what.startswith("images") and start == "t10k"
            content = stand_ins.idx((values[:count] ^ held_out).astype(np.uint8))
            (tmp_path / f"{start}-{what}-ubyte{end}").write_bytes(pack(content))
    test = str(tmp_path / f"t10k-images-idx3-ubyte{end}")
    dataset = at(name=f"train-images-idx3-ubyte{end}", test_path=test)
    assert torch.equal(loaded(dataset).images[:, 0], nchw()[:, 0])
    assert loaded(dataset).labels.tolist() == LABELS.tolist()
    assert loaded(dataset, "test").labels.tolist() == LABELS[:6].tolist()
    assert dataset.status(Path()).note == "12 + 6 images"
    assert mutants.failures(dataset) == {}


def test_test_set_is_of_the_same_or_another_file(at, tmp_path):
    held = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[6:], "y_test": LABELS[6:]}
    inside = at(held, test_images="x_test")
    write(tmp_path / "other.npz", {"x_test": IMAGES[3:6], "y_test": LABELS[3:6]})
    outside = at(held, test_path=str(tmp_path / "other.npz"))
    assert (inside.splits, outside.splits) == (("train", "test"),) * 2
    assert torch.equal(loaded(inside, "test").images, nchw()[6:])
    assert loaded(inside, "test").labels.tolist() == LABELS[6:].tolist()
    assert torch.equal(loaded(outside, "test").images, nchw()[3:6])
    assert len(loaded(inside)) == len(loaded(outside)) == 12
    with pytest.raises(DataError, match="'tensor' has no test split; give it a test_path"):
        loaded(at(held), "test")
    write(tmp_path / "strange.npz", {"x": IMAGES[:2], "y": np.array([0, 7])})
    with pytest.raises(DataError, match=r"strange\.npz: x: labels 7 are of no training image"):
        loaded(at(held, test_path=str(tmp_path / "strange.npz")), "test")
    write(tmp_path / "bare.npz", {"x": IMAGES})
    with pytest.raises(DataError, match=r"bare\.npz: x: no labels, and the training images have s"):
        loaded(at(held, test_path=str(tmp_path / "bare.npz")), "test")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0, 1, 2], ()),
        ([1, 2, 3], ("1", "2", "3")),
        ([-1, 40, 9], ("-1", "9", "40")),
        (["cat", "ant", "bee"], ("ant", "bee", "cat")),
        ([False, True, True], ("0", "1")),
        ([3.0, 1.0, 2.0], ("1", "2", "3")),
    ],
)
def test_labels_become_classes_in_their_order(at, values, names):
    dataset = at({"x": IMAGES[:3], "y": np.array(values)}, labels="y")
    found = loaded(dataset)
    if values == [False, True, True]:
        names = ()
    assert dataset.class_names() == names
    assert found.labels.tolist() == [sorted(set(values)).index(value) for value in values]
    assert dataset.image_spec().num_classes == len(set(values))


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (IMAGES / 255, {}, IMAGES),
        ((IMAGES / 127.5 - 1).astype(np.float32), {}, IMAGES),
        (IMAGES.astype(np.float16), {}, IMAGES),
        (IMAGES.astype(np.int64), {}, IMAGES),
        (IMAGES.astype(np.int64) * 16, {"range": (0, 4080)}, IMAGES),
        (IMAGES.astype(np.uint16) * 257, {"range": (0, 65535)}, IMAGES),
        (IMAGES > 99, {}, 255 * (IMAGES > 99).astype(np.uint8)),
        ((IMAGES > 99).astype(np.uint8), {"range": (0, 1)}, 255 * (IMAGES > 99).astype(np.uint8)),
        (IMAGES, {"range": (255, 0)}, 255 - IMAGES),
        (np.full((2, 4, 4, 3), 0.5), {"range": (0.0, 1.0)}, np.full((2, 4, 4, 3), 128, np.uint8)),
        (np.full((2, 4, 4, 3), 0.5), {"range": (-1.0, 1.0)}, np.full((2, 4, 4, 3), 191, np.uint8)),
    ],
)
def test_numbers_become_bytes(at, values, options, expected):
    assert torch.equal(loaded(at({"x": values}, **options)).images, nchw(expected))


def test_long_arrays_are_converted_part_by_part(at):
    values = stand_ins.noise(2, CHUNK + 5, 2, 2)
    found = loaded(at(values / np.float32(255), "a.npy"))
    assert torch.equal(found.images[:, 0], torch.from_numpy(values))
    broken = values / np.float32(255)
    broken[CHUNK + 2, 1, 1] = np.nan
    with pytest.raises(DataError, match=f"image {CHUNK + 2:,}, from 0, has a value that is NaN or"):
        loaded(at(broken, "a.npy"))


def test_uint8_arrays_stay_on_the_disk(at, tmp_path):
    found = loaded(at(nchw().numpy().copy(), "a.npy")).images
    found[0] = 7  # which must not reach the file
    assert (np.load(tmp_path / "a.npy")[0] != 7).any()


@pytest.mark.parametrize(
    ("shape", "layout", "spec"),
    [
        ((4, 5, 5), "auto", (1, 5)),
        ((4, 1, 5, 5), "auto", (1, 5)),
        ((4, 5, 5, 1), "auto", (1, 5)),
        ((4, 3, 5, 5), "auto", (3, 5)),
        ((4, 3, 3, 3), "nchw", (3, 3)),
        ((4, 3, 3, 3), "nhwc", (3, 3)),
    ],
)
def test_layout_is_told_by_the_channels(at, shape, layout, spec):
    values = stand_ins.noise(3, *shape)
    dataset = at({"x": values}, layout=layout)
    assert dataset.image_spec() == ImageSpec(*spec)
    last = layout == "nhwc" or shape[-1] == 1
    expected = torch.from_numpy(values)
    expected = expected.permute(0, 3, 1, 2) if last else expected.view(4, spec[0], *shape[-2:])
    assert torch.equal(loaded(dataset).images, expected)


@pytest.mark.parametrize(("crop", "left"), [("fit", 0), ("squash", 1), ("pad", 255)])
def test_oblong_images_are_made_square_as_asked(at, crop, left):
    values = np.zeros((2, 16, 8, 1), np.uint8)
    values[:, :4] = values[:, 12:] = 200  # above and below the middle
    with pytest.raises(
        DataError, match=r"16×8, and networks here make squares; give resolution, s"
    ):
        at({"x": values}).image_spec()
    dataset = at({"x": values}, resolution=8, crop=crop, filter="box")
    found = loaded(dataset).images
    assert found.shape == (2, 1, 8, 8)
    assert dataset.image_spec() == ImageSpec(1, 8)
    edge = {"fit": 0, "squash": 200, "pad": 200}[crop]
    assert found[0, 0, 0, 4] == edge
    assert found[0, 0, 4, 0] == (255 if crop == "pad" else 0)
    assert dataset.protocol()["crop"] == crop


def test_resizing_keeps_the_mean(at):
    found = loaded(at({"x": IMAGES}, resolution=4)).images
    assert found.shape == (12, 3, 4, 4)
    assert found.float().mean().item() == pytest.approx(IMAGES.mean(), abs=1.5)


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["a.pt", "a.npy", "a.npz", "a.pkl"])
def test_no_pickle_is_run(at, tmp_path, name):
    bomb = Bomb(tmp_path / "bang")
    held = np.array([bomb, bomb], dtype=object)
    content = {"a.pt": bomb, "a.npy": held, "a.npz": {"images": held}, "a.pkl": pickle.dumps(bomb)}
    if name == "a.npy":
        np.save(tmp_path / name, held, allow_pickle=True)
        dataset = at(name=name)
    else:
        dataset = at(content[name], name)
    with pytest.raises(DataError) as caught:
        loaded(dataset)
    assert not (tmp_path / "bang").exists()
    expected = {
        "a.pt": "holds more than tensors, and to load that could run code; save it with torch.save",
        "a.npy": "an array of shape (2,) is no set of images",
        "a.npz": "no array can be the images: it holds images object[2]; images are numbers",
        "a.pkl": "the same with .gz; pictures are read from a folder, or a .zip",
    }
    assert expected[name] in str(caught.value)


def test_objects_of_the_shape_of_images_are_refused(at, tmp_path):
    held = np.full((2, 4, 4), None, dtype=object)
    np.save(tmp_path / "a.npy", held, allow_pickle=True)
    with pytest.raises(DataError, match=r"a\.npy: cannot be read: holds Python objects, and to lo"):
        loaded(at(name="a.npy"))


BAD = [
    (
        {"x": IMAGES, "z": IMAGES},
        {},
        r"several arrays can be the images: it holds x uint8\[12, 8, ",
    ),
    ({"y": LABELS}, {}, r"no array can be the images: it holds y int64\[12\]; images are num"),
    ({"x": IMAGES, "y": LABELS, "w": LABELS}, {}, "several arrays can be the labels: it holds x u"),
    ({"images": IMAGES}, {"images": "image"}, r"images: it has no array 'image'; did you mean 'im"),
    ({"x": IMAGES, "y": LABELS}, {"labels": "z"}, r"labels: it has no array 'z'\n  known: x, y"),
    ({"x": IMAGES, "y": LABELS[:9]}, {"labels": "y"}, r"labels of shape \(9,\) for 12 images; giv"),
    (
        {"x": IMAGES, "y": np.ones((12, 12))},
        {"labels": "y"},
        r"labels of shape \(12, 12\) for 12 images",
    ),
    ({"x": IMAGES, "y": LABELS / 2}, {"labels": "y"}, "data.npz: y: labels are fractions; give wh"),
    ({"x": IMAGES, "y": LABELS * np.nan}, {"labels": "y"}, "labels are NaN or infinite"),
    ({"x": IMAGES, "y": LABELS * 1j}, {"labels": "y"}, "labels are complex128; give whole numbers"),
    (
        {"x": np.zeros((3, 8, 8, 4), np.uint8)},
        {},
        r"\(3, 8, 8, 4\) has no second or last axis of 1",
    ),
    ({"x": IMAGES}, {"layout": "nchw"}, r"\(12, 8, 8, 3\) has no second axis of 1 or 3 channels"),
    ({"x": nchw().numpy()}, {"layout": "nhwc"}, "has no last axis of 1 or 3 channels"),
    (
        {"x": np.zeros((2, 3, 3, 3), np.uint8)},
        {},
        "may be first or last; give layout: nchw or nhwc",
    ),
    ({"x": IMAGES * np.nan}, {}, "image 0, from 0, has a value that is NaN or infinite"),
    ({"x": IMAGES / 2.5 - 1}, {}, r"values go from -1 to 101; give range: \[BLACK, WHITE\], the v"),
    ({"x": IMAGES.astype(int) * 9}, {}, r"values go from 0 to 2,?\d+; give range"),
    ({"x": IMAGES / 255}, {"range": (-0.5, 0.5)}, r"from 0 to 1, outside of range \[-0\.5, 0\.5\]"),
    ({"x": (IMAGES > 9).astype(np.uint8)}, {}, r"no value is above 1; where 1 is white, give rang"),
    ({"x": IMAGES[:0]}, {}, "the array is empty"),
    ({"x": IMAGES * 1j}, {"images": "x"}, "values are complex128; images are whole numbers or fr"),
]


@pytest.mark.parametrize(("content", "options", "why"), BAD, ids=[case[2][:30] for case in BAD])
def test_what_cannot_be_images_is_explained(at, content, options, why):
    dataset = at(content, **options)
    with pytest.raises(DataError, match=why) as caught:
        loaded(dataset)
    assert "data.npz" in str(caught.value)


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.pt", "a-idx3-ubyte", "a-idx3-ubyte.gz"])
@pytest.mark.parametrize("damage", ["empty", "half", "other"])
def test_damaged_files_are_explained(at, tmp_path, name, damage):
    content = {"a.npz": {"images": IMAGES, "labels": LABELS}, "a.npy": IMAGES, "a.pt": TENSORS}
    idx = stand_ins.idx(IMAGES[..., 0])
    packed = gzip.compress(idx) if name.endswith("gz") else idx
    dataset = at(content.get(name, packed), name)
    path = tmp_path / name
    whole = path.read_bytes()
    damaged = {"empty": b"", "half": whole[: len(whole) // 2], "other": b"<html>not found</html>"}
    path.write_bytes(damaged[damage])
    with pytest.raises(DataError, match=rf"{name}: ") as caught:
        loaded(dataset)
    assert len(str(caught.value).split()) > 4
    assert not dataset.status(Path()).present
    assert mutants.failures(dataset) == {}


def test_missing_files_are_sentences(at):
    missing = at(name="nothing.npz")
    with pytest.raises(DataError, match=r"nothing\.npz: there is no such file"):
        missing.image_spec()
    assert missing.status(Path()).note.startswith("missing: ")
    other = at({"x": IMAGES}, test_path="nowhere.npz")
    assert other.status(Path()).note == "missing: nowhere.npz"
    assert mutants.failures(missing) == {}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"resolution": 0}, "resolution must be positive, found 0"),
        ({"range": (1.0, 1.0)}, r"range must have two different values, found \[1.0, 1.0\]"),
        ({"test_labels": "y"}, "test_labels has no test images; give test_images or test_path"),
    ],
)
def test_options_that_cannot_be_are_refused(at, options, why):
    with pytest.raises(ValueError, match=why):
        at(**options)


def test_options_are_those_of_a_benchmark_file(plugins, tmp_path):
    write(tmp_path / "a.npz", {"x": IMAGES / 255})
    options = {"path": str(tmp_path / "a.npz"), "range": [0, 1], "resolution": 4}
    assert loaded(plugins.build("dataset", "tensor", options)).images.shape == (12, 3, 4, 4)


# Vectors in the place of labels


@pytest.mark.parametrize(("shape", "width"), [((12,), 1), ((12, 3), 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.int32, bool])
def test_condition_is_a_vector_of_each_image(at, shape, width, dtype):
    values = np.random.default_rng(0).normal(size=shape).round(1).astype(dtype)
    dataset = at({"images": IMAGES, "labels": LABELS, "told": values}, condition="told")
    assert dataset.image_spec() == ImageSpec(3, 8, condition_dim=width)
    assert dataset.class_names() == ()
    found = loaded(dataset)
    assert found.labels.dtype == torch.float32
    assert np.allclose(found.labels.numpy(), values.reshape(12, width).astype(np.float32))


def test_condition_may_be_a_file_beside_and_has_a_test_set(at, tmp_path):
    np.save(tmp_path / "told.npy", np.arange(12.0))
    assert loaded(at(IMAGES, "data.npy", condition="told.npy")).labels.flatten().tolist() == list(
        range(12)
    )
    content = {"x": IMAGES, "told": np.arange(12.0), "x_test": IMAGES[:3], "t": np.ones(3)}
    dataset = at(content, images="x", condition="told", test_images="x_test", test_condition="t")
    assert loaded(dataset, "test").labels.flatten().tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros((11, 2)), r"a condition of shape \(11, 2\) for 12 images"),
        (np.zeros((12, 2, 2)), "a condition of shape"),
        (np.full((12, 2), np.nan), "12 of 12 vectors have a number that is NaN or infinite"),
        (np.array(["a"] * 12), "a condition of <U1; give numbers"),
    ],
)
def test_condition_that_does_not_fit_is_an_error(at, values, why):
    dataset = at({"images": IMAGES, "told": values}, images="images", condition="told")
    with pytest.raises(DataError, match=why):
        loaded(dataset)


def test_test_set_of_another_width_is_an_error(at):
    content = {"x": IMAGES, "told": np.ones((12, 2)), "x_test": IMAGES[:3], "t": np.ones(3)}
    dataset = at(content, images="x", condition="told", test_images="x_test", test_condition="t")
    with pytest.raises(DataError, match="vectors of 1, and those of training images are of 2"):
        loaded(dataset, "test")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"labels": "y", "condition": "c"}, "exclude each other"),
        ({"test_condition": "c", "test_path": "t.npz"}, "give condition, too"),
    ],
)
def test_conditions_that_mean_nothing_are_refused(at, options, why):
    with pytest.raises(ValueError, match=why):
        at(**options)

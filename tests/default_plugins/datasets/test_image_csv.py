"""Labels in a CSV file: which pictures they name, and what is said of rows that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import mutants
from helpers.folders_of_pictures import glasses, picture

from ganbench import DataError, LabeledImages
from ganbench.default_plugins.datasets.image_csv import ImageCSV, sorted_labels
from ganbench.default_plugins.datasets.image_files import patterns, tables
from ganbench.errors import ConfigError

LABELS = [0, 1, 1, 0, 1, 0]


@pytest.fixture
def faces(tmp_path) -> Path:
    """Six faces; the red of each is its id."""
    glasses(tmp_path, LABELS)
    return tmp_path


def data(folder: Path, **options) -> ImageCSV:
    own = {
        "path": str(folder / "faces"),
        "csv": str(folder / "train.csv"),
        "label_column": "glasses",
        "pattern": "face-{id}.png",
        "resolution": 8,
    }
    return ImageCSV(**{**own, **options})


def loaded(folder: Path, **options) -> LabeledImages:
    return data(folder, **options).load("train", folder)


def pairs(found: LabeledImages) -> list[tuple[int, int]]:
    """Each face's id with its label."""
    return list(zip(found.images[:, 0, 0, 0].tolist(), found.labels.tolist(), strict=True))


def rewritten(folder: Path, *lines: str) -> None:
    (folder / "train.csv").write_text("\n".join(lines) + "\n", "utf-8")


def test_rows_name_pictures_and_their_labels(faces):
    found = loaded(faces)
    assert pairs(found) == list(enumerate(LABELS, start=1))
    assert found.problems == ()
    assert data(faces).class_names() == ("0", "1")
    assert data(faces).image_spec().num_classes == 2
    assert data(faces).splits == ("train",)
    status = data(faces).status(faces)
    assert (status.present, status.note) == (True, "6 rows of train.csv; classes 0, 1")


def test_words_are_classes_in_order(faces):
    rewritten(faces, "id,glasses", "1,zebra", "2, ant ", "3,zebra")
    assert data(faces).class_names() == ("ant", "zebra")
    assert pairs(loaded(faces)) == [(1, 1), (2, 0), (3, 1)]


def test_numbers_are_in_the_order_of_numbers_however_they_are_written():
    assert sorted_labels(["10", "9", "2"]) == ("2", "9", "10")
    assert sorted_labels(["10", "9", "x"]) == ("10", "9", "x")
    assert [tables.canonical(v) for v in (1, 1.0, " 1.0", "-0.50", "nan", "1_0")] == [
        *["1"] * 3,
        *["-0.50", "nan", "1_0"],
    ]


@pytest.mark.parametrize(
    ("pattern", "values", "name"),
    [
        ("{id}.jpg", {"id": "7"}, "7.jpg"),
        ("face-{id:0>4}.png", {"id": "7"}, "face-0007.png"),
        ("{id:04d}.png", {"id": "7"}, "0007.png"),
        ("{split}/{id}", {"id": "a.webp", "split": "train"}, "train/a.webp"),
        ("{{{v.1}}}.png", {"v.1": "x"}, "{x}.png"),
    ],
)
def test_patterns_make_names(pattern, values, name):
    assert patterns.filled(pattern, values) == name


@pytest.mark.parametrize("value", ["../x", "/etc/x", "..\\x", "c:/x", "a//x", "x\0"])
def test_names_stay_in_the_folder(value):
    with pytest.raises(ValueError, match="is no name of a file in the folder"):
        patterns.filled("{id}.png", {"id": value})


def test_other_columns_may_stand_in_the_pattern(faces):
    rewritten(faces, "id;kind;glasses", "1;face;0", "2;face;1")
    assert len(loaded(faces, pattern="{kind}-{id}.png")) == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=repr)
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "bom"])
def test_spreadsheets_write_csv_their_own_way(faces, delimiter, start):
    lines = [["", "glasses", "id"], ["0", "yes, both", "1"], [], ["1", "none", "2"]]
    if delimiter == ",":
        lines[1][1] = '"yes, both"'
    text = "\r\n".join(delimiter.join(line) for line in lines)
    (faces / "train.csv").write_bytes((start + text).encode())
    assert data(faces).class_names() == ("none", "yes, both")
    assert pairs(loaded(faces)) == [(1, 1), (2, 0)]


def test_where_keeps_rows(faces):
    rewritten(faces, "id,glasses,age", "1,0,20", "2,1,30", "3,2,30", "4,1,40.0")
    assert pairs(loaded(faces, where={"age": 30})) == [(2, 0), (3, 1)]
    assert data(faces, where={"age": 30}).class_names() == ("1", "2")
    assert pairs(loaded(faces, where={"glasses": [0, "1"]})) == [(1, 0), (2, 1), (4, 1)]
    assert pairs(loaded(faces, where={"age": [30, 40], "glasses": 1})) == [(2, 0), (4, 0)]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"glasses": 2}, "where: no row has glasses '2'\n  known: 0, 1"),
        (
            {"glases": 1},
            r"no column 'glases'; did you mean 'glasses'\?\n  known: id, v1, v2, v3, g",
        ),
        ({"glasses": 0, "id": 2}, "no row that where asks for"),
    ],
)
def test_where_that_keeps_nothing_is_an_error(faces, where, why):
    with pytest.raises(DataError, match=why):
        data(faces, where=where).image_spec()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fix.yaml", "1: 1\n3: ~\n4: null\n"),
        ("fix.csv", "id,glasses\n1,1.0\n3,\n4,\n"),
    ],
)
def test_relabel_corrects_and_leaves_out(faces, name, text):
    (faces / name).write_text(text)
    found = loaded(faces, relabel=str(faces / name))
    assert pairs(found) == [(1, 1), (2, 1), (5, 1), (6, 0)]
    assert found.problems == ()


def test_where_sees_corrected_labels(faces):
    (faces / "fix.yaml").write_text("1: 1\n")
    found = loaded(faces, relabel=str(faces / "fix.yaml"), where={"glasses": 1})
    assert [identity for identity, _ in pairs(found)] == [1, 2, 3, 5]


def test_ids_in_yaml_are_as_they_stand_there(faces):
    rewritten(faces, "id,glasses", "0010,a", "8,b")
    (faces / "fix.yaml").write_text("0010: b\n")  # which YAML reads as 8
    assert data(faces, relabel=str(faces / "fix.yaml")).class_names() == ("b",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("17: 1\n", "fix.yaml: train.csv has no id '17'"),
        ("1: 3\n", "fix.yaml: '1' gets label '3', as no other\n  known: 0, 1"),
        ("- 1\n- 2\n", "expected one line `id: label` for each"),
        ("1: [0]\n", "expected one line `id: label` for each"),
        ("{1: 0", "fix.yaml: not YAML: "),
    ],
)
def test_relabel_that_corrects_nothing_is_an_error(faces, text, why):
    (faces / "fix.yaml").write_text(text)
    with pytest.raises(DataError, match=why):
        loaded(faces, relabel=str(faces / "fix.yaml"))


def test_rows_that_name_no_picture_are_named_and_counted(faces):
    rewritten(
        faces, "id,glasses", "1,0", "2,1", "1,0", "2,0", ",1", "3,", "99,1", "a/../x,0", "6,1"
    )
    found = loaded(faces)
    assert pairs(found) == [(1, 0), (2, 1), (6, 1)]
    assert found.problems == (
        "train.csv: line 4: 'face-1.png' again, after line 2",
        "train.csv: line 5: 'face-2.png' again, after line 3, there with label 1",
        "train.csv: line 6: no id",
        "train.csv: line 7: no label for '3'",
        "train.csv: line 9: 'face-a/../x.png' is no name of a file in the folder",
        "face-99.png: missing",
    )
    with pytest.raises(DataError, match="6 of 9 pictures cannot be used, and max_bad is 5:") as e:
        loaded(faces, max_bad=5)
    assert "where files are missing, look at path and pattern" in str(e.value)


def test_ids_that_end_as_files_do_are_told_of_the_pattern(faces):
    rewritten(faces, "id,glasses", "face-1.jpg,0", "face-2.PNG,1", "face-3,0")
    folder = faces / "faces"
    (folder / "face-2.png").rename(folder / "face-2.PNG.png")
    found = loaded(faces, pattern="{id}.png")
    assert pairs(found) == [(2, 1), (3, 0)]
    assert found.problems == (
        "train.csv: line 2: 'face-1.jpg.png' is missing, and id 'face-1.jpg' ends in .jpg already; "
        "give a pattern without, such as '{id}'",
    )
    rewritten(faces, "id,glasses", "face-1.png,0", "face-2.PNG.png,1")
    assert pairs(loaded(faces, pattern="{id}")) == [(1, 0), (2, 1)]


def test_rows_of_which_none_is_usable_are_an_error(faces):
    rewritten(faces, "id,glasses", "1,", "2,")
    with pytest.raises(
        DataError, match=r"2 of 2 pictures cannot be used:\n  train\.csv: line 2: no l"
    ):
        loaded(faces)


def test_wrong_pattern_is_told_by_its_missing_files(faces):
    with pytest.raises(
        DataError, match=r"6 of 6 .*\n  1\.png: missing\n.*\n.*\n.*\n.*\n.* and 1 more"
    ):
        loaded(faces, pattern="{id}.png")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", r"train\.csv: empty; its first line names the columns"),
        (b"id,glasses\n", r"train\.csv: no row$"),
        (b"id,glasses\n1,0,3\n", r"train\.csv:2: 3 values, and the header names 2 columns; quote"),
        (b"id,glasses,id\n1,0,3\n", r"its header names 'id' twice"),
        (b"id,label\n1,0\n", r"no column 'glasses'\n  known: id, label"),
        (b"id,glasses\n1,\xff\n", r"train\.csv: not text in UTF-8 \(.*\); save it as UTF-8"),
        (b'id,glasses\n1,"' + b"x" * 2**21, "not CSV: field larger than field limit"),
    ],
)
def test_csv_that_cannot_be_read_is_a_sentence(faces, text, why):
    (faces / "train.csv").write_bytes(text)
    with pytest.raises(DataError, match=why):
        data(faces).image_spec()
    assert data(faces).status(faces).present is False


def test_csv_is_found_in_the_folder_or_from_here(faces, monkeypatch):
    (faces / "train.csv").rename(faces / "faces" / "train.csv")
    assert len(loaded(faces, csv="train.csv")) == 6
    monkeypatch.chdir(faces)
    assert len(loaded(faces, csv="faces/train.csv")) == 6
    with pytest.raises(DataError, match=rf"no file 'labels\.csv', in {faces}/faces or in {faces}$"):
        loaded(faces, csv="labels.csv")


def test_many_columns_are_listed_in_part(tmp_path):
    glasses(tmp_path, [0, 1], latents=512)
    assert len(loaded(tmp_path)) == 2
    with pytest.raises(DataError, match=r"'glases'; did you mean 'glasses'\?") as caught:
        data(tmp_path, label_column="glases").image_spec()
    assert str(caught.value).endswith("v39 and 474 more")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"pattern": "{}.png"}, r"pattern '\{\}\.png': it has \{\} without a column's name"),
        ({"pattern": "{id.png"}, r"pattern '\{id\.png': expected '\}' before end of string"),
        ({"where": {"x": True}}, "where"),
        ({"where": 3}, "where: expected a mapping, found 3"),
    ],
)
def test_options_that_mean_nothing_are_refused(plugins, options, why):
    with pytest.raises(ConfigError, match=f"dataset 'image-csv': {why}"):
        plugins.build("dataset", "image-csv", {"path": "x", "csv": "y", **options})


def test_share_of_the_pictures_is_held_out(tmp_path):
    glasses(tmp_path, [i % 2 for i in range(40)])
    found = data(tmp_path, test_share=0.3)
    train, test = (found.load(split, tmp_path) for split in ("train", "test"))
    both = sorted(pairs(train) + pairs(test))
    assert both == [(i, 1 - i % 2) for i in range(1, 41)]
    assert 4 <= len(test) <= 20


@pytest.mark.parametrize("options", [{}, {"where": {"glasses": 1}}], ids=str)
def test_conforms(faces, options):
    picture(faces / "faces" / "face-2.png", "white")
    assert mutants.failures(data(faces, **options)) == {}


def test_conforms_where_it_is_not_there(tmp_path):
    assert mutants.failures(ImageCSV(path=str(tmp_path / "absent"), csv="train.csv")) == {}


# Vectors in the place of labels


TABLE = (
    "id,age,x,place",
    "1,0,0.5,a",
    "2,50,-1,b",
    "3,100,1,b",
    "4,25,0,a",
    "5,10,0,a",
    "6,20,0,a",
)


def test_columns_of_numbers_are_the_vector_of_each_picture(faces):
    rewritten(faces, *TABLE)
    found = loaded(faces, condition=["x", "age"])
    assert found.labels.dtype == torch.float32
    assert found.labels.tolist() == [[0.5, 0], [-1, 50], [1, 100], [0, 25], [0, 10], [0, 20]]
    spec = data(faces, condition=["x", "age"]).image_spec()
    assert (spec.num_classes, spec.condition_dim) == (0, 2)
    assert data(faces, condition=["x", "age"]).class_names() == ()
    assert data(faces, condition=["x"]).status(faces).note == "6 rows of train.csv; vectors of x"
    (remark,) = found.remarks
    assert remark.startswith("column 'age' goes from 0 to 100, and networks learn from numbers")
    assert remark.endswith("give condition: {age: [0, 100]}")


def test_ends_that_are_given_become_minus_one_and_one(faces):
    rewritten(faces, *TABLE)
    found = loaded(faces, condition={"age": [0, 100], "x": [1, -1]})
    expected = [[-1, -0.5], [0, 1], [1, -1], [-0.5, 0], [-0.8, 0], [-0.6, 0]]
    torch.testing.assert_close(found.labels, torch.tensor(expected))
    assert found.remarks == ()


def test_splits_and_rows_that_are_left_out_keep_pictures_and_vectors_together(faces):
    rewritten(faces, *TABLE)
    whole = loaded(faces, condition=["age"])
    by_id = dict(zip(whole.images[:, 0, 0, 0].tolist(), whole.labels[:, 0].tolist(), strict=True))
    for options in ({"where": {"place": "a"}}, {"test_share": 0.5}):
        for split in data(faces, condition=["age"], **options).splits:
            part = data(faces, condition=["age"], **options).load(split, faces)
            assert 0 < len(part) < 6
            for image, vector in zip(part.images, part.labels, strict=True):
                assert by_id[int(image[0, 0, 0])] == float(vector)


@pytest.mark.parametrize("text", ["", "old", "nan", "inf"])
def test_a_row_without_its_number_is_a_problem(faces, text):
    rewritten(faces, *TABLE[:-1], f"6,{text},0,a")
    found = loaded(faces, condition=["age"])
    assert len(found) == len(found.labels) == 5
    assert f"line 7: age of '6' is '{text}', and no number" in found.problems[0]


def test_a_column_of_one_value_is_remarked(faces):
    rewritten(faces, "id,x", *(f"{i},3" for i in range(1, 7)))
    assert (
        "column 'x' is 3 for all pictures, and tells nothing"
        in loaded(faces, condition=["x"]).remarks
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"condition": ["age", "age"]}, "names a column twice"),
        ({"condition": {"age": [3, 3]}}, "two different numbers"),
        ({"condition": ["age"], "relabel": "other.yaml"}, "there are none"),
    ],
)
def test_conditions_that_mean_nothing_are_refused(faces, options, why):
    with pytest.raises(ValueError, match=why):
        data(faces, **options)


def test_a_column_that_is_not_there_has_a_suggestion(faces):
    rewritten(faces, *TABLE)
    with pytest.raises(DataError, match="no column 'agee'"):
        loaded(faces, condition=["agee"])


def test_conforms_with_a_condition(faces):
    rewritten(faces, *TABLE)
    assert mutants.failures(data(faces, condition=["x"])) == {}


@pytest.mark.parametrize("names", [{0: "plain", 1: "glasses"}, {"0": "plain", "1.0": "glasses"}])
def test_labels_may_have_words(faces, names):
    plain, named = data(faces), data(faces, label_names=names)
    assert named.class_names() == ("plain", "glasses")
    assert pairs(named.load("train", faces)) == pairs(plain.load("train", faces))
    assert named.status(faces).note == "6 rows of train.csv; classes plain, glasses"
    assert data(faces, label_names={1: "glasses"}).class_names() == ("0", "glasses")


def test_corrections_may_say_labels_by_their_words(faces):
    (faces / "fixed.csv").write_text("id,glasses\n1,glasses\n2,0\n3,~\n", "utf-8")
    options = {"relabel": str(faces / "fixed.csv"), "label_names": {0: "plain", 1: "glasses"}}
    assert pairs(loaded(faces, **options)) == [(1, 1), (2, 0), (4, 0), (5, 1), (6, 0)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({0: "face", 1: "face"}, "gives two labels one word: face, face"),
        ({1: "a", "1": "b"}, "has a label twice"),
    ],
)
def test_words_that_tell_nothing_apart_are_refused(faces, names, said):
    with pytest.raises(ValueError, match=said):
        data(faces, label_names=names)


def test_words_that_fit_no_row_are_refused(faces):
    with pytest.raises(DataError, match=r"label_names: no row has label '2'"):
        data(faces, label_names={2: "hat"}).class_names()
    with pytest.raises(DataError, match=r"gives a label the name of another: 1, 1"):
        data(faces, label_names={0: "1"}).class_names()
    with pytest.raises(ValueError, match="with a condition there are none"):
        data(faces, label_names={0: "a"}, condition=["glasses"])

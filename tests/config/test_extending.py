"""A file that extends another is laid over it by the rules of profiles, one level deep."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.config import benchmark_file, extending, plan
from ganbench.config.origins import Origin, origins
from ganbench.errors import ConfigError
from ganbench.registry.registry import Registry

PARENT = """\
version: 1
name: parent
dataset: {name: ring, modes: 6}
conditioning: none
architecture: {name: mlp, width: 16}
matrix: {loss: [bce, lsgan]}
training: {batch_size: 8, budget: {kimg: 80}}
seeds: [0, 1]
profiles:
  smoke: {training: {budget: {kimg: 2}}}
"""
CHILD = """\
extends: parent.yaml
name: child
training: {budget: {kimg: 40}}
matrix: {loss: [bce]}
profiles:
  smoke: {seeds: [7]}
  long: {training: {budget: {kimg: 90}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parent.yaml").write_text(PARENT, "utf-8")
    return tmp_path


def written(folder: Path, text: str, name: str = "child.yaml") -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


def refused(path: Path, **how) -> str:
    with pytest.raises(ConfigError) as caught:
        extending.read(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_mappings_merge_and_all_else_replaces(folder: Path, plugins: Registry) -> None:
    found = benchmark_file.load(written(folder, CHILD), plugins)
    (cell,) = found.cells
    assert (found.run.name, found.run.seeds) == ("child", (0, 1))
    assert cell.settings.training.batch_size == 8
    assert cell.settings.training.budget.kimg == 40
    assert cell.settings.dataset.options == {"modes": 6}
    assert found.document.text == CHILD
    assert found.document.parent.text == PARENT
    assert "extends" not in found.document.data()


def test_profiles_of_both_are_there_and_of_one_name_merge(folder: Path, plugins: Registry) -> None:
    path = written(folder, CHILD)
    smoke = benchmark_file.load(path, plugins, profile="smoke")
    assert smoke.run.seeds == (7,)
    assert smoke.cells[0].settings.training.budget.kimg == 2
    long = benchmark_file.load(path, plugins, profile="long", overrides=["training.batch_size=4"])
    assert long.cells[0].settings.training.budget.kimg == 90
    assert long.cells[0].settings.training.batch_size == 4


def test_options_of_a_plugin_that_another_replaces_go_and_are_told(
    folder: Path, plugins: Registry
) -> None:
    path = written(folder, "extends: parent.yaml\ndataset: {name: grid}\n")
    found = benchmark_file.load(path, plugins)
    assert found.cells[0].settings.dataset.options == {}
    (told,) = found.warnings
    assert f"{path}:2:1: dataset is 'grid' in place of 'ring', whose options modes go" in told


def test_a_shipped_file_is_extended_by_its_name_and_its_cells_are_the_same(
    tmp_path: Path, plugins: Registry
) -> None:
    path = written(tmp_path, "extends: cgan_mnist\nname: mine\nseeds: [3]\n")
    config = benchmark_file.load(path, plugins)
    assert config.document.parent.name.endswith("benchmarks/cgan_mnist.yaml")
    ours = plan.make(config, plugins, device="cpu")
    shipped = benchmark_file.load(Path(config.document.parent.name), plugins)
    theirs = plan.make(shipped, plugins, device="cpu")
    assert [cell.id for cell in ours.cells] == [cell.id for cell in theirs.cells]
    assert ours.seeds == (3,)


def test_a_file_beside_of_a_shipped_name_is_reached_as_a_path(folder: Path) -> None:
    written(folder, PARENT, "cgan_mnist")
    path = written(folder, "extends: ./cgan_mnist\n")
    assert extending.read(path).data()["name"] == "parent"
    path = written(folder, "extends: cgan_mnist\n")
    assert extending.read(path).data()["name"] == "cgan_mnist"


def test_parents_are_found_from_the_files_own_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "below").mkdir()
    path = written(folder / "below", "extends: ../parent.yaml\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert extending.read(path).data()["name"] == "parent"
    absolute = written(folder / "below", f"extends: {folder / 'parent.yaml'}\n", "other.yaml")
    assert extending.read(absolute).data()["name"] == "parent"


def test_plugins_are_files_beside_the_file_that_names_them(folder: Path) -> None:
    (folder / "below").mkdir()
    written(folder, PARENT + "plugins: [loss.py, module]\n", "parent.yaml")
    path = written(folder / "below", "extends: ../parent.yaml\n")
    found = benchmark_file.plugins_of(benchmark_file.read(path))
    assert [Path(name).resolve() for name in found[:1]] == [folder / "loss.py"]
    assert found[1] == "module"
    path = written(folder / "below", "extends: ../parent.yaml\nplugins: [own.py]\n")
    assert benchmark_file.plugins_of(benchmark_file.read(path)) == [str(path.parent / "own.py")]
    given = benchmark_file.read(path, overrides=["plugins=[given.py]"])
    assert benchmark_file.plugins_of(given) == [str(path.parent / "given.py")]


def test_every_value_has_the_place_where_it_was_written(folder: Path) -> None:
    path = written(folder, CHILD)
    found = benchmark_file.read(path, profile="smoke", overrides=["training.g_lr=1e-3"])
    parent = folder / "parent.yaml"
    origin = {one.key: one for one in origins(found)}
    assert origin["version"] == Origin("version", 1, f"{parent}:1:10")
    assert origin["name"] == Origin("name", "child", f"{path}:2:7")
    assert origin["dataset.modes"] == Origin("dataset.modes", 6, f"{parent}:3:30")
    assert origin["matrix.loss"] == Origin("matrix.loss", ["bce"], f"{path}:4:16")
    assert origin["seeds"] == Origin("seeds", [7], f"{path}:6:18")
    assert origin["training.budget.kimg"].place == f"{parent}:10:37"
    assert origin["training.g_lr"].place == "--set training.g_lr=1e-3"
    assert not any(key.startswith(("profiles", "extends")) for key in origin)


def test_a_mistake_points_into_the_file_that_makes_it(folder: Path, plugins: Registry) -> None:
    written(folder, PARENT.replace("batch_size: 8", "batch_size: 0"), "parent.yaml")
    path = written(folder, CHILD.replace("kimg: 40", "kimg: -4"))
    with pytest.raises(ConfigError) as caught:
        benchmark_file.load(path, plugins)
    said = str(caught.value)
    assert f"{folder / 'parent.yaml'}:7:12: training.batch_size: expected" in said
    assert f"{path}:3:21: training.budget.kimg: expected" in said
    written(folder, PARENT.replace("architecture", "architectures"), "parent.yaml")
    with pytest.raises(ConfigError, match=r"parent.yaml:5:1: unknown key 'architectures'"):
        benchmark_file.load(written(folder, CHILD), plugins)


def test_what_is_missing_is_said_of_the_file_itself(folder: Path, plugins: Registry) -> None:
    written(folder, "version: 1\n", "parent.yaml")
    with pytest.raises(ConfigError, match=r"child.yaml:1:1: .* is missing"):
        benchmark_file.load(written(folder, "extends: parent.yaml\n"), plugins)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: child.yaml\n", "child.yaml:1:1: extends: child.yaml is this file"),
        ("extends: ./child.yaml\n", "child.yaml:1:1: extends: ./child.yaml is this file"),
        ("extends: none.yaml\n", "child.yaml:1:1: extends: none.yaml: there is no such file"),
        (
            "extends: cgan_mnits\n",
            "child.yaml:1:1: extends: cgan_mnits: there is no such file; did you mean 'cgan_mnist' "
            "or 'cdcgan_mnist', which come with ganbench?",
        ),
        ("extends: .\n", "extends: {folder}: is a folder; name a benchmark file"),
        ("extends: 3\n", "child.yaml:1:1: extends: expected the name of a benchmark that"),
        ("extends:\n", "child.yaml:1:1: extends: expected the name of a benchmark that"),
        ("extends: ''\n", "child.yaml:1:1: extends: expected the name of a benchmark that"),
        ("extends: [parent.yaml]\n", 'or a path, found ["parent.yaml"]'),
        ("extends: broken.yaml\n", "child.yaml:1:1: extends: broken.yaml:2:1: 'a' appears"),
        (
            "extends: middle.yaml\n",
            "child.yaml:1:1: extends: middle.yaml extends 'parent.yaml' itself, at "
            "middle.yaml:2:1, and a parent has none; extend that one",
        ),
        ("extends: loop.yaml\n", "extends: loop.yaml extends 'child.yaml' itself"),
    ],
)
def test_a_parent_that_cannot_be_is_refused(folder: Path, text: str, said: str) -> None:
    written(folder, "a: 1\na: 2\n", "broken.yaml")
    written(folder, "name: middle\nextends: parent.yaml\n", "middle.yaml")
    written(folder, "extends: child.yaml\n", "loop.yaml")
    assert said.format(folder=folder) in refused(written(folder, text))


def test_neither_set_nor_a_profile_extends(folder: Path, plugins: Registry) -> None:
    path = written(folder, PARENT, "plain.yaml")
    said = "--set extends=parent.yaml: extends: a file alone says what it extends"
    with pytest.raises(ConfigError, match=said):
        benchmark_file.load(path, plugins, overrides=["extends=parent.yaml"])
    path = written(folder, PARENT + "  odd: {extends: parent.yaml}\n", "plain.yaml")
    with pytest.raises(ConfigError, match="unknown key 'extends'"):
        benchmark_file.load(path, plugins)

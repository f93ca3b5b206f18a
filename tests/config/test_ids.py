"""What an id counts: options and settings may come, releases may follow, and old ids stay."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic
import pytest
from click.testing import CliRunner
from helpers import bench

import ganbench
from ganbench import Loss, Metric, Step, Terms
from ganbench.cli import cli, running
from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.contracts.options import SINCE, counted_options, default_of
from ganbench.default_plugins.features.random_conv import RandomConv
from ganbench.default_plugins.losses import BCE
from ganbench.default_plugins.metrics.frechet import FID
from ganbench.errors import GanbenchError, PluginError
from ganbench.models.parts import check_sources
from ganbench.records import cells, run_folder
from ganbench.records.cells import Cell
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.util import files

TEXT = bench.TEXT + "evaluation: {metrics: [fid@random-conv]}\n"
KINDS_IN_IDS = (
    *("loss", "conditioning", "architecture", "transform", "dataset"),
    *("feature extractor", "metric"),
)
OPTIONS: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("options_of_0.1.0.json").read_text("utf-8")
)
PICTURES = {"stratified": False, "range": None, "draft": False}
PRIOR = {"prior": "normal"}
TEXTBOOK = {**PRIOR, "bn_momentum": 0.1, "bn_eps": 1e-5}
STACKED = {**TEXTBOOK, "d_kernel": 4, "g_kernel": 4, "strides": ()}
SINCE_THEN: dict[str, dict[str, Any]] = {
    "architecture bricks-dcgan": STACKED,
    "architecture cdcgan": {
        **TEXTBOOK,
        "prior": "uniform",
        "g_kernels": (4, 3, 4, 4),
        "d_kernels": (4, 4, 3),
        "g_strides": (2, 2, 2),
        "d_strides": (2, 2, 2),
        "width": 64,
    },
    "architecture dcgan": PRIOR,
    "architecture eyeglasses-cgan": STACKED,
    "architecture faces-wgan": {**STACKED, "leaks": ()},
    "architecture mlp": PRIOR,
    "architecture resnet": PRIOR,
    "architecture unrolled-dcgan": PRIOR,
    "dataset celeba-attributes": {**PICTURES, "vectors": False},
    "dataset image-csv": {**PICTURES, "condition": [], "label_names": {}},
    "dataset image-folder": PICTURES,
    "dataset tensor": {
        "condition": None,
        "test_condition": None,
        "test_share": 0.0,
        "stratified": False,
    },
    "feature extractor inception": {"resize": "tf1"},
    "loss bce": {"d_weight": 1.0, "g_target_noise": 0.0},
    "loss gradient-penalty": {"alpha_of": "real", "label_maps": False},
}
"""Options that came later, of `KIND NAME`, each with its default."""


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Built-in plugins that a test may change."""
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    return registry.load()


def put(plugins: Registry, kind: str, cls: type) -> None:
    """The class in the place of the built-in one of its name."""
    key = (kind, cls.name)  # type: ignore[attr-defined]
    plugins._entries[key] = dataclasses.replace(plugins._entries[key], cls=cls)


def the_cell(plugins: Registry, *overrides: str) -> Cell:
    asked = benchmark_file.parse(
        Document.parse(TEXT, "b.yaml"),
        plugins,
        overrides=("training.precision=float32", *overrides),
    )
    (cell,) = plan.make(asked, plugins, device="cpu").cells
    return cell


# Options that come later


def entries(plugins: Registry) -> Iterator[tuple[str, dict[str, dataclasses.Field[Any]]]]:
    for kind in KINDS_IN_IDS:
        for entry in plugins.entries(kind):
            fields = {f.name: f for f in dataclasses.fields(entry.cls) if f.init}
            yield f"{kind} {entry.name}", fields


def test_an_option_of_a_built_in_that_came_later_is_marked(plugins: Registry) -> None:
    for plugin, fields in entries(plugins):
        if plugin not in OPTIONS:
            continue  # it came later itself, and no older id has it
        then = OPTIONS[plugin]
        assert then == [name for name in fields if name in then], (
            f"{plugin}: an option of 0.1.0 is gone or stands elsewhere, which changes ids"
        )
        for name in then:
            assert SINCE not in fields[name].metadata, f"{plugin}: '{name}' was in 0.1.0"
        for name in fields.keys() - set(then):
            assert SINCE in fields[name].metadata, (
                f"{plugin}: option '{name}' would change the id of every cell that has it; mark "
                f'it, as {name}: … = field(default=…, metadata={{"since": "VERSION"}}), with the '
                "default under which nothing changes"
            )


def test_the_default_of_an_option_that_came_later_stays(plugins: Registry) -> None:
    """An id does not tell what it is at its default, so that may change with `version` alone."""
    marked = {
        plugin: {name: default_of(f) for name, f in fields.items() if SINCE in f.metadata}
        for plugin, fields in entries(plugins)
    }
    assert {plugin: found for plugin, found in marked.items() if found} == SINCE_THEN, (
        "add a new option with its default to SINCE_THEN; leave the default of an older one, or "
        "raise the plugin's `version` with it"
    )


@dataclass(kw_only=True)
class NewBCE(BCE):
    name = "bce"
    smoothing: float = field(default=0.0, metadata={SINCE: "0.2.0"})


@dataclass(kw_only=True)
class NewFID(FID):
    name = "fid"
    epsilon: float = field(default=0.0, metadata={SINCE: "0.2.0"})


@dataclass(kw_only=True)
class NewRandomConv(RandomConv):
    name = "random-conv"
    stride: int = field(default=1, metadata={SINCE: "0.2.0"})


def test_an_option_that_came_later_counts_where_it_is_not_at_its_default(own: Registry) -> None:
    before = the_cell(own)
    put(own, "loss", NewBCE)
    assert the_cell(own).id == before.id
    assert the_cell(own, "loss={name: bce, smoothing: 0.0}").id == before.id
    changed = the_cell(own, "loss={name: bce, smoothing: 0.1}")
    assert changed.id != before.id
    assert own.build_spec(changed.loss).smoothing == 0.1


def test_an_unmarked_option_would_change_ids(own: Registry) -> None:
    before = the_cell(own)
    put(own, "loss", dataclasses.make_dataclass("B", [("smoothing", float, 0.0)], bases=(BCE,)))
    assert the_cell(own).id != before.id


def test_so_do_options_of_metrics_and_extractors_in_one_word(own: Registry) -> None:
    before = the_cell(own)
    put(own, "metric", NewFID)
    put(own, "feature extractor", NewRandomConv)
    assert the_cell(own).id == before.id
    assert the_cell(
        own, "evaluation.metrics=[{name: fid, features: random-conv, epsilon: 0.0}]"
    ).id == (before.id)
    same = the_cell(own, "evaluation.metrics=['fid@random-conv(stride=1)']")
    assert same.id == before.id
    assert same.metrics[0].options == {"features": "random-conv"}
    for changed in (
        "{name: fid, features: random-conv, epsilon: 1.0}",
        "'fid@random-conv(stride=2)'",
    ):
        assert the_cell(own, f"evaluation.metrics=[{changed}]").id != before.id
    both = the_cell(own, "evaluation.metrics=['fid@random-conv(width=16,stride=2)']")
    assert both.metrics[0].options == {"features": "random-conv(stride=2,width=16)"}


def test_protocols_count_options_as_ids_do() -> None:
    class Own(Metric):
        name = "own"
        columns = ()

        def compute(self, evaluation: Any) -> dict[str, float]:
            return {}

    later = dataclasses.make_dataclass(
        "Later", [("k", int, field(default=3, metadata={SINCE: "0.2.0"}))], bases=(Own,)
    )
    assert later().protocol() == {"metric": "own", "version": 1}
    assert later(k=4).protocol() == {"metric": "own", "version": 1, "k": 4}


@dataclass(frozen=True)
class Curve:
    """Options below an option."""

    start: float = 0.0
    end: float = field(default=1.0, metadata={SINCE: "0.2.0"})


@dataclass(kw_only=True)
class Nested(Loss):
    """A loss with options below its options."""

    name = "bce"
    curves: tuple[Curve, ...] = (Curve(),)

    def discriminator_loss(self, step: Step) -> Terms:
        return {"adversarial": step.real.logits.mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": step.fake.logits.mean()}


def test_options_below_options_follow_the_same_rule(own: Registry) -> None:
    assert counted_options(Nested()) == {"curves": ({"start": 0.0},)}
    put(own, "loss", Nested)
    cell = the_cell(own)
    assert cell.loss.options == {"curves": ({"start": 0.0},)}
    assert own.build_spec(cell.loss) == Nested()
    assert the_cell(own, "loss={name: bce, curves: [{end: 1.0}]}").id == cell.id
    assert the_cell(own, "loss={name: bce, curves: [{end: 2.0}]}").id != cell.id


def test_a_mark_without_a_default_is_refused(own: Registry) -> None:
    put(own, "loss", dataclasses.make_dataclass(
        "B", [("beta", float, field(metadata={SINCE: "0.2.0"}))], bases=(Loss,),
        namespace={"name": "bce"}, kw_only=True,
    ))  # fmt: skip
    with pytest.raises(PluginError, match=r"'beta' is marked since 0\.2\.0 and has no def"):
        own.options_model("loss", "bce")


@pytest.mark.parametrize("at_default", [True, False])
def test_a_field_that_a_cell_or_reference_gets_later_counts_likewise(planned, at_default) -> None:
    made = planned(TEXT)
    for record in (made.cells[0], made.references[0], made.cells[0].loss):
        cls = type(record)
        later = dataclasses.make_dataclass(
            cls.__name__, [("later", str | None, None)], bases=(cls,), frozen=True
        )
        values = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
        grown = later(**values, later=None if at_default else "x")
        texts = [cells.canonical_json([one], "x") for one in (record, grown)]
        assert (texts[0] == texts[1]) is at_default


def test_a_plan_that_is_read_back_has_the_same_ids(own: Registry, tmp_path: Path) -> None:
    put(own, "loss", Nested)
    made = the_cell(own, "loss={name: bce, curves: [{end: 2.0}]}")
    files.write_json(tmp_path / "cell.json", dataclasses.asdict(made))
    read = pydantic.TypeAdapter(Cell).validate_python(files.read_json(tmp_path / "cell.json"))
    assert (read.id, read.training_id) == (made.id, made.training_id)


# Releases and versions


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Registry]:
    def load() -> Registry:
        monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
        monkeypatch.setattr(ganbench, "__version__", "0.9.3")
        return registry.load()

    return load


def test_ids_outlive_releases(plugins: Registry, next_release) -> None:
    before = the_cell(plugins)
    now = the_cell(next_release())
    assert now.id == before.id
    assert (now.loss.source, now.loss.counted_source) == ("ganbench 0.9.3", "ganbench 0.1.0")


def test_a_run_of_another_release_is_resumed(plugins: Registry, next_release) -> None:
    check_sources(the_cell(plugins).specs(), next_release())


def test_resume_says_that_a_run_was_begun_with_another_release(runs, monkeypatch) -> None:
    monkeypatch.setattr(running, "finish", lambda *args, **more: 0)
    run = runs.write({"bce/none/mlp": [None]})
    about = files.read_json(run.directory / run_folder.RUN)
    for release, said in ((ganbench.__version__, ""), ("0.0.9", "note: begun with ganbench 0.0.9")):
        provenance = {**about.get("provenance", {}), "ganbench": release}
        files.write_json(run.directory / run_folder.RUN, {**about, "provenance": provenance})
        found = CliRunner().invoke(cli, ["resume", str(run.directory)])
        assert found.exit_code == 0, found.output
        assert found.stderr.startswith(said)
        assert bool(found.stderr) is bool(said)


def test_a_built_in_of_another_version_is_another(own: Registry) -> None:
    before = the_cell(own)
    put(own, "loss", dataclass(kw_only=True)(type("BCE2", (BCE,), {"version": 2})))
    now = the_cell(own)
    assert now.id != before.id
    assert now.training_id != before.training_id
    with pytest.raises(GanbenchError, match=(
        r"loss 'bce' was planned with ganbench \S+, and ganbench \S+ \(bce 2\) is what is "
    )):  # fmt: skip
        check_sources(before.specs(), own)


def test_a_metric_of_another_version_leaves_trainings_as_they_are(own: Registry) -> None:
    before = the_cell(own)
    put(own, "metric", dataclass(kw_only=True)(type("FID3", (FID,), {"version": 3})))
    now = the_cell(own)
    assert now.id != before.id
    assert now.training_id == before.training_id


def test_a_third_partys_plugin_counts_with_its_source(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    path = tmp_path / "mine.py"
    code = (
        "from dataclasses import dataclass\nfrom ganbench import hookimpl\n"
        "from ganbench.default_plugins.losses import BCE\n\n"
        "@dataclass(kw_only=True)\nclass Mine(BCE):\n    name = 'mine'\n\n"
        "@hookimpl\ndef register_losses(register):\n    register(Mine)\n"
    )
    ids = set()
    for text in (code, code + "# edited\n"):
        path.write_text(text, "utf-8")
        cell = the_cell(registry.load([str(path)]), "loss=mine")
        assert cell.loss.counted_source == cell.loss.source
        assert cell.loss.source.startswith("mine.py sha256:")
        ids.add(cell.id)
    assert len(ids) == 2


# Trainings


@pytest.mark.parametrize(
    "setting",
    [
        "evaluation.num_samples=500",
        "evaluation.metrics=[fid@pixels]",
        "evaluation.metrics=[mode-coverage, throughput]",
        "evaluation.controls=[]",
    ],
)
def test_judging_alone_makes_no_other_training(plugins: Registry, setting: str) -> None:
    assert the_cell(plugins, setting).training_id == the_cell(plugins).training_id


@pytest.mark.parametrize(
    "setting",
    [
        *("loss=lsgan", "training.budget.kimg=99", "d_norm=layer", "training.compile=default"),
        *("dataset={name: mnist, root: elsewhere}", "conditioning=embed-mul"),
        *("architecture={name: dcgan, width: 9}", "training.ema=0.5"),
    ],
)
def test_whatever_trains_otherwise_is_another_training(plugins: Registry, setting: str) -> None:
    assert the_cell(plugins, setting).training_id != the_cell(plugins).training_id


def test_every_field_of_a_cell_either_trains_judges_or_names(plugins: Registry) -> None:
    """So that a new field is thought about: what it decides must be said here."""
    training = (
        *("dataset", "loss", "regularizers", "g_conditioning", "d_conditioning", "architecture"),
        *("transforms", "g_norm", "d_norm", "schedule", "g_optimizer", "d_optimizer"),
    )
    found = {field.name for field in dataclasses.fields(Cell)}
    assert found == {*training, *cells.JUDGING, *cells.NAMES}


def test_training_ids_are_written_beside_cell_ids(runs) -> None:
    run = runs.write({"bce/none/mlp": [runs.result({"modes": 5.0})]})
    frame = run.frame()
    assert [*frame.columns[-2:]] == ["training", "platform"]
    (trial, *_) = [t for t in run.trials if t.cell and t.cell.loss.name == "bce"]
    row = frame[frame["cell"] == trial.cell.id].iloc[0]
    assert row["training"] == trial.cell.training_id
    trial.write(run.directory / "trial.json")
    written = files.read_json(run.directory / "trial.json")
    assert written["cell_id"] == trial.cell.id
    assert written["training_id"] == trial.cell.training_id
    assert run_folder.Trial.read(run.directory / "trial.json") == trial

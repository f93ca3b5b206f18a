import json
from pathlib import Path
from typing import Any

import pytest

from ganbench.config import benchmark_file, json_schema
from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError
from ganbench.registry.registry import Registry

jsonschema = pytest.importorskip("jsonschema")

GOOD = """\
version: 1
name: bench
seeds: [0, 1]
dataset: {name: mnist}
matrix:
  loss: [bce, {name: wgan-gp, gp_weight: 5}]
  conditioning: [concat, {generator: concat, discriminator: projection}]
  architecture: [dcgan, {name: dcgan, width: 32, g_width: null}]
  training.batch_size: [32, 64]
  exclude: [{loss: bce, architecture: dcgan}]
  include: [{loss: wgan-gp, training.n_critic: 2, training.budget.kimg: 9}]
training: {budget: {kimg: 80}, ema: 0.999, betas: [0, 0.9], g_lr: 1e-4, optimizer: adam}
evaluation: {num_samples: 1e4, metrics: [fid, fid@pixels, fid@pixels(max_values=9),
  {name: fid, features: pixels}, {name: fid, features: {name: pixels, max_values: 99}}],
  controls: [test, memorised]}
execution: {timeout: 30m, executor: local}
reporters: [console, {name: csv}]
profiles:
  smoke: {training: {budget: {kimg: 2}}, evaluation: {num_samples: 1000}, matrix: {loss: [bce]}}
  full: {seeds: [0, 1, 2], dataset: {name: mnist}}
  zoo: {matrix: {loss: all}}
"""


@pytest.fixture(scope="module")
def schema(plugins: Registry) -> dict[str, Any]:
    return json_schema.benchmark_schema(plugins)


@pytest.fixture(scope="module")
def valid(schema: dict[str, Any]):
    validator = jsonschema.Draft7Validator(schema)

    def valid(text: str) -> bool:
        return validator.is_valid(Document.parse(text, "b.yaml").data())

    return valid


def test_schema_is_one_of_draft_07(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    text = json.dumps(schema)
    for newer in ("prefixItems", "dependentRequired", "unevaluated", "x-type"):
        assert newer not in text


def test_every_reference_has_a_definition(schema: dict[str, Any]) -> None:
    parts = json.dumps(schema).split('"$ref": "#/$defs/')[1:]
    assert {part.split('"')[0] for part in parts} <= set(schema["$defs"])


def test_good_benchmark_passes_here_and_in_the_loader(valid, plugins: Registry) -> None:
    assert valid(GOOD)
    assert benchmark_file.parse(Document.parse(GOOD, "b.yaml"), plugins).cells


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("version: 1\n", ""),
        ("name: bench", "name: ../bench"),
        ("training: {", "trainig: {"),
        ("training: {", "training: {batchsize: 3, "),
        ("kimg: 80", "kimg: -80"),
        ("kimg: 80", "kmg: 80"),
        ("betas: [0, 0.9]", "betas: [0.9]"),
        ("betas: [0, 0.9]", "betas: [0, 0.9, 0.9]"),
        ("optimizer: adam", "optimizer: adm"),
        ("seeds: [0, 1]", "seeds: []"),
        ("seeds: [0, 1]", "seeds: 3"),
        ("loss: [bce,", "loss: [bec,"),
        ("loss: [bce,", "los: [bce,"),
        ("gp_weight: 5", "lambda: 5"),
        ("gp_weight: 5", "gp_weight: high"),
        ("conditioning: [concat,", "conditioning: [concta,"),
        ("discriminator: projection}", "discriminator: projektion}"),
        (", discriminator: projection}", "}"),
        ("training.batch_size: [32", "training.batchsize: [32"),
        ("training.batch_size: [32", "training.batch_size: [-32"),
        ("training.n_critic: 2", "training.n_critic: two"),
        ("exclude: [{loss: bce", "exclude: [{los: bce"),
        ("fid@pixels", "fid@pixel"),
        ("[fid,", "[fdi,"),
        ("timeout: 30m", "timeout: 30 days"),
        ("executor: local", "executor: locl"),
        ("[console,", "[consol,"),
        ("smoke: {training:", "smoke: {trainig:"),
        ("{kimg: 2}", "{kimg: two}"),
        ("{name: mnist}}", "{name: mnits}}"),
    ],
)
def test_mistake_fails_here_and_in_the_loader(valid, plugins: Registry, old: str, new: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    assert not valid(text)
    assert refusals(text, plugins), "by the loader, with one profile or another"


def refusals(text: str, plugins: Registry) -> list[str]:
    found = []
    for profile in (None, "smoke", "full"):
        try:
            benchmark_file.parse(Document.parse(text, "b.yaml"), plugins, profile=profile)
        except ConfigError as error:
            found.append(str(error))
    return found


def test_a_file_that_extends_another_may_lack_all_else_and_a_profile_extends_none(valid) -> None:
    assert valid("extends: cgan_mnist\n")
    assert valid("extends: ../mine.yaml\ntraining: {batch_size: 8}\n")
    assert not valid("training: {batch_size: 8}\n")
    assert not valid("extends: [cgan_mnist]\n")
    assert not valid(GOOD + "  wide: {extends: cgan_mnist}\n")


def test_profile_may_set_an_option_of_a_plugin_alone(valid) -> None:
    assert valid(GOOD + "  wide: {dataset: {root: here}}\n")


def test_schema_offers_each_installed_plugin_and_its_summary(schema, plugins: Registry) -> None:
    names, *details = schema["$defs"]["LossChoice"]["anyOf"]
    assert names == {"enum": plugins.names("loss")}
    assert details[0]["description"] == plugins.lookup("loss", plugins.names("loss")[0]).summary


def test_the_benchmarks_of_this_repository_pass(with_packages: Registry) -> None:
    validator = jsonschema.Draft7Validator(json_schema.benchmark_schema(with_packages))
    for path in Path(__file__).parents[2].glob("benchmarks/*.yaml"):
        assert validator.is_valid(Document.parse(path.read_text(), "b.yaml").data()), path

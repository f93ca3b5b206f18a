"""Each file of benchmarks/textbook plans with every profile, is as its source says, and trains."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import folders_of_pictures as layouts
from helpers import tiny
from helpers.textbook import FILES, FOLDER
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.config import benchmark_file, json_schema, plan
from ganbench.errors import DataError
from ganbench.models.parts import Parts, num_parameters
from ganbench.models.trained import TrainingResult
from ganbench.records import cells
from ganbench.registry.registry import Registry
from ganbench.training.build import make_trainer

PROFILES = {
    "cdcgan_mnist": ("five-epochs", "matrix", "feature-matching", "evening", "smoke"),
    "dcgan_bricks": ("letter", "evening", "smoke"),
    "dcgan_bricks_upsampling": ("letter", "evening", "smoke"),
    "wgan_gp_faces": ("letter", "critic-3", "evening", "smoke"),
    "wgan_clip_faces": ("critic-3", "evening", "smoke"),
    "cgan_attribute": ("letter", "evening", "smoke"),
    "cgan_eyeglasses": ("letter", "evening", "smoke"),
}
EPOCHS = {  # what the budget stands for: epochs × batches × D steps × images
    "cdcgan_mnist": 50 * 468 * 1 * 128,
    "dcgan_bricks": 300 * 312 * 1 * 128,
    "dcgan_bricks_upsampling": 300 * 312 * 1 * 128,
    "wgan_gp_faces": 200 * 395 * 5 * 512,
    "wgan_clip_faces": 25 * 3165 * 5 * 64,
    "cgan_attribute": 20 * 1582 * 3 * 128,
    "cgan_eyeglasses": 100 * 281 * 5 * 16,
}
RECIPES: dict[str, tuple[Any, ...]] = {  # optimiser, rates of G and D, betas, D steps, batch
    "cdcgan_mnist": ("adam", 3e-4, 2e-4, (0.9, 0.999), 1, 128),
    "dcgan_bricks": ("adam", 2e-4, 2e-4, (0.5, 0.999), 1, 128),
    "dcgan_bricks_upsampling": ("adam", 2e-4, 2e-4, (0.5, 0.999), 1, 128),
    "wgan_gp_faces": ("adam", 2e-4, 2e-4, (0.5, 0.9), 5, 512),
    "wgan_clip_faces": ("rmsprop", 5e-5, 5e-5, (0.5, 0.999), 5, 64),
    "cgan_attribute": ("adam", 5e-5, 5e-5, (0.5, 0.9), 3, 128),
    "cgan_eyeglasses": ("adam", 1e-4, 1e-4, (0.0, 0.9), 5, 16),
}
PARAMETERS = {
    "cdcgan_mnist": (986_496, 440_736),
    "dcgan_bricks": (3_574_656, 2_763_520),
    "dcgan_bricks_upsampling": (3_574_656, 2_763_520),
    "wgan_gp_faces": (3_806_083, 2_764_737),
    "wgan_clip_faces": (3_806_083, 2_764_737),
    "cgan_attribute": (728_963, 662_977),
    "cgan_eyeglasses": (12_850_627, 2_804_945),
}
IMAGES = {
    "cdcgan_mnist": "1×28×28, 10 classes",
    "dcgan_bricks": "1×64×64, unlabelled",
    "dcgan_bricks_upsampling": "1×64×64, unlabelled",
    "wgan_gp_faces": "3×64×64, unlabelled",
    "wgan_clip_faces": "3×64×64, unlabelled",
    "cgan_attribute": "3×64×64, 2 classes",
    "cgan_eyeglasses": "3×256×256, 2 classes",
}


def test_every_file_is_here() -> None:
    for known in (PROFILES, EPOCHS, RECIPES, PARAMETERS, IMAGES):
        assert sorted(known) == FILES


@pytest.mark.parametrize("name", FILES)
def test_plain_file_is_one_cell_of_its_source(name: str, planned, with_packages) -> None:
    (cell,) = planned(name).cells
    schedule = cell.schedule
    assert cell.incompatible is None
    assert round(1000 * schedule.kimg) == EPOCHS[name]
    recipe = (schedule.optimizer, schedule.g_lr, schedule.d_lr, schedule.betas, schedule.n_critic)
    assert (*recipe, schedule.batch_size) == RECIPES[name]
    assert schedule.ema == 0
    assert str(with_packages.build_spec(cell.dataset).image_spec()) == IMAGES[name]
    assert num_parameters(cell, with_packages)[:2] == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "profile"), [(name, profile) for name in FILES for profile in PROFILES[name]]
)
def test_every_profile_plans(name: str, profile: str, planned) -> None:
    assert f"\n  {profile}:" in (FOLDER / f"{name}.yaml").read_text("utf-8")
    found = planned(name, profile=profile).cells
    assert found
    assert [cell.incompatible for cell in found] == [None] * len(found)


def test_notebook_is_followed_in_what_its_numbers_depend_on(planned) -> None:
    (cell,) = planned("cdcgan_mnist").cells
    assert cell.g_conditioning.options == {"spread": None, "plane_std": 1.0}
    assert cell.loss.options["real_target"] == 1
    assert cell.schedule.fake_labels == "random"
    assert cell.schedule.log_every == 60_000 // cell.schedule.batch_size  # windows are epochs
    assert cell.schedule.precision == "float32"
    assert (cell.g_norm, cell.d_norm) == ("batch", "batch")


def test_matrix_of_the_notebook(planned) -> None:
    found = planned("cdcgan_mnist", profile="matrix").cells
    assert len(found) == 4 * 3
    losses = {(cell.loss.name, cell.loss.options.get("real_target")) for cell in found}
    assert losses == {("bce", 1.0), ("bce", 0.9), ("lsgan", 1.0), ("wgan-gp", None)}
    assert {cell.g_conditioning.name for cell in found} == {"embed-mul", "concat", "projection"}
    for cell in found:
        penalised = cell.loss.name == "wgan-gp"
        assert cell.schedule.fake_labels == ("real" if penalised else "random")
        assert cell.schedule.n_critic == (5 if penalised else 1)
        assert cell.d_norm == ("layer" if penalised else "batch")


def test_feature_matching_of_the_notebook(planned) -> None:
    without, with_it = planned("cdcgan_mnist", profile="feature-matching").cells
    assert without.regularizers == ()
    assert [spec.name for spec in with_it.regularizers] == ["feature-matching"]


def test_bricks_have_noisy_labels_and_one_update_of_both(planned) -> None:
    for name, upsampling in (
        ("dcgan_bricks", "transposed"),
        ("dcgan_bricks_upsampling", "nearest"),
    ):
        (cell,) = planned(name).cells
        assert cell.loss.options["target_noise"] == 0.1
        assert cell.schedule.updates == "simultaneous"
        assert cell.architecture.options["upsampling"] == upsampling
        assert cell.architecture.options["dropout"] == 0.3


@pytest.mark.parametrize(
    ("name", "iterations", "batches"),
    [("wgan_gp_faces", 200 * 395, 3), ("cgan_attribute", 20 * 1582, 3),
     ("cgan_eyeglasses", 100 * 281, 5)],
)  # fmt: skip
def test_to_the_letter_a_critic_s_steps_share_a_batch(name, iterations, batches, planned) -> None:
    (cell,) = planned(name, profile="letter").cells
    schedule = cell.schedule
    assert (schedule.critic_batches, schedule.n_critic) == ("shared", batches)
    assert schedule.iterations == iterations
    (penalty,) = cell.regularizers
    assert (cell.loss.name, penalty.options["weight"]) == ("wgan", 10)
    of_keras = name != "cgan_eyeglasses"
    assert penalty.options["alpha"] == ("normal" if of_keras else "uniform")
    assert penalty.options.get("alpha_of", "real") == ("fake" if of_keras else "real")
    assert penalty.options.get("label_maps", False) == (not of_keras)
    plain = planned(name).cells[0].schedule
    assert (schedule.g_lr, schedule.d_lr, schedule.betas) == (plain.g_lr, plain.d_lr, plain.betas)


@pytest.mark.parametrize("name", ["dcgan_bricks", "cgan_attribute"])
def test_to_the_letter_it_trains(name, planned, with_packages, mnist_root) -> None:
    short = ("training.batch_size=2", "training.budget.kimg=0.004", "training.log_every=1")
    (cell,) = planned(name, *short, profile="letter").cells
    done = trained(cell, with_packages, mnist_root)
    assert done.progress.g_updates == 2
    assert done.progress.d_updates == 2 * cell.schedule.n_critic
    assert all(p.isfinite().all() for p in done.generator.parameters())
    norms = [m for m in done.generator.modules() if isinstance(m, _BatchNorm)]
    assert {norm.eps for norm in norms} == {1e-3}


@pytest.mark.parametrize("name", ["wgan_gp_faces", "wgan_clip_faces"])
def test_critics_of_faces_take_three_steps_where_asked(name: str, planned) -> None:
    (five,), (three,) = planned(name).cells, planned(name, profile="critic-3").cells
    assert (five.schedule.n_critic, three.schedule.n_critic) == (5, 3)
    assert five.schedule.kimg / 5 == three.schedule.kimg / 3  # as many steps of the generator
    assert five.d_norm == "none"


def test_labels_are_the_attribute_and_the_glasses(planned, with_packages) -> None:
    (blond,), (glasses,) = planned("cgan_attribute").cells, planned("cgan_eyeglasses").cells
    assert with_packages.build_spec(blond.dataset).class_names() == ("not Blond_Hair", "Blond_Hair")
    assert with_packages.build_spec(glasses.dataset).class_names() == ("0", "1")
    assert glasses.d_norm == "instance"
    for cell in (blond, glasses):
        assert cell.loss.options == {"gp_weight": 10.0}
        assert cell.g_conditioning.name == cell.d_conditioning.name == "concat"


@pytest.mark.parametrize("name", [name for name in FILES if name != "cdcgan_mnist"])
def test_missing_folder_is_one_sentence(
    name: str, plugins: Registry, monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    loss = ("loss=wgan-gp",) if name == "wgan_clip_faces" else ()
    asked = benchmark_file.load(FOLDER / f"{name}.yaml", plugins, overrides=loss)
    with pytest.raises(
        DataError, match=rf"{name}\.yaml:\d+:\d+: [a-z-]+: data/\S+ is not a folder"
    ):
        plan.make(asked, plugins, device="cpu")


def trained(cell: cells.Cell, registry: Registry, root: Path) -> TrainingResult:
    parts = Parts.of(cell, registry)
    data = parts.dataset.load("train", root)
    return make_trainer(cell, parts, data, 0, "cpu").run()


@pytest.mark.parametrize("name", FILES)
def test_every_file_trains_at_its_true_size(
    name: str, planned, with_packages: Registry, mnist_root: Path
) -> None:
    n_critic = RECIPES[name][4]
    steps = 2 if n_critic == 1 else 1
    kimg = 2 * n_critic * steps / 1000
    short = ("training.batch_size=2", f"training.budget.kimg={kimg}", "training.log_every=1")
    (cell,) = planned(name, *short).cells
    done = trained(cell, with_packages, mnist_root)
    assert len(done.windows) == done.progress.g_updates == steps
    for player, count in zip((done.generator, done.discriminator), PARAMETERS[name], strict=True):
        assert sum(p.numel() for p in player.parameters()) == count
        assert all(p.isfinite().all() for p in player.parameters())
    if name == "wgan_clip_faces":
        assert max(p.abs().max().item() for p in done.discriminator.parameters()) <= 0.01
    if name.startswith("dcgan_bricks"):
        accuracies = {"d_real_accuracy", "d_fake_accuracy", "g_accuracy"}
        assert accuracies <= set(done.windows[0].signals)


PEAK = """\
import resource
import sys
from pathlib import Path

import torch

from ganbench.config import benchmark_file, plan
from ganbench.models.parts import Parts
from ganbench.registry import registry
from ganbench.training.build import make_trainer

torch.set_num_threads(1)
plugins = registry.load()
asked = benchmark_file.load(Path(sys.argv[1]), plugins, overrides=sys.argv[2:])
(cell,) = plan.make(asked, plugins, device="cpu").cells
parts = Parts.of(cell, plugins)
data = parts.dataset.load("train", Path("unused"))
make_trainer(cell, parts, data, 0, "cpu").run()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.integration
@pytest.mark.skipif(sys.platform == "win32", reason="no peak memory there")
def test_faces_of_256_pixels_train_in_less_than_two_gigabytes(tmp_path: Path) -> None:
    """A step of each player at the file's own batch size; further steps need no more."""
    layouts.glasses(tmp_path, [i % 2 for i in range(16)])
    one = [
        "training.n_critic=1",
        "training.budget.kimg=0.016",
        "dataset.pattern=faces/face-{id}.png",
        f"dataset.path={tmp_path}",
    ]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, FOLDER / "cgan_eyeglasses.yaml", *one],
        env=tiny.surroundings(GANBENCH_LOAD_PLUGINS=""), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 0.5e9 < int(done.stdout) < 2e9


def test_fakes_of_the_notebook_have_labels_of_their_own(
    planned, with_packages: Registry, mnist_root: Path
) -> None:
    (cell,) = planned("cdcgan_mnist", "training.batch_size=64", "training.budget.kimg=1").cells
    parts = Parts.of(cell, with_packages)
    data = parts.dataset.load("train", mnist_root)
    trainer = make_trainer(cell, parts, data, 0, "cpu")
    asked: list[tuple[torch.Tensor, torch.Tensor]] = []
    trainer.generator.register_forward_pre_hook(lambda module, given: asked.append(given))
    images, labels = trainer.batches.next()
    trainer.discriminator_step(images, labels)
    trainer.generator_step(images, labels)
    (first, first_labels), (second, second_labels) = asked
    assert not torch.equal(first, second)  # fresh noise
    assert not torch.equal(first_labels, labels)
    assert not torch.equal(first_labels, second_labels)
    assert first.abs().max() <= 1


def test_files_pass_the_schema(with_packages: Registry) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from ganbench.config.yaml_document import Document

    valid = jsonschema.Draft7Validator(json_schema.benchmark_schema(with_packages)).is_valid
    for name in FILES:
        assert valid(Document.read(FOLDER / f"{name}.yaml").data()), name

"""The textbook's files, planned on generated pictures of the layouts that they describe."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import folders_of_pictures as layouts
from helpers.textbook import FOLDER

from ganbench.config import benchmark_file, plan
from ganbench.records import cells
from ganbench.registry.registry import Registry


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where each file finds generated data of the layout that its comment describes."""
    root = tmp_path_factory.mktemp("pictures")
    layouts.textbook(root)
    bricks, faces = root / "lego-brick-images" / "dataset", root / "celeba" / "img_align_celeba"
    return {
        "dcgan_bricks": bricks,
        "dcgan_bricks_upsampling": bricks,
        "wgan_gp_faces": faces,
        "wgan_clip_faces": faces,
        "cgan_attribute": root / "celeba",
        "cgan_eyeglasses": root / "glasses",
    }


@pytest.fixture
def planned(places: dict[str, Path], with_packages: Registry):
    def planned(name: str, *overrides: str, profile: str | None = None) -> cells.Plan:
        found = [f"dataset.path={places[name]}"] if name in places else []
        asked = benchmark_file.load(
            FOLDER / f"{name}.yaml", with_packages, profile=profile, overrides=(*found, *overrides)
        )
        assert not asked.warnings
        return plan.make(asked, with_packages, device="cpu")

    return planned

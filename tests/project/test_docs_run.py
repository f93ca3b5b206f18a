"""Every command of README and docs, typed in order by a reader, at a size that ends soon."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import folders_of_pictures as layouts
from helpers import tiny, warm
from helpers.documents import PAGES, ROOT, files_of, name, shell_lines, text
from PIL import Image

pytestmark = pytest.mark.integration

NOT_TYPED = {
    "make ": "targets that continuous integration runs",
    "uv ": "as `pip install`",
    "docker ": "builds images, and runs them",
    "pip install ": "installs; a package is built and tested in test_docs.py",
    "pytest ganbench-my-hinge": "wants it installed; in tests/registry/test_scaffold.py",
    "ganbench plugins show my-hinge": "the same",
    "python -m build ": "as `pip install`",
    "python -m twine ": "publishes",
    "ganbench datasets prepare cifar10": "downloads; tests/default_plugins/datasets have stand-ins",
    "ganbench run my-benchmark.yaml --out /shared": "on a cluster; plugins/ganbench-submitit/tests",
    "ganbench watch /shared": "the same",
    "ganbench run FILE.yaml --out RUN --detach": "trains on by itself; test_cli_detached.py",
    "ganbench evaluate theirs.npz --data cifar10": "wants CIFAR-10; docs/commands.md has MNIST",
    "ganbench run field_": "wants the packages of its methods; tests/project/test_field.py",
    "ganbench results rank few-images": "the same",
    "ganbench ab ": "measures checkouts of the repository; tests/gate/test_ab.py has small ones",
    "ganbench bisect ": "the same; tests/gate/test_bisect_command.py",
    "ganbench compare --history": "wants a repository; tests/gate/test_history.py has one",
    "ganbench cancel ": "whether it comes in time is a matter of luck; test_cli_detached.py",
    "ganbench datasets preview FILE.yaml": "wants pages of pictures; test_cli_datasets_preview.py",
    "ganbench sample RUN/TRIAL -n 9 --label 0.2,-1": "of vectors; tests/cli/test_cli_sample.py",
    "ganbench export my-run/bce-concat --to onnx": "wants onnx; tests/models/saved",
    "python benchmarks/ranks/calibrate.py": "takes minutes",
    "python benchmarks/gate/simulate_searches.py": "the same",
    "python benchmarks/textbook/": "thousands of pictures; test_textbook_drawn.py and _losses.py",
}
"""Beginnings of lines, and why they are not typed here."""

MODEL = """\
version: 1
name: model
dataset: mnist
loss: bce
conditioning: concat
architecture: {name: dcgan, width: 4}
training: {batch_size: 20, budget: {steps: 50}, log_every: 5}
evaluation: {num_samples: 100, controls: [], metrics: [fid], frames: {steps: [1, 5, 50]}}
execution: {threads: 1, executor: inline}
"""
GATE = """\
version: 1
name: ci_quality
seeds: [100, 101, 102]
dataset: {name: ring, train_size: 500, test_size: 200}
matrix: {loss: [bce]}
conditioning: none
architecture: {name: mlp, width: 8, depth: 1}
training: {batch_size: 50, budget: {kimg: 0.2}, log_every: 2}
evaluation: {num_samples: 100, metrics: [fid], controls: []}
execution: {threads: 1, executor: inline}
gate: {metrics: [fid@pixels]}
profiles:
  baseline: {seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}
"""
"""In the place of benchmarks/ci_quality.yaml, whose twenty seeds train for minutes."""
BANKED = GATE.replace("seeds: [100, 101, 102]", "seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]").replace(
    "loss: [bce]", "loss: [bce, lsgan]"
)
"""In the place of ring_modes, on the pages that train, merge and rank it."""

SHORT = (
    *("training.budget.kimg=0.03", "training.budget.epochs=null", "training.batch_size=6"),
    *("evaluation.num_samples=60", "execution.executor=inline", "execution.threads=1"),
)
STANDS_FOR = {
    "my-run/TRIAL": "RUN",
    "RUN/TRIAL": "RUN",
    "my-run/bce-concat": "RUN",
    "BENCH.yaml": "banked.yaml",
    "results/mnist/bce": "OTHER",
    "judge train fashion-mnist": "judge train birds",
    "ganbench run ring_modes ": "ganbench run banked.yaml ",
    "ganbench profile ring_modes": "ganbench profile banked.yaml",
}
ENDS = {"ganbench report my-run --published": 5}  # of what stands for it nothing is published
"""Lines that are to end otherwise than with 0, and with what."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Two finished runs of one model each, `RUN` and `OTHER`."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "model.yaml").write_text(MODEL, "utf-8")
    for run, seed in (("RUN", 0), ("OTHER", 1)):
        done = tiny.ganbench("run", "model.yaml", "--seeds", seed, "--out", run, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def reader(tmp_path: Path, trained: Path) -> Path:
    """A folder with all that the pages take for granted; it is the home of its owner too."""
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks")
    (tmp_path / "benchmarks" / "ci_quality.yaml").write_text(GATE, "utf-8")
    (tmp_path / "banked.yaml").write_text(BANKED, "utf-8")
    shutil.copytree(ROOT / "results" / "perf", tmp_path / "results" / "perf")
    (tmp_path / "plugins").symlink_to(ROOT / "plugins")
    (tmp_path / "pytest.ini").write_text("[pytest]\nnorecursedirs = plugins\n", "utf-8")
    for run in ("RUN", "OTHER"):
        shutil.copytree(trained / run, tmp_path / run)
    layouts.shipped(tmp_path / "data")
    layouts.glasses(tmp_path / "faces", [i % 2 for i in range(40)])
    smiling = {f"{i:06d}.jpg": {"Smiling": 1 - i % 2 * 2} for i in range(8)}
    layouts.celeba(tmp_path / "celeba", smiling)
    layouts.digits(tmp_path / "digits.npz")
    samples(tmp_path)
    for folder in ("pictures", "birds", "bricks", "sorted", "lego-brick-images/dataset"):
        pictures(tmp_path / folder)
    git = ("git", "-c", "user.name=reader", "-c", "user.email=reader@example.org", "-C", tmp_path)
    (tmp_path / ".gitignore").write_text("*\n", "utf-8")
    for words in (("init", "-q"), ("add", "-f", ".gitignore"), ("commit", "-qm", "first")):
        subprocess.run([*git, *words], check=True)
    return tmp_path


def samples(folder: Path) -> None:
    """Somebody's samples of MNIST, as files and as pictures."""
    drawn = np.random.default_rng(1).integers(0, 255, (100, 28, 28), dtype=np.uint8)
    (folder / "theirs").mkdir()
    for i, image in enumerate(drawn):
        Image.fromarray(image).save(folder / "theirs" / f"{i}.png")
    for file in ("theirs.npz", "samples.npz"):
        np.savez(folder / file, images=drawn)


def pictures(folder: Path) -> None:
    """Two classes of twenty coloured pictures each."""
    rng = np.random.default_rng(0)
    for i in range(40):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)


def typed(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a shell in `folder` would do with a line, made short where it trains."""
    line, _, into = line.partition(" > ")
    for told, meant in {"~": str(folder), **STANDS_FOR}.items():
        line = line.replace(told, meant)
    program, *words = shlex.split(line)
    home = tiny.surroundings(HOME=str(folder), GITHUB_STEP_SUMMARY=str(folder / "summary.md"))
    if program == "ganbench" and words[0] == "run":
        words += [part for setting in SHORT for part in ("--set", setting)]
    if program == "pytest" and any(word.startswith("--ganbench=") for word in words):
        asked = [word.partition("=")[2] for word in words if word.startswith("--ganbench-args=")]
        asked += [f"--set {setting}" for setting in SHORT]
        words.append(f"--ganbench-args={' '.join(asked)}")
    if words[:2] == ["baseline", "update"]:
        committed(folder / words[2])
    if program == "python":
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=folder, env=home, capture_output=True, text=True)
    else:
        done = warm.run(program, *words, cwd=folder, environment=home)
    if into:
        (folder / into).write_text(done.stdout, "utf-8")
    return done


def committed(run: Path) -> None:
    """Let the run be one of a clean commit, which the checkout that is tested need not be."""
    about = json.loads((run / "run.json").read_text("utf-8"))
    about["provenance"]["git"] = {}
    (run / "run.json").write_text(json.dumps(about), "utf-8")


def is_typed(line: str) -> bool:
    return not any(line.startswith(beginning) for beginning in NOT_TYPED)


@pytest.mark.parametrize("page", [p for p in PAGES if shell_lines(p.read_text("utf-8"))], ids=name)
def test_commands_of_a_page_work_in_order(page: Path, reader: Path) -> None:
    shown = page.read_text("utf-8")
    for file, content in {**files_of(text("docs/tutorials/loss.md")), **files_of(shown)}.items():
        (reader / file).write_text(content, "utf-8")
    failed = []
    for line in filter(is_typed, shell_lines(shown)):
        done = typed(line, reader)
        if done.returncode != ENDS.get(line, 0):
            failed.append(f"{line}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    assert not failed, "\n\n".join(failed)

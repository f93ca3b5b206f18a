"""The same seed, device and thread count give bit-identical losses and samples on a CPU, whether
a worker was forked or started cold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from helpers import tiny

ROOT = Path(__file__).parents[2]


def fingerprints(run: Path) -> dict[str, str]:
    """Of all that must not depend on when or where a trial ran."""
    found = {}
    for trial in sorted((run / "trials").iterdir()):
        result = tiny.without_clock(json.loads((trial / "result.json").read_text("utf-8")))
        found[f"{trial.name} result"] = json.dumps(result, sort_keys=True)
        for name in ("samples.png", "model.safetensors"):
            if (trial / name).exists():
                digest = hashlib.sha256((trial / name).read_bytes()).hexdigest()
                found[f"{trial.name} {name}"] = digest
        if (trial / "metrics.jsonl").exists():
            windows = map(json.loads, (trial / "metrics.jsonl").read_text().splitlines())
            terms = [(w["d_terms"], w["g_terms"]) for w in windows]
            found[f"{trial.name} terms"] = json.dumps(terms)
    return found


AS_THEY_ARE = pytest.mark.integration  # the networks of the file, not narrow ones


@pytest.mark.parametrize(
    ("threads", "loss", "width"),
    [
        (1, "wgan-gp", 8),
        pytest.param(1, "wgan-gp", 32, marks=AS_THEY_ARE),
        pytest.param(2, "lsgan", 32, marks=AS_THEY_ARE),
    ],
)
def test_two_runs_on_mnist_are_bit_identical(
    tmp_path: Path, threads: int, loss: str, width: int
) -> None:
    def run(out: str, *more: str) -> dict[str, str]:
        done = tiny.ganbench(
            "run", ROOT / "benchmarks" / "cgan_mnist.yaml", "--profile", "smoke",
            "--only", "conditioning=projection", "--only", f"loss={loss}",
            "--set", f"matrix.architecture=[{{name: dcgan, width: {width}, init_std: null}}]",
            "--set", "training.budget.kimg=0.3", "--set", "evaluation.num_samples=200",
            "--set", "evaluation.metrics=[cond-accuracy]", "--set", "execution.jobs=1",
            "--set", f"execution.threads={threads}", "--set", f"evaluation.controls={controls}",
            "--out", out, *more, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return fingerprints(tmp_path / out)

    controls = "[test]" if threads > 1 else "[]"  # which is a trial as well
    first = run("first")
    assert len(first) == (5 if threads > 1 else 4)
    cold = "execution.executor={name: local, start: cold}"
    assert run("second", *(("--set", cold) if threads == 1 else ())) == first
    if threads > 1:
        return
    other = run("other", "--seeds", "1")
    trained = {digest for name, digest in first.items() if "terms" in name or "model" in name}
    assert not trained & set(other.values())


def test_side_by_side_changes_no_number(tmp_path: Path) -> None:
    benchmark = tiny.write(tmp_path)
    for jobs in (1, 3):
        done = tiny.ganbench(
            "run", benchmark, "--jobs", jobs, "--out", f"jobs{jobs}", "--quiet", cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
    assert fingerprints(tmp_path / "jobs1") == fingerprints(tmp_path / "jobs3")

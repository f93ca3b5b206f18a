"""Networks of plugins' own in a whole benchmark: planned, trained, saved and resumed."""

from __future__ import annotations

import json

from helpers import methods, tiny
from safetensors import safe_open

TEXT = tiny.INLINE.replace("loss: [bce, lsgan]", "loss: [bce]").replace(
    "conditioning: none", "conditioning: none\nregularizers: [infogan]"
)


def test_owned_networks_are_counted_trained_and_saved(tmp_path):
    tiny.write(tmp_path, TEXT)
    plugin = ("--plugin", methods.package_file("infogan"))
    planned = tiny.ganbench("plan", "tiny.yaml", *plugin, "--json", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    (cell,) = json.loads(planned.stdout)["cells"]
    assert cell["own_g_parameters"] == (16 * 64 + 64) + (64 * 2 + 2)
    assert cell["own_d_parameters"] == 0
    ran = tiny.ganbench("run", "tiny.yaml", *plugin, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    (weights,) = (tmp_path / "results").glob("*/*/trials/*bce*/model.safetensors")
    with safe_open(weights, "pt") as file:
        own = {name for name in file.keys() if name.startswith("own.")}  # noqa: SIM118
    layers = [f"own.generator.infogan/q.{number}" for number in (0, 2)]
    assert own == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}

"""The list of example packages is what lies in plugins/."""

import ast
from pathlib import Path

import pytest

from ganbench.errors import ConfigError
from ganbench.registry import manifest
from ganbench.registry.catalog import Catalog
from ganbench.registry.packages import PACKAGES

FOLDER = Path(__file__).parents[2] / "plugins"


def test_the_list_of_example_packages_is_true() -> None:
    found: dict[str, dict[str, set[str]]] = {}
    for package in FOLDER.glob("ganbench-*"):
        module = package / f"{package.name.replace('-', '_')}.py"
        assert ast.parse(module.read_text("utf-8"))
        source = manifest.PluginSource(package.name, package.name, "")
        for one in manifest._read(str(module), source):
            found.setdefault(package.name, {}).setdefault(one.kind, set()).add(one.name)
    listed = {name: {k: set(v) for k, v in brings.items()} for name, brings in PACKAGES.items()}
    assert found == listed


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("loss", "wgan-clip", "^loss 'wgan-clip' is not installed; it is in the package "
         "ganbench-wgan-clip, which `pip install ./plugins/ganbench-wgan-clip`"),
        ("loss", "hnge", "^unknown loss 'hnge'; did you mean 'hinge'.*\n.*\n  could be installed"),
        ("callback", "comet", r"^unknown callback 'comet'\n  known: none\n"
         r"  could be installed: csv-log \(ganbench-csv-log\)"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_with_what_could_be_installed(kind, name, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Catalog().lookup(kind, name)

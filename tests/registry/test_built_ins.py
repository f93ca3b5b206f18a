"""Built-in plugins are found by the hooks that their modules define."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganbench.registry import built_ins, manifest, registry

REPORTER = '''\
from dataclasses import dataclass
from ganbench import Reporter, hookimpl

@dataclass(kw_only=True)
class Made(Reporter):
    """Says {name}. And more."""

    name = "{name}"

    def write(self, report, directory): ...

@hookimpl
def register_reporters(register):
    register(Made)
'''
FILES = {
    "__init__.py": 'ORDER = ("zebra", "room")\n',
    "ant.py": REPORTER.format(name="ant"),
    "zebra.py": REPORTER.format(name="zebra"),
    "helper.py": "raise RuntimeError('imported')\n",
    "room/__init__.py": REPORTER.format(name="room"),
    "room/inner/__init__.py": "",
    "room/inner/deep.py": REPORTER.format(name="deep"),
    "room/later.py": REPORTER.format(name="later"),
    "no_package/loose.py": REPORTER.format(name="loose"),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of built-ins, in place of ganbench's own."""
    root = tmp_path / "gbt_built_ins"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    monkeypatch.setattr(built_ins, "PACKAGE", root.name)
    yield root
    for name in [name for name in sys.modules if name.startswith(root.name)]:
        del sys.modules[name]


@pytest.mark.usefixtures("package")
def test_modules_with_hooks_are_found_in_order_and_not_imported() -> None:
    found = [plugin.module for plugin in built_ins.found_built_ins()]
    names = ("zebra", "room", "room.later", "room.inner.deep", "ant")
    assert found == [f"gbt_built_ins.{name}" for name in names]
    assert not any(name.startswith("gbt_built_ins") for name in sys.modules)


def test_new_module_is_registered_and_listed_without_being_named_anywhere(package: Path) -> None:
    (package / "room" / "fresh.py").write_text(REPORTER.format(name="fresh"), "utf-8")
    entries = registry.load().entries("reporter")
    assert [e.name for e in entries] == ["zebra", "room", "fresh", "later", "deep", "ant"]
    assert {str(e.source) for e in entries} == {str(entries[0].source)}
    listed = [(e.name, e.summary, e.plugin) for e in manifest.listing()]
    assert listed == [(e.name, e.summary, e.source.plugin) for e in entries]


@pytest.mark.parametrize("text", ["def register_loss(register): ...", "@hookimpl\ndef x(y): ..."])
def test_misspelt_hook_of_a_built_in_is_no_silence(package: Path, text: str) -> None:
    (package / "wrong.py").write_text(f"from ganbench import hookimpl\n\n{text}\n", "utf-8")
    with pytest.raises(Exception, match="hook"):
        registry.load()


def test_orders_name_modules_that_are_there() -> None:
    top = Path(registry.__file__).parents[1] / "default_plugins"
    for init in top.rglob("__init__.py"):
        for name in built_ins._order(init.read_bytes()):
            assert (init.parent / f"{name}.py").exists() or (init.parent / name).is_dir(), name

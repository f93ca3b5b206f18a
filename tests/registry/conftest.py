import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.registering import HERE, Optioned, registering

from ganbench.registry import built_ins
from ganbench.registry.registry import Registry


@pytest.fixture
def plugins() -> Registry:
    made = Registry()
    made.add(registering(Optioned), HERE)
    return made


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Installs a distribution with one plugin module, as far as importlib can tell."""

    def install(distribution: str, entry: str, source: str, version: str = "1.0") -> Path:
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        made = f"{distribution.replace('-', '_')}_plugin"
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(f"[ganbench]\n{entry} = {made}\n")
        (site / f"{made}.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, made, raising=False)
        return site

    monkeypatch.delenv("GANBENCH_LOAD_PLUGINS", raising=False)
    return install


@pytest.fixture
def no_built_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built_ins, "PACKAGE", "ganbench.no_such_package")

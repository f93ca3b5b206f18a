"""A kind of plugin is declared in one place, from which all else follows."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.resources import files
from types import ModuleType
from typing import Any, ClassVar, Literal

import pydantic
import pytest

from ganbench import hookimpl
from ganbench.config import choices, json_schema, schema
from ganbench.errors import ConfigError, PluginError
from ganbench.registry.discovery import PluginSource
from ganbench.registry.hookspecs import specifications
from ganbench.registry.kinds import KINDS, Kind
from ganbench.registry.registry import Registry
from ganbench.testing import check_plugin

HERE = PluginSource("mine", "ganbench-mine", "1.2")


class NoiseSource(ABC):
    """What the made-up kind implements."""

    name: ClassVar[str]

    @abstractmethod
    def volume(self) -> float: ...


@dataclass(kw_only=True)
class Hum(NoiseSource):
    """Says nothing, softly."""

    name = "hum"
    loudness: float = 0.5

    def volume(self) -> float:
        return self.loudness


def volume_is_bearable(source: NoiseSource) -> None:
    assert source.volume() < 1, "turn it down"


@pytest.fixture
def noise_source(monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind that does not exist: a line among the kinds, and the modules that it names."""
    kind = Kind("noise source", "noise_sources", "NoiseSource", "sources of noise")
    monkeypatch.setitem(KINDS, kind.word, kind)
    contract, rules = ModuleType(kind.module), ModuleType(kind.rules)
    vars(contract).update(NoiseSource=NoiseSource)
    vars(rules).update(rules=lambda cls: {"volume_is_bearable": volume_is_bearable})
    monkeypatch.setitem(sys.modules, kind.module, contract)
    monkeypatch.setitem(sys.modules, kind.rules, rules)
    return kind


@pytest.fixture
def plugins(noise_source: Kind) -> Registry:
    @hookimpl
    def register_noise_sources(register: Any) -> None:
        register(Hum)

    module = ModuleType("plugin")
    vars(module).update(register_noise_sources=register_noise_sources)
    made = Registry()
    made.add(module, HERE)
    return made


def test_new_kind_is_registered_by_its_hook_and_built(plugins: Registry) -> None:
    assert plugins.names("noise source") == plugins.usable("noise source") == ["hum"]
    assert plugins.build("noise source", "hum", {"loudness": 0.2}) == Hum(loudness=0.2)
    with pytest.raises(ConfigError, match="noise source 'hum' has no option 'loudnes'; did you"):
        plugins.build("noise source", "hum", {"loudnes": 1})


def test_class_of_another_kind_is_refused_by_the_contracts_name(noise_source: Kind) -> None:
    @hookimpl
    def register_noise_sources(register: Any) -> None:
        register(Registry)

    module = ModuleType("plugin")
    vars(module).update(register_noise_sources=register_noise_sources)
    with pytest.raises(PluginError, match=r"register a subclass of ganbench\.NoiseSource,"):
        Registry().add(module, HERE)


def test_benchmark_file_and_its_schema_take_a_choice_of_the_new_kind(
    plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = choices.Choice[Literal["noise source"]]  # type: ignore[valid-type]
    assert choice.model_validate("hum").kind == "noise source"
    with pytest.raises(ValueError, match="expected the name of a noise source, or a mapping"):
        choice.model_validate(3)
    settings = pydantic.create_model("S", __base__=schema.RunSettings, noise=(choice, ...))
    monkeypatch.setattr(json_schema, "RunSettings", settings)
    found = json_schema.benchmark_schema(plugins)
    assert found["properties"]["noise"] == {"$ref": "#/$defs/NoiseSourceChoice"}
    names, hum = found["$defs"]["NoiseSourceChoice"]["anyOf"]
    assert names == {"enum": ["hum"]}
    assert hum["properties"].keys() == {"name", "loudness"}


def test_choice_of_what_is_no_kind_is_an_error() -> None:
    with pytest.raises(KeyError, match="gadget"):
        choices.Choice[Literal["gadget"]]


@pytest.mark.usefixtures("noise_source")
def test_conformance_kit_finds_the_rules_of_the_new_kind() -> None:
    checked = {result.check: result for result in check_plugin(Hum)}
    assert checked["volume_is_bearable"].passed
    assert {"name_is_kebab_case", "options_can_stand_in_yaml"} < checked.keys()
    loud = {result.check: result for result in check_plugin(Hum(loudness=3))}
    assert (loud["volume_is_bearable"].message or "").startswith("noise source 'hum': turn it")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.slug)
def test_every_kind_has_its_hook_contract_rules_and_templates(kind: Kind) -> None:
    hook = getattr(specifications(), kind.hook)
    assert f"register(My{kind.contract})" in hook.__doc__
    contract = kind.contract_class()
    assert contract.__module__ == kind.module
    assert all(hasattr(contract, name) for name in kind.declares)
    assert (files("ganbench.registry") / "templates" / kind.slug / "module.py.template").is_file()

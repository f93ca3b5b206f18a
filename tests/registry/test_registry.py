"""Modules are registered whole or not at all; a broken plugin costs only itself."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.registering import HERE, PLUGIN, module, registering, reporter

from ganbench import Reporter, hookimpl
from ganbench.errors import ConfigError, PluginError
from ganbench.registry import registry
from ganbench.registry.discovery import PluginSource
from ganbench.registry.registry import Registry


def test_name_registered_twice_names_both_distributions(plugins: Registry) -> None:
    message = (
        "reporter 'optioned' is registered by both ganbench-mine 1.2 and ganbench-extra 2.0; "
        "uninstall one, or set GANBENCH_LOAD_PLUGINS"
    )
    with pytest.raises(PluginError, match=message):
        plugins.add(registering(reporter("optioned")), PluginSource("x", "ganbench-extra", "2.0"))


@pytest.mark.parametrize(
    ("version", "cure"),
    [("1.0", "leave --plugin a.py out, or uninstall the other"), ("", "leave out --plugin of one")],
    ids=["a package and a file", "two files"],
)
def test_name_that_a_file_registers_again_is_cured_by_leaving_it_out(
    version: str, cure: str
) -> None:
    plugins = Registry()
    plugins.add(registering(reporter("mine")), PluginSource("b.py", "b.py", version))
    with pytest.raises(PluginError, match=cure):
        plugins.add(registering(reporter("mine")), PluginSource("a.py", "a.py", ""))


def test_name_registered_twice_by_one_plugin_is_refused() -> None:
    with pytest.raises(
        PluginError, match=r"registered by both ganbench-mine 1\.2 and ganbench-mine"
    ):
        Registry().add(registering(reporter("a"), reporter("a")), HERE)


def test_registration_that_fails_half_way_registers_nothing() -> None:
    plugins = Registry()
    broken = registering(reporter("good"), "not a class")
    with pytest.raises(PluginError):
        plugins.add(broken, HERE)
    assert plugins.entries() == []
    plugins.add(registering(reporter("good")), HERE)
    assert plugins.names("reporter") == ["good"]


def test_adding_a_module_again_changes_nothing(plugins: Registry) -> None:
    again = registering(reporter("a"))
    plugins.add(again, PluginSource("a", "a", "1"))
    plugins.add(again, PluginSource("b", "b", "1"))
    assert str(plugins.lookup("reporter", "a").source) == "a 1"


def test_hook_with_another_argument_is_refused_and_forgotten() -> None:
    @hookimpl
    def register_losses(registry: Any) -> None: ...

    plugins = Registry()
    with pytest.raises(PluginError, match="one argument 'register'"):
        plugins.add(module(register_losses=register_losses), HERE)
    plugins.add(registering(reporter("a")), HERE)
    assert plugins.names("reporter") == ["a"]


def test_fields_that_cannot_be_options_name_the_plugin() -> None:
    @dataclass
    class Odd(Reporter):
        name = "odd"
        where: sys.__class__ = None  # type: ignore[valid-type]

        def write(self, report: Any, directory: Path) -> None: ...

    plugins = Registry()
    with pytest.raises(
        PluginError, match=r"reporter 'odd' \(ganbench-mine 1.2\): its fields cannot"
    ):
        plugins.add(registering(Odd), HERE)
    assert plugins.entries() == []


def test_hook_that_registers_nothing_is_an_error() -> None:
    with pytest.raises(PluginError, match=r"plugin 'mine' \(ganbench-mine 1.2\) registers nothing"):
        Registry().add(registering(), HERE)


def test_built_ins_are_registered_by_ganbench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    plugins = registry.load()
    assert {"bce", "lsgan", "wgan-gp"} <= set(plugins.names("loss"))
    assert {"mnist", "ring", "grid"} <= set(plugins.names("dataset"))
    assert {entry.source.distribution for entry in plugins.entries()} == {"ganbench"}


@pytest.mark.usefixtures("no_built_ins")
class TestInstalled:
    def test_plugin_is_loaded_with_its_version(self, install) -> None:
        install("gb-shout", "shout", PLUGIN.format(name="shout"), version="2.1")
        entry = registry.load().lookup("reporter", "shout")
        assert str(entry.source) == "gb-shout 2.1"

    def test_broken_plugin_does_not_stop_the_others_and_is_mentioned(self, install) -> None:
        install("gb-shout", "shout", PLUGIN.format(name="shout"))
        install("gb-broken", "broken", "import no_such_module_at_all\n")
        plugins = registry.load()
        assert plugins.names("reporter") == ["shout"]
        (failure,) = plugins.failures
        assert failure.source.distribution == "gb-broken"
        assert failure.reason == "ModuleNotFoundError: No module named 'no_such_module_at_all'"
        assert "gb_broken_plugin.py" in failure.detail
        with pytest.raises(ConfigError, match=r"gb-broken 1.0 failed to load: ModuleNotFoundErr"):
            plugins.lookup("reporter", "broken")

    def test_plugin_that_exits_or_fails_in_its_hook_is_a_failure(self, install) -> None:
        install("gb-exits", "exits", "raise SystemExit(3)\n")
        source = "from ganbench import hookimpl\n@hookimpl\ndef register_losses(register): 1 / 0\n"
        install("gb-fails", "fails", source)
        plugins = registry.load()
        assert {f.source.distribution for f in plugins.failures} == {"gb-exits", "gb-fails"}
        assert plugins.entries() == []

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("x = 1\n", "plugin 'bad' (gb-bad 1.0) implements no hook"),
            (
                "from ganbench import hookimpl\n@hookimpl\ndef register_loss(register): ...\n",
                "implements unknown hook 'register_loss'; did you mean 'register_losses'?",
            ),
            (
                "GANBENCH_API = 99\n" + PLUGIN.format(name="bad"),
                "is written for plugin API 99, and ganbench",
            ),
        ],
        ids=["no hook", "misspelt hook", "other API"],
    )
    def test_plugin_that_breaks_a_rule_fails_alone(self, install, source, reason) -> None:
        install("gb-bad", "bad", source)
        install("gb-shout", "shout", PLUGIN.format(name="shout"))
        plugins = registry.load()
        assert plugins.names("reporter") == ["shout"]
        (failure,) = plugins.failures
        assert reason in failure.reason
        assert failure.source.version == "1.0"

    def test_stale_entry_point_fails_alone(self, install, tmp_path) -> None:
        install("gb-stale", "stale", PLUGIN.format(name="stale"))
        next(tmp_path.rglob("gb_stale_plugin.py")).unlink()
        install("gb-shout", "shout", PLUGIN.format(name="shout"))
        plugins = registry.load()
        assert plugins.names("reporter") == ["shout"]
        assert "No module named" in plugins.failures[0].reason

    def test_distributions_with_one_entry_point_name_fail_together(self, install) -> None:
        install("gb-one", "shout", PLUGIN.format(name="one"))
        install("gb-two", "shout", PLUGIN.format(name="two"))
        plugins = registry.load()
        assert plugins.entries() == []
        assert {f.source.distribution for f in plugins.failures} == {"gb-one", "gb-two"}
        message = r"both gb-\w+ 1.0 and gb-\w+ 1.0 call their plugin 'shout'; uninstall one"
        with pytest.raises(ConfigError, match=message):
            plugins.lookup("reporter", "one")

    @pytest.mark.parametrize("rivals", [2, 3])
    def test_distributions_with_one_name_fail_together(self, install, rivals) -> None:
        for name in ("one", "two", "three")[:rivals]:
            install(f"gb-{name}", name, PLUGIN.format(name="shout"))
        plugins = registry.load()
        assert plugins.entries() == []
        assert len({f.source.distribution for f in plugins.failures}) == rivals
        message = r"'shout' is registered by both gb-\w+ 1.0 and gb-\w+ 1.0; uninstall one"
        with pytest.raises(ConfigError, match=message):
            plugins.lookup("reporter", "shout")

    def test_load_plugins_admits_only_what_it_lists(self, install, monkeypatch) -> None:
        install("gb-one", "one", PLUGIN.format(name="one"))
        install("gb-two", "two", PLUGIN.format(name="two"))
        monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "GB_one")
        assert registry.load().names("reporter") == ["one"]
        monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "two, one")
        assert registry.load().names("reporter") == ["one", "two"]
        monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
        assert registry.load().entries() == []

    def test_load_plugins_with_an_absent_name_is_an_error(self, install, monkeypatch) -> None:
        install("gb-one", "one", PLUGIN.format(name="one"))
        monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "gb-onne")
        message = r"names 'gb-onne', which is not installed; did you mean 'gb-one'\?"
        with pytest.raises(PluginError, match=message):
            registry.load()

    def test_load_plugins_settles_a_collision(self, install, monkeypatch) -> None:
        install("gb-one", "shout", PLUGIN.format(name="shout"))
        install("gb-two", "shout", PLUGIN.format(name="shout"))
        monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "gb-two")
        assert str(registry.load().lookup("reporter", "shout").source) == "gb-two 1.0"


def test_tracing_prints_each_hook_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANBENCH_TRACE_PLUGINS", "1")
    Registry().add(registering(reporter("a")), HERE)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "ganbench: register ganbench-mine/mine [pluginmanage]"
    assert "register_reporters [hook]" in printed[1]

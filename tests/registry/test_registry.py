import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

import pytest

from ganbench import Loss, Reporter, hookimpl
from ganbench.errors import ConfigError, PluginError
from ganbench.registry import built_ins, discovery, registry
from ganbench.registry.discovery import PluginSource
from ganbench.registry.registry import Registry

HERE = PluginSource("mine", "ganbench-mine", "1.2")
PLUGIN = '''\
"""A plugin."""
from dataclasses import dataclass
from ganbench import Reporter, hookimpl

@dataclass(kw_only=True)
class Shout(Reporter):
    """Writes in capitals."""

    name = "{name}"

    def write(self, report, directory):
        pass

@hookimpl
def register_reporters(register):
    register(Shout)
'''


def module(**content: Any) -> ModuleType:
    made = ModuleType("plugin")
    vars(made).update(content)
    return made


def registering(*classes: Any) -> ModuleType:
    """A module that registers these as reporters."""

    @hookimpl
    def register_reporters(register: Callable[[type], None]) -> None:
        for cls in classes:
            register(cls)

    return module(register_reporters=register_reporters)


def reporter(name: str) -> type[Reporter]:
    @dataclass(kw_only=True)
    class Made(Reporter):
        def write(self, report: Any, directory: Path) -> None: ...

    Made.name = name
    return Made


@dataclass(kw_only=True)
class Optioned(Reporter):
    """Has options of every kind.

    And more to say.
    """

    name = "optioned"
    digits: int
    scale: float = 1.0
    style: Literal["plain", "fancy"] = "plain"
    copy: bool = False  # also the name of a method of pydantic's models
    limits: tuple[float, float] | None = None
    tags: list[str] = field(default_factory=list)
    either: int | str = 0
    _lines: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.digits < 0:
            raise ValueError("digits is negative; count from 0")

    def write(self, report: Any, directory: Path) -> None: ...


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


def test_what_a_module_registers_is_found_by_kind_and_name(plugins: Registry) -> None:
    entry = plugins.lookup("reporter", "optioned")
    assert entry.cls is Optioned
    assert entry.summary == "Has options of every kind."
    assert str(entry.source) == "ganbench-mine 1.2"
    assert plugins.names("reporter") == ["optioned"]
    assert plugins.names("loss") == []


def test_undocumented_class_has_no_summary() -> None:
    plugins = Registry()
    plugins.add(registering(reporter("silent")), HERE)
    assert plugins.lookup("reporter", "silent").summary == ""


def test_unknown_name_gives_the_nearest_and_the_known(plugins: Registry) -> None:
    message = r"^unknown reporter 'optiond'; did you mean 'optioned'\?\n  known: optioned$"
    with pytest.raises(ConfigError, match=message):
        plugins.lookup("reporter", "optiond")


def test_name_registered_twice_names_both_distributions(plugins: Registry) -> None:
    message = (
        "reporter 'optioned' is registered by both ganbench-mine 1.2 and ganbench-extra 2.0; "
        "uninstall one, or set GANBENCH_LOAD_PLUGINS"
    )
    with pytest.raises(PluginError, match=message):
        plugins.add(registering(reporter("optioned")), PluginSource("x", "ganbench-extra", "2.0"))


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


def test_misspelt_hook_gets_a_suggestion() -> None:
    @hookimpl
    def register_loss(register: Callable[[type], None]) -> None: ...

    message = r"plugin 'mine' .* unknown hook 'register_loss'; did you mean 'register_losses'\?"
    with pytest.raises(PluginError, match=message):
        Registry().add(module(register_loss=register_loss), HERE)


def test_forgotten_hookimpl_is_pointed_out() -> None:
    def register_losses(register: Callable[[type], None]) -> None: ...

    with pytest.raises(PluginError, match="defines register_losses without @hookimpl"):
        Registry().add(module(register_losses=register_losses), HERE)


def test_module_without_hooks_is_refused() -> None:
    with pytest.raises(PluginError, match=r"implements no hook\n  known: register_losses"):
        Registry().add(module(), HERE)


def test_hook_with_another_argument_is_refused_and_forgotten() -> None:
    @hookimpl
    def register_losses(registry: Any) -> None: ...

    plugins = Registry()
    with pytest.raises(PluginError, match="one argument 'register'"):
        plugins.add(module(register_losses=register_losses), HERE)
    plugins.add(registering(reporter("a")), HERE)
    assert plugins.names("reporter") == ["a"]


class Undecorated(Reporter):
    name = "undecorated"

    def write(self, report: Any, directory: Path) -> None: ...


@dataclass
class Annotated(Reporter):
    name: str = "annotated"

    def write(self, report: Any, directory: Path) -> None: ...


@dataclass
class AnnotatedRecipe(Loss):
    name = "annotated-recipe"
    needs_labels: bool = True

    def discriminator_loss(self, step: Any) -> Any: ...
    def generator_loss(self, step: Any) -> Any: ...


@dataclass
class Unfinished(Reporter):
    name = "unfinished"


@dataclass
class ClassVarName(Reporter):
    name: ClassVar[str] = "class-var"

    def write(self, report: Any, directory: Path) -> None: ...


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Undecorated, "'undecorated' .* is not a dataclass; put @dataclass"),
        (Annotated, "'annotated' .* annotates 'name', which makes it an option"),
        (Unfinished, "'unfinished' .* does not define 'write'"),
        (Optioned(digits=1), "the class itself and not an instance"),
        (AnnotatedRecipe, "as a reporter; register a subclass of ganbench.Reporter"),
        ("text", "registered 'text' as a reporter"),
        (reporter("Bad_Name"), "has the name 'Bad_Name'; give it a class attribute"),
        (reporter(""), "has the name ''"),
        (reporter(None), "has the name None"),  # type: ignore[arg-type]
    ],
)
def test_class_that_cannot_be_a_plugin_is_refused(given: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        Registry().add(registering(given), HERE)


def test_annotated_declaration_of_a_contract_is_refused() -> None:
    @hookimpl
    def register_losses(register: Callable[[type], None]) -> None:
        register(AnnotatedRecipe)

    with pytest.raises(PluginError, match="annotates 'needs_labels', which makes it an option"):
        Registry().add(module(register_losses=register_losses), HERE)


def test_name_annotated_as_class_variable_is_fine() -> None:
    plugins = Registry()
    plugins.add(registering(ClassVarName), HERE)
    assert plugins.build("reporter", "class-var", {}) == ClassVarName()


def test_build_gives_an_instance_with_its_options(plugins: Registry) -> None:
    made = plugins.build(
        "reporter", "optioned", {"digits": 2, "scale": 3, "limits": [0, 1], "copy": True}
    )
    assert made == Optioned(digits=2, scale=3.0, limits=(0.0, 1.0), copy=True)
    assert made.tags == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "^reporter 'optioned': 'digits' is missing$"),
        ({"digits": "2"}, "digits: expected a whole number, found '2'"),
        ({"digits": True}, "digits: expected a whole number, found true"),
        ({"digits": 2.5}, "digits: expected a whole number, found 2.5"),
        ({"digits": 1, "scale": float("nan")}, "scale: expected a finite number"),
        ({"digits": 1, "style": "fancier"}, r"'plain' or 'fancy', found .*did you mean 'fancy'\?"),
        ({"digits": 1, "limits": [0, 1, 2]}, "limits: expected 2 values or fewer"),
        ({"digits": 1, "either": 1.5}, "either: expected a whole number or text, found 1.5"),
        ({"digits": 1, "tags": [1]}, "tags.0: expected text, found 1"),
        ({"digits": 1, "colour": "red"}, r"no option 'colour'; its options are digits \("),
        ({"digits": 1, "_lines": []}, "no option '_lines'"),
        ({"digits": 1, "scal": 2}, r"no option 'scal'; did you mean 'scale'\? Its options are"),
        ({"digits": -1}, "^reporter 'optioned': digits is negative; count from 0$"),
    ],
)
def test_wrong_options_are_refused(plugins: Registry, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plugins.build("reporter", "optioned", options)


def test_all_wrong_options_are_reported_with_their_places(plugins: Registry) -> None:
    problems = plugins.problems("reporter", "optioned", {"scale": "x", "copy": 1})
    assert {loc for loc, _ in problems} == {("digits",), ("scale",), ("copy",)}


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


@pytest.mark.usefixtures("no_built_ins", "install")
class TestNamed:
    def test_file_is_a_plugin(self, tmp_path: Path) -> None:
        path = tmp_path / "my-plugin.py"
        path.write_text(PLUGIN.format(name="mine"))
        entry = registry.load([str(path), str(path)]).lookup("reporter", "mine")
        assert str(entry.source) == "my-plugin.py"
        assert entry.source.identity == f"my-plugin.py sha256:{entry.source.digest[:12]}"

    def test_identity_changes_with_the_code_and_not_with_the_place(self, tmp_path: Path) -> None:
        identities = []
        for folder, more in (("a", ""), ("b", ""), ("c", "# another thought\n")):
            path = tmp_path / folder / "plugin.py"
            path.parent.mkdir()
            path.write_text(PLUGIN.format(name="mine") + more)
            plugins = registry.load([str(path)])
            identities.append(plugins.lookup("reporter", "mine").source.identity)
        assert identities[0] == identities[1] != identities[2]

    def test_identity_of_a_package_is_that_of_all_its_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "several"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "more.py").write_text("x = 1\n")
        module = ModuleType("several")
        module.__path__ = [str(package)]
        before = discovery.source_digest(module)
        (package / "more.py").write_text("x = 2\n")
        assert discovery.source_digest(module) != before
        monkeypatch.setitem(sys.modules, "several", module)
        part = ModuleType("several.part")
        part.__file__ = str(package / "part.py")
        around = discovery.source_digest(module)
        assert discovery.source_digest(part) == around  # of the package around it

    def test_module_is_a_plugin_even_where_it_is_installed_too(self, install) -> None:
        install("gb-shout", "shout", PLUGIN.format(name="shout"))
        entry = registry.load(["gb_shout_plugin"]).lookup("reporter", "shout")
        assert str(entry.source) == "gb-shout 1.0"

    def test_files_of_one_name_in_two_folders_are_two_plugins(self, tmp_path: Path) -> None:
        paths = [tmp_path / folder / "plugin.py" for folder in ("one", "two")]
        for path in paths:
            path.parent.mkdir()
            path.write_text(PLUGIN.format(name=path.parent.name))
        assert registry.load(map(str, paths)).names("reporter") == ["one", "two"]

    def test_missing_file_is_an_error(self) -> None:
        with pytest.raises(PluginError, match=r"--plugin gone\.py: there is no such file"):
            registry.load(["gone.py"])

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (
                "import no_such_module_at_all\n",
                "could not be imported: ModuleNotFoundError: No module",
            ),
            ("def broken(:\n", "could not be imported: SyntaxError: invalid syntax"),
            ("x = 1\n", "implements no hook"),
            (
                "from ganbench import hookimpl\n@hookimpl\ndef register_losses(register): 1 / 0\n",
                "its hook raised ZeroDivisionError: division by zero",
            ),
        ],
    )
    def test_broken_file_is_an_error(self, tmp_path: Path, source: str, message: str) -> None:
        path = tmp_path / "broken.py"
        path.write_text(source)
        with pytest.raises(PluginError, match=message):
            registry.load([str(path)])
        if "could not be imported" in message:
            assert not [name for name in sys.modules if name.startswith("ganbench_plugin_broken")]

    def test_missing_module_is_an_error(self) -> None:
        with pytest.raises(PluginError, match="--plugin no_such_plugin could not be imported"):
            registry.load(["no_such_plugin"])


def test_tracing_prints_each_hook_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANBENCH_TRACE_PLUGINS", "1")
    Registry().add(registering(reporter("a")), HERE)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "ganbench: register ganbench-mine/mine [pluginmanage]"
    assert "register_reporters [hook]" in printed[1]

"""Files and modules that `--plugin` names, and what their identity is."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers.registering import PLUGIN

from ganbench.errors import PluginError
from ganbench.registry import discovery, registry


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

    def test_identity_changes_with_what_the_file_imports_from_beside_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        plain, plugin = tmp_path / "plain.py", tmp_path / "plugin.py"
        plain.write_text(PLUGIN.format(name="mine"))
        plugin.write_text(
            PLUGIN.format(name="mine") + "import json, my_layers\n"
            "def later():\n    from my_package.below import thing, MISSING\n"
        )
        (tmp_path / "my_package" / "below").mkdir(parents=True)
        layers, thing = tmp_path / "my_layers.py", tmp_path / "my_package/below/thing.py"
        layers.write_text("import my_deeper\n")
        deeper = tmp_path / "my_deeper.py"
        installed = tmp_path / "site-packages"
        installed.mkdir()
        monkeypatch.syspath_prepend(str(installed))

        def identity() -> str:
            return registry.load([str(plugin)]).lookup("reporter", "mine").source.identity

        thing.write_text("")
        deeper.write_text("")
        found = [identity()]
        for file in (layers, deeper, thing):
            file.write_text(file.read_text() + "x = 1\n")
            found.append(identity())
        assert len({*found}) == 4
        (tmp_path / "json.py").write_text("")
        (tmp_path / "MISSING.py").write_text("")
        assert identity() == found[-1], "neither Python's own nor below a module"
        (installed / "my_layers.py").write_text("import theirs\n")
        assert identity() != found[-1]
        (installed / "my_layers.py").write_text("import theirs  # of another version\n")
        assert identity() == identity()

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
                r"its hook raised ZeroDivisionError: division by zero, at \S+broken\.py:3",
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

    def test_file_of_another_kind_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("x = 1\n")
        with pytest.raises(PluginError, match=r"notes\.txt: not a Python file; its name would end"):
            registry.load([str(path)])

    def test_missing_module_is_an_error(self) -> None:
        with pytest.raises(PluginError, match="--plugin no_such_plugin could not be imported"):
            registry.load(["no_such_plugin"])

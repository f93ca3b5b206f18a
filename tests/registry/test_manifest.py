import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ganbench.registry import built_ins, manifest, registry
from ganbench.registry.manifest import Listed

CLASS = '''
@dataclass(kw_only=True)
class {cls}(Reporter):
    """Says {name}.

    At length.
    """

    name = "{name}"

    def write(self, report, directory):
        pass
'''
HEAD = "from dataclasses import dataclass\nfrom ganbench import Reporter, hookimpl\n"
HOOK = "\n@hookimpl\ndef register_reporters(register):\n    {body}\n"
BOMB = "raise RuntimeError('imported')\n"


def source(*names: str, body: str, head: str = "") -> str:
    classes = "".join(CLASS.format(cls=name.title(), name=name) for name in names)
    return head + HEAD + classes + HOOK.format(body=body)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a distribution `gb-test` whose plugin is the package or module of these files."""

    def install(files: dict[str, str], module: str, entry: str = "test") -> None:
        site = tmp_path / f"site-{entry}"
        info = site / f"gb_{entry}-1.5.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: gb-{entry}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[ganbench]\n{entry} = {module}\n")
        for name, text in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)
        monkeypatch.syspath_prepend(str(site))

    monkeypatch.setattr(built_ins, "PACKAGE", "ganbench.no_such_package")
    monkeypatch.delenv("GANBENCH_LOAD_PLUGINS", raising=False)
    known = set(sys.modules)
    yield install
    for name in set(sys.modules) - known:
        if name.startswith("gbt_"):
            del sys.modules[name]


def listed(name: str, entry: str = "test") -> Listed:
    return Listed("reporter", name, f"Says {name}.", f"gb-{entry}", "1.5", entry)


def test_built_ins_are_listed_as_the_registry_loads_them(monkeypatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    loaded = [
        Listed(e.kind, e.name, e.summary, e.source.distribution, e.source.version, e.source.plugin)
        for e in registry.load().entries()
    ]
    assert manifest.listing() == loaded


def test_listing_imports_neither_torch_nor_any_plugin() -> None:
    code = (
        "import json, sys\n"
        "from ganbench.registry import manifest\n"
        "names = [entry.name for entry in manifest.listing()]\n"
        "heavy = {'torch', 'numpy', 'pandas', 'rich'} & set(sys.modules)\n"
        "plugins = [m for m in sys.modules if m.startswith('ganbench.default_plugins')]\n"
        "print(json.dumps([names, sorted(heavy), plugins]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(manifest.__file__).parents[2],
    )
    names, heavy, plugins = json.loads(done.stdout)
    assert {"bce", "mnist", "dcgan", "local"} <= set(names)
    assert heavy == []
    assert plugins == []


@pytest.mark.parametrize(
    "body",
    [
        "register(Loud); register(Quiet)",
        "for cls in (Loud, Quiet): register(cls)",
        "for cls in [Loud, Quiet]:\n        register(cls)",
        '"""Both."""\n    register(Loud)\n    for cls in (Quiet,): register(cls)',
    ],
)
def test_registered_classes_are_read_from_the_source(install, body: str) -> None:
    install({"gbt_read.py": BOMB + source("loud", "quiet", "unused", body=body)}, "gbt_read")
    assert manifest.listing() == [listed("loud"), listed("quiet")]


def test_classes_imported_from_a_sibling_module_are_found(install) -> None:
    files = {
        "gbt_pkg/__init__.py": BOMB
        + "from .loud import Loud\nfrom gbt_pkg.sub.quiet import Quiet as Q\n"
        + "from ganbench import hookimpl\n"
        + HOOK.format(body="for cls in (Loud, Q): register(cls)"),
        "gbt_pkg/loud.py": HEAD + CLASS.format(cls="Loud", name="loud"),
        "gbt_pkg/sub/__init__.py": "",
        "gbt_pkg/sub/quiet.py": HEAD + CLASS.format(cls="Quiet", name="quiet"),
    }
    install(files, "gbt_pkg")
    assert manifest.listing() == [listed("loud"), listed("quiet")]


def test_module_inside_a_package_is_found_without_importing_the_package(install) -> None:
    files = {
        "gbt_deep/__init__.py": BOMB,
        "gbt_deep/plugin.py": "from .other import Loud\n" + source(body="register(Loud)"),
        "gbt_deep/other.py": HEAD + CLASS.format(cls="Loud", name="loud"),
    }
    install(files, "gbt_deep.plugin")
    assert manifest.listing() == [listed("loud")]


@pytest.mark.parametrize(
    "body",
    [
        "register(globals()['Loud'])",
        "for cls in [cls for cls in (Loud,)]: register(cls)",
        "for cls in (Loud,):\n        if cls.name: register(cls)",
        "if True:\n        register(Loud)",
        "list(map(register, [Loud]))",
    ],
)
def test_module_that_computes_what_it_registers_is_imported_when_asked(install, body: str) -> None:
    install({"gbt_computed.py": source("loud", body=body)}, "gbt_computed")
    (entry,) = manifest.listing()
    assert (entry.kind, entry.name) == ("?", "test")
    assert "its source does not say plainly what it registers; `ganbench pl" in (
        entry.problem or ""
    )
    assert "gbt_computed" not in sys.modules
    assert manifest.listing(load=True) == [listed("loud")]
    assert "gbt_computed" in sys.modules


def test_computed_name_is_imported_when_asked(install) -> None:
    text = source("loud", body="register(Loud)").replace('name = "loud"', 'name = "lo" + "ud"')
    install({"gbt_name.py": text}, "gbt_name")
    assert manifest.listing()[0].kind == "?"
    assert manifest.listing(load=True) == [listed("loud")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "^RuntimeError: imported$"),
        ("def broken(:\n", "invalid syntax"),
        ("x = 1\n", "implements no hook"),
        (
            "from ganbench import hookimpl\n@hookimpl\ndef register_loss(register): ...\n",
            r"unknown hook 'register_loss'; did you mean 'register_losses'\?",
        ),
        ("def register_losses(register): ...\n", "without @hookimpl"),
    ],
)
def test_plugin_that_gives_nothing_is_listed_with_its_problem(install, text, problem) -> None:
    install({"gbt_broken.py": text}, "gbt_broken")
    (entry,) = manifest.listing(load=True)
    assert (entry.kind, entry.distribution, entry.version) == ("?", "gb-test", "1.5")
    assert entry.problem is not None
    assert re.search(problem, entry.problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "it implements no hook; `ganbench plugins --load` imports it"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        (
            "from ganbench import hookimpl\n@hookimpl\ndef register_loss(register): ...\n",
            "it implements unknown hook 'register_loss'; did you mean 'register_losses'?",
        ),
        ("def register_losses(register): ...\n", "it defines register_losses without @hookimpl"),
    ],
)
def test_problem_is_read_from_the_source_too(install, text, problem) -> None:
    install({"gbt_broken.py": text}, "gbt_broken")
    (entry,) = manifest.listing()
    assert problem in (entry.problem or "")
    assert "gbt_broken" not in sys.modules


def test_missing_module_is_a_problem(install) -> None:
    install({}, "gbt_gone")
    (entry,) = manifest.listing()
    assert "No module named 'gbt_gone'" in (entry.problem or "")


def test_name_taken_twice_is_a_problem_of_both(install) -> None:
    install({"gbt_one.py": source("loud", body="register(Loud)")}, "gbt_one", "one")
    install({"gbt_two.py": source("loud", body="register(Loud)")}, "gbt_two", "two")
    problems = {entry.distribution: entry.problem for entry in manifest.listing()}
    assert problems == dict.fromkeys(
        ("gb-one", "gb-two"), "reporter 'loud' is registered by both gb-two 1.5 and gb-one 1.5"
    )


def test_named_files_and_modules_are_listed_too(install, tmp_path: Path) -> None:
    install({"gbt_named.py": BOMB}, "gbt_named")
    path = tmp_path / "extra.py"
    path.write_text(BOMB + source("loud", body="register(Loud)"))
    (tmp_path / "site-test" / "gbt_more.py").write_text(source("quiet", body="register(Quiet)"))
    _, loud, quiet = manifest.listing([str(path), "gbt_more"])
    assert (loud.name, loud.distribution, loud.plugin) == ("loud", "extra.py", str(path))
    assert (quiet.name, quiet.distribution) == ("quiet", "gbt_more")


def test_installed_plugin_that_is_named_too_is_listed_once(install) -> None:
    install({"gbt_again.py": source("loud", body="register(Loud)")}, "gbt_again")
    assert manifest.listing(["gbt_again"]) == [listed("loud")]

"""What a release is made of agrees: tag, version, changelog, citation, plugins."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.version import Version

import ganbench
from ganbench.util import version as own_version

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("plugins/ganbench-*/pyproject.toml"))
CHANGELOG = """\
# Changelog

## [Unreleased]
{unreleased}
## [1.2.0] - 2026-12-01

### Added

- A thing.

## [1.1.0] - 2026-11-01

- Older.
"""


@pytest.fixture(scope="module")
def releases() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["release"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG.format(unreleased=""), "utf-8")
    plugin = tmp_path / "plugins" / "ganbench-x"
    plugin.mkdir(parents=True)
    (plugin / "pyproject.toml").write_text('[project]\nversion = "0.2"\n', "utf-8")
    return tmp_path


def newest() -> re.Match[str]:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(r"^## \[(?P<version>\d[^\]]*)\] - (?P<date>\S+)$", text, re.MULTILINE)
    assert found
    return found


def about() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_version_is_the_installed_ones() -> None:
    assert ganbench.__version__ == version("ganbench")
    assert "__version__" in ganbench.__all__


def test_a_checkout_that_nobody_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> str:
        raise own_version.PackageNotFoundError(name)

    monkeypatch.setattr(own_version, "version", none)
    assert own_version._installed() == own_version.NOT_INSTALLED
    assert Version(own_version.NOT_INSTALLED) < Version("0.1.0")


def test_where_no_tag_is_known_it_is_the_next_release_that_the_changelog_lacks() -> None:
    fallback = Version(about()["tool"]["hatch"]["version"]["fallback-version"])
    assert fallback.is_devrelease
    assert fallback > Version(newest()["version"])
    assert f"## [{fallback.base_version}]" not in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_tag_is_a_section_of_the_changelog() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no checkout of git's")
    listed = ["git", "-C", str(ROOT), "tag", "--list", "v[0-9]*", "--merged"]
    done = subprocess.run(listed, capture_output=True, text=True, check=True)
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert [t for t in done.stdout.split() if f"## [{t.removeprefix('v')}] - " not in text] == []


def test_citation_is_of_the_newest_release() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert (cited["version"], cited["date-released"]) == (newest()["version"], newest()["date"])
    assert cited["license"] == about()["project"]["license"]


def test_a_tag_gives_folder_version_and_notes(releases: ModuleType, tree: Path) -> None:
    assert releases.release("v1.2.0", tree) == (".", "1.2.0", "### Added\n\n- A thing.\n")
    plugin = ("plugins/ganbench-x", "0.2", "ganbench-x 0.2\n")
    assert releases.release("ganbench-x-v0.2", tree) == plugin


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("v1.1.0", "the newest release is '## [1.2.0] - 2026-12-01', and not '## [1.1.0] - DATE'"),
        ("v1.3.0", "and not '## [1.3.0] - DATE'"),
        ("1.2.0", "expected v1.2.3, or ganbench-NAME-v1.2"),
        ("v1.2.0; rm -rf .", "expected v1.2.3"),
        ("ganbench-../x-v1", "expected v1.2.3"),
        ("ganbench-y-v0.2", "plugins/ has no ganbench-y"),
        ("ganbench-x-v0.3", "plugins/ganbench-x/pyproject.toml: its version is not 0.3"),
    ],
)
def test_a_tag_that_the_files_do_not_have_is_refused(
    releases: ModuleType, tree: Path, tag: str, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        releases.release(tag, tree)


def test_what_is_unreleased_is_moved_first(releases: ModuleType, tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text(CHANGELOG.format(unreleased="\n- New.\n"), "utf-8")
    with pytest.raises(ValueError, match="'Unreleased' is not empty"):
        releases.release("v1.2.0", tree)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_plugin_can_be_released_by_its_tag(releases: ModuleType, package: str) -> None:
    text = (ROOT / "plugins" / package / "pyproject.toml").read_text("utf-8")
    its = tomllib.loads(text)["project"]["version"]
    assert releases.release(f"{package}-v{its}").folder == f"plugins/{package}"


def test_script_prints_the_notes_and_tells_the_step(tmp_path: Path) -> None:
    package = PACKAGES[0]
    text = (ROOT / "plugins" / package / "pyproject.toml").read_text("utf-8")
    its = tomllib.loads(text)["project"]["version"]
    command = [sys.executable, str(ROOT / ".ci" / "release.py")]
    done = subprocess.run(
        [*command, f"{package}-v{its}"],
        env={"GITHUB_OUTPUT": str(tmp_path / "out")}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"{package} {its}\n")
    told = (tmp_path / "out").read_text("utf-8")
    assert told == f"folder=plugins/{package}\nversion={its}\n"
    done = subprocess.run([*command, "v9.9"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("CHANGELOG.md: ")

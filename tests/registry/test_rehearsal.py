"""Plugins whose import would take the command line down, and what it costs to know."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import tiny

from ganbench.errors import PluginError
from ganbench.registry import registry, rehearsal
from ganbench.util import process_settings

GOOD = """
from dataclasses import dataclass
from ganbench import Reporter, hookimpl
@dataclass(kw_only=True)
class Quiet(Reporter):
    name = "quiet"
    def write(self, report, directory):
        pass
@hookimpl
def register_reporters(register):
    register(Quiet)
"""
UNSPEAKABLE = """
class Unspeakable(BaseException):
    def __str__(self):
        raise RuntimeError
raise Unspeakable
"""

pytestmark = pytest.mark.usefixtures("no_built_ins")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rehearsal, "SECONDS", 2.0)
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))


def load(install: Callable[..., Path], source: str) -> tuple[str, list[str]]:
    """Why the plugin fails, and what is registered beside it."""
    install("gb-good", "good", GOOD)
    install("gb-ill", "ill", source)
    loaded = registry.load()
    return loaded.failures[0].reason if loaded.failures else "", loaded.names("reporter")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(0)", "its import ended the process, with exit code 0"),
        ("import os; os.kill(os.getpid(), 9)", "its import ended the process, by signal 9"),
        ("while True: pass", "its import did not return within 2 s"),
        (UNSPEAKABLE, "Unspeakable: (it cannot say what is wrong)"),
        ("import pytest; pytest.skip('x', allow_module_level=True)", "Skipped: x"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_a_plugin_that_takes_processes_down_costs_itself_alone(install, source, reason) -> None:
    assert load(install, source) == (reason, ["quiet"])


NAMED = [
    ("import os; os._exit(0)", "--plugin {}: its import ended the process, with exit code 0"),
    ("import os; os.kill(os.getpid(), 9)", "--plugin {}: its import ended the process, by signal"),
    ("import sys; sys.exit(0)", "--plugin {} could not be imported: SystemExit: 0"),
    ("raise ValueError('mine')", "--plugin {} could not be imported: ValueError: mine"),
    (GOOD + "    import os; os._exit(0)\n", "--plugin {}: its import ended the process"),
]


@pytest.mark.parametrize(("source", "reason"), NAMED)
def test_a_named_plugin_that_ends_the_process_is_an_error(tmp_path, source, reason) -> None:
    path = tmp_path / "named.py"
    path.write_text(source)
    for _ in range(2):  # what is known of it the second time, too
        with pytest.raises(PluginError) as raised:
            registry.load([str(path)])
        assert str(raised.value).startswith(reason.format(path))


def test_a_named_plugin_may_take_its_time(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rehearsal, "SECONDS", 0.1)
    path = tmp_path / "slow.py"
    path.write_text("import time; time.sleep(0.3)" + GOOD)
    assert registry.load([str(path)]).names("reporter") == ["quiet"]


def test_prints_and_folders_of_a_plugin_stay_its_own(install, capsys, tmp_path) -> None:
    before = os.getcwd()
    source = "import os; print('hello'); os.chdir('/')" + GOOD.replace("quiet", "loud")
    assert load(install, source) == ("", ["loud", "quiet"])
    assert os.getcwd() == before
    assert capsys.readouterr() == ("", "hello\n")


def test_what_an_import_changes_for_everyone_is_warned_of(install, caplog) -> None:
    with process_settings.put_back():
        source = "import torch; torch.set_grad_enabled(False)" + GOOD.replace("quiet", "loud")
        assert load(install, source) == ("", ["loud", "quiet"])
    (warning,) = caplog.messages
    assert warning.startswith("plugin 'ill' changes torch's grad mode as it is imported")


def test_a_plugin_is_rehearsed_once_a_source(install, monkeypatch, tmp_path) -> None:
    site = install("gb-good", "good", GOOD)
    rehearsed = []
    plain = rehearsal._forked
    monkeypatch.setattr(rehearsal, "_forked", lambda *a: rehearsed.append(a[0]) or plain(*a))
    for change in ("", "", "# other\n"):
        path = site / "gb_good_plugin.py"
        path.write_text(change + path.read_text())
        assert registry.load().names("reporter") == ["quiet"]
    assert rehearsed == ["gb_good_plugin"] * 2


def test_where_it_cannot_fork_it_starts_a_process(install, monkeypatch) -> None:
    monkeypatch.setattr(rehearsal, "SECONDS", 10.0)  # six times as many, for torch
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    install("gb-ill", "ill", "print('x'); import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        [failure] = registry.load().failures
    finally:
        done.set()
        thread.join()
    assert failure.reason == "its import ended the process, with exit code 3"


def test_without_fork_a_process_is_started_too(install, monkeypatch) -> None:
    monkeypatch.setattr(rehearsal.sys, "platform", "win32")
    monkeypatch.delattr(os, "fork", raising=False)
    monkeypatch.setattr(rehearsal, "_spawned", lambda module, code: f"{module} was spawned")
    install("gb-ill", "ill", "")
    [failure] = registry.load().failures
    assert failure.reason == "gb_ill_plugin was spawned"


def test_what_plugins_print_is_not_in_the_json_document(tmp_path: Path) -> None:
    plugin = tiny.write_trouble(tmp_path)
    plugin.write_text("print('at import')\n" + plugin.read_text().replace(
        "    does:", "    def __post_init__(self) -> None:\n        print('made')\n\n    does:"
    ))  # fmt: skip
    path = tiny.write(tmp_path, tiny.INLINE.replace("[bce, lsgan]", "[trouble]"))
    done = tiny.ganbench("plan", path, "--plugin", plugin, "--json", "--no-estimate", cwd=tmp_path)
    assert json.loads(done.stdout)["cells"][0]["loss"]["name"] == "trouble"
    assert "at import" in done.stderr
    assert "made" in done.stderr

"""The documents: README.md and the pages of docs/, with their blocks of code and their commands."""

from __future__ import annotations

import importlib.util
import re
import textwrap
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted(p for p in ROOT.glob("docs/**/*.md") if "node_modules" not in p.parts)]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def block(name: str, text: str) -> str:
    """What stands between two comments of this name."""
    found = re.search(rf"<!-- {name}:start -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    assert found, f"there is no block {name}"
    return found[1]


def code(name: str, text: str) -> str:
    """The Python in such a block."""
    return block(name, text).removeprefix("```python\n").removesuffix("```\n")


def fenced(language: str, text: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(part) for part in found]


def files_of(shown: str) -> dict[str, str]:
    """The blocks that are files: the paragraph above names one, or the first line does."""
    found = {}
    pattern = r"([^\n]+)\n\n(?:<!-- [^\n]* -->\n)?```(?:python|yaml)\n(.*?)```"
    for above, block in re.findall(pattern, shown, re.DOTALL):
        named = re.findall(r"`([\w.-]+\.(?:py|yaml))`", above)
        named += re.findall(r'^"""(\w+\.py)"""', block)
        if named:
            found[named[-1]] = block
    return found


def shell_lines(text: str) -> list[str]:
    """Lines of shell blocks, those that go on in the next one joined, without comments."""
    joined = [part.replace("\\\n", " ") for part in fenced("sh", text)]
    lines = [line.split("  #")[0].strip() for part in joined for line in part.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def commands(text: str) -> list[str]:
    return [line for line in shell_lines(text) if line.startswith("ganbench ")]


def generator() -> ModuleType:
    """docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""The page in a real browser, where one is installed: it sorts, fits, loads nothing, complains of
nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganbench import Report
from ganbench.default_plugins.reporters import HTML

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
FID = "fid@mnist-cnn-v1"
REAL, FLIP = "real test set (ring)", "bce(flip=0.25)"
LIMIT = 120  # seconds, on a machine that has much else to do

LAUNCHER = """
import fcntl, os, sys
requests, answers = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(requests, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""  # the browser reads from 3 and writes to 4

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason=f"no browser is installed ({', '.join(NAMES)})"),
    pytest.mark.skipif(os.name == "nt", reason="the browser is spoken to over inherited pipes"),
]


@dataclass
class Browser:
    """A headless browser, spoken to in its DevTools protocol over two pipes."""

    requests: Any
    answers: Any
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.requests.write(json.dumps(message).encode() + b"\0")
        self.requests.flush()
        while (answer := self._read()).get("id") != self.count:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open(self, path: Path, width: int = 1280) -> None:
        self.session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._read())

    def value(self, script: str) -> Any:
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def told(self, *methods: str) -> list[dict[str, Any]]:
        return [e["params"] for e in self.events if e.get("method") in methods]

    def _read(self) -> dict[str, Any]:
        message = b""
        while not message.endswith(b"\0"):
            byte = self.answers.read(1)
            assert byte, "the browser has ended"
            message += byte
        return json.loads(message[:-1])


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    to_read, to_write = os.pipe(), os.pipe()
    command = [str(BROWSER), "--headless=new", "--remote-debugging-pipe", "--disable-gpu"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--no-first-run"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # which root cannot have
    ends = (to_read[0], to_write[1])
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, *map(str, ends), *command],
        pass_fds=ends,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read[0])
    os.close(to_write[1])
    timer = threading.Timer(LIMIT, process.kill)
    timer.start()
    with open(to_read[1], "wb") as requests, open(to_write[0], "rb", buffering=0) as answers:
        yield Browser(requests, answers)
        timer.cancel()
        process.kill()
        process.wait()


@pytest.fixture
def path(runs) -> Path:
    values = (("bce", 10.0, 3.0), ("lsgan", 9.0, 100.0), ("wgan-gp", None, None), (FLIP, 2.5, 8.0))
    results: dict[str, list[Any]] = {REAL: [runs.reference({FID: 0.001})]}
    for loss, fid, speed in values:
        known = {FID: fid, "train-images-per-s": speed}
        found = runs.lost("failed", "why") if fid is None else runs.result(known)
        results[f"{loss}/none/mlp"] = [found]
    text = runs.TEXT.replace("[bce, lsgan]", "[bce, lsgan, wgan-gp, {name: bce, flip: 0.25}]")
    report = Report.of(runs.write(results, text))
    for outcome in report.outcomes:
        outcome.directory.mkdir(exist_ok=True)
        Image.new("RGB", (600, 600), "teal").save(outcome.directory / "samples.png")
        lines = [{"kimg": k, "d_terms": {"real": 1 / k}, "g_terms": {}} for k in (1, 2, 3)]
        (outcome.directory / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    HTML().write(report, report.run.directory)
    return report.run.directory / "report.html"


ROWS = "[...document.querySelectorAll('tbody.cells tr')].map(row => row.cells[0].textContent)"


def click(head: str) -> str:
    heads = "[...document.querySelectorAll('thead th')]"
    find = f"{heads}.find(th => th.textContent.startsWith({json.dumps(head)}))"
    return (
        f"(() => {{ const th = {find}; th.querySelector('button').click(); return th.ariaSort }})()"
    )


def test_page_in_a_browser(browser: Browser, path: Path) -> None:
    browser.open(path)
    assert browser.value(ROWS) == ["bce", "lsgan", "wgan-gp", FLIP]
    assert browser.value(click(FID)) == "ascending"  # numbers, not texts, and what is missing last
    assert browser.value(ROWS) == [FLIP, "lsgan", "bce", "wgan-gp"]
    assert browser.value(click(FID)) == "descending"
    assert browser.value(ROWS) == ["bce", "lsgan", FLIP, "wgan-gp"]
    assert browser.value(click(FID)) == "none"
    assert browser.value(ROWS) == ["bce", "lsgan", "wgan-gp", FLIP]
    assert browser.value(click("train img/s")) == "descending"  # the best first
    assert browser.value(ROWS) == ["lsgan", FLIP, "bce", "wgan-gp"]
    assert "Sorted by train img/s" in browser.value("document.getElementById('sorted').textContent")
    assert browser.value(click("loss")) == "ascending"
    assert browser.value(ROWS) == ["bce", FLIP, "lsgan", "wgan-gp"]
    first = "document.querySelector('table.sortable').tBodies[0].rows[0].textContent"
    assert browser.value(first).startswith(REAL)
    images = "[...document.querySelectorAll('.card img')].map(i => i.complete && i.naturalWidth)"
    assert browser.value(images) == [600] * 4
    assert (
        browser.told("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled") == []
    )
    urls = [found["request"]["url"] for found in browser.told("Network.requestWillBeSent")]
    assert [url for url in urls if not url.startswith("data:")] == [path.as_uri()]


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_only_tables_are_wider_than_the_window(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width)
    browser.value("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert browser.value("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('main *')].filter(n => n.scrollWidth > n.clientWidth + 1 && getComputedStyle(n).overflowX === 'auto').map(n => n.className || n.tagName)"  # fmt: skip # noqa: E501
    assert set(browser.value(wide)) <= {"scroll", "PRE"}


OPENERS = "[...document.querySelectorAll('.opener')]"


def test_picture_opens_at_full_size_by_keyboard_too(browser: Browser, path: Path) -> None:
    browser.open(path)
    assert browser.value(f"{OPENERS}.length") == 4
    assert browser.value(f"{OPENERS}[0].ariaLabel").endswith(": open at full size")
    assert browser.value("document.querySelector('.opener img').width") < 600
    browser.value(f"{OPENERS}[0].focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", text="\r", code="Enter")
    assert browser.value("document.querySelector('dialog').open")
    assert browser.value("document.querySelector('dialog img').width") == 600
    for kind in ("keyDown", "keyUp"):
        key = {"key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27}
        browser.call("Input.dispatchKeyEvent", type=kind, **key)
    assert not browser.value("document.querySelector('dialog').open")
    assert browser.value("document.activeElement.className") == "opener"


VISIBLE = (
    "(cell) => { const b = cell.getBoundingClientRect(); return b.width > 0 && b.right <= {} }"
)


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_names_stand_in_one_cell_and_the_first_number_is_seen(
    browser: Browser, runs: Any, width: int
) -> None:
    text = runs.TEXT.replace("lsgan]", "lsgan], training.g_lr: [0.001, 0.002]")
    cells = runs.planned(text).cells
    results = {cell.label: [runs.result({FID: 1.25})] for cell in cells}
    report = Report.of(runs.write(results, text))
    HTML().write(report, report.run.directory)
    browser.open(report.run.directory / "report.html", width)
    seen = f"[...document.querySelectorAll('tbody.cells tr')].map(row => [...row.cells].filter({VISIBLE.replace('{}', str(width))}).map(c => c.textContent))"  # fmt: skip # noqa: E501
    for row in browser.value(seen):
        assert "0.001" in row[0] or "0.002" in row[0]
        assert any(text.startswith("1.25") for text in row)

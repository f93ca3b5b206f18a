"""Right callbacks pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from helpers import mutants
from PIL import ImageDraw

from ganbench import Callback, Probed, TrialInfo, Window, save_grid, write_atomically
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class Silent(Callback):
    """It listens and says nothing."""

    name = "silent"


@dataclass(kw_only=True)
class Notes(Callback):
    """A line for each window, and the end."""

    name = "notes"

    def __post_init__(self) -> None:
        self._lines: list[str] = []
        self._path: Path | None = None

    def began(self, trial: TrialInfo) -> None:
        self._path = trial.directory / "notes.jsonl"
        self._lines = [json.dumps({"label": trial.label, "kimg": 0})]

    def window(self, window: Window) -> None:
        self._lines.append(json.dumps(asdict(window)))

    def ended(self, result: dict[str, Any]) -> None:
        if self._path is not None:
            self._lines.append(json.dumps({"status": result["status"]}))
            text = "\n".join(self._lines)
            write_atomically(self._path, lambda path: path.write_text(text))


@dataclass(kw_only=True)
class Draws(Notes):
    """Its own picture of the same latents, and a note of what was measured."""

    name = "draws"

    def probed(self, probe: Probed) -> None:
        self._lines.append(json.dumps(probe.values))
        with torch.no_grad():
            images = probe.generator(probe.latents, probe.labels)
        pixels = ((images + 1) * 127.5).byte()
        save_grid(pixels, 3, self._path.with_name(f"{probe.kimg:06.1f}.png"))


@parametrize_with_checks(Silent, Notes, Draws)
def test_right_callback_conforms(check):
    check()


@dataclass(kw_only=True)
class WantsMetrics(Notes):
    """The result of a trial that failed has no metrics."""

    name = "wants-metrics"
    caught_by = {"follows_a_trial[diverged]", "follows_a_trial[failed]"}
    also = {"follows_a_trial_without_windows"}

    def ended(self, result: dict[str, Any]) -> None:
        self._lines += [metric["name"] for metric in result["metrics"]]
        super().ended(result)


@dataclass(kw_only=True)
class WantsAnAccuracy(Notes):
    """A number that not every benchmark has."""

    name = "wants-an-accuracy"
    caught_by = {"follows_a_trial[ok]"}
    also = mutants.MOST

    def ended(self, result: dict[str, Any]) -> None:
        values = {metric["name"]: metric["value"] for metric in result.get("metrics", ())}
        self._lines.append(f"{values['inception-score']:.3f}" if values else "")
        super().ended(result)


@dataclass(kw_only=True)
class WantsWindows(Notes):
    """The last window of a trial that had none."""

    name = "wants-windows"
    caught_by = {"follows_a_trial_without_windows"}

    def began(self, trial: TrialInfo) -> None:
        super().began(trial)
        self._windows: list[Window] = []

    def window(self, window: Window) -> None:
        self._windows.append(window)

    def ended(self, result: dict[str, Any]) -> None:
        self._lines.append(f"{self._windows[-1].kimg}")
        super().ended(result)


@dataclass(kw_only=True)
class PopsTheReason(Notes):
    """The result loses what was only looked at."""

    name = "pops-the-reason"
    caught_by = {"leaves_all_it_is_told_as_it_was"}

    def ended(self, result: dict[str, Any]) -> None:
        self._lines.append(result.pop("reason"))
        super().ended(result)


@dataclass(kw_only=True)
class ScalesTheTerms(Notes):
    """The window's terms are scaled for everyone."""

    name = "scales-the-terms"
    caught_by = {"leaves_all_it_is_told_as_it_was"}

    def window(self, window: Window) -> None:
        for name in window.d_terms:
            window.d_terms[name] *= 100
        super().window(window)


@dataclass(kw_only=True)
class ChangesTheSettings(Notes):
    """The settings are flattened in place."""

    name = "changes-the-settings"
    caught_by = {"leaves_all_it_is_told_as_it_was"}

    def began(self, trial: TrialInfo) -> None:
        super().began(trial)
        trial.settings["loss"] = trial.settings["loss"]["name"]


@dataclass(kw_only=True)
class WantsAPicture(Notes):
    """Not every probe has one."""

    name = "wants-a-picture"
    caught_by = {"takes_any_probe[only numbers]"}

    def probed(self, probe: Probed) -> None:
        self._lines.append(f"{probe.picture.size}")


@dataclass(kw_only=True)
class WantsNumbers(Notes):
    """A number that not every probe has, and that may be None where it is."""

    name = "wants-numbers"
    caught_by = {"takes_any_probe[only a picture]"}

    def probed(self, probe: Probed) -> None:
        self._lines.append(f"{probe.values['fid@kit-features']:.3f}")


@dataclass(kw_only=True)
class DrawsOnThePicture(Notes):
    """The picture that others are handed too gets its kimg written on it."""

    name = "draws-on-the-picture"
    caught_by = {"leaves_all_it_is_told_as_it_was"}

    def probed(self, probe: Probed) -> None:
        if probe.picture is not None:
            ImageDraw.Draw(probe.picture).text((0, 0), f"{probe.kimg}", fill="black")


@dataclass(kw_only=True)
class TurnsGradientsOff(Notes):
    """Gradients are off from the first window on, for whoever trains."""

    name = "turns-gradients-off"
    caught_by = {"leaves_the_process_as_it_was"}

    def window(self, window: Window) -> None:
        torch.set_grad_enabled(False)
        super().window(window)


@dataclass(kw_only=True)
class WritesHere(Notes):
    """A file in the working directory."""

    name = "writes-here"
    caught_by = {"writes_only_into_the_trials_directory"}

    def ended(self, result: dict[str, Any]) -> None:
        Path("notes.txt").write_text("\n".join(self._lines), encoding="utf-8")


@dataclass(kw_only=True)
class WritesBeside(Notes):
    """One file for all trials, beside their directories."""

    name = "writes-beside"
    caught_by = {"writes_only_into_the_trials_directory"}

    def began(self, trial: TrialInfo) -> None:
        super().began(trial)
        self._path = trial.directory.parent / "all.jsonl"


@dataclass(kw_only=True)
class LeavesScraps(Notes):
    """A temporary file that nobody removes."""

    name = "leaves-scraps"
    caught_by = {"writes_only_into_the_trials_directory"}

    def ended(self, result: dict[str, Any]) -> None:
        import tempfile

        with tempfile.NamedTemporaryFile("w", encoding="utf-8", delete=False) as file:
            json.dump(result, file)


@dataclass(kw_only=True)
class SharesLines(Notes):
    """One list of lines for all instances."""

    name = "shares-lines"
    caught_by = {"trials_share_nothing"}
    lines = []

    def began(self, trial: TrialInfo) -> None:
        super().began(trial)
        self.lines.clear()
        self._lines = self.lines


@dataclass(kw_only=True)
class CountsInTheClass(Callback):
    """Counts of all trials, by label, in the class."""

    name = "counts-in-the-class"
    caught_by = {"trials_share_nothing"}
    seen = defaultdict(int)

    def began(self, trial: TrialInfo) -> None:
        self.seen[trial.label] += 1


@dataclass(kw_only=True)
class KeepsALock(Callback):
    """A lock, which cannot be copied."""

    name = "keeps-a-lock"
    caught_by = {"survives_deepcopy_and_pickle", "trials_share_nothing"}

    def __post_init__(self) -> None:
        self._lock = threading.Lock()


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_callback_is_caught(mutant):
    mutants.assert_caught(mutant)

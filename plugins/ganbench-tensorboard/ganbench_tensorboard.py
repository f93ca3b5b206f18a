"""TensorBoard follows trials of ganbench."""

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path

from ganbench import TrackedTable, Tracker, hookimpl


@dataclass(kw_only=True)
class TensorBoard(Tracker):
    """Losses, quality and pictures in the trial's folder `tensorboard`, as event files."""

    name = "tensorboard"
    library = "tensorboard"

    def open(self, trial):
        from tensorboard.compat.proto import event_pb2, summary_pb2

        self.event, self.summary = event_pb2, summary_pb2
        self.file = _writer(Path(trial["directory"]) / "tensorboard")
        self.step = None
        told = {key: trial[key] for key in ("run", "label", "axes", "seed")}
        self._text("trial", json.dumps(told, indent=1))

    def scalars(self, step, values):
        self._begin(step)
        self._add(step, [{"tag": tag, "simple_value": value} for tag, value in values.items()])

    def picture(self, step, image):
        self._begin(step)
        png = io.BytesIO()
        image.save(png, "PNG")
        shown = self.summary.Summary.Image(
            width=image.width,
            height=image.height,
            colorspace=3,
            encoded_image_string=png.getvalue(),
        )
        self._add(step, [{"tag": "samples", "image": shown}])

    def close(self, status, values):
        last = self.step or 0
        self._add(last, [{"tag": tag, "simple_value": value} for tag, value in values.items()])
        self._text("status", status)
        self.file.close()

    def _begin(self, step):
        """Have what an earlier attempt wrote from this step on forgotten."""
        if self.step is None:
            start = self.event.SessionLog(status=self.event.SessionLog.START)
            self._write(step, session_log=start)
        self.step = max(step, self.step or 0)

    def _text(self, tag, text):
        self._write(0, summary=_text(self.summary, tag, text))

    def _add(self, step, values):
        found = [self.summary.Summary.Value(**value) for value in values]
        self._write(step, summary=self.summary.Summary(value=found))
        self.file.flush()

    def _write(self, step, **what):
        self.file.add_event(self.event.Event(wall_time=time.time(), step=step, **what))


@dataclass(kw_only=True)
class TensorBoardTable(TrackedTable):
    """The run's table in its folder `tensorboard`, as text."""

    name = "tensorboard"
    library = "tensorboard"

    def table(self, name, rows, directory):
        from tensorboard.compat.proto import event_pb2, summary_pb2

        folder = Path(directory) / "tensorboard"
        for former in folder.glob("*tfevents*"):
            former.unlink()
        file = _writer(folder)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        lines = [
            columns,
            ["---"] * len(columns),
            *([_cell(row[c]) for c in columns] for row in rows),
        ]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        summary = _text(summary_pb2, name, text)
        file.add_event(event_pb2.Event(wall_time=time.time(), step=0, summary=summary))
        file.close()
        (written,) = folder.glob("*tfevents*")
        written.rename(folder / "events.out.tfevents.table")  # whenever it is written


def _writer(folder):
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    folder.mkdir(parents=True, exist_ok=True)
    return EventFileWriter(str(folder), max_queue_size=1, flush_secs=5)


def _text(summary_pb2, tag, text):
    """Return what TensorBoard's page of texts shows."""
    from tensorboard.compat.proto import tensor_pb2, types_pb2

    plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="text")
    value = summary_pb2.Summary.Value(
        tag=tag,
        metadata=summary_pb2.SummaryMetadata(plugin_data=plugin),
        tensor=tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[text.encode()]),
    )
    return summary_pb2.Summary(value=[value])


def _cell(value):
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace("|", "\\|")


@hookimpl
def register_callbacks(register):
    register(TensorBoard)


@hookimpl
def register_reporters(register):
    register(TensorBoardTable)

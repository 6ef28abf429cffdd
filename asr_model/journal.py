"""What a run says of itself: metrics.jsonl, TensorBoard, and a picture of the curves at its end."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from asr_model.checkpoints import write_atomically
from asr_model.validation import Sample

__all__ = ["Journal", "draw_curves"]

PANELS = (
    ("loss per token", ("loss",)),
    ("errors on dev", ("dev_wer", "dev_cer")),
    ("learning rate", ("learning_rate",)),
    ("gradient norm", ("gradient_norm",)),
)


class Journal:
    """Writes a run's figures as they come. ``metrics.jsonl`` holds none that depends on the clock."""

    def __init__(self, folder: Path, step: int, epoch: int):
        """Open the journal of a run that stands at ``step``; what was logged after it comes again, and is dropped."""
        self.folder = folder
        self.step = step
        self.metrics = folder / "metrics.jsonl"
        kept = [entry for entry in self._entries() if entry["step"] <= step and entry["epoch"] <= epoch]
        write_atomically(self.metrics, "".join(json.dumps(entry) + "\n" for entry in kept).encode())
        self.board: SummaryWriter | None = None

    def log(self, entry: dict[str, Any], **timing: float) -> None:
        """Append an entry with its ``step`` and ``epoch``; ``timing`` goes to TensorBoard alone."""
        with open(self.metrics, "a", encoding="utf-8") as metrics:
            metrics.write(json.dumps(entry) + "\n")
        for name, value in (entry | timing).items():
            if isinstance(value, int | float) and name != "step":
                group = "dev" if name.startswith("dev_") else "train"
                self._board().add_scalar(f"{group}/{name.removeprefix('dev_')}", value, entry["step"])

    def show(self, samples: list[Sample], step: int) -> None:
        """Write samples of what is recognized to TensorBoard."""
        rows = "".join(f"| {s.id} | {s.text} | {s.pred_text} |\n" for s in samples)
        self._board().add_text("dev/samples", f"| id | text | pred_text |\n|---|---|---|\n{rows}", step)

    def flush(self) -> None:
        """Write out what TensorBoard still holds back."""
        if self.board:
            self.board.flush()

    def close(self) -> None:
        """Write out what is left, and the curves."""
        if self.board:
            self.board.close()
        write_atomically(self.folder / "training.png", draw_curves(self._entries()))

    def _board(self) -> SummaryWriter:
        if self.board is None:  # a run that has nothing to say leaves no file
            self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.step + 1)
        return self.board

    def _entries(self) -> list[dict[str, Any]]:
        lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True) if self.metrics.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]  # the last may have been cut short


def draw_curves(entries: list[dict[str, Any]]) -> bytes:
    """Return a PNG of the curves that metrics hold."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    for place, (title, names) in enumerate(PANELS, start=1):
        axes = figure.add_subplot(2, 2, place, title=title, xlabel="step")
        for name in names:
            points = [(entry["step"], entry[name]) for entry in entries if entry.get(name) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 50 else "")
        if title == "loss per token" and axes.lines:
            axes.set_yscale("log")
        if axes.lines:
            axes.legend()
        axes.grid(alpha=0.3)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
    return file.getvalue()

"""Progress of a training: epochs, with the loss and the F1@50 of the validation videos."""

from __future__ import annotations

import time
from pathlib import Path

from rich.progress import MofNCompleteColumn, TimeElapsedColumn, TimeRemainingColumn

from keyseg.cli.progress import ProgressDisplay, plain_column, worth_a_line
from keyseg.timeline.extras import extra

with extra("train", "training"):
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback

from keyseg.training.fit import Fit


def show_training(fit: Fit) -> tuple[Callback, ...]:
    """Callbacks of a training that show its progress."""
    return (TrainingProgress(fit),)


def show_lines(fit: Fit) -> tuple[Callback, ...]:
    """The same for trainings side by side, whose bars would overwrite each other: lines."""
    return (TrainingProgress(fit, lines=True),)


def show_row(fit: Fit) -> tuple[Callback, ...]:
    """The same for a row of a table, whose run is in TERMS/SYSTEM."""
    return (TrainingProgress(fit, name=_row(fit)),)


def show_row_lines(fit: Fit) -> tuple[Callback, ...]:
    """The same for rows side by side: lines."""
    return (TrainingProgress(fit, name=_row(fit), lines=True),)


def _row(fit: Fit) -> str:
    return f"{'/'.join(fit.folder.parts[-4:-2])} split {fit.split} seed {fit.seed}"


def show_trial(fit: Fit) -> tuple[Callback, ...]:
    """The same for a trial of a tuning."""
    return (TrainingProgress(fit, name=fit.folder.name),)


def show_trial_lines(fit: Fit) -> tuple[Callback, ...]:
    """The same for trials side by side: lines."""
    return (TrainingProgress(fit, name=fit.folder.name, lines=True),)


class TrainingProgress(Callback):
    """A bar that moves by one epoch, or a line now and then."""

    def __init__(self, fit: Fit, *, name: str = "", lines: bool = False) -> None:
        split = "final model" if fit.split is None else f"split {fit.split}"
        self.name = self.title = name or f"{split} seed {fit.seed}"
        self.folder = fit.folder
        self.lines = lines
        self.display = _display(lines)
        self.started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.started = time.perf_counter()
        folder = Path(trainer.default_root_dir)
        self.title = self.name + ("" if folder == self.folder else f", inner {folder.name}")
        self.display = _display(self.lines)  # the same callback sees the trainings of the inner folds, and the real one
        self.display.bars.start()
        self.task = self.display.add(self.title, total=trainer.max_epochs, completed=trainer.current_epoch, note="")
        if not self.display.terminal:
            self.display.print(f"{self.title}: {trainer.max_epochs} epochs")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 1
        note = " ".join(f"{k} {float(v):.3g}" for k, v in trainer.progress_bar_metrics.items() if k != "v_num")
        self.display.bars.update(self.task, completed=done, note=note)
        if not self.display.terminal and worth_a_line(done - 1, done, total):
            spent = time.perf_counter() - self.started
            self.display.print(f"{self.title}: epoch {done}/{total}, {spent:.0f} s, {note}")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.display.bars.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.display.bars.stop()
        if self.lines:  # the others continue, so the error of this training is reported much later
            self.display.print(f"{self.title}: failed: {exception}")


def _display(lines: bool) -> ProgressDisplay:
    clocks = (TimeElapsedColumn(), TimeRemainingColumn(), plain_column("{task.fields[note]}"))
    return ProgressDisplay(MofNCompleteColumn(), *clocks, lines=lines)
